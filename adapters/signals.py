"""Meshes of signals: what happens inside a time window is exchanged too, not only its end.

A coupling mesh carries one value per vertex and window. So a signal, a quantity sampled at the ends of k equal parts of
the window, has k vertices: its place, and as last coordinate the time within the window [s]. What is sent at the end of
a window is the signal of that window, or of the next one where delays make it known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.wiring import CouplingError

type Array = NDArray[np.float64]


def vertices(places: ArrayLike, samples: int, window: float, dimensions: int) -> Array:
    """Return the vertices (n * samples, dimensions) of signals at `places` (n, d), all those of one place in a row.

    Parameters
    ----------
    window : length of the time windows [s].
    """
    given = np.asarray(places, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] >= dimensions:
        raise CouplingError(
            f"places of signals on a mesh of {dimensions} dimensions: expected shape (n, d) with d < {dimensions}, as "
            f"the last coordinate is the time within the window; got {given.shape}"
        )
    if samples < 1:
        raise CouplingError(f"signals of {samples} samples in a window; expected at least 1")
    result = np.zeros((len(given), samples, dimensions))
    result[:, :, : given.shape[1]] = given[:, None, :]
    result[:, :, -1] = window * np.arange(1, samples + 1) / samples
    return result.reshape(-1, dimensions)


def samples_of(found: Array, mesh: str, window: float | None = None) -> int:
    """Return how many vertices (m, dimensions) of a mesh of signals belong to each place.

    Raises
    ------
    CouplingError
        If these are not the vertices of signals, or not those of windows of length `window` [s].
    """
    if not len(found):
        return 1
    different = (found[:, :-1] != found[0, :-1]).any(axis=1)
    samples = int(np.argmax(different)) if different.any() else len(found)
    problem = ""
    if len(found) % samples:
        problem = f"{len(found)} vertices are not {samples} for each place"
    else:
        each = found.reshape(-1, samples, found.shape[1])
        ends = each[0, -1, -1] * np.arange(1, samples + 1) / samples
        if (each[:, :, :-1] != each[:, :1, :-1]).any() or not np.allclose(each[:, :, -1], ends, rtol=1e-9, atol=0):
            problem = "its last coordinates are not the ends of equal parts of a window, one place after the other"
        elif window is not None and not np.isclose(ends[-1], window, rtol=1e-9, atol=0):
            problem = f"it has the samples of windows of {ends[-1]:g} s, but windows last {window:g} s"
    if problem:
        raise CouplingError(
            f"{mesh} is not a mesh of signals, with the time within the window behind places: {problem}"
        )
    return samples
