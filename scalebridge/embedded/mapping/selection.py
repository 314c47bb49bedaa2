"""Selection and heaps that treat equal keys as the GNU C++ library does.

Which of several equal keys ends up where is left open by the textbooks and settled by the implementation; the tree of
`rtree` depends on it.
Musser, "Introspective sorting and selection algorithms", Softw. Pract. Exp. 27 (1997) 983-993.
"""

from __future__ import annotations

import numpy as np

from scalebridge.embedded.mapping import Floats, Integers

SHORT = 250  # entries up to which lists are faster than arrays

type Entry = tuple[float, int]  # what it is compared by, and the index of a thing


def select(keys: Floats, things: Integers, nth: int) -> Integers:
    """Return things (n,) in an order in which the first `nth` have keys (n,) not larger than those of the others."""
    keys, things = keys.copy(), things.copy()
    first, last = 0, len(keys)
    if nth == last:
        return things
    steps = 2 * (last.bit_length() - 1)
    while last - first > SHORT and steps > 0:
        steps -= 1
        cut = _partition_arrays(keys, things, first, last)
        first, last = (cut, last) if cut <= nth else (first, cut)
    entries = list(zip(keys[first:last].tolist(), things[first:last].tolist(), strict=True))
    nth_element(entries, nth - first, steps)
    things[first:last] = [thing for _, thing in entries]
    return things


def _partition_arrays(keys: Floats, things: Integers, first: int, last: int) -> int:
    """Do with arrays, in place, what `_partition` does with a list: all swaps at once."""
    median = _median(keys[first + 1], keys[first + (last - first) // 2], keys[last - 1])
    _swap(keys, things, first, (first + 1, first + (last - first) // 2, last - 1)[median])
    part = keys[first:last]
    left = np.flatnonzero(part[1:] >= part[0]) + first + 1  # where a scan from the left stops
    right = np.flatnonzero(part <= part[0])[::-1] + first  # where one from the right does
    both = min(len(left), len(right))
    count = int(np.count_nonzero(left[:both] < right[:both]))
    _swap(keys, things, left[:count], right[:count])
    stops = [*left[count : count + 1].tolist(), *right[:count][-1:].tolist()]
    return int(min(stops))


def _swap(keys: Floats, things: Integers, a: int | Integers, b: int | Integers) -> None:
    for array in (keys, things):
        array[a], array[b] = array[b], np.copy(array[a])


def _median(a: float, b: float, c: float) -> int:
    """Return which of three keys is the median."""
    if a < b:
        return 1 if b < c else 2 if a < c else 0
    return 0 if a < c else 2 if b < c else 1


def nth_element(entries: list[Entry], nth: int, steps: int | None = None) -> None:
    """Move entries so that the first `nth` are none larger than the others, by introspective selection.

    Parameters
    ----------
    steps : after how many partitions a heap takes over.
    """
    first, last = 0, len(entries)
    if nth == last:
        return
    steps = 2 * (last.bit_length() - 1) if steps is None else steps
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
    three = first + 1, first + (last - first) // 2, last - 1
    median = three[_median(e[three[0]][0], e[three[1]][0], e[three[2]][0])]
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


def replace_largest(heap: list[Entry], entry: Entry) -> None:
    """Put an entry in the place of the largest one."""
    pop_heap(heap, len(heap))
    heap[-1] = entry
    _push(heap, len(heap) - 1, 0, entry)


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
