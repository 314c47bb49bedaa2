"""`on-failure` of a case: read, checked, handed out, and told at the end of a run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from coupled import ENGINE, ROOT
from test_coupling import xml

from scalebridge.cases import reader as cases
from scalebridge.cases.inspection import inspect
from scalebridge.fallbacks import FILE_NAME, Account, Use
from scalebridge.findings import ConfigurationError

CASE = """\
case: brittle
coupling: coupling.xml
participants:
  Macro: {run: cord}
  Micro:
    run: fragile
    on-failure: POLICIES
    settings: {how: raise, where: [1.0], since: 0.4 s}
"""
CORD = '''"""A cord of three points.   du/dt = -(stress + u)"""

from dataclasses import dataclass

import numpy as np

from adapters.coupling import Coupling
from adapters.participant import participant
from scalebridge.fields import Field


@dataclass(frozen=True)
class Settings:
    """None."""


def main(case):
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]))
        u, stress = np.ones(3), mesh.read("Stress")
        mesh.write("Strain", u)
        for step in coupling.steps(keep=(u,)):
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)


if __name__ == "__main__":
    participant(main, Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
'''
STEADY = (
    '"""Without delay."""\n\nfrom adapters.participant import micro_participant\nfrom fragile import Fragile\n'
    'from scalebridge.fields import Field\n\n\nclass Steady(Fragile):\n    """Its m is always at its end."""\n\n'
    '    observables = {"Stress": Field("Pa")}\n\n    def start(self, points, controls):\n'
    '        return {"m": 1.0 * controls["Strain"]}\n\n    def solve(self, state, controls, dt):\n'
    '        return state, {"Stress": 0.5 * state["m"]}\n\n\n'
    'if __name__ == "__main__":\n    micro_participant(Steady)\n'
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "brittle").mkdir()
    shutil.copy(ROOT / "tests/fragile.py", tmp_path / "brittle")
    (tmp_path / "brittle/cord.py").write_text(CORD)
    (tmp_path / "brittle/steady.py").write_text(STEADY)
    (tmp_path / "brittle/coupling.xml").write_text(xml())
    return tmp_path / "brittle"


def load(folder, policies):
    (folder / "case.yaml").write_text(CASE.replace("POLICIES", policies))
    case, found = cases.read(folder, "", ())
    return case, found


def read(folder, policies):
    case, found = load(folder, policies)
    return case.participants[1].on_failure, [str(f).replace(f"{folder}/", "") for f in found]


@pytest.mark.parametrize(
    ("text", "policies"),
    [
        ("stop", [{"stop": {}}]),
        ("retry", [{"retry": {"halvings": 4}}]),
        ("{retry: {halvings: 6}}", [{"retry": {"halvings": 6}}]),
        ("[{neighbours: {count: 2}}, stop]", [{"neighbours": {"count": 2}}, {"stop": {}}]),
        ("{model: {run: steady}}", [{"model": {"run": "steady", "settings": {}}}]),
        ("[{model: {run: a.b, settings: {x: 1 m}}}]", [{"model": {"run": "a.b", "settings": {"x": "1 m"}}}]),
        ("{neighbours: ~}", [{"neighbours": {"count": 4}}]),
    ],
)  # fmt: skip
def test_policies(folder, text, policies):
    assert read(folder, text) == (tuple(policies), [])


KEY = "case.yaml:7: participants.Micro.on-failure"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rety", f"{KEY}: no way to go on called 'rety'; expected one of model, neighbours, retry, stop. Did you mean"),
        ("{retry: {halfings: 2}}", f"{KEY}.retry.halfings: no such setting; expected halvings. Did you mean 'halv"),
        ("{retry: {halvings: 0}}", f"{KEY}.retry.halvings: 0 is out of bounds; expected a whole number at least 1 and"),
        ("{neighbours: {count: many}}", f"{KEY}.neighbours.count: 'many' is not a whole number"),
        ("{neighbours: 3}", f"{KEY}.neighbours: 3 is not a mapping; expected {{PARAMETER: VALUE}}"),
        ("{model: {}}", f"{KEY}.model.run: is not given and has no default"),
        ("{model: {run: 'a b'}}", f"{KEY}.model.run: 'a b' is not the name of a module; expected as in participants."),
        ("{model: {run: steady, settings: 3}}", f"{KEY}.model.settings: is not a mapping; expected {{NAME: VALUE}}"),
        ("[stop, retry]", f"{KEY}: goes on after 'stop'; expected 'stop' last, or not at all"),
        ("[retry, retry]", f"{KEY}: has 'retry' twice, with the same parameters"),
        ("[]", f"{KEY}: is an empty list; expected NAME, {{NAME: {{PARAMETER: VALUE}}}}, or a list of these"),
        ("3", f"{KEY}: 3 says nothing about failures; expected NAME,"),
        ("{retry: ~, stop: ~}", f"{KEY}: {{'retry': None, 'stop': None}} says nothing about failures; expected NAME,"),
    ],
)  # fmt: skip
def test_mistakes(folder, text, message):
    _, found = read(folder, text)
    assert len(found) == 1
    assert found[0].startswith(message)


def mistakes(folder, text):
    case, found = load(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        inspect(case, "embedded", found)
    return [str(f).replace(f"{folder}/", "") for f in caught.value.findings]


def test_another_model_is_handed_out_with_all_its_settings(folder):
    case, found = load(folder, "[retry, {model: {run: steady, settings: {rate: 60 1/min}}}]")
    retry, model = inspect(case, "embedded", found).on_failure["Micro"]
    assert retry == {"retry": {"halvings": 4}}
    assert (model["model"]["run"], model["model"]["model"]) == ("steady", "Steady")
    assert model["model"]["settings"]["rate"] == pytest.approx(1.0)
    assert model["model"]["settings"]["how"] == "never"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{model: {run: stedy}}", f"{KEY}: there is no module 'stedy'; expected a module with a participant in it. D"),
        ("{model: {run: cord}}", f"{KEY}: 'cord' is no micro model, so it cannot stand in for one"),
        ("{model: {run: steady, settings: {wher: [1]}}}", f"{KEY}.model.settings.wher: no such setting; expected"),
    ],
)  # fmt: skip
def test_another_model_that_cannot_be_had(folder, text, message):
    (found,) = mistakes(folder, text)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Stress": Field("Pa")', '"Heat": Field("Pa")', "'Heat', which steady writes, is not among its <write-data>"),
        ('Field("Pa")', 'Field("kPa")', "it writes 'Stress' in 'kPa', not in 'Pa'"),
        ('Field("Pa")', 'Field("Pa", rank=1)', "'Stress' is a scalar, but in steady it carries a vector"),
    ],
)
def test_another_model_that_does_not_fit(folder, old, new, message):
    (folder / "steady.py").write_text(STEADY.replace(old, new))
    found = mistakes(folder, "{model: {run: steady}}")
    assert found[0].startswith(f"{KEY}: 'steady' cannot stand in for 'fragile': {message}")


def test_another_model_and_the_scaling_file(folder):
    """Brine has the fields that the scaling file speaks of; the toy has not."""
    text = (ROOT / "tutorials/phase-change/case.yaml").read_text().replace("../..", str(ROOT))
    text = text.replace("report: [checks.py, plot.py]", "")
    for run, good in (("participants.micro.lever_rule", True), ("fragile", False)):
        policies = f"    strategy: concurrent\n    on-failure: {{model: {{run: {run}}}}}\n"
        (folder / "case.yaml").write_text(text.replace("    strategy: concurrent\n", policies))
        case, found = cases.read(folder, "", ())
        if good:
            assert inspect(case, "embedded", found).on_failure["Micro"][0]["model"]["model"] == "LeverRule"
        else:
            with pytest.raises(ConfigurationError, match=r"cannot stand in for 'participants\.micro\.brine': Micro"):
                inspect(case, "embedded", found)


def test_only_micro_simulations_fail_one_by_one(folder):
    (folder / "case.yaml").write_text(CASE.replace("{run: cord}", "{run: cord, on-failure: retry}"))
    case, found = cases.read(folder, "", ("Micro.on-failure=null",))
    with pytest.raises(ConfigurationError, match="on-failure: only a participant with micro simulations can go on"):
        inspect(case, "embedded", found)


# Whole runs ---------------------------------------------------------------------------------------------------------


def command(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "scalebridge", *arguments],
        cwd=folder.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_run_that_stops_says_how_to_look_at_the_row(folder):
    load(folder, "stop")
    done = command(folder, "run", "brittle", "--engine", ENGINE)
    assert done.returncode == 3
    first = done.stderr.splitlines()[0]
    assert "Micro: 1 of 3 micro simulations failed, the first is row 1 at (1, 0), time 0.25 s" in first
    replay = first.partition("scalebridge replay ")[2].split()
    again = command(folder, "replay", *replay)
    assert again.returncode == 1, again.stderr
    assert again.stdout.splitlines()[-1] == "reproduced: ArithmeticError: no root"
    assert command(folder, "replay", *replay, "--dt", "0.1").returncode == 0  # too young to break then
    without = command(folder, "replay", replay[0])
    assert without.returncode == 2
    assert "If you trust it, say so: --module fragile" in without.stderr
    told = json.loads((folder.parent / "runs/brittle/summary.json").read_text())
    assert told["failures"] == {}


def test_a_run_that_went_on_says_so_in_its_last_lines(folder):
    load(folder, "[{retry: {halvings: 2}}, {model: {run: steady}}]")
    done = command(folder, "run", "brittle", "--engine", ENGINE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    failed, used, kept, *_ = lines[next(i for i, line in enumerate(lines) if "FAILED in the run" in line) :]
    run = folder.parent / "runs/brittle"
    count = "1 in 3 time windows, 3 times, 3 of these in the last iteration"
    assert failed == f"Micro: 1 of 3 micro simulations FAILED in the run ({count})"
    assert used == f"  replaced by another model: {count}"
    assert kept.startswith(f"  one is kept, solve it again with: scalebridge replay {run}/Micro/capsules/window-000002")
    told = json.loads((run / "summary.json").read_text())["failures"]["Micro"]
    assert told["used"] == {"model": {"rows": 1, "windows": 3, "times": 3, "final": 3}}
    assert told["total"] == 3


def test_a_file_that_is_no_account(tmp_path):
    assert Account.load(tmp_path / FILE_NAME) is None
    one = Account(3, Use(1, 1, 1, 0), {"retry": Use(1, 1, 1, 0)}, ("a.npz",), " --module x")
    one.save(tmp_path / FILE_NAME)
    assert Account.load(tmp_path / FILE_NAME) == one
    assert one.lines("Micro", Path("/run"))[-1].endswith("scalebridge replay /run/a.npz --module x")
    (tmp_path / FILE_NAME).write_text('{"used": 3}')
    with pytest.raises(ValueError, match=r"fallbacks\.json: not an account of failures: AttributeError"):
        Account.load(tmp_path / FILE_NAME)
