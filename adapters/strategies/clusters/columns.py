"""Fields of rows side by side in one matrix, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


def flat(values: Mapping[str, Array]) -> Array:
    """Return fields (n, ...) side by side, (n, m)."""
    arrays = [np.asarray(array, dtype=np.float64) for array in values.values()]
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


def apart(matrix: Array, like: Mapping[str, Array]) -> dict[str, Array]:
    """Return the fields (n, ...) of a matrix (n, m), with the names and shapes of `like`."""
    widths = [int(np.prod(array.shape[1:], dtype=np.int64)) for array in like.values()]
    parts = np.split(matrix, np.cumsum(widths)[:-1], axis=1)
    return {
        name: np.ascontiguousarray(part).reshape(len(matrix), *array.shape[1:])
        for (name, array), part in zip(like.items(), parts, strict=True)
    }


def largest(matrix: Array, like: Mapping[str, Array]) -> Array:
    """Return the largest component (n, q) of each of the q fields of a matrix (n, m), laid out as in `like`."""
    widths = [int(np.prod(array.shape[1:], dtype=np.int64)) for array in like.values()]
    parts = np.split(matrix, np.cumsum(widths)[:-1], axis=1)
    return np.stack([part.max(axis=1, initial=-np.inf) for part in parts], axis=1)
