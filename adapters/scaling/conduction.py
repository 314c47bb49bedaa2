"""The periodic cell problem of conduction, for a batch of volumes and all load cases at once.

    div(k (e_j + grad chi_j)) = 0,   chi_j periodic,   K_jl = <(e_j + grad chi_j) . k (e_l + grad chi_l)>

k [W/(m K)] conductivity (or any other coefficient of a flux), chi_j [m] corrector of load case j, K effective tensor.

Finite volumes on a regular grid, one unknown per cell; the coefficient of a face is the harmonic mean of its two cells
(S. V. Patankar, Numerical Heat Transfer and Fluid Flow, 1980, section 4.2-3), which is exact for layers along the axes,
and zero beside an insulating cell; of a smooth coefficient the arithmetic mean is nearer. Conjugate
gradients, preconditioned by the inverse of the constant-coefficient operator through the FFT: the number of iterations
depends on the contrast of k, not on the grid. Where k is smooth and
its contrast large (a phase field), that operator is scaled by the square root of k from both sides (P. Concus and
G. H. Golub, SIAM J. Numer. Anal. 10, 1103 (1973)), and the number of iterations does not depend on the contrast either.
Where k is zero, the operator has a null space that neither the right-hand side nor the energy sees, and conjugate
gradients converge in its complement, again independently of the grid where the pores are resolved.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from adapters.micro import MicroError

Array = NDArray[np.float64]

# Values per work array of one chunk of the batch: about six such arrays stay in a core's second-level cache.
CHUNK = 32768
# The error is relative to the largest diagonal entry of K, but never to less than this share of the mean of k: where
# nothing percolates K is zero.
FLOOR = 1e-4
# An error that is extrapolated from the pace of the last iterations is taken this much larger than it looks.
SAFETY = 4
# A coefficient is smooth where its contrast exceeds the square of its largest jump between neighbours this many times;
# two phases side by side never do, ten cells across an interface do.
SMOOTH = 10


class NotConverged(MicroError):
    """The cell problems of some volumes did not reach the tolerance; told are the numbers of the worst of them."""

    def __init__(self, rows: ArrayLike, iterations: int, error: float, contrast: float) -> None:
        message = (
            f"the cell problem has not converged after {iterations} iterations: estimated relative error "
            f"{error:.2g}, contrast of its coefficients {contrast:.3g}"
        )
        super().__init__(rows, message)


@dataclass(frozen=True)
class Solution:
    """Effective tensors (n, d, d), correctors (n, d, *cells) [m], iterations spent on each volume (n,)."""

    tensor: Array
    correctors: Array
    iterations: NDArray[np.int64]


def faces(k: Array, mean: str = "harmonic") -> Array:
    """Return the coefficients of the upper faces of all cells: (n, *cells) -> (n, d, *cells), means of both sides."""
    between = MEANS[mean]
    result = np.empty((k.shape[0], k.ndim - 1, *k.shape[1:]))
    for axis in range(k.ndim - 1):
        cell, face = np.moveaxis(k, 1 + axis, 0), np.moveaxis(result[:, axis], 1 + axis, 0)
        between(cell[:-1], cell[1:], face[:-1])
        between(cell[-1:], cell[:1], face[-1:])
    return result


def _harmonic(a: Array, b: Array, out: Array) -> None:
    """out = 2 a b / (a + b), zero where both are zero."""
    total = a + b
    np.multiply(a, b, out=out)
    out *= 2
    if not total.all():
        total[total == 0] = 1
    out /= total


def _arithmetic(a: Array, b: Array, out: Array) -> None:
    """out = (a + b) / 2."""
    np.add(a, b, out=out)
    out /= 2


MEANS = {"harmonic": _harmonic, "arithmetic": _arithmetic}


def solve(
    coefficients: Array,
    size: tuple[float, ...],
    guess: Array | None = None,
    tolerance: float = 1e-8,
    iterations: int = 1000,
    threads: int = 1,
) -> Solution:
    """Solve the cell problems of a batch of volumes.

    Parameters
    ----------
    coefficients : (n, d, *cells) coefficients of the upper faces, from `faces`; finite and not negative.
    size : d edge lengths of the volume [m].
    guess : (n, d, *cells) correctors to start from [m]; zero if None.
    tolerance : estimated error of the tensor, relative to its largest diagonal entry. The tensor is an energy, so its
        error is the square of the relative error of the gradients.
    iterations : most iterations per volume.
    threads : chunks of the batch that are worked on at the same time; the result does not depend on it.

    Raises
    ------
    NotConverged
        Names the volumes that did not reach the tolerance, of the first chunk of the batch in which there are any.
    """
    n, cells = coefficients.shape[0], coefficients.shape[2:]
    grid = _Grid(cells, size)
    volumes = max(1, CHUNK // (grid.dimension * grid.cells))
    correctors = np.zeros_like(coefficients) if guess is None else guess.copy()
    result = Solution(np.empty((n, grid.dimension, grid.dimension)), correctors, np.zeros(n, dtype=np.int64))

    def work(first: int) -> None:
        rows = slice(first, first + volumes)
        chunk = _Chunk(grid, coefficients[rows], correctors[rows], first)
        result.iterations[rows] = chunk.run(tolerance, iterations)
        result.tensor[rows] = energy(coefficients[rows], correctors[rows], size)

    if threads == 1:
        for first in range(0, n, volumes):
            work(first)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(0, n, volumes)))
    return result


def energy(coefficients: Array, correctors: Array, size: tuple[float, ...]) -> Array:
    """Return K (n, d, d) = <(e_j + grad chi_j) . k (e_l + grad chi_l)>: symmetric, with the square of chi's error."""
    n, d = coefficients.shape[:2]
    cells = coefficients.shape[2:]
    grid = _Grid(cells, size)
    result = np.zeros((n, d, d))
    rows = correctors.reshape(n * d, grid.cells)
    gradient = np.empty_like(rows)
    for axis in range(d):
        grid.forward(rows, axis, gradient)
        gradient /= grid.spacing[axis]
        field = gradient.reshape(n, d, grid.cells)
        field[:, axis] += 1
        flux = field * coefficients[:, axis].reshape(n, 1, grid.cells)
        result += flux @ field.transpose(0, 2, 1)
    result /= grid.cells
    return (result + result.transpose(0, 2, 1)) / 2


class _Grid:
    """Differences on a periodic grid and the inverse of its constant-coefficient operator, for rows of flat cells."""

    def __init__(self, shape: tuple[int, ...], size: tuple[float, ...]) -> None:
        self.shape = shape
        self.dimension = len(shape)
        self.cells = math.prod(shape)
        self.spacing = tuple(length / count for length, count in zip(size, shape, strict=True))
        symbol = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
        for axis, (count, h) in enumerate(zip(shape, self.spacing, strict=True)):
            waves = np.arange(symbol.shape[axis])
            eigenvalues = (2 / h * np.sin(np.pi * waves / count)) ** 2
            symbol += eigenvalues.reshape([-1 if a == axis else 1 for a in range(self.dimension)])
        # The mean of a corrector is of no consequence, but a scaled residual has a mean: any positive value will do.
        symbol.flat[0] = 1 if self.cells == 1 else np.delete(symbol.flat, 0).min()
        self.inverse = 1 / symbol

    def forward(self, u: Array, axis: int, out: Array) -> None:
        """out = u(next cell along axis) - u, periodic; u and out: (rows, cells), contiguous."""
        # One pass over the flat arrays is several times faster than slices of short rows; it is wrong only in the last
        # layer along the axis, which is then put right.
        stride = math.prod(self.shape[axis + 1 :])
        np.subtract(u.reshape(-1)[stride:], u.reshape(-1)[:-stride], out=out.reshape(-1)[:-stride])
        layers, result = self._layers(u, axis), self._layers(out, axis)
        np.subtract(layers[:, 0], layers[:, -1], out=result[:, -1])

    def add_backward(self, q: Array, axis: int, out: Array) -> None:
        """out += q - q(previous cell along axis), periodic; q and out: (rows, cells), contiguous."""
        stride = math.prod(self.shape[axis + 1 :])
        out += q
        layers, result = self._layers(q, axis), self._layers(out, axis)
        first = result[:, 0] - layers[:, -1]
        out.reshape(-1)[stride:] -= q.reshape(-1)[:-stride]
        result[:, 0] = first

    def _layers(self, u: Array, axis: int) -> Array:
        return u.reshape(-1, self.shape[axis], math.prod(self.shape[axis + 1 :]))

    def precondition(self, r: Array) -> Array:
        """Return the solution of the problem with constant coefficient 1 and right-hand side r: (rows, cells)."""
        axes = tuple(range(1, 1 + self.dimension))
        spectrum = scipy.fft.rfftn(r.reshape(-1, *self.shape), axes=axes)
        spectrum *= self.inverse
        return scipy.fft.irfftn(spectrum, s=self.shape, axes=axes, overwrite_x=True).reshape(r.shape)


class _Chunk:
    """Preconditioned conjugate gradients for some volumes; those that have converged drop out of the work.

    Every work array has one row per volume and load case, and one column per cell.
    """

    def __init__(self, grid: _Grid, coefficients: Array, correctors: Array, first: int) -> None:
        self.grid, self.correctors, self.first = grid, correctors, first
        n, d = coefficients.shape[:2]
        self.volumes = np.arange(n)  # those that are worked on
        self.faces = coefficients.reshape(n, d, grid.cells)
        self.floor = FLOOR * self.faces.mean(axis=(1, 2))
        self.contrast, smooth = self._contrast()
        self.scaling = self._scaling(smooth) if smooth.any() else None
        highest = self.faces.max(axis=(1, 2))
        self.lowest = np.where(smooth | (highest == 0), 1, highest / self.contrast)
        self.sharp = ~smooth & (self.faces.min(axis=(1, 2)) > 0)
        self.x = correctors.reshape(n * d, grid.cells).copy()
        self.r, self.energy = self._residual()
        self.z = self._precondition()
        self.rho = np.vecdot(self.r, self.z)
        self.p = np.zeros_like(self.r)
        self.beta = np.zeros(n * d)
        self.gains = np.full((n * d, 4), np.inf)  # what the last iterations took off the energy, newest last

    def run(self, tolerance: float, most: int) -> NDArray[np.int64]:
        """Iterate until every volume has converged, write the correctors, return the iterations of each volume."""
        spent = np.zeros(len(self.volumes), dtype=np.int64)
        done = (error := self._error()) <= tolerance
        while not done.all():
            if (late := ~done & (spent[self.volumes] >= most)).any():
                worst = int(np.argmax(np.where(late, error, -np.inf)))
                volumes = self.first + self.volumes[late]
                raise NotConverged(volumes, most, float(error[worst]), float(self.contrast[worst]))
            if 4 * np.count_nonzero(done) >= len(done):
                self._drop(done)
                done = np.zeros(len(self.volumes), dtype=bool)
            spent[self.volumes[~done]] += 1
            self._iterate(~done)
            done |= (error := self._error()) <= tolerance
        self._drop(done)
        return spent

    def _iterate(self, going: NDArray[np.bool_]) -> None:
        """One step of conjugate gradients; volumes that are not `going` (n,) keep what they have."""
        self.p *= self.beta[:, None]
        self.p += self.z
        q = self._apply(self.p)
        curvature = np.vecdot(self.p, q)
        step = np.zeros_like(curvature)
        np.divide(self.rho, curvature, out=step, where=np.repeat(going, self.grid.dimension) & (curvature > 0))
        self.x += step[:, None] * self.p
        q *= step[:, None]
        self.r -= q
        gain = step * self.rho / self.grid.cells
        self.energy = self.energy - gain
        self.gains = np.concatenate([self.gains[:, 1:], gain[:, None]], axis=1)
        self.z = self._precondition()
        rho = np.vecdot(self.r, self.z)
        self.beta = np.divide(rho, self.rho, out=np.zeros_like(rho), where=self.rho > 0)
        self.rho = rho

    def _residual(self) -> tuple[Array, Array]:
        """Return the divergence of the flux (rows, cells) and the energies (rows,) of the correctors x."""
        grid, d = self.grid, self.grid.dimension
        r, gradient, energy = np.zeros_like(self.x), np.empty_like(self.x), np.zeros(len(self.x))
        for axis in range(d):
            grid.forward(self.x, axis, gradient)
            gradient /= grid.spacing[axis]
            gradient[axis::d] += 1
            flux = (gradient.reshape(-1, d, grid.cells) * self.faces[:, None, axis]).reshape(gradient.shape)
            energy += np.vecdot(flux, gradient) / grid.cells
            flux /= grid.spacing[axis]
            grid.add_backward(flux, axis, r)
        return r, energy

    def _apply(self, p: Array) -> Array:
        """Return -div(k grad p), (rows, cells)."""
        grid, d = self.grid, self.grid.dimension
        result, flux = np.zeros_like(p), np.empty_like(p)
        for axis in range(d):
            grid.forward(p, axis, flux)
            by_volume = flux.reshape(-1, d, grid.cells)
            by_volume *= self.faces[:, None, axis] * (-1 / grid.spacing[axis] ** 2)
            grid.add_backward(flux, axis, result)
        return result

    def _contrast(self) -> tuple[Array, NDArray[np.bool_]]:
        """Return the contrast of the positive coefficients of each volume, and whether they are smooth, (volumes,)."""
        axes = (1, 2)
        smallest = self.faces.min(axis=axes, initial=np.inf, where=self.faces > 0)
        contrast = np.maximum(self.faces.max(axis=axes) / smallest, 1)
        smooth = contrast > SMOOTH
        if smooth.any():
            jump = self._jump(self.faces[smooth])
            smooth[smooth] = contrast[smooth] > SMOOTH * jump**2
        return contrast, smooth

    def _jump(self, faces: Array) -> Array:
        """Return the largest ratio of positive neighbours along an axis, (volumes,), for faces (volumes, d, cells)."""
        jump = np.ones(len(faces))
        for axis in range(self.grid.dimension):
            layers = np.moveaxis(faces[:, axis].reshape(-1, *self.grid.shape), 1 + axis, 1)
            one, other = layers[:, :-1], layers[:, 1:]
            low, high = np.minimum(one, other), np.maximum(one, other)
            ratio = np.divide(high, low, out=np.ones_like(low), where=low > 0)
            jump = np.maximum(jump, ratio.max(axis=tuple(range(1, ratio.ndim)), initial=1))
        return jump

    def _scaling(self, smooth: NDArray[np.bool_]) -> Array:
        """Return what the preconditioner is scaled by from both sides, (volumes, cells): 1 where k is not `smooth`."""
        diagonal = np.zeros_like(self.faces[:, 0])
        for axis in range(self.grid.dimension):
            face = self.faces[:, axis].reshape(-1, *self.grid.shape)
            both = face + np.roll(face, 1, axis=1 + axis)
            diagonal += both.reshape(diagonal.shape) * (0.5 / self.grid.dimension)
        scaling = np.zeros_like(diagonal)
        np.divide(1, np.sqrt(diagonal), out=scaling, where=diagonal > 0)
        scaling[~smooth] = 1
        return scaling

    def _precondition(self) -> Array:
        """Return the preconditioned residual, (rows, cells)."""
        if self.scaling is None:
            return self.grid.precondition(self.r)
        by_volume = (-1, self.grid.dimension, self.grid.cells)
        scaled = (self.r.reshape(by_volume) * self.scaling[:, None]).reshape(self.r.shape)
        result = self.grid.precondition(scaled)
        result.reshape(by_volume)[...] *= self.scaling[:, None]
        return result

    def _error(self) -> Array:
        """Return an estimate of the relative error of each volume's tensor, (volumes,).

        The energy error is r . A^-1 r <= r . M^-1 r / c, where M is the preconditioner and c the lowest eigenvalue of
        M^-1 A. With M = L that is at least the smallest coefficient, and the bound is certain. With zeros or scaling c
        is not known: the smallest positive coefficient, or 1, is only near it, and the estimate is what the coming
        iterations will take off the energy, extrapolated from the slowest of the last four, kept within 1 to 10,000
        times that bound.
        """
        bound = (self.rho / self.grid.cells).reshape(-1, self.grid.dimension) / self.lowest[:, None]
        scale = np.maximum(self.energy.reshape(bound.shape).max(axis=1), self.floor)
        if not self.sharp.all():
            estimate = np.clip(self._coming().reshape(bound.shape), bound, 1e4 * bound)
            bound = np.where(self.sharp[:, None], bound, estimate)
        error: Array = bound.max(axis=1)
        np.divide(error, scale, out=error, where=error > 0)
        return error

    def _coming(self) -> Array:
        """Return what the coming iterations will take off the energy, (rows,), if they go on as the last four did."""
        older, newer = self.gains[:, :-1], self.gains[:, 1:]
        pace = np.divide(newer, older, out=np.ones_like(newer), where=np.isfinite(older) & (older > newer)).max(axis=1)
        coming = np.full_like(pace, np.inf)
        np.divide(SAFETY * newer[:, -1] * pace, 1 - pace, out=coming, where=pace < 1)
        return coming

    def _drop(self, done: NDArray[np.bool_]) -> None:
        """Hand over the correctors of the volumes that are `done` and forget them."""
        d = self.grid.dimension
        self.correctors[self.volumes[done]] = self.x.reshape(-1, d, *self.grid.shape)[done]
        rows, left = np.repeat(~done, d), ~done
        for name in ("x", "r", "z", "p", "rho", "beta", "gains", "energy"):
            setattr(self, name, getattr(self, name)[rows])
        for name in ("volumes", "faces", "lowest", "contrast", "floor", "sharp"):
            setattr(self, name, getattr(self, name)[left])
        if self.scaling is not None:
            self.scaling = self.scaling[left]
