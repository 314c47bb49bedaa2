"""Ice that dissolves in its brine: balances, exact solutions and limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf

from adapters.micro import Audited, MicroModel, Pictured
from adapters.scaling import conduction
from participants.micro.brine import Brine, Volumes
from participants.micro.lever_rule import LeverRule
from participants.micro.material import Material
from participants.micro.phase_diagram import MELTING_POINT as T_0
from participants.micro.phase_diagram import OutsidePhaseDiagram
from scalebridge import settings as typed
from scalebridge.findings import ConfigurationError

POINTS = np.array([[0.0, 0.0], [0.01, 0.0], [0.02, 0.005], [0.03, 0.0]])


def controls(*theta):
    """Temperatures so many K below the melting point of ice."""
    return {"temperature": T_0 - np.array(theta, dtype=float)}


def mean(field):
    return field.mean(axis=(1, 2))


@pytest.fixture
def model():
    return Brine(Volumes(cells=24), seed=3)


@pytest.fixture
def warmed(model):
    """Volumes in the midst of melting: brine saltier than in equilibrium, and a front between it and the ice."""
    state = model.start(POINTS, controls(12, 12, 10, 8))
    for theta in (10, 8, 7):
        state, _ = model.solve(state, controls(theta, theta - 1, theta - 2, theta - 3), 20.0)
    return state


def test_is_a_micro_model(model, warmed):
    assert isinstance(model, MicroModel)
    assert isinstance(model, Pictured)
    assert isinstance(model, Audited)
    _, seen = model.solve(warmed, controls(6, 6, 6, 6), 10.0)
    assert seen.keys() == model.observables.keys() == LeverRule.observables.keys()
    assert all(values.shape == (4, *model.cell_shape) for values in seen.values())
    assert model.controls == LeverRule.controls


def test_starts_in_equilibrium_with_its_salinity(model):
    state = model.start(POINTS, controls(12, 6, 3, 1))
    assert mean(state["salt"]) == pytest.approx(0.03, rel=1e-14)
    lever = LeverRule(Material(), 0).liquid_fraction(controls(12, 6, 3, 1)["temperature"])[0]
    later, seen = model.solve(state, controls(12, 6, 3, 1), 1000.0)
    assert mean(seen["liquid-indicator"]) == pytest.approx(lever, rel=1e-13)
    assert later["salt"] == pytest.approx(state["salt"], abs=1e-15)
    f = seen["liquid-indicator"].reshape(4, -1)
    assert ((f > 0) & (f < 1)).sum(axis=1).max() <= 1  # ice and brine, and one cell in which they meet
    assert (f[3] == 1).all()  # warmer than the liquidus


def test_pockets_belong_to_the_point_and_the_seed():
    cold = controls(12, 12, 12, 12)
    first = Brine(Volumes(), seed=3).start(POINTS, cold)["salt"]
    assert np.array_equal(Brine(Volumes(), seed=3).start(POINTS[::-1] + 1e-14, cold)["salt"][::-1], first)
    assert not np.array_equal(Brine(Volumes(), seed=4).start(POINTS, cold)["salt"], first)
    assert not np.array_equal(first[0], first[1])


def test_pockets_are_statistically_homogeneous():
    """Over many volumes brine is as frequent in any cell as in any other."""
    points = np.column_stack([np.linspace(0, 1, 400), np.zeros(400)])
    state = Brine(Volumes(cells=16), seed=0).start(points, {"temperature": np.full(400, T_0 - 5.0)})
    f = Brine(Volumes(cells=16), seed=0).snapshot(state)["liquid-indicator"]
    phi = f.mean()
    spread = np.sqrt(phi * (1 - phi) / 400)
    assert np.abs(f.mean(axis=0) - phi).max() < 4.5 * spread
    assert f.mean(axis=0).std() == pytest.approx(spread, rel=0.25)


def test_salt_is_conserved_to_round_off(model):
    """Warming, melting, refreezing and cooling in long and short steps."""
    state = first = model.start(POINTS, controls(15, 12, 9, 6))
    for theta, dt in ((9, 10.0), (4, 300.0), (1.9, 3.0), (1, 60.0), (-2, 1e4), (3, 60.0), (12, 1e6), (18, 1.0)):
        after, _ = model.solve(state, controls(theta, theta + 1, theta + 2, theta), dt)
        (check,) = model.audit(state, after)
        assert check.passed
        assert check.value < 2e-14
        state = after
    assert mean(state["salt"]) == pytest.approx(mean(first["salt"]), rel=5e-14)


def test_audit_sees_lost_salt(model, warmed):
    (check,) = model.audit(warmed, {**warmed, "salt": warmed["salt"] * (1 - 1e-12)})
    assert not check.passed
    assert check.name == "salt gained or lost in a volume"


@pytest.mark.parametrize("geometry", ["pockets", "layers-x"])
def test_fast_diffusion_leads_to_the_lever_rule(geometry):
    """One step of dt: the lever rule is missed by a term of first order in size^2 / (D dt)."""
    T = controls(6)["temperature"]
    lever = LeverRule(Material(), 0).liquid_fraction(T)[0]
    missed = []
    for diffusivity in 6.8e-10 * 4.0 ** np.arange(4, 8):
        model = Brine(Volumes(geometry=geometry, diffusivity=diffusivity), seed=1)
        _, seen = model.solve(model.start(POINTS[:1], controls(10)), {"temperature": T}, 60.0)
        missed.append((lever - mean(seen["liquid-indicator"]))[0])
    assert 0 < missed[-1] < 1e-5
    assert np.log(np.array(missed[:-1]) / missed[1:]) / np.log(4) == pytest.approx(1, abs=0.01)


def test_slow_diffusion_dissolves_nothing():
    model = Brine(Volumes(diffusivity=1e-30), seed=1)
    _, seen = model.solve(model.start(POINTS, controls(10, 10, 10, 10)), controls(2, 2, 2, 2), 60.0)
    start = 0.03 / float(Material().phase_diagram.salinity(T_0 - 10))
    assert mean(seen["liquid-indicator"]) == pytest.approx(start, abs=1.0 / 32**2)  # but for the cell at the rim


def test_dissolving_front():
    """Brine of salinity S_0 beside ice, at once warmed to where S_br < S_0: the front moves by 2 lambda sqrt(D t).

    u = u_0 (1 - (1 + erf(x / (2 sqrt(D t)))) / (1 + erf lambda)) for x < s solves the diffusion equation, and
    -D du/dx = S_br ds/dt gives sqrt(pi) lambda exp(lambda^2) (1 + erf lambda) = (S_0 - S_br) / S_br. First order in h.
    """
    S_0, S_br, D, size, phi = 0.2, 0.05, 1e-9, 1e-3, 13 / 16

    def balance(lam):
        return np.sqrt(np.pi) * lam * np.exp(lam**2) * (1 + erf(lam)) - (S_0 - S_br) / S_br

    lam = brentq(balance, 0, 5)
    end = (0.06 * size) ** 2 / D  # long before the two fronts of the layer feel each other
    errors = []
    for cells in (16, 32, 64):
        material = {"brine": "straight", "liquidus": 50.0, "salinity": phi * S_0, "geometry": "layers-y"}
        model = Brine(Volumes(cells=cells, size=size, diffusivity=D, **material), seed=0)
        state = model.start(POINTS[:1], controls(50 * S_0))
        times = end * (np.arange(cells + 1) / cells) ** 2
        error = 0.0
        for before, t in itertools.pairwise(times):
            state, seen = model.solve(state, controls(50 * S_br), t - before)
            front = (mean(seen["liquid-indicator"])[0] - phi) * size / 2
            error = max(error, abs(front - 2 * lam * np.sqrt(D * t)) / size)
        errors.append(error)
    assert errors[-1] < 0.2 / 64  # a fifth of a cell
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("dt", [5.0, 60.0])
def test_slope_is_the_derivative(model, warmed, dt):
    """Central differences of phi(T) at the end of one and the same step; phi has kinks, but hardly at these."""
    d = 1e-5
    for theta in (14.0, 9.0, 6.0, 5.0, 4.0, 3.0, 2.2):
        slope = mean(model.solve(warmed, controls(*[theta] * 4), dt)[1]["liquid-indicator-slope"])
        high, low = (mean(model.solve(warmed, controls(*[theta - e] * 4), dt)[1]["liquid-indicator"]) for e in (d, -d))
        assert slope == pytest.approx((high - low) / (2 * d), rel=2e-5)


def test_liquid_fraction_grows_with_temperature(model, warmed):
    """phi(T) is continuous and monotone, its slope never negative."""
    theta = np.linspace(16, -0.5, 200)
    seen = [model.solve(warmed, controls(*[t] * 4), 30.0)[1] for t in theta]
    phi = np.array([mean(x["liquid-indicator"]) for x in seen])
    assert (np.diff(phi, axis=0) >= -1e-12).all()
    assert np.diff(phi, axis=0).max() < 0.04
    assert min(x["liquid-indicator-slope"].min() for x in seen) >= -1e-7
    assert phi[0].max() < 0.25
    assert (phi[-1] == 1).all()


def test_fields_stay_physical(model, warmed):
    state = warmed
    for theta in (5, 3, 2, 8, 15, 4):
        state, seen = model.solve(state, controls(*[theta] * 4), 40.0)
        f, k = seen["liquid-indicator"], seen["conductivity"]
        assert state["salt"].min() >= 0
        assert f.min() >= 0
        assert f.max() <= 1
        assert 0.556 * (1 - 1e-12) <= k.min() <= k.max() <= 2.22 * (1 + 1e-12)
        brine = model.snapshot(state)["brine-salinity"]
        assert (brine[state["salt"] > 0] >= Material().phase_diagram.salinity(T_0 - theta)).all()


def test_melts_and_refreezes(model):
    state = model.start(POINTS, controls(10, 10, 10, 10))
    state, seen = model.solve(state, controls(1, 0.5, 0, -5), 1e6)
    assert (seen["liquid-indicator"] == 1).all()
    assert (seen["liquid-indicator-slope"] == 0).all()
    assert state["salt"] == pytest.approx(0.03, rel=1e-4)  # mixed through
    state, seen = model.solve(state, controls(10, 10, 10, 10), 1e6)
    lever = LeverRule(Material(), 0).liquid_fraction(controls(10)["temperature"])[0][0]
    assert mean(seen["liquid-indicator"]) == pytest.approx(lever, rel=1e-12)  # freezes in place


def test_brine_is_never_supercooled(model, warmed):
    """Cooling follows the lever rule of each cell, however fast, where no brine is saltier than it may be."""
    _, seen = model.solve(warmed, controls(20, 20, 20, 20), 1e-3)
    S_br = float(Material().phase_diagram.salinity(T_0 - 20))
    assert mean(seen["liquid-indicator"]) == pytest.approx(0.03 / S_br, rel=1e-12)


def test_without_time_the_state_is_shown_as_it_is(model, warmed):
    state, seen = model.solve(warmed, controls(1, 1, 1, 1), 0.0)
    assert np.array_equal(state["salt"], warmed["salt"])
    assert np.array_equal(state["temperature"], warmed["temperature"])
    assert seen["liquid-indicator"] == pytest.approx(model.snapshot(warmed)["liquid-indicator"], abs=1e-10)


def test_states_are_not_changed_and_steps_can_be_repeated(model, warmed):
    kept = warmed["salt"].copy()
    first = model.solve(warmed, controls(5, 5, 5, 5), 20.0)
    again = model.solve(warmed, controls(5, 5, 5, 5), 20.0)
    assert np.array_equal(warmed["salt"], kept)
    assert np.array_equal(first[0]["salt"], again[0]["salt"])
    assert all(np.array_equal(first[1][name], again[1][name]) for name in first[1])


def test_order_of_the_batch_does_not_matter(model, warmed):
    order = [2, 0, 3, 1]
    T = controls(5, 4, 3, 2)["temperature"]
    straight, seen = model.solve(warmed, {"temperature": T}, 20.0)
    mixed = {name: values[order] for name, values in warmed.items()}
    shuffled, found = model.solve(mixed, {"temperature": T[order]}, 20.0)
    assert np.array_equal(shuffled["salt"], straight["salt"][order])
    assert all(np.array_equal(found[name], seen[name][order]) for name in seen)


@pytest.mark.parametrize(("geometry", "along"), [("layers-x", 0), ("layers-y", 1)])
def test_layers_conduct_exactly(geometry, along):
    """A quarter of the volume is one layer of brine: arithmetic mean along, harmonic mean across."""
    settings = Volumes(cells=16, geometry=geometry, brine="straight", liquidus=50.0, salinity=0.05)
    model = Brine(settings, seed=0)
    state = model.start(POINTS[:1], controls(10))
    _, seen = model.solve(state, controls(10), 0.0)
    assert mean(seen["liquid-indicator"]) == pytest.approx(0.25, rel=1e-12)
    tensor = conduction.solve(conduction.faces(seen["conductivity"]), model.cell_size, tolerance=1e-12).tensor[0]
    assert tensor[along, along] == pytest.approx(0.75 * 2.22 + 0.25 * 0.556, rel=1e-10)
    assert tensor[1 - along, 1 - along] == pytest.approx(1 / (0.75 / 2.22 + 0.25 / 0.556), rel=1e-10)
    reference = LeverRule(Material(geometry=geometry, brine="straight", liquidus=50.0, salinity=0.05), seed=0)
    _, same = reference.solve(reference.start(POINTS[:1], controls(10)), controls(10), 0.0)
    lever = conduction.solve(conduction.faces(same["conductivity"]), reference.cell_size, tolerance=1e-12).tensor[0]
    assert tensor == pytest.approx(lever, rel=1e-10)


def test_below_the_eutectic(model, warmed):
    with pytest.raises(OutsidePhaseDiagram, match=r"243\.15 K is no temperature for NaCl brine"):
        model.solve(warmed, controls(5, 5, 30, 5), 10.0)
    with pytest.raises(OutsidePhaseDiagram, match=r"243\.15 K is no temperature for NaCl brine"):
        model.start(POINTS, controls(5, 5, 30, 5))


def test_too_salty():
    with pytest.raises(OutsidePhaseDiagram, match=r"0\.25 kg/kg is no salinity of NaCl brine beside ice"):
        Brine(Volumes(salinity=0.25), seed=0)


def test_wrong_settings_come_at_once():
    with pytest.raises(ConfigurationError) as error:
        typed.build(Volumes, {"cells": 1, "size": "1 K", "salinity": 0.03, "brine": "beer", "geometri": "pockets"})
    text = str(error.value)
    assert len(error.value.findings) == 5
    assert "geometri: no such setting; expected" in text
    assert "Did you mean 'geometry'?" in text
    assert "'beer' is not a choice; expected one of NaCl, sea-water, straight" in text


def test_settings_take_units():
    built = typed.build(Volumes, {"size": "0.5 mm", "salinity": "35 g/kg", "diffusivity": "7e-6 cm^2/s"})
    assert (built.size, built.salinity, built.diffusivity) == pytest.approx((5e-4, 0.035, 7e-10))
