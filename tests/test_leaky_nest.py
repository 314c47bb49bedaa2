"""Leaky integrate-and-fire neurons in NEST: rates under a current and in a network, and all the spikes of Brian2."""

import math
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("nest") is None:
    pytest.skip("NEST is not installed (extra neural)", allow_module_level=True)

from neurons import UNCONNECTED, balanced, mean_rate, poisson, under_a_current

from adapters.spikes import Spikes
from participants.neural import leaky
from participants.neural.brunel import Leaky
from participants.neural.leaky_nest import LeakyNeurons
from scalebridge.settings import schema


@pytest.mark.parametrize("dt", [0.01, 0.1])
def test_under_a_current_the_period_is_the_refractory_time_and_the_rise_to_threshold(dt):
    under_a_current(LeakyNeurons(Leaky(neurons=1, dt=dt, **UNCONNECTED), seed=1))


def test_under_poisson_spikes_the_rate_is_siegerts():
    """Brunel, J. Comput. Neurosci. 8, 183 (2000), equation 21."""
    J, mean = 0.1, 21.0
    settings = Leaky(neurons=2000, weight=J, background=1e3 * mean / J / 20, connectivity=0.0, raster=0)
    assert mean_rate(LeakyNeurons(settings, seed=3), 0.3, 6) == pytest.approx(poisson(mean, J), rel=0.03)


def test_a_balanced_network_fires_at_the_rate_of_its_mean_field():
    """Brunel (2000), equations 4, 5 and 21, at g = 5 and a background of twice the threshold; figure 8C: 37.7 Hz."""
    settings = Leaky(neurons=5000, weight=0.2, inhibition=5.0, background=1e4, raster=0)
    found = mean_rate(LeakyNeurons(settings, seed=2), 0.15, 15)
    assert found == pytest.approx(balanced(0.2, 400, 5.0, 10.0), rel=0.1)


def test_the_same_network_in_brian_fires_the_same_spikes():
    """Every spike of two recurrent networks that a current and other Poisson spikes for each neuron keep active.

    In NEST afferent spikes come a step late and have decayed as if they had not: here they are sent a step early.
    """
    same = {"neurons": 500, "background": 0.0, "raster": 0}
    expected = spikes_of(leaky.LeakyNeurons(leaky.Leaky(**same, afferent_weight=0.8), seed=3), late=0)
    ours = Leaky(**same, afferent_weight=0.8 * math.exp(0.1 / 20))
    assert len(expected) > 5000
    np.testing.assert_array_equal(spikes_of(LeakyNeurons(ours, seed=3), late=1), expected)


def spikes_of(model, late):
    """Return who fires at the end of which step (row, neuron, step) in 200 ms, in windows of 1 ms."""
    random, steps, each = np.random.default_rng(7), 2000, 10
    many = 160 * steps
    row, neuron, step = (random.integers(0, size, many) for size in (2, 500, steps))
    step = np.where(step == 0, steps, step) - late  # none in the first step, before which there is none
    current = random.uniform(0, 100, (2, steps))
    state = model.start(np.array([[0.0], [1.0]]), {"current": current, "spikes": Spikes.none(2, 500, 0.0)})
    fired = []
    for first in range(0, steps, each):
        now = (step >= first) & (step < first + each)
        times = 1e-4 * (step[now] - first + 0.5)
        given = Spikes.of(row[now], neuron[now], times, rows=2, neurons=500, duration=1e-3)
        state, seen = model.solve(state, {"current": current[:, first : first + each], "spikes": given}, 1e-3)
        spikes = seen["spikes"]
        fired.append(np.column_stack([spikes.row, spikes.neuron, first + np.rint(spikes.time * 1e4).astype(int)]))
    every = np.concatenate(fired)
    return every[np.lexsort(every.T)]


def test_simulators_are_swapped_by_the_module_alone():
    """All settings of the network are called and are the same."""
    ours, theirs = schema(Leaky), schema(leaky.Leaky)
    assert theirs.keys() - ours.keys() == {"codegen"}
    assert ours == {name: theirs[name] for name in ours}
    assert LeakyNeurons.controls == leaky.LeakyNeurons.controls
    assert LeakyNeurons.observables["spikes"] == leaky.LeakyNeurons.observables["spikes"]
