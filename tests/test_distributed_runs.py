"""Coupled runs whose rows are spread over ranks: alone, beneath other strategies, with failures, and going on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from coupled import ENGINE, ROOT, participant, run
from test_clustered import ALWAYS
from test_coupling import xml
from test_restart import resume
from toil import Settings, Toil

from adapters import ensemble
from adapters.coupling import Coupling
from adapters.failing.capsule import Capsule
from adapters.ranks import world
from scalebridge.fallbacks import FILE_NAME as FAILURES
from scalebridge.fallbacks import Account as Failures
from scalebridge.fields import Field
from scalebridge.progress import ProgressReader
from scalebridge.strategies import FILE_NAME, Account

N = 12
X = np.arange(N) / N
POINTS = np.stack([X, np.zeros(N)], axis=1)
SPREAD = {"distributed": {"when_it_pays": False}}
HEAVY = 5  # rows that take more work, all of them on rank 0


@participant(reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    """du/dt = -(stress + u), with strains that are larger on the left."""
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS)
        u = np.where(X < 0.4, 2.0 + X, 1.0)
        stress = mesh.read("Stress")
        mesh.write("Strain", u)
        for step in coupling.steps(keep=(u,)):
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
            coupling.record(iterations=step.iteration)
        np.save("end.npy", u)


@participant(Settings, reads={}, writes={})
def toil(case):
    case = type(case)(**{**vars(case), "handout": type(case.handout)(**{**vars(case.handout), "module": "toil"})})
    comm = world()
    ensemble.run(case, Toil(case.settings, case.seed, 0 if comm is None else comm.rank))


def coupled(folder, *strategy, ranks=2, fails=False, on_failure=(), **settings):
    """Return the strains at the end, and the account; or how the micro side ended."""
    folder.mkdir(exist_ok=True)
    mains = {"Macro": macro, "Micro": (toil, {"heavy": 0.4, **settings})}
    more = {"strategy": {"Micro": strategy}, "on_failure": {"Micro": on_failure}}
    results = run(folder, xml(), mains, ranks={"Micro": ranks}, fails=fails, **more)
    if fails:
        return results["Micro"]
    return np.load(folder / "Macro/end.npy"), Account.load(folder / "Micro" / FILE_NAME)


def work(folder, ranks=2):
    """Return the rows, and the work, of each call of each rank, without those that had no length."""
    return [np.loadtxt(folder / f"Micro/work-{rank}.txt", ndmin=2) for rank in range(ranks)]


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return coupled(tmp_path_factory.mktemp("alone"), ranks=1)[0]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_run_gives_what_one_rank_gives_bit_by_bit(tmp_path, truth, ranks):
    found, account = coupled(tmp_path, SPREAD, ranks=ranks)
    assert found.tobytes() == truth.tobytes()
    told = account.layers[0].report
    assert account.name == "distributed"
    assert account.work.solved == account.work.asked
    assert told["ranks"] == ranks
    done = [part[-1, 1] for part in work(tmp_path, ranks)]
    assert max(done) / np.mean(done) < 1.2
    assert (told["rows that moved"] > 0) == (ranks > 1)
    assert told["batches solved again after a failure"] == 0


def test_without_it_one_rank_has_most_of_the_work(tmp_path, truth):
    found, account = coupled(tmp_path)
    assert (found.tobytes(), account) == (truth.tobytes(), None)
    done = [part[-1, 1] for part in work(tmp_path)]
    assert max(done) / np.mean(done) > 1.7


# Beneath other strategies ---------------------------------------------------------------------------------------------

ADAPTIVE = {
    "adaptive": {"tolerance": 1e-2, "audit": 0.0, "cheap": {"model": {"run": "idle", "model": "Idle", "settings": {}}}}
}
CLUSTERED = {"clustered": {**ALWAYS, "tolerance": ["0.02", "0.02 Pa"], "audit": 0.1}}


@pytest.mark.parametrize("ranks", [2, 3])
def test_rows_that_an_adaptive_run_solves_in_full_are_shared(tmp_path, ranks):
    """The cheap model is wrong on the left alone, and there, on rank 0, are most rows that are solved in full."""
    one, first = coupled(tmp_path / "one", ADAPTIVE, SPREAD, ranks=1)
    found, account = coupled(tmp_path / "more", ADAPTIVE, SPREAD, ranks=ranks)
    alone, _ = coupled(tmp_path / "without", ADAPTIVE, ranks=ranks)
    assert found.tobytes() == alone.tobytes() == one.tobytes()
    assert account.work.solved == first.work.solved < account.work.asked
    whole, shared, unshared = (
        np.array([part[-1] for part in work(tmp_path / name, number)])
        for name, number in (("one", 1), ("more", ranks), ("without", ranks))
    )
    assert shared[:, 0].sum() == whole[0, 0] < N
    assert shared[:, 1].max() < 1.2 * whole[0, 1] / ranks
    assert unshared[:, 1].max() > 1.5 * shared[:, 1].max()
    assert account.layers[1].report["rows that moved"] > 0


def test_representatives_are_shared(tmp_path):
    """The points on the right are all alike, so they need one solve, and those on the left five."""
    one, first = coupled(tmp_path / "one", CLUSTERED, SPREAD, ranks=1)
    found, account = coupled(tmp_path / "more", CLUSTERED, SPREAD, ranks=3)
    np.testing.assert_allclose(found, one, rtol=1e-13)
    report, other = (one.layers[0].report for one in (account, first))
    for name in ("representatives in the last window", "steps solved", "steps copied"):
        assert report[name] == other[name]
    assert account.work.solved == first.work.solved < account.work.asked
    assert account.layers[1].report["rows that moved"] > 0


def test_a_stack_of_three(tmp_path):
    one, _ = coupled(tmp_path / "one", CLUSTERED, ADAPTIVE, SPREAD, ranks=1)
    found, account = coupled(tmp_path / "more", CLUSTERED, ADAPTIVE, SPREAD)
    assert account.name == "clustered over adaptive over distributed"
    np.testing.assert_allclose(found, one, rtol=1e-2)
    assert account.layers[2].report["rows that moved"] > 0


# Failures -------------------------------------------------------------------------------------------------------------

FOREIGN = 2  # a row of rank 0 that rank 1 solves
WHAT = {"name": "MicroError: no root", "raise": "ArithmeticError: no root", "nan": "NaN in Stress"}


@pytest.mark.parametrize(("how", "strategy"), [*((how, ()) for how in WHAT), ("name", (CLUSTERED,))])
def test_a_row_that_fails_on_another_rank_is_told_of_by_its_number(tmp_path, how, strategy):
    broken = {"how": how, "where": float(X[FOREIGN]), "since": 0.6}
    result = coupled(tmp_path, *strategy, SPREAD, fails=True, **broken)
    assert (tmp_path / "Micro/broken-1.txt").is_file()  # it was there
    event = next(e for e in ProgressReader(tmp_path / "Micro/progress.jsonl").poll() if e.event == "error")
    path = tmp_path / f"Micro/capsules/window-000003-iteration-1-row-{FOREIGN}.npz"
    assert result.status == 1
    assert event.message.splitlines()[0].startswith(
        f"rank 0: Micro: 1 of {N} micro simulations failed, the first is row {FOREIGN} at ({X[FOREIGN]:g}, 0), "
        f"time 0.5 s (dt 0.25 s), window 3, iteration 1: {WHAT[how]}. Solve it alone with: scalebridge replay {path}"
    )
    capsule = Capsule.load(path)
    assert (capsule.rows.tolist(), capsule.points.tolist()) == ([FOREIGN], [POINTS[FOREIGN].tolist()])
    assert capsule.program.strategy == ()  # it is the question to the model itself
    assert capsule.state["age"].tolist() == [0.5]
    assert str(ROOT) in event.message


@pytest.mark.parametrize(("how", "ranks"), [("name", 2), ("nan", 3)])
def test_what_stands_in_for_rows_does_so_at_home(tmp_path, how, ranks):
    broken = {"how": how, "where": float(X[FOREIGN]), "since": 0.3, "on_failure": [{"neighbours": {"count": 2}}]}
    one, _ = coupled(tmp_path / "one", ranks=1, **broken)
    found, account = coupled(tmp_path / "more", SPREAD, ranks=ranks, **broken)
    np.testing.assert_allclose(found, one, rtol=1e-14)
    told = Failures.load(tmp_path / "more/Micro" / FAILURES)
    assert told.used == Failures.load(tmp_path / "one/Micro" / FAILURES).used
    assert (told.failed.rows, told.failed.windows) == (1, 3)
    again = account.layers[0].report["batches solved again after a failure"]
    assert (again > 0) == (how != "nan")  # NaN comes home as it is


# Going on -------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")
@pytest.mark.parametrize("strategy", [(SPREAD,), (CLUSTERED, SPREAD)], ids=["alone", "clustered"])
def test_a_run_goes_on_bit_for_bit(tmp_path, strategy):
    mains = {"Macro": macro, "Micro": (toil, {"heavy": 0.4})}
    before, after = resume(tmp_path, xml(), mains, ranks={"Micro": 2}, strategy={"Micro": strategy})
    timed = ("checkpoints", "strategy.json", "work-")  # which hold seconds, or both runs
    names = [name for name in before if not any(part in name for part in timed)]
    assert {"Macro/end.npy", "Micro/snapshots/000004.npz"} <= set(names)
    assert [name for name in names if before[name] != after.get(name)] == []
    reports = [json.loads(files["Micro/strategy.json"])["layers"][-1]["report"] for files in (before, after)]
    for name in ("rows that moved", "solves in which rows moved", "solves of all ranks together", "rows in them"):
        assert reports[0][name] == reports[1][name] > 0
