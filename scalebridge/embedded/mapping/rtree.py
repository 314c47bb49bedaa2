"""A packed R-tree that decides between equally near things as preCICE does.

Where several vertices or boxes are equally near, what a search returns depends on the order in which its tree is
visited. preCICE uses the packed R-tree of Boost.Geometry with at most 16 entries in a node, and the selection and heaps
of the GNU C++ library; this follows them step by step. It is for ties among few things only: where there are many, the
trees of `search` are a hundred times faster.
Leutenegger, Lopez, Edgington, "STR: a simple and efficient algorithm for R-tree packing", Proc. ICDE (1997) 497-506;
Musser, "Introspective sorting and selection algorithms", Softw. Pract. Exp. 27 (1997) 983-993.
"""

from __future__ import annotations

from dataclasses import dataclass

from scalebridge.embedded.mapping import Floats

MOST, LEAST = 16, 4  # entries in a node

type Entry = tuple[float, int]  # what it is compared by, and the index of a thing
type Corner = tuple[float, ...]


@dataclass(frozen=True)
class Node:
    """A box, and in it either other nodes or, in a leaf, the indices of things."""

    low: Corner
    high: Corner
    children: tuple[Node, ...]
    things: tuple[int, ...]


class RTree:
    """Things with bounding boxes low, high (n, dim); points have low = high."""

    def __init__(self, low: Floats, high: Floats) -> None:
        self._low = [tuple(row) for row in low.tolist()]
        self._high = [tuple(row) for row in high.tolist()]
        self._middle = [
            tuple(0.5 * (a + b) for a, b in zip(p, q, strict=True)) for p, q in zip(self._low, self._high, strict=True)
        ]
        count = len(self._low)
        largest, size = 1, MOST
        while size < count:
            largest, size = size, size * MOST
        everything = list(range(count))
        self._root = self._level(everything, *self._box(everything), largest)

    def nearest(self, point: Corner, count: int) -> list[int]:
        """Return the indices of the `count` things with the nearest boxes."""
        found: list[Entry] = []
        self._visit(self._root, point, count, found)
        return [thing for _, thing in found]

    def _visit(self, node: Node, point: Corner, count: int, found: list[Entry]) -> None:
        for thing in node.things:
            distance = _squared(point, self._low[thing], self._high[thing])
            if len(found) < count:
                found.append((distance, thing))
                if len(found) == count:
                    make_heap(found)
            elif distance < found[0][0]:
                pop_heap(found, len(found))
                found[-1] = (distance, thing)
                _push(found, len(found) - 1, 0, found[-1])
        branches = [(_squared(point, child.low, child.high), child) for child in node.children]
        # With 16 entries at most, the library's sort is an insertion sort and keeps the order of equal ones.
        for distance, child in sorted(branches, key=lambda branch: branch[0]):
            if len(found) < count or distance < found[0][0]:
                self._visit(child, point, count, found)

    def _level(self, things: list[int], low: Corner, high: Corner, largest: int) -> Node:
        """Pack things into a node whose subtrees hold `largest` of them at most."""
        if largest <= 1:
            return Node(*self._box(things), (), tuple(things))
        children = tuple(self._packets(things, low, high, largest))
        corners = (
            zip(*(child.low for child in children), strict=True),
            zip(*(child.high for child in children), strict=True),
        )
        return Node(tuple(map(min, corners[0])), tuple(map(max, corners[1])), children, ())

    def _packets(self, things: list[int], low: Corner, high: Corner, largest: int) -> list[Node]:
        """Halve things along the longest edge of a box until they fit into subtrees."""
        if len(things) <= largest:
            return [self._level(things, low, high, largest // MOST)]
        axis = max(range(len(low)), key=lambda a: high[a] - low[a])
        entries = [(self._middle[thing][axis], thing) for thing in things]
        half = _median_count(len(things), largest)
        nth_element(entries, half)
        things = [thing for _, thing in entries]
        border = low[axis] + (high[axis] - low[axis]) / 2.0
        left = (*high[:axis], border, *high[axis + 1 :])
        right = (*low[:axis], border, *low[axis + 1 :])
        return self._packets(things[:half], low, left, largest) + self._packets(things[half:], right, high, largest)

    def _box(self, things: list[int]) -> tuple[Corner, Corner]:
        lows, highs = (
            zip(*(self._low[i] for i in things), strict=True),
            zip(*(self._high[i] for i in things), strict=True),
        )
        return tuple(map(min, lows)), tuple(map(max, highs))


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


def nth_element(entries: list[Entry], nth: int) -> None:
    """Move entries so that the first `nth` are none larger than the others, by introspective selection."""
    first, last = 0, len(entries)
    if nth == last:
        return
    steps = 2 * (last.bit_length() - 1)
    while last - first > 3:
        if steps == 0:
            _heap_select(entries, first, nth, last)
            return
        steps -= 1
        cut = _partition(entries, first, last)
        first, last = (cut, last) if cut <= nth else (first, cut)
    entries[first:last] = sorted(entries[first:last], key=lambda entry: entry[0])


def _partition(e: list[Entry], first: int, last: int) -> int:
    """Partition e[first:last] around the median of three, and return where the larger ones begin."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if e[a][0] < e[b][0]:
        median = b if e[b][0] < e[c][0] else c if e[a][0] < e[c][0] else a
    else:
        median = a if e[a][0] < e[c][0] else c if e[b][0] < e[c][0] else b
    e[first], e[median] = e[median], e[first]
    pivot, left, right = e[first][0], first + 1, last
    while True:
        while e[left][0] < pivot:
            left += 1
        right -= 1
        while pivot < e[right][0]:
            right -= 1
        if left >= right:
            return left
        e[left], e[right] = e[right], e[left]
        left += 1


def _heap_select(entries: list[Entry], first: int, nth: int, last: int) -> None:
    """Select with a heap, where partitions were too lopsided for too long."""
    heap = entries[first : nth + 1]
    make_heap(heap)
    for i in range(nth + 1, last):
        if entries[i][0] < heap[0][0]:
            value, entries[i] = entries[i], heap[0]
            _adjust(heap, 0, len(heap), value)
    entries[first : nth + 1] = heap
    entries[first], entries[nth] = entries[nth], entries[first]


def make_heap(heap: list[Entry]) -> None:
    """Arrange entries as a heap with the largest in front."""
    for parent in range((len(heap) - 2) // 2, -1, -1):
        _adjust(heap, parent, len(heap), heap[parent])


def pop_heap(heap: list[Entry], size: int) -> None:
    """Move the largest entry of heap[:size] to its end."""
    if size > 1:
        value, heap[size - 1] = heap[size - 1], heap[0]
        _adjust(heap, 0, size - 1, value)


def _adjust(heap: list[Entry], hole: int, size: int, value: Entry) -> None:
    """Let the hole sink to a leaf of heap[:size], then let the value rise from there."""
    top = child = hole
    while child < (size - 1) // 2:
        child = 2 * (child + 1)
        if heap[child][0] < heap[child - 1][0]:
            child -= 1
        heap[hole], hole = heap[child], child
    if size % 2 == 0 and child == (size - 2) // 2:
        child = 2 * (child + 1)
        heap[hole], hole = heap[child - 1], child - 1
    _push(heap, hole, top, value)


def _push(heap: list[Entry], hole: int, top: int, value: Entry) -> None:
    while hole > top and heap[(hole - 1) // 2][0] < value[0]:
        heap[hole], hole = heap[(hole - 1) // 2], (hole - 1) // 2
    heap[hole] = value
