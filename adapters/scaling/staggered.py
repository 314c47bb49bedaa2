"""A periodic staggered grid full of fluid, and the points of it that walls hold, for a batch of volumes.

Velocities stand on the lower faces of the cells, the vector potential on their lower edges (in 2-D the stream function
on their lower corners); lengths are in units of the longest edge of the volume.
"""

from __future__ import annotations

import math

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# Brake on the mean velocity, and what the preconditioner adds to the Laplacian of the solid, over the longest edge
# squared: as much as K^-1 of a loose and of a denser array of grains.
ALPHA = 10.0
BETA = 30.0


class Grid:
    """A periodic staggered grid: velocities on lower faces, the vector potential on lower edges (corners in 2-D)."""

    def __init__(self, shape: tuple[int, ...], size: tuple[float, ...]) -> None:
        self.shape, self.dimension, self.cells = shape, len(shape), math.prod(shape)
        self.spacing = tuple(length / count for length, count in zip(size, shape, strict=True))
        # Permeability of a channel one cell wide, or thereabouts: what is much less is nothing.
        self.least = min(self.spacing) ** (self.dimension + 1) / 12
        self.strides = np.array([math.prod(shape[axis + 1 :]) for axis in range(self.dimension)])
        # curl: for every component its terms (axis of the difference, edge field, sign).
        self.curl: tuple[tuple[tuple[int, int, float], ...], ...]
        if self.dimension == 2:
            self.edges, self.curl = 1, (((1, 0, 1.0),), ((0, 0, -1.0),))
        else:
            self.edges = 3
            self.curl = tuple(
                (((i + 1) % 3, (i + 2) % 3, 1.0), ((i + 2) % 3, (i + 1) % 3, -1.0)) for i in range(self.dimension)
            )
        symbol = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
        for axis, (count, h) in enumerate(zip(shape, self.spacing, strict=True)):
            waves = np.arange(symbol.shape[axis])
            eigenvalues = (2 / h * np.sin(np.pi * waves / count)) ** 2
            symbol += eigenvalues.reshape([-1 if a == axis else 1 for a in range(self.dimension)])
        symbol.flat[0] = np.inf  # the mean has no potential
        self.inverse = symbol**-2

    def potential(self, vorticity: Array) -> Array:
        """Return the vector potential of the velocity for the curl of the force; both (rows, edges * cells)."""
        axes = tuple(range(1, 1 + self.dimension))
        spectrum = scipy.fft.rfftn(vorticity.reshape(-1, *self.shape), axes=axes)
        spectrum *= self.inverse
        return scipy.fft.irfftn(spectrum, s=self.shape, axes=axes, overwrite_x=True).reshape(vorticity.shape)

    def velocity(self, potential: Array, mean: Array) -> Array:
        """Return the velocity (rows, d, *cells) of a potential (rows, edges * cells) and with a mean (rows, d)."""
        psi = potential.reshape(-1, self.edges, *self.shape)
        result = np.empty((len(psi), self.dimension, *self.shape))
        result[:] = mean.reshape(*mean.shape, *(1,) * self.dimension)
        for component, terms in enumerate(self.curl):
            for axis, edge, sign in terms:
                difference = np.roll(psi[:, edge], -1, 1 + axis) - psi[:, edge]
                result[:, component] += difference * (sign / self.spacing[axis])
        return result

    def neighbours(self, where: Indices, axis: int | Indices) -> tuple[Indices, Indices]:
        """Return the flat indices of the next and of the previous cell along `axis` of the cells at `where`."""
        stride, count = self.strides[axis], np.array(self.shape)[axis]
        place = where // stride % count
        up = where + np.where(place == count - 1, (1 - count) * stride, stride)
        down = where + np.where(place == 0, (count - 1) * stride, -stride)
        return up, down


class Held:
    """The points of some volumes that a wall holds, and the operators on forces there, (d load cases, points).

    There are some of every component in every volume.
    """

    def __init__(self, grid: Grid, resistance: Array) -> None:
        self.grid, self.volumes = grid, len(resistance)
        d = grid.dimension
        self.where = np.flatnonzero(resistance > 0)  # sorted by volume, component, cell
        group = self.where // grid.cells  # of points of one component in one volume
        self.per_group = np.bincount(group, minlength=self.volumes * d)
        self.per_volume = self.per_group.reshape(-1, d).sum(axis=1)
        self.starts = np.cumsum(self.per_volume) - self.per_volume
        self.component = group % d
        self.compliance = 1 / resistance.reshape(-1)[self.where]
        self.group_starts = np.cumsum(self.per_group) - self.per_group
        self.curl = self._curl(group // d)
        self.curl_transposed = self.curl.T
        self.preconditioner = self._preconditioner(resistance.size)

    def _curl(self, volume: Indices) -> scipy.sparse.csr_array:
        """Return the velocities at the points for a potential (volumes * edges * cells,)."""
        grid, cell = self.grid, self.where % self.grid.cells
        terms = len(grid.curl[0])
        columns, values = np.empty((len(cell), 2 * terms), dtype=np.int64), np.empty((len(cell), 2 * terms))
        for term in range(terms):
            axes, edges, signs = (np.array([row[term][part] for row in grid.curl]) for part in range(3))
            axis = axes[self.component].astype(np.intp)
            base = (volume * grid.edges + edges[self.component].astype(np.intp)) * grid.cells
            columns[:, 2 * term] = base + grid.neighbours(cell, axis)[0]
            columns[:, 2 * term + 1] = base + cell
            values[:, 2 * term] = signs[self.component] / np.array(grid.spacing)[axis]
            values[:, 2 * term + 1] = -values[:, 2 * term]
        return _sparse(values, columns, self.volumes * grid.edges * grid.cells)

    def _preconditioner(self, faces: int) -> scipy.sparse.csr_array:
        """Return the Laplacian between the points; links to points whose wall gives way are weak."""
        d, points = self.grid.dimension, len(self.where)
        number = np.full(faces, -1, dtype=np.int64)
        number[self.where] = np.arange(points)
        columns, links = np.empty((points, 1 + 2 * d), dtype=np.int64), np.zeros((points, 1 + 2 * d))
        columns[:, 0] = np.arange(points)
        for axis, h in enumerate(self.grid.spacing):
            for side, there in enumerate(self.grid.neighbours(self.where, axis)):
                found = number[there]
                linked = found >= 0
                column = 1 + 2 * axis + side
                columns[:, column] = np.where(linked, found, columns[:, 0])
                links[:, column] = linked * h**-2
        firm = 1 / (1 + self.compliance * links.sum(axis=1))
        values = -links * firm[:, None] * firm[columns]
        values[:, 0] = BETA / (1 + BETA * self.compliance) - values.sum(axis=1)
        return _sparse(values, columns, points)

    def potential(self, forces: Array) -> Array:
        """Return the potential of the velocities that forces drive, (d, volumes * edges * cells)."""
        vorticity = np.stack([self.curl_transposed @ row for row in forces])
        return self.grid.potential(vorticity)

    def mean(self, forces: Array) -> Array:
        """Return the mean velocities that forces drive against the brake, (d, volumes * components)."""
        return np.asarray(np.add.reduceat(forces, self.group_starts, axis=1) / (ALPHA * self.grid.cells))

    def apply(self, forces: Array) -> Array:
        """Return the velocities that forces drive at the points, and what gives way there to them."""
        potential, mean = self.potential(forces), np.repeat(self.mean(forces), self.per_group, axis=1)
        result = np.stack([self.curl @ row for row in potential])
        result += mean
        result += self.compliance * forces
        return result

    def precondition(self, velocities: Array) -> Array:
        return np.stack([self.preconditioner @ row for row in velocities])

    def free(self) -> Array:
        """Return the velocities of the load cases at the points without any force of the wall, (d, points)."""
        return np.asarray((self.component == np.arange(self.grid.dimension)[:, None]) / ALPHA)

    def dot(self, one: Array, other: Array) -> Array:
        """Return the products (d, volumes), per cell."""
        products = np.add.reduceat(one * other, self.starts, axis=1)
        return np.asarray(products / self.grid.cells)

    def products(self, one: Array, other: Array) -> Array:
        """Return the products of all load cases with all others (volumes, d, d), per cell."""
        pairs = np.stack([np.add.reduceat(one * row, self.starts, axis=1) for row in other], axis=-1)
        return np.asarray(pairs.swapaxes(0, 1) / self.grid.cells)

    def spread(self, values: Array) -> Array:
        """Return values per load case and volume (d, volumes) at all points (d, points)."""
        return np.asarray(np.repeat(values, self.per_volume, axis=1))


def _sparse(values: Array, columns: NDArray[np.generic], width: int) -> scipy.sparse.csr_array:
    """Return the matrix with these values in these columns, (rows, values in a row)."""
    starts = np.arange(len(values) + 1, dtype=np.int32) * np.int32(values.shape[1])
    parts = (values.reshape(-1), columns.reshape(-1).astype(np.int32), starts)
    return scipy.sparse.csr_array(parts, shape=(len(values), width))
