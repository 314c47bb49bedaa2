"""Energies by networks: what holds for any numbers in them, and that derivatives are derivatives."""

import numpy as np
import pytest

from adapters.strategies.learned import notation
from adapters.strategies.learned.potential import Potential

FORMS = [(d, isotropic, convex) for d in (2, 3) for isotropic in (False, True) for convex in (True, False)]


def energy(d, isotropic=False, convex=True, width=9, seed=0, wild=1.0):
    """Return an energy whose numbers are random: nothing has been learned."""
    form = Potential(notation.identity(2, d), width, convex, isotropic)
    random = np.random.default_rng(seed)
    raw = form.initial(random, np.eye(len(form.unit)))
    raw = {name: value + wild * random.standard_normal(value.shape) for name, value in raw.items()}
    return form, raw, form.physical(raw)


def strains(n, d, seed=1):
    return np.random.default_rng(seed).standard_normal((n, notation.size(2, d)))


@pytest.mark.parametrize(("d", "isotropic", "convex"), FORMS)
def test_stress_and_tangent_are_the_derivatives_of_the_energy(d, isotropic, convex):
    form, _, p = energy(d, isotropic, convex)
    x, h = strains(6, d), 1e-5
    W, stress, tangent = form.respond(p, x)
    assert np.abs(tangent - tangent.swapaxes(2, 3)).max() <= 1e-12 * np.abs(tangent).max()
    for i, step in enumerate(h * np.eye(x.shape[1])):
        (up, stress_up, _), (down, stress_down, _) = form.respond(p, x + step), form.respond(p, x - step)
        np.testing.assert_allclose((up - down) / (2 * h), stress[..., i], atol=1e-8 * np.abs(stress).max())
        np.testing.assert_allclose(
            (stress_up - stress_down) / (2 * h), tangent[..., i, :], atol=2e-7 * np.abs(tangent).max()
        )
    assert form.respond(p, x, second=False)[2] is None
    assert W.shape == (1, 6)


@pytest.mark.parametrize(("d", "isotropic", "convex"), FORMS)
def test_at_rest_there_is_no_energy_and_no_stress(d, isotropic, convex):
    form, _, p = energy(d, isotropic, convex)
    W, stress, _ = form.respond(p, np.zeros((1, notation.size(2, d))))
    scale = form.respond(p, strains(20, d))
    assert np.abs(W).max() <= 1e-13 * np.abs(scale[0]).max()
    assert np.abs(stress).max() <= 1e-13 * np.abs(scale[1]).max()


@pytest.mark.parametrize(("d", "isotropic"), [(2, False), (3, False), (2, True), (3, True)])
def test_a_convex_energy_is_convex_and_not_negative(d, isotropic):
    form, _, p = energy(d, isotropic)
    a, b = 3 * strains(500, d, 2), 3 * strains(500, d, 3)
    ends = [form.respond(p, x, second=False)[0] for x in (a, b, (a + b) / 2)]
    assert ((ends[0] + ends[1]) / 2 - ends[2]).min() >= -1e-12 * np.abs(ends[0]).max()
    assert ends[0].min() >= 0
    values = np.linalg.eigvalsh(form.respond(p, a)[2])
    assert values.min() >= -1e-12 * values.max()


def test_an_energy_that_need_not_be_convex_is_not():
    form, _, p = energy(2, convex=False, wild=3.0)
    assert np.linalg.eigvalsh(form.respond(p, strains(200, 2))[2]).min() < 0


@pytest.mark.parametrize("d", [2, 3])
def test_a_closed_cycle_does_no_work(d):
    """The work around a triangle, by Gauss' rule on 40 parts of each side: exact to round-off for a smooth stress."""
    form, _, p = energy(d, convex=False)
    corners = strains(3, d, 5)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    s = ((nodes + 1) / 2 + np.arange(40)[:, None]).ravel() / 40
    w = np.tile(weights / 2, 40) / 40
    works = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        stress = form.respond(p, a + s[:, None] * (b - a), second=False)[1][0]
        works.append((w * (stress @ (b - a))).sum())
    assert abs(sum(works)) <= 1e-10 * np.abs(works).sum()


@pytest.mark.parametrize("d", [2, 3])
def test_an_isotropic_energy_sees_no_directions(d):
    form, _, p = energy(d, isotropic=True)
    E = notation.value(strains(5, d), 2, d)
    Q = np.linalg.qr(np.random.default_rng(4).standard_normal((d, d)))[0]
    stress = notation.value(form.respond(p, notation.vector(E, 2))[1][0], 2, d)
    turned = notation.value(form.respond(p, notation.vector(Q @ E @ Q.T, 2))[1][0], 2, d)
    np.testing.assert_allclose(turned, Q @ stress @ Q.T, atol=1e-10 * np.abs(stress).max())
    plain, _, q = energy(d)
    stress = notation.value(plain.respond(q, notation.vector(E, 2))[1][0], 2, d)
    turned = notation.value(plain.respond(q, notation.vector(Q @ E @ Q.T, 2))[1][0], 2, d)
    assert np.abs(turned - Q @ stress @ Q.T).max() > 1e-2 * np.abs(stress).max()  # the other one does


@pytest.mark.parametrize(("d", "isotropic", "convex"), FORMS[:4])
@pytest.mark.parametrize("width", [0, 5])
def test_gradients_for_training_are_derivatives(d, isotropic, convex, width):
    form, raw, _ = energy(d, isotropic, convex, width, wild=0.3)
    x, along = strains(7, d), strains(7, d, 6)
    weight = np.random.default_rng(7).standard_normal(7)

    def value(raw):
        W, stress, _ = form.respond(form.physical(raw), x, second=False)
        return float((along * stress[0]).sum() + (weight * W[0]).sum())

    found = form.physical_pullback(raw, form.pullback(form.physical(raw), x, along, weight))
    assert {name: v.shape[1:] for name, v in found.items()} == form.shapes()
    require_gradient(value, raw, found)


def require_gradient(value, raw, found, h=1e-6, rtol=1e-5):
    """Compare a gradient with central differences, at all entries of small arrays and some of large ones."""
    largest = max(np.abs(g).max() for g in found.values())
    for name, array in raw.items():
        for i in np.unique(np.linspace(0, array.size - 1, 7).astype(int)):
            ends = []
            for step in (h, -h):
                moved = {**raw, name: array.copy()}
                moved[name].flat[i] += step
                ends.append(value(moved))
            assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(found[name].flat[i], rel=rtol, abs=rtol * largest), (
                name
            )
