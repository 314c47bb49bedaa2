"""Coupled runs in which micro simulations fail: what stands in for them, on one rank and on two, and in brine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from coupled import ROOT, environment, participant, run
from fragile import Fragile, Settings
from test_coupling import xml

from adapters import ensemble
from adapters.coupling import Coupling
from adapters.failing.capsule import Capsule
from adapters.snapshots import Choice
from participants.micro.brine import Brine, Volumes
from scalebridge import checks
from scalebridge.fallbacks import FILE_NAME, Account
from scalebridge.fields import Field
from scalebridge.progress import ProgressReader

N = 9
X = np.arange(float(N))
STEADY = {"model": {"run": "fragile", "model": "Steady", "settings": {}}}


@participant(Settings, reads={}, writes={})
def batch(case):
    case = type(case)(**{**vars(case), "handout": type(case.handout)(**{**vars(case.handout), "module": "fragile"})})
    ensemble.run(case, Fragile(case.settings, case.seed), Choice(times=1, volumes=1))


@participant(reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def line(case):
    """du/dt = -(stress + u) at points of a uniform line, u = 1 + x at the start."""
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", np.stack([X, 0 * X], axis=1))
        u = 1.0 + X
        stress = mesh.read("Stress")
        mesh.write("Strain", u)
        for step in coupling.steps(keep=(u,)):
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
        np.save("end.npy", u)


def coupled(folder, settings, *policies, ranks=1, fails=False):
    """Run the pair; return what the macro side ends with, or how the micro side ended."""
    mains = {"Macro": line, "Micro": (batch, settings)}
    results = run(folder, xml(), mains, ranks={"Micro": ranks}, on_failure={"Micro": policies}, fails=fails)
    return results["Micro"] if fails else np.load(folder / "Macro/end.npy")


def healthy():
    """Backward Euler of both sides, four windows of 0.25 s."""
    u, m = 1.0 + X, 0.5 * (1.0 + X)
    for _ in range(4):
        u, m = np.linalg.solve(np.array([[1.25, 0.125], [-0.25, 1.25]]), np.stack([u, m]))
    return u


def account(folder):
    return Account.load(folder / "Micro" / FILE_NAME)


def replay(path, *arguments):
    command = [sys.executable, "-m", "scalebridge", "replay", str(path), *arguments]
    return subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60)


FAILURES = {
    "raise": "ArithmeticError: no root",
    "nan": "NaN in Stress",
    "shape": "ValueError: Fragile.solve gave 'Stress' of shape (0,); expected (1)",
}


def test_nothing_is_left_behind_by_a_run_that_goes_well(tmp_path):
    np.testing.assert_allclose(coupled(tmp_path, {}, {"neighbours": {"count": 2}}), healthy(), rtol=1e-8)
    assert account(tmp_path) is None
    assert not (tmp_path / "Micro/capsules").exists()


@pytest.mark.parametrize("how", FAILURES)
def test_a_run_stops_with_the_row_in_its_first_line(tmp_path, how):
    result = coupled(tmp_path, {"how": how, "where": [5.0], "since": 0.6}, fails=True)
    event = ProgressReader(tmp_path / "Micro/progress.jsonl").poll()[-1]
    path = tmp_path / "Micro/capsules/window-000003-iteration-1-row-5.npz"
    assert (result.status, event.event) == (1, "error")
    assert event.message.splitlines()[0] == (
        "Micro: 1 of 9 micro simulations failed, the first is row 5 at (5, 0), time 0.5 s (dt 0.25 s), window 3, "
        f"iteration 1: {FAILURES[how]}. Solve it alone with: scalebridge replay {path} --module fragile "
        f"--path {ROOT}/tests"
    )
    assert event.message.splitlines()[0] in result.text
    capsule = Capsule.load(path)
    assert (capsule.rows.tolist(), capsule.total, capsule.points.tolist()) == ([5], 9, [[5.0, 0.0]])
    assert capsule.state["age"].tolist() == [0.5]
    again = replay(path, "--module", "fragile", "--path", str(ROOT / "tests"))
    assert again.returncode == 1, again.stderr
    assert again.stdout.splitlines()[-1] == f"reproduced: {FAILURES[how]}"


def test_smaller_steps_give_the_answer_of_smaller_steps(tmp_path):
    """Row 5 with rate 10 / s needs 4 steps; each divides the distance to the strain by 1 + 2.5 / s dt."""
    u = coupled(tmp_path, {"how": "stiff", "where": [5.0], "stiff": 10.0}, {"retry": {"halvings": 4}})
    q = 1 / (1 + 10.0 * 0.25 / 4) ** 4
    exact, m = 6.0, 3.0
    for _ in range(4):
        exact, m = np.linalg.solve(np.array([[1.25, 0.125], [q - 1, 1.0]]), np.array([exact, q * m]))
    expected = healthy()
    expected[5] = exact
    np.testing.assert_allclose(u, expected, rtol=1e-8)
    told = account(tmp_path)
    assert (told.total, told.failed.rows, told.failed.windows, told.failed.times) == (9, 1, 4, 4)
    assert told.used == {"retry": told.failed}  # the iterations of a window count once
    assert told.failed.final == 4
    assert told.capsules == ("capsules/window-000001-iteration-2-row-5.npz",)
    assert checks.load(tmp_path / "Micro/checks.json")[0].passed
    output = (tmp_path / "Micro/output.log").read_text()
    assert output.count("1 of 9 micro simulations failed, the first is row 5 at (5, 0)") == 4  # once for each window


@pytest.mark.parametrize("ranks", [1, 2])
def test_neighbours_give_a_linear_field_back(tmp_path, ranks):
    """All is linear, so is the field: rows 2 and 6 get from theirs just what they would have given themselves."""
    policies = {"retry": {"halvings": 1}}, {"neighbours": {"count": 2}}
    u = coupled(tmp_path, {"how": "nan", "where": [2.0, 6.0], "since": 0.3}, *policies, ranks=ranks)
    np.testing.assert_allclose(u, healthy(), rtol=1e-8)
    told = account(tmp_path)
    assert set(told.used) == {"neighbours"}
    assert (told.failed.rows, told.failed.windows, told.failed.times) == (2, 3, 6)
    assert sorted(Path(name).name[-9:-4] for name in told.capsules) == ["row-2", "row-6"]
    (late,) = checks.load(tmp_path / "Micro/checks.json")
    assert late.passed  # what is not the model's own is not audited


def test_a_rank_of_which_all_rows_fail_has_neighbours_on_another(tmp_path):
    """Rows 4 to 8 are those of rank 1: from the first step they all get the mean of the stresses of rows 2 and 3."""
    where = [4.0, 5.0, 6.0, 7.0, 8.0]
    u = coupled(tmp_path, {"how": "raise", "where": where}, {"neighbours": {"count": 2}}, ranks=2)
    good, m, far = 1.0 + X[:4], 0.5 * (1.0 + X[:4]), 1.0 + X[4:]
    for _ in range(4):
        good, m = np.linalg.solve(np.array([[1.25, 0.125], [-0.25, 1.25]]), np.stack([good, m]))
        far = (far - 0.25 * 0.5 * m[2:4].mean()) / 1.25
    np.testing.assert_allclose(u, np.concatenate([good, far]), rtol=1e-8)
    assert account(tmp_path).failed.rows == 5


def test_another_model_stands_in(tmp_path):
    u = coupled(tmp_path, {"how": "inf", "where": [8.0], "since": 0.6}, STEADY)
    expected, exact, m = healthy(), 9.0, 4.5
    for _ in range(2):
        exact, m = np.linalg.solve(np.array([[1.25, 0.125], [-0.25, 1.25]]), np.array([exact, m]))
    for _ in range(2):  # the other one has no delay: its stress is half the strain of the moment
        exact = exact / (1.25 + 0.125)
    expected[8] = exact
    np.testing.assert_allclose(u, expected, rtol=1e-8)
    assert set(account(tmp_path).used) == {"model"}


def test_all_ranks_stop_with_the_global_row(tmp_path):
    """Rank 0 has rows 0 to 3; two rows of rank 1 fail."""
    result = coupled(tmp_path, {"how": "raise", "where": [5.0, 7.0]}, ranks=2, fails=True)
    assert result.status != 0
    messages = {e.message for e in ProgressReader(tmp_path / "Micro/progress.jsonl").poll() if e.event == "error"}
    (told,) = messages
    assert "Micro: 2 of 9 micro simulations failed, the first is row 5 at (5, 0), time 0 s (dt 0.25 s)" in told
    assert "row 7: ArithmeticError: no root; kept: " in told
    assert sorted(p.name[-9:-4] for p in (tmp_path / "Micro/capsules").iterdir()) == ["row-5", "row-7"]


def test_rows_of_several_ranks_fail_and_one_speaks(tmp_path):
    result = coupled(tmp_path, {"how": "nan", "where": [1.0, 7.0]}, {"retry": {"halvings": 1}}, ranks=2, fails=True)
    messages = [e.message for e in ProgressReader(tmp_path / "Micro/progress.jsonl").poll() if e.event == "error"]
    (told,) = messages
    assert "Micro: 2 of 9 micro simulations failed, the first is row 1 at (1, 0)" in told
    assert "nothing stood in for row 1: retry: NaN in Stress" in told
    assert result.text.count("micro simulations failed") == 1
    assert sorted(p.name[-9:-4] for p in (tmp_path / "Micro/capsules").iterdir()) == ["row-1", "row-7"]


# In brine -----------------------------------------------------------------------------------------------------------

PLACES = np.stack([np.linspace(0.0, 0.04, 5), np.zeros(5)], axis=1)
BRINE = (ROOT / "precice-config/phase-change.xml").read_text().replace('"3600"', '"180"')
MAPS = (ROOT / "precice-config/phase-change.scaling.xml").read_text()


@participant(reads={n: Field("1") for n in ("Liquid-Fraction",)} | {"Liquid-Fraction-Slope": Field("1/K")}
             | {"Conductivity": Field("W/(m*K)", rank=2)}, writes={"Temperature": Field("K")})  # fmt: skip
def freezer(case):
    """The middle of five volumes cools below the eutectic of NaCl, 251.95 K, in the third minute."""
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", PLACES)
        liquid, K = mesh.read("Liquid-Fraction"), mesh.read("Conductivity")
        mesh.read("Liquid-Fraction-Slope")
        T = np.full(5, 262.0)
        mesh.write("Temperature", T)
        for step in coupling.steps(keep=(T,)):
            T[:] = 262.0 + step.end * np.array([0.0, 0.0, -11.0 / 180, 0.0, -1.0 / 180])
        np.savez("end.npz", liquid=liquid.values, K=K.values)


@participant(Volumes, reads={}, writes={})
def volumes(case):
    handout = type(case.handout)(**{**vars(case.handout), "module": "participants.micro.brine"})
    case = type(case)(**{**vars(case), "handout": handout})
    ensemble.run(case, ensemble.scaled(case, Brine(case.settings, case.seed)), Choice(times=1, volumes=1))


def freeze(folder, *policies, maps=MAPS, fails=False):
    mains = {"Macro": freezer, "Micro": (volumes, {"cells": 8, "salinity": 0.035})}
    return run(folder, BRINE, mains, scaling=maps, on_failure={"Micro": policies}, fails=fails)["Micro"]


def test_brine_below_its_eutectic(tmp_path):
    result = freeze(tmp_path, fails=True)
    told = "Micro: 1 of 5 micro simulations failed, the first is row 2 at (0.02, 0), time 120 s (dt 60 s), window 3, "
    assert (
        told + "iteration 1: OutsidePhaseDiagram: 251 K is no temperature for NaCl brine: its liquidus" in result.text
    )
    (path,) = (tmp_path / "Micro/capsules").iterdir()
    again = replay(path)
    assert again.returncode == 1, again.stderr
    assert "  Temperature [K]                      251.0" in again.stdout
    assert "  model/salt                           1x8x8 float64, from 0" in again.stdout
    assert "participants/micro/brine.py" in again.stdout.split("Traceback")[1]  # where it happened
    assert again.stdout.splitlines()[-1].startswith("reproduced: OutsidePhaseDiagram: 251 K is no temperature")
    other = replay(path, "--set", "brine=sea-water")  # whose eutectic is at 250.25 K
    assert other.returncode == 0, other.stdout
    assert "  brine                                sea-water (was NaCl)" in other.stdout
    assert "Liquid-Fraction" in other.stdout.split("observables:")[1]
    assert other.stdout.splitlines()[-1] == "not reproduced: it does not fail"


def test_brine_between_its_neighbours(tmp_path):
    freeze(tmp_path, {"neighbours": {"count": 2}})
    end = np.load(tmp_path / "Macro/end.npz")
    assert end["liquid"][2] == pytest.approx((end["liquid"][1] + end["liquid"][3]) / 2, rel=1e-12)
    np.testing.assert_allclose(end["K"][2], (end["K"][1] + end["K"][3]) / 2, rtol=1e-12)
    assert account(tmp_path).failed.windows == 1
    assert all(check.passed for check in checks.load(tmp_path / "Micro/checks.json"))


def test_a_map_that_does_not_converge_is_a_failure_too(tmp_path):
    """One iteration is never enough for pockets of brine; the lever rule has one cell, and nothing to iterate."""
    maps = MAPS.replace('tolerance="1e-6"', 'tolerance="1e-6" iterations="1"')
    settings = {"salinity": 0.035}
    lever = {"model": {"run": "participants.micro.lever_rule", "model": "LeverRule", "settings": settings}}
    text = freeze(tmp_path, lever, {"neighbours": {"count": 2}}, maps=maps, fails=True).text
    assert (
        "5 of 5 micro simulations failed, the first is row 0 at (0, 0), at the start: ScalingError: Conductivity"
        in text
    )
    assert "the cell problem has not converged after 1 iterations" in text
    assert "5 replaced by another model" in text
    assert "nothing stood in for row 2: model: OutsidePhaseDiagram: 251 K" in text
    assert "nothing stood in for row 2: neighbours: there is no neighbour that did not fail" in text
    assert json.loads((tmp_path / "Micro" / FILE_NAME).read_text())["used"]["model"]["rows"] == 5
