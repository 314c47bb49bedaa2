"""A rate to Poisson spikes: numbers, times and targets are as independent as they should be, and can be repeated."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, poisson

from adapters.scaling import drive
from adapters.scaling.drive import PoissonSpikes
from adapters.scaling.protocol import ScalingError
from scalebridge.fields import Field

SPIKES = Field("1", per="spikes", help="afferent spikes", optional=True)
POINTS = np.array([[3.0], [17.0], [41.0]])
# Fixed seeds make the tests sure; five standard deviations are what they allow.
SIGMAS = 5


def drawn(rates, windows, dt=0.01, neurons=100, synapses=20, points=POINTS[:1], seed=1):
    """The spikes of `windows` windows at the same rates (n, k) [Hz], and the memory after them."""
    chosen = PoissonSpikes(synapses=synapses)
    memory = chosen.start(SPIKES, points, seed)
    found = []
    for _ in range(windows):
        spikes, memory = chosen.downscale(np.asarray(rates, dtype=float), memory, dt, (neurons,))
        found.append(spikes)
    return found, memory


def test_the_number_of_spikes_of_a_neuron_is_poisson():
    """Mean and variance K r T over 2000 neurons, each with an error of its own."""
    found, _ = drawn([[10.0, 30.0]], 25, neurons=2000)
    counts = np.bincount(np.concatenate([s.neuron for s in found]), minlength=2000)
    mean = PoissonSpikes(synapses=20).mean(20.0) * 0.25
    assert mean == 100
    assert abs(counts.mean() - mean) < SIGMAS * (mean / 2000) ** 0.5
    assert abs(counts.var() / mean - 1) < SIGMAS * (2 / 2000) ** 0.5


def test_the_variance_of_what_a_neuron_gets():
    found, _ = drawn([[10.0]], 40, dt=0.005, neurons=500)
    rates = np.array([np.bincount(s.neuron, minlength=500) for s in found]) / 0.005
    variance = PoissonSpikes(synapses=20).variance(10.0, 0.005)
    assert variance == 20 * 10 / 0.005
    assert abs(rates.mean() - 200) < SIGMAS * (variance / rates.size) ** 0.5
    assert abs(rates.var() / variance - 1) < SIGMAS * ((2 + 1) / rates.size) ** 0.5  # kurtosis: 1 spike in 5 ms


def test_neurons_have_afferents_of_their_own():
    """Numbers of two halves of the population in 4000 windows: not correlated."""
    found, _ = drawn([[10.0]], 4000, dt=1e-3)
    first, second = np.array([[(s.neuron < 50).sum(), (s.neuron >= 50).sum()] for s in found]).T
    assert abs(np.corrcoef(first, second)[0, 1]) < SIGMAS / 4000**0.5


def test_times_follow_the_rate_from_part_to_part_and_are_uniform_within():
    rates = np.array([[5.0, 0.0, 40.0, 15.0]])
    found, _ = drawn(rates, 60)
    times = np.concatenate([s.time for s in found])
    counts = np.histogram(times, np.linspace(0, 0.01, 5))[0]
    expected = 60 * 20 * 100 * rates[0] * 0.0025
    assert (np.abs(counts - expected) <= SIGMAS * expected**0.5).all()
    cumulated = np.concatenate([[0], np.cumsum(rates[0])]) / rates.sum()
    assert kstest(times, lambda t: np.interp(t, np.linspace(0, 0.01, 5), cumulated)).pvalue > 1e-6


@pytest.mark.parametrize(("windows", "dt"), [(400, 1e-3), (4, 0.1)])
def test_intervals_between_spikes_are_exponential(windows, dt):
    """Within windows, and across the seams of short ones: the process has no memory."""
    found, _ = drawn([[20.0]], windows, dt=dt, neurons=10, synapses=10)
    times = np.concatenate([s.time + dt * number for number, s in enumerate(found)])
    assert kstest(np.diff(times) * 20 * 100, "expon").pvalue > 1e-6


def test_spikes_are_ordered_and_inside():
    (spikes, *_), _ = drawn(np.full((3, 4), 20.0), 1, points=POINTS)
    assert (spikes.rows, spikes.neurons, spikes.duration, spikes.parts) == (3, 100, 0.01, 4)
    assert (spikes.row.dtype, spikes.neuron.dtype) == (np.int64, np.int64)
    assert spikes.time.min() > 0
    assert spikes.time.max() <= 0.01
    assert (spikes.neuron.min(), spikes.neuron.max()) == (0, 99)
    order = np.lexsort((spikes.time, spikes.row))
    np.testing.assert_array_equal(order, np.arange(len(order)))


def test_a_window_that_is_repeated_draws_the_same():
    chosen = PoissonSpikes()
    rates = np.full((3, 4), 20.0)
    memory = chosen.start(SPIKES, POINTS, 1)
    kept = {name: values.copy() for name, values in memory.items()}
    once, after = chosen.downscale(rates, memory, 0.01, (100,))
    twice, _ = chosen.downscale(rates, memory, 0.01, (100,))
    np.testing.assert_array_equal(once.time, twice.time)
    np.testing.assert_array_equal(once.neuron, twice.neuron)
    for name, values in kept.items():
        np.testing.assert_array_equal(memory[name], values)
        assert (after[name].shape, after[name].dtype) == (values.shape, values.dtype)
    following, _ = chosen.downscale(rates, after, 0.01, (100,))
    assert not np.isin(following.time, once.time).any()


def test_populations_do_not_depend_on_the_batch():
    """Two of three, in another order, as on other ranks: the same spikes. Another seed or place: others."""
    rates = np.array([[10.0, 20.0], [30.0, 0.0], [5.0, 50.0]])
    whole, _ = drawn(rates, 3, points=POINTS)
    part, _ = drawn(rates[[2, 0]], 3, points=POINTS[[2, 0]])
    for one, other in zip(whole, part, strict=True):
        for row, same in ((2, 0), (0, 1)):
            np.testing.assert_array_equal(one.time[one.row == row], other.time[other.row == same])
            np.testing.assert_array_equal(one.neuron[one.row == row], other.neuron[other.row == same])
    for changed in ({"seed": 2}, {"points": POINTS + 1}):
        others, _ = drawn(rates, 3, **{"points": POINTS, **changed})
        assert not np.isin(others[0].time, whole[0].time).any()


def test_no_rate_and_no_time_give_no_spikes():
    found, memory = drawn(np.zeros((1, 4)), 2)
    assert not any(s.time.size for s in found)
    assert all(check.passed for check in PoissonSpikes().audit(memory, "1"))
    chosen = PoissonSpikes()
    begun = chosen.start(SPIKES, POINTS, 1)
    spikes, same = chosen.downscale(np.full((3, 4), 20.0), begun, 0.0, (100,))
    assert (spikes.rows, spikes.neurons, spikes.duration, spikes.time.size) == (3, 100, 0.0, 0)
    assert same is begun
    assert chosen.audit(begun, "1") == []


@pytest.mark.parametrize(("rate", "shown"), [(-3.0, "-3"), (np.nan, "nan"), (np.inf, "inf")])
def test_a_rate_that_is_none(rate, shown):
    rates = np.full((3, 4), 20.0)
    rates[1, 2] = rate
    message = (
        rf"^poisson-spikes: the rate in part 2 of the window is {shown} Hz; expected a finite number, not negative "
        r"\(row 1 of the batch\)$"
    )
    for dt in (0.01, 0.0):
        with pytest.raises(ScalingError, match=message):
            PoissonSpikes().downscale(rates, PoissonSpikes().start(SPIKES, POINTS, 1), dt, (100,))


def test_more_spikes_than_there_can_be():
    rates = np.array([[1.0], [1.0], [1e9]])
    message = r"^poisson-spikes: asks for 1e\+11 spikes in one window; expected at most 1e\+08 \(row 2 of the batch\)$"
    with pytest.raises(ScalingError, match=message):
        PoissonSpikes(synapses=100).downscale(rates, PoissonSpikes().start(SPIKES, POINTS, 1), 0.01, (100,))


# The audit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.01, 0.1, 50.0])
def test_the_audit_is_quiet_where_all_is_well(rate):
    """100 populations, 100 windows, from twenty spikes in all of them to a hundred thousand: never near 5."""
    points = np.arange(100.0)[:, None]
    chosen, worst = PoissonSpikes(synapses=10), 0.0
    memory = chosen.start(SPIKES, points, 5)
    for _ in range(100):
        _, memory = chosen.downscale(np.full((100, 2), rate), memory, 1e-3, (20,))
        score, mean = chosen.audit(memory, "1")
        assert mean.passed
        worst = max(worst, score.value)
    assert 1 < worst < SIGMAS


def test_the_z_score_is_that_of_the_tails():
    for asked, number, sigmas in ((1e4, 10_300, 3.0), (1e4, 9_700, 3.0), (9e5, 904_750, 5.0), (1e8, 100_050_000, 5.0)):
        memory = memory_of(asked, number)
        assert PoissonSpikes().audit(memory, "1")[0].value == pytest.approx(sigmas, abs=0.03)
    # One spike where 0.001 are expected happens once in a thousand windows and is not 30 standard deviations.
    assert PoissonSpikes().audit(memory_of(0.001, 1), "1")[0].value == pytest.approx(3.09, abs=0.01)
    assert not PoissonSpikes().audit(memory_of(0.001, 3), "1")[0].passed
    assert not PoissonSpikes().audit(memory_of(20.0, 0), "1")[0].passed
    assert PoissonSpikes().audit(memory_of(0.0, 0), "1")[0].passed
    assert not PoissonSpikes().audit(memory_of(0.0, 1), "1")[0].passed


def memory_of(asked, number):
    return {"asked": np.array([asked]), "drawn": np.array([float(number)]), "time": np.array([2.0])}


def test_the_audit_sees_a_rate_that_is_wrong_by_five_standard_deviations():
    _, memory = drawn(np.full((3, 4), 20.0), 50, points=POINTS)
    assert all(check.passed for check in PoissonSpikes().audit(memory, "1"))
    asked = memory["asked"][1]
    for wrong in (asked + 9 * asked**0.5, asked - 9 * asked**0.5):
        score, mean = PoissonSpikes().audit({**memory, "drawn": np.array([*memory["drawn"][:1], wrong, asked])}, "1")
        assert not score.passed
        assert not mean.passed
        assert mean.value == pytest.approx(wrong / 0.5)
        assert mean.reference == pytest.approx(20 * 100 * 20)
        assert mean.unit == "Hz"


def test_a_map_that_forgets_a_synapse_is_found_out(monkeypatch):
    """One of 20 synapses without spikes: seen after a hundred windows."""
    found, draw = PoissonSpikes(synapses=20), drive._draw

    def forgetful(name, rates, memory, dt, neurons):
        spikes, new = draw(name, rates * (19 / 20), memory, dt, neurons)
        return spikes, {**new, "asked": memory["asked"] + rates.sum(axis=1) * dt / rates.shape[1]}

    monkeypatch.setattr(drive, "_draw", forgetful)
    memory = found.start(SPIKES, POINTS, 1)
    for _ in range(100):
        _, memory = found.downscale(np.full((3, 4), 20.0), memory, 0.01, (100,))
    assert [check.passed for check in found.audit(memory, "1")] == [False, False]


def test_bernsteins_inequality_is_that_of_five_standard_deviations():
    """Few spikes may be further from their mean than five times its root; for many, it is a tenth more than that."""
    level = 2.87e-7
    for asked in (1e-3, 0.5, 7.0, 300.0, 1e5):
        deviation = drive._deviation(np.array(asked))
        assert poisson.sf(np.ceil(asked + deviation) - 1, asked) < level
        assert poisson.cdf(np.floor(asked - deviation), asked) < level
    assert drive._deviation(np.array(1e10)) == pytest.approx(30.13**0.5 * 1e5, rel=1e-3)


def test_what_fits():
    chosen = PoissonSpikes()
    assert chosen.misfit(SPIKES) == ""
    assert chosen.misfit(replace(SPIKES, per="window")) == "a control that is spikes"
    assert chosen.gives(SPIKES) == Field("Hz", per="window", help="afferent spikes", optional=True)
    assert chosen.delay == 0
