"""Strategies in a case: chosen, checked, handed out, run and told of."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from coupled import ENGINE, ROOT
from test_coupling import xml
from test_onfailure import CORD

from scalebridge.cases import reader as cases
from scalebridge.cases import strategy
from scalebridge.cases.inspection import inspect
from scalebridge.findings import ConfigurationError
from scalebridge.handout import Handout
from scalebridge.strategies import FILE_NAME, Account, Layer, Work

CASE = """\
case: brittle
coupling: coupling.xml
participants:
  Macro: {run: cord}
  Micro:
    run: spared
    strategy: STRATEGY
variants:
  patient: {Micro.strategy: {sparing: {patience: 2 h}}}
"""
SPARED = '''"""A micro model, and a strategy that comes with it."""

from adapters.participant import micro_participant
from adapters.strategies.registry import STRATEGIES
from fragile import Fragile

STRATEGIES["sparing"] = "sparing:Sparing"


class Spared(Fragile):
    """The same."""


if __name__ == "__main__":
    micro_participant(Spared)
'''
KEY = "case.yaml:7: participants.Micro.strategy"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "brittle"
    place.mkdir()
    for name in ("fragile.py", "sparing.py"):
        shutil.copy(ROOT / "tests" / name, place)
    (place / "cord.py").write_text(CORD)
    (place / "spared.py").write_text(SPARED)
    (place / "coupling.xml").write_text(xml())
    return place


def load(folder, text, variant="", overrides=()):
    (folder / "case.yaml").write_text(CASE.replace("STRATEGY", text))
    return cases.read(folder, variant, overrides)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("concurrent", ()),
        ("~", ()),
        ("sparing", ({"sparing": {}},)),
        ("{sparing: ~}", ({"sparing": {}},)),
        ("{sparing: {tolerance: 1e-3}}", ({"sparing": {"tolerance": 1e-3}},)),
        ("[{sparing: {tolerance: 1e-3}}, other]", ({"sparing": {"tolerance": 1e-3}}, {"other": {}})),
        ("[sparing, concurrent]", ({"sparing": {}},)),
    ],
)
def test_strategies_of_a_case(folder, text, expected):
    case, found = load(folder, text)
    assert (case.participants[1].strategy, found) == (expected, [])


def test_a_line_for_each_setting(folder):
    case, _ = load(folder, "\n      - sparing:\n          tolerance: 1\n      - other")
    lines = case.participants[1].lines
    assert {name: line for name, line in lines.items() if name.startswith("strategy[")} == {
        "strategy[0]": 8,
        "strategy[0].tolerance": 9,
        "strategy[1]": 10,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", f"{KEY}: is an empty list; expected NAME, {{NAME: {{SETTING: VALUE}}}}, or a list of these, outermost"),
        ("3", f"{KEY}: 3 is no strategy; expected NAME,"),
        ("{a: 1, b: 2}", f"{KEY}: {{'a': 1, 'b': 2}} is no strategy; expected NAME,"),
        ("[sparing, {sparing: 3}]", f"{KEY}[1]: {{'sparing': 3}} is no strategy; expected NAME,"),
        ("[concurrent, sparing]", f"{KEY}: 'concurrent' is the model itself; expected it last, or not at all"),
    ],
)
def test_what_is_no_strategy(folder, text, message):
    _, found = load(folder, text)
    assert [str(f).replace(f"{folder}/", "")[: len(message)] for f in found] == [message]


def mistakes(folder, text, **more):
    case, found = load(folder, text, **more)
    with pytest.raises(ConfigurationError) as caught:
        inspect(case, "embedded", found)
    return [str(f).replace(f"{folder}/", "") for f in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spraing", f"{KEY}: no strategy 'spraing'; expected "),
        ("{sparing: {tolerence: 1}}", f"{KEY}.sparing.tolerence: no such setting; expected one of "),
        ("{sparing: {tolerance: -1}}", f"{KEY}.sparing.tolerance: -1 is out of bounds; expected a number at least 0"),
        ("{sparing: {patience: 3}}", f"{KEY}.sparing.patience: 3 has no unit; expected a quantity in 'h', such as"),
        ("{sparing: {patience: 3 m}}", f"{KEY}.sparing.patience: "),
        ("{concurrent: {cells: 3}}", f"{KEY}.concurrent.cells: no such setting"),
        ("{sparing: {file: a.txt}}", f"{KEY}.sparing.file: there is no file 'a.txt' in "),
    ],
)
def test_strategies_that_cannot_be_used(folder, text, message):
    (found,) = mistakes(folder, text)
    assert found.startswith(message)
    if "spraing" in text:
        assert found.endswith("Did you mean 'sparing'?")


def test_every_mistake_of_a_stack_has_its_line(folder):
    found = mistakes(
        folder, "\n      - sparing:\n          tolerance: 1 m\n      - spraing\n      - {sparing: {patience: 1}}"
    )
    assert [text.partition(": ")[0] for text in found] == ["case.yaml:9", "case.yaml:10", "case.yaml:11"]


def test_only_a_micro_model_has_a_strategy(folder):
    (found,) = mistakes(folder, "concurrent", overrides=("Macro.strategy=concurrent",))
    assert (
        found == "--set: participants.Macro.strategy: a solver has no strategy; only a micro model has one. Remove it"
    )


def test_a_simulator_that_cannot_go_back_takes_no_strategy(folder):
    text = SPARED.replace('    """The same."""\n', '    """The same."""\n\n    repeatable = False\n')
    (folder / "spared.py").write_text(text)
    (folder / "coupling.xml").write_text(xml("serial-explicit"))
    found = mistakes(folder, "sparing")
    assert found[0].startswith(f"{KEY}: the simulator of spared cannot solve some of its simulations alone, as strateg")
    assert found[0].endswith("Remove it")
    assert inspect(*(lambda c: (c[0], "embedded", c[1]))(load(folder, "concurrent"))).strategies["Micro"] == []


@pytest.mark.parametrize(
    ("made", "command"),
    [("tabulated", "scalebridge tabulate CASE"), ("surrogate", "scalebridge train CASE")],
)
def test_who_makes_a_file_is_said(made, command):
    assert strategy.MADE_BY[made] == f"Make it with: {command}"


def test_all_settings_are_resolved_and_handed_out(folder):
    (folder / "a.txt").write_text("x")
    case, found = load(folder, "[{sparing: {patience: 30 min, file: a.txt}}, sparing]")
    inspection = inspect(case, "embedded", found)
    first, second = inspection.strategies["Micro"]
    assert first["sparing"] == {"tolerance": 0.1, "patience": 0.5, "limit": 1e9, "file": "a.txt"}
    assert second["sparing"]["patience"] == 1.0
    assert inspection.files == {"Macro": [], "Micro": [folder / "a.txt"]}


def test_variants_and_the_command_line_change_strategies(folder):
    def chosen(*overrides, variant="", text="concurrent"):
        case, found = load(folder, text, variant, overrides)
        return inspect(case, "embedded", found).strategies["Micro"]

    assert chosen(variant="patient")[0]["sparing"]["patience"] == 2.0
    assert chosen("Micro.strategy=sparing")[0]["sparing"]["patience"] == 1.0
    assert chosen("Micro.strategy.sparing.patience=3 h", variant="patient")[0]["sparing"]["patience"] == 3.0
    assert chosen("Micro.strategy=null", variant="patient") == []
    assert chosen("Micro.strategy=[sparing, sparing]") == chosen("Micro.strategy=sparing") * 2
    (found,) = mistakes(folder, "concurrent", overrides=("Micro.strategy.sparing.patience=3 h",))
    assert found == "--set: Micro.strategy.sparing.patience: leads into a value that is no mapping"


def test_files_that_are_about_to_be_made_may_be_missing(folder):
    case, found = load(folder, "{sparing: {file: a.txt}}")
    inspection = inspect(case, "embedded", found, missing=True)
    assert inspection.files == {"Macro": [], "Micro": []}


# Whole runs -----------------------------------------------------------------------------------------------------------


def command(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "scalebridge", *arguments],
        cwd=folder.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_run_tells_what_its_strategy_did(folder):
    (folder / "a.txt").write_text("x")
    load(folder, "{sparing: {file: a.txt, tolerance: 0.05}}")
    done = command(folder, "run", "brittle", "--engine", ENGINE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Micro: sparing: "))
    assert "solves of the full model for " in lines[first]
    assert lines[first + 1].startswith("  sparing: solves: ")
    at = folder.parent / "runs/brittle"
    told = json.loads((at / "summary.json").read_text())
    work = told["strategies"]["Micro"]["work"]
    assert 0 < work["solved"] < work["asked"]
    assert work["solved"] >= told["strategies"]["Micro"]["layers"][0]["report"]["solves"] > 0  # less in the iterations
    assert told["participants"]["Micro"]["strategy"][0]["sparing"]["tolerance"] == 0.05
    record = json.loads((at / "record.json").read_text())
    assert record["files"]["a.txt"]["sha256"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert (at / "inputs/brittle/a.txt").is_file() or (at / "inputs/a.txt").is_file()
    page = (at / "report.html").read_text()
    assert "Micro: sparing" in page
    assert "longest wait [s]" in page
    handout = Handout.load(at / "Micro/handout.json")
    assert (handout.strategy[0]["sparing"]["file"], handout.folder) == ("a.txt", str(folder))


def test_a_run_without_a_strategy_tells_of_none(folder):
    load(folder, "concurrent")
    done = command(folder, "run", "brittle", "--engine", ENGINE)
    assert done.returncode == 0, done.stderr
    told = json.loads((folder.parent / "runs/brittle/summary.json").read_text())
    assert told["strategies"] == {}
    assert told["participants"]["Micro"]["strategy"] == []
    assert not (folder.parent / "runs/brittle/Micro" / FILE_NAME).exists()


def test_a_file_that_is_no_account(tmp_path):
    assert Account.load(tmp_path / FILE_NAME) is None
    one = Account((Layer("sparing", {"bound [Pa]": 1e-3, "why": "no"}),), Work(10, 5, 1.0, 0.5))
    one.save(tmp_path / FILE_NAME)
    assert Account.load(tmp_path / FILE_NAME) == one
    assert one.lines("Micro") == [
        "Micro: sparing: 5 solves of the full model for 10 that were asked for (50 %); 1 s, 0.5 s of these in the full "
        "model",
        "  sparing: bound [Pa]: 0.001",
        "  sparing: why: no",
    ]
    replace(one, layers=(Layer("a", {"x": float("inf")}),)).save(tmp_path / FILE_NAME)
    assert Account.load(tmp_path / FILE_NAME).layers[0].report == {"x": "inf"}
    for text in ("[3]", '{"layers": 3}', '{"layers": [{"name": "a", "report": {"x": [1]}}], "work": {}}'):
        (tmp_path / FILE_NAME).write_text(text)
        with pytest.raises(ValueError, match=r"strategy\.json: not an account of strategies: "):
            Account.load(tmp_path / FILE_NAME)
    numbers = '"work": {"asked": "3", "solved": 1, "seconds": 1, "full": 1}'
    (tmp_path / FILE_NAME).write_text(f'{{"layers": [], {numbers}}}')
    with pytest.raises(ValueError, match="TypeError: counts and seconds are numbers"):
        Account.load(tmp_path / FILE_NAME)
