"""What rows cost: measured for whole batches, shared among their rows, and remembered as a moving mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

UNKNOWN = -1.0  # cost of a row that was never measured
EVENLY = 0.1  # share of the seconds of a batch that all its rows are thought to take alike


def filled(costs: Array, typical: float | None = None) -> Array:
    """Return the costs (n,) with those that are unknown taken to be typical: the mean of the others, if not said."""
    known = costs != UNKNOWN
    if typical is None:
        typical = float(costs[known].mean()) if known.any() else 1.0
    return np.where(known, costs, typical)


def shared(expected: Array, seconds: float) -> Array:
    """Return the share (n,) of each row in the seconds of its batch.

    Most in proportion to what was expected, so that what other batches have taught is not lost, and some evenly, so
    that it fades.
    """
    n, total = len(expected), expected.sum()
    even = np.full(n, 1.0 / max(n, 1))
    return seconds * (EVENLY * even + (1 - EVENLY) * (expected / total if total > 0 else even))


def mean(costs: Array, measured: Array, recent: float) -> Array:
    """Return the moving mean (n,), in which the measured costs count `recent`."""
    return np.where(costs == UNKNOWN, measured, (1 - recent) * costs + recent * measured)
