"""Sparse grids: their hierarchy, the known order of their error, and what they say of it."""

from __future__ import annotations

import time
from itertools import pairwise, product

import numpy as np
import pytest

from adapters.strategies.tables import nodes, refinement
from adapters.strategies.tables.frontier import SAFETY
from adapters.strategies.tables.refinement import Wanted
from adapters.strategies.tables.sparse import Basis, SparseGrid

ALL = np.ones(1, dtype=bool)


def regular(function, dimensions, depth):
    grid = nodes.regular(dimensions, depth)
    return SparseGrid.empty(dimensions, 1).extended(grid, function(nodes.unit(grid))[:, None])


def refined(function, dimensions, tolerance, *, most=20000, held_out=100, seed=1, free=None):
    """Return the table of a function, and the number of points at which it was asked."""
    asked = []

    def ask(points, what):
        asked.append(len(points))
        return function(points).reshape(len(points), -1)

    free = np.ones(dimensions, dtype=bool) if free is None else np.array(free)
    return refinement.run(ask, Wanted(tolerance, most, held_out, seed, np.zeros(1, dtype=int), free, ALL)), sum(asked)


def errors(found, function, dimensions, count=5000):
    points = np.random.default_rng(99).random((count, dimensions))
    return np.abs(found.grid(points)[:, 0] - function(points)) / found.scales[0], points


# The hierarchy --------------------------------------------------------------------------------------------------------


def test_every_child_has_its_parent_one_level_above():
    level = 1
    found = np.array([nodes.HALF], dtype=np.int32)
    for level in range(1, 12):
        assert (nodes.levels(found) == level).all()
        assert sorted(found.tolist()) == nodes.of_level(level)
        assert nodes.numbers(found[np.argsort(found)], np.full(len(found), level)).tolist() == list(range(len(found)))
        assert int(nodes.counts(np.array(level))) == len(found)
        children = nodes.children(found, np.full(len(found), level))
        for side in children:
            np.testing.assert_array_equal(nodes.parents(side, np.full(len(found), level + 1)), found)
        found = np.unique(children)


def test_functions_vanish_at_all_nodes_but_their_own_and_their_descendants():
    grid = nodes.regular(1, 5)
    every = Basis(grid).sum(np.eye(len(grid)), nodes.unit(grid))  # (at, of)
    level = nodes.levels(grid)[:, 0]
    for at, node in enumerate(grid[:, 0]):
        line, one = {int(node)}, int(node)
        while one != nodes.HALF:
            one = int(nodes.parents(np.array([one]), nodes.levels(np.array([one])))[0])
            line.add(one)
        assert {int(grid[of, 0]) for of in np.flatnonzero(every[at])} == line
        assert every[at, at] == 1
        assert level[at] == len(line)


@pytest.mark.parametrize(
    ("dimensions", "counts"),
    [(1, [1, 3, 5, 9, 17]), (2, [1, 5, 13, 29, 65, 145, 321]), (3, [1, 7, 25, 69, 177]), (6, [1, 13, 85, 389])],
)
def test_regular_grids_have_as_many_nodes_as_published(dimensions, counts):
    """Barthelmann, Novak & Ritter, Adv. Comput. Math. 12, 273 (2000): the nested grids with 2^(l-1) + 1 points."""
    assert [len(nodes.regular(dimensions, depth)) for depth in range(len(counts))] == counts


def test_nodes_are_found_among_others():
    grid = nodes.regular(3, 3)
    index = nodes.Index(grid[10:])
    np.testing.assert_array_equal(index.find(grid), [-1] * 10 + list(range(len(grid) - 10)))
    assert nodes.Index(grid[:0]).find(grid).tolist() == [-1] * len(grid)
    np.testing.assert_array_equal(nodes.unique(np.concatenate([grid[::-1], grid])), grid)


# What is interpolated -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_multilinear_functions_are_exact(dimensions):
    """All 2^m products of coordinates: a piecewise multilinear interpolant that knows the corners has them."""
    corners = list(product((0, 1), repeat=dimensions))
    weights = np.random.default_rng(dimensions).standard_normal(len(corners))

    def function(x):
        return sum(w * np.prod(np.where(corner, x, 1 - x), axis=1) for w, corner in zip(weights, corners, strict=True))

    found, _ = refined(function, dimensions, 1e-6)
    error, points = errors(found, function, dimensions)
    assert error.max() < 1e-13
    assert found.met
    assert found.measured[0] < 1e-13
    assert len(found.grid.nodes) <= {1: 17, 2: 65, 3: 177, 4: 401}[dimensions]
    slopes = found.grid.slopes(points)
    moved = points.copy()
    moved[:, 0] = np.where(points[:, 0] > 0.5, points[:, 0] - 0.25, points[:, 0] + 0.25)
    quotient = (function(moved) - function(points)) / (moved - points)[:, 0]
    np.testing.assert_allclose(slopes[:, 0, 0], quotient, atol=1e-11)


@pytest.mark.parametrize(("dimensions", "deepest"), [(1, 9), (2, 9), (3, 8), (4, 7)])
def test_the_error_falls_as_h2_log_h_to_the_m_minus_1(dimensions, deepest):
    """Bungartz & Griebel, Acta Numerica 13, 147 (2004), theorem 3.8. In one dimension it is f'' h^2 / 8."""

    def function(x):
        return np.exp(x.sum(axis=1))

    points = np.random.default_rng(0).random((4000, dimensions))
    constants, found = [], []
    for depth in range(3, deepest):
        error = np.abs(regular(function, dimensions, depth)(points)[:, 0] - function(points)).max()
        found.append(error * 4.0**depth)
        constants.append(error * 4.0**depth / depth ** (dimensions - 1))
    if dimensions == 1:
        assert constants[-1] == pytest.approx(np.e / 8, rel=0.01)
        assert constants[0] == pytest.approx(np.e / 8, rel=0.1)
    else:
        assert all(after < 1.02 * before for before, after in pairwise(constants))
        assert 3.3 < 4 * found[-2] / found[-1] < 5.5  # from one level to the next


def test_the_function_goes_through_its_nodes_whatever_the_order_in_which_they_come():
    def function(x):
        return np.sin(5 * x[:, 0] * x[:, 1]) + x[:, 2]

    found, _ = refined(function, 3, 1e-2)
    grid = found.grid.nodes
    np.testing.assert_allclose(found.grid(nodes.unit(grid))[:, 0], function(nodes.unit(grid)), atol=1e-13)
    np.testing.assert_array_equal(found.values[:, 0], function(nodes.unit(grid)))
    order = np.argsort(nodes.levels(grid).sum(axis=1), kind="stable")
    again = SparseGrid.empty(3, 1).extended(grid[order], found.values[order])
    np.testing.assert_allclose(again.surplus, found.grid.surplus[order], atol=1e-14)


def test_slopes_are_those_of_the_interpolant():
    found, _ = refined(lambda x: np.sin(5 * x[:, 0] * x[:, 1]), 2, 1e-2)
    points = np.random.default_rng(4).random((500, 2))
    for axis, step in enumerate(1e-7 * np.eye(2)):
        quotient = (found.grid(points + step) - found.grid(points)) / 1e-7
        close = np.abs(found.grid.slopes(points)[:, axis] - quotient)[:, 0] < 1e-5
        assert close.mean() > 0.99  # a kink of the interpolant is hardly ever in between


# Refinement -----------------------------------------------------------------------------------------------------------

SMOOTH = {
    "exp 1": (1, lambda x: np.exp(x.sum(axis=1))),
    "sin 1": (1, lambda x: np.sin(6 * x[:, 0])),
    "layer 1": (1, lambda x: 1 / (x[:, 0] + 0.02)),
    "exp 2": (2, lambda x: np.exp(x.sum(axis=1))),
    "sum 2": (2, lambda x: np.sin(5 * x[:, 0]) + x[:, 1] ** 2),
    "one 2": (2, lambda x: np.sin(5 * x[:, 0]) + 0 * x[:, 1]),
    "exp 3": (3, lambda x: np.exp(x.sum(axis=1))),
    "wave 3": (3, lambda x: np.sin(4 * x[:, 0] * x[:, 1]) + x[:, 2] ** 3),
    "exp 4": (4, lambda x: np.exp(x.sum(axis=1) / 2)),
}


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3])
@pytest.mark.parametrize("name", SMOOTH)
def test_the_estimate_is_above_the_error_of_smooth_functions(name, tolerance):
    """Largest error at 5000 points of which the table knows nothing, against the largest estimate; and at each."""
    dimensions, function = SMOOTH[name]
    found, _ = refined(function, dimensions, tolerance)
    error, points = errors(found, function, dimensions)
    assert found.met
    assert error.max() < tolerance
    assert error.max() <= found.estimated[0] < 8 * error.max()
    assert found.measured[0] <= error.max() * 1.1
    assert found.root_mean_square[0] <= found.measured[0]
    local = found.frontier.estimate(points)[:, 0]
    assert (error <= local).mean() > 0.9
    assert (error <= 4 * np.maximum(local, 0.1 * local.max())).all()


ROUGH = {
    "kink 1": (1, lambda x: np.abs(x[:, 0] - 0.37)),
    "kink 2": (2, lambda x: np.maximum(0, x[:, 0] + 0.7 * x[:, 1] - 0.8)),
    "peak 2": (2, lambda x: np.exp(-50 * ((x - 0.3) ** 2).sum(axis=1))),
}


@pytest.mark.parametrize("name", ROUGH)
def test_the_estimate_is_honest_within_a_factor_where_a_function_is_rough(name):
    dimensions, function = ROUGH[name]
    found, _ = refined(function, dimensions, 1e-2, held_out=400)
    error, _ = errors(found, function, dimensions)
    stated = found.calibration[0] * found.estimated[0]
    assert found.met
    assert found.measured[0] < 1e-2
    assert found.measured[0] <= stated
    assert error.max() < 3 * stated
    assert stated < 20 * error.max()


def test_refinement_is_where_it_is_needed():
    """Error h^2 f''/8 of a uniform grid: 1 / (x + 0.02) needs 800 nodes for 1e-3 of its range."""
    layer, _ = refined(SMOOTH["layer 1"][1], 1, 1e-3)
    assert len(layer.grid.nodes) < 150
    assert (nodes.unit(layer.grid.nodes) < 0.25).mean() > 0.7
    full, _ = refined(SMOOTH["exp 2"][1], 2, 1e-3)
    assert len(full.grid.nodes) < 17**2  # of a full grid
    alone, _ = refined(SMOOTH["one 2"][1], 2, 1e-4)
    finest = nodes.levels(alone.grid.nodes).max(axis=0)
    assert finest[0] >= 8
    assert finest[1] <= 5  # what the first grid has
    six, _ = refined(lambda x: np.exp(x.sum(axis=1) / 2), 6, 1e-2)
    assert six.met
    assert len(six.grid.nodes) < 3000  # 3^6 = 729 corners and middles, 5^6 = 15625


def test_what_surpluses_overlook_is_found_by_the_measure():
    """(x - 1/2)(y - 1/2)(z - 1/2)(w - 1/2) is zero at all nodes of the first grid."""
    found, asked = refined(lambda x: np.prod(x - 0.5, axis=1), 4, 1e-2)
    assert (found.values[: len(nodes.regular(4, 3))] == 0).all()
    assert found.met
    error, _ = errors(found, lambda x: np.prod(x - 0.5, axis=1), 4)
    assert error.max() < 1e-12
    assert asked > len(found.grid.nodes) + 200  # more than one measure


def test_points_of_the_last_measure_are_fresh_and_follow_from_the_seed():
    seen = []

    def ask(points, what):
        seen.append((what, points))
        return np.sin(6 * points)

    wanted = Wanted(1e-2, 1000, 50, 7, np.zeros(1, dtype=int), np.ones(1, dtype=bool), ALL)
    refinement.run(ask, wanted)
    measures = [points for what, points in seen if what.endswith("at 50 points")]
    assert len(measures) == 2
    assert not np.isin(measures[0], measures[1]).any()
    before = [points for _, points in seen]
    seen.clear()
    refinement.run(ask, wanted)
    for (_, again), first in zip(seen, before, strict=True):
        np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize("most", [1, 10, 40])
def test_a_table_that_may_not_be_large_enough_says_so(most):
    found, _ = refined(lambda x: np.sin(40 * x[:, 0]), 1, 1e-3, most=most)
    assert not found.met
    assert len(found.grid.nodes) <= most
    assert found.measured[0] > 1e-2
    assert found.calibration[0] * found.estimated[0] > 0.05


def test_a_control_that_is_held_costs_nothing():
    one, asked = refined(lambda x: np.sin(6 * x[:, 0]), 1, 1e-3)
    held, same = refined(lambda x: np.sin(6 * x[:, 1]), 2, 1e-3, free=[False, True])
    assert (held.grid.nodes[:, 0] == nodes.HALF).all()
    np.testing.assert_array_equal(held.grid.nodes[:, 1], one.grid.nodes[:, 0])
    assert same == asked
    nothing, _ = refined(lambda x: np.full(len(x), 3.0), 2, 1e-3, free=[False, False])
    assert len(nothing.grid.nodes) == 1
    assert nothing.met
    assert nothing.grid(np.array([[0.5, 0.5]]))[0, 0] == 3.0


@pytest.mark.parametrize("free", [[False, False], [True, True]])
def test_what_is_never_the_same_is_given_up(free):
    draw = np.random.default_rng(0)
    found, _ = refined(lambda x: draw.random(len(x)), 2, 1e-3, most=500, free=free)
    assert not found.met
    assert found.measured[0] > 0.1


def test_constants_and_noise_are_not_refined():
    found, _ = refined(lambda x: np.full(len(x), 5.0), 2, 1e-3)
    assert found.met
    assert len(found.grid.nodes) == 65
    noisy, _ = refined(lambda x: 5.0 + 1e-7 * np.sin(1e6 * x[:, 0]), 1, 1e-3)
    assert noisy.met
    assert len(noisy.grid.nodes) == 17
    assert noisy.scales[0] == pytest.approx(5e-3)
    zero, _ = refined(lambda x: np.zeros(len(x)), 1, 1e-3)
    assert zero.met
    assert zero.scales[0] == 1.0


def test_the_estimate_of_a_parabola_is_its_error():
    """The error of a quadratic function is the bump between two nodes; only the safety is on top."""
    found, _ = refined(lambda x: x[:, 0] ** 2, 1, 1e-2)
    error, points = errors(found, lambda x: x[:, 0] ** 2, 1)
    np.testing.assert_allclose(found.frontier.estimate(points)[:, 0], SAFETY * error, atol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_table_answers_100000_rows_a_second(dimensions):
    """On one core; with a fifth of that as the limit here, since the machine may be busy."""
    found, _ = refined(lambda x: np.exp(x.sum(axis=1)), dimensions, 1e-3)
    points = np.random.default_rng(0).random((50_000, dimensions))
    begun = time.process_time()
    found.grid(points)
    assert 50_000 / (time.process_time() - begun) > 20_000
