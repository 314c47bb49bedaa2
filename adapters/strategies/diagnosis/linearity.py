"""Is a micro model linear? Then what is seen after one jump tells what is seen after any other.

What is seen after jumps d from the middle of the box is R(t) d there, and R(t) d after a jump from elsewhere. Where
that is missed, not even by round-off and by what solvers leave, the law is not linear and has to be looked at from
every place by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters.strategies.diagnosis.places import PARTS, Place
from adapters.strategies.diagnosis.responses import CONSTANT, Array, Jumps, Probe, Seen

LINEAR = 1e-6  # share of the largest change by which a linear law may be missed: no tolerance is as strict
SPANNED = 1e-9  # share of a jump that may be left, where it is a sum of directions


@dataclass(frozen=True)
class Line:
    """A linear law.

    Attributes
    ----------
    ways : (n, m) directions of jumps from the place `at` (m,).
    begun : what is seen there (...); `change` (n, times, ...) after each jump.
    """

    ways: Array
    at: Array
    begun: Seen
    change: Seen

    @classmethod
    def of(cls, jumps: Jumps, levels: Array, ways: Array, at: Array) -> Line | None:
        """Return the law of all jumps, to `levels` (jumps,) of the directions, the last one 1; None without."""
        begun = {name: values[0] for name, values in jumps.begun.items()}
        change = {name: values[:, -1] - begun[name] for name, values in jumps.seen.items()}
        for name, values in jumps.seen.items():
            share = levels.reshape(-1, *[1] * (values.ndim - 2))
            if not _same(values - begun[name], share * change[name][:, None], values):
                return None
        return cls(ways, at, begun, change)

    def holds(self, probe: Probe, place: Place, steps: Array) -> bool:
        """Return whether single jumps from a place, along its excursions, go by this law.

        Jumps that are no sum of its directions are not looked at, as nothing is known of them.
        """
        ends = np.concatenate([_farther(place, *place.excursions(probe.box, self.ways, part)) for part in PARTS])
        shares, known = self._shares(ends - place.at)
        if not known.any():
            return True
        jumps = probe.jump(place.at, ends[known, None], steps)
        shift, reached = self._shares((place.at - self.at)[None])
        for name, values in jumps.seen.items():
            begun, change = jumps.begun[name], self.change[name]
            if not _same(values[:, 0] - begun[:, None], np.tensordot(shares[known], change, 1), values, change):
                return False
            if reached[0] and not _same(begun[0] - self.begun[name], (shift @ _last(change))[0], values, change):
                return False
        return True

    def _shares(self, jumps: Array) -> tuple[Array, Array]:
        """Return jumps (k, m) as sums of the directions (k, n), and which of them (k,) are such sums."""
        size = np.maximum(np.abs(self.ways).max(axis=0), np.finfo(np.float64).tiny)
        shares = np.linalg.lstsq((self.ways / size).T, (jumps / size).T, rcond=None)[0].T
        left = np.abs(jumps / size - shares @ (self.ways / size)).max(axis=1)
        return np.asarray(shares), np.asarray(left <= SPANNED)


def _farther(place: Place, middles: Array, ways: Array) -> Array:
    """Return the ends (n, m) of excursions that are farther from a place."""
    ends = np.stack([middles + ways, middles - ways])
    far = np.abs(ends - place.at).max(axis=2).argmax(axis=0)
    return np.asarray(ends[far, np.arange(len(ways))])


def _last(change: Array) -> Array:
    """Return what stays (n, c) of changes (n, times, ...)."""
    return change[:, -1].reshape(len(change), -1)


def _same(found: Array, expected: Array, *sizes: Array) -> bool:
    """Return whether changes agree, by the largest of them and by the round-off of what changes, `sizes`."""
    change = max(float(np.abs(one).max(initial=0.0)) for one in (found, expected))
    size = max(float(np.abs(one).max(initial=0.0)) for one in sizes)
    missed = float(np.abs(found.reshape(expected.shape) - expected).max(initial=0.0))
    return missed <= LINEAR * max(change, CONSTANT * size)
