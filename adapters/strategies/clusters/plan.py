"""Who represents whom in the window that begins, and whose error is measured; the same on any number of ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.ranks import Rows
from adapters.strategies import lots
from adapters.strategies.clusters import similarity
from adapters.strategies.clusters.history import History
from adapters.strategies.clusters.similarity import NONE

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]
type Mask = NDArray[np.bool_]

RESERVE = 0.2  # share of the tolerance that is left for what a window changes otherwise than the last one foretells


@dataclass(frozen=True)
class Plan:
    """A plan for the rows of this rank.

    Attributes
    ----------
    row : (n,) their numbers, counted over all ranks.
    leader : (n,) the row that represents each of them, maybe itself.
    support : (n, k) other representatives that are like that one, NONE where there are less.
    audited : (n,) followers that are solved as well.
    followers : how many rows of all ranks follow another one.
    """

    row: Ids
    leader: Ids
    support: Ids
    audited: Mask
    followers: int = 0

    @property
    def leads(self) -> Mask:
        """Which rows (n,) represent themselves."""
        return np.asarray(self.leader == self.row)

    @classmethod
    def of(cls, state: Mapping[str, NDArray[Any]]) -> Plan:
        """Return the plan that is kept in a state."""
        row, leader, support, audited = (np.asarray(state[name]) for name in ("row", "leader", "support", "audited"))
        return cls(row, leader, support, audited)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the plan as a part of a state."""
        return {"row": self.row, "leader": self.leader, "support": self.support, "audited": self.audited}

    @classmethod
    def alone(cls, row: Ids, near: int) -> Plan:
        """Return the plan in which every row represents itself; of `near` others nothing is known."""
        return cls(row, row, np.full((len(row), near), NONE), np.zeros(len(row), dtype=bool))


def everywhere(ranks: Rows | None, values: NDArray[Any]) -> Array:
    """Return the rows (n, ...) of all ranks on every rank as numbers; without ranks what was given."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers if ranks is None else ranks.everywhere(numbers)


@dataclass(frozen=True)
class Rule:
    """Which rows are alike.

    Attributes
    ----------
    relative : whether distances are measured by the largest of them.
    decay : [1/s].
    coarsening, refining : constants, see the settings of `adapters.strategies.clustered`.
    near : how many others a representative is supported by.
    audit : share of followers whose error is measured.
    """

    relative: bool
    decay: float
    coarsening: float
    refining: float
    near: int
    audit: float

    def plan(self, row: Ids, active: Mask, history: History, limits: Array, draws: Array, ranks: Rows | None) -> Plan:
        """Return the plan for rows (n,) of this rank, of which some were `active` so far; collective over `ranks`.

        Parameters
        ----------
        limits : (m,) tolerances of the data.
        draws : (n,) lots.
        """
        own = history.relative(self.decay) if self.relative else history.absolute(self.decay, limits)
        points = everywhere(ranks, own)
        p, refining = np.inf, 1.0 - RESERVE
        if self.relative:
            p, refining = 1.0, self.refining * similarity.diameter(points, 1.0)
        coarsening = max(self.coarsening * refining, np.finfo(np.float64).tiny)  # of points that are all the same: one
        kept = similarity.adapt(points, everywhere(ranks, active) > 0, p, coarsening, refining)
        leaders, followers = np.flatnonzero(kept), np.flatnonzero(~kept)
        leader = np.arange(len(points))
        leader[followers] = similarity.nearest(points, leaders, followers, p)[:, 0]
        support, followed = np.full((len(points), self.near), NONE), np.unique(leader[followers])
        if self.near and followed.size:
            support[followed] = similarity.nearest(points, leaders, followed, p, self.near + 1)[:, 1:]
        audited = np.zeros(len(points), dtype=bool)
        audited[followers] = lots.sample(everywhere(ranks, draws)[followers], self.audit)
        mine = row if ranks else slice(None)
        return Plan(row, leader[mine], support[leader[mine]], audited[mine], len(followers))
