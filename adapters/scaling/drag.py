"""What a wall between grid points does to the velocity beside it, on a staggered grid.

Unknown are the mean velocities w_j [m^2] through the faces of the cells, so that the balance of mass of every cell that
a wall cuts is exact. The level (`walls`) is in proportion to the distance from the wall, and positive in the fluid.
Close to the wall the velocity is in proportion to it too, and through a face that the wall cuts goes

    g = mean over the face of max(level, 0).

The resistance E of the wall is what makes this profile a solution: E g = Laplacian of g, where that of the level itself
counts as zero. E is infinite behind the wall, zero away from it, and (1/theta - 1)/h^2 where the wall cuts the
difference to a neighbour at theta cells without touching a face.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from adapters.scaling.staggered import Grid

Array = NDArray[np.float64]

# A face with a larger resistance than this over h^2, through which goes less than one part in so many, is closed. Open,
# it costs iterations, because pressures alone nearly decide on the velocity through it; closed, some 0.01 % of K.
FIRMEST = 50
# A level that is steeper along one axis of a face by more than this is taken to be so much steeper.
FLATTEST = 1e-3
# A wall has a corner rather than a curvature where the Laplacian of the distance is more than 1 in this many cells.
SHARPEST = 2


def resistance(level: Array, spacing: tuple[float, ...]) -> Array:
    """Return what holds the velocity at every face beside the Laplacian of free fluid (n, d, *cells) [1/m^2].

    Parameters
    ----------
    level : (n, d, *cells) at the centres of the faces, in any unit.
    spacing : edge lengths of a cell [m].
    """
    open_ = _powers(level, 1)
    # What is missing to a level that goes on through the wall; its Laplacian is that of g alone.
    pull = np.maximum(_laplacian(open_ - level, spacing), 0)
    firmest = FIRMEST / min(spacing) ** 2
    return np.divide(pull, open_, out=np.full_like(level, np.inf), where=(open_ > 0) & (open_ >= pull / firmest))


def _powers(level: Array, power: int) -> Array:
    """Return the means over the faces (n, d, *cells) of max(level, 0) to some power, from slopes along the faces."""
    result = np.empty_like(level)
    for component in range(level.shape[1]):
        centre = level[:, component]
        along = [1 + axis for axis in range(level.shape[1]) if axis != component]
        slopes = np.stack([_slope(centre, axis) for axis in along])
        whole = np.where(centre > 0, centre if power == 1 else centre**2 + (slopes**2).sum(axis=0) / 12, 0)
        cut = np.abs(centre) < slopes.sum(axis=0) / 2  # the distance from the centre to the highest corner
        whole[cut] = _cut(centre[cut], slopes[:, cut], power)
        result[:, component] = whole
    return result


def _slope(field: Array, axis: int) -> Array:
    """Return the absolute difference to a neighbour: the larger of two in the fluid, the smaller in the solid.

    Both are one where there is one wall. In a narrow gap the larger one is that of the nearer wall; in a narrow solid
    the smaller one leaves no hole.
    """
    step = np.abs(np.roll(field, -1, axis) - field)
    other = np.roll(step, 1, axis)
    return np.where(field > 0, np.maximum(step, other), np.minimum(step, other))


def _cut(centre: Array, slopes: Array, power: int) -> Array:
    """Return the mean of max(level, 0)^power over faces whose level is linear, from its integrals to the corners.

    Parameters
    ----------
    centre : (m,) level at the centres.
    slopes : (d - 1, m) absolute differences of the level between opposite edges.
    """
    slopes = np.maximum(slopes, FLATTEST * slopes.sum(axis=0))
    total = np.zeros_like(centre)
    degree = power + len(slopes)
    for signs in itertools.product((-1, 1), repeat=len(slopes)):
        corner = centre + np.tensordot(signs, slopes, axes=1) / 2
        total += math.prod(signs) * np.maximum(corner, 0) ** degree
    return np.asarray(total * math.factorial(power) / math.factorial(degree) / slopes.prod(axis=0))


def _laplacian(field: Array, spacing: tuple[float, ...]) -> Array:
    """Return the second differences of (n, d, *cells), periodic."""
    result = np.zeros_like(field)
    for axis, h in enumerate(spacing, start=2):
        result += (np.roll(field, 1, axis) - 2 * field + np.roll(field, -1, axis)) / h**2
    return result


def measure(grid: Grid, level: Array, held: Array, velocity: Array, forces: Array) -> tuple[Array, Array, Array]:
    """Return mean velocity, energy and the correction of the tensor, each (n, d, d) [m^2].

    The resistance is right for a velocity that is linear beside the wall. Under the force e_j - grad p_j on the fluid
    there, and along a wall that is bent itself, its second derivative across the wall is -c_j,
    c_j = e_j - grad p_j + (slope of w_j) (Laplacian of the distance). That leaves a residual which is known without
    another solution, r_j = c_j (1 + (Laplacian - E) s) with s = -(mean over the face of max(distance, 0)^2)/2. The
    tensor is an energy, and so <w_i . r_j> is what the residual adds to it. Without that, channels along the axes are
    exact wherever their walls lie, and other errors of the second order are a few times smaller.

    Parameters
    ----------
    level : (n, d, *cells) at the faces.
    held : (n, d, *cells) `resistance`.
    velocity : (n, d, d, *cells)
    forces : (n, d, d, *cells) with which the wall holds the fluid.
    """
    fluid = np.isfinite(held)
    w = velocity * fluid[:, None]
    mean = w.mean(axis=tuple(range(3, w.ndim))).swapaxes(1, 2)
    energy = -_products(w, forces)
    curved = forces * -(fluid + _bend(level, held, grid.spacing))[:, None]
    for axis, h in enumerate(grid.spacing, start=3):
        difference = w - np.roll(w, 1, axis)
        energy += _products(difference, difference) / h**2
        curved += (difference - np.roll(difference, -1, axis)) / h**2
    correction = -_products(w, curved * _share(level, held, grid.spacing)[:, None])
    return mean, (energy + energy.swapaxes(1, 2)) / 2, (correction + correction.swapaxes(1, 2)) / 2


def _share(level: Array, held: Array, spacing: tuple[float, ...]) -> Array:
    """Return 1 + (Laplacian - E) s of `measure` beside a wall (n, d, *cells), where it is 0 to 1; else 0.

    The Laplacian of -level^2/2 counts as -1, so that only what the wall cuts off remains, not a kink between two.
    """
    beside = (held > 0) & np.isfinite(held)
    square, open_ = level**2, _powers(level, 2)
    for axis in range(level.shape[1]):  # the mean over the face
        along = np.arange(level.shape[1]) != axis
        square[:, along] += _slope(level[:, along], 2 + axis) ** 2 / 12
    change = _laplacian(square - open_, spacing) + np.where(beside, held, 0) * open_
    steepness = _steepness(level, spacing)
    share = np.divide(change, 2 * steepness, out=np.zeros_like(level), where=steepness > 0)
    return np.where(beside, np.clip(share, 0, 1), 0)


def _bend(level: Array, held: Array, spacing: tuple[float, ...]) -> Array:
    """Return what makes (slope of w) (Laplacian of the distance) of minus the force of the wall (n, d, *cells).

    That is the Laplacian of the level over E g, as the force is -E w, and w = slope g; both w and g may be tiny.
    Halfway between two walls the level has a kink: the least of the Laplacians around is that of one wall.
    """
    bend = _laplacian(level, spacing)
    least = bend
    for axis in range(2, level.ndim):
        for shift in (-1, 1):
            there = np.roll(bend, shift, axis)
            least = np.where(np.abs(there) < np.abs(least), there, least)
    smooth = np.abs(least) * SHARPEST * min(spacing) < np.sqrt(_steepness(level, spacing))
    pull = np.where(np.isfinite(held), held, 0) * _powers(level, 1)
    return np.divide(least, pull, out=np.zeros_like(level), where=smooth & (pull > 0))


def _steepness(level: Array, spacing: tuple[float, ...]) -> Array:
    """Return the square of the gradient of the level (n, d, *cells)."""
    squares = [(_slope(level, axis) / h) ** 2 for axis, h in enumerate(spacing, start=2)]
    return np.asarray(sum(squares))


def _products(one: Array, other: Array) -> Array:
    """Return <one_i . other_j> (n, d, d)."""
    n, d = one.shape[:2]
    a, b = one.reshape(n, d, -1), other.reshape(n, d, -1)
    return np.asarray(a @ b.transpose(0, 2, 1) * (d / a.shape[2]))
