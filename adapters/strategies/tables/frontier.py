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
    index, level = one.Index(grid.nodes), one.levels(grid.nodes)
    smooth = _smoothed(grid.nodes, level, surplus, index, 2 if cautious else FIRST)
    new = _admissible(grid.nodes, level, index, free, deepest)
    new_level = one.levels(new)
    errors = np.full((len(new), surplus.shape[1]), 0.0 if cautious else np.inf)
    joined = np.maximum if cautious else np.minimum
    for axis in range(new.shape[1]):
        rows = np.flatnonzero(new_level[:, axis] > 1)
        parent = index.find(_moved(new[rows], new_level[rows], axis))
        errors[rows] = joined(
            errors[rows], _foretold(grid.nodes, level, smooth, index, parent, axis, KINK if cautious else FALL)
        )
    return Frontier(Basis(new), errors)


def _moved(nodes: Nodes, level: NDArray[np.int64], axis: int) -> Nodes:
    """Return the parents in one dimension."""
    result = nodes.copy()
    result[:, axis] = one.parents(nodes[:, axis], level[:, axis])
    return result


def _admissible(
    nodes: Nodes, level: NDArray[np.int64], index: one.Index, free: NDArray[np.bool_], deepest: int
) -> Nodes:
    """Return the children that are not there and whose parents all are."""
    found = [np.zeros((0, nodes.shape[1]), dtype=np.int32)]
    for axis in np.flatnonzero(free):
        rows = level[:, axis] < deepest
        for side in one.children(nodes[rows, axis], level[rows, axis]):
            child = nodes[rows].copy()
            child[:, axis] = side
            found.append(child)
    new = one.unique(np.concatenate(found))
    new = new[index.find(new) < 0]
    for axis in range(nodes.shape[1]):
        own = one.levels(new)
        new = new[(own[:, axis] == 1) | (index.find(_moved(new, own, axis)) >= 0)]
    return new


def _smoothed(nodes: Nodes, level: NDArray[np.int64], surplus: Floats, index: one.Index, first: int) -> Floats:
    """Return surpluses that fall at most fourfold from a parent: what is less is taken to be so by chance."""
    result = surplus.copy()
    height = level.sum(axis=1)
    for sum_of_levels in np.unique(height):
        for axis in range(nodes.shape[1]):
            rows = np.flatnonzero((height == sum_of_levels) & (level[:, axis] >= first))
            parent = index.find(_moved(nodes[rows], level[rows], axis))
            result[rows] = np.maximum(result[rows], result[parent] / FALL)
    return result


def _foretold(
    nodes: Nodes,
    level: NDArray[np.int64],
    smooth: Floats,
    index: one.Index,
    parent: NDArray[np.int64],
    axis: int,
    fall: float,
) -> Floats:
    """Return what the parents in one dimension foretell of the surpluses of their children."""
    own = level[parent, axis]
    falls = np.where(own == 1, 1.0, 1 / fall)[:, None] * np.ones(smooth.shape[1])
    rows = np.flatnonzero(own >= FIRST)
    before = smooth[index.find(_moved(nodes[parent[rows]], level[parent[rows]], axis))]
    seen = np.divide(smooth[parent[rows]], before, out=np.zeros_like(before), where=before > 0)
    falls[rows] = np.clip(seen, 1 / fall, 1.0)
    return np.asarray(smooth[parent] * falls)
