"""Leaky integrate-and-fire neurons in NEST: rates under a current and in a network, and all the spikes of Brian2."""

import math
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("nest") is None:
    pytest.skip("NEST is not installed (extra neural)", allow_module_level=True)

from test_leaky import run, siegert

from adapters.spikes import Spikes
from participants.neural import leaky
from participants.neural.leaky_nest import Leaky, LeakyNeurons
from scalebridge.settings import schema

UNCONNECTED = {"connectivity": 0.0, "background": 0.0, "raster": 0}


@pytest.mark.parametrize("dt", [0.01, 0.1])
def test_under_a_current_the_period_is_the_refractory_time_and_the_rise_to_threshold(dt):
    """1 / r = t_ref + tau ln((R I - V_r) / (R I - theta)), R = tau / C = 80 MOhm; up to the end of a step."""
    current = np.array([[240.0], [260.0], [300.0], [400.0], [1000.0]])
    model = LeakyNeurons(Leaky(neurons=1, dt=dt, **UNCONNECTED), seed=1)
    _, seen = model.solve(model.start(np.arange(5.0)[:, None], {"current": current}), {"current": current}, 0.3)
    spikes = seen["spikes"]
    assert not (spikes.row == 0).any()
    for row in range(1, 5):
        drive = 0.08 * current[row, 0]  # mV
        rise = 20 * math.log((drive - 10) / (drive - 20))
        period = 2 + math.ceil(rise / dt) * dt
        np.testing.assert_allclose(1e3 * np.diff(spikes.time[spikes.row == row]), period, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mean", [21.0])
def test_under_poisson_spikes_the_rate_is_siegerts(mean):
    """Brunel, J. Comput. Neurosci. 8, 183 (2000), equation 21, as for the neurons in Brian2."""
    J, tau = 0.1, 20.0
    settings = Leaky(neurons=2000, dt=0.02, weight=J, background=1e3 * mean / J / tau, connectivity=0.0, raster=0)
    found = run(LeakyNeurons(settings, seed=3), {}, 0.3, 6)
    # the equation is of diffusion; jumps of J go beyond the threshold by J / 2 in the mean
    assert found[0] == pytest.approx(siegert(mean, math.sqrt(J * mean), tau, threshold=20 + J / 2), rel=0.03)


def test_a_balanced_network_fires_at_the_rate_of_its_mean_field():
    """Brunel (2000), equations 4, 5 and 21, at g = 5 and a background of twice the threshold: there 37.7 Hz."""
    J, C, tau, g, background = 0.2, 400, 20.0, 5.0, 10.0  # per ms
    rate = 30.0
    for _ in range(200):
        mean = tau * J * (background + C * rate / 1e3 * (1 - g / 4))
        sigma = math.sqrt(tau * J**2 * (background + C * rate / 1e3 * (1 + g * g / 4)))
        rate += 0.1 * (siegert(mean, sigma, tau) - rate)
    settings = Leaky(neurons=5000, weight=J, inhibition=g, background=1e3 * background, raster=0)
    found = run(LeakyNeurons(settings, seed=2), {}, 0.2, 20)
    assert found[0] == pytest.approx(rate, rel=0.1)


def test_the_same_network_in_brian_fires_the_same_spikes():
    """Every spike of 1000 neurons in two recurrent networks that are kept active by other Poisson spikes for each.

    Brian adds the spikes that arrive at the end of a step when it has looked for those that reach the threshold, and
    lets the potential move in the last step of the refractory period.
    """
    same = {"neurons": 500, "refractory": 2.0, "background": 0.0, "afferent_weight": 0.8, "raster": 0}
    decay = math.exp(-0.1 / 20)
    ours = LeakyNeurons(Leaky(**same, weight=0.6 * decay, reset=10 * decay, delay=1.6), seed=3)
    theirs = leaky.LeakyNeurons(leaky.Leaky(**same, weight=0.6, reset=10.0, delay=1.5), seed=3)
    expected, found = (spikes_of(model) for model in (theirs, ours))
    assert len(expected) > 5000
    np.testing.assert_array_equal(found, expected)


def spikes_of(model):
    """Return who fires at the end of which step (row, neuron, step) in 200 ms, in windows of 1 ms."""
    state = model.start(np.array([[0.0], [1.0]]), {"spikes": Spikes.none(2, 500, 0.0)})
    fired, random = [], np.random.default_rng(7)
    for window in range(200):
        many = random.poisson(1600)
        row, neuron = random.integers(0, 2, many), random.integers(0, 500, many)
        given = Spikes.of(row, neuron, 1e-3 * (1 - random.random(many)), rows=2, neurons=500, duration=1e-3)
        state, seen = model.solve(state, {"spikes": given}, 1e-3)
        spikes = seen["spikes"]
        fired.append(np.column_stack([spikes.row, spikes.neuron, 10 * window + np.rint(spikes.time * 1e4).astype(int)]))
    every = np.concatenate(fired)
    return every[np.lexsort(every.T)]


def test_simulators_are_swapped_by_the_module_alone():
    """All settings of the network are called and are the same."""
    ours, theirs = schema(Leaky), schema(leaky.Leaky)
    assert theirs.keys() - ours.keys() == {"codegen"}
    for name in ours:
        assert {**ours[name], "help": ""} == {**theirs[name], "help": ""}
    assert LeakyNeurons.controls == leaky.LeakyNeurons.controls
    assert LeakyNeurons.observables["spikes"] == leaky.LeakyNeurons.observables["spikes"]
