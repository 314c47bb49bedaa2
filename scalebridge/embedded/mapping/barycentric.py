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

    Least squares in the plane or line of the element: exact where the point lies in it.
    """
    origin = vertices[elements[:, 0]]
    sides = vertices[elements[:, 1:]] - origin[:, None]  # (m, corners - 1, dim)
    offset = points - origin
    if sides.shape[1] == sides.shape[2]:
        rest = _solve(sides.transpose(0, 2, 1), offset)
    else:
        rest = _solve(np.einsum("mik,mjk->mij", sides, sides), np.einsum("mik,mk->mi", sides, offset))
    return np.concatenate([1.0 - rest.sum(axis=1, keepdims=True), rest], axis=1)


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve systems (m, k, k) of k = 1 to 3 unknowns by Cramer's rule; singular ones give nan, never inside."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if matrix.shape[1] == 1:
            return np.asarray(right / matrix[:, 0])
        if matrix.shape[1] == 2:
            (a, b), (c, d) = matrix.transpose(1, 2, 0)
            x = np.stack([d * right[:, 0] - b * right[:, 1], a * right[:, 1] - c * right[:, 0]], axis=1)
            return np.asarray(x / (a * d - b * c)[:, None])
        columns = matrix.transpose(2, 0, 1)
        normals = [np.cross(columns[i - 2], columns[i - 1]) for i in range(3)]
        determinant = np.einsum("mk,mk->m", columns[0], normals[0])
        return np.stack([np.einsum("mk,mk->m", right, normal) / determinant for normal in normals], axis=1)


def distances(vertices: Floats, elements: Integers, points: Floats, weights: Floats) -> Floats:
    """Return the distances (m,) from points to the combinations of the elements' corners with weights."""
    projection = np.einsum("mc,mck->mk", weights, vertices[elements])
    return np.asarray(np.linalg.norm(points - projection, axis=1))


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
