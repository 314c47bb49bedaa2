"""What arrives at every region over connections that take time: rates are remembered as long as they travel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Array = NDArray[np.float64]


class Delays:
    """Delay lines between n regions on a grid of times, with sample s at the time s dt.

        c_i(s) = sum_j w_ij r_j(s - d_ij)

    Parameters
    ----------
    weights : (n, n) w_ij of the connection from region j to region i; zero where there is none.
    steps : (n, n) how many samples d_ij it takes.
    rates : (n,) r_j [Hz] at all times before sample 1.
    ahead : how many samples beyond the latest that is known are asked for at most.
    """

    def __init__(self, weights: ArrayLike, steps: ArrayLike, rates: ArrayLike, ahead: int) -> None:
        w = np.asarray(weights, dtype=np.float64)
        target, self._source = np.nonzero(w)
        self._weight, self._steps = w[target, self._source], np.asarray(steps, dtype=np.int64)[target, self._source]
        self._targets, self._first = np.unique(target, return_index=True)
        self.shortest = int(self._steps.min(initial=ahead))  # samples, at most `ahead`
        self._ring = np.tile(np.asarray(rates, dtype=np.float64), (int(self._steps.max(initial=0)) + ahead + 1, 1))

    def put(self, first: int, rates: Array, regions: NDArray[np.int64]) -> None:
        """Take the rates (m, regions) [Hz] of some regions at the samples first ... first + m - 1."""
        self._ring[self._rows(first, len(rates))[:, None], regions] = rates

    def rates(self, first: int, count: int) -> Array:
        """Return the rates (count, n) [Hz] of all regions at the samples from `first` on."""
        return self._ring[self._rows(first, count)]

    def drive(self, first: int, count: int) -> Array:
        """Return c_i (count, n) [Hz], what arrives at the samples from `first` on."""
        samples = first + np.arange(count)[:, None]
        arriving = self._weight * self._ring[(samples - self._steps) % len(self._ring), self._source]
        result = np.zeros((count, self._ring.shape[1]))
        result[:, self._targets] = np.add.reduceat(arriving, self._first, axis=1)
        return result

    def save(self) -> Any:
        return self._ring.copy()

    def restore(self, value: Any) -> None:
        self._ring[...] = value

    def _rows(self, first: int, count: int) -> NDArray[np.int64]:
        return (first + np.arange(count)) % len(self._ring)
