"""Who keeps the others waiting: decided on what the system tells of each process, here made up."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scalebridge.progress import Progress
from scalebridge.runs import census, hang
from scalebridge.runs.census import Member
from scalebridge.runs.hang import Hang, Limits, Vigil

NOBODY = Path("/nonexistent")


@dataclass
class Process:
    name: str
    log: Path = NOBODY
    status: int | None = None

    @property
    def running(self):
        return self.status is None


@dataclass
class Monitor:
    process: Process
    progress: Progress | None = None
    folder: Path = NOBODY


@dataclass
class World:
    """A run whose processes stand where the test has put them."""

    vigil: Vigil
    monitors: list[Monitor]
    members: list[Member] = field(default_factory=list)
    sockets: dict[int, Any] = field(default_factory=dict)

    def pass_seconds(self, seconds, changes=lambda second: None):
        """Look once a second; return what was found first."""
        begun = self.vigil._idle.since
        for second in range(seconds + 1):
            changes(second)
            found = self.vigil.look(begun + second, self.monitors, complete=True)
            if found is not None:
                return found
        return None


@pytest.fixture
def world(monkeypatch):
    def make(limits, names="AB", **progress):
        monitors = [Monitor(Process(name), Progress(progress[name]) if name in progress else None) for name in names]
        made = World(Vigil("token", limits), monitors)
        made.members = [Member(i, name, None, "S", 1.0, 5) for i, name in enumerate(names)]
        monkeypatch.setattr(census, "members", lambda token: made.members)
        monkeypatch.setattr(census, "waits_for_a_socket", lambda process: made.sockets.get(process))
        return made

    return make


def test_no_limits_no_hang(world):
    assert world(Limits(0.0, 0.0)).pass_seconds(2000) is None


def test_one_in_its_solver_and_one_in_a_call(world):
    found = world(Limits(5.0), A="step", B="wait").pass_seconds(10)
    assert found == Hang("A", "it has not computed anything for 5 s (--idle-limit)", ("B",))


def test_programs_that_tell_nothing_are_judged_by_what_they_wait_for(world):
    run = world(Limits(5.0))
    run.sockets = {0: True, 1: False}
    assert run.pass_seconds(10).culprit == "B"
    run = world(Limits(5.0))
    run.sockets = {0: True, 1: None}  # the system tells of one alone
    assert run.pass_seconds(10).culprit == "B"


@pytest.mark.parametrize("both", [True, False, None])
def test_where_it_cannot_be_told_nobody_is_blamed(world, both):
    run = world(Limits(5.0))
    run.sockets = {0: both, 1: both}
    assert run.pass_seconds(10) == Hang("", "nobody has computed anything for 5 s (--idle-limit)")


def test_a_stopped_process_is_found_at_once_when_nobody_computes(world):
    run = world(Limits(5.0), A="wait", B="wait")
    run.members[0] = Member(0, "A", 1, "T", 1.0, 5)
    found = run.pass_seconds(10)
    assert found.culprit == "A"
    assert found.why.startswith("rank 1 (process 0) was stopped by a signal, such as SIGSTOP or Ctrl-Z")


def test_a_debugger_is_told_apart(world):
    run = world(Limits(0.0, 5.0), A="wait", B="wait")
    run.members[0] = Member(0, "A", None, "t", 1.0, 5)
    assert run.pass_seconds(10).why.startswith("process 0 was stopped by a debugger")


def test_computing_is_no_idling(world):
    run = world(Limits(5.0), A="step", B="wait")

    def compute(second):
        run.members[0] = Member(0, "A", None, "R", 1.0 + second, 5)

    assert run.pass_seconds(60, compute) is None


def test_computing_without_getting_further(world):
    run = world(Limits(5.0, 20.0), A="step", B="wait")

    def compute(second):
        run.members[0] = Member(0, "A", None, "R", 1.0 + second, 5)

    assert run.pass_seconds(60, compute) == Hang("A", "it has not come any further for 20 s (--hang-limit)", ("B",))


def test_getting_further(world):
    run = world(Limits(0.0, 5.0), A="step", B="wait")

    def advance(second):
        run.monitors[0].progress = Progress("step", window=second // 3)

    assert run.pass_seconds(60, advance) is None


@pytest.mark.parametrize(("asleep", "rank"), [([1], "rank 1"), ([], "it"), ([1, 2], "it")])
def test_the_rank_that_sleeps_while_others_look_for_it(world, asleep, rank):
    run = world(Limits(0.0, 5.0), A="step", B="wait")

    def spin(second):
        run.members = [
            Member(n, "A", n, "S", 1.0, 5) if n in asleep else Member(n, "A", n, "R", 1.0 + second, 500 * second)
            for n in range(3)
        ]

    assert run.pass_seconds(20, spin).why == f"{rank} has not come any further for 5 s (--hang-limit)"


def test_a_partner_that_has_ended_leaves_less_time(world):
    run = world(Limits(600.0), A="step", B="wait")
    run.monitors[1].process.status = 0
    found = run.pass_seconds(100)
    assert found.culprit == "A"
    assert f"for {hang.IDLE_AFTER_END_SECONDS:g} s" in found.why


def test_nobody_hangs_while_somebody_has_not_been_started(world):
    run = world(Limits(5.0), A="wait")
    begun = run.vigil._idle.since
    assert all(run.vigil.look(begun + s, run.monitors, complete=False) is None for s in range(100))
