"""Which rows are solved in full, so that it costs least and what the others are in error stays below a tolerance.

    minimise  sum c_k x_k    such that    sum g_k (1 - x_k) <= tolerance,    x_k = 1 where row k is solved in full

g_k is the error of row k if it is not, times its weight; c_k what solving it costs. With 0 <= x_k <= 1 it is best to
take the rows in the order of g_k / c_k, the last of them in part (G. B. Dantzig, Oper. Res. 5, 266 (1957)). So taking
the last one as a whole costs at most that one row more than the best choice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def choose(gains: Array, costs: Array, tolerance: float, forced: Mask | None = None) -> Mask:
    """Return which rows (n,) are solved in full.

    Parameters
    ----------
    gains : (n,) weighted errors g_k >= 0; infinite where nothing is known of the error, and then the row is chosen.
    costs : (n,) c_k > 0.
    tolerance : what the errors of the others may add up to.
    forced : (n,) rows that are solved in full whatever it is worth.
    """
    chosen = ~np.isfinite(gains)
    if forced is not None:
        chosen |= forced
    left = np.flatnonzero(~chosen)
    order = left[np.argsort(-gains[left] / costs[left], kind="stable")]
    rest = _remaining(gains[order])
    needed = int(np.argmax(rest <= tolerance))
    taken = order[:needed]
    chosen[taken] = True
    chosen[_spared(gains[taken], costs[taken], taken, tolerance - rest[needed])] = False
    return chosen


def _remaining(gains: Array) -> Array:
    """Return what is left of the sum (n + 1,) after each of the gains, in their order, is taken away; last is zero.

    Summed from the end, so that nothing is left of round-off.
    """
    return np.concatenate([np.cumsum(gains[::-1])[::-1], [0.0]])


def _spared(gains: Array, costs: Array, rows: NDArray[np.int64], slack: float) -> NDArray[np.int64]:
    """Return rows that need not be taken after all, the dearest first: the last one was taken as a whole."""
    small = np.flatnonzero(gains <= slack)
    order = small[np.argsort(-costs[small], kind="stable")]
    return rows[order[np.cumsum(gains[order]) <= slack]]
