"""Spikes to a firing rate: no spike is lost, times within a window count, delay and variance are what the map says."""

import numpy as np
import pytest
from scipy.stats import gamma

from adapters.scaling.rates import PopulationRate
from adapters.spikes import Spikes
from scalebridge.fields import Field

SPIKES = Field("1", per="spikes", help="what fired")
FILTERS = ("exponential", "alpha", "gaussian")
EVERY = ("counts", *FILTERS)
NEURONS = 50


def poisson(seed, rows, rate, duration, neurons=NEURONS):
    """Spikes (row, neuron, time) of independent Poisson neurons at a rate in Hz."""
    rng = np.random.default_rng(seed)
    m = rng.poisson(rows * neurons * rate * duration)
    return rng.integers(0, rows, m), rng.integers(0, neurons, m), duration * (1 - rng.random(m))


def window(train, start, duration, parts, rows, neurons=NEURONS):
    """What of a train falls in a window."""
    row, neuron, time = train
    inside = (time > start + 1e-12) & (time <= start + duration + 1e-12)
    local = np.clip(time[inside] - start, 1e-300, duration)
    cut = Spikes.of(row[inside], neuron[inside], local, rows=rows, neurons=neurons, duration=duration)
    return cut.divided(parts)


def seen(chosen, train, windows, duration, parts, rows, neurons=NEURONS):
    """The rates (rows, windows * parts) of a train that comes in windows, and the memory after the last."""
    memory = chosen.start(SPIKES, rows, (neurons,))
    rates = []
    for number in range(windows):
        rate, memory = chosen.upscale(window(train, number * duration, duration, parts, rows, neurons), memory, ())
        rates.append(rate)
    return np.concatenate(rates, axis=1), memory


def test_counts_are_the_spikes_of_each_part():
    spikes = Spikes.of([0, 0, 0, 1], [3, 4, 3, 0], [1e-3, 2e-3, 2.5e-3, 4e-3], rows=3, neurons=10, duration=4e-3)
    rates, _ = PopulationRate().upscale(spikes.divided(4), PopulationRate().start(SPIKES, 3, (10,)), ())
    np.testing.assert_allclose(rates, 100.0 * np.array([[1, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]), rtol=1e-14)


@pytest.mark.parametrize("kernel", FILTERS)
def test_every_spike_counts_with_its_own_time(kernel):
    """The sum over spikes of the kernel's mean over the part, by its distribution function, spikes before included."""
    chosen = PopulationRate(kernel=kernel, time=3.0)
    row, neuron, time = poisson(1, 2, 40.0, 0.04)
    rates, _ = seen(chosen, (row, neuron, time), 4, 0.01, 5, 2)
    ends = 0.002 * np.arange(21)
    stage = chosen.filter
    given = gamma(stage.order, scale=stage.tau).cdf(ends[:, None] - time)
    for population in (0, 1):
        direct = np.diff(given[:, row == population].sum(axis=1)) / 0.002 / NEURONS
        np.testing.assert_allclose(rates[population], direct, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kernel", EVERY)
def test_the_length_of_the_window_is_of_no_consequence(kernel):
    chosen = PopulationRate(kernel=kernel, time=2.0)
    train = poisson(2, 3, 30.0, 0.02)
    long, after_long = seen(chosen, train, 2, 0.01, 10, 3)
    short, after_short = seen(chosen, train, 20, 0.001, 1, 3)
    np.testing.assert_allclose(short, long, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(after_short["filter"], after_long["filter"], rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(after_short["sent"], after_long["sent"], rtol=1e-12)


@pytest.mark.parametrize("kernel", EVERY)
@pytest.mark.parametrize("phase", [1.0, 0.3])
def test_no_spike_is_lost_or_counted_twice(kernel, phase):
    """Also where all of them lie on a grid, at the ends of the parts or elsewhere; after silence all has been sent."""
    steps = np.random.default_rng(3).integers(0, 50, 400)
    none = np.zeros(400, dtype=np.int64)
    chosen = PopulationRate(kernel=kernel, time=2.0)
    rates, memory = seen(chosen, (none, none, (steps + phase) * 1e-3), 20, 0.01, 10, 1)
    assert rates.min() >= 0
    assert rates.sum() * 1e-3 * NEURONS == pytest.approx(400, rel=1e-12)
    assert chosen.audit(memory, "1")[0].passed


@pytest.mark.parametrize("kernel", EVERY)
def test_delay(kernel):
    """The centre of what is seen of spikes, minus the centre of the spikes, for spikes at all phases of a part."""
    chosen = PopulationRate(kernel=kernel, time=4.0)
    none = np.zeros(1000, dtype=np.int64)
    times = (np.arange(1000) + 0.5) * 1e-6
    rates, _ = seen(chosen, (none, none, times), 1, 0.1, 100, 1)
    centres = (np.arange(100) + 0.5) * 1e-3
    assert (rates @ centres)[0] / rates.sum() - times.mean() == pytest.approx(chosen.delay, abs=1e-8)
    assert chosen.delay == {"counts": 0, "exponential": 4e-3, "alpha": 8e-3, "gaussian": 12e-3}[kernel]


@pytest.mark.parametrize("kernel", EVERY)
def test_variance(kernel):
    """One sample of each of 10,000 populations; the error of a variance is sqrt((2 + kurtosis) / samples).

    The excess kurtosis of shot noise is below 1 / (spikes per kernel), 10 spikes at the least here.
    """
    rows, rate, neurons, part = 10_000, 20.0, 100, 5e-3
    chosen = PopulationRate(kernel=kernel, time=5.0)
    rates, _ = seen(chosen, poisson(4, rows, rate, 0.06, neurons), 1, 0.06, 12, rows, neurons)
    last = rates[:, -1]
    variance = chosen.variance(rate, neurons, part)
    assert abs(last.mean() - rate) < 5 * (variance / rows) ** 0.5
    assert abs(last.var() / variance - 1) < 5 * (2.1 / rows) ** 0.5


def test_variance_in_closed_form():
    """r / (N part), r / (2 N time), r / (4 N time): 32 % noise for 10 Hz, 10,000 neurons and 0.1 ms."""
    assert PopulationRate().variance(10.0, 10_000, 1e-4) ** 0.5 / 10 == pytest.approx(0.316, abs=1e-3)
    for kernel, share in (("exponential", 1 / 2), ("alpha", 1 / 4)):
        variance = PopulationRate(kernel=kernel, time=5.0).variance(10.0, 10_000, 1e-7)
        assert variance == pytest.approx(share * 10 / (10_000 * 5e-3), rel=1e-4)


@pytest.mark.parametrize("kernel", EVERY)
def test_no_time_shows_what_was_seen_last(kernel):
    chosen = PopulationRate(kernel=kernel)
    train = poisson(5, 2, 30.0, 0.01)
    rates, memory = seen(chosen, train, 1, 0.01, 4, 2)
    now, same = chosen.upscale(Spikes.none(2, NEURONS, 0.0).divided(3), memory, ())
    np.testing.assert_array_equal(now, np.repeat(rates[:, -1:], 3, axis=1))
    assert same is memory
    begun = chosen.start(SPIKES, 2, (NEURONS,))
    assert not chosen.upscale(Spikes.none(2, NEURONS, 0.0), begun, ())[0].any()


@pytest.mark.parametrize("kernel", EVERY)
def test_the_memory_is_never_changed(kernel):
    chosen = PopulationRate(kernel=kernel)
    train = poisson(6, 2, 30.0, 0.02)
    _, memory = seen(chosen, train, 1, 0.01, 4, 2)
    kept = {name: values.copy() for name, values in memory.items()}
    once, after = chosen.upscale(window(train, 0.01, 0.01, 4, 2), memory, ())
    expected = once.copy()
    once += 1  # of no consequence to anybody
    np.testing.assert_array_equal(after["rate"], expected[:, -1])
    twice, _ = chosen.upscale(window(train, 0.01, 0.01, 4, 2), memory, ())
    np.testing.assert_array_equal(twice, expected)
    assert memory.keys() == after.keys() == chosen.start(SPIKES, 2, (NEURONS,)).keys()
    for name, values in kept.items():
        np.testing.assert_array_equal(memory[name], values)
        assert after[name].shape == values.shape


@pytest.mark.parametrize("kernel", EVERY)
def test_the_audit_sees_a_rate_that_is_not_that_of_the_spikes(kernel):
    chosen = PopulationRate(kernel=kernel)
    _, memory = seen(chosen, poisson(7, 3, 30.0, 0.05), 5, 0.01, 4, 3)
    (check,) = chosen.audit(memory, "1")
    assert check.passed
    assert check.reference in memory["counted"]
    (wrong,) = chosen.audit({**memory, "sent": memory["sent"] * [1, 1, 1 + 1e-6]}, "1")
    assert not wrong.passed
    assert wrong.reference == memory["counted"][2]
    (lost,) = chosen.audit({**memory, "counted": memory["counted"] + [0, 1, 0]}, "1")
    assert not lost.passed
    assert chosen.audit(chosen.start(SPIKES, 0, (NEURONS,)), "1") == []


def test_what_fits():
    chosen = PopulationRate()
    assert chosen.misfit(SPIKES) == ""
    assert chosen.misfit(Field("1", per="window")) == "spikes of a population"
    assert chosen.gives(SPIKES) == Field("Hz", per="window", help="what fired")
