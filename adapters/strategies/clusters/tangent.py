"""How observables change with controls, estimated from representatives that are like each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]

_FLAT = 1e-6  # directions in which controls hardly differ, as a share of that in which they differ most, say nothing


def support(controls: int) -> int:
    """Return how many neighbours a tangent is estimated from, for a number of components of the controls."""
    return min(2 * controls + 1, 13)


def estimate(controls: Array, seen: Array, near: Ids, moved: Array, base: Ids) -> Array:
    """Return the observables (l, q) of followers to first order: seen + tangent moved.

    The tangent is the one of least squares, and of least norm where neighbours do not say enough. None is farther from
    its representative than the latter from its neighbours, so that nothing is blown up at a jump.

    Parameters
    ----------
    controls, seen : of representatives, (r, m) in comparable scales and (r, q).
    near : (r, k) rows of their neighbours, -1 where there are less.
    moved : (l, m) by how much the controls of each follower differ from those of its representative.
    base : (l,) that representative.
    """
    leaders, which = np.unique(base, return_inverse=True)
    there = near[leaders] >= 0
    dc = np.where(there[:, :, None], controls[near[leaders]] - controls[leaders, None], 0.0)
    dy = np.where(there[:, :, None], seen[near[leaders]] - seen[leaders, None], 0.0)
    tangents = np.linalg.pinv(dc, rcond=_FLAT) @ dy  # (leaders, m, q)
    change = np.einsum("lm,lmq->lq", moved, tangents[which])
    most = np.abs(dy).max(axis=1, initial=0.0)[which]
    return np.asarray(seen[base] + np.clip(change, -most, most))
