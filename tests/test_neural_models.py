"""Neural masses against their fixed points, known in closed form or from the literature."""

import math

import numpy as np
import pytest

from adapters.wiring import CouplingError
from participants.neural import models
from participants.neural.models import MontbrioPazoRoxin, Parameters, WilsonCowan, heun
from scalebridge import settings

MPR = MontbrioPazoRoxin()
FIGURE_11 = WilsonCowan(P=1.25, c_ee=16, c_ei=12, c_ie=15, c_ii=3, a_e=1.3, a_i=2, theta_e=4, theta_i=3.7)


def rates(eta=-5.0, J=15.0, input=0.0, delta=1.0):
    """Return tau r of all fixed points: v = -Delta / (2 pi r) in v^2 + eta + J r + input - (pi r)^2 = 0, times r^2."""
    roots = np.roots([-(math.pi**2), J, eta + input, 0, (delta / (2 * math.pi)) ** 2])
    return np.sort(roots[(abs(roots.imag) < 1e-9) & (roots.real > 0)].real)


def state(r, delta=1.0, tau=10.0):
    """Return the state (1, 2) of a mass with tau r at rest."""
    return np.array([[r / tau, -delta / (2 * math.pi * r)]])


def jacobian(model, x, input=0.0):
    """Return the derivative of the derivative in the state x (1, 2), by central differences [1/ms]."""
    h, u = 1e-6, np.array([input])
    return np.array([(model.derivative(x + s, u) - model.derivative(x - s, u))[0] / (2 * h) for s in h * np.eye(2)]).T


def go_on(model, x, time, dt=0.02, input=0.0):
    """Return the states (m, n, 2) from x on over a time [ms]."""
    found = [x]
    for _ in range(round(time / dt)):
        found.append(heun(model, found[-1], np.full(len(x), input), dt))
    return np.array(found)


def test_published_fixed_points():
    """Montbrio, Pazo & Roxin (2015): J = 15, eta = -5, Delta = 1 is bistable."""
    found = rates()
    assert found == pytest.approx([0.081134, 0.472980, 1.030597], abs=5e-7)
    assert rates(input=3.0)[-1] == pytest.approx(1.373244, abs=5e-7)
    for r, input in [*((r, 0.0) for r in found), *((r, 3.0) for r in rates(input=3.0))]:
        assert MPR.derivative(state(r), np.array([input])) == pytest.approx(0, abs=1e-12)
        assert MPR.rate(state(r)) == pytest.approx([100 * r])
        assert MPR.start(np.array([100 * r])) == pytest.approx(state(r), rel=1e-12)  # which has v in balance with r


def test_stability_of_the_fixed_points():
    """The eigenvalues of ((2 v, 2 r), (J - 2 pi^2 r, 2 v)) are 2 v +- sqrt(2 r (J - 2 pi^2 r)), in 1/tau."""
    low, saddle, focus = rates()
    for r in (low, saddle, focus):
        v = -1 / (2 * math.pi * r)
        wanted = 2 * v + np.array([-1, 1]) * np.emath.sqrt(2 * r * (15 - 2 * math.pi**2 * r))
        assert np.sort_complex(10 * np.linalg.eigvals(jacobian(MPR, state(r)))) == pytest.approx(
            np.sort_complex(wanted)
        )
    assert 10 * np.linalg.eigvals(jacobian(MPR, state(focus)))[0].real == pytest.approx(-0.30886, abs=5e-6)
    assert (
        np.linalg.eigvals(jacobian(MPR, state(saddle))).real.max()
        > 0
        > np.linalg.eigvals(jacobian(MPR, state(low))).max()
    )


def test_damped_oscillation_of_52_8_hz():
    x = state(rates()[-1]) * [1.001, 1.0]
    r = go_on(MPR, x, 60.0)[:, 0, 0] - x[0, 0] / 1.001
    crossings = np.flatnonzero((r[1:] > 0) != (r[:-1] > 0))
    assert 1000 / (2 * np.diff(crossings).mean() * 0.02) == pytest.approx(52.8, abs=0.1)


def test_range_in_which_there_are_two_states():
    """Folds are where d/dr of eta(r) = (pi r)^2 - J r - (Delta / (2 pi r))^2 is zero: -5.743527 < eta < -3.136134."""
    roots = np.roots([2 * math.pi**2, -15, 0, 0, 1 / (2 * math.pi**2)])
    r = np.sort(roots[(abs(roots.imag) < 1e-9) & (roots.real > 0)].real)
    ends = np.sort((math.pi * r) ** 2 - 15 * r - (1 / (2 * math.pi * r)) ** 2)
    assert ends == pytest.approx([-5.743527, -3.136134], abs=5e-7)
    for eta, states in [(ends[0] - 0.1, 1), (ends[0] + 0.1, 2), (ends[1] - 0.1, 2), (ends[1] + 0.1, 1)]:
        mass = MontbrioPazoRoxin(eta=eta)
        stable = 100 * rates(eta=eta)[[0, -1]]
        begin = mass.start(stable * [0.98, 1.02] if states == 2 else np.array([5.0, 120.0]))
        last = mass.rate(go_on(mass, begin, 600.0, dt=0.05)[-1])
        assert len(np.unique(last.round(1))) == states
        assert last == pytest.approx(stable, rel=1e-3)


def test_neurons_that_are_not_connected():
    """J = 0: r = sqrt(eta + sqrt(eta^2 + Delta^2)) / (sqrt(2) pi tau): the rate is that of independent neurons."""
    for eta in (-5.0, 0.0, 2.0):
        mass, wanted = (
            MontbrioPazoRoxin(eta=eta, J=0.0),
            math.sqrt(eta + math.hypot(eta, 1.0)) / (math.sqrt(2) * math.pi),
        )
        assert mass.derivative(state(wanted), np.zeros(1)) == pytest.approx(0, abs=1e-12)
        assert rates(eta=eta, J=0.0) == pytest.approx([wanted])


def test_two_halves_are_one_population():
    """Half of the recurrent weight as a connection: J = 10 and w = 5 instead of J = 15."""
    half = MontbrioPazoRoxin(J=10.0)
    for r in rates():
        arriving = half.input(5.0 * half.rate(state(r)))
        assert half.derivative(state(r), arriving) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("mass", "rate"), [(MPR, 110.0), (WilsonCowan(tau=8.0), 150.0)])
def test_heun_is_of_second_order(mass, rate):
    x = mass.start(np.array([rate]))
    fine = go_on(mass, x, 12.0, dt=0.003, input=1.0)[-1]
    errors = [np.abs(go_on(mass, x, 12.0, dt=dt, input=1.0)[-1] - fine).max() for dt in (0.12, 0.06, 0.03)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.1)


def test_cells_at_rest():
    """Without input rest is a fixed point, with the slopes S'(0) = a exp(a theta) / (1 + exp(a theta))^2 of S."""
    cells, rest = WilsonCowan(), np.zeros((1, 2))
    assert cells.derivative(rest, np.zeros(1)) == pytest.approx(0, abs=1e-15)
    assert cells.start(np.zeros(1)) == pytest.approx(0, abs=1e-15)
    e, i = math.exp(1.2 * 2.8), math.exp(4.0)
    k_e, k_i, s_e, s_i = e / (1 + e), i / (1 + i), 1.2 * e / (1 + e) ** 2, i / (1 + i) ** 2
    wanted = [[-1 + k_e * s_e * 12, -k_e * s_e * 4], [k_i * s_i * 13, -1 - k_i * s_i * 11]]
    assert 10 * jacobian(cells, rest) == pytest.approx(np.array(wanted), abs=1e-8)


def test_cells_that_are_not_connected():
    """E = (k - E) S(P) is solved by E = k S / (1 + S)."""
    cells = WilsonCowan(P=3.0, c_ee=0, c_ei=0, c_ie=0, c_ii=0)
    rest = 1 / (1 + math.exp(1.2 * 2.8))
    S = 1 / (1 + math.exp(-1.2 * (3.0 - 2.8))) - rest
    last = go_on(cells, np.zeros((1, 2)), 300.0, dt=0.1)[-1, 0]
    assert last == pytest.approx([(1 - rest) * S / (1 + S), 0], rel=1e-9)
    assert cells.rate(last) == pytest.approx(1000 * last[0])


def test_limits_of_the_response():
    """Nobody fires without input; under strong input all do whom their threshold lets, k = S(infinity)."""
    k, response = models.sigmoid(1.2, 2.8, np.array([0.0, 1000.0, -1000.0]))
    assert response == pytest.approx([0, k, k - 1])
    assert k == 1 - 1 / (1 + math.exp(1.2 * 2.8))


def fixed_points(cells, grid=200001):
    """Return E, I of all fixed points: on the curve dE/dt = 0, I = (c_ee E + P - S_e^-1(E / (k - E))) / c_ei."""
    rest = 1 / (1 + math.exp(cells.a_e * cells.theta_e))
    E = np.linspace(-0.04, 0.49, grid)
    S = E / (1 - rest - E) + rest
    E, S = E[(S > 1e-9) & (S < 1 - 1e-9)], S[(S > 1e-9) & (S < 1 - 1e-9)]
    x = cells.theta_e + np.log(S / (1 - S)) / cells.a_e
    points = np.stack([E, (cells.c_ee * E + cells.P - x) / cells.c_ei], axis=-1)
    dI = cells.derivative(points, np.zeros(len(E)))[:, 1]
    return [points[j] for j in np.flatnonzero(np.sign(dI[1:]) != np.sign(dI[:-1]))]


def test_rest_and_activity():
    """Wilson & Cowan (1972), figure 4: two stable states that a saddle parts."""
    cells = WilsonCowan()
    points = fixed_points(cells)
    stable = [np.linalg.eigvals(jacobian(cells, np.array([p]))).real.max() < 0 for p in points]
    assert stable == [True, False, True]
    ends = go_on(cells, cells.start(np.array([180.0, 200.0])), 400.0, dt=0.1)[-1]  # on both sides of it
    assert ends == pytest.approx(np.array([points[0], points[2]]), abs=1e-5)


def test_oscillation():
    """Wilson & Cowan (1972), figure 11: with P = 1.25 the only fixed point is unstable, around it is a limit cycle."""
    (point,) = fixed_points(FIGURE_11)
    assert np.linalg.eigvals(jacobian(FIGURE_11, np.array([point]))).real.min() > 0
    E = go_on(FIGURE_11, np.array([point]) + 0.01, 600.0, dt=0.1)[:, 0, 0]
    assert np.ptp(E[4000:5000]) == pytest.approx(np.ptp(E[5000:]), rel=1e-3)
    assert np.ptp(E[5000:]) > 0.1


def test_start_in_balance():
    cells, rate = WilsonCowan(refractory=2.0), np.array([0.0, 20.0, 150.0])
    x = cells.start(rate)
    assert cells.rate(x) == pytest.approx(rate)
    assert cells.input(rate) == pytest.approx(x[:, 0])
    assert cells.derivative(x, np.zeros(3))[:, 1] == pytest.approx(0, abs=1e-12)


def test_rate_at_the_start_that_has_no_state():
    with pytest.raises(CouplingError, match="initial rate of 0 Hz: neurons of montbrio-pazo-roxin always fire"):
        MPR.start(np.array([5.0, 0.0]))


def test_models_by_name():
    assert models.build(Parameters(eta=-4.0)) == MontbrioPazoRoxin(eta=-4.0)
    assert models.build(Parameters(model="wilson-cowan", tau=8.0, P=1.0)) == WilsonCowan(tau=8.0, P=1.0)
    assert settings.build(Parameters, {"tau": "0.01 s", "refractory": "2000 us"}) == Parameters(refractory=2.0)


def test_parameters_of_another_model_are_refused():
    with pytest.raises(CouplingError, match="eta, J: no parameter of the model wilson-cowan; expected one of P, a_e, "):
        models.build(Parameters(model="wilson-cowan", eta=-4.0, J=10.0))
