"""Causal kernels: gamma densities, exact for any length of the parts, with integral 1 and the moments they promise."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, norm

from adapters.scaling.kernels import ORDERS, Kernel
from adapters.spikes import Spikes

FILTERS = ("exponential", "alpha", "gaussian")
TIME = 5e-3


def density(kernel):
    return gamma(kernel.order, scale=kernel.tau)


def smoothed(kernel, t, part):
    """Mean of the density from t - part to t."""
    return (density(kernel).cdf(t) - density(kernel).cdf(t - part)) / part


@pytest.mark.parametrize(
    ("name", "delay", "deviation"), [("exponential", 1, 1), ("alpha", 2, 2**0.5), ("gaussian", 3, 1)]
)
def test_moments(name, delay, deviation):
    kernel = Kernel.named(name, TIME)
    assert kernel.delay == pytest.approx(delay * TIME)
    assert density(kernel).mean() == pytest.approx(delay * TIME)
    assert density(kernel).std() == pytest.approx(deviation * TIME)


def test_without_a_filter_nothing_is_delayed_or_held():
    for name in ("none", "counts"):
        kernel = Kernel.named(name, TIME)
        assert kernel.order == ORDERS[name] == kernel.delay == 0
        assert kernel.power(2e-3) == 500
        rates = np.array([[1.0, 5.0, 2.0]])
        means, state = kernel.rates(kernel.empty(1), rates, 1e-3)
        np.testing.assert_array_equal(means, rates)
        assert kernel.held(state) == kernel.value(state) == 0


def test_the_causal_gaussian_is_near_a_gaussian():
    """Same mean and deviation; the distribution differs by 4.4 % at most, for its skewness."""
    d = density(Kernel.named("gaussian", TIME))
    t = np.linspace(0, 10 * TIME, 2001)
    assert float(d.stats("s")) == pytest.approx(2 / 3)
    assert np.abs(d.cdf(t) - norm(3 * TIME, TIME).cdf(t)).max() == pytest.approx(0.044, abs=0.001)
    assert d.cdf(0) == 0


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("part", [1e-4, 1e-3, 2e-2])
def test_the_power_is_the_integral_of_the_square(name, part):
    kernel = Kernel.named(name, TIME)
    pieces = [(0, part), (part, part + 15 * TIME)]
    power = sum(quad(lambda t: smoothed(kernel, t, part) ** 2, *piece, limit=200, epsrel=1e-11)[0] for piece in pieces)
    assert kernel.power(part) == pytest.approx(power, rel=1e-9)


def test_the_power_for_short_parts():
    """1 / (2 tau) and 1 / (4 tau); the gamma density of order 9 has (16)! / (2^17 (8!)^2 tau), tau = time / 3."""
    for name, power in (("exponential", 1 / 2), ("alpha", 1 / 4), ("gaussian", 3 * 12870 / 2**17)):
        kernel = Kernel.named(name, TIME)
        assert kernel.power(0) == pytest.approx(power / TIME, rel=1e-14)
        assert kernel.power(1e-9) == pytest.approx(power / TIME, rel=1e-6)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("part", [1e-5, 1e-3, 0.3])
def test_a_constant_rate_comes_out_as_the_distribution(name, part):
    """The answer to a step is the distribution function; its mean over parts, in closed form by parts."""
    kernel = Kernel.named(name, TIME)
    ends = np.arange(13) * part
    order, tau = kernel.order, kernel.tau
    integral = ends * gamma(order, scale=tau).cdf(ends) - order * tau * gamma(order + 1, scale=tau).cdf(ends)
    means, state = kernel.rates(kernel.empty(1), np.ones((1, 12)), part)
    assert means.min() >= 0
    np.testing.assert_allclose(means[0], np.diff(integral) / part, rtol=1e-9, atol=1e-13)
    assert kernel.value(state)[0] == pytest.approx(float(density(kernel).cdf(ends[-1])), rel=1e-12)
    assert part * means.sum() + kernel.held(state)[0] == pytest.approx(12 * part, rel=1e-12)


@pytest.mark.parametrize("name", FILTERS)
def test_spikes_and_rates_agree_in_the_limit(name):
    """Ten thousand evenly spaced spikes in a part are a constant rate."""
    kernel = Kernel.named(name, TIME)
    times = (np.arange(10_000) + 0.5) / 10_000 * 1e-3
    none = np.zeros(10_000, dtype=np.int64)
    spikes = Spikes.of(none, none, times, rows=1, neurons=1, duration=1e-3)
    state = kernel.empty(1) + 7.0
    by_spikes, after_spikes = kernel.spikes(state, spikes)
    by_rate, after_rate = kernel.rates(state, np.full((1, 1), 1e7), 1e-3)
    np.testing.assert_allclose(by_spikes, by_rate, rtol=1e-6)
    np.testing.assert_allclose(after_spikes, after_rate, rtol=1e-6)


def test_parts_that_are_much_longer_than_the_kernel():
    for name in FILTERS:
        means, state = Kernel.named(name, 1e-9).rates(np.full((1, ORDERS[name]), 2.0), np.full((1, 3), 4.0), 1e3)
        np.testing.assert_allclose(means, 4, rtol=1e-10)
        np.testing.assert_allclose(state, 4, rtol=1e-14)
