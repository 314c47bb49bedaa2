"""Similarity of points by k-d trees, against the Micro Manager's rule with a matrix of all distances."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.strategies.clusters import similarity
from adapters.strategies.clusters.history import History

DECAY, COARSENING, REFINING = 0.4, 0.4, 0.25


def matrix_rule(distances, active, coarsening, refining):
    """The rule step by step: deactivate, activate, associate, each row in the order of its number."""
    active, n = active.copy(), len(active)
    for i in range(n):
        if active[i] and any(distances[i, j] < coarsening for j in np.flatnonzero(active) if j != i):
            active[i] = False
    for i in range(n):
        if not active[i] and distances[i, active].min() > refining:
            active[i] = True
    leaders = np.flatnonzero(active)
    leader = np.array([i if active[i] else leaders[np.argmin(distances[i, leaders])] for i in range(n)])
    return active, leader


def all_pairs(points, p):
    return np.linalg.norm(points[:, None] - points[None], ord=p, axis=-1)


def paths(n, steps, seed, m=2, wiggle=1.0):
    """Data (steps, n, m) along which points come near each other and part again."""
    rng = np.random.default_rng(seed)
    base, speed = rng.random((n, m)) * 2.0, rng.random((n, m))
    return np.array([base + wiggle * np.sin(speed * k) for k in range(steps)])


def recursion(data, lengths):
    """d <- d exp(-Lambda dt) + dt sum |delta x|, for all pairs; after each of the steps."""
    distances = np.zeros((data.shape[1],) * 2)
    for now, dt in zip(data[1:], lengths, strict=True):
        distances = distances * np.exp(-DECAY * dt) + dt * np.abs(now[:, None] - now[None]).sum(axis=-1)
        yield distances


def history(data, lengths, memory):
    past = History.begin(data[0], memory)
    for now, dt in zip(data[1:], lengths, strict=True):
        past = past.then(now, dt, DECAY)
        yield past


LENGTHS = [0.5, 0.5, 1.0, 0.25, 2.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("seed", range(4))
def test_the_same_points_are_active_as_with_the_matrix_of_the_micro_manager(seed):
    """Over eight steps of unequal length, each plan going on from the one before."""
    data = paths(60, 9, seed)
    active = reference = np.ones(60, dtype=bool)
    counts = []
    for distances, past in zip(recursion(data, LENGTHS), history(data, LENGTHS, 8), strict=True):
        points = past.relative(DECAY)
        np.testing.assert_allclose(all_pairs(points, 1), distances, atol=1e-13)
        refining = REFINING * distances.max()
        assert REFINING * similarity.diameter(points, 1.0) == pytest.approx(refining, rel=1e-13)
        reference, leader = matrix_rule(distances, reference, COARSENING * refining, refining)
        active = similarity.adapt(points, active, 1.0, COARSENING * refining, refining)
        np.testing.assert_array_equal(active, reference)
        rest = np.flatnonzero(~active)
        found = similarity.nearest(points, np.flatnonzero(active), rest, 1.0)[:, 0]
        np.testing.assert_array_equal(found, leader[rest])
        counts.append(active.sum())
    assert min(counts) < 60
    assert len(set(counts)) > 1  # something switched


def test_points_that_were_merged_part_again():
    """Two groups that move apart: those who follow somebody of the other group become active."""
    group = np.linspace(0.0, 0.01, 20)
    data = np.array([np.r_[group, shift + group][:, None] for shift in (0.0, 0.0, 0.0, 0.5, 1.0, 1.0)])
    active, counts = np.ones(40, dtype=bool), []
    for past in history(data, [1.0] * 5, 8):
        active = similarity.adapt(past.relative(DECAY), active, 1.0, 0.04, 0.1)
        counts.append((int(active[:20].sum()), int(active[20:].sum())))
    assert counts[0] == counts[1] == (0, 1)
    assert counts[-1] == (1, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_what_is_not_kept_one_by_one_costs_no_more_than_the_bound(seed, memory):
    """d - exp(-Lambda Delta t) D <= embedded <= d, with D the distance when the oldest kept step began."""
    data = paths(12, 9, seed)
    known = [np.zeros((12, 12)), *recursion(data, LENGTHS)]
    for k, past in enumerate(history(data, LENGTHS, memory), 1):
        embedded = all_pairs(past.relative(DECAY), 1)
        assert (embedded <= known[k] + 1e-12).all()
        kept = min(memory, k)
        lost = np.exp(-DECAY * sum(LENGTHS[k - kept : k])) * known[k - kept]
        assert (embedded >= known[k] - lost - 1e-12).all()


def test_paths_that_do_not_cross_are_exact_however_little_is_kept():
    data = np.sort(paths(12, 9, 3, m=1), axis=1)
    for distances, past in zip(recursion(data, LENGTHS), history(data, LENGTHS, 1), strict=True):
        np.testing.assert_allclose(all_pairs(past.relative(DECAY), 1), distances, atol=1e-12)


def test_the_absolute_distance_is_the_largest_difference_in_tolerances():
    """Also what the last step leads to when it is made once more counts; older differences fade."""
    data = np.array([[[0.0], [0.0]], [[0.0], [3.0]], [[0.0], [1.0]], [[0.0], [1.5]]])
    *_, past = history(data, [1.0, 1.0, 1.0], 4)
    distances = all_pairs(past.absolute(DECAY, np.array([0.5])), np.inf)
    assert distances[0, 1] == pytest.approx(max(3.0 * np.exp(-2 * DECAY), 1.5, 2.0) / 0.5)
    *_, past = history(data, [1.0, 1.0, 1.0], 1)
    assert all_pairs(past.absolute(DECAY, np.array([0.5])), np.inf)[0, 1] == 3.0  # nothing else is kept
    still = History.begin(data[1], 4)
    assert all_pairs(still.absolute(DECAY, np.array([0.5])), np.inf)[0, 1] == 6.0


def test_least_and_largest_values_and_the_number_of_steps_are_kept():
    data = np.array([[[0.0]], [[3.0]], [[-1.0]]])
    *_, past = history(data, [1.0, 2.0], 2)
    assert (past.low, past.high, past.steps) == (-1.0, 3.0, 2)
    np.testing.assert_array_equal(past.ages(), [[0.0, 2.0]])
    again = History.of(past.state())
    np.testing.assert_array_equal(again.values, past.values)


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_identical_points_have_one_representative(p):
    points = np.ones((500, 3))
    active = similarity.adapt(points, np.ones(500, dtype=bool), p, np.finfo(float).tiny, 0.0)
    assert np.flatnonzero(active).tolist() == [499]  # the last one, as in the Micro Manager
    rest = np.flatnonzero(~active)
    assert (similarity.nearest(points, np.array([499]), rest, p) == 499).all()
    groups = np.repeat([[0.0], [1.0], [2.0]], 50, axis=0)
    assert similarity.adapt(groups, np.ones(150, dtype=bool), p, 0.1, 0.5).sum() == 3


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_points_that_are_all_different_are_all_active(p):
    points = np.random.default_rng(0).permutation(200)[:, None] * 1.0
    assert similarity.adapt(points, np.ones(200, dtype=bool), p, 0.9, 0.99).all()
    assert similarity.adapt(points, np.arange(200) == 7, p, 0.9, 0.99).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1.0, np.inf]), st.integers(1, 40))
def test_any_points_are_treated_as_by_the_matrix(seed, p, n):
    """With many at one place, in any order, from any state."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 12, (n, 2)) + 0.0
    points[n // 2 :] += rng.random((n - n // 2, 2))
    active = rng.random(n) < 0.6
    active[rng.integers(n)] = True
    coarsening, refining = 0.7 + rng.random(), 2.1 + rng.random()  # no distance between two places is as large as these
    expected, leader = matrix_rule(all_pairs(points, p), active, coarsening, refining)
    found = similarity.adapt(points, active, p, coarsening, refining)
    np.testing.assert_array_equal(found, expected)
    rest = np.flatnonzero(~found)
    near = similarity.nearest(points, np.flatnonzero(found), rest, p)[:, 0]
    distances = all_pairs(points, p)
    np.testing.assert_allclose(distances[rest, near], distances[rest, leader[rest]])
    assert (distances[rest, near] <= refining).all()


def test_there_may_be_less_neighbours_than_are_asked_for():
    points = np.array([[0.0], [1.0], [5.0]])
    found = similarity.nearest(points, np.array([0, 2]), np.array([1]), np.inf, 3)
    assert found.tolist() == [[0, 2, similarity.NONE]]


@pytest.mark.parametrize("p", [1.0, np.inf])
def test_the_diameter_is_exact_where_few_points_are_far_out_and_else_at_least_half(p):
    rng = np.random.default_rng(5)
    cloud = rng.standard_normal((2000, 3))
    assert similarity.diameter(cloud, p) == all_pairs(cloud, p).max()
    angle = rng.random(5000) * 2 * np.pi
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    exact = 2.0 * (np.sqrt(2.0) if p == 1.0 else 1.0)
    assert 0.5 * exact <= similarity.diameter(ring, p) <= exact
    assert similarity.diameter(np.zeros((5, 2)), p) == 0.0


@pytest.mark.parametrize("order", ["along", "random"])
def test_the_time_grows_almost_as_the_number_of_points(order):
    """n log n over two orders of magnitude; a matrix of the largest would take 80 GB."""
    seconds, sizes = [], [1_000, 10_000, 100_000]
    similarity.adapt(np.zeros((2, 1)), np.ones(2, dtype=bool), np.inf, 1.0, 1.0)  # imports
    for n in sizes:
        x = np.linspace(0, 1, n) if order == "along" else np.random.default_rng(0).random(n)
        points = np.stack([np.tanh(20 * (x - 0.3)), x**2, np.sin(3 * x)], axis=1)
        begun = time.process_time()
        active = similarity.adapt(points, np.ones(n, dtype=bool), np.inf, 0.002, 0.01)
        rest = np.flatnonzero(~active)
        similarity.nearest(points, np.flatnonzero(active), rest, np.inf)
        seconds.append(time.process_time() - begun)
        assert 100 < active.sum() < 1000
    slope = np.polyfit(np.log(sizes[1:]), np.log(seconds[1:]), 1)[0]
    assert slope < 1.5, (seconds, slope)
