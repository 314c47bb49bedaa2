"""How large is the error? A number that has been measured on paths which the law has not seen.

The members of an ensemble disagree by a spread s; that says where the law is poor, not how poor. On held-out paths the
error e = |observable - that of the full model| is known, and so the ratio e / (s + a floor) at every step; the floor
is that of usual errors, times how active the law is (there are none where it is exact). Its quantile q makes q (s + a
floor) an estimate that the error stays below with the confidence asked for: split conformal prediction (V. Vovk, A.
Gammerman & G. Shafer, Algorithmic Learning in a Random World, 2005; J. Lei et al., J. Am. Stat. Assoc. 113, 1094
(2018)). It holds for a step chosen at random on a path like those that were held out, whatever the law and however
wrong the spread; it is no bound, and nothing is known of other paths. Steps of one path are not independent, so it is
the number of paths that counts: with n of them the share 1 - 1/(n + 1) is the most that can be stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEAST = 1e-12  # floor of the spread, relative to the values
INACTIVE = 1e-3  # activity: less is none


@dataclass(frozen=True)
class Calibration:
    """Of one observable.

    Attributes
    ----------
    floor : what is added to the spread where the law is as active as it usually is, in the unit of the observable.
    scores : (paths, steps) ratios on the held-out paths.
    size : root mean square of the true values there.
    """

    floor: float
    scores: Array
    size: float

    @classmethod
    def of(cls, error: Array, spread: Array, activity: Array, values: Array, floor: float) -> Calibration:
        """Return the calibration from errors, spreads, activities and sizes of the true values, (paths, steps) each."""
        return cls(floor, error / _widened(spread, activity, floor), float(np.sqrt((values**2).mean())))

    def factor(self, confidence: float) -> float:
        """Return q, which is infinite where there are too few paths for that confidence."""
        paths = len(self.scores)
        level = confidence * (paths + 1) / paths
        if level > 1:
            return float("inf")
        return float(np.quantile(self.scores, level, method="inverted_cdf"))

    def estimate(self, spread: Array, activity: Array, factor: float) -> Array:
        """Return what the error stays below, of the shape of `spread`."""
        return np.asarray(factor * _widened(spread, activity, self.floor))


def _widened(spread: Array, activity: Array, floor: float) -> Array:
    return np.asarray(spread + floor * np.maximum(activity, INACTIVE))


def fewest(confidence: float) -> int:
    """Return how many held-out paths a confidence needs."""
    return int(np.ceil(confidence / (1 - confidence) - 1e-9))


def size(values: Array, axes: int) -> Array:
    """Return the Euclidean (Frobenius) norm over all axes beyond the first `axes`."""
    flat = values.reshape(*values.shape[:axes], -1)
    return np.asarray(np.sqrt((flat**2).sum(axis=-1)))


def floor(error: Array, values: Array) -> float:
    """Return a floor for spreads: the root mean square error on paths that were learned from."""
    least = LEAST * float(np.sqrt((values**2).mean())) if values.size else 0.0
    return max(float(np.sqrt((error**2).mean())), least, float(np.finfo(np.float64).tiny))
