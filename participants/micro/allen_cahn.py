"""One time step of the Allen-Cahn equation with a reaction on a periodic cell, for a batch of cells at once.

    lambda^2 (phi - phi_0) / dt = gamma lambda^2 laplace(phi) - gamma P'(phi) - 4 lambda v phi (1 - phi)
    P = 8 phi^2 (1 - phi)^2

phi [-] phase, lambda [m] width of the interface, gamma [m^2/s] and v [m/s]: where lambda is small, the interface
moves towards phi = 1 at the speed v minus gamma times its curvature (Bringedal, von Wolff & Pop, Multiscale Model.
Simul. 18, 1076 (2020)).

phi is smooth on the scale of lambda, so derivatives are those of its Fourier series: four grid cells per lambda give
the mean of phi to 1e-5. Backward Euler; Newton's method with conjugate gradients, preconditioned by the operator of the
mean coefficient, which the FFT inverts. As the operator differs from that one by a diagonal, a step of conjugate
gradients costs one forward and one backward FFT.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy
from numpy.typing import NDArray

from adapters.micro import MicroError

Array = NDArray[np.float64]

CHUNK = 32768  # grid cells that are worked on at once: the work arrays stay in a core's second-level cache
NEWTON = 30  # most iterations
GRADIENTS = 200  # most iterations of conjugate gradients in one of Newton's


class TooLargeStep(MicroError):
    """The equation of some cells has no solution that is near the last one."""


def step(
    phi: Array, speed: Array, dt: float, *, size: float, width: float, gamma: float, tolerance: float, threads: int = 1
) -> Array:
    """Return phi (n, *cells) after a time step.

    Parameters
    ----------
    phi : (n, *cells) at the start of the step.
    speed : (n,) v [m/s] at the end of the step.
    dt : length of the step [s].
    size, width : edge of the cell and lambda [m].
    gamma : [m^2/s].
    tolerance : largest residual anywhere, as a change of phi.
    threads : parts of the batch that are worked on at the same time; the result does not depend on it.

    Raises
    ------
    TooLargeStep
        Names the cells of the first chunk that has any.
    """
    n, shape = len(phi), phi.shape[1:]
    volumes = max(1, CHUNK // max(1, phi[0].size if n else 1))
    waves = [np.fft.fftfreq(m, 1 / m) for m in shape[:-1]] + [np.arange(shape[-1] // 2 + 1, dtype=np.float64)]
    squares = np.sum([w**2 for w in np.meshgrid(*waves, indexing="ij")], axis=0)
    stiffness = gamma * dt * (2 * np.pi / size) ** 2 * squares  # -gamma dt laplace
    result = np.empty_like(phi)

    def work(first: int) -> None:
        rows = slice(first, first + volumes)
        v = 4 * dt / width * speed[rows].reshape(-1, *[1] * len(shape))
        problem = _Chunk(phi[rows], v, gamma * dt / width**2, stiffness)
        failed = problem.solve(tolerance)
        if failed.any():
            message = (
                f"a step of {dt:g} s is too large for an interface of {width:g} m: Newton's method does not converge; "
                "take shorter time windows"
            )
            raise TooLargeStep(first + np.flatnonzero(failed), message)
        result[rows] = problem.phi

    if threads == 1:
        for first in range(0, n, volumes):
            work(first)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(0, n, volumes)))
    return result


class _Chunk:
    """Some cells, in units in which the residual is a change of phi:   phi - phi_0 + S phi + g P' + v phi (1 - phi).

    Parameters
    ----------
    start : (n, *cells) phi at the start of the step.
    v : (n, 1, ...) speed times 4 dt / lambda.
    g : gamma dt / lambda^2.
    stiffness : symbol of S = -gamma dt laplace, shaped like half a spectrum.
    """

    def __init__(self, start: Array, v: Array, g: float, stiffness: Array) -> None:
        self.start, self.v, self.g, self.stiffness = start, v, g, stiffness
        self.phi = start.copy()
        self.cells = start.shape[1:]
        self.axes = tuple(range(1, start.ndim))

    def solve(self, tolerance: float) -> NDArray[np.bool_]:
        """Run Newton's method on `phi`; return which cells it did not solve, (n,)."""
        largest = np.full(len(self.phi), np.inf)
        for _ in range(NEWTON):
            residual = self._residual()
            largest = np.abs(residual).max(axis=self.axes)
            if not np.isfinite(largest).all() or (largest <= tolerance).all():
                break
            change, convex = self._change(residual, np.minimum(0.1, largest))
            if not convex.all():
                return ~convex
            self.phi -= change
        return ~(largest <= tolerance)

    def _residual(self) -> Array:
        phi = self.phi
        outside = phi * (1 - phi)
        return phi - self.start + self._filter(phi, self.stiffness) + outside * (16 * self.g * (1 - 2 * phi) + self.v)

    def _change(self, residual: Array, accuracy: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Solve J x = residual by conjugate gradients; return x, and whether J was positive as far as was seen (n,).

        J = D + S with a diagonal D; the preconditioner is M = d + S with a number d per cell, so that J p = M p +
        (D - d) p, and M p follows from the residuals as p does from the preconditioned ones.
        """
        phi = self.phi
        D = 1 + 16 * self.g * (1 - 6 * phi * (1 - phi)) + self.v * (1 - 2 * phi)
        d = np.maximum((D.min(axis=self.axes, keepdims=True) + D.max(axis=self.axes, keepdims=True)) / 2, 0.1)
        D -= d
        inverse = 1 / (d + self.stiffness)
        x, r = np.zeros_like(residual), residual.copy()
        z = self._filter(r, inverse)
        p, Mp, rho = z.copy(), r.copy(), self._dot(r, z)
        goal = rho * accuracy**2
        convex = np.ones(len(phi), dtype=bool)
        for _ in range(GRADIENTS):
            Jp = Mp + D * p
            curvature = self._dot(p, Jp)
            going = rho > goal
            convex &= ~going | (curvature > 0)
            if not (going & convex).any():
                break
            length = np.divide(rho, curvature, out=np.zeros_like(rho), where=going & (curvature > 0))
            x += self._scale(length, p)
            r -= self._scale(length, Jp)
            z = self._filter(r, inverse)
            old, rho = rho, self._dot(r, z)
            beta = np.divide(rho, old, out=np.zeros_like(rho), where=old > 0)
            p = z + self._scale(beta, p)
            Mp = r + self._scale(beta, Mp)
        return x, convex

    def _filter(self, u: Array, symbol: Array) -> Array:
        spectrum = scipy.fft.rfftn(u, axes=self.axes)
        spectrum *= symbol
        return np.asarray(scipy.fft.irfftn(spectrum, s=self.cells, axes=self.axes, overwrite_x=True))

    def _dot(self, a: Array, b: Array) -> Array:
        return np.asarray(np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1)))

    def _scale(self, factors: Array, u: Array) -> Array:
        return factors.reshape(-1, *[1] * len(self.cells)) * u
