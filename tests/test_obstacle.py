"""The obstacle problem: its three conditions prove a solution, as there is only one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from participants.micro import obstacle


def random_sides(n, cells, seed=0, smooth=1.5):
    """Right-hand sides with brine above and ice below zero."""
    noise = np.random.default_rng(seed).standard_normal((n, cells, cells))
    fields = [gaussian_filter(x, smooth, mode="wrap") for x in noise]
    return np.stack([x - np.quantile(x, q) for x, q in zip(fields, np.linspace(0.1, 0.95, n), strict=True)])


def matrix(kappa, cells):
    unit = np.moveaxis(np.eye(cells**2).reshape(cells, cells, -1), -1, 0)
    laplacian = sum(np.roll(unit, s, axis) - unit for s in (1, -1) for axis in (1, 2))
    return np.eye(cells**2) - kappa * laplacian.reshape(cells**2, -1)


@pytest.mark.parametrize("cells", [2, 3, 9, 16])
@pytest.mark.parametrize("kappa", [0.0, 0.3, 20.0, 3e3, 1e6])
def test_conditions(kappa, cells):
    b = random_sides(12, cells)
    u, active = obstacle.solve(kappa, b)
    A = matrix(kappa, cells)
    multiplier = u.reshape(12, -1) @ A - b.reshape(12, -1)
    small = 2e-12 * np.abs(b).max() + 2e-14 * (1 + kappa) * u.max()
    assert (u >= 0).all()
    assert multiplier.min() >= -small
    assert np.abs(multiplier[active.reshape(12, -1)]).max(initial=0) <= small
    assert (u[~active] == 0).all()
    assert active[b > 0].all()


@pytest.mark.parametrize("kappa", [0.0, 20.0, 1e5])
def test_response_is_the_derivative(kappa):
    b = random_sides(6, 8)
    _, active = obstacle.solve(kappa, b)
    v = obstacle.response(kappa, active, accuracy=1e-10).reshape(6, -1)
    A = matrix(kappa, 8)
    for i, where in enumerate(active.reshape(6, -1)):
        exact = np.zeros(64)
        exact[where] = np.linalg.solve(A[np.ix_(where, where)], np.ones(where.sum()))
        assert v[i] == pytest.approx(exact, abs=1e-9)


def test_volumes_do_not_see_each_other():
    """Alone, in another order or in other company: the same to the last bit."""
    b = random_sides(9, 16)
    order = np.random.default_rng(1).permutation(9)
    together, active = obstacle.solve(30.0, b)
    response = obstacle.response(30.0, active)
    assert np.array_equal(obstacle.solve(30.0, b[order])[0], together[order])
    assert np.array_equal(obstacle.response(30.0, active[order]), response[order])
    for rows in [[i] for i in range(9)] + [[3, 5], [0, 1, 8], [2, 3, 4, 6, 7]]:
        assert np.array_equal(obstacle.solve(30.0, b[rows])[0], together[rows])
        assert np.array_equal(obstacle.response(30.0, active[rows]), response[rows])


def test_no_obstacle_is_a_linear_problem():
    b = 1 + 0.1 * random_sides(3, 8)
    u, active = obstacle.solve(5.0, b)
    assert active.all()
    assert u.reshape(3, -1) == pytest.approx(np.linalg.solve(matrix(5.0, 8), b.reshape(3, -1).T).T, rel=1e-11)


def test_solution_grows_with_its_side():
    """A is an M-matrix."""
    b = random_sides(4, 12)
    low, high = (obstacle.solve(10.0, b + e)[0] for e in (0.0, 0.05))
    assert (high >= low - 1e-12).all()


def test_front_not_found():
    sides = np.concatenate([random_sides(2, 16), np.ones((1, 16, 16)), random_sides(2, 16)])
    with pytest.raises(obstacle.NotSolved) as error:
        obstacle.solve(20.0, sides, iterations=0)
    assert error.value.message == "the front of melting has not been found in 0 changes of the cells of a volume"
    assert error.value.rows.tolist() == [0, 3]  # of each pair the second one is found at once too
