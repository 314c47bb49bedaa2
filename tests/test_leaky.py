"""Leaky integrate-and-fire neurons: rates under a current and under Poisson spikes, jumps, delays, a random network."""

import math

import numpy as np
import pytest
from neurons import UNCONNECTED, balanced, mean_rate, poisson, under_a_current

from adapters.spikes import Spikes
from participants.neural import brunel
from participants.neural.leaky import Leaky, LeakyNeurons


@pytest.mark.parametrize("dt", [0.01, 0.1])
def test_under_a_current_the_period_is_the_refractory_time_and_the_rise_to_threshold(dt):
    under_a_current(LeakyNeurons(Leaky(neurons=1, dt=dt, **UNCONNECTED), seed=1))


@pytest.mark.parametrize("mean", [20.0, 24.0])
def test_under_poisson_spikes_the_rate_is_siegerts(mean):
    """Brunel, J. Comput. Neurosci. 8, 183 (2000), equation 21."""
    J = 0.1
    settings = Leaky(neurons=2000, weight=J, background=1e3 * mean / J / 20, connectivity=0.0, raster=0)
    assert mean_rate(LeakyNeurons(settings, seed=3), 0.3, 6) == pytest.approx(poisson(mean, J), rel=0.02)


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
    """Brunel (2000), equations 4, 5 and 21, at g = 5 and a background of twice the threshold; figure 8C: 37.7 Hz."""
    settings = Leaky(neurons=5000, weight=0.2, inhibition=5.0, background=1e4, raster=0)
    found = mean_rate(LeakyNeurons(settings, seed=2), 0.15, 15)
    assert found == pytest.approx(balanced(0.2, 400, 5.0, 10.0), rel=0.1)
