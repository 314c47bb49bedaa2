"""How observables change with controls: as a slope says that is one of them, else as similar points show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.clusters.known import Known

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]
type Mask = NDArray[np.bool_]

NOTHING = Known()
_FLAT = 1e-6  # directions in which controls hardly differ, as a share of that in which they differ most, say nothing


def support(controls: int) -> int:
    """Return how many neighbours a tangent is estimated from, for a number of components of the controls."""
    return min(2 * controls + 1, 13)


@dataclass(frozen=True)
class Shown:
    """What representatives (r,) show.

    Attributes
    ----------
    controls : (r, m), or what they have moved.
    origin, change : (r, q) observables before and how they have changed since; all of it is change where nothing is
        known of before.
    near : (r, k) rows of neighbours, -1 where there are less.
    """

    controls: Array
    origin: Array
    change: Array
    near: Ids


def estimate(shown: Shown, moved: Array, base: Ids, origin: Array, known: Known = NOTHING) -> Array:
    """Return how observables (l, q) of followers change, to first order: change + tangent moved.

    The tangent is that of the representative where slopes are known. They are shown as they are: then what is shown
    has just these slopes. By other controls it is the one of least squares over its neighbours, and of least norm where
    they do not say enough; with it none is farther from its representative than the latter from its neighbours, so that
    nothing is blown up at a jump. What energies share of the work is that of neighbours too.

    Parameters
    ----------
    moved : (l, m) by how much the controls of each follower differ from those of its representative.
    base : (l,) that representative.
    origin : (l, q) observables of followers before.
    known : slopes of some observables by some controls.
    """
    controls, near = shown.controls, shown.near
    scale = np.ptp(controls, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    leaders, which = np.unique(base, return_inverse=True)

    def apart(values: Array) -> Array:  # (leaders, k, ...), from each of its neighbours
        there = (near[leaders] >= 0).reshape(len(leaders), -1, *(1,) * (values.ndim - 1))
        return np.where(there, values[near[leaders]] - values[leaders, None], 0.0)

    dc, dy = apart(controls), apart(shown.change)
    result, wanted = shown.change[base].copy(), np.ones((controls.shape[1], dy.shape[2]), dtype=bool)
    for slope in known.slopes:
        tangents = slope(shown.change[leaders])
        result[:, slope.of] += np.einsum("lqm,lm->lq", tangents[which], moved[:, slope.by])
        dy[:, :, slope.of] -= np.einsum("lqm,lkm->lkq", tangents, dc[:, :, slope.by])
        wanted[slope.by, slope.of] = False
        wanted[:, slope.place] = False
    for work in known.works:
        own = work(shown.origin, shown.change, controls)
        dw, more = apart(own), work(origin, result, controls[base] + moved) - own[base]
        share = np.einsum("lk,lke->le", dw, dy[:, :, work.energies])
        share /= np.maximum(np.einsum("lk,lk->l", dw, dw), np.finfo(np.float64).tiny)[:, None]
        result[:, work.energies] += share[which] * more[:, None]
        dy[:, :, work.energies] -= share[:, None] * dw[:, :, None]
    for by, columns in _alike(wanted):
        tangents = np.linalg.pinv(dc[:, :, by] / scale[by], rcond=_FLAT) @ dy[:, :, columns]  # (leaders, m, q)
        change = np.einsum("lm,lmq->lq", moved[:, by] / scale[by], tangents[which])
        most = np.abs(dy[:, :, columns]).max(axis=1, initial=0.0)[which]
        result[:, columns] += np.clip(change, -most, most)
    return result


def _alike(wanted: Mask) -> list[tuple[Ids, Ids]]:
    """Return groups of columns of `wanted` (m, q) that are the same: the rows that are true there, and the columns."""
    patterns, group = np.unique(wanted, axis=1, return_inverse=True)
    found = [(np.flatnonzero(pattern), np.flatnonzero(group == i)) for i, pattern in enumerate(patterns.T)]
    return [(rows, columns) for rows, columns in found if rows.size]
