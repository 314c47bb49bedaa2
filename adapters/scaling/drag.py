"""What a wall between grid points does to a velocity beside it, on a staggered grid.

Velocities are w_j [m^2], with leading axes (n, load case, component); the level (n, component) is positive in the
fluid, and in proportion to the distance from the wall (`walls`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.scaling.staggered import Grid

Array = NDArray[np.float64]

# A wall closer to a point than this share of a cell is at the point.
CLOSEST = 1e-12


def resistance(level: Array, spacing: tuple[float, ...]) -> Array:
    """Return what holds the velocity at every face (n, d, *cells) beside the Laplacian of free fluid [1/m^2].

    Infinite in the solid, sum of (1/theta - 1)/h^2 over the differences that a wall cuts at theta cells, 0 elsewhere.
    """
    result = np.where(level > 0, 0, np.inf)
    for axis, h in enumerate(spacing):
        for shift in (-1, 1):
            _, theta = _cut(level, np.roll(level, shift, 2 + axis))
            result += (1 / theta - 1) / h**2
    return result


def _cut(here: Array, there: Array) -> tuple[NDArray[np.bool_], Array]:
    """Return whether a wall cuts the differences to neighbours, and at how many cells theta; 1 where none does."""
    cut = (here > 0) & (there <= 0)
    theta = np.divide(here, here - there, out=np.ones_like(here), where=cut)
    return cut, np.maximum(theta, CLOSEST)


def measure(grid: Grid, level: Array, velocity: Array, forces: Array) -> tuple[Array, Array, Array]:
    """Return mean velocity, energy and the correction of the tensor, each (n, d, d) [m^2].

    The velocities are discrete solutions for a linear extrapolation through the wall. Two things of the order h^2 are
    known about them without another solution:

    * The extrapolation misses half the second derivative, and so leaves a residual r_j of
      (1 - theta)/2 times the second difference, beside the wall. The tensor is an energy: that makes <w_i . r_j>.
    * The sum over the points beside a wall misses a flux (Euler-Maclaurin) of
      m_j = h (theta^2 - theta + 1/6)/2 w_j/theta - h^3 (theta - 1/2)^3/3 times the second difference. Driven by the
      force g_i = e_i - grad p_i on the fluid there, it makes <g_i . m_j>.

    The first is taken off, the second added, symmetrically. That makes plane channels along the axes exact where both
    walls lie alike on the grid, and leaves an error of the fourth order where they do not.

    Parameters
    ----------
    level : (n, d, *cells) at the faces.
    velocity : (n, d, d, *cells)
    forces : (n, d, d, *cells) with which the wall holds the fluid.
    """
    w = velocity * (level > 0)[:, None]
    mean = w.mean(axis=tuple(range(3, w.ndim))).swapaxes(1, 2)
    energy = -_products(w, forces)
    for axis, h in enumerate(grid.spacing):
        difference = w - np.roll(w, 1, 3 + axis)
        energy += _products(difference, difference) / h**2
    return mean, (energy + energy.swapaxes(1, 2)) / 2, _correction(grid, level, w, forces)


def _products(one: Array, other: Array) -> Array:
    """Return <one_i . other_j> (n, d, d)."""
    n, d = one.shape[:2]
    a, b = one.reshape(n, d, -1), other.reshape(n, d, -1)
    return np.asarray(a @ b.transpose(0, 2, 1) * (d / a.shape[2]))


def _correction(grid: Grid, level: Array, w: Array, forces: Array) -> Array:
    """Return what `measure` says of the points beside a wall, from velocities that are zero in the solid."""
    n, d = level.shape[:2]
    held = resistance(level, grid.spacing).reshape(-1)
    where = np.flatnonzero((held > 0) & np.isfinite(held))
    held, component, flat = held[where], where // grid.cells % d, level.reshape(-1)
    cases = [(w[:, case].reshape(-1), forces[:, case].reshape(-1)[where]) for case in range(d)]
    driving, residual, missing = np.zeros((3, d, len(where)))
    for axis, h in enumerate(grid.spacing):
        second, thetas, odd = np.zeros((d, len(where))), np.zeros(len(where)), np.zeros(len(where))
        for there in grid.neighbours(where, axis):
            cut, theta = _cut(flat[where], flat[there])
            ends = cut & (component != axis)  # a wall that the face ends at, not one that it faces
            share = ends * (theta**2 - theta + 1 / 6) / 2
            for case, (u, force) in enumerate(cases):
                # The pull of the wall is taken from its force: w/theta is 0/0 where the wall is at the point.
                pull = force * -((1 / theta - 1) / h**2 / held)
                second[case] += (u[there] - u[where]) / h**2 - pull
                missing[case] += (u[where] + h**2 * pull) * share
            odd += ends * (theta - 0.5) ** 3 / 3
            thetas += theta
        driving -= second
        residual -= second * (1 - thetas / 2)
        missing -= h**2 * second * odd
    volume = where // (grid.cells * d)
    result = np.zeros((n, d, d))
    for i in range(d):
        for j in range(d):
            density = driving[i] * missing[j] - cases[i][0][where] * residual[j]
            result[:, i, j] = np.bincount(volume, density, minlength=n) / grid.cells
    return (result + result.swapaxes(1, 2)) / 2
