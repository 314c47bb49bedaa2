"""The nodes of hierarchical grids on the unit cube, as whole numbers: a coordinate x is x 2^20.

In one dimension a level holds what is new in it (Klimke & Wohlmuth, ACM Trans. Math. Softw. 31, 561 (2005), algorithm
847, "Clenshaw-Curtis" grid, which costs less than the usual boundary in many dimensions):

    level      1     2       3           4                      l >= 3
    nodes     1/2   0, 1   1/4, 3/4   1/8, 3/8, 5/8, 7/8       (2 i + 1) 2^(1 - l)
    functions  1    hats on half the interval                  hats of width 2^(1 - l) to either side

A node of more dimensions has a level in each of them, and its function is the product. Its ancestors in one dimension
are the nodes whose functions do not vanish there: 1/8 < 1/4 < 0 < 1/2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Nodes = NDArray[np.int32]  # (n, d) coordinates
type Floats = NDArray[np.float64]

BITS = 20
ONE = 1 << BITS
HALF = ONE >> 1
DEEPEST = BITS + 1
"""The finest level."""


def levels(nodes: Nodes) -> NDArray[np.int64]:
    """Return the level of each coordinate, of the shape of `nodes`."""
    p = nodes.astype(np.int64)
    zeros = np.bitwise_count(np.where(p > 0, (p & -p) - 1, 0)).astype(np.int64)
    return np.where(p % ONE == 0, 2, np.where(p == HALF, 1, BITS + 1 - zeros))


def parents(nodes: Nodes, level: NDArray[np.int64]) -> Nodes:
    """Return the next ancestor of each coordinate, itself on level 1."""
    p = nodes.astype(np.int64)
    step = np.int64(1) << (BITS + 1 - np.maximum(level, 3))
    inner = np.where((p // step) % 4 == 1, p + step, p - step)
    edge = np.where(p < HALF, 0, ONE)
    return np.select([level <= 2, level == 3], [HALF, edge], inner).astype(np.int32)


def children(nodes: Nodes, level: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the two children of each coordinate, (2, ...); of an end of the interval the only one, twice."""
    p = nodes.astype(np.int64)
    half = (np.int64(1) << (BITS + 1 - np.maximum(level, 3))) // 2
    edge = np.where(p < HALF, HALF // 2, ONE - HALF // 2)
    lower = np.select([level == 1, level == 2], [0, edge], p - half)
    upper = np.select([level == 1, level == 2], [ONE, edge], p + half)
    return np.stack([lower, upper]).astype(np.int32)


def counts(level: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many nodes there are on levels in one dimension."""
    return np.where(level <= 2, level, np.int64(1) << np.maximum(level - 2, 0))


def numbers(nodes: Nodes, level: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of each coordinate among those of its level, from 0."""
    inner = nodes.astype(np.int64) >> (BITS + 2 - np.maximum(level, 3))
    return np.select([level == 1, level == 2], [0, (nodes > HALF).astype(np.int64)], inner)


def of_level(level: int) -> list[int]:
    """Return the coordinates on a level in one dimension, in ascending order."""
    if level <= 2:
        return [HALF] if level == 1 else [0, ONE]
    step = 1 << (BITS + 1 - level)
    return list(range(step, ONE, 2 * step))


def regular(dimensions: int, depth: int) -> Nodes:
    """Return the nodes of the regular sparse grid: those with levels whose sum is at most dimensions + depth."""
    found = []
    for one in _within(dimensions, depth):
        axes = np.meshgrid(*(of_level(level) for level in one), indexing="ij")
        found.append(np.stack([axis.ravel() for axis in axes], axis=-1))
    return unique(np.concatenate(found).astype(np.int32))


def _within(dimensions: int, depth: int) -> list[tuple[int, ...]]:
    """Return all levels whose sum is at most dimensions + depth."""
    found: list[tuple[int, ...]] = [()]
    for _ in range(dimensions):
        found = [(*one, level) for one in found for level in range(1, depth + 2 - sum(one) + len(one))]
    return found


def unit(nodes: Nodes) -> Floats:
    """Return the coordinates in [0, 1], exactly."""
    return nodes / ONE


class Index:
    """Finds nodes among others."""

    def __init__(self, nodes: Nodes) -> None:
        keys = _keys(nodes)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def find(self, nodes: Nodes) -> NDArray[np.int64]:
        """Return where each of the nodes (m, d) is, -1 for those that are not there."""
        keys = _keys(nodes)
        if not self._keys.size or not keys.size:
            return np.full(len(keys), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[place] == keys, self._order[place], -1)


def unique(nodes: Nodes) -> Nodes:
    """Return the nodes in an order of their own, each once."""
    _, first = np.unique(_keys(nodes), return_index=True)
    chosen = nodes[first]
    order = np.lexsort((*chosen.T[::-1], levels(chosen).sum(axis=1)))
    return np.asarray(chosen[order])


def _keys(nodes: Nodes) -> NDArray[np.void]:
    whole = np.ascontiguousarray(nodes, dtype=np.int32)
    return whole.view(np.dtype((np.void, whole.itemsize * whole.shape[1]))).ravel()
