"""The grid of a cell and the balance of forces on it: transposes, inverses, order, boundaries, and failures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from adapters.cells import solid
from adapters.cells.grid import BOUNDARIES, Grid
from adapters.cells.solid import Stiffness

SHAPES = [(6, 5), (8, 8), (4, 6, 5), (4, 4, 4)]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_force_is_the_transpose_of_strain(shape, boundary):
    """<stress : strain(u)> = force(stress) . u for any stress and any u: on it rests Hill-Mandel."""
    grid, rng = Grid(shape, boundary), np.random.default_rng(0)
    u = rng.normal(size=(len(shape), 2, 3, grid.size))
    if grid.fixed is not None:
        u[..., grid.fixed] = 0
    stress = rng.normal(size=(len(grid.pairs), 2, 3, grid.size))
    work = np.vecdot(stress, grid.strain(u)).sum(axis=0)
    np.testing.assert_allclose(work, solid.dot(grid.force(stress.copy()), u), rtol=1e-10)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_fluctuation_has_no_mean_strain(boundary):
    grid = Grid((5, 6), boundary)
    u = np.random.default_rng(1).normal(size=(2, 1, 1, grid.size))
    if grid.fixed is not None:
        u[..., grid.fixed] = 0
    np.testing.assert_allclose(grid.mean(grid.strain(u)), 0, atol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_preconditioner_inverts_a_homogeneous_solid(shape):
    """Up to displacements without strain, of which even grids have more than the constant one."""
    grid, d = Grid(shape), len(shape)
    u = np.random.default_rng(2).normal(size=(d, 2, 1, grid.size))
    mu, lam = np.array([0.7, 1.1]).reshape(2, 1, 1), np.array([1.3, 0.2]).reshape(2, 1, 1)
    field = np.ones((2, 1, grid.size))
    force = grid.force(Stiffness(lam * field, 2 * mu * field, None).apply(grid.strain(u)))
    again = grid.precondition(force, lam / mu) / mu
    np.testing.assert_allclose(grid.strain(again), grid.strain(u), atol=1e-12)


def test_strain_is_the_derivative_to_second_order():
    errors = []
    for n in (16, 32):
        grid = Grid((n, n))
        x, y = np.meshgrid(*[2 * np.pi * np.arange(n) / n] * 2, indexing="ij")
        u = np.stack([np.sin(x + y), np.cos(x - 2 * y)]).reshape(2, 1, 1, -1)
        x, y = x + np.pi / n, y + np.pi / n  # strains are in the middle; one cell is 2 pi / n, half of it the unit of u
        exact = np.stack([np.cos(x + y), 2 * np.sin(x - 2 * y), np.cos(x + y) - np.sin(x - 2 * y)]).reshape(3, 1, 1, -1)
        errors.append(np.abs(grid.strain(u) * n / (4 * np.pi) - exact).max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)


def test_a_band_of_shear_along_a_diagonal_keeps_the_volume():
    """A jump of displacement across a diagonal, along it: one row of grid cells shears, without change of volume."""
    grid = Grid((8, 8))
    i, j = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    jump = ((i - j) % 8 < 4).astype(float)
    strain = grid.strain(np.stack([jump, jump]).reshape(2, 1, 1, -1))
    np.testing.assert_allclose(strain[0] + strain[1], 0, atol=1e-14)
    assert np.count_nonzero(np.abs(strain).max(axis=0) > 1e-12) <= 2 * 2 * 8


@dataclass(frozen=True)
class Hooke:
    stiffness: Stiffness

    def respond(self, strain):
        return self.stiffness.apply(strain.copy()), self.stiffness

    def take(self, rows):
        return Hooke(self.stiffness.take(rows))


def smooth(n, cells=1):
    """Return the grid and a solid whose moduli vary smoothly, twice as much in every further cell."""
    x, y = np.meshgrid(*[2 * np.pi * (np.arange(n) + 0.5) / n] * 2, indexing="ij")
    bump = np.stack([np.exp(k * np.sin(x) * np.cos(y) + 0.3 * np.cos(x)) for k in range(1, cells + 1)])
    field = bump.reshape(cells, 1, -1)
    return Grid((n, n)), Stiffness(field, 1.5 * field, None)


def effective(n, tolerance=1e-10):
    grid, stiffness = smooth(n)
    guess = np.zeros((2, 1, 3, grid.size))
    return solid.tangent(grid, stiffness, guess, 1.0, tolerance, 3)[0][0]


def test_the_stiffness_of_a_smooth_solid_converges_to_second_order_from_above():
    coarse, middle, fine = effective(8), effective(16), effective(32)
    change = [np.abs(a - b).max() for a, b in ((coarse, middle), (middle, fine))]
    assert change[0] / change[1] == pytest.approx(4, rel=0.15)


def test_the_error_of_a_stiffness_is_as_large_as_was_asked_for():
    exact = effective(32, 1e-14)
    for tolerance in (1e-3, 1e-6, 1e-9):
        error = np.abs(effective(32, tolerance) - exact).max() / exact.max()
        assert 0 < error < 3 * tolerance


@pytest.mark.parametrize("group", [1, 2, 3])
def test_load_cases_may_be_worked_on_in_any_number(group):
    grid, stiffness = smooth(16, 2)
    guess = np.zeros((2, 2, 3, grid.size))
    whole = solid.tangent(grid, stiffness, guess, 1.0, 1e-12, 3)[0]
    np.testing.assert_allclose(
        solid.tangent(grid, stiffness, guess, 1.0, 1e-12, group)[0], whole, rtol=1e-10, atol=1e-12
    )
    again = solid.tangent(grid, stiffness, solid.tangent(grid, stiffness, guess, 1.0, 1e-12, group)[1], 1.0, 1e-12, 3)
    np.testing.assert_allclose(again[0], whole, rtol=1e-10, atol=1e-12)


def test_forces_are_balanced_as_far_as_was_asked_for_in_cells_that_take_different_numbers_of_iterations():
    grid, stiffness = smooth(24, 4)
    mean = np.array([1.0, -0.3, 0.5])[:, None, None, None] * np.array([1, 1, 0, 1])[:, None, None]
    u = solid.balance(grid, Hooke(stiffness), mean, np.zeros((2, 4, 1, grid.size)), 1e-9)
    stress = stiffness.apply(mean + grid.strain(u))
    C = solid.tangent(grid, stiffness, np.zeros((2, 4, 3, grid.size)), 1.0, 1e-13, 3)[0]
    np.testing.assert_allclose(grid.mean(stress)[..., 0], np.einsum("nst,tn->sn", C, mean[..., 0, 0]), atol=1e-9)
    assert not u[:, 2].any()
    lone = solid.balance(
        grid, Hooke(stiffness.take(np.arange(4) == 3)), mean[:, 3:], np.zeros((2, 1, 1, grid.size)), 1e-9
    )
    np.testing.assert_allclose(grid.strain(lone)[:, 0], grid.strain(u)[:, 3], atol=1e-7)


@dataclass(frozen=True)
class Turned:
    """A stress without a potential that is convex: what pulls the displacement back pushes it away."""

    sign: np.ndarray
    grid: Grid

    def respond(self, strain):
        n = strain.shape[1]
        bump = np.sin(np.arange(self.grid.size)) * self.sign[:, None, None]
        one = np.ones((n, 1, self.grid.size))
        return strain * np.abs(self.sign)[:, None, None] + bump, Stiffness(0 * one, -one, None)

    def take(self, rows):
        return Turned(self.sign[rows], self.grid)


def test_cells_that_are_not_balanced_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(solid, "NEWTON", 5)
    monkeypatch.setattr(solid, "GRADIENTS", 20)
    grid = Grid((6, 6))
    law = Turned(np.array([0.0, 1.0, 0.0, 1.0]), grid)
    message = (
        r"not in equilibrium after 5 steps of Newton's method: unbalanced are .* of the stress; take smaller steps"
    )
    with pytest.raises(solid.NotBalanced, match=message) as caught:
        solid.balance(grid, law, np.zeros((3, 4, 1, 1)), np.zeros((2, 4, 1, grid.size)), 1e-9)
    assert caught.value.rows.tolist() == [1, 3]
