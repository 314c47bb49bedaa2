"""Exact solutions of melting against published numbers and against each other."""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import simpson

FILE = Path(__file__).parent.parent / "tutorials" / "phase-change" / "exact.py"
SPEC = importlib.util.spec_from_file_location("phase_change_exact", FILE)
assert SPEC is not None
assert SPEC.loader is not None
exact = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = exact  # dataclasses look themselves up there
SPEC.loader.exec_module(exact)

ICE, WATER = exact.Phase(k=2.22, c=2050, rho=1000), exact.Phase(k=0.556, c=4217, rho=1000)
LATENT = 333.6e3
T_L = -1.9


def straight(T):
    return T_L / T, -T_L / T**2


@pytest.mark.parametrize(
    ("stefan_number", "lam"), [(0.1, 0.2200163), (0.2, 0.3064239), (0.5, 0.4647859), (1, 0.6200626), (2, 0.8006014)]
)
def test_stefan_front(stefan_number, lam):
    """Roots of sqrt(pi) lambda exp(lambda^2) erf(lambda) = St (Carslaw & Jaeger, section 11.2), to all digits given."""
    assert exact.stefan(stefan_number) == pytest.approx(lam, abs=6e-8)


@pytest.mark.parametrize(("initial", "lam", "front"), [(5.0, 0.1641396, 20.497e-3), (0.0, 0.1735325, 21.670e-3)])
def test_neumann_front(initial, lam, front):
    """Water freezing from a wall at -10 degC, front after one hour, computed independently from Neumann's equation."""
    found = exact.neumann(-10.0, 0.0, initial, ICE, WATER, LATENT)
    assert found == pytest.approx(lam, abs=6e-8)
    assert 2 * found * math.sqrt(ICE.alpha * 3600) == pytest.approx(front, abs=6e-7)


def test_neumann_without_superheat_is_stefan():
    lam = exact.neumann(-10.0, 0.0, 0.0, ICE, WATER, LATENT)
    assert lam == pytest.approx(exact.stefan(ICE.c * 10 / LATENT), rel=1e-12)


@pytest.mark.parametrize(("wall", "initial", "near", "far"), [(-10.0, 5.0, ICE, WATER), (8.0, -6.0, WATER, ICE)])
def test_neumann_front_takes_the_latent_heat(wall, initial, near, far):
    """Freezing and melting: what flows to the front from both sides is the latent heat of its motion."""
    t, d = 3600.0, 1e-6
    front = 2 * exact.neumann(wall, 0.0, initial, near, far, LATENT) * math.sqrt(near.alpha * t)
    x = front + d * np.array([-2, -1, 1, 2])
    T = exact.neumann_temperature(x, t, wall, 0.0, initial, near, far, LATENT)
    here = near.k * (4 * T[1] - T[0]) / (2 * d)  # T = 0 at the front itself
    there = far.k * (4 * T[2] - T[3]) / (2 * d)
    rise = 1000 * LATENT * front / (2 * t) * math.copysign(1, wall)
    assert here + there == pytest.approx(rise, rel=1e-4)


def test_mushy_zone_flux():
    """k = 2, rho c = 4e6, rho L = 3.336e8 (SI), straight liquidus, T_L = T(infinity) = -1.9, wall at -10 degC.

    4.550e4 W s^0.5/m^2, computed independently as a boundary-value problem of the temperature.
    """
    zone = exact.mushy_zone(-10.0, T_L, T_L, straight, lambda phi: 2 + 0 * phi, 4e6, 3.336e8)
    assert zone.wall_flux == pytest.approx(-4.550e4, rel=5e-4 / 4.55)
    assert zone.front is None


def test_mushy_zone_without_latent_heat_conducts():
    """Then T = T_w + (T_i - T_w) erf(x / (2 sqrt(alpha t))) and q sqrt(t) = (T_w - T_i) sqrt(k rho c / pi)."""
    zone = exact.mushy_zone(-4.0, -10.0, T_L, straight, lambda phi: 2 + 0 * phi, 4e6, 0.0)
    assert zone.wall_flux == pytest.approx(6 * math.sqrt(2 * 4e6 / math.pi), rel=1e-9)
    x = np.linspace(0, 0.2, 9)
    profile = -4 - 6 * np.array([math.erf(z) for z in x / (2 * math.sqrt(0.5e-6 * 3600))])
    assert zone.temperature(x, 3600.0) == pytest.approx(profile, abs=1e-8)


@pytest.mark.parametrize(("wall", "initial"), [(2.0, -10.0), (-3.0, -10.0), (-10.0, 2.0), (-10.0, -3.0)])
def test_mushy_zone_keeps_energy(wall, initial):
    """Heat through the wall = what the body holds more than at the start, with a molten layer and without."""
    rho_c, rho_L, t = 2e6, 3.336e8, 3600.0

    def enthalpy(T):
        return rho_c * T + rho_L * np.where(T < T_L, T_L / np.minimum(T, T_L), 1)

    zone = exact.mushy_zone(wall, initial, T_L, straight, lambda phi: 2.22 - 1.664 * phi, rho_c, rho_L)
    end = 14 * math.sqrt(2.22 / rho_c * t)
    pieces = [0.0, *([zone.front * math.sqrt(t)] if zone.front else []), end]
    grids = [np.linspace(a, b, 20001) for a, b in itertools.pairwise(pieces)]
    held = sum(simpson(enthalpy(zone.temperature(x, t)) - enthalpy(np.array(initial)), x=x) for x in grids)
    assert held == pytest.approx(zone.heat * math.sqrt(t), rel=5e-8)
    assert (zone.front is not None) == (max(wall, initial) > T_L)
    assert zone.temperature(0.0, t) == pytest.approx(wall)
    assert zone.temperature(end, t) == pytest.approx(initial, abs=1e-8)


def test_mushy_zone_tends_to_stefan_without_salt():
    """For T_L -> 0 all latent heat is at one temperature, and the flux is that of the two-phase problem.

    The heat that melts early, below T_L, is T_L log(T_L) of it, so the error falls a little slower than T_L.
    """
    near = far = exact.Phase(0.6, 4000, 1000)
    lam = exact.neumann(4.0, 0.0, -4.0, near, far, LATENT)
    sharp = near.k * 4 / (math.erf(lam) * math.sqrt(math.pi * near.alpha))
    errors = []
    for melting in (-0.4, -0.2, -0.1):

        def phi(T, melting=melting):
            return melting / T, -melting / T**2

        zone = exact.mushy_zone(4.0, -4.0, melting, phi, lambda phi: 0.6 + 0 * phi, 4e6, 1000 * LATENT, 1e-6)
        errors.append(zone.wall_flux / sharp - 1)
    assert 0 < errors[2] < 0.06
    assert 1.1 < errors[0] / errors[1] < errors[1] / errors[2] < 2


def test_mushy_zone_does_not_depend_on_its_tolerance():
    """The flux is good to nine digits."""
    K = (lambda phi: 2.22 - 1.664 * phi), 2e6, 3.336e8
    coarse, fine = (exact.mushy_zone(2.0, -10.0, T_L, straight, *K, tolerance=t) for t in (1e-10, 1e-13))
    assert coarse.wall_flux == pytest.approx(fine.wall_flux, rel=1e-9)
    assert coarse.front == pytest.approx(fine.front, rel=1e-9)


def test_nothing_happens_without_a_difference():
    with pytest.raises(ValueError, match="wall and body are both at -5 K: nothing happens"):
        exact.mushy_zone(-5.0, -5.0, T_L, straight, lambda phi: 2 + 0 * phi, 4e6, 3.336e8)
