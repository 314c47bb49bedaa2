"""How wrong answers of a cheap model are: what it says itself, put right by the rows that were solved in full as well.

A score is the error of a row that was solved in full, over what was said of it before. Rows of which nothing is known
are like those (V. Vovk, A. Gammerman & G. Shafer, Algorithmic Learning in a Random World, Springer 2005: conformal
prediction), so their error is below what is said of it times a quantile of the scores. What counts is the sum of the
errors, so the mean of the scores counts too: it sees the few that are very large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNKNOWN = 1e100  # an estimate that is none; states hold no infinity
WORST = 1e6  # largest score: worse is as good as unknown
NONE = -1.0  # in the place of a score that there is not
ENOUGH = 20  # scores, as many as make a quantile of 0.95
NEAREST = 4  # rows whose errors say what that of another may be
CONFIDENCE = 0.95  # of the interval around a measured error


def scores(errors: Array, stated: Array, floor: Array) -> Array:
    """Return errors over what was said of them, NONE where nothing was said.

    Parameters
    ----------
    errors, stated : (n, o), of o observables.
    floor : (o,) errors that are too small to matter.
    """
    known = stated < UNKNOWN
    ratio = errors / np.maximum(np.where(known, stated, 1.0), floor)
    return np.where(known, np.minimum(np.nan_to_num(ratio, nan=WORST, posinf=WORST), WORST), NONE)


def factor(kept: Array, level: float) -> float:
    """Return by what the statements of a cheap model have to be multiplied; 1 where nothing is known yet.

    Parameters
    ----------
    kept : (n, h) scores of the last h windows, the newest first, NONE where there is none. The newest of them count,
        as many windows as have enough; and those of the last one by themselves, because what happens may be new.
    level : share of the errors that are to be below the estimate.
    """
    there = kept >= 0
    counts = there.sum(axis=0)
    if not counts.any():
        return 1.0
    windows = int(np.argmax(np.cumsum(counts) >= min(ENOUGH, int(counts.sum())))) + 1
    pooled, newest = kept[:, :windows][there[:, :windows]], kept[:, 0][there[:, 0]]
    m = len(pooled)
    short = (m + 1) / m if math.ceil((m + 1) * level) > m else 1.0
    return max(short * _limit(pooled, level), _limit(newest, level) if newest.size else 0.0)


def _limit(found: Array, level: float) -> float:
    """Return the quantile of scores below which the next one is with probability `level`, at least their mean."""
    rank = min(math.ceil((len(found) + 1) * level), len(found))
    return max(float(np.sort(found)[rank - 1]), float(found.mean()))


def neighbours(features: Array, known: NDArray[np.int64], places: Array, errors: Array) -> Array:
    """Return the largest error (n, o) of the nearest rows whose error is known; UNKNOWN where there is none.

    Of a row itself nothing is used, so that rows with a known error and others are foretold alike.

    Parameters
    ----------
    features : (n, f) where the rows are, in whatever describes them.
    known : (m,) numbers of the rows with a known error; `places` (m, f) where they were then, `errors` (m, o).
    """
    from scipy.spatial import cKDTree  # a description does without

    if len(known) < 2:
        return np.full((len(features), errors.shape[1]), UNKNOWN)
    spread = np.std(np.concatenate([features, places]), axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    nearest = list(range(1, min(NEAREST + 1, len(known)) + 1))
    _, found = cKDTree(places / scale).query(features / scale, k=nearest)
    own = known[found] == np.arange(len(features))[:, None]
    own[~own.any(axis=1), -1] = True  # one has been asked for more than is needed
    return np.asarray(np.where(own[:, :, None], 0.0, errors[found]).max(axis=1))


@dataclass(frozen=True)
class Measured:
    """A total that is known from a random sample of rows.

    Attributes
    ----------
    value : the estimate of the total.
    half : half of the width of its interval of confidence; infinite for a single row.
    rows : number of rows in the sample.
    """

    value: float
    half: float
    rows: int

    @classmethod
    def of(cls, parts: Array) -> Measured:
        """Return the total of the parts (m,) of rows of a sample, each with what it stands for counted in."""
        from scipy.special import stdtrit

        m = len(parts)
        if m < 2:
            return cls(float(parts.sum()), math.inf, m)
        spread = math.sqrt(m * float(np.var(parts, ddof=1)))
        return cls(float(parts.sum()), float(stdtrit(m - 1, 0.5 + CONFIDENCE / 2)) * spread, m)

    def over(self, number: float) -> Measured:
        """Return the total divided by a number."""
        return Measured(self.value / number, self.half / number, self.rows)


def monotonicity(before: Array, after: Array, old: Array, new: Array) -> Array:
    """Return (n,) the slopes d response . d drive / |d drive|^2 of a step; UNKNOWN where nothing has moved.

    The least of all is the constant m of a response that is strongly monotone.

    Parameters
    ----------
    before, after : (n, ...) what drives, before and after the step; `old`, `new` the response, of the same shape.
    """
    drive, response = ((b - a).reshape(len(a), -1) for a, b in ((before, after), (old, new)))
    length = (drive**2).sum(axis=1)
    moved = length > 1e-24 * (after.reshape(len(after), -1) ** 2).sum(axis=1)
    return np.asarray(np.where(moved, (drive * response).sum(axis=1) / np.where(moved, length, 1.0), UNKNOWN))


def stability(weights: Array, errors: Array, m: float) -> float:
    """Return the bound on the error of what drives, where the sum over rows of drive times response is in balance.

    For a strongly monotone response, |eps - eps_s| <= 1/m |sigma(eps_s) - sigma_s(eps_s)|, in the norm whose square is
    the weighted sum of squares: with sigma(eps) and sigma_s(eps_s) in balance with the same loads,
    m |eps - eps_s|^2 <= (sigma(eps) - sigma(eps_s), eps - eps_s) = (sigma_s(eps_s) - sigma(eps_s), eps - eps_s).

    Parameters
    ----------
    weights, errors : (n,) of the rows, errors of the response.
    m : least slope; infinite is returned if it is not above 0.
    """
    return math.sqrt(float(np.sum(weights * errors**2))) / m if m > 0 else math.inf
