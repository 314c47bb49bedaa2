"""What is shown while a run goes on."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.live import Live

from scalebridge.runs import panel
from scalebridge.runs.monitor import Standing

HALF = Standing("Macro", "computing", 60.0, 120.0, 6, 12, 3, {"Temperature": (1.2e-3, 1e-4)}, 0.5, 75.0)


def test_plain_lines(capsys):
    lines = panel.PlainLines(seconds=100.0)
    with lines:
        assert not lines.due()
        lines.show([replace(HALF, busy=0.256, memory=123_456_789), Standing("Me", "done")], 75.0)
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "   75.0 s  Macro  t 60/120 s  window 6/12  iteration 3  Temperature 1.2e-03 (1e-04)  50%  "
        "1 min 15 s left  busy 26%  123 MB  computing"
    )
    assert second == "   75.0 s  Me     done"


def test_live_table():
    table = panel.LiveTable()
    screen = io.StringIO()
    table._live = Live(console=Console(file=screen, width=140, force_terminal=True), auto_refresh=False)
    with table:
        assert table.due()
        table.show([HALF, Standing("[bold]Micro", "waiting", partners=("Macro",), memory=2_340_000_000)], 75.0)
        assert not table.due()
    text = screen.getvalue()
    for word in ("1 min 15 s", "60/120 s", "6/12", "1.2e-03", "50%", "[bold]Micro", "waiting for Macro", "2.3 GB"):
        assert word in text


@pytest.mark.parametrize("width", [60, 80, 100, 129, 130, 200])
def test_the_live_table_fits_the_terminal(width):
    table = panel.LiveTable()
    screen = io.StringIO()
    table._live = Live(console=Console(file=screen, width=width), auto_refresh=False)
    waiting = replace(HALF, state="waiting", partners=("Micro",), busy=0.25, memory=123_456_789)
    with table:
        table.show([waiting, Standing("Micro", "computing", residuals={"Strain": (0.5, 1e-3)})], 75.0)
    lines = screen.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    text = " ".join(screen.getvalue().split())
    for word in (
        "waiting for Micro",
        "computing",
        "6/12",
        "50%",
        "Temperature 1.2e-03 / 1e-04",
        "Strain 5.0e-01 / 1e-03",
    ):
        assert word in text, text
    assert ("60/120 s" in text) == ("25%" in text) == (width >= 100)


@pytest.mark.parametrize(
    ("standing", "text"),
    [
        (Standing("A", "waiting", partners=("B",), since=4.0), "waiting for B"),
        (Standing("A", "waiting", partners=("B", "C"), since=12.0), "waiting for B and C, 12 s"),
        (Standing("A", "waiting", partners=tuple("BCDE")), "waiting for 4 others"),
        (Standing("A", "waiting"), "waiting"),
        (Standing("A", "computing", since=75.0), "computing, 1 min 15 s"),
        (Standing("A", "idle", partners=("B",)), "idle, waits for B?"),
        (Standing("A", "done", since=75.0), "done"),
    ],
)
def test_state_in_words(standing, text):
    assert panel.state_text(standing) == text


def test_without_a_terminal_there_are_plain_lines():
    assert isinstance(panel.choose(False), panel.PlainLines)
    assert isinstance(panel.choose(True), panel.PlainLines)


@pytest.mark.parametrize(("seconds", "text"), [(59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_duration(seconds, text):
    assert panel.duration(seconds) == text
