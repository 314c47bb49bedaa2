"""What a wall between grid points does to a velocity beside it, on a staggered grid.

Velocities are w_j [m^2], with leading axes (n, load case, component); the level (n, component) is positive in the
fluid, and in proportion to the distance from the wall (`walls`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A wall closer to a point than this share of a cell is at the point.
CLOSEST = 1e-12


def resistance(level: Array, spacing: tuple[float, ...]) -> Array:
    """Return what holds the velocity at every face (n, d, *cells) beside the Laplacian of free fluid [1/m^2].

    Infinite in the solid, sum of (1/theta - 1)/h^2 over the differences that a wall cuts at theta cells, 0 elsewhere.
    """
    result = np.where(level > 0, 0, np.inf)
    for axis, h in enumerate(spacing):
        for _, _, theta in _cuts(level, axis):
            result += (1 / theta - 1) / h**2
    return result


def _cuts(level: Array, axis: int) -> Iterator[tuple[int, NDArray[np.bool_], Array]]:
    """Yield for the two sides along an axis of the cells: the shift that brings the neighbour, where a wall is, theta.

    Theta (n, d, *cells) is 1 where no wall cuts the difference, or where its point is solid.
    """
    for shift in (-1, 1):
        there = np.roll(level, shift, 2 + axis)
        cut = (level > 0) & (there <= 0)
        theta = np.divide(level, level - there, out=np.ones_like(level), where=cut)
        yield shift, cut, np.maximum(theta, CLOSEST)


def measure(level: Array, spacing: tuple[float, ...], velocity: Array, forces: Array) -> tuple[Array, Array, Array]:
    """Return mean velocity, energy and the correction of the tensor, each (n, d, d) [m^2].

    The velocities are discrete solutions for a linear extrapolation through the wall. Two things of the order h^2 are
    known about them without another solution:

    * The extrapolation misses half the second derivative, and so leaves a residual r_j of
      (1 - theta)/2 times the second difference, beside the wall. The tensor is an energy: that makes <w_i . r_j>.
    * The sum over the points beside a wall misses a flux (Euler-Maclaurin) of
      m_j = h (theta^2 - theta + 1/6)/2 w_j/theta - h^3 (theta - 1/2)^3/3 times the second difference. Driven by the
      force g_i = e_i - grad p_i on the fluid there, it makes <g_i . m_j>.

    The first is taken off, the second added, symmetrically. Both are exact for plane channels along the axes.

    Parameters
    ----------
    level : (n, d, *cells) at the faces.
    velocity : (n, d, d, *cells)
    forces : (n, d, d, *cells) with which the wall holds the fluid.
    """
    d, fluid = level.shape[1], level > 0
    held = resistance(level, spacing)
    held[~fluid | (held == 0)] = np.inf
    w = velocity * fluid[:, None]
    driving, residual, missing = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    across = np.arange(d)
    for axis, h in enumerate(spacing):
        second, thetas, odd = np.zeros_like(w), np.zeros_like(level), np.zeros_like(level)
        beside = (across != axis).reshape(d, *(1,) * len(spacing))  # walls that a face ends at, none that it faces
        for shift, cut, theta in _cuts(level, axis):
            # The pull of the wall is taken from its force: w/theta is 0/0 where the wall is at the point.
            pull = forces * -(((1 / theta - 1) / h**2) / held)[:, None]
            second += (np.roll(w, shift, 3 + axis) - w) / h**2 - pull
            ends = cut & beside
            missing += (w + h**2 * pull) * (ends * (theta**2 - theta + 1 / 6) / 2)[:, None]
            odd += ends * (theta - 0.5) ** 3 / 3
            thetas += theta
        second *= fluid[:, None]
        missing -= h**2 * second * odd[:, None]
        driving -= second
        residual -= second * (1 - thetas / 2)[:, None]
    correction = _mean(driving, missing) - _mean(w, residual)
    mean = w.mean(axis=tuple(range(3, w.ndim))).swapaxes(1, 2)
    return mean, _mean(w, driving), (correction + correction.swapaxes(1, 2)) / 2


def _mean(one: Array, other: Array) -> Array:
    """Return <one_i . other_j> (n, d, d)."""
    n, d = one.shape[:2]
    a, b = one.reshape(n, d, -1), other.reshape(n, d, -1)
    return np.asarray(a @ b.transpose(0, 2, 1) * (d / a.shape[2]))
