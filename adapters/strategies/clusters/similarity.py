"""Which points stand for others: k-d trees instead of a matrix of all distances, n log n instead of n^2.

The rule is that of the preCICE Micro Manager's adaptivity, in its order:

1. coarsening: a representative that has another one nearer than the coarsening distance stops being one, looked at by
   number, the lowest first;
2. refining: a point whose nearest representative is farther than the refining distance becomes one, the lowest first;
3. every other point follows the nearest representative.

Step 1 goes through representatives while they become fewer. When it comes to one, those of higher numbers are all still
there, and of the lower ones that are left none has a higher one nearby, or it would be gone. So one stays exactly if no
*higher* representative is near it, and this does not depend on the order: halves of halves are compared, each by one
tree. Step 2 is the first maximal independent set in the order of the numbers: whoever is chosen takes out all in a ball
around it, and as those that are chosen are far from each other, a point lies in few balls.

Distances are those of a Minkowski norm of order p between points (n, d), which `clusters.history` makes of their past.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]
type Mask = NDArray[np.bool_]

NONE = -1
_EXACT = 64  # so many times the number of points may be compared in pairs to find the largest distance
_SWEEPS = 3


def adapt(points: Array, active: Mask, p: float, coarsening: float, refining: float) -> Mask:
    """Return which points (n,) represent others from now on; `active` says which did so far.

    Parameters
    ----------
    points : (n, d).
    p : order of the norm, 1 or infinity.
    coarsening, refining : distances.
    """
    kept = active.copy()
    rows = np.flatnonzero(active)
    kept[rows] = ~_has_later(points[rows], coarsening, p)
    rest = np.flatnonzero(~kept)
    distance, _ = _Tree(points, np.flatnonzero(kept), p).query(points[rest])
    kept[_independent(points, rest[distance[:, 0] > refining], refining, p)] = True
    return kept


def nearest(points: Array, among: Ids, queries: Ids, p: float, k: int = 1) -> Ids:
    """Return the k nearest of the points `among` (m,) to each of the `queries` (l,): (l, k), NONE where there are less.

    Of points at the same place only the lowest is found.
    """
    return _Tree(points, among, p).query(points[queries], k)[1]


def diameter(points: Array, p: float) -> float:
    """Return the largest distance between two points (n, d).

    From the point that is farthest from the middle one goes to the one farthest from it, and so on: the largest
    distance on the way is at least half of that of all. Two points have a larger one only if their distances from the
    middle add up to more. If few points are left so, their pairs are compared, and the result is exact; else it is
    what was found on the way.
    """
    points = np.unique(points, axis=0)
    radii = _norm(points - 0.5 * (points.min(axis=0) + points.max(axis=0)), p)
    found, start = 0.0, int(np.argmax(radii))
    for _ in range(_SWEEPS):
        distances = _norm(points - points[start], p)
        start = int(np.argmax(distances))
        found = max(found, float(distances[start]))
    rest = points[radii > found - radii.max()]
    if len(rest) ** 2 <= max(_EXACT * len(points), _EXACT**2):
        found = max([found, *(float(_norm(rest[i + 1 :] - rest[i], p).max(initial=0.0)) for i in range(len(rest)))])
    return found


class _Tree:
    """Finds the nearest of some points; of those at one place it knows the lowest alone."""

    def __init__(self, points: Array, rows: Ids, p: float) -> None:
        from scipy.spatial import cKDTree

        places, first = np.unique(points[rows], axis=0, return_index=True)
        self.rows, self.p = rows[first], p
        self.tree: Any = cKDTree(places)

    def query(self, points: Array, k: int = 1) -> tuple[Array, Ids]:
        """Return distances and rows (m, k), infinite and NONE where there are less than k."""
        distances, places = self.tree.query(points, k=list(range(1, k + 1)), p=self.p)
        return distances, np.append(self.rows, NONE)[places]


def _has_later(points: Array, distance: float, p: float) -> Mask:
    """Say of each point (n,) whether a later one is nearer than `distance`.

    Of halves of halves ... of the points each earlier one asks the tree of the later one. All pairs of one level are in
    one tree, held apart by a coordinate more.
    """
    from scipy.spatial import cKDTree

    n = len(points)
    _, group = np.unique(points, axis=0, return_inverse=True)
    last = np.zeros(group.max(initial=-1) + 1, dtype=np.int64)
    np.maximum.at(last, group, np.arange(n))
    found = np.full(n, distance > 0)
    found[last] = False
    ids = np.sort(last)  # one for each place
    width = 1  # from neighbours in number on, which are alike most often, so that few ask about the large halves
    while width < len(ids):
        half = np.arange(len(ids)) // width
        apart = 2.0 * distance * (half // 2)
        asking = np.flatnonzero((half % 2 == 0) & ~found[ids])
        asked = np.flatnonzero(half % 2 == 1)
        if asking.size and asked.size:
            tree = cKDTree(np.column_stack([points[ids[asked]], apart[asked]]))
            near = np.column_stack([points[ids[asking]], apart[asking]])
            least, _ = tree.query(near, p=p, distance_upper_bound=distance)
            found[ids[asking[np.isfinite(least)]]] = True
        width *= 2
    return found


def _independent(points: Array, rows: Ids, distance: float, p: float) -> Ids:
    """Return those of the rows, in ascending order, that are farther than `distance` from all chosen before them."""
    from scipy.spatial import cKDTree

    if not rows.size:
        return rows
    _, first = np.unique(points[rows], axis=0, return_index=True)
    rows = rows[np.sort(first)]
    tree = cKDTree(points[rows])
    alone = tree.query(points[rows], k=[2], p=p)[0][:, 0] > distance
    left, chosen = ~alone, alone.copy()
    for i in np.flatnonzero(left):
        if left[i]:
            chosen[i] = True
            left[tree.query_ball_point(points[rows[i]], distance, p=p)] = False
    return rows[chosen]


def _norm(differences: Array, p: float) -> Array:
    return np.asarray(np.linalg.norm(differences, ord=p, axis=1))
