"""Where the wall between fluid and solid lies, to better than the width of a cell.

An indicator on a grid says how much fluid there is in a cell; a flow solver asks how far its points are from the wall.
Both ways here give the level, which is positive in the fluid, negative in the solid, and in proportion to the distance
from the wall near it:

* A **phase field** has the profile phi = 1 / (1 + exp(-x / w)) across its interface, the equilibrium of Allen-Cahn and
  Cahn-Hilliard equations, so that log(phi / (1 - phi)) = x / w whatever the width w. Its wall is where phi = 1/2.
* A **volume fraction** fixes the plane of given normal that cuts its cell (R. Scardovelli and S. Zaleski, J. Comput.
  Phys. 164, 228 (2000)). Normals come first from differences of the fractions, then from those of the levels, which
  makes planes exact. Where there is nothing between full and empty, as in a binary image, the wall follows the faces of
  the cells: a staircase, of first order.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

KINDS = ("volume-fraction", "phase-field")
# A phase field closer than this to 0 or 1 tells no distance any more.
SATURATED = 1e-12
# How often normals and planes of volume fractions are improved in turn.
SWEEPS = 3
# Fractions closer than this to 0 or 1 are full or empty.
FULL = 1e-6


def level(fluid: Array, spacing: tuple[float, ...], kind: str = "volume-fraction") -> Array:
    """Return the level at the centres of the cells (n, *cells), in no particular unit.

    Parameters
    ----------
    fluid : (n, *cells) fluid indicator, 0 to 1.
    spacing : edge lengths of a cell, one per dimension.
    kind : one of KINDS, what the indicator is.
    """
    if kind == "phase-field":
        clipped = np.clip(fluid, SATURATED, 1 - SATURATED)
        return np.log(clipped / (1 - clipped))
    return _from_fractions(fluid, spacing)


def at_faces(centres: Array) -> Array:
    """Return the level at the lower faces of the cells: (n, *cells) -> (n, d, *cells), periodic."""
    return np.stack([(centres + np.roll(centres, 1, axis)) / 2 for axis in range(1, centres.ndim)], axis=1)


def _from_fractions(fluid: Array, spacing: tuple[float, ...]) -> Array:
    """Return the distance from the planes that cut the cells; half a cell beside the other phase, more where far."""
    mixed = (fluid > FULL) & (fluid < 1 - FULL)
    inside = fluid > 0.5
    beside = np.zeros_like(inside)
    for axis in range(1, fluid.ndim):
        for shift in (-1, 1):
            beside |= inside != np.roll(inside, shift, axis)
    far = np.where(beside, 0.5, 1.5) * np.where(inside, 1, -1) * min(spacing)
    if not mixed.any():
        return far
    gradients = [_difference(_smooth(fluid, axis), axis) / spacing[axis - 1] for axis in range(1, fluid.ndim)]
    for _ in range(SWEEPS):
        normals = _unit([gradient[mixed] for gradient in gradients])
        result = _from_planes(fluid, mixed, far, normals, spacing)
        gradients = [_difference(result, axis) / spacing[axis - 1] for axis in range(1, fluid.ndim)]
    return result


def _from_planes(
    fluid: Array, mixed: NDArray[np.bool_], far: Array, normals: list[Array], spacing: tuple[float, ...]
) -> Array:
    """Return the level that planes with `normals` (mixed cells,) give to their cells and to two layers around."""
    level, slopes = np.zeros_like(fluid), [np.zeros_like(fluid) for _ in spacing]
    level[mixed] = plane(fluid[mixed], [n * h for n, h in zip(normals, spacing, strict=True)])
    for slope, normal in zip(slopes, normals, strict=True):
        slope[mixed] = normal
    known = mixed
    for _ in range(2):
        known, level, slopes = _extended(known, level, slopes, spacing)
    seen = known & (mixed | (level * far > 0))  # full of fluid is on the fluid's side
    return np.where(seen, level, far)


def _extended(
    known: NDArray[np.bool_], level: Array, slopes: list[Array], spacing: tuple[float, ...]
) -> tuple[NDArray[np.bool_], Array, list[Array]]:
    """Return which cells are known or beside one, and the means there of what the planes of known ones say.

    Level and slopes (n, *cells) are zero where not known.
    """
    axes = tuple(range(1, level.ndim))
    count, total = np.zeros_like(level), np.zeros_like(level)
    directions = [np.zeros_like(level) for _ in slopes]
    for offset in itertools.product((-1, 0, 1), repeat=len(axes)):
        if any(offset):
            steps = zip(slopes, offset, spacing, strict=True)
            total += np.roll(level + sum(slope * (o * h) for slope, o, h in steps if o), offset, axes)
            count += np.roll(known, offset, axes)
            for direction, slope in zip(directions, slopes, strict=True):
                direction += np.roll(slope, offset, axes)
    count = np.maximum(count, 1)
    level = np.where(known, level, total / count)
    slopes = [np.where(known, s, d / count) for s, d in zip(slopes, directions, strict=True)]
    return scipy.ndimage.maximum_filter(known, (1, *(3,) * len(axes)), mode="wrap"), level, slopes


def _smooth(field: Array, but: int) -> Array:
    """Return the mean with weights 1, 2, 1 along all axes of the cells `but` one."""
    for axis in range(1, field.ndim):
        if axis != but:
            field = field / 2 + (np.roll(field, 1, axis) + np.roll(field, -1, axis)) / 4
    return field


def _difference(field: Array, axis: int) -> Array:
    return np.asarray((np.roll(field, -1, axis) - np.roll(field, 1, axis)) / 2)


def _unit(components: list[Array]) -> list[Array]:
    length = np.sqrt(sum(c**2 for c in components))
    lost = length == 0  # a lone cell among its likes: any direction will do
    components[0] = np.where(lost, 1.0, components[0])
    length = np.where(lost, 1.0, length)
    return [c / length for c in components]


def plane(fraction: Array, normal: list[Array]) -> Array:
    """Return the level of the centres of unit cells that a plane cuts, in units of the normal.

    Parameters
    ----------
    fraction : (n,) share of each cell on the side that the normal points to, 0 to 1.
    normal : 2 or 3 components (n,), not all zero. The level is `normal` . (centre - wall).
    """
    size = np.sort(np.abs(np.stack(normal)), axis=0)
    total = size.sum(axis=0)
    size = size / total
    least = np.minimum(fraction, 1 - fraction)
    offset = 0.5 - (_offset_2d(least, *size) if len(size) == 2 else _offset_3d(least, *size))
    return np.asarray(np.where(fraction > 0.5, offset, -offset) * total)


def _offset_2d(v: Array, m1: Array, m2: Array) -> Array:
    """Return a with |{x in the unit square: m1 x1 + m2 x2 < a}| = v <= 1/2, for 0 <= m1 <= m2, m1 + m2 = 1."""
    return np.where(v < m1 / (2 * m2), np.sqrt(2 * m1 * m2 * v), m2 * v + m1 / 2)


def _offset_3d(v: Array, m1: Array, m2: Array, m3: Array) -> Array:
    """Return a with |{x in the unit cube: m . x < a}| = v <= 1/2, for 0 <= m1 <= m2 <= m3, m1 + m2 + m3 = 1."""
    m12, product = m1 + m2, 6 * m1 * m2 * m3
    safe = np.where(product > 0, product, 1)
    corner = m1**2 / np.where(m2 > 0, 6 * m2 * m3, 1)  # the share below a = m1
    edge = corner + (m2 - m1) / (2 * m3)  # the share below a = m2
    # Below a = min(m12, m3), the share is a polynomial without the terms of the vertices beyond.
    below_m3 = (m3**2 * (3 * m12 - m3) + m1**2 * (m1 - 3 * m3) + m2**2 * (m2 - 3 * m3)) / safe
    middle = np.where(m3 < m12, below_m3, m12 / (2 * m3))
    cases = [v < corner, v < edge, v < middle, m3 < m12]
    p = np.sqrt(2 * m1 * m2)
    q = np.sqrt(np.maximum(m1 * (m2 + m3) + m2 * m3 - 0.25, 0))
    one = _cubic(p, 3 * (m12 - 2 * m3 * v) / 4) + m12
    other = _cubic(q, product * (0.5 - v) / 4 / np.where(q > 0, q**2, 1)) + 0.5
    under = (m1 + np.sqrt(m1**2 + 8 * m2 * m3 * np.maximum(v - corner, 0))) / 2
    return np.select(cases, [np.cbrt(product * v), under, one, other], m3 * v + m12 / 2)


def _cubic(p: Array, r: Array) -> Array:
    """Return the middle root of x^3 - 3 p^2 x = 2 p^2 r, by x = 2 p cos(t - 2 pi / 3), p cos(3 t) = r."""
    cosine = np.clip(r / np.where(p > 0, p, 1), -1, 1)
    t = np.arccos(cosine) / 3
    return np.asarray(p * (math.sqrt(3) * np.sin(t) - np.cos(t)))
