"""What one data on one mesh looked like over a time window: samples, and a spline through them.

Samples are never changed, only replaced, so that keeping the waveform of the previous iteration costs no copy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded.tolerance import at_least, equal, greater, smaller

Floats = NDArray[np.float64]


@lru_cache(maxsize=256)
def spline_weights(times: tuple[float, ...], degree: int, time: float) -> Floats:
    """Return the weights (k,) with which samples at `times` (k,) add up to the interpolating B-spline at `time`.

    The knots are averages of the sample times (de Boor, A Practical Guide to Splines, chapter XIII), so that the
    spline of degree p is exact for polynomials of degree p. Times outside the samples are moved to their ends.
    """
    knots, inverse = _spline(times, degree)
    at = min(max((time - times[0]) / (times[-1] - times[0]), 0.0), 1.0)
    return _basis(knots, degree, at) @ inverse


@lru_cache(maxsize=64)
def _spline(times: tuple[float, ...], degree: int) -> tuple[Floats, Floats]:
    """Return the knots, on [0, 1], and the inverse of the matrix of all basis functions at all sample times."""
    t = np.asarray(times)
    t = (t - t[0]) / (t[-1] - t[0])
    inner = [t[j : j + degree].mean() for j in range(1, len(t) - degree)]
    knots = np.r_[np.zeros(degree + 1), inner, np.ones(degree + 1)]
    return knots, np.linalg.inv(np.vstack([_basis(knots, degree, x) for x in t]))


def _basis(knots: Floats, degree: int, x: float) -> Floats:
    """Return all B-spline basis functions of a clamped knot vector on [0, 1] at x (Cox-de Boor recursion)."""
    count = len(knots) - degree - 1
    span = min(int(np.searchsorted(knots, x, side="right")) - 1, count - 1)
    values = [1.0]
    for d in range(1, degree + 1):
        raised = [0.0] * (d + 1)
        for j, value in enumerate(values):
            left, right = knots[span - d + 1 + j], knots[span + 1 + j]
            share = value / (right - left)
            raised[j] += (right - x) * share
            raised[j + 1] += (x - left) * share
        values = raised
    row = np.zeros(count)
    row[span - degree : span + 1] = values
    return row


class Waveform:
    """Samples (n, components) of one data at ascending times, the first at the start of the window.

    Attributes
    ----------
    degree : the configured degree of the spline; fewer samples give a lower one.
    stamps, samples : the times and what was there, (n, components) each.
    slopes : the gradients of the samples, (n, components, dimensions) each, or None where nobody needs them.
    """

    __slots__ = ("degree", "samples", "slopes", "stamps")

    def __init__(self, degree: int) -> None:
        self.degree = degree
        self.stamps: list[float] = []
        self.samples: list[Floats] = []
        self.slopes: list[Floats | None] = []

    @property
    def times(self) -> Floats:
        """All times, (k,)."""
        return np.array(self.stamps)

    @property
    def values(self) -> Floats:
        """All samples, (k, n, components)."""
        return np.stack(self.samples)

    @property
    def gradients(self) -> Floats | None:
        """All gradients, (k, n, components, dimensions), or None."""
        slopes = [s for s in self.slopes if s is not None]
        return np.stack(slopes) if slopes else None

    @property
    def last(self) -> Floats:
        """The latest sample, (n, components)."""
        return self.samples[-1]

    def copy(self) -> Waveform:
        """Return a waveform that shares the samples, not the list of them."""
        other = Waveform(self.degree)
        other.stamps, other.samples, other.slopes = self.stamps[:], self.samples[:], self.slopes[:]
        return other

    def put(self, time: float, values: Floats, slopes: Floats | None = None) -> None:
        """Set the sample at `time`, which is one of the times or later than all of them."""
        for i, stamp in enumerate(self.stamps):
            if equal(stamp, time):
                self.samples[i], self.slopes[i] = values, slopes
                return
        assert not self.stamps or greater(time, self.stamps[-1]), (time, self.stamps)
        self.stamps.append(time)
        self.samples.append(values)
        self.slopes.append(slopes)

    def replace(self, times: Floats, values: Floats, gradients: Floats | None = None) -> None:
        """Set all samples anew, the one at the window start included."""
        self.stamps = [float(t) for t in times]
        self.samples = list(values)
        self.slopes = [None] * len(self.stamps) if gradients is None else list(gradients)

    def has(self, time: float) -> bool:
        """Say whether there is a sample at `time`."""
        return any(equal(stamp, time) for stamp in self.stamps)

    # --- forgetting ----------------------------------------------------------------------------------------------

    def _keep(self, which: list[bool]) -> None:
        self.stamps = [s for s, keep in zip(self.stamps, which, strict=True) if keep]
        self.samples = [s for s, keep in zip(self.samples, which, strict=True) if keep]
        self.slopes = [s for s, keep in zip(self.slopes, which, strict=True) if keep]

    def trim_before(self, time: float) -> None:
        if self.stamps and smaller(self.stamps[0], time):
            self._keep([not smaller(stamp, time) for stamp in self.stamps])

    def trim_after(self, time: float) -> None:
        if self.stamps and greater(self.stamps[-1], time):
            self._keep([not greater(stamp, time) for stamp in self.stamps])

    def keep_last(self) -> None:
        """Forget all but the latest sample, which becomes the start of the next window."""
        if len(self.stamps) > 1:
            del self.stamps[:-1], self.samples[:-1], self.slopes[:-1]

    def clear(self) -> None:
        self.stamps, self.samples, self.slopes = [], [], []

    # --- sampling ------------------------------------------------------------------------------------------------

    def _at_or_after(self, time: float) -> int:
        if len(self.stamps) > 1:
            for i, stamp in enumerate(self.stamps):
                if at_least(stamp, time):
                    return i
        return len(self.stamps) - 1

    def sample(self, time: float) -> Floats:
        """Return the values (n, components) at `time`; not to be changed, as it may be a sample itself."""
        degree = min(self.degree, len(self.stamps) - 1)
        if degree == 0:
            return self.samples[self._at_or_after(time)]
        for stamp, values in zip(self.stamps, self.samples, strict=True):
            if equal(stamp, time):
                return values
        weights = spline_weights(tuple(self.stamps), degree, time)
        result: Floats = weights[0] * self.samples[0]
        for weight, values in zip(weights[1:], self.samples[1:], strict=True):
            if weight != 0.0:
                result += weight * values
        return result

    def sample_gradients(self, time: float) -> Floats:
        """Return the gradients (n, components, dimensions) of the first sample at or after `time`."""
        slopes = self.slopes[self._at_or_after(time)]
        assert slopes is not None
        return slopes
