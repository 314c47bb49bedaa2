"""Spikes: which neuron of which population fired when, within one time window."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

type Integers = NDArray[np.int64]
type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Spikes:
    """The spikes of a batch of populations in one time window, ordered by population and time.

    Attributes
    ----------
    row : (m,) number of the population in the batch.
    neuron : (m,) number of the neuron in its population.
    time : (m,) when it fired [s], from the start of the window: more than 0, at most `duration`.
    rows : number of populations.
    neurons : number of neurons of each.
    duration : length of the window [s]; 0 at the start of a run, where nothing has fired yet.
    parts : number of equal parts of the window in which signals are sampled.
    """

    row: Integers
    neuron: Integers
    time: Array
    rows: int
    neurons: int
    duration: float
    parts: int = 1

    @classmethod
    def of(
        cls, row: ArrayLike, neuron: ArrayLike, time: ArrayLike, *, rows: int, neurons: int, duration: float
    ) -> Spikes:
        """Return spikes that are given in any order.

        Raises
        ------
        ValueError
            If a population, a neuron or a time is outside of what there is.
        """
        r, i, t = np.asarray(row, dtype=np.int64), np.asarray(neuron, dtype=np.int64), np.asarray(time, dtype=float)
        if r.size and not (r.min() >= 0 and r.max() < rows and i.min() >= 0 and i.max() < neurons):
            raise ValueError(f"spikes of neurons that are not there: expected {rows} populations of {neurons}")
        if t.size and not (t.min() > 0 and t.max() <= duration * (1 + 1e-9)):
            raise ValueError(f"spikes from {t.min():g} s to {t.max():g} s in a window of {duration:g} s")
        order = np.lexsort((t, r))
        return cls(r[order], i[order], np.minimum(t[order], duration), rows, neurons, duration)

    @classmethod
    def none(cls, rows: int, neurons: int, duration: float) -> Spikes:
        """Return no spikes at all."""
        empty = np.zeros(0, dtype=np.int64)
        return cls(empty, empty, np.zeros(0), rows, neurons, duration)

    def divided(self, parts: int) -> Spikes:
        """Return the same spikes with signals to be sampled in `parts` equal parts of the window."""
        return replace(self, parts=parts)

    def part(self) -> Integers:
        """Return in which part of the window each spike falls (m,); one at the end of a part belongs to it."""
        if not self.time.size:
            return np.zeros(0, dtype=np.int64)
        place = self.time * (self.parts / self.duration)
        ends = np.rint(place)
        place = np.where(np.abs(place - ends) < 1e-9 * self.parts, ends, place)  # free of round-off at the ends
        return np.clip(np.ceil(place).astype(np.int64) - 1, 0, self.parts - 1)

    def counts(self) -> Integers:
        """Return the number of spikes in each part of the window (rows, parts)."""
        flat = np.bincount(self.row * self.parts + self.part(), minlength=self.rows * self.parts)
        return flat.reshape(self.rows, self.parts).astype(np.int64)
