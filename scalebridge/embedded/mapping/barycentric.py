"""Barycentric coordinates in edges, triangles and tetrahedra, and the best element for each point by them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from scalebridge.embedded.mapping import Floats, Integers

INSIDE = -1e-14  # barycentric coordinates above this count as inside
ZERO = 1e-14  # weights up to this are left out


def coordinates(vertices: Floats, elements: Integers, points: Floats) -> Floats:
    """Return the barycentric coordinates (m, corners) of the projections of points (m, dim) on elements (m, corners).

    Degenerate elements give nan or inf, which never counts as inside. The order of additions is preCICE's, because
    points on a symmetry line can be equally far from two triangles but for the last digit.
    """
    corners = [vertices[elements[:, i]] for i in range(elements.shape[1])]
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(corners) == 2:
            return _in_edge(corners, points)
        if len(corners) == 4:
            return _in_tetrahedron(corners, points)
        return _in_triangle(corners, points) if points.shape[1] == 2 else _in_triangle_in_space(corners, points)


def _in_edge(corners: list[Floats], u: Floats) -> Floats:
    a, b = corners
    second = _added(u - a, b - a) / _added(b - a, b - a)
    return np.stack([1.0 - second, second], axis=1)


def _in_triangle(corners: list[Floats], u: Floats) -> Floats:
    a, b, c = corners
    scale = 1.0 / _area(b - a, c - a)
    first = _area(b - u, c - u) * scale
    second = _area(c - u, a - u) * scale
    return np.stack([first, second, 1.0 - first - second], axis=1)


def _in_triangle_in_space(corners: list[Floats], u: Floats) -> Floats:
    a, b, c = corners
    normal = np.cross(b - a, c - a)
    scale = 1.0 / _dot(normal, normal)
    third = _dot(normal, np.cross(b - a, u - a)) * scale
    second = _dot(normal, np.cross(u - a, c - a)) * scale
    return np.stack([1.0 - second - third, second, third], axis=1)


def _in_tetrahedron(corners: list[Floats], u: Floats) -> Floats:
    a, b, c, d = corners
    abc, abd, acd = np.cross(b - a, c - b), np.cross(b - a, a - d), np.cross(c - a, d - a)
    volume = _dot(abc, d - a)
    fourth, third, second = _dot(abc, u - a) / volume, _dot(abd, u - d) / volume, _dot(acd, u - c) / volume
    return np.stack([1.0 - fourth - third - second, second, third, fourth], axis=1)


def _area(u: Floats, v: Floats) -> Floats:
    return np.asarray(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])


def _dot(u: Floats, v: Floats) -> Floats:
    product = u * v
    return np.asarray(product[:, 0] + (product[:, 1] + product[:, 2]))


def _added(u: Floats, v: Floats) -> Floats:
    product = u * v
    return np.asarray(product[:, 0] + product[:, 1] + (product[:, 2] if u.shape[1] == 3 else 0.0))


def distances(vertices: Floats, elements: Integers, points: Floats, weights: Floats) -> Floats:
    """Return the distances (m,) from points to the combinations of the elements' corners with weights."""
    projection = vertices[elements[:, 0]] * weights[:, :1]
    for i in range(1, elements.shape[1]):
        projection = projection + vertices[elements[:, i]] * weights[:, i : i + 1]
    return np.sqrt(_added(points - projection, points - projection))


def first_of_each(rows: Integers, *keys: NDArray[Any]) -> Integers:
    """Return the positions of the first entry of each row when entries are sorted by the keys, most important last."""
    order = np.lexsort((*keys, rows))
    sorted_rows = rows[order]
    first = np.flatnonzero(np.diff(sorted_rows, prepend=-1))
    return np.asarray(order[first])


class Interpolation:
    """The weights of a mapping by interpolation, collected element kind by element kind."""

    def __init__(self, points: int, vertices: int) -> None:
        self._shape = (points, vertices)
        self._rows: list[Integers] = []
        self._columns: list[Integers] = []
        self._weights: list[Floats] = []

    def add(self, rows: Integers, corners: Integers, weights: Floats) -> None:
        """Set points `rows` (m,) to combinations of corners (m, c) with weights (m, c)."""
        used = np.abs(weights) > ZERO
        self._rows.append(np.repeat(rows, corners.shape[1])[used.ravel()])
        self._columns.append(corners[used])
        self._weights.append(weights[used])

    def matrix(self) -> sparse.csr_array:
        """Return the matrix (points, vertices)."""
        entries = np.concatenate(self._weights), (np.concatenate(self._rows), np.concatenate(self._columns))
        return sparse.csr_array(entries, shape=self._shape)
