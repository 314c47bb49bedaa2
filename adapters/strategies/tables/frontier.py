"""The frontier of a sparse grid: which nodes may come next, and how large their surpluses will be.

A node is admissible if all its parents are there, one in each dimension in which its level is above 1. What its surplus
will be is foretold by each of them, from how fast surpluses have fallen towards it, but at most fourfold from level to
level as they do for smooth functions; the least of what they say counts. So a dimension that does not matter, or only
adds, costs a few nodes. A surplus that is small by chance, where a curvature changes its sign, says little: what the
parent foretold counts then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.tables import nodes as one
from adapters.strategies.tables.nodes import Floats, Nodes
from adapters.strategies.tables.sparse import Basis, SparseGrid, bump

FALL = 4.0  # of the surplus from level to level, where a function is smooth
KINK = 2.0  # the same at a kink
SAFETY = 1.25  # of estimates: curvatures are not the same in two neighbours
FIRST = 4  # the first level whose surplus, as that of its parent, is a second difference


@dataclass(frozen=True)
class Frontier:
    """The admissible nodes.

    Attributes
    ----------
    basis : their functions.
    errors : (n, o) foretold surpluses of each observable, relative to its scale.
    """

    basis: Basis
    errors: Floats

    @property
    def nodes(self) -> Nodes:
        """The nodes (n, d)."""
        return self.basis.nodes

    def estimate(self, points: Floats) -> Floats:
        """Return the estimated error (m, o) of a table at points (m, d) in the cube, relative to the scales."""
        return SAFETY * self.basis.sum(self.errors, points, bump)


def relative(surplus: Floats, groups: NDArray[np.int64], scales: Floats) -> Floats:
    """Return the largest surplus of each observable over its scale.

    Parameters
    ----------
    surplus : (n, k).
    groups : (k,) number of the observable of each column, ascending from 0.
    scales : (o,) of the observables.
    """
    begins = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.maximum.reduceat(np.abs(surplus), begins, axis=1) / scales


def of(grid: SparseGrid, surplus: Floats, free: NDArray[np.bool_], deepest: int, cautious: bool = False) -> Frontier:
    """Return the frontier.

    Parameters
    ----------
    surplus : (n, o) of the nodes, as `relative` gives them.
    free : (d,) dimensions in which there is anything to refine.
    deepest : finest level.
    cautious : let the most count of what parents foretell: nothing is overlooked then, but all dimensions are refined.
    """
    known = _Known(grid.nodes, surplus, 2 if cautious else FIRST, KINK if cautious else FALL)
    new = known.admissible(free, deepest)
    level = one.levels(new)
    errors = np.full((len(new), surplus.shape[1]), 0.0 if cautious else np.inf)
    joined = np.maximum if cautious else np.minimum
    for axis in range(new.shape[1]):
        rows = np.flatnonzero(level[:, axis] > 1)
        foretold = known.foretold(known.index.find(_parents(new[rows], level[rows], axis)), axis)
        errors[rows] = joined(errors[rows], foretold)
    return Frontier(Basis(new), errors)


def _parents(nodes: Nodes, level: NDArray[np.int64], axis: int) -> Nodes:
    """Return the parents in one dimension."""
    result = nodes.copy()
    result[:, axis] = one.parents(nodes[:, axis], level[:, axis])
    return result


class _Known:
    """The nodes that are there, and their surpluses (n, o).

    Parameters
    ----------
    first : the first level whose surplus is taken to be at least a fourth of that of its parent.
    fall : of surpluses from level to level, at most.
    """

    def __init__(self, nodes: Nodes, surplus: Floats, first: int, fall: float) -> None:
        self.nodes, self.level, self.index, self.fall = nodes, one.levels(nodes), one.Index(nodes), fall
        self.surplus = surplus.copy()
        height = self.level.sum(axis=1)
        for sum_of_levels in np.unique(height):
            for axis in range(nodes.shape[1]):
                rows = np.flatnonzero((height == sum_of_levels) & (self.level[:, axis] >= first))
                above = self.surplus[self.parents(rows, axis)]
                self.surplus[rows] = np.maximum(self.surplus[rows], above / FALL)

    def parents(self, rows: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
        """Return the parents of some nodes in one dimension."""
        return self.index.find(_parents(self.nodes[rows], self.level[rows], axis))

    def admissible(self, free: NDArray[np.bool_], deepest: int) -> Nodes:
        """Return the children that are not there and whose parents all are."""
        found = [np.zeros((0, self.nodes.shape[1]), dtype=np.int32)]
        for axis in range(len(free)):
            rows = np.flatnonzero(self.level[:, axis] < deepest) if free[axis] else np.zeros(0, dtype=np.int64)
            for side in one.children(self.nodes[rows, axis], self.level[rows, axis]):
                child = self.nodes[rows]
                child[:, axis] = side
                found.append(child)
        new = one.unique(np.concatenate(found))
        new = new[self.index.find(new) < 0]
        for axis in range(len(free)):
            level = one.levels(new)
            new = new[(level[:, axis] == 1) | (self.index.find(_parents(new, level, axis)) >= 0)]
        return new

    def foretold(self, parent: NDArray[np.int64], axis: int) -> Floats:
        """Return what parents in one dimension foretell of the surpluses of their children."""
        own = self.level[parent, axis]
        falls = np.where(own == 1, 1.0, 1 / self.fall)[:, None] * np.ones(self.surplus.shape[1])
        rows = np.flatnonzero(own >= FIRST)
        last, before = self.surplus[parent[rows]], self.surplus[self.parents(parent[rows], axis)]
        seen = np.divide(last, before, out=np.zeros_like(last), where=before > 0)
        falls[rows] = np.clip(seen, 1 / self.fall, 1.0)
        return np.asarray(self.surplus[parent] * falls)
