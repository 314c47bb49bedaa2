"""A strategy within a strategy in a case: read, checked with all that is wrong at once, and handed out."""

from __future__ import annotations

import shutil

import pytest
from coupled import ROOT
from test_coupling import xml
from test_onfailure import CORD

from scalebridge.cases import reader as cases
from scalebridge.cases import strategy
from scalebridge.cases.inspection import inspect
from scalebridge.findings import ConfigurationError

CASE = """\
case: bars
coupling: coupling.xml
participants:
  Macro: {run: cord}
  Micro:
    run: laws
    strategy:
      adaptive:
        tolerance: 1e-2
        cheap: CHEAP
"""
LINE = "case.yaml:10: participants.Micro.strategy.adaptive.cheap"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "bars"
    place.mkdir()
    shutil.copy(ROOT / "tests" / "laws.py", place)
    (place / "cord.py").write_text(CORD)
    (place / "coupling.xml").write_text(xml())
    return place


def load(folder, text):
    (folder / "case.yaml").write_text(CASE.replace("CHEAP", text))
    return cases.read(folder)


def told(folder, text):
    case, found = load(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        inspect(case, "embedded", found)
    return str(caught.value).replace(f"{folder}/", "")


def test_the_cheap_strategy_gets_all_its_settings(folder):
    (folder / "law.npz").write_bytes(b"")
    case, found = load(folder, "{surrogate: {file: law.npz, outside: extrapolate}}")
    inspection = inspect(case, "embedded", found, build=None)
    ((name, given),) = inspection.strategies["Micro"][0].items()
    assert (name, given["tolerance"], given["audit"]) == ("adaptive", 1e-2, 0.02)
    assert given["cheap"]["surrogate"]["outside"] == "extrapolate"
    assert given["cheap"]["surrogate"]["confidence"] == 0.95
    assert inspection.files["Micro"] == [folder / "law.npz"]


def test_a_cheap_model_gets_its_class_and_all_its_settings(folder):
    case, found = load(folder, "{model: {run: laws, settings: {cube: 0.5 kPa}}}")
    assert strategy.others(case.participants) == {"laws": (10, f"{LINE.partition(': ')[2]}.model.run")}
    given = inspect(case, "embedded", found).strategies["Micro"][0]["adaptive"]
    settings = {"modulus": 2.0, "cube": 500.0, "limit": 1e9}
    assert given["cheap"] == {"model": {"run": "laws", "model": "Cubic", "settings": settings}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("surogate", "no strategy 'surogate'.* Did you mean 'surrogate'?"),
        ("[surrogate]", "['surrogate'] is no strategy; expected a strategy, as NAME or {NAME: {SETTING: VALUE}}"),
        ("{surrogate: {fil: x}}", ".surrogate.fil: no such setting.* Did you mean 'file'?"),
        ("{adaptive: {cheap: tabulatd}}", ".adaptive.cheap: no strategy 'tabulatd'.* Did you mean 'tabulated'?"),
        ("concurrent", "'concurrent' is the model itself; expected another strategy, or a model"),
        ("surrogate", ".surrogate.file: there is no file 'surrogate.npz' in "),
        ("{model: {run: laws, settings: {cub: 1 Pa}}}", ".model.settings.cub: no such setting.* Did you mean 'cube'?"),
        ("{model: {run: cord}}", "'cord' is no micro model, so it cannot stand in for one"),
        ("{model: {run: lws}}", ".model.run: there is no module 'lws'"),
        ("{model: {run: --help}}", ".model: names no module, or settings that are none; expected {run: MODULE"),
        (
            "{model: {run: laws, settings: 3}}",
            ".model: names no module, or settings that are none; expected {run: MODULE",
        ),
        ("{model: {run: laws, seting: 3}}", ".model.seting: no such setting.* Did you mean 'settings'?"),
    ],
)
def test_what_is_wrong_with_it_is_told(folder, text, expected):
    found = told(folder, text)
    assert LINE in found
    assert all(part in found for part in expected.split(".*"))


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ("[surrogate, clustered]", "'surrogate' answers alone, so 'clustered' within it is never asked"),
        ("[clustered, tabulated, tabulated]", "'tabulated' answers alone, so 'tabulated' within it is never asked"),
        ("[{tabulated: {outside: model}}, clustered]", ""),
        ("[clustered, surrogate, concurrent]", ""),
    ],
)
def test_who_is_never_asked_is_no_part_of_a_stack(folder, stack, message):
    for name in ("table.npz", "surrogate.npz"):
        (folder / name).write_bytes(b"")
    (folder / "case.yaml").write_text(CASE[: CASE.index("    strategy:")] + f"    strategy: {stack}\n")
    case, found = cases.read(folder)
    if not message:
        assert inspect(case, "embedded", found, build=None).strategies["Micro"]
        return
    with pytest.raises(ConfigurationError, match=message) as caught:
        inspect(case, "embedded", found)
    assert "case.yaml:7: participants.Micro.strategy[" in str(caught.value)
