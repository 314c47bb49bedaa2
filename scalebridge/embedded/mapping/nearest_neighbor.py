"""Nearest-neighbour mapping, first order, and its second-order variant with gradients.

Consistent: a target vertex takes the value of the nearest source vertex. Conservative: a source vertex gives its value
to the nearest target vertex, where values add up. With gradients: f(x) = f(x_i) + grad f(x_i) . (x - x_i).
de Boer, van Zuijlen, Bijl, Comput. Methods Appl. Mech. Engrg. 196 (2007) 1515-1525.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from scalebridge.embedded.mapping import Floats, Integers, MappingError, MeshGeometry
from scalebridge.embedded.mapping.settings import MappingConfig


class NearestSearch:
    """Finds nearest vertices; of several that are equally near, the one with the lowest index.

    Both point sets are put in the order of a coarse grid first: neighbours in space are then neighbours in memory,
    which makes building and searching the tree three times as fast for a million unordered points.
    """

    def __init__(self, vertices: Floats) -> None:
        if len(vertices) == 0:
            raise MappingError("a nearest neighbour is asked for in a mesh without vertices")
        self._original = grid_order(vertices)
        self._tree = cKDTree(vertices[self._original], balanced_tree=False, compact_nodes=False)

    def nearest(self, points: Floats) -> Integers:
        """Return for each of the points (m, dim) the index of the nearest vertex, (m,)."""
        order = grid_order(points)
        result = np.empty(len(points), dtype=np.int64)
        result[order] = self._nearest(points[order], 2)
        return result

    def _nearest(self, points: Floats, count: int) -> Integers:
        """Return the lowest index among the nearest of `count` candidates, of more where all candidates are tied."""
        distance, index = self._tree.query(points, k=np.arange(1, min(count, self._tree.n) + 1), workers=-1)
        result = self._original[index[:, 0]]
        limit = distance[:, 0] * (1.0 + 4.0 * np.finfo(float).eps)
        several = np.flatnonzero(distance[:, 1] <= limit) if distance.shape[1] > 1 else []
        if len(several):
            tied = distance[several] <= limit[several, None]
            result[several] = np.where(tied, self._original[index[several]], self._tree.n).min(axis=1)
            if count < self._tree.n and tied[:, -1].any():
                all_tied = several[tied[:, -1]]
                result[all_tied] = self._nearest(points[all_tied], 4 * count)
        return result


def grid_order(points: Floats) -> Integers:
    """Return an order of the points (m, dim) in which neighbours in space follow each other, (m,)."""
    if len(points) == 0:
        return np.empty(0, dtype=np.int64)
    dimensions = points.shape[1]
    cells = int(65536 ** (1.0 / dimensions))  # so that the key fits 16 bits, which NumPy sorts in linear time
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    extent[extent == 0.0] = 1.0
    key = np.zeros(len(points), dtype=np.int32)
    for axis in range(dimensions):
        key *= cells
        key += ((points[:, axis] - low[axis]) * ((cells - 0.001) / extent[axis])).astype(np.int32)
    return np.argsort(key.astype(np.uint16), kind="stable")


@dataclass(frozen=True)
class _Take:
    """values -> values[index]"""

    index: Integers

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        return values[self.index]


@dataclass(frozen=True)
class SparseProduct:
    """values -> matrix @ values, with a sparse matrix (n_target, n_source)."""

    matrix: sparse.csr_array

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        return np.asarray(self.matrix @ values)


class NearestNeighbor:
    """Nearest neighbours between two meshes, or of points given just in time."""

    def __init__(self, config: MappingConfig) -> None:
        self.conservative = config.constraint == "conservative"

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> _Take | SparseProduct:
        """Search the nearest neighbours once."""
        if not self.conservative:
            return _Take(NearestSearch(source.vertices).nearest(target.vertices))
        index = NearestSearch(target.vertices).nearest(source.vertices)
        return SparseProduct(gather_matrix(index, len(target.vertices)))

    def prepare_reader(self, source: MeshGeometry) -> NearestReader:
        """Prepare reading at points."""
        return NearestReader(NearestSearch(source.vertices))

    def prepare_writer(self, target: MeshGeometry) -> NearestWriter:
        """Prepare writing at points."""
        return NearestWriter(NearestSearch(target.vertices), len(target.vertices))


def gather_matrix(index: Integers, rows: int) -> sparse.csr_array:
    """Return the matrix (rows, len(index)) that adds entry i of a vector to row index[i]."""
    columns = np.arange(len(index))
    return sparse.csr_array((np.ones(len(index)), (index, columns)), shape=(rows, len(index)))


@dataclass(frozen=True)
class NearestReader:
    """Reads the value of the nearest vertex."""

    search: NearestSearch

    def coefficients(self, values: Floats) -> Floats:
        """Return the values themselves."""
        return values

    def evaluate(self, points: Floats, coefficients: Floats) -> Floats:
        """Return the values (m, components) at the points (m, dim)."""
        return coefficients[self.search.nearest(points)]


@dataclass(frozen=True)
class NearestWriter:
    """Adds values to the nearest vertex."""

    search: NearestSearch
    size: int

    def start(self, components: int) -> Floats:
        """Return zeros (n, components)."""
        return np.zeros((self.size, components))

    def add(self, points: Floats, values: Floats, collected: Floats) -> None:
        """Add the values (m, components) at the points (m, dim)."""
        np.add.at(collected, self.search.nearest(points), values)

    def finish(self, collected: Floats) -> Floats:
        """Return what was collected."""
        return collected


class NearestNeighborGradient:
    """Nearest neighbours with a linear correction by the gradient of the source data."""

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> _Expand:
        """Search the nearest neighbours and keep the offsets to them."""
        index = NearestSearch(source.vertices).nearest(target.vertices)
        return _Expand(index, target.vertices - source.vertices[index])


@dataclass(frozen=True)
class _Expand:
    index: Integers
    offsets: Floats  # (n_target, dim)

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        if gradients is None:
            raise MappingError("nearest-neighbor-gradient needs the gradients of the data it maps")
        return values[self.index] + np.einsum("ncd,nd->nc", gradients[self.index], self.offsets)
