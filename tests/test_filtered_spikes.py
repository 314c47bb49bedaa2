"""A rate to shot noise: mean and variance are those of Campbell's theorem, no spike drawn is lost."""

import numpy as np
import pytest

from adapters.scaling.drive import FilteredSpikes, SynapticCurrent
from adapters.scaling.protocol import ScalingError
from scalebridge.fields import Field

FIELD = Field("pA", per="window")
POINTS = np.array([[3.0], [17.0], [41.0]])
EVERY = ("none", "exponential", "alpha")
SIGMAS = 5


def delivered(chosen, rates, windows, dt, points=POINTS, seed=1):
    """The input (n, windows * k) [pA] at the same rates (n, k) [Hz] in windows of dt [s], and the last memory."""
    memory = chosen.start(FIELD, points, seed)
    found = []
    for _ in range(windows):
        current, memory = chosen.downscale(rates, memory, dt, ())
        found.append(current)
    return np.concatenate(found, axis=1), memory


@pytest.mark.parametrize("kernel", EVERY)
def test_campbells_theorem(kernel):
    """K r q and K r q^2 times the integral of the kernel squared, from one sample of each of 2000 populations."""
    n, rate, dt = 2000, 20.0, 5e-3
    chosen = FilteredSpikes(charge="2 pA*ms", kernel=kernel, time=5.0, synapses=100)
    current, _ = delivered(chosen, np.full((n, 1), rate), 12, dt, np.arange(float(n))[:, None])
    last, variance = current[:, -1], chosen.variance(rate, "pA", dt)
    assert chosen.mean(rate, "pA") == pytest.approx(100 * 20 * 2e-3)
    assert abs(last.mean() - chosen.mean(rate, "pA")) < SIGMAS * (variance / n) ** 0.5
    assert abs(last.var() / variance - 1) < SIGMAS * (2.1 / n) ** 0.5


def test_variance_in_closed_form():
    """K r q^2 / (2 tau), K r q^2 / (4 tau), K r q^2 / part, with q in pA s; the square of the unit goes with it."""
    for kernel, power in (("exponential", 1 / 0.01), ("alpha", 1 / 0.02)):
        chosen = FilteredSpikes(charge="2 pA*ms", kernel=kernel, time=5.0, synapses=100)
        assert chosen.variance(20.0, "pA", 1e-8) == pytest.approx(100 * 20 * 4e-6 * power, rel=1e-5)
        assert chosen.variance(20.0, "fA", 1e-8) == pytest.approx(1e6 * chosen.variance(20.0, "pA", 1e-8))
    chosen = FilteredSpikes(charge="2 pA*ms", synapses=100)
    assert chosen.variance(20.0, "pA", 1e-3) == pytest.approx(100 * 20 * 4e-6 / 1e-3)


@pytest.mark.parametrize("kernel", EVERY)
def test_many_weak_synapses_are_the_mean_current(kernel):
    """With K q fixed the fluctuations go as 1 / sqrt(K); what is left is what synaptic-current gives, always."""
    rates = np.array([[5.0, 40.0, 0.0, 20.0, 20.0]])
    shared = {"kernel": kernel, "time": 2.0}
    noisy = FilteredSpikes(charge="2e-8 pA*s", synapses=10**6, **shared)
    smooth = SynapticCurrent(charge="0.02 pA*s", **shared)
    current, _ = delivered(noisy, rates, 4, 5e-3, POINTS[:1])
    mean, _ = delivered(smooth, rates, 4, 5e-3, POINTS[:1])
    assert noisy.mean(20.0, "pA") == pytest.approx(smooth.mean(20.0, "pA"))
    assert noisy.delay == smooth.delay == {"none": 0, "exponential": 2e-3, "alpha": 4e-3}[kernel]
    deviation = noisy.variance(40.0, "pA", 1e-3) ** 0.5
    assert np.abs(current - mean).max() < SIGMAS * deviation < 0.1
    if kernel == "none":
        assert not current[:, 2::5].any()  # no spikes where the rate is zero


@pytest.mark.parametrize("kernel", EVERY)
def test_a_window_that_is_repeated_draws_the_same(kernel):
    chosen = FilteredSpikes(charge="2 pA*ms", kernel=kernel)
    rates = np.full((3, 4), 20.0)
    _, memory = delivered(chosen, rates, 2, 0.01)
    kept = {name: values.copy() for name, values in memory.items()}
    once, after = chosen.downscale(rates, memory, 0.01, ())
    twice, _ = chosen.downscale(rates, memory, 0.01, ())
    np.testing.assert_array_equal(once, twice)
    begun = chosen.start(FIELD, POINTS, 1)
    assert memory.keys() == after.keys() == begun.keys()
    for name, values in kept.items():
        np.testing.assert_array_equal(memory[name], values)
        assert (after[name].shape, after[name].dtype) == (begun[name].shape, begun[name].dtype)
    following, _ = chosen.downscale(rates, after, 0.01, ())
    assert (following != once).any(axis=1).all()


def test_populations_do_not_depend_on_the_batch():
    chosen = FilteredSpikes(charge="2 pA*ms", kernel="exponential")
    rates = np.array([[10.0, 20.0], [30.0, 0.0], [5.0, 50.0]])
    whole, _ = delivered(chosen, rates, 3, 0.01)
    part, _ = delivered(chosen, rates[[2, 0]], 3, 0.01, POINTS[[2, 0]])
    np.testing.assert_array_equal(part, whole[[2, 0]])
    others, _ = delivered(chosen, rates, 3, 0.01, seed=2)
    assert (others != whole).any(axis=1).all()


@pytest.mark.parametrize("kernel", EVERY)
def test_no_time_shows_what_holds(kernel):
    chosen = FilteredSpikes(charge="2 pA*ms", kernel=kernel)
    rates = np.full((3, 4), 20.0)
    begun = chosen.start(FIELD, POINTS, 1)
    now, same = chosen.downscale(rates, begun, 0.0, ())
    assert not now.any()
    assert now.shape == (3, 4)
    assert same is begun
    assert chosen.audit(begun, "pA") == []
    _, memory = delivered(chosen, rates, 3, 0.01)
    now, _ = chosen.downscale(rates, memory, 0.0, ())
    last = memory["filter"][:, -1:] * 2e-3 if kernel != "none" else np.zeros((3, 1))
    np.testing.assert_allclose(now, np.repeat(last, 4, axis=1), rtol=1e-14)


def test_a_rate_that_is_negative():
    chosen = FilteredSpikes(charge="2 pA*ms")
    message = (
        r"^filtered-spikes: the rate in part 1 of the window is -0.5 Hz; expected a finite number, not negative "
        r"\(row 0 and 1 more of the batch\)$"
    )
    with pytest.raises(ScalingError, match=message):
        chosen.downscale(np.array([[1, -0.5], [1, 1], [-2, 3]]), chosen.start(FIELD, POINTS, 1), 0.01, ())


@pytest.mark.parametrize("kernel", EVERY)
@pytest.mark.parametrize("rate", [0.0, 0.02, 30.0])
def test_the_audit_is_quiet_where_all_is_well(kernel, rate):
    points = np.arange(30.0)[:, None]
    chosen = FilteredSpikes(charge="-2 pA*ms", kernel=kernel, synapses=40)
    memory = chosen.start(FIELD, points, 4)
    for _ in range(60):
        _, memory = chosen.downscale(np.full((30, 5), rate), memory, 1e-3, ())
        assert all(check.passed for check in chosen.audit(memory, "pA"))


@pytest.mark.parametrize("kernel", EVERY)
def test_the_audit_sees_what_is_wrong(kernel):
    """A part in ten million of the charge that does not come from a spike; spikes that do not come from the rate."""
    chosen = FilteredSpikes(charge="2 pA*ms", kernel=kernel)
    _, memory = delivered(chosen, np.full((3, 5), 20.0), 50, 0.01)
    score, sharp, mean = chosen.audit(memory, "pA")
    assert score.passed
    assert sharp.passed
    assert mean.passed
    assert (sharp.unit, mean.unit) == ("(pA)*s", "pA")
    assert mean.reference == pytest.approx(100 * 20 * 2e-3)
    lost = {**memory, "delivered": memory["delivered"] * [1, 1 - 1e-7, 1]}
    assert [check.passed for check in chosen.audit(lost, "pA")] == [True, False, True]
    more = {name: memory[name] * [1, 1, 1.4] for name in ("drawn", "delivered")}
    found = chosen.audit({**memory, **more, "filter": memory["filter"] * [[1], [1], [1.4]]}, "pA")
    assert [check.passed for check in found] == [False, True, False]
