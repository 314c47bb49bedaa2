"""Which rank solves which row, so that all ranks are done at about the same time; the same on all ranks.

Rows leave the rank that has most for the one that has least, the costliest first: so few have to travel. Of rows that
are taken to cost the same, such as those of a batch of which only the seconds of all are known, those that leave are
scattered over the rank, so that they are like those that stay. Every rank keeps the costliest of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]
type Mask = NDArray[np.bool_]

ENOUGH = 1.01  # of the mean: a rank that has no more than this is as good as any
GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, are spread evenly


@dataclass(frozen=True)
class Placing:
    """Who solves what, of all rows of all ranks in the order of the ranks.

    Attributes
    ----------
    costs : (n,) what is expected.
    home, where : (n,) the ranks that have them, and that solve them.
    """

    costs: Array
    home: Ids
    where: Ids
    ranks: int

    @property
    def moved(self) -> int:
        """How many rows leave home."""
        return int((self.where != self.home).sum())

    @property
    def busiest(self) -> int:
        """How many rows leave or come to the rank that has most of that."""
        moved = self.where != self.home
        both = np.concatenate([self.home[moved], self.where[moved]])
        return int(np.bincount(both, minlength=1).max())


def loads(costs: Array, rank: Ids, ranks: int) -> Array:
    """Return the sums of costs (ranks,) of rows (n,) that are on these ranks."""
    return np.bincount(rank, weights=costs, minlength=ranks)


def place(costs: Array, home: Ids, ranks: int, least: float = 0.0) -> Ids:
    """Return the rank (n,) that is to solve each row.

    Parameters
    ----------
    costs : (n,) positive or zero, in any unit.
    home : (n,) the rank that has the row, in ascending order.
    least : rows that cost no more are not worth moving.
    """
    where, load = home.copy(), loads(costs, home, ranks)
    mean = load.mean()
    leaving = [_candidates(costs, np.flatnonzero(home == rank), least) for rank in range(ranks)]
    while (most := load.max()) > ENOUGH * mean:
        giver, taker = int(np.argmax(load)), int(np.argmin(load))
        rows = leaving[giver]
        chosen = _fitting(costs[rows], min(most, 2 * mean - load[taker]) - mean)
        if not chosen.any():
            chosen = _nearest(costs[rows], most - load[taker])
        if not chosen.any():
            break  # nothing makes the slowest any faster
        moved = rows[chosen]
        where[moved], leaving[giver] = taker, rows[~chosen]
        load[giver] -= costs[moved].sum()
        load[taker] += costs[moved].sum()
    return where


def _candidates(costs: Array, rows: Ids, least: float) -> Ids:
    """Return the rows of a rank that may leave, the costliest first; of equal ones scattered."""
    order = rows[np.lexsort(((rows * GOLDEN) % 1.0, -costs[rows]))][1:]
    return order[costs[order] > least]


def _fitting(costs: Array, room: float) -> Mask:
    """Return which costs (n,), in descending order, are taken one after the other as long as they fit into `room`."""
    chosen = np.zeros(len(costs), dtype=bool)
    sums, first = np.concatenate([[0.0], np.cumsum(costs)]), 0
    while True:
        first = max(first, int(np.searchsorted(-costs, -room)))
        if first == len(costs):
            return chosen
        last = max(int(np.searchsorted(sums, sums[first] + room, side="right")) - 1, first + 1)
        chosen[first:last] = True
        room, first = room - (sums[last] - sums[first]), last


def _nearest(costs: Array, difference: float) -> Mask:
    """Return which of the costs (n,) makes two ranks most alike that differ by so much, if any does."""
    chosen = np.zeros(len(costs), dtype=bool)
    if len(costs):
        best = int(np.argmin(np.abs(2 * costs - difference)))
        chosen[best] = costs[best] < difference * (1 - 1e-9)
    return chosen
