"""Delay lines, against sums that are written out and against solutions of linear equations with delays."""

import math

import numpy as np
import pytest
from scipy.special import lambertw

from participants.neural.delays import Delays
from participants.neural.mass import Brain, Settings
from participants.neural.models import heun


def test_what_arrives_is_what_has_left_before():
    """A loop over the sum as it is printed, with rates that come in pieces, and zero and long delays."""
    rng = np.random.default_rng(0)
    n, end, ahead = 5, 60, 7
    weights = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.6)
    weights[2] = 0  # a region that nothing arrives at
    steps = rng.integers(0, 20, (n, n))
    before, rates = rng.random(n), rng.random((end + 1, n))
    known = lambda s, j: rates[s, j] if s >= 1 else before[j]  # noqa: E731
    lines = Delays(weights, steps, before, ahead)
    assert lines.shortest == min(7, steps[weights != 0].min())
    for first in range(1, end - ahead, ahead):
        some, others = np.array([0, 3]), np.array([4, 1, 2])
        for regions in (some, others):
            lines.put(first, rates[first : first + ahead, regions], regions)
        assert (lines.rates(first, ahead) == rates[first : first + ahead]).all()
        wanted = [
            [sum(weights[i, j] * known(s - steps[i, j], j) for j in range(n)) for i in range(n)]
            for s in range(first, first + ahead)
        ]
        assert lines.drive(first, ahead) == pytest.approx(np.array(wanted), rel=1e-13)


def test_what_is_known_ahead():
    """With delays of 7 samples, what arrives in 7 samples from now is known."""
    lines = Delays([[0, 2.0], [3.0, 0]], [[0, 7], [9, 0]], [10.0, 20.0], 7)
    for s in range(1, 101):
        lines.put(s, np.array([[s, 1000.0 + s]]), np.array([0, 1]))
    s = np.arange(101, 108)
    assert lines.drive(101, 7) == pytest.approx(np.stack([2 * (1000 + s - 7), 3 * (s - 9)], axis=-1))


def test_no_connections():
    assert (Delays(np.zeros((3, 3)), np.ones((3, 3)), np.ones(3), 4).drive(1, 4) == np.zeros((4, 3))).all()


def test_what_is_on_the_way_is_kept():
    lines = Delays([[0, 1.0], [1.0, 0]], [[0, 3], [3, 0]], [1.0, 2.0], 2)
    both, value = np.array([0, 1]), lines.save()
    lines.put(1, np.array([[5.0, 6.0], [7.0, 8.0]]), both)
    changed = lines.drive(3, 2)
    lines.restore(value)
    assert (lines.drive(3, 2) == [[2.0, 1.0], [2.0, 1.0]]).all()
    lines.put(1, np.array([[5.0, 6.0], [7.0, 8.0]]), both)
    assert (lines.drive(3, 2) == changed).all()


class Leak:
    """tau dx/dt = -x + u: a mass whose rate [Hz] is its state."""

    tau = 10.0

    def start(self, rate):
        return np.stack([rate, 0 * rate], axis=-1)

    def rate(self, state):
        return state[..., 0]

    def input(self, rate):
        return rate

    def derivative(self, state, input):
        return np.stack([-state[:, 0] + input, 0 * input], axis=-1) / self.tau


def leaking(weight, delay, dt, time, rates=(10.0, 10.0)):
    """Return the rates (m, 2) of two leaking masses that drive each other with a delay [ms], from time dt on."""
    s = Settings(pair_weight=weight, pair_length=delay, speed=1.0, dt=dt, initial_rate=rates)
    brain, count = Brain(s, 1), round(time / dt)
    brain.model, brain.state, found = Leak(), Leak().start(np.array(rates)), []
    for step in range(count):
        brain.advance(step, 1)
        found.append(brain.delays.rates(step + 1, 1)[0])
    return np.array(found)


def test_method_of_steps():
    """tau x' = -x + w x(t - d), x = 10 before: x = 10 (w + (1 - w) e^-s) while s = t / tau < d / tau, and so on.

    In the second interval, with s counted from its start, x = (x(d) - b) e^-s + b + 10 w (1 - w) s e^-s, b = 10 w^2.
    """
    w, d = -1.5, 8.0

    def exactly(t):
        first = lambda s: 10 * (w + (1 - w) * np.exp(-s))  # noqa: E731
        s = (t - d) / 10
        second = (first(d / 10) - 10 * w * w) * np.exp(-s) + 10 * w * w + 10 * w * (1 - w) * s * np.exp(-s)
        return np.where(t <= d, first(t / 10), second)

    errors = []
    for dt in (0.4, 0.2, 0.1):
        found = leaking(w, d, dt, 2 * d)
        assert (found[:, 0] == found[:, 1]).all()
        errors.append(np.abs(found[:, 0] - exactly(dt * np.arange(1, len(found) + 1))).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.1)  # of first order in what arrives
    assert np.log2(errors[1] / errors[2]) == pytest.approx(1, abs=0.1)
    assert errors[2] < 0.1


def test_second_order_where_what_arrives_is_constant():
    """Until the delay has passed, Heun's method is all there is."""
    errors = []
    for dt in (0.8, 0.4, 0.2):
        last = leaking(-1.5, 8.0, dt, 8.0)[-1, 0]
        errors.append(abs(last - 10 * (-1.5 + 2.5 * math.exp(-0.8))))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.1)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2, abs=0.1)


def test_characteristic_equation():
    """What is left after long has the rate L of L tau = -1 + w exp(-L d), L = -1 / tau + W(w d / tau e^(d / tau)) / d.

    Two masses that are alike have w, and in antiphase -w; Corless et al., Adv. Comput. Math. 5, 329 (1996).
    """
    w, d, dt = 2.0, 12.0, 0.02
    rate = lambda w: -1 / 10 + complex(lambertw(w * d / 10 * math.exp(d / 10))) / d  # noqa: E731
    found = leaking(w, d, dt, 150.0)[:, 0]
    assert math.log(found[-1] / found[-5001]) / 100 == pytest.approx(rate(w).real, rel=2e-3)
    swing = leaking(w, d, dt, 150.0, rates=(12.0, 8.0))
    apart = swing[:, 0] - swing[:, 1]
    crossings = np.flatnonzero((apart[1:] > 0) != (apart[:-1] > 0))[2:]
    assert math.pi / (np.diff(crossings).mean() * dt) == pytest.approx(rate(-w).imag, rel=5e-3)


def test_a_leak_alone():
    """The masses above relax as they should."""
    x = np.array([[8.0, 0.0]])
    for _ in range(100):
        x = heun(Leak(), x, np.zeros(1), 0.1)
    assert x[0, 0] == pytest.approx(8 * math.exp(-1), rel=1e-4)
