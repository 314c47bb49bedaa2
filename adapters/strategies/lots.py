"""Rows that are drawn by lot: the same ones on any number of ranks, as each point has a key of its own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters import seeds

LEAST = 5  # rows; fewer say too little


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


def sample(draws: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Return which rows (n,) are in the sample: this share of them, and a few at least; none if the share is 0."""
    n = len(draws)
    number = min(max(math.ceil(share * n), LEAST), n) if share > 0 else 0
    chosen = np.zeros(n, dtype=bool)
    chosen[np.argsort(draws, kind="stable")[:number]] = True
    return chosen
