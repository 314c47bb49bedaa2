"""Searches in space: against brute force, and against the tree of preCICE where things are equally near."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from scalebridge.embedded.mapping import search
from scalebridge.embedded.mapping.barycentric import coordinates, distances
from scalebridge.embedded.mapping.rtree import RTree
from scalebridge.embedded.mapping.search import ElementSearch, NearestSearch, grid_order
from scalebridge.embedded.mapping.selection import make_heap, nth_element, pop_heap, select

LATTICE = np.array([[i, j] for i in range(6) for j in range(6)], dtype=float)
CENTRES = np.array([[i + 0.5, j + 0.5] for i in range(5) for j in range(5)])
# Recorded from rtree<..., rstar<16>> of Boost.Geometry 1.74, built from all points at once: query(nearest(centre, 1)).
RECORDED = [1, 1, 2, 10, 10, 6, 8, 9, 10, 10, 13, 13, 15, 15, 17, 18, 20, 20, 22, 28, 31, 32, 33, 33, 28]
# The same for unit squares with their lower corner on the lattice: query(nearest((i + 1, j + 0.5), 4)) for i = 0, ...
RECORDED_SQUARES = [[1, 7, 0, 6], [0, 8, 1, 7], [1, 9, 2, 8], [10, 4, 3, 9], [3, 5, 10, 4], [7, 13, 12, 6]]
# The same for a lattice of 5 x 5 x 5 with a spacing of a third, where the last digit of a sum of squares decides.
RECORDED_CUBES = [
    0,
    7,
    2,
    3,
    10,
    37,
    37,
    38,
    11,
    12,
    12,
    38,
    40,
    42,
    42,
    18,
    51,
    57,
    52,
    58,
    61,
    62,
    62,
    63,
    60,
    62,
    62,
]
RECORDED_CUBES += [63, 65, 67, 67, 68, 55, 57, 52, 58, 61, 62, 62, 63, 60, 62, 62, 63, 65, 67, 67, 68, 81, 77, 77, 83]
RECORDED_CUBES += [85, 87, 87, 88, 85, 87, 87, 88, 90, 92, 92, 93]


def test_equally_near_vertices_are_chosen_as_the_reference_does():
    assert NearestSearch(LATTICE).nearest(CENTRES).tolist() == RECORDED
    lattice, centres = (np.indices((n, n, n)).reshape(3, -1).T for n in (5, 4))
    assert NearestSearch(lattice * (1 / 3)).nearest((centres + 0.5) * (1 / 3)).tolist() == RECORDED_CUBES


def test_equally_near_boxes_are_chosen_as_the_reference_does():
    tree = RTree(LATTICE, LATTICE + 1.0)
    points = CENTRES[:6] + np.array([0.5, 0.0])
    assert [tree.nearest(tuple(point), 4) for point in points.tolist()] == RECORDED_SQUARES


@given(st.integers(0, 10**6), st.sampled_from([2, 3]))
@examples(deadline=None, max_examples=25)
def test_ties_of_many_points_are_decided_as_the_tree_decides_them_one_by_one(seed, dimensions):
    """A lattice with holes in any order, and boxes of different size on it, asked for at and between its points."""
    rng = np.random.default_rng(seed)
    lattice = np.indices((rng.integers(2, 20 if dimensions == 2 else 7),) * dimensions).reshape(dimensions, -1).T / 3.0
    lattice = lattice[rng.permutation(len(lattice))[: rng.integers(2, len(lattice) + 1)]]
    points = rng.integers(0, 1 + int(6 * lattice.max()), (60, dimensions)) / 6.0
    tree = RTree(lattice)
    assert NearestSearch(lattice).nearest(points).tolist() == [tree.nearest(tuple(p), 1)[0] for p in points.tolist()]
    opposite = lattice + rng.integers(0, 3, lattice.shape) / 3.0
    finder = ElementSearch(np.concatenate([lattice, opposite]), np.arange(2 * len(lattice)).reshape(2, -1).T)
    alone = finder.nearest_boxes(points)[1].reshape(60, -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "FEW", 59)  # fewer than there are points
        together = finder.nearest_boxes(points)[1].reshape(60, -1)
    assert np.array_equal(np.sort(alone), np.sort(together))


def test_the_lowest_index_wins_where_the_tree_is_too_large(monkeypatch):
    monkeypatch.setattr(search, "MANY", 3)
    lowest = [6 * i + j for i in range(5) for j in range(5)]
    assert NearestSearch(LATTICE).nearest(CENTRES).tolist() == lowest
    everywhere = np.zeros((40, 3))
    assert NearestSearch(everywhere).nearest(np.ones((2, 3))).tolist() == [0, 0]


@given(st.integers(0, 10**6), st.integers(1, 300), st.sampled_from([2, 3]))
@examples(deadline=None, max_examples=50)
def test_nearest_vertices_and_boxes_are_those_of_brute_force(seed, count, dimensions):
    rng = np.random.default_rng(seed)
    vertices = rng.random((count, dimensions)) * rng.choice([1e-3, 1.0, 1e6])
    points = rng.random((30, dimensions)) * vertices.max()
    distance = np.linalg.norm(points[:, None] - vertices[None], axis=-1)
    nearest = NearestSearch(vertices).nearest(points)
    np.testing.assert_allclose(distance[np.arange(30), nearest], distance.min(axis=1), rtol=1e-12)
    tree = RTree(vertices)
    wanted = min(4, count)
    found = np.array([tree.nearest(tuple(point), wanted) for point in points.tolist()])
    reached = np.sort(np.take_along_axis(distance, found, axis=1), axis=1)
    np.testing.assert_allclose(reached, np.sort(distance, axis=1)[:, :wanted], rtol=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 200), st.booleans())
@examples(deadline=None, max_examples=30)
def test_elements_of_all_sizes_are_found(seed, count, many):
    rng = np.random.default_rng(seed)
    centres = rng.random((count, 1, 3))
    corners = centres + rng.normal(0.0, 1.0, (count, 3, 3)) * 10.0 ** rng.uniform(-4, 0, (count, 1, 1))
    vertices, elements = corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3)
    finder = ElementSearch(vertices, elements)
    points = rng.random((20, 3))
    everything = finder.box_distance(points[:, None], np.arange(count)[None])
    rows, found = finder.within(points, np.full(20, 0.1))
    assert set(zip(rows.tolist(), found.tolist(), strict=True)) == set(zip(*np.nonzero(everything <= 0.1), strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "FEW", 0 if many else search.FEW)
        rows, found = finder.nearest_boxes(points)
    wanted = min(4, count)
    for i in range(20):
        reached = np.sort(everything[i, found[rows == i]])
        np.testing.assert_allclose(reached[:wanted], np.sort(everything[i])[:wanted], rtol=1e-12)


def test_no_points_have_no_neighbours():
    finder = ElementSearch(LATTICE, np.array([[0, 1, 6]]))
    assert [len(part) for part in finder.within(np.empty((0, 2)), np.empty(0))] == [0, 0]
    assert NearestSearch(LATTICE).nearest(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_grid_order_is_a_permutation_that_keeps_neighbours_together(dimensions):
    points = np.random.default_rng(0).random((4000, dimensions))
    order = grid_order(points)
    assert sorted(order.tolist()) == list(range(4000))
    step = np.linalg.norm(np.diff(points[order], axis=0), axis=1).mean()
    assert step < 0.7 * np.linalg.norm(np.diff(points, axis=0), axis=1).mean()


@given(st.integers(0, 10**6), st.integers(1, 3000), st.integers(1, 3000))
@examples(deadline=None, max_examples=40)
def test_selection_in_arrays_is_that_in_lists(seed, count, different):
    rng = np.random.default_rng(seed)
    keys, nth = rng.integers(0, different, count).astype(float), int(rng.integers(0, count + 1))
    entries = list(zip(keys.tolist(), range(count), strict=True))
    nth_element(entries, nth)
    assert select(keys, np.arange(count), nth).tolist() == [thing for _, thing in entries]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=200), st.data())
def test_selection_leaves_the_smallest_in_front(keys, data):
    nth = data.draw(st.integers(0, len(keys) - 1))
    entries = [(float(key), i) for i, key in enumerate(keys)]
    selected = entries.copy()
    nth_element(selected, nth)
    assert sorted(selected) == sorted(entries)
    assert all(a[0] <= selected[nth][0] for a in selected[:nth])
    assert all(a[0] >= selected[nth][0] for a in selected[nth:])


def test_selection_survives_the_worst_case_of_partitions():
    """Musser's sequence for median-of-three, which forces the heap."""
    k = 300
    keys = [i + 1 if i % 2 == 0 else k + i + (i % 2 == 0) for i in range(k)] + [2 * (i + 1) for i in range(k)]
    entries = [(float(key), i) for i, key in enumerate(keys)]
    nth_element(entries, k)
    assert max(a[0] for a in entries[:k]) <= min(a[0] for a in entries[k:])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40))
def test_heaps_give_the_largest_first(keys):
    heap = [(float(key), i) for i, key in enumerate(keys)]
    make_heap(heap)
    for size in range(len(heap), 0, -1):
        pop_heap(heap, size)
    assert [key for key, _ in heap] == sorted(map(float, keys))


@pytest.mark.parametrize(("corners", "dimensions"), [(2, 2), (2, 3), (3, 2), (3, 3), (4, 3)])
def test_barycentric_coordinates_give_the_projection(corners, dimensions):
    rng = np.random.default_rng(corners)
    vertices, points = rng.random((4 * corners, dimensions)), rng.random((4, dimensions))
    elements = np.arange(4 * corners).reshape(4, corners)
    weights = coordinates(vertices, elements, points)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    offset = points - np.einsum("mc,mck->mk", weights, vertices[elements])
    sides = vertices[elements[:, 1:]] - vertices[elements[:, :1]]
    np.testing.assert_allclose(np.einsum("mik,mk->mi", sides, offset), 0.0, atol=1e-10)
    np.testing.assert_allclose(
        distances(vertices, elements, points, weights), np.linalg.norm(offset, axis=1), atol=1e-12
    )


def test_degenerate_elements_contain_nothing():
    vertices = np.zeros((4, 3))
    assert not np.isfinite(coordinates(vertices, np.array([[0, 1, 2, 3]]), np.ones((1, 3)))).all()
