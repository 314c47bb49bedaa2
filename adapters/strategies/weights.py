"""What points count in the quantity of interest: all the same, or as a file says.

The file is text: in each line the coordinates of a point [m] and its weight, separated by white space; # begins a
comment. Points may be in any order, and there may be more of them than are asked for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.wiring import CouplingError

Array = NDArray[np.float64]

NEAR = 1e-6  # of the extent of the points: so near is the same point


def load(path: Path, points: Array) -> Array:
    """Return the weights (n,) of `points` (n, dim) [m]. Raises CouplingError where the file does not tell them."""
    try:
        table = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        raise CouplingError(f"adaptive: weights: {path} cannot be read as numbers: {error}") from None
    dimensions = points.shape[1]
    if table.shape[1] != dimensions + 1:
        raise CouplingError(
            f"adaptive: weights: {path} has {table.shape[1]} columns; expected {dimensions} coordinates and a weight"
        )
    places, weights = table[:, :-1], table[:, -1]
    if not (np.isfinite(table).all() and (weights >= 0).all() and weights.any()):
        raise CouplingError(f"adaptive: weights: those in {path} are to be finite, at least 0, and not all 0")
    from scipy.spatial import cKDTree  # a description does without

    distance, found = cKDTree(places).query(points)
    if (far := distance > NEAR * np.ptp(places, axis=0).max(initial=NEAR)).any():
        point = ", ".join(f"{x:g}" for x in points[np.argmax(far)])
        raise CouplingError(f"adaptive: weights: {path} has none for {int(far.sum())} points, such as ({point})")
    return np.asarray(weights[found])
