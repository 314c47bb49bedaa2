"""Overlapping balls of one radius that cover a cloud of vertices, about equally many in each.

A regular grid of centres over the bounding box; its spacing follows from the radius, which is that of a ball around
sample vertices with the wanted number of vertices in it, and from the overlap. Balls without vertices are left out.
Schneider, Uekermann, "Efficient partition-of-unity radial-basis-function interpolation for coupled problems",
SIAM J. Sci. Comput. 47 (2025) B558-B582.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from scalebridge.embedded.mapping import Floats, Integers, MappingError
from scalebridge.embedded.mapping.search import NearestSearch

TOO_CLOSE = 0.4  # centres nearer than this part of the spacing are merged


@dataclass(frozen=True)
class Balls:
    """Balls with centres (number, dim) and one radius."""

    centres: Floats
    radius: float

    def pairs(self, points: Floats, margin: float = 0.0) -> tuple[Integers, Integers, Floats]:
        """Return all pairs (index of point, index of ball, distance) with the point inside the ball less a margin."""
        if len(points) == 0 or len(self.centres) == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
        reach = self.radius * (1.0 + 1e-9)
        near = cKDTree(points).sparse_distance_matrix(cKDTree(self.centres), reach, output_type="ndarray")
        point, ball = near["i"].astype(np.int64), near["j"].astype(np.int64)
        distance = _distance(points[point], self.centres[ball])
        inside = distance < self.radius - margin
        return point[inside], ball[inside], distance[inside]


def cover(vertices: Floats, points: Floats | None, wanted: int, overlap: float, *, project: bool) -> Balls:
    """Return balls that cover the vertices (n, dim), each with a vertex in it, and one of the points where given.

    Parameters
    ----------
    wanted : the number of vertices in a ball, about.
    overlap : relative overlap of the balls, from 0 to below 1.
    project : whether to move each centre to the nearest vertex, as suits surfaces.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if len(vertices) < 2 * wanted:
        longest = float((high - low).max())
        return Balls(0.5 * (low + high)[None], 2.0 * longest if longest > 0.0 else 2.0)
    radius = _radius(vertices, low, high, wanted)
    spacing, counts, centres = _grid(low, high, radius, overlap, project)
    used = _occupied(Balls(centres, radius), vertices)
    if points is not None:
        used &= _occupied(Balls(centres, radius), points)
    if project:
        centres[used] = vertices[NearestSearch(vertices).nearest(centres[used])]
        _merge(centres, used, counts, TOO_CLOSE * float(spacing.min()))
        if points is not None:
            used &= _occupied(Balls(centres, radius), points)
    if not used.any():
        raise MappingError("the meshes of a partition-of-unity mapping do not overlap")
    return Balls(centres[used], radius)


def _radius(vertices: Floats, low: Floats, high: Floats, wanted: int) -> float:
    """Return the median over some sample vertices of the radius of a ball with the wanted number of vertices."""
    samples = [0.5 * (low + high)]
    for axis, sign in itertools.product(range(len(low)), (-0.25, 0.25)):
        sample = samples[0].copy()
        sample[axis] += sign * (high - low)[axis]
        samples.append(sample)
    around = vertices[NearestSearch(vertices).nearest(np.array(samples))]
    distance = cKDTree(vertices).query(around, k=[wanted])[0]
    return float(np.median(distance))


def _grid(low: Floats, high: Floats, radius: float, overlap: float, at_edge: bool) -> tuple[Floats, Integers, Floats]:
    """Return the spacing (dim,), the numbers of centres along the axes (dim,) and the centres (number, dim)."""
    dimensions = len(low)
    widest = np.sqrt(4.0 / dimensions) * radius * (1.0 - overlap)
    cells = np.ceil(np.maximum(1.0, (high - low) / widest))
    spacing = (high - low) / cells
    flat = spacing == 0.0
    counts = np.where(flat, 1, cells + (1 if at_edge else 0)).astype(np.int64)
    start = low if at_edge else low + 0.5 * spacing
    # Sums, not products, of the spacing: whether a vertex is inside a ball can depend on the last digit.
    lines = [np.cumsum(np.r_[s, np.full(n - 1, d)]) for s, n, d in zip(start, counts, spacing, strict=True)]
    centres = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, dimensions)
    return spacing, counts, centres


def _occupied(balls: Balls, points: Floats) -> NDArray[np.bool_]:
    """Say for each ball whether one of the points is inside."""
    distance = cKDTree(points).query(balls.centres, workers=-1)[0]
    occupied = np.asarray(distance < balls.radius * (1.0 - 1e-9))
    unclear = np.flatnonzero(~occupied & (distance < balls.radius * (1.0 + 1e-9)))
    occupied[unclear[Balls(balls.centres[unclear], balls.radius).pairs(points)[1]]] = True
    return occupied


def _merge(centres: Floats, used: NDArray[np.bool_], counts: Integers, closest: float) -> None:
    """Leave out, one after the other, each centre that has another one in use nearer than `closest` beside it."""
    strides = np.append(np.cumprod(counts[:0:-1])[::-1], 1)
    layers = 2 if len(counts) == 2 or counts[2] == 1 else 3
    steps = np.array([s for s in itertools.product((-1, 0, 1), repeat=layers) if any(s)])
    offsets = np.unique(steps @ strides[:layers])
    first, second = [], []
    index = np.arange(len(centres))
    for offset in offsets[offsets != 0]:
        both = index[(index + offset >= 0) & (index + offset < len(centres))]
        both = both[used[both] & used[both + offset]]
        both = both[_distance(centres[both], centres[both + offset]) < closest]
        first.append(both)
        second.append(both + offset)
    beside: dict[int, list[int]] = {}
    for i, j in zip(np.concatenate(first).tolist(), np.concatenate(second).tolist(), strict=True):
        beside.setdefault(i, []).append(j)
    for i in sorted(beside):
        if any(used[j] for j in beside[i]):
            used[i] = False


def _distance(a: Floats, b: Floats) -> Floats:
    """Return the distances of points (m, dim), squares added axis after axis."""
    total = np.zeros(len(a))
    for axis in range(a.shape[1]):
        total += (a[:, axis] - b[:, axis]) ** 2
    return np.sqrt(total)
