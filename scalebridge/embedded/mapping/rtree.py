"""A packed R-tree that decides between equally near things as preCICE does.

Where several vertices or boxes are equally near, what a search returns depends on the order in which its tree is
visited. preCICE uses the packed R-tree of Boost.Geometry with at most 16 entries in a node; this packs the same one. It
is for ties only: to find what is near, the trees of `search` are many times faster.
Leutenegger, Lopez, Edgington, "STR: a simple and efficient algorithm for R-tree packing", Proc. ICDE (1997) 497-506.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from scalebridge.embedded.mapping import Floats, Integers
from scalebridge.embedded.mapping.selection import Entry, make_heap, replace_largest, select

MOST, LEAST = 16, 4  # entries in a node

type Corner = tuple[float, ...]
type Boxes = tuple[Floats, Floats]  # lower and upper corners, (n, dim) each


class RTree:
    """Things with bounding boxes low, high (n, dim), or points where only `low` is given.

    The nodes of a level are numbered from left to right; a node's entries follow each other in the level below.
    """

    def __init__(self, low: Floats, high: Floats | None = None) -> None:
        self._points = high is None
        high = low if high is None else high
        self._boxes = low, high
        self._middle = 0.5 * (low + high)
        largest, size = 1, MOST
        while size < len(low):
            largest, size = size, size * MOST
        self._order: list[Integers] = []
        self._counts: list[list[int]] = []  # entries of each node, leaves first
        while size > 1:
            self._counts.append([])
            size //= MOST
        everything = np.arange(len(low))
        self._pack(everything, low.min(axis=0), high.max(axis=0), largest, len(self._counts) - 1)
        self._things = np.concatenate(self._order)
        self._levels = self._bound()

    def _pack(self, things: Integers, low: Floats, high: Floats, largest: int, level: int) -> None:
        """Pack things (n,) into a node whose entries hold `largest` of them at most."""
        if level == 0:
            self._order.append(things)
            self._counts[0].append(len(things))
            return
        before = len(self._counts[level - 1])
        self._split(things, low, high, largest, level)
        self._counts[level].append(len(self._counts[level - 1]) - before)

    def _split(self, things: Integers, low: Floats, high: Floats, largest: int, level: int) -> None:
        """Halve things along the longest edge of a box until they fit into an entry."""
        if len(things) <= largest:
            self._pack(things, low, high, largest // MOST, level - 1)
            return
        axis = int(np.argmax(high - low))
        half = _median_count(len(things), largest)
        things = select(self._middle[things, axis], things, half)
        left, right = high.copy(), low.copy()
        left[axis] = right[axis] = low[axis] + (high[axis] - low[axis]) / 2.0
        self._split(things[:half], low, left, largest, level)
        self._split(things[half:], right, high, largest, level)

    def _bound(self) -> list[Boxes]:
        """Return the boxes of the nodes of each level, leaves first."""
        low, high = (part[self._things] for part in self._boxes)
        levels = []
        for counts in self._counts:
            starts = np.cumsum([0, *counts[:-1]])
            low, high = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
            levels.append((low, high))
        return levels

    # --- the order of visits of many points ----------------------------------------------------------------------

    @cached_property
    def _places(self) -> list[Integers]:
        """For each thing its place among all, (n,), then the node that it is in on each level, leaves first."""
        place = np.empty(len(self._things), dtype=np.int64)
        place[self._things] = np.arange(len(place))
        places = [place]
        for counts in self._counts:
            places.append(np.repeat(np.arange(len(counts)), counts)[places[-1]])
        return places

    def visits(self, points: Floats, things: Integers) -> list[Floats | Integers]:
        """Return keys (k,) for numpy.lexsort that sort points (k, dim) with a thing (k,) each by when that is visited.

        A visit goes through the entries of a node in the order of their distance, and equally near ones from the left.
        """
        keys: list[Floats | Integers] = [self._places[0][things]]
        for (low, high), nodes in zip(self._levels[:-1], self._places[1:-1], strict=True):
            node = nodes[things]
            keys += [node, squared_distance(points, low[node], high[node])]
        return keys

    def squared_distance(self, points: Floats, things: Integers) -> Floats:
        """Return the squared distances (k,) of points (k, dim) to things (k,), to the last digit those of preCICE."""
        low, high = (part[things] for part in self._boxes)
        if self._points:  # here the squares are summed from the first axis on
            return squared_distance(points[:, ::-1], low[:, ::-1], high[:, ::-1])
        return squared_distance(points, low, high)

    # --- the search of one point ---------------------------------------------------------------------------------

    @cached_property
    def _entries(self) -> list[list[tuple[int, Corner, Corner]]]:
        """For each level, things first, the numbers and boxes of its nodes."""
        low, high = (part[self._things] for part in self._boxes)
        things = zip(self._things.tolist(), map(tuple, low.tolist()), map(tuple, high.tolist()), strict=True)
        entries = [list(things)]
        for low, high in self._levels:
            nodes = zip(range(len(low)), map(tuple, low.tolist()), map(tuple, high.tolist()), strict=True)
            entries.append(list(nodes))
        return entries

    @cached_property
    def _starts(self) -> list[list[int]]:
        return [np.cumsum([0, *counts]).tolist() for counts in self._counts]

    def nearest(self, point: Corner, count: int) -> list[int]:
        """Return the indices of the `count` things with the nearest boxes."""
        found: list[Entry] = []
        self._visit(len(self._counts) - 1, 0, point, count, found)
        return [thing for _, thing in found]

    def _visit(self, level: int, node: int, point: Corner, count: int, found: list[Entry]) -> None:
        starts = self._starts[level]
        entries = self._entries[level][starts[node] : starts[node + 1]]
        if level == 0 and self._points:
            near = [(_squared(point[::-1], low[::-1], high[::-1]), number) for number, low, high in entries]
        else:
            near = [(_squared(point, low, high), number) for number, low, high in entries]
        if level > 0:
            # With 16 entries at most, the library's sort is an insertion sort and keeps the order of equal ones.
            for distance, child in sorted(near, key=lambda entry: entry[0]):
                if len(found) < count or distance < found[0][0]:
                    self._visit(level - 1, child, point, count, found)
            return
        for entry in near:
            if len(found) < count:
                found.append(entry)
                if len(found) == count:
                    make_heap(found)
            elif entry[0] < found[0][0]:
                replace_largest(found, entry)


def squared_distance(points: Floats, low: Floats, high: Floats) -> Floats:
    """Return the squared distances (k,) of points to boxes (k, dim), summed from the last axis on."""
    total = np.zeros(len(points))
    for axis in reversed(range(points.shape[1])):
        outside = np.maximum(low[:, axis] - points[:, axis], points[:, axis] - high[:, axis])
        total += np.maximum(outside, 0.0) ** 2
    return total


def _squared(point: Corner, low: Corner, high: Corner) -> float:
    """Return the squared distance of a point to a box, last axis first."""
    total = 0.0
    for p, a, b in zip(reversed(point), reversed(low), reversed(high), strict=True):
        outside = a - p if p < a else p - b if p > b else 0.0
        total += outside * outside
    return total


def _median_count(count: int, largest: int) -> int:
    """Return how many of `count` things go to the left, so that subtrees are full but for the last."""
    smallest = max(1, LEAST * (largest // MOST))
    number, rest = divmod(count, largest)
    if rest == 0:
        return number // 2 * largest
    if rest >= smallest:
        return (number + 1) // 2 * largest
    number, rest = divmod(count - smallest, largest)
    if rest == 0:
        return (number + 1) // 2 * largest
    return rest if number == 0 else (number + 2) // 2 * largest
