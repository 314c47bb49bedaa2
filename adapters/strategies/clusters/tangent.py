"""How observables change with controls: as a slope says that is one of them, else as similar points show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.derivatives import Derivative

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]
type Mask = NDArray[np.bool_]

_FLAT = 1e-6  # directions in which controls hardly differ, as a share of that in which they differ most, say nothing


@dataclass(frozen=True)
class Slope:
    """A derivative among fields that are side by side in matrices: where it is, of what, and by which controls."""

    place: slice
    of: slice
    by: slice
    factor: float

    def __call__(self, seen: Array) -> Array:
        """Return the derivative (r, q, m) that observables (r, ...) say, in the units of what it is the quotient of."""
        rows, columns = len(seen), self.of.stop - self.of.start
        return np.asarray(seen[:, self.place].reshape(rows, columns, -1) / self.factor)


def slopes(declared: Sequence[Derivative], controls: Mapping[str, Array], seen: Mapping[str, Array]) -> list[Slope]:
    """Return the slopes that are declared among controls and observables (n, ...) that will be put side by side."""
    driven, shown = _places(controls), _places(seen)
    return [Slope(shown[one.name], shown[one.of], driven[one.by], one.factor) for one in declared]


def support(controls: int) -> int:
    """Return how many neighbours a tangent is estimated from, for a number of components of the controls."""
    return min(2 * controls + 1, 13)


def estimate(controls: Array, seen: Array, near: Ids, moved: Array, base: Ids, known: Sequence[Slope] = ()) -> Array:
    """Return the observables (l, q) of followers to first order: seen + tangent moved.

    The tangent is that of the representative where slopes are known. They are shown as they are: then what is shown
    has just these slopes. By other controls it is the one of least squares over its neighbours, and of least norm where
    they do not say enough; with it none is farther from its representative than the latter from its neighbours, so that
    nothing is blown up at a jump.

    Parameters
    ----------
    controls, seen : of representatives, (r, m) and (r, q).
    near : (r, k) rows of their neighbours, -1 where there are less.
    moved : (l, m) by how much the controls of each follower differ from those of its representative.
    base : (l,) that representative.
    known : slopes of some observables by some controls.
    """
    scale = np.ptp(controls, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    leaders, which = np.unique(base, return_inverse=True)
    there = near[leaders] >= 0
    dc = np.where(there[:, :, None], controls[near[leaders]] - controls[leaders, None], 0.0)
    dy = np.where(there[:, :, None], seen[near[leaders]] - seen[leaders, None], 0.0)
    result, wanted = seen[base].copy(), np.ones((controls.shape[1], seen.shape[1]), dtype=bool)
    for slope in known:
        tangents = slope(seen[leaders])
        result[:, slope.of] += np.einsum("lqm,lm->lq", tangents[which], moved[:, slope.by])
        dy[:, :, slope.of] -= np.einsum("lqm,lkm->lkq", tangents, dc[:, :, slope.by])
        wanted[slope.by, slope.of] = False
        wanted[:, slope.place] = False
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


def _places(fields: Mapping[str, Array]) -> dict[str, slice]:
    """Return where the columns of each field (n, ...) are when they are side by side."""
    ends = np.cumsum([0, *(int(np.prod(array.shape[1:], dtype=np.int64)) for array in fields.values())]).tolist()
    return {name: slice(begin, end) for name, begin, end in zip(fields, ends[:-1], ends[1:], strict=True)}
