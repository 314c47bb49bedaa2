"""Random numbers that follow from a seed and a place alone, whatever the batch, its order and the number of ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

NANOMETRE = 1e-9


def generator(point: ArrayLike, seed: int) -> np.random.Generator:
    """Return the generator of `point` (dim,), coordinates in m: what is drawn once belongs to the place."""
    return np.random.default_rng([seed, *_place(point)])


def keys(points: ArrayLike, seed: int) -> NDArray[np.uint64]:
    """Return a key of Philox, a counter-based generator, for each of the `points` (n, dim): (n, 2).

    For what is drawn again and again: with the key and a number that counts the draws, any of them can be repeated.
    """
    places = [_place(point) for point in np.asarray(points)]
    found = [np.random.SeedSequence([seed, *place]).generate_state(2, np.uint64) for place in places]
    return np.array(found, dtype=np.uint64).reshape(len(places), 2)


def counted(key: NDArray[np.uint64], count: int) -> np.random.Generator:
    """Return the generator of draw number `count` for a key (2,): 2**128 numbers until the next draw begins."""
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, count, 0], dtype=np.uint64)))


def named(seed: int, name: str) -> int:
    """Return a seed for the use called `name`, so that two uses at one place draw different numbers."""
    return int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1, np.uint64)[0])


def _place(point: ArrayLike) -> list[int]:
    place = np.rint(np.asarray(point, dtype=np.float64) / NANOMETRE).astype(np.int64)  # whatever its round-off
    return [int(number) for number in place.view(np.uint64)]
