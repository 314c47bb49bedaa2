"""Sparse grids: functions on the unit cube as sums of products of hats, each with its hierarchical surplus.

The surplus of a node is what its value differs from the sum of the nodes on lower levels (Bungartz & Griebel, Acta
Numerica 13, 147 (2004)). For smooth functions it falls fourfold with every level, so it tells the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.tables import nodes as one
from adapters.strategies.tables.nodes import Floats, Nodes

ROWS = 2048  # looked up at a time: what is worked on stays in the cache
SPARE = 16  # a subspace is mapped as a whole if that is not more than so many times its nodes

type Places = NDArray[np.int64]
type Shape = Callable[[Floats], Floats]  # of the place t in [0, 1] within the support


def hat(t: Floats) -> Floats:
    """Return 1 - |2 t - 1|."""
    return 1 - np.abs(2 * t - 1)


def bump(t: Floats) -> Floats:
    """Return 4 t (1 - t): what hats on finer and finer levels add up to where the curvature is constant."""
    return 4 * t * (1 - t)


@dataclass(frozen=True)
class _Subspace:
    """All nodes with the same levels.

    Attributes
    ----------
    level : (d,) in each dimension.
    axes : the dimensions with a level above 1, in which the functions vary.
    begin : number of the first of its nodes; they follow each other by their numbers in the subspace.
    there : (m,) numbers in the subspace of the nodes that are there; None if all are.
    whole : for each node of the subspace which of those that are there it is, or -1; None where that would be long.
    """

    level: tuple[int, ...]
    axes: tuple[int, ...]
    begin: int
    there: Places | None
    whole: Places | None

    def find(self, number: Places, missing: int) -> Places:
        """Return the nodes by number in the subspace; `missing` for those that are not there."""
        if self.there is None:
            return number + self.begin
        if self.whole is not None:
            place = self.whole[number]
            return np.where(place < 0, missing, place + self.begin)
        place = np.minimum(np.searchsorted(self.there, number), len(self.there) - 1)
        return np.where(self.there[place] == number, place + self.begin, missing)


@dataclass(frozen=True)
class Basis:
    """The functions of nodes, to be summed.

    Attributes
    ----------
    nodes : (n, d), in the order in which they came.
    """

    nodes: Nodes
    _order: Places = field(init=False, repr=False)
    _subspaces: tuple[_Subspace, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        level = one.levels(self.nodes)
        count = one.counts(level)
        strides = np.cumprod(np.concatenate([np.ones((len(level), 1), dtype=np.int64), count[:, :-1]], axis=1), axis=1)
        number = (one.numbers(self.nodes, level) * strides).sum(axis=1)
        order = np.lexsort((number, *level.T[::-1]))
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_subspaces", tuple(_subspaces(level[order], number[order], count[order])))

    @property
    def dimensions(self) -> int:
        """Dimensions of the cube."""
        return int(self.nodes.shape[1])

    def sum(self, coefficients: Floats, points: Floats, shape: Shape = hat) -> Floats:
        """Return the sum of all functions with their `coefficients` (n, k) at `points` (m, d) in the cube: (m, k)."""
        result = np.empty((len(points), coefficients.shape[1]))
        own = self._ordered(coefficients)
        for begin in range(0, len(points), ROWS):
            part = slice(begin, begin + ROWS)
            result[part] = self._sum(own, points[part], shape)
        return result

    def slopes(self, coefficients: Floats, points: Floats) -> Floats:
        """Return the derivatives of the sum of hats in each dimension: (m, d, k); at a kink one of the two."""
        result = np.empty((len(points), self.dimensions, coefficients.shape[1]))
        own = self._ordered(coefficients)
        for begin in range(0, len(points), ROWS):
            part = slice(begin, begin + ROWS)
            result[part] = self._slopes(own, points[part])
        return result

    def _ordered(self, coefficients: Floats) -> Floats:
        """Return the coefficients in the order of the subspaces, and a row of zeros for what is not there."""
        own = np.zeros((len(self.nodes) + 1, coefficients.shape[1]))
        own[:-1] = coefficients[self._order]
        return own

    def _sum(self, own: Floats, points: Floats, shape: Shape) -> Floats:
        result = np.zeros((len(points), own.shape[1]))
        factors = _Factors(points, shape)
        for subspace in self._subspaces:
            found, weight = self._found(subspace, factors), None
            for axis in subspace.axes:
                value = factors.value(axis, subspace.level[axis])
                weight = value if weight is None else weight * value
            rows = own[found]
            result += rows if weight is None else rows * weight[:, None]
        return result

    def _slopes(self, own: Floats, points: Floats) -> Floats:
        result = np.zeros((len(points), self.dimensions, own.shape[1]))
        factors = _Factors(points, hat)
        for subspace in self._subspaces:
            rows = own[self._found(subspace, factors)]
            for axis in subspace.axes:
                weight = factors.slope(axis, subspace.level[axis])
                for other in subspace.axes:
                    weight = weight if other == axis else weight * factors.value(other, subspace.level[other])
                result[:, axis] += rows * weight[:, None]
        return result

    def _found(self, subspace: _Subspace, factors: _Factors) -> Places:
        number, stride = np.zeros(factors.count, dtype=np.int64), 1
        for axis in subspace.axes:  # the others have one node
            number += stride * factors.number(axis, subspace.level[axis])
            stride *= int(one.counts(np.array(subspace.level[axis])))
        return subspace.find(number, len(self.nodes))


def _subspaces(level: Places, number: Places, count: Places) -> Iterator[_Subspace]:
    if not len(level):
        return
    ends = [*(np.flatnonzero((level[1:] != level[:-1]).any(axis=1)) + 1), len(level)]
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        own, size = number[begin:end], int(count[begin].prod())
        levels = tuple(int(value) for value in level[begin])
        whole = None
        if len(own) < size <= SPARE * (len(own) + SPARE):
            whole = np.full(size, -1, dtype=np.int64)
            whole[own] = np.arange(len(own))
        axes = tuple(axis for axis, value in enumerate(levels) if value > 1)
        yield _Subspace(levels, axes, int(begin), own if len(own) < size else None, whole)


class _Factors:
    """Of some points: in each dimension and on each level the number of the node whose function is not zero there."""

    def __init__(self, points: Floats, shape: Shape) -> None:
        self.count = len(points)
        self._points, self._shape = np.ascontiguousarray(points.T), shape
        self._known: dict[tuple[int, int], tuple[Places, Floats]] = {}
        self._values: dict[tuple[int, int], Floats] = {}

    def number(self, axis: int, level: int) -> Places:
        """Return the numbers (m,) on a level above 1."""
        return self._place(axis, level)[0]

    def value(self, axis: int, level: int) -> Floats:
        """Return the values (m,) of the functions."""
        if (axis, level) not in self._values:
            t = self._place(axis, level)[1]
            # the functions at the ends of the interval are halves of a hat; bumps of these bound all that is below
            own = hat(t) if self._shape is hat else (self._shape(t) if level > 2 else np.ones_like(t))
            self._values[axis, level] = own
        return self._values[axis, level]

    def slope(self, axis: int, level: int) -> Floats:
        """Return the derivatives (m,) of hats."""
        t = self._place(axis, level)[1]
        return np.where(t < 0.5, 1.0, -1.0) * (2.0 if level == 2 else 2.0 ** (level - 1))

    def _place(self, axis: int, level: int) -> tuple[Places, Floats]:
        """Return the numbers, and the place within the support, in [0, 1]."""
        if (axis, level) not in self._known:
            x = self._points[axis]
            if level == 2:
                number = (x > 0.5).astype(np.int64)
                t = np.where(x > 0.5, x - 0.5, x + 0.5)
            else:
                size = 2 ** (level - 2)
                number = np.minimum((x * size).astype(np.int64), size - 1)
                t = x * size - number
            self._known[axis, level] = number, t
        return self._known[axis, level]


@dataclass(frozen=True)
class SparseGrid:
    """Values at nodes, and the function that goes through them.

    Every ancestor of a node is a node, so a surplus does not change when nodes are added.

    Attributes
    ----------
    basis : the functions of the nodes.
    surplus : (n, k) of the nodes.
    """

    basis: Basis
    surplus: Floats

    @classmethod
    def empty(cls, dimensions: int, columns: int) -> SparseGrid:
        """Return a grid without nodes: zero."""
        return cls(Basis(np.zeros((0, dimensions), dtype=np.int32)), np.zeros((0, columns)))

    @property
    def nodes(self) -> Nodes:
        """The nodes (n, d)."""
        return self.basis.nodes

    def __call__(self, points: Floats) -> Floats:
        """Return the function (m, k) at points (m, d) in the cube."""
        return self.basis.sum(self.surplus, points)

    def slopes(self, points: Floats) -> Floats:
        """Return its derivatives (m, d, k)."""
        return self.basis.slopes(self.surplus, points)

    def extended(self, nodes: Nodes, values: Floats) -> SparseGrid:
        """Return the grid with more nodes (m, d), of which it has none yet, and the values (m, k) there."""
        found, height = self, one.levels(nodes).sum(axis=1)
        for sum_of_levels in np.unique(height):  # functions vanish at all other nodes with the same sum
            chosen = height == sum_of_levels
            surplus = values[chosen] - found(one.unit(nodes[chosen]))
            basis = Basis(np.concatenate([found.nodes, nodes[chosen]]))
            found = SparseGrid(basis, np.concatenate([found.surplus, surplus]))
        return found
