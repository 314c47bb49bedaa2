"""Ice and brine in equilibrium, and what the maps of the coupling make of it."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.micro import MicroModel, Pictured
from adapters.scaling import bounds, conduction
from participants.micro.lever_rule import LeverRule
from participants.micro.material import Material, isotropic_mixture, laminate
from participants.micro.phase_diagram import MELTING_POINT, OutsidePhaseDiagram

ICE, BRINE = 2.22, 0.556


def solved(settings: Material, temperature):
    T = np.asarray(temperature, dtype=float)
    model = LeverRule(settings, seed=0)
    state = model.start(np.zeros((len(T), 1)), {"temperature": np.full(len(T), 270.0)})
    return model.solve(state, {"temperature": T}, 1.0)


def test_is_a_micro_model():
    model = LeverRule(Material(), seed=0)
    assert isinstance(model, MicroModel)
    assert isinstance(model, Pictured)
    state = model.start(np.zeros((3, 2)), {"temperature": np.array([260.0, 265.0, 270.0])})
    _, seen = model.solve(state, {"temperature": np.full(3, 255.0)}, 0.0)
    assert seen.keys() == model.observables.keys() == {"liquid-indicator", "liquid-indicator-slope", "conductivity"}
    assert all(values.shape == (3, *model.cell_shape) for values in seen.values())
    assert seen["liquid-indicator"] == pytest.approx(model.snapshot(state)["liquid-indicator"])  # dt = 0: as it is


def test_lever_rule_of_sea_ice():
    """S = 10 g/kg with the phase diagram of Notz (2005), evaluated by hand."""
    T = MELTING_POINT - np.array([2, 5, 10, 20])
    _, seen = solved(Material(salinity=0.010, brine="sea-water"), T)
    assert seen["liquid-indicator"].mean(axis=(1, 2)) == pytest.approx([0.2573, 0.1149, 0.0701, 0.0477], abs=5e-5)


@pytest.mark.parametrize("brine", ["NaCl", "sea-water", "straight"])
def test_slope_is_the_derivative(brine):
    settings = Material(salinity=0.02, brine=brine)
    T_L = float(settings.phase_diagram.melting_point(0.02))
    T = np.append(np.linspace(253, T_L - 0.01, 30), [T_L + 0.01, 280.0])
    d = 1e-5
    high, low = (solved(settings, T + e)[1]["liquid-indicator"] for e in (d, -d))
    slope = solved(settings, T)[1]["liquid-indicator-slope"]
    assert slope == pytest.approx((high - low) / (2 * d), rel=1e-6, abs=1e-9)
    assert (slope[-2:] == 0).all()
    assert (solved(settings, T)[1]["liquid-indicator"][-2:] == 1).all()


@pytest.mark.parametrize(("geometry", "along"), [("layers-x", 0), ("layers-y", 1)])
def test_layers_conduct_exactly(geometry, along):
    """Along layers the arithmetic mean, across them the harmonic one, for any liquid fraction; by the cell problem."""
    phi = np.array([0.0, 0.1, 1 / 3, 0.5, 0.77, 1.0])
    settings = Material(salinity=0.05, brine="straight", liquidus=50.0, geometry=geometry)
    with np.errstate(divide="ignore"):
        T = MELTING_POINT - 50 * np.minimum(0.05 / phi, 1.0)
    phi[0] = 0.05  # the coldest that the straight liquidus has
    _, seen = solved(settings, T)
    k = seen["conductivity"]
    assert seen["liquid-indicator"].mean(axis=(1, 2)) == pytest.approx(phi, rel=1e-10)
    tensor = conduction.solve(conduction.faces(k), (1e-3, 1e-3), tolerance=1e-12).tensor
    voigt, reuss = (1 - phi) * ICE + phi * BRINE, 1 / ((1 - phi) / ICE + phi / BRINE)
    assert tensor[:, along, along] == pytest.approx(voigt, rel=1e-10)
    assert tensor[:, 1 - along, 1 - along] == pytest.approx(reuss, rel=1e-10)
    assert tensor[:, 0, 1] == pytest.approx(0, abs=1e-12)
    assert bounds.voigt(k) == pytest.approx(voigt, rel=1e-12)
    assert bounds.reuss(k) == pytest.approx(reuss, rel=1e-12)


def test_half_and_half_is_ice_and_brine():
    assert laminate(np.array(0.5), ICE, BRINE) == pytest.approx([ICE, BRINE], rel=1e-12)


def test_isotropic_mixture():
    """Pure phases; discs far apart, k (1 + 2 phi (k_1 - k) / (k_1 + k)) (Maxwell in 2-D); Dykhne's half and half."""
    assert isotropic_mixture(np.array([0.0, 1.0]), ICE, BRINE) == pytest.approx([ICE, BRINE], rel=1e-14)
    e = 1e-6
    for phi, host, disc in ((e, ICE, BRINE), (1 - e, BRINE, ICE)):
        dilute = host * (1 + 2 * e * (disc - host) / (disc + host))
        assert isotropic_mixture(np.array(phi), ICE, BRINE) - host == pytest.approx(dilute - host, rel=1e-5)
    assert isotropic_mixture(np.array(0.5), ICE, BRINE) == pytest.approx(np.sqrt(ICE * BRINE), rel=1e-14)


def test_isotropic_mixture_respects_the_bounds():
    phases = np.where(np.arange(100) < np.arange(0, 101, 5)[:, None], BRINE, ICE)
    low, high = bounds.hashin_shtrikman(phases, dimension=2)
    k = isotropic_mixture(np.arange(0, 101, 5) / 100, ICE, BRINE)
    assert (low - 1e-12 <= k).all()
    assert (k <= high + 1e-12).all()


def test_too_salty():
    with pytest.raises(OutsidePhaseDiagram, match=r"0\.25 kg/kg is no salinity of NaCl brine beside ice"):
        LeverRule(Material(salinity=0.25), seed=0)


def test_too_cold():
    with pytest.raises(OutsidePhaseDiagram, match="250 K is no temperature for NaCl brine"):
        solved(Material(), [260.0, 250.0])
