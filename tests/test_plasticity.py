"""Von Mises plasticity at a point, against the closed forms of uniaxial stress and of pure shear."""

from __future__ import annotations

import numpy as np
import pytest

from participants.micro import plasticity
from participants.micro.plasticity import Moduli, Plasticity

E, NU, Y = 70e9, 0.3, 100e6
K, G = E / (3 * (1 - 2 * NU)), E / (2 * (1 + NU))


def point(d=3, isotropic=0.0, kinematic=0.0, n=1):
    moduli = Moduli(*(np.full((1, 1, n), value) for value in (K, G, Y, isotropic, kinematic)))
    return Plasticity(moduli, np.zeros((3 if d == 2 else 6, 1, 1, n)), np.zeros((1, 1, n)))


def uniaxial(stress, plastic):
    """Return the strain (6, 1, 1, 1) of a bar under a stress along x after plastic flow along x."""
    across = -NU * stress / E - plastic / 2
    return np.array([stress / E + plastic, across, across, 0, 0, 0]).reshape(6, 1, 1, 1)


def test_a_bar_hardens_by_the_sum_of_both_moduli():
    """sigma = Y + (H_i + H_k) p in monotonic tension, reached in one step or in many: the return is radial."""
    law = point(isotropic=2e9, kinematic=3e9)
    for p in (0.001, 0.002, 0.01):
        sigma = Y + 5e9 * p
        stress, _ = law.respond(uniaxial(sigma, p))
        np.testing.assert_allclose(stress[:, 0, 0, 0], [sigma, 0, 0, 0, 0, 0], atol=1e-9 * Y)
        law = law.at_end(uniaxial(sigma, p))
        np.testing.assert_allclose(law.alpha, p, rtol=1e-9)


@pytest.mark.parametrize(("isotropic", "kinematic"), [(0.0, 5e9), (5e9, 0.0), (2e9, 3e9), (0.0, 0.0)])
def test_a_bar_yields_in_compression_after_tension_where_its_hardening_says(isotropic, kinematic):
    """From p_1 in tension the bar yields at X - (Y + H_i p_1), X = H_k p_1: with kinematic hardening after 2 Y
    (Bauschinger), with isotropic hardening after 2 (Y + H_i p_1)."""
    law, p1 = point(isotropic=isotropic, kinematic=kinematic), 0.004
    top = Y + (isotropic + kinematic) * p1
    law = law.at_end(uniaxial(top, p1))
    bottom = kinematic * p1 - (Y + isotropic * p1)
    just_elastic = uniaxial(bottom + 1e-6 * Y, p1)
    np.testing.assert_array_equal(law.at_end(just_elastic).alpha, law.alpha)
    assert law.at_end(uniaxial(bottom - 1e-6 * Y, p1)).alpha > law.alpha
    p2 = 0.001  # on through zero: alpha has grown by p1 - p2
    sigma = kinematic * p2 - (Y + isotropic * (2 * p1 - p2))
    stress, _ = law.respond(uniaxial(sigma, p2))
    np.testing.assert_allclose(stress[:, 0, 0, 0], [sigma, 0, 0, 0, 0, 0], atol=1e-9 * Y)


def test_cycles_about_a_mean_stress_do_not_ratchet_with_linear_kinematic_hardening():
    """Between any two stresses more than 2 Y apart the plastic strain of Prager's law goes to and fro between two
    values from the first cycle on (J. Lemaitre and J.-L. Chaboche, Mechanics of Solid Materials, 1990, 5.4.3)."""
    law, H = point(kinematic=4e9), 4e9
    high, low = 1.6 * Y, -0.8 * Y  # under stress control, p = (sigma -+ Y) / H on the way up and down
    turns = [(high, (high - Y) / H), (low, (low + Y) / H)] * 4
    seen = []
    for sigma, p in turns:
        np.testing.assert_allclose(law.respond(uniaxial(sigma, p))[0][0], sigma, rtol=1e-9)
        law = law.at_end(uniaxial(sigma, p))
        seen.append(law.p[0].item())
    np.testing.assert_allclose(seen[2::2], seen[0], rtol=1e-9)
    np.testing.assert_allclose(seen[3::2], seen[1], rtol=1e-9)


@pytest.mark.parametrize("d", [2, 3])
def test_plane_strain_is_the_solid_without_strain_across(d):
    rng = np.random.default_rng(2)
    flat, solid = point(2, 1e9, 2e9), point(3, 1e9, 2e9)
    for _ in range(3):
        strain = rng.normal(scale=3e-3, size=(3, 1, 1, 1))
        full = np.zeros((6, 1, 1, 1))
        full[[0, 1, 5]] = strain
        stress, whole = flat.respond(strain)[0], solid.respond(full)[0]
        np.testing.assert_allclose(stress, whole[[0, 1, 5]], rtol=1e-12)
        np.testing.assert_allclose(flat.stored(strain), solid.stored(full), rtol=1e-12)
        after = flat.at_end(strain), solid.at_end(full)
        np.testing.assert_allclose(flat.unseen(0 * strain, after[0], strain), solid.unseen(0 * full, after[1], full))
        np.testing.assert_allclose(
            plasticity.equivalent(after[0].deviator(strain)), plasticity.equivalent(after[1].deviator(full)), rtol=1e-12
        )
        flat, solid = after


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize(("isotropic", "kinematic"), [(0.0, 0.0), (3e9, 0.0), (0.0, 3e9), (1e9, 2e9)])
def test_the_tangent_is_the_derivative_of_the_stress(d, isotropic, kinematic):
    rng = np.random.default_rng(3)
    law = point(d, isotropic, kinematic, n=40)
    s = len(law.p)
    law = law.at_end(rng.normal(scale=3e-3, size=(s, 1, 1, 40)))
    strain = rng.normal(scale=3e-3, size=(s, 1, 1, 40))
    stiffness = law.respond(strain)[1]
    for direction in np.eye(s):
        step = 1e-8 * direction.reshape(s, 1, 1, 1)
        difference = (law.respond(strain + step)[0] - law.respond(strain - step)[0]) / 2e-8
        told = stiffness.apply(np.broadcast_to(direction.reshape(s, 1, 1, 1), strain.shape).copy())
        np.testing.assert_allclose(told, difference, atol=1e-6 * E)


def test_the_first_law_holds_in_every_step_however_long():
    """d stored + dissipated = work by the trapezoidal rule + what that does not see, for any path."""
    rng = np.random.default_rng(4)
    law, old = point(3, 1e9, 2e9, n=200), np.zeros((6, 1, 1, 200))
    for _ in range(5):
        new = rng.normal(scale=4e-3, size=old.shape)
        end = law.at_end(new)
        work = ((law.stress(old) + end.stress(new)) * (new - old)).sum(axis=0) / 2
        kept = end.stored(new) - law.stored(old) + law.dissipated(end)
        unseen = law.unseen(old, end, new)
        np.testing.assert_allclose(work + unseen, kept, rtol=1e-9, atol=1e-9 * Y)
        assert (unseen > -1e-9 * Y).all()
        assert (law.dissipated(end) >= 0).all()
        assert law.dissipated(end).max() > 0
        law, old = end, new


def test_what_the_trapezoidal_rule_does_not_see_vanishes_where_flow_goes_on():
    law = point(kinematic=4e9, isotropic=1e9)
    law, begin = law.at_end(uniaxial(Y + 5e9 * 1e-3, 1e-3)), uniaxial(Y + 5e9 * 1e-3, 1e-3)
    end = uniaxial(Y + 5e9 * 3e-3, 3e-3)
    assert law.unseen(begin, law.at_end(end), end).item() == pytest.approx(0, abs=1e-9 * Y * 2e-3)
    assert law.dissipated(law.at_end(end)).item() == pytest.approx(Y * 2e-3)


def test_a_void_carries_nothing_and_never_flows():
    moduli = Moduli(*(np.full((1, 1, 1), value) for value in (0.0, 0.0, np.inf, 0.0, 0.0)))
    law = Plasticity(moduli, np.zeros((6, 1, 1, 1)), np.zeros((1, 1, 1)))
    strain = np.ones((6, 1, 1, 1))
    stress, stiffness = law.respond(strain)
    assert not stress.any()
    assert not stiffness.apply(strain.copy()).any()
    assert law.at_end(strain).alpha == 0
    assert law.dissipated(law.at_end(strain)) == 0
