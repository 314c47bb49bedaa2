"""Nearest-neighbour mapping, first order, and its second-order variant with gradients.

Consistent: a target vertex takes the value of the nearest source vertex. Conservative: a source vertex gives its value
to the nearest target vertex, where values add up. With gradients: f(x) = f(x_i) + grad f(x_i) . (x - x_i).
de Boer, van Zuijlen, Bijl, Comput. Methods Appl. Mech. Engrg. 196 (2007) 1515-1525.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scalebridge.embedded.mapping import Floats, Integers, MappingError, MeshGeometry
from scalebridge.embedded.mapping.search import NearestSearch
from scalebridge.embedded.mapping.settings import MappingConfig
from scalebridge.embedded.mapping.sparse_product import SparseProduct


@dataclass(frozen=True)
class _Take:
    """values -> values[index]"""

    index: Integers

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        return values[self.index]


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
        return np.asarray(values[self.index] + np.einsum("ncd,nd->nc", gradients[self.index], self.offsets))
