"""How observables change with controls: as a slope says that is one of them, else as similar points show it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.clusters.known import Known, Slope

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
    held : controls and changes in the iteration whose slopes are used.
    """

    controls: Array
    origin: Array
    change: Array
    near: Ids
    held: tuple[Array, Array]

    def apart(self, values: Array, leaders: Ids) -> Array:
        """Return how much values (r, ...) of the neighbours of leaders (l,) differ from theirs, (l, k, ...)."""
        near = self.near[leaders]
        there = (near >= 0).reshape(*near.shape, *(1,) * (values.ndim - 1))
        return np.where(there, values[near] - values[leaders, None], 0.0)


def estimate(shown: Shown, moved: Array, base: Ids, origin: Array, known: Known = NOTHING) -> Array:
    """Return how observables (l, q) of followers change, to first order: change + tangent moved.

    The tangent is that of the representative where slopes are known, and what is shown has just the slopes that are
    shown. By other controls it is the one of least squares over its neighbours, and of least norm where they do not say
    enough; with it none is farther from its representative than the latter from its neighbours, so that nothing is
    blown up at a jump. What energies share of the work is that of neighbours too.

    Parameters
    ----------
    moved : (l, m) by how much the controls of each follower differ from those of its representative.
    base : (l,) that representative.
    origin : (l, q) observables of followers before.
    known : slopes of some observables by some controls.
    """
    controls = shown.controls
    scale = np.ptp(controls, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    leaders, which = np.unique(base, return_inverse=True)
    dc, dy = shown.apart(controls, leaders), shown.apart(shown.change, leaders)
    result, wanted = shown.change[base].copy(), np.ones((controls.shape[1], dy.shape[2]), dtype=bool)
    for slope in known.slopes:
        tangents = slope(shown.origin + shown.held[1])
        earlier, own = slope(shown.origin), slope(origin)
        kept = _kept(shown, slope, leaders)[which]
        differs = own - earlier[base]
        differs *= np.minimum(kept, _allowed(tangents[base], differs))[:, None, None]
        result[:, slope.of] += np.einsum("lqm,lm->lq", tangents[base], moved[:, slope.by])
        result[:, slope.of] += np.einsum("lqm,lm->lq", differs, (controls[base] + moved)[:, slope.by])
        result[:, slope.place] = slope.shown(tangents[base] + differs) - origin[:, slope.place]
        dy[:, :, slope.of] -= np.einsum("lqm,lkm->lkq", tangents[leaders], dc[:, :, slope.by])
        wanted[slope.by, slope.of] = False
        wanted[:, slope.place] = False
    for work in known.works:
        done = work(shown.origin, shown.change, controls)
        dw, more = shown.apart(done, leaders), work(origin, result, controls[base] + moved) - done[base]
        share = _ratio(np.einsum("lk,lke->le", dw, dy[:, :, work.energies]), np.einsum("lk,lk->l", dw, dw)[:, None])
        lonely = ~dw.any(axis=1)
        alone, once = shown.change[leaders][:, work.energies], done[leaders, None]
        share[lonely] = _ratio(alone * once, once**2)[lonely]  # who has no neighbours has its own share
        result[:, work.energies] += share[which] * more[:, None]
        dy[:, :, work.energies] -= share[:, None] * dw[:, :, None]
    for by, columns in _alike(wanted):
        tangents = np.linalg.pinv(dc[:, :, by] / scale[by], rcond=_FLAT) @ dy[:, :, columns]  # (leaders, m, q)
        change = np.einsum("lm,lmq->lq", moved[:, by] / scale[by], tangents[which])
        most = np.abs(dy[:, :, columns]).max(axis=1, initial=0.0)[which]
        result[:, columns] += np.clip(change, -most, most)
    return result


def _kept(shown: Shown, slope: Slope, leaders: Ids) -> Array:
    """Return what share (l,) of a difference between slopes at the start of a step lasts through it, on the average.

    That of neighbours of each leader by whose slope they are farther off than to first order: none where what was soft
    turns back and all are stiff again. Where nothing is known of the start there is no difference.
    """
    controls, change = shown.held
    slopes, earlier = slope(shown.origin + change)[leaders], slope(shown.origin)
    off = shown.apart(change, leaders)[:, :, slope.of]
    off -= np.einsum("lqm,lkm->lkq", slopes, shown.apart(controls, leaders)[:, :, slope.by])
    foretold = np.einsum("lkqm,lkm->lkq", shown.apart(earlier, leaders), controls[shown.near[leaders]][:, :, slope.by])
    return np.clip(
        _ratio(np.einsum("lkq,lkq->l", off, foretold), np.einsum("lkq,lkq->l", foretold, foretold)), 0.0, 1.0
    )


def _allowed(tangents: Array, differences: Array) -> Array:
    """Return what share (l,) of differences can be added to tangents (l, q, m) that stay at least a fifth as stiff.

    Where a tangent is no square matrix nothing tells what is stiff, and none is.
    """
    rows, columns = tangents.shape[1:]
    if rows != columns:
        return np.zeros(len(tangents))
    size = np.abs(tangents).max(axis=(1, 2)) + np.abs(differences).max(axis=(1, 2))
    some = _FLAT * np.where(size > 0, size, 1.0)[:, None, None] * np.eye(rows)  # beside what it cannot tell apart
    least = np.linalg.eigvals(np.linalg.solve(tangents + some, differences)).real.min(axis=1)
    return np.asarray(0.8 / np.maximum(-least, 0.8))


def _ratio(one: Array, other: Array) -> Array:
    """Return a quotient, 0 where the divisor is nothing."""
    return np.asarray(one / np.where(other > 0, other, np.inf))


def _alike(wanted: Mask) -> list[tuple[Ids, Ids]]:
    """Return groups of columns of `wanted` (m, q) that are the same: the rows that are true there, and the columns."""
    patterns, group = np.unique(wanted, axis=1, return_inverse=True)
    found = [(np.flatnonzero(pattern), np.flatnonzero(group == i)) for i, pattern in enumerate(patterns.T)]
    return [(rows, columns) for rows, columns in found if rows.size]
