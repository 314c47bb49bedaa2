"""Clustered micro models in coupled runs: on ranks, with failures, and going on from a checkpoint."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import fragile
import numpy as np
import pytest
from coupled import ENGINE, ROOT, environment, participant, run
from test_clustered import ALWAYS
from test_coupling import xml
from test_ensemble import batch
from test_restart import resume

from adapters import ensemble
from adapters.coupling import Coupling
from adapters.ranks import Rows
from adapters.strategies.clusters.exchange import fetch
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.progress import ProgressReader
from scalebridge.settings import setting
from scalebridge.strategies import FILE_NAME, Account

COUNT = 12
GROUPS = np.repeat([0.0, 0.4, 1.0], 4)  # the fourth to the ninth point are on both sides of the border of two ranks
SLOPES = '["Liquid-Fraction-Slope = Liquid-Fraction / Temperature"]'
PLACE = np.stack([np.arange(COUNT) * 0.1, np.zeros(COUNT)], axis=1)


@dataclass(frozen=True)
class Settings:
    spread: float = setting(0.0, "by how much the points of a group differ")


@participant(Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    """du/dt = -(stress + u) at twelve points in three groups of four."""
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", PLACE)
        u = 1.0 + GROUPS + case.settings.spread * np.tile(np.arange(4.0), 3)
        stress = mesh.read("Stress")
        mesh.write("Strain", u)
        for step in coupling.steps(keep=(u,)):
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
            coupling.record(iterations=step.iteration)
        np.savez("end.npz", u=u)


TWICE = [{"clustered": {**ALWAYS, "tolerance": ["0.05", "0.05 Pa"], "audit": 0.2}}]


def coupled(folder, strategy=(), ranks=1, kind="serial-implicit", **settings):
    """Return the strain at the end, and the account of the strategy if there is one."""
    folder.mkdir(exist_ok=True)
    mains = {"Macro": (macro, settings), "Micro": batch}
    run(folder, xml(kind), mains, ranks={"Micro": ranks}, strategy={"Micro": strategy})
    account = Account.load(folder / "Micro" / FILE_NAME)
    return np.load(folder / "Macro/end.npz")["u"], account


@pytest.mark.parametrize("kind", ["parallel-implicit", "serial-explicit"])
def test_a_coupled_run_gives_the_concurrent_result_within_the_tolerance(tmp_path, kind):
    alone, _ = coupled(tmp_path / "alone", kind=kind, spread=1e-3)
    found, account = coupled(tmp_path / "clustered", TWICE, kind=kind, spread=1e-3)
    told = account.layers[0].report
    assert told["representatives in the last window"] == 3
    assert told["steps solved"] == COUNT + 3 * 3  # the first window is solved everywhere
    assert told["steps copied"] == 3 * 9
    assert account.work.solved < account.work.asked
    np.testing.assert_allclose(found, alone, atol=0.01)
    assert np.abs(found - alone).max() > 1e-6
    written = {check.name: check for check in checks.load(tmp_path / "clustered/Micro/checks.json")}
    assert {"mean error of copied Stress, upper 95 %", "worst error of copied Stress"} <= written.keys()
    assert all(check.passed for check in written.values())
    series = [(tmp_path / name / "Macro/series.csv").read_text() for name in ("alone", "clustered")]
    assert series[0].count("\n") == series[1].count("\n")


@pytest.mark.parametrize(
    ("history", "correct"), [("take-over", "linear"), ("replay", "none"), ("each-window", "linear")]
)
def test_two_ranks_give_what_one_gives(tmp_path, history, correct):
    """The middle group lies on both sides of the border; its points have one representative, and are counted once."""
    strategy = [{"clustered": {**TWICE[0]["clustered"], "history": history, "correct": correct}}]
    one, first = coupled(tmp_path / "one", strategy, spread=1e-3)
    two, second = coupled(tmp_path / "two", strategy, ranks=2, spread=1e-3)
    np.testing.assert_allclose(two, one, rtol=1e-13)
    for name in ("points", "representatives in the last window", "steps solved", "steps copied"):
        assert first.layers[0].report[name] == second.layers[0].report[name]
    error = "worst error of copied Stress [Pa]"
    assert second.layers[0].report[error] == pytest.approx(first.layers[0].report[error], rel=1e-9)
    assert second.work.solved == first.work.solved
    pictures = [np.load(tmp_path / name / "Micro/snapshots/000004.npz")["fields/m"] for name in ("one", "two")]
    np.testing.assert_allclose(pictures[1], pictures[0], rtol=1e-13)


def test_identical_points_on_both_sides_of_a_border_stay_identical(tmp_path):
    """A point that two ranks have is no special case: there are no sums over points."""
    found, account = coupled(tmp_path / "two", TWICE, ranks=2)
    assert account.layers[0].report["representatives in the last window"] == 3
    assert [len(set(found[value == GROUPS])) for value in (0.0, 0.4, 1.0)] == [1, 1, 1]
    alone, _ = coupled(tmp_path / "alone")
    np.testing.assert_allclose(found, alone, rtol=1e-8)


@participant(Settings, reads={}, writes={})
def breaking(case):
    """A micro model of which one row breaks in the third window."""
    ensemble.run(case, fragile.Fragile(fragile.Settings(how="name", where=(0.5,), since=0.6), case.seed))


def test_where_a_representative_fails_all_ranks_go_on(tmp_path):
    mains = {"Macro": (macro, {"spread": 0.0}), "Micro": breaking}
    strategy = {"Micro": [{"clustered": {**TWICE[0]["clustered"], "history": "replay"}}]}
    policies = {"Micro": [{"neighbours": {"count": 1}}]}
    run(tmp_path, xml(), mains, ranks={"Micro": 2}, strategy=strategy, on_failure=policies)
    assert np.isfinite(np.load(tmp_path / "Macro/end.npz")["u"]).all()


def test_where_a_representative_fails_the_run_stops_on_all_ranks(tmp_path):
    """The last of the middle group represents the others, on both ranks."""
    mains = {"Macro": (macro, {"spread": 0.0}), "Micro": stopping}
    results = run(tmp_path, xml(), mains, ranks={"Micro": 2}, strategy={"Micro": TWICE}, fails=True)
    assert results["Micro"].status != 0
    events = ProgressReader(tmp_path / "Micro/progress.jsonl").poll()
    assert any("MicroError: no root" in event.message for event in events)


@participant(Settings, reads={}, writes={})
def stopping(case):
    """The same with the last of the middle group."""
    ensemble.run(case, fragile.Fragile(fragile.Settings(how="name", where=(PLACE[7, 0],), since=0.6), case.seed))


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")
def test_a_run_on_two_ranks_goes_on_bit_for_bit(tmp_path):
    strategy = {"Micro": [{"clustered": {**TWICE[0]["clustered"], "history": "replay"}}]}
    mains = {"Macro": (macro, {"spread": 1e-3}), "Micro": batch}
    before, after = resume(tmp_path, xml(), mains, ranks={"Micro": 2}, strategy=strategy)
    timed = ("checkpoints", "strategy.json")  # which hold seconds
    names = [name for name in before if not any(part in name for part in timed)]
    assert {"Macro/end.npz", "Micro/snapshots/000004.npz", "Micro/checks.json"} <= set(names)
    assert [name for name in names if before[name] != after.get(name)] == []
    told = json.loads(after["Micro/strategy.json"])["layers"][0]["report"]
    assert told["steps solved"] == COUNT + 3 * 3


# Rows of other ranks --------------------------------------------------------------------------------------------------


def test_rows_are_fetched_as_they_are():
    state = {"a": np.arange(4.0), "b": {"c": np.arange(8, dtype=np.uint64).reshape(4, 2)}}
    found = fetch(Rows(4), state, np.array([2, 0, 2]))
    np.testing.assert_array_equal(found["a"], [2.0, 0.0, 2.0])
    np.testing.assert_array_equal(found["b"]["c"], [[4, 5], [0, 1], [4, 5]])


def fetching():
    """On three ranks with 2, 3 and 4 rows: arrays of any kind, in any order, with nothing wanted by one of them."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    rows = Rows(2 + comm.rank, comm)
    mine = rows.first + np.arange(rows.count)
    state = {"id": mine, "big": mine.astype(np.uint64) + np.uint64(2**63), "g": {"flag": mine % 2 == 1}}
    state["g"]["grid"] = np.tile(mine[:, None, None] * 1.5, (1, 2, 3))
    wanted = [np.array([8, 0, 3, 3]), np.array([], dtype=np.int64), np.array([1, 8, 4])][comm.rank]
    found = fetch(rows, state, wanted)
    assert (found["id"] == wanted).all()
    assert (found["big"] == wanted.astype(np.uint64) + np.uint64(2**63)).all()
    assert (found["g"]["flag"] == (wanted % 2 == 1)).all()
    assert found["g"]["grid"].shape == (len(wanted), 2, 3)
    assert (found["g"]["grid"] == wanted[:, None, None] * 1.5).all()
    print("fetched", flush=True)


def test_rows_are_fetched_from_all_ranks():
    program = "import test_clustered_runs; test_clustered_runs.fetching()"
    command = [str(Path(sys.executable).with_name("mpiexec")), "-n", "3", sys.executable, "-c", program]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fetched") == 3


# With slopes -----------------------------------------------------------------------------------------------------


def program(folder, name, strategy):
    """Run a sixth of an hour of the tutorial; return how it ended and its summary."""
    for file in ("phase-change.xml", "phase-change.scaling.xml"):
        text = (ROOT / "precice-config" / file).read_text()
        (folder / file).write_text(text.replace('<max-time value="3600" />', '<max-time value="600" />'))
    command = [sys.executable, "-m", "scalebridge", "run", "phase-change", "--engine", ENGINE, "--plain"]
    command += ["--variant", "lever-rule", "--out", str(folder / name), "--set", "Macro.settings.elements=100"]
    command += ["--set", f"coupling={folder / 'phase-change.xml'}", "--set", "report=[]"]
    command += ["--set", f"scaling={folder / 'phase-change.scaling.xml'}", "--set", f"Micro.strategy={strategy}"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=200)
    return done, json.loads((folder / name / "summary.json").read_text())


def test_phase_change_with_slopes_keeps_its_energy(tmp_path):
    """To 1e-10, in as many iterations as without copies, give or take some; without slopes it does not."""
    _, whole = program(tmp_path, "whole", "concurrent")
    given = "{{clustered: {{when_it_pays: false, tolerance: [3 % of range]{}}}}}"
    done, found = program(tmp_path, "slopes", given.format(f", slopes: {SLOPES}"))
    assert done.returncode == 0, done.stdout + done.stderr
    iterations = [sum(one["participants"]["Macro"]["iterations"]) for one in (whole, found)]
    assert iterations[1] <= 1.1 * iterations[0]
    assert "passed  energy balance, worst window" in done.stdout
    done, without = program(tmp_path, "none", given.format(""))
    assert "FAILED  energy balance, worst window" in done.stdout
    assert sum(without["participants"]["Macro"]["iterations"]) > iterations[1]
