"""Rows that other ranks solve: each of these programs runs on all ranks of a process group of its own."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from coupled import environment
from toil import HEAVY, Clock, Settings, Toil

from adapters.micro import MicroError, apply, arrays, take
from adapters.ranks import Rows, share, world
from adapters.strategies import distributed, registry
from adapters.strategies.distributed import DistributedSettings
from adapters.strategies.protocol import Around, Context
from adapters.strategies.stack import Stack

N = 24
X = np.arange(N) / N
POINTS = np.stack([X, np.zeros(N)], axis=1)
ALWAYS = {"when_it_pays": False}
STEPS = 6


class Case:
    """The rows of this rank of N, behind a strategy."""

    def __init__(self, *given, size=None, **settings):
        self.comm = world()
        self.model = Toil(Settings(**settings), rank=self.comm.rank)
        mine = share(N, self.comm.rank, self.comm.size)
        self.points = POINTS[mine]
        self.rows = Rows(len(self.points), self.comm)
        self.stack = Stack(given or ({"distributed": ALWAYS},), self.model, Context(rows=self.rows))
        self.mine = mine
        self.state = self.stack.start(self.points, self.controls(0))

    def controls(self, step):
        return {"Strain": (1.0 + X + 0.1 * step)[self.mine]}

    def solve(self, step, dt=0.1, around=lambda solve: solve):
        """Solve with all ranks; return what is seen."""
        call = self.rows.assembling(around(self.stack.solve))
        self.state = self.stack.plan(self.state)
        self.state, seen = call(self.state, self.controls(step), dt)
        assert not self.rows.assembled
        return seen["Stress"]

    def everywhere(self, value):
        return self.comm.allgather(value)


def truth(step, **settings):
    """Return the stress at all points after that step, solved on one rank."""
    model = Toil(Settings(**settings))
    state = model.start(POINTS, {"Strain": 1.0 + X})
    for k in range(1, step + 1):
        state, seen = model.solve(state, {"Strain": 1.0 + X + 0.1 * k}, 0.1)
    return seen["Stress"], state


def rows_that_cost_much_are_shared():
    case = Case()
    for step in range(1, STEPS + 1):
        seen = case.solve(step)
        np.testing.assert_array_equal(seen, truth(step)[0][case.mine])  # bit by bit
    inner = case.state["model"]
    for (_, one), (_, other) in zip(arrays(inner), arrays(take(truth(STEPS)[1], case.mine)), strict=True):
        if one.dtype != bool:  # which depends on where a row begins
            np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    work = np.array(case.everywhere(case.model.done.work))
    assert work.shape == (case.comm.size, STEPS)  # each row once: nobody solves twice
    assert (work.sum(axis=0) == truth(1)[1]["work"].sum()).all()
    first, later = work[:, 0].max() / work[:, 0].mean(), work[:, 1:].max(axis=0) / work.mean(axis=0)[1:]
    assert first > 1.5
    assert (later < 1.1).all(), later
    told = case.stack.report(case.state).layers[0].report
    assert (told["ranks"], told["solves of all ranks together"]) == (case.comm.size, STEPS)
    assert told["solves in which rows moved"] == STEPS - 1
    assert told["rows in them"] == N * STEPS
    assert len(set(case.everywhere(told["rows that moved"]))) == 1
    assert 0 < told["rows that moved"] < N * STEPS / 2
    assert case.stack.report(case.state).work.solved == N * STEPS
    assert told["moving rows, slowest rank [s]"] > 0
    np.testing.assert_array_equal(case.state["cost"], inner["work"])


def seconds_do_where_the_model_does_not_say():
    """A clock that goes on by the work of each batch: from there the rows that move have to be found."""
    clock = Clock()
    distributed.perf_counter = clock
    case = Case({"distributed": {"imbalance": 0.02, **ALWAYS}}, tells=False)
    case.model.clock = clock
    for step in range(1, 13):
        np.testing.assert_array_equal(case.solve(step), truth(step)[0][case.mine])
    work = np.array(case.everywhere(case.model.done.work))
    ratio = work.max(axis=0) / work.mean(axis=0)
    assert ratio[0] > 1.5
    assert ratio[4:].mean() < 1.2, ratio
    told = case.stack.report(case.state).layers[0].report
    np.testing.assert_allclose(told["imbalance"], work.max(axis=0).sum() / work.mean(axis=0).sum())
    assert told["imbalance without moving, estimated"] > told["imbalance"]
    np.testing.assert_allclose(
        told["spared, estimated [s]"],
        work.mean(axis=0).sum() * (told["imbalance without moving, estimated"] - told["imbalance"]),
    )


def what_does_not_pay_stays():
    """The same seconds, but a second of moving for each byte; or an imbalance that is asked for."""
    clock = Clock()
    distributed.perf_counter = clock
    for settings in ({}, {"imbalance": 3.0, **ALWAYS}):
        case = Case({"distributed": settings}, tells=False)
        case.model.clock = clock
        case.stack.model.account.moving, case.stack.model.account.bytes = 1.0, 1.0
        for step in range(1, 4):
            np.testing.assert_array_equal(case.solve(step), truth(step)[0][case.mine])
        told = case.stack.report(case.state).layers[0].report
        assert (told["rows that moved"], told["solves of all ranks together"]) == (0, 3)


def a_rank_that_fails_elsewhere_leaves_the_others_on_their_own():
    """The last rank fails before it asks, or asks something else; then the others do not wait, and rows do not move."""
    case = Case()
    last = case.comm.rank == case.comm.size - 1
    for step in (1, 2):
        case.solve(step)

    def failing(solve):
        def call(*arguments):
            if last:
                raise ArithmeticError("before")
            return solve(*arguments)

        return call

    calls = len(case.model.done.rows)
    if last:
        with pytest.raises(ArithmeticError, match="before"):
            case.solve(3, around=failing)
        assert len(case.model.done.rows) == calls
    else:
        np.testing.assert_array_equal(case.solve(3), truth(3)[0][case.mine])
        assert case.model.done.rows[-1] == case.points[:, 0].tolist()
    case.comm.Barrier()
    case.solve(4, dt=0.2 if last else 0.1)  # another step is another question
    assert case.model.done.rows[-1] == case.points[:, 0].tolist()
    case.comm.Barrier()
    case.solve(5)
    assert sum(case.everywhere(len(case.model.done.rows[-1]))) == N
    assert any(case.everywhere(case.model.done.rows[-1] != case.points[:, 0].tolist()))


def results_that_do_not_fit_are_solved_again_at_home():
    """Ranks give numbers of different kinds: so what comes home would not fit to what is there."""
    case = Case(how="dtype", since=0.15)
    for step in (1, 2, 3):
        seen = case.solve(step)
        np.testing.assert_allclose(seen, truth(step)[0][case.mine], rtol=1e-6)
    kind = np.float32 if case.comm.rank else np.float64
    assert case.state["model"]["m"].dtype == kind
    told = case.stack.report(case.state).layers[0].report
    assert (told["solves in which rows moved"], told["batches solved again after a failure"]) == (1, 1)
    away = sorted(set(case.points[:, 0]) - set(case.model.done.rows[1]))
    assert away == (case.model.done.rows[2] if away else [])
    assert case.model.done.rows[-1] == case.points[:, 0].tolist()  # ever after


def a_model_that_fails_on_one_rank_alone_is_asked_at_home():
    """The row goes to another rank, where it cannot be solved; at home it can."""
    where = float(X[5])
    case = Case(how="elsewhere", where=where, since=0.05)
    failed = 0
    for step in range(1, STEPS + 1):
        before = len(case.model.done.rows)
        np.testing.assert_array_equal(case.solve(step), truth(step, how="never")[0][case.mine])
        failed += case.comm.rank > 0 and where in case.model.done.rows[before]
    total = sum(case.everywhere(failed))
    told = case.stack.report(case.state).layers[0].report
    assert told["batches solved again after a failure"] == total > 0


def a_failing_row_is_named_at_home():
    """Rows of rank 0 break, here or on another rank: by name, without, with NaN, with an observable too short."""
    kinds = {"name": MicroError, "raise": ArithmeticError, "shape": ValueError}
    for how in ("name", "raise", "nan", "shape"):
        for row in (2, 5, 7):
            case = Case(how=how, where=float(X[row]), since=0.15)
            case.solve(1)
            home, expected = row in range(case.mine.start, case.mine.stop), truth(2)[0][case.mine]
            if home and how in kinds:
                with pytest.raises(kinds[how]) as caught:
                    case.solve(2)
                if how == "name":
                    assert (caught.value.rows + case.mine.start).tolist() == [row]
            else:
                expected[(case.points[:, 0] == X[row]) & (how == "nan")] = np.nan
                np.testing.assert_array_equal(case.solve(2), expected)
            case.comm.Barrier()


class Second(Around):
    """A strategy that asks for heavy rows alone, on all ranks together."""

    name = "second"
    Settings = DistributedSettings
    asks_together = True

    def __init__(self, model, settings, context):
        super().__init__(model, context)

    def start(self, points, controls):
        return {"model": self.model.start(points, controls), "x": points[:, 0].copy()}

    def solve(self, state, controls, dt):
        rows = np.flatnonzero(state["x"] < 0.35)
        part, seen = self.model.solve(take(state["model"], rows), {"Strain": controls["Strain"][rows]}, dt)
        assert len(part["cost"]) == len(seen["Stress"]) == len(rows)
        self.part = part
        return state, {"Stress": np.zeros(len(state["x"]))}


def ranks_without_rows_take_those_of_others():
    registry.STRATEGIES["second"] = "test_distributed_ranks:Second"
    case = Case({"second": {}}, {"distributed": ALWAYS})
    for step in (1, 2):
        case.solve(step)  # nothing is remembered of the first, so no costs are known
        part = case.stack.model.part
        case.state = {**case.state, "model": apply(lambda a: a, case.state["model"])}
        if len(part["cost"]):
            case.state["model"]["cost"] = np.full(len(case.points), HEAVY)
    heavy = int((X < 0.35).sum())
    counts = case.everywhere(len(case.model.done.rows[-1]))
    assert sum(counts) == heavy
    assert max(counts) - min(counts) <= 1


PROGRAMS = (
    rows_that_cost_much_are_shared,
    seconds_do_where_the_model_does_not_say,
    what_does_not_pay_stays,
    a_rank_that_fails_elsewhere_leaves_the_others_on_their_own,
    results_that_do_not_fit_are_solved_again_at_home,
    a_model_that_fails_on_one_rank_alone_is_asked_at_home,
    a_failing_row_is_named_at_home,
    ranks_without_rows_take_those_of_others,
)


def execute(name):
    """Run a program on this rank; where it fails the others are not waited for."""
    from mpi4py import MPI

    try:
        next(program for program in PROGRAMS if program.__name__ == name)()
    except BaseException:
        traceback.print_exc()
        MPI.COMM_WORLD.Abort(1)
    print("well", flush=True)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_on_ranks(tmp_path, program, ranks):
    text = f"import test_distributed_ranks; test_distributed_ranks.execute('{program.__name__}')"
    command = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks), sys.executable, "-c", text]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("well") == ranks
