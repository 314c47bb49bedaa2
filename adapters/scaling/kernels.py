"""Causal kernels that turn spikes into rates and rates into currents, exactly, whatever the length of a time window.

    tau dx_1/dt = u - x_1,   tau dx_i/dt = x_{i-1} - x_i,   i = 2 ... m,   y = x_m,

a chain of m leaky integrators ("gamma filter": B. de Vries and J. C. Principe, Neural Networks 5, 565 (1992)), whose
answer to a spike is the gamma density h(t) = t^(m-1) exp(-t / tau) / (tau^m (m-1)!): never negative, of integral 1, of
mean m tau and variance m tau^2. `u` [Hz] may be spikes or a rate that is constant in each part of a window.

| kernel | m | `time` is | delay |
|---|---|---|---|
| counts, none | 0 | of no consequence | 0 |
| exponential | 1 | the time constant of the decay, tau | time |
| alpha | 2 | when the kernel is highest, tau | 2 time |
| gaussian | 9 | the standard deviation, 3 tau | 3 time |

A Gaussian cannot be causal. The gamma density of order 9 has its delay, three standard deviations, in common with a
Gaussian that is cut off there; unlike that one, it needs no memory of spikes but nine numbers, so that nothing is lost
at the seam of two windows and no time is rounded to a grid. Its skewness is 2/3.

What is given for a part of a window is the **mean** of y over that part, not its value at the end: then the sum over
the parts conserves every spike exactly, also if all of them lie on the time grid of a simulator (a value at the end
would count spikes at the ends of parts of length d too often by d / (2 tau)). "counts" is the same without a filter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from adapters.spikes import Spikes

type Array = NDArray[np.float64]

ORDERS = {"none": 0, "counts": 0, "exponential": 1, "alpha": 2, "gaussian": 9}
# How many lengths of a part are remembered; they differ by round-off where a run has other steps than its windows.
LENGTHS = 64


@dataclass(frozen=True)
class Kernel:
    """A chain of `order` leaky integrators with the time constant `tau` [s].

    Its state (n, order) is what the integrators hold, in the unit of what goes in: a rate, or spikes per second.
    """

    order: int
    tau: float

    @classmethod
    def named(cls, name: str, time: float) -> Kernel:
        """Return one of ORDERS by its name; `time` [s] as in the table above."""
        order = ORDERS[name]
        return cls(order, time / math.sqrt(order) if name == "gaussian" else time)

    @property
    def delay(self) -> float:
        """Mean time from what goes in to what comes out [s], from part to part."""
        return self.order * self.tau

    def power(self, part: float) -> float:
        """Return the integral of the square of the kernel, averaged over parts of length `part` [s]: [1/s].

        By Campbell's theorem that is the variance of the output for independent spikes at a rate of 1 Hz. With the
        autocorrelation R of h, a polynomial times exp(-|s| / tau), it is the integral of (part - |s|) R(s) / part^2.
        For parts that are short, or have no length, it is 1 / (2 tau) for exponential and 1 / (4 tau) for alpha;
        without a filter 1 / part.
        """
        if not self.order:
            return 1 / part
        m, length = self.order, part / self.tau
        total = 0.0
        for j in range(m):
            share = math.comb(2 * m - 2 - j, m - 1) / 2.0 ** (2 * m - 1 - j)
            if not part:
                return share / self.tau  # R(0)
            total += share * float(
                length * scipy.special.gammainc(j + 1, length) - (j + 1) * scipy.special.gammainc(j + 2, length)
            )
        return 2 * total / (length**2 * self.tau)

    def empty(self, n: int) -> Array:
        """Return the state (n, order) where nothing has come in yet."""
        return np.zeros((n, self.order))

    def held(self, state: Array) -> Array:
        """Return the integral (n,) of what will still come out of a state if nothing more comes in."""
        return self.tau * state.sum(axis=1)

    def value(self, state: Array) -> Array:
        """Return what comes out of a state at this instant (n,); 0 without a filter."""
        return state[:, -1].copy() if self.order else np.zeros(len(state))

    def rates(self, state: Array, rates: Array, part: float) -> tuple[Array, Array]:
        """Return the means over the parts (n, k) and the new state for `rates` (n, k) in parts of length `part` [s]."""
        _, _, straight, kick = _step(self.order, self.tau, part)
        return self._advance(state, rates * straight, rates[:, :, None] * kick, part)

    def spikes(self, state: Array, spikes: Spikes) -> tuple[Array, Array]:
        """Return the means over the parts (rows, parts) [1/s] and the new state, for spikes of whole populations."""
        shape = (spikes.rows, spikes.parts)
        part, place = spikes.duration / spikes.parts, spikes.part()
        flat = spikes.row * spikes.parts + place
        age = np.maximum((place + 1) * part - spikes.time, 0) / self.tau  # at the end of its part
        kicks = np.empty((*shape, self.order))
        stage, inside = np.exp(-age), np.ones_like(age)
        for i in range(self.order):
            kicks[:, :, i] = np.bincount(flat, stage, math.prod(shape)).reshape(shape) / self.tau
            inside -= stage  # what the integrators up to this one still hold of the spike
            stage = stage * age / (i + 1)
        means = np.bincount(flat, np.maximum(inside, 0), math.prod(shape)).reshape(shape) / part
        return self._advance(state, means, kicks, part)

    def _advance(self, state: Array, means: Array, kicks: Array, part: float) -> tuple[Array, Array]:
        """Return the means (n, k) with what the state gives to them, and the state at the end of the window.

        Parameters
        ----------
        means : (n, k) what comes in and goes out within the same part.
        kicks : (n, k, order) what the parts add to the state at their ends.
        """
        if not self.order:
            return means, state
        decay, leak, _, _ = _step(self.order, self.tau, part)
        means = means.copy()
        for j in range(means.shape[1]):
            means[:, j] += state @ leak
            state = state @ decay + kicks[:, j]
        return means, state


@lru_cache(LENGTHS)
def _step(order: int, tau: float, part: float) -> tuple[Array, Array, float, Array]:
    """Return how a chain goes through a part of length `part` [s].

    Returns
    -------
    decay (order, order): from the state (as a row) to what is left of it;
    leak (order,): from the state to the mean over the part;
    straight: from a constant rate to the mean over the same part;
    kick (order,): from a constant rate to the state at the end.

    None of these numbers is negative, so nothing is lost to cancellation.
    """
    length = part / tau
    stage = np.arange(1, order + 1)
    steps = stage[None, :] - stage[:, None]
    forward = np.maximum(steps, 0)
    decay = np.where(
        steps >= 0, np.exp(scipy.special.xlogy(forward, length) - length - scipy.special.gammaln(forward + 1)), 0.0
    )
    kick = scipy.special.gammainc(stage, length)
    leak = kick[::-1] / length
    straight = 1.0
    if order:
        straight = float(
            scipy.special.gammainc(order, length) - order / length * scipy.special.gammainc(order + 1, length)
        )
    return np.asarray(decay), np.asarray(leak), straight, np.asarray(kick)
