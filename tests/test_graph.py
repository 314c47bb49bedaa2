"""The coupling graph: every exchange and mapping once, names whole or cut in the middle."""

import re
from pathlib import Path

import invented
import pytest

from scalebridge.embedded import config
from scalebridge.report import graph

HUB = Path(__file__).parent / "hub" / "coupling.xml"


def drawn(tmp_path, count):
    (tmp_path / "case.xml").write_text(invented.xml(count))
    return graph.draw(config.load(tmp_path / "case.xml"), {n: f"module.{n}" for n in invented.names(count)})


@pytest.mark.parametrize("count", [2, 4, 12])
def test_every_exchange_and_mapping_once(tmp_path, count):
    html = drawn(tmp_path, count)
    assert html.count("marker-end=") == 2 * (count - 1)
    assert html.count('class="mapping') == 2 * (count - 1)
    for i in range(1, count):
        assert html.count(f">Force-{i}<") == html.count(f">Velocity-{i}<") == 1
    assert f"{invented.names(count)[1]} sends Velocity-1 on Mesh-1 to Macro" in html  # for those who cannot see it


def test_arrows_go_from_the_sender_to_the_receiver():
    html = graph.draw(config.load(HUB), {})
    (a, b), (c, d) = re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)"[^>]*class="arrow', html)
    assert float(a) < float(b)
    assert float(c) > float(d)


def test_schemes_in_words(tmp_path):
    (scheme,) = config.load(HUB).schemes
    assert graph.describe(scheme) == (
        "serial-implicit: Left, then Right · time windows of 0.1 s · until 2 s · up to 30 iterations · aitken"
    )
    text = HUB.read_text().replace(
        '<time-window-size value="0.1" />', '<time-window-size method="first-participant" />'
    )
    (tmp_path / "first.xml").write_text(text)
    (scheme,) = config.load(tmp_path / "first.xml").schemes
    assert "Left sets the time windows" in graph.describe(scheme)


def test_components_of_a_tensor_are_one():
    names = ["Temperature", "Conductivity-00", "Conductivity-01", "Slope", "Conductivity-11", "Part-07"]
    assert graph.packed(names) == ("Temperature", "Conductivity-{00, 01, 11}", "Slope", "Part-07")


@pytest.mark.parametrize(("text", "letters", "shown"), [("short", 9, "short"), ("Participant-10", 9, "Part…t-10")])
def test_long_names_lose_their_middle(text, letters, shown):
    assert graph.cut(text, letters) == shown
    assert len(graph.cut(text, letters)) <= letters
