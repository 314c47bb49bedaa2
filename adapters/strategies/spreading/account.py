"""What solving took on each rank, and what moving rows did about it: the same on all ranks but for `moving`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.protocol import Context, Report
from adapters.strategies.spreading.journey import Journey

type Array = NDArray[np.float64]

BANDWIDTH = 1e9  # [byte/s] with which rows move, as long as nothing was measured
LATENCY = 1e-3  # [s] that it takes to move anything at all


@dataclass
class Account:
    """Sums over the run so far.

    Attributes
    ----------
    solves, moving_solves : of all ranks together, and those in which rows moved.
    asked, moved : rows of those solves, and those of them that another rank has solved.
    again : batches that failed, whose rows were solved again where they belong.
    mean, slowest : seconds of the ranks in solving, their mean and those of the slowest in each solve.
    at_home : those of the slowest if no row had moved, from what rows are taken to cost.
    cost : of all rows, as it was foretold, in its own unit; together with `mean` this is what a unit of it takes.
    moving, bytes : [s] this rank has spent in moving rows, and what it has sent and received [byte].
    """

    solves: int = 0
    moving_solves: int = 0
    asked: int = 0
    moved: int = 0
    again: int = 0
    mean: float = 0.0
    slowest: float = 0.0
    at_home: float = 0.0
    cost: float = 0.0
    moving: float = 0.0
    bytes: float = 0.0

    @property
    def pace(self) -> float:
        """Seconds for a byte, as far as this rank knows."""
        return self.moving / self.bytes if self.bytes else 1 / BANDWIDTH

    @property
    def unit(self) -> float:
        """Seconds for a unit of cost, as far as that is known; the same on all ranks."""
        return self.mean / self.cost if self.cost > 0 and self.mean > 0 else 1.0

    def note(self, seconds: Array, at_home: Array, cost: float, rows: int) -> None:
        """Note a solve of all ranks: their seconds (ranks,), and those if no row had moved; the cost of all rows."""
        self.solves += 1
        self.asked += rows
        self.mean += float(seconds.mean())
        self.slowest += float(seconds.max())
        self.at_home += float(at_home.max())
        self.cost += float(cost) / len(seconds)

    def travelled(self, journey: Journey) -> None:
        """Note a solve for which rows have moved."""
        placing = journey.placing
        self.note(journey.seconds, journey.at_home, placing.costs.sum(), rows=len(placing.home))
        self.moving_solves += 1
        self.moved += placing.moved
        self.again += journey.again
        self.moving += journey.moving
        self.bytes += journey.bytes

    def report(self, context: Context) -> Report:
        """Return what is told at the end of a run; collective."""
        ranks = context.total(1)
        told: Report = {
            "ranks": int(ranks),
            "solves of all ranks together": self.solves,
            "solves in which rows moved": self.moving_solves,
            "rows in them": self.asked,
            "rows that moved": self.moved,
            "batches solved again after a failure": self.again,
        }
        if self.mean > 0:
            told |= {
                "imbalance without moving, estimated": self.at_home / self.mean,
                "imbalance": self.slowest / self.mean,
                "spared, estimated [s]": self.at_home - self.slowest,
            }
        return told | {"moving rows, slowest rank [s]": context.largest(self.moving)}

    def save(self) -> dict[str, Any]:
        """Return the value, for a checkpoint."""
        return asdict(self)

    def restore(self, value: dict[str, Any]) -> None:
        """Take back a value that `save` returned."""
        for name, number in value.items():
            setattr(self, name, number)
