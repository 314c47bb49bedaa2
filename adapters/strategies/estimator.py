"""How wrong answers of a cheap model are: what it says itself, put right by rows that were solved in full as well.

What counts is the sum of the errors of many rows, e_k, over the sum of what was said of them before, u_k. Their ratio
is known from a sample of rows that was drawn by lot among those of which nothing else is known: r = sum e / sum u, with
a standard error from the scatter of e_k - r u_k (W. G. Cochran, Sampling Techniques, Wiley 1977, chapter 6). What is
said is multiplied by the upper end of the interval of confidence of that ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNKNOWN = 1e100  # an estimate that is none; states hold no infinity
NONE = -1.0  # in the place of an error that is not known
ENOUGH = 20  # errors that make a ratio
NEAREST = 4  # rows whose errors say what that of another may be
BASE = 0.1  # of the mean of all known errors: none is much smaller for sure
CONFIDENCE = 0.95  # of the interval around a measured error


def factor(errors: Array, stated: Array, level: float) -> float:
    """Return by what the statements of a cheap model have to be multiplied; 1 where nothing is known yet.

    Parameters
    ----------
    errors, stated : (n, h) of the sample in the last h windows, the newest first; errors are NONE where there is none.
        The newest of them count, as many windows as have enough; and those of the last one by themselves, because what
        happens may be new.
    level : confidence that the sum of the errors is below what is said of it.
    """
    from scipy.special import ndtri  # a description does without

    there = errors >= 0
    counts = there.sum(axis=0)
    if not counts.any():
        return 1.0
    windows = int(np.argmax(np.cumsum(counts) >= min(ENOUGH, int(counts.sum())))) + 1
    pooled, newest = there[:, :windows], there[:, 0]
    r, spread = _ratio(*_with_one_more(errors[:, :windows][pooled], stated[:, :windows][pooled]))
    last = _ratio(errors[newest, 0], stated[newest, 0])[0] if newest.any() else 0.0
    return float(max(r + float(ndtri(level)) * spread, last))


def _with_one_more(errors: Array, stated: Array) -> tuple[Array, Array]:
    """Return a sample with one more row, of which the mean is said; it is at least as wrong as that.

    By the worst factor in the sample it is wrong, but no more wrong than any row. Where nothing was found to be wrong
    that is not yet a proof that nothing is.
    """
    mean = float(stated.mean())
    worst = min(float((errors / stated).max()) * mean, float(errors.max()))
    return np.append(errors, max(worst, mean)), np.append(stated, mean)


def _ratio(errors: Array, stated: Array) -> tuple[float, float]:
    """Return the ratio of the sums, and its standard error; of a single row that is taken to be the ratio itself."""
    m, total = len(errors), float(stated.sum())
    r = float(errors.sum()) / total
    if m < 2:
        return r, r
    return r, math.sqrt(m / (m - 1) * float(((errors - r * stated) ** 2).sum())) / total


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
    largest = np.where(own[:, :, None], 0.0, errors[found]).max(axis=1)
    return np.asarray(np.maximum(largest, BASE * errors.mean(axis=0)))


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
    def of(cls, parts: Array, estimates: Array, total: float) -> Measured:
        """Return the total of errors, from a sample and from what was said of all.

        Parameters
        ----------
        parts, estimates : (m,) errors of the rows of the sample, and what was said of them.
        total : what was said of all.
        """
        from scipy.special import stdtrit  # a description does without

        m = len(parts)
        if not float(estimates.sum()) > 0:
            return cls(0.0, math.inf, m)
        r, _ = _ratio(parts, estimates)
        _, spread = _ratio(*_with_one_more(parts, estimates))
        half = float(stdtrit(m - 1, 0.5 + CONFIDENCE / 2)) * spread * total if m > 1 else math.inf
        return cls(r * total, half, m)

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
