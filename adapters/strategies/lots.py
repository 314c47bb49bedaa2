"""Rows that are drawn by lot: the same ones on any number of ranks, as each point has a key of its own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters import seeds

LEAST = 5  # rows; fewer say too little
EVENLY = 0.3  # of the rows are drawn whatever is expected of them


def keys(points: ArrayLike, seed: int) -> NDArray[np.uint64]:
    """Return a key (n,) for each of the `points` (n, dim) [m]."""
    return seeds.keys(points, seed)[:, 0].copy()


def draw(keys: NDArray[np.uint64], number: int) -> NDArray[np.float64]:
    """Return draw `number` (n,) of each key, evenly spread in [0, 1).

    SplitMix64: G. L. Steele, D. Lea & C. H. Flood, OOPSLA 2014, doi 10.1145/2660193.2660195.
    """
    with np.errstate(over="ignore"):  # it works modulo 2^64
        z = keys + np.uint64(number + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.asarray((z >> np.uint64(11)) * 2.0**-53)


def inclusion(expected: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the probabilities (n,) by which rows are drawn, each by itself: mostly in proportion to what is expected.

    So few rows tell much of a sum to which few contribute (Poisson sampling: C.-E. Sarndal, B. Swensson & J. Wretman,
    Model Assisted Survey Sampling, Springer 1992, section 3.5). A part is the same for all, as what is expected may be
    wrong.

    Parameters
    ----------
    expected : (n,) >= 0; a row for which it is zero is not drawn for that.
    share : of the rows that are drawn, on average; a few at least.
    """
    n = len(expected)
    if not share > 0:
        return np.zeros(n)
    number = min(max(math.ceil(share * n), LEAST), n)
    size = np.full(n, 1 / n)
    if (total := float(expected.sum())) > 0:
        size = EVENLY / n + (1 - EVENLY) * expected / total
    certain = np.zeros(n, dtype=bool)
    while True:
        rest = max(number - int(certain.sum()), 0)
        probability = np.where(certain, 1.0, rest * size / max(float(size[~certain].sum()), 1e-300))
        if (probability <= 1).all():
            return probability
        certain |= probability > 1


def sample(draws: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Return which rows (n,) are in the sample: this share of them, and a few at least; none if the share is 0."""
    n = len(draws)
    number = min(max(math.ceil(share * n), LEAST), n) if share > 0 else 0
    chosen = np.zeros(n, dtype=bool)
    chosen[np.argsort(draws, kind="stable")[:number]] = True
    return chosen
