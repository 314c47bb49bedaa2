"""Leaky integrate-and-fire neurons: rates under a current and under Poisson spikes, jumps, delays, a random network."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfcx

from adapters.spikes import Spikes
from participants.neural import brunel
from participants.neural.leaky import Leaky, LeakyNeurons

UNCONNECTED = {"connectivity": 0.0, "background": 0.0, "raster": 0}


def run(model, controls, duration, windows, columns=1):
    """Return the number of spikes of each population, once a third of the windows is over."""
    state = model.start(np.arange(columns, dtype=float)[:, None], controls)
    fired = np.zeros(columns)
    for window in range(windows):
        state, seen = model.solve(state, controls, duration / windows)
        if window >= windows // 3:
            fired += seen["spikes"].counts().sum(axis=1)
    return fired / model.neurons / duration / (1 - (windows // 3) / windows)


@pytest.mark.parametrize("dt", [0.01, 0.1])
def test_under_a_current_the_period_is_the_refractory_time_and_the_rise_to_threshold(dt):
    under_a_current(LeakyNeurons(Leaky(neurons=1, dt=dt, **UNCONNECTED), seed=1))


def under_a_current(model):
    """Check 1 / r = t_ref + tau ln((R I - V_r) / (R I - theta)), R = tau / C = 80 MOhm; up to the end of a step."""
    current, dt = np.array([[240.0], [260.0], [300.0], [400.0], [1000.0]]), model.settings.dt
    _, seen = model.solve(model.start(np.arange(5.0)[:, None], {"current": current}), {"current": current}, 0.15)
    spikes = seen["spikes"]
    assert not (spikes.row == 0).any()
    for row in range(1, 5):
        drive = 0.08 * current[row, 0]  # mV
        rise = 20 * math.log((drive - 10) / (drive - 20))
        period = 2 + math.ceil(rise / dt) * dt
        intervals = 1e3 * np.diff(spikes.time[spikes.row == row])
        assert len(intervals) > 1
        np.testing.assert_allclose(intervals, period, rtol=0, atol=1e-9)


def siegert(mean, sigma, tau, threshold=20.0):
    """Return the rate [Hz] of a neuron with this mean input and noise [mV], for V_r = 10 mV and t_ref = 2 ms."""
    area, _ = quad(lambda u: erfcx(-u), (10 - mean) / sigma, (threshold - mean) / sigma)
    return 1e3 / (2 + tau * math.sqrt(math.pi) * area)


@pytest.mark.parametrize("mean", [19.0, 21.0, 24.0])
def test_under_poisson_spikes_the_rate_is_siegerts(mean):
    """1 / r = t_ref + tau sqrt(pi) int_a^b exp(u^2) (1 + erf u) du, a, b = (V_r - mu) / sigma, (theta - mu) / sigma.

    mu = J nu tau, sigma^2 = J^2 nu tau: Brunel, J. Comput. Neurosci. 8, 183 (2000), equation 21.
    """
    J, tau = 0.1, 20.0
    settings = Leaky(neurons=2000, dt=0.02, weight=J, background=1e3 * mean / J / tau, connectivity=0.0, raster=0)
    found = run(LeakyNeurons(settings, seed=3), {}, 0.3, 6)
    # the equation is of diffusion; jumps of J go beyond the threshold by J / 2 in the mean
    assert found[0] == pytest.approx(siegert(mean, math.sqrt(J * mean), tau, threshold=20 + J / 2), rel=0.03)


def test_an_afferent_spike_is_a_jump_of_the_potential():
    model = LeakyNeurons(Leaky(neurons=3, afferent_weight=2.0, **UNCONNECTED), seed=1)
    state = model.start(np.zeros((1, 1)), {})
    state["neurons"]["v"][0] = [0.0, 0.0, 19.9e-3]
    spikes = Spikes.of([0, 0, 0], [0, 0, 2], [0.35e-3, 0.351e-3, 0.9e-3], rows=1, neurons=3, duration=1e-3)
    after, seen = model.solve(state, {"spikes": spikes}, 1e-3)
    # two jumps at 0.4 ms; one at 0.9 ms, from 19.9 exp(-0.9 / 20) to 21.02, beyond the threshold
    expected = [4 * math.exp(-0.6 / 20), 0.0, 10.0]
    np.testing.assert_allclose(after["neurons"]["v"][0] * 1e3, expected, atol=1e-12)
    assert (seen["spikes"].neuron.tolist(), seen["spikes"].time.tolist()) == ([2], [pytest.approx(0.9e-3)])


def test_a_spike_arrives_after_its_delay_with_the_sign_of_its_neuron():
    settings = Leaky(neurons=10, connectivity=1.0, weight=0.1, inhibition=4.0, delay=1.5, background=0.0)
    model = LeakyNeurons(settings, seed=1)
    source, target = brunel.connections(settings, np.zeros((1, 1)), seed=1)
    for neuron, jump in ((0, 0.1), (9, -0.4)):
        state = model.start(np.zeros((1, 1)), {})
        state["neurons"]["v"][...] = 0
        state["neurons"]["v"][0, neuron] = 25e-3
        number = np.bincount(target[source == neuron])
        potentials = []
        for _ in range(20):
            state, _ = model.solve(state, {}, 1e-4)
            potentials.append(state["neurons"]["v"][0, :8].copy() * 1e3)
        most = 1 + np.argmax(number[1:8])
        trace = np.array(potentials)[:, most]
        assert (trace[:15] == 0).all()  # fired at 0.1 ms, so nothing until 1.6 ms
        assert trace[15] == pytest.approx(number[most] * jump, rel=1e-12)


def test_the_network_has_as_many_synapses_of_each_kind_onto_each_neuron():
    source, target = brunel.connections(Leaky(neurons=50, connectivity=0.2), np.array([[0.0], [1.0]]), seed=1)
    for column in range(2):
        mine = (target >= 50 * column) & (target < 50 * column + 50)
        assert ((source[mine] >= 50 * column) & (source[mine] < 50 * column + 50)).all()
        excitatory = source[mine] < 50 * column + 40
        np.testing.assert_array_equal(np.bincount(target[mine] - 50 * column, excitatory), np.full(50, 8.0))
        np.testing.assert_array_equal(np.bincount(target[mine] - 50 * column, ~excitatory), np.full(50, 2.0))


def test_a_balanced_network_fires_at_the_rate_of_its_mean_field():
    """Brunel (2000), equations 4, 5 and 21: the neurons are to each other what Poisson spikes are to one.

    mu = tau J (nu_0 + C_E r (1 - g / 4)), sigma^2 = tau J^2 (nu_0 + C_E r (1 + g^2 / 4)). At g = 5 and a background of
    twice the threshold; there its figure 8C finds 37.7 Hz.
    """
    J, C, tau, g, background = 0.2, 400, 20.0, 5.0, 10.0  # per ms
    rate = 30.0
    for _ in range(200):
        mean = tau * J * (background + C * rate / 1e3 * (1 - g / 4))
        sigma = math.sqrt(tau * J**2 * (background + C * rate / 1e3 * (1 + g * g / 4)))
        rate += 0.1 * (siegert(mean, sigma, tau) - rate)
    settings = Leaky(neurons=5000, weight=J, inhibition=g, background=1e3 * background, raster=0)
    found = run(LeakyNeurons(settings, seed=2), {}, 0.2, 20)
    assert found[0] == pytest.approx(rate, rel=0.05)
