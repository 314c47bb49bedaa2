"""Searches in space: nearest vertices, and elements (edges, triangles, tetrahedra) that may be near.

What is searched is put in the order of a coarse grid first: neighbours in space are then neighbours in memory, which
makes building and searching a tree three times as fast for a million unordered points.
"""

from __future__ import annotations

import itertools
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from scalebridge.embedded.mapping import Floats, Integers, MappingError
from scalebridge.embedded.mapping.rtree import RTree, squared_distance

MANY = 1_000_000  # things up to which the tree of preCICE is followed; to build it then takes three seconds
FEW = 5000  # points for which it is searched, one after the other
TIED = 1.0 + 4.0 * np.finfo(float).eps  # a distance that is larger by less counts as equal
COMPETITORS = 4  # elements that preCICE looks at more closely
BATCH = 20000  # points whose candidates are held in memory at once


class NearestSearch:
    """Finds nearest vertices; of several that are equally near, the one that preCICE would find.

    Where there are too many vertices to follow preCICE's tree, it is the one with the lowest index.
    """

    def __init__(self, vertices: Floats) -> None:
        if len(vertices) == 0:
            raise MappingError("a nearest neighbour is asked for in a mesh without vertices")
        self._vertices = vertices
        self._original = grid_order(vertices)
        self._tree = cKDTree(vertices[self._original], balanced_tree=False, compact_nodes=False)

    def nearest(self, points: Floats) -> Integers:
        """Return for each of the points (m, dim) the index of the nearest vertex, (m,)."""
        order = grid_order(points)
        result = np.empty(len(points), dtype=np.int64)
        result[order], tied = self._nearest(points[order])
        tied = order[tied]
        tree = RTree(self._vertices) if len(tied) > 0 and len(self._vertices) <= MANY else None
        for begin in range(0, len(tied), BATCH):
            part = tied[begin : begin + BATCH]
            result[part] = self._first(points[part], tree)
        return result

    def _nearest(self, points: Floats) -> tuple[Integers, Integers]:
        """Return the nearest vertices (m,), and which points have several."""
        distance, index = self._tree.query(points, k=np.arange(1, min(2, self._tree.n) + 1), workers=-1)
        tied = (distance[:, 1:] <= distance[:, :1] * TIED).any(axis=1)
        return self._original[index[:, 0]], np.flatnonzero(tied)

    def _first(self, points: Floats, tree: RTree | None) -> Integers:
        """Return which of several nearest vertices the tree finds first, or has the lowest index without a tree."""
        rows, things = self._tied(points, 8)
        keys: list[Floats | Integers] = [things]
        if tree is not None:
            keys = [*tree.visits(points[rows], things), tree.squared_distance(points[rows], things)]
        order = np.lexsort((*keys, rows))
        return things[order[np.searchsorted(rows[order], np.arange(len(points)))]]

    def _tied(self, points: Floats, count: int) -> tuple[Integers, Integers]:
        """Return all pairs (index of point, vertex) with a vertex as near as the nearest, looking at `count` first."""
        distance, index = self._tree.query(points, k=np.arange(1, min(count, self._tree.n) + 1), workers=-1)
        tied = distance <= distance[:, :1] * TIED
        more = np.flatnonzero(tied[:, -1]) if count < self._tree.n else np.empty(0, dtype=np.int64)
        tied[more] = False
        rows, column = np.nonzero(tied)
        things = self._original[index[rows, column]]
        if len(more):
            others, further = self._tied(points[more], 4 * count)
            rows, things = np.concatenate([rows, more[others]]), np.concatenate([things, further])
        return rows, things


def grid_order(points: Floats) -> Integers:
    """Return an order of the points (m, dim) in which neighbours in space follow each other, (m,)."""
    if len(points) == 0:
        return np.empty(0, dtype=np.int64)
    dimensions = points.shape[1]
    cells = int(65536 ** (1.0 / dimensions))  # so that the key fits 16 bits, which NumPy sorts in linear time
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    extent[extent == 0.0] = 1.0
    key = np.zeros(len(points), dtype=np.int32)
    for axis in range(dimensions):
        key *= cells
        key += ((points[:, axis] - low[axis]) * ((cells - 0.001) / extent[axis])).astype(np.int32)
    return np.argsort(key.astype(np.uint16), kind="stable")


class ElementSearch:
    """Finds pairs of a point and an element that may be close, by the elements' bounding boxes.

    The elements are sorted into classes of similar size, with a tree of their centres for each: an element of size h
    is within a distance r of a point only if its centre is within r + h.
    """

    def __init__(self, vertices: Floats, elements: Integers) -> None:
        corners = vertices[elements]  # (m, corners, dim)
        self._low, self._high = corners.min(axis=1), corners.max(axis=1)
        centres = 0.5 * (self._low + self._high)
        reach = np.linalg.norm(self._high - centres, axis=1)
        size = np.floor(np.log2(np.maximum(reach, np.finfo(float).tiny)))
        self._classes = []
        for value in np.unique(size):
            members = np.flatnonzero(size == value)
            members = members[grid_order(centres[members])]
            self._classes.append((cKDTree(centres[members]), members, float(reach[members].max())))

    @cached_property
    def _tree(self) -> RTree:
        return RTree(self._low, self._high)

    def box_distance(self, points: Floats, elements: Integers) -> Floats:
        """Return the distances from points (..., dim) to the bounding boxes of elements (...)."""
        outside = np.maximum(self._low[elements] - points, points - self._high[elements])
        return np.asarray(np.linalg.norm(np.maximum(outside, 0.0), axis=-1))

    def nearest_boxes(self, points: Floats) -> tuple[Integers, Integers]:
        """Return pairs (indices of points, elements): for each point the COMPETITORS with the nearest boxes.

        Of equally near ones it is those that preCICE's tree finds. Where there are too many elements to follow it, all
        of them are returned.
        """
        count = min(COMPETITORS, len(self._low))
        if max(len(points), len(self._low)) <= FEW:
            return self._search_tree(points, count)
        sampled = self.box_distance(points[:, None], self._sample(points, count))
        pairs, elements = self.within(points, np.sort(sampled, axis=1)[:, count - 1] * TIED)
        distance = squared_distance(points[pairs], self._low[elements], self._high[elements])
        order = np.lexsort((distance, pairs))
        pairs, elements, distance = pairs[order], elements[order], distance[order]
        starts = np.searchsorted(pairs, np.arange(len(points)))
        last = distance[starts + count - 1]
        near = distance <= last[pairs]
        tied = np.bincount(pairs[near], minlength=len(points)) > count
        if len(self._low) > MANY or not tied.any():
            return pairs[near], elements[near]
        several = np.flatnonzero(tied[pairs])
        visits = self._tree.visits(points[pairs[several]], elements[several])
        elements[several] = elements[several[np.lexsort((*visits, distance[several], pairs[several]))]]
        near = np.arange(len(pairs)) - starts[pairs] < count
        pairs, elements = pairs[near], elements[near]
        unclear = np.flatnonzero(tied & (last > 0.0))  # what was found first may have been displaced again
        if len(unclear) <= FEW:
            elements.reshape(-1, count)[unclear] = self._search_tree(points[unclear], count)[1].reshape(-1, count)
        return pairs, elements

    def _search_tree(self, points: Floats, count: int) -> tuple[Integers, Integers]:
        found = [self._tree.nearest(tuple(point), count) for point in points.tolist()]
        return np.repeat(np.arange(len(points)), count), np.array(found, dtype=np.int64).ravel()

    def _sample(self, points: Floats, count: int) -> Integers:
        """Return for each point (m, dim) at least `count` different elements with near centres, (m, >= count)."""
        found = []
        for tree, members, _ in self._classes:
            index = tree.query(points, k=np.arange(1, min(count, tree.n) + 1), workers=-1)[1]
            found.append(members[index])
        return np.concatenate(found, axis=1)

    def within(self, points: Floats, radius: Floats) -> tuple[Integers, Integers]:
        """Return all pairs (indices of points, elements) whose box is within `radius` (m,) of the point."""
        if len(points) == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        rows, elements = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        for tree, members, reach in self._classes:
            found = tree.query_ball_point(points, (radius + reach) * (1.0 + 1e-12), workers=-1)
            count = np.fromiter(map(len, found), dtype=np.int64, count=len(points))
            rows = np.concatenate([rows, np.repeat(np.arange(len(points)), count)])
            near = np.fromiter(itertools.chain.from_iterable(found), dtype=np.int64, count=int(count.sum()))
            elements = np.concatenate([elements, members[near]])
        inside = self.box_distance(points[rows], elements) <= radius[rows]
        return rows[inside], elements[inside]
