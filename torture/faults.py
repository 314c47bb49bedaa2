"""What can go wrong with a run, and what the hub has to say about each."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass

IDLE_LIMIT, HANG_LIMIT = 2.0, 8.0  # what the runs are started with [s]
PARTICIPANT_FAILED, HUNG = 3, 5
RANKS = {"": {"Left": 1, "Middle": 2, "Right": 1}, "explicit": {"Left": 1, "Middle": 1, "Right": 3}}
RANKS["alone"] = {"Left": 1, "Middle": 1, "Right": 1}
WINDOWS = {"": 20, "explicit": 40, "alone": 20}


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes
    ----------
    name : as it stands in the table.
    number : signal that is sent from outside, 0 for a fault that the participant does to itself.
    fault : what the participant is told to do to itself.
    target : "rank", "launcher" or "hub".
    status : exit status of the run.
    limit : seconds that the hub lets pass before it calls this a hang.
    tells_rank : whether the message has to name the MPI rank, where there are several.
    """

    name: str
    number: int = 0
    fault: str = "none"
    target: str = "rank"
    status: int = PARTICIPANT_FAILED
    limit: float = 0.0
    tells_rank: bool = False


KINDS = (
    Kind("killed (SIGKILL)", signal.SIGKILL, tells_rank=True),
    Kind("crashed (SIGSEGV)", signal.SIGSEGV, tells_rank=True),
    Kind("stopped (SIGSTOP)", signal.SIGSTOP, status=HUNG, limit=IDLE_LIMIT, tells_rank=True),
    Kind("launcher of ranks killed (SIGKILL)", signal.SIGKILL, target="launcher"),
    Kind("raises", fault="raise", tells_rank=True),
    Kind("writes NaN", fault="nan", tells_rank=True),
    Kind("crashes in its solver", fault="segv", tells_rank=True),
    Kind("exits early with 0", fault="exit-0", tells_rank=True),
    Kind("exits early with 1", fault="exit-1", tells_rank=True),
    Kind("calls sys.exit", fault="sys-exit", tells_rank=True),
    Kind("leaves the coupling early", fault="leave"),
    Kind("sleeps for ever", fault="sleep", status=HUNG, tells_rank=True),
    Kind("computes for ever", fault="spin", status=HUNG, limit=HANG_LIMIT),
    Kind("hub: Ctrl-C (SIGINT)", signal.SIGINT, target="hub", status=128 + signal.SIGINT),
    Kind("hub: SIGTERM", signal.SIGTERM, target="hub", status=128 + signal.SIGTERM),
    Kind("hub: SIGKILL", signal.SIGKILL, target="hub", status=-signal.SIGKILL),
)


@dataclass(frozen=True)
class Plan:
    """One run that is going to be broken.

    Attributes
    ----------
    variant : of the case.
    who, rank : whom it happens to.
    early : whether a fault from outside may come before the time loop.
    delay : seconds from there to the signal.
    window : time window of a fault that a participant does to itself.
    resume : whether checkpoints are made, and the run goes on afterwards.
    """

    kind: Kind
    variant: str
    who: str
    rank: int
    early: bool
    delay: float
    window: int
    resume: bool

    @property
    def leaves_ranks(self) -> bool:
        """Whether it is a single rank that leaves the others waiting for it, which nobody but a clock can notice."""
        return self.kind.fault == "leave" and RANKS[self.variant][self.who] > 1

    @property
    def status(self) -> int:
        """The exit status that the run has to have."""
        return HUNG if self.leaves_ranks else self.kind.status

    @property
    def limit(self) -> float:
        """The seconds that the hub lets pass before it calls this a fault."""
        if self.kind.fault == "sleep":  # while one rank sleeps, others look for it all the time
            return HANG_LIMIT if RANKS[self.variant][self.who] > 1 else IDLE_LIMIT
        return HANG_LIMIT if self.leaves_ranks else self.kind.limit

    def __str__(self) -> str:
        where = f"rank {self.rank} of {self.who}" if RANKS[self.variant][self.who] > 1 else self.who
        since = "its start" if self.early else "the start of the time loop"
        when = f"{self.delay:.2f} s after {since}" if self.kind.number else f"in time window {self.window}"
        return f"{self.kind.name}: {where} of variant '{self.variant}', {when}"


def plans(count: int, seed: int, variants: tuple[str, ...] = ("", "explicit")) -> list[Plan]:
    """Return what is done to `count` runs: every kind about as often, everything else at random."""
    generator = random.Random(seed)  # noqa: S311  (no secret)
    kinds = [KINDS[i % len(KINDS)] for i in range(count)]
    generator.shuffle(kinds)
    return [_plan(kind, generator, variants) for kind in kinds]


def _plan(kind: Kind, generator: random.Random, variants: tuple[str, ...]) -> Plan:
    variant = generator.choice(variants)
    ranks = RANKS[variant]
    who = generator.choice(sorted(ranks))
    if kind.target == "launcher":
        who = max(ranks, key=lambda name: ranks[name])
    return Plan(
        kind,
        variant,
        who,
        generator.randrange(ranks[who]),
        early=generator.random() < 0.3,
        delay=generator.uniform(0.0, 1.5),
        window=generator.randint(1, WINDOWS[variant]),
        resume=generator.random() < 0.5,
    )
