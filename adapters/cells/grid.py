"""Strains on a regular grid, the forces that balance stresses there, and the inverse of a homogeneous solid.

Displacements live on the nodes of the grid, and there is one strain for each grid cell, that in its middle. These are
the trilinear (bilinear) finite elements with one integration point, which in Fourier space is the rotated scheme of
F. Willot, C. R. Mecanique 343, 232 (2015). One constraint of volume for two or three displacements does not lock, a
straight band of shear along a diagonal is represented exactly, and no strain rings at an interface. Displacements that
alternate like a chequerboard have no strain, and no force does work on them: they are left at what they are.

The strain is the derivative of a displacement and the force its exact transpose, so <stress : strain> of the
fluctuation is force . displacement: Hill-Mandel holds as far as the forces vanish.

Arrays have their components first: displacements (d, n, m, N), strains and stresses (s, n, m, N), for n cells under m
load cases, one column per node or grid cell. Components of strains are xx, yy, 2 xy in two dimensions and xx, yy, zz,
2 yz, 2 xz, 2 xy in three, those of stresses have no 2. Displacements are in units of 2^(d-1) edges of a grid cell.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[Any]  # in double precision or in single

BOUNDARIES = ("periodic", "uniform-strain", "uniform-stress")
# Components of a symmetric tensor in the order of their vector.
PAIRS = {2: ((0, 0), (1, 1), (0, 1)), 3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))}


class Grid:
    """The grid of a cell, and what its boundary does.

    Attributes
    ----------
    cells : grid cells along each axis; all of them are squares or cubes.
    nodes : nodes along each axis, (N,) in all; also how many grid cells the arrays have.
    boundary : "periodic"; "uniform-strain" where the fluctuation is zero on the boundary, so that its displacement is
        linear; "uniform-stress" where it is free but for the mean strain, and the tractions are those of the mean
        stress. For the last the arrays have one more layer of grid cells along each axis, which must have no stress.
    """

    def __init__(self, cells: tuple[int, ...], boundary: str = "periodic") -> None:
        self.cells, self.boundary = cells, boundary
        self.dimension = len(cells)
        self.pairs = PAIRS[self.dimension]
        self.free = boundary == "uniform-stress"
        self.nodes = tuple(n + 1 for n in cells) if self.free else cells
        self.size = math.prod(self.nodes)
        self.inside = self.pad(np.ones((1, *cells)))[0]
        self.fixed = self._boundary() if boundary == "uniform-strain" else None
        self._symbols()

    def pad(self, field: Array, value: float = 0.0) -> Array:
        """Return values (..., *cells) as (..., N), with `value` in the layer outside of the cell."""
        outside = [(0, 0)] * (field.ndim - self.dimension) + [(0, 1)] * self.dimension
        padded = np.pad(field, outside, constant_values=value) if self.free else field
        return padded.reshape(*padded.shape[: -self.dimension], self.size)

    def crop(self, field: Array) -> Array:
        """Return the values (..., *cells) of (..., N)."""
        whole = field.reshape(*field.shape[:-1], *self.nodes)
        inside: tuple[Any, ...] = (..., *(slice(n) for n in self.cells))
        return whole[inside] if self.free else whole

    def slot(self, i: int, j: int) -> int:
        """Return where the component ij of a symmetric tensor is in its vector."""
        return self.pairs.index((min(i, j), max(i, j)))

    def mean(self, field: Array) -> Array:
        """Return the mean over the cell (...) of values (..., N), which are zero outside of it."""
        return np.asarray(field.sum(axis=-1)) / math.prod(self.cells)

    def strain(self, u: Array) -> Array:
        """Return the strains (s, n, m, N) of displacements (d, n, m, N)."""
        result = np.empty((len(self.pairs), *u.shape[1:]), dtype=u.dtype)
        gradients = self._gradient(np.ascontiguousarray(u), 0)
        for slot, (i, j) in enumerate(self.pairs):
            if i == j:
                result[slot] = gradients[i][i]
            else:
                np.add(gradients[i][j], gradients[j][i], out=result[slot])
        if self.free:
            self._deviate(result)
        return result

    def force(self, stress: Array) -> Array:
        """Return the forces (d, n, m, N) of stresses (s, n, m, N) on the nodes: the transpose of `strain`.

        Where the stress is uniform on the boundary, `stress` is changed.
        """
        d = self.dimension
        if self.free:
            self._deviate(stress)
        result = np.empty((d, *stress.shape[1:]), dtype=stress.dtype)
        for i in range(d):
            result[i] = self._divergence([stress[self.slot(i, j)] for j in range(d)], 0)
        if self.fixed is not None:
            result[..., self.fixed] = 0
        return result

    def precondition(self, force: Array, ratio: Array) -> Array:
        """Return the displacements (d, n, m, N) of a homogeneous solid with the shear modulus 1 under `force`.

        ratio : (n, 1, 1) of the Lamé constants lambda and mu of the solid.
        """
        d, axes = self.dimension, tuple(range(1, 1 + self.dimension))
        shape = (-1, *self.nodes)
        spectrum = scipy.fft.rfftn(force.reshape(shape), axes=axes)
        plain = spectrum.view(force.dtype).reshape(d, *force.shape[1:3], -1)
        compliance, direction = self.symbols[force.dtype]
        along = plain[0] * direction[0]
        for i in range(1, d):
            along += plain[i] * direction[i]
        along *= (ratio + 1) / (ratio + 2)
        plain *= compliance
        for i in range(d):
            plain[i] -= along * direction[i]
        u = scipy.fft.irfftn(spectrum, s=self.nodes, axes=axes, overwrite_x=True).reshape(force.shape)
        if self.fixed is not None:
            u[..., self.fixed] = 0
        return np.asarray(u)

    def _gradient(self, u: Array, axis: int) -> list[Array]:
        """Return the derivatives of u (..., N) along `axis` and those behind it."""
        if axis == self.dimension - 1:
            return [self._up(np.subtract, u, axis)]
        first = self._up(np.subtract, u, axis)
        for later in range(axis + 1, self.dimension):
            first = self._up(np.add, first, later)
        return [first, *self._gradient(self._up(np.add, u, axis), axis + 1)]

    def _divergence(self, flux: list[Array], axis: int) -> Array:
        """Return the transpose of `_gradient` times its parts."""
        if axis == self.dimension - 1:
            return self._down(np.subtract, flux[0], axis)
        first = flux[0]
        for later in range(axis + 1, self.dimension):
            first = self._down(np.add, first, later)
        result = self._down(np.add, self._divergence(flux[1:], axis + 1), axis)
        result += self._down(np.subtract, first, axis)
        return result

    def _up(self, operation: np.ufunc, u: Array, axis: int) -> Array:
        """Return operation(u at the next node along axis, u), periodic."""
        # One pass over flat arrays is several times faster than slices of short rows; it is wrong only in the last
        # layer along the axis, which is then put right.
        out, stride = np.empty_like(u), math.prod(self.nodes[axis + 1 :])
        flat = u.reshape(-1)
        operation(flat[stride:], flat[:-stride], out=out.reshape(-1)[:-stride])
        layers = u.reshape(-1, self.nodes[axis], stride)
        operation(layers[:, 0], layers[:, -1], out=out.reshape(layers.shape)[:, -1])
        return out

    def _down(self, operation: np.ufunc, u: Array, axis: int) -> Array:
        """Return operation(u in the previous grid cell along axis, u), periodic."""
        out, stride = np.empty_like(u), math.prod(self.nodes[axis + 1 :])
        flat = u.reshape(-1)
        operation(flat[:-stride], flat[stride:], out=out.reshape(-1)[stride:])
        layers = u.reshape(-1, self.nodes[axis], stride)
        operation(layers[:, -1], layers[:, 0], out=out.reshape(layers.shape)[:, 0])
        return out

    def _deviate(self, field: Array) -> None:
        """Take the mean over the cell off a field (..., N), and what is outside of the cell."""
        field *= self.inside
        field -= self.mean(field)[..., None]
        field *= self.inside

    def _boundary(self) -> NDArray[np.intp]:
        """Return the numbers of the nodes on the boundary: those with an index 0, as the grid closes on itself."""
        fixed = np.zeros(self.nodes, dtype=bool)
        for axis in range(self.dimension):
            np.moveaxis(fixed, axis, 0)[0] = True
        return np.flatnonzero(fixed)

    def _symbols(self) -> None:
        """Find 1/|k|^2 and k/|k|^2 for the symbol k of the derivatives, 0 where k is; twice, for complex numbers."""
        d, shape = self.dimension, self.nodes
        angles = [np.pi * np.fft.fftfreq(n) for n in shape[:-1]] + [np.pi * np.arange(shape[-1] // 2 + 1) / shape[-1]]
        mesh = np.meshgrid(*angles, indexing="ij")
        k = np.stack(
            [np.prod([2 * (np.sin if j == i else np.cos)(mesh[j]) for j in range(d)], axis=0) for i in range(d)]
        )
        square = (k**2).sum(axis=0)
        inverse = np.divide(1, square, out=np.zeros_like(square), where=square > 1e-12)
        both = np.repeat(inverse.reshape(-1), 2), np.repeat((k * inverse).reshape(d, -1), 2, axis=1)
        self.symbols = {np.dtype(t): tuple(symbol.astype(t) for symbol in both) for t in (np.float64, np.float32)}
