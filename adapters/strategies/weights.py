"""What points count in the quantity of interest: all the same, or as a file says.

The file is text: in each line the coordinates of a point [m] and its weight, separated by white space; # begins a
comment. Points may be in any order, and there may be more of them than are asked for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.refusal import SettingError, refusal

Array = NDArray[np.float64]

NEAR = 1e-6  # of the extent of the points: so near is the same point


def load(path: Path, points: Array) -> Array:
    """Return the weights (n,) of `points` (n, dim) [m]. Raises SettingError where the file does not tell them."""
    table = read(path, points.shape[1])
    places, weights = table[:, :-1], table[:, -1]
    from scipy.spatial import cKDTree  # a description does without

    distance, found = cKDTree(places).query(points)
    if (far := distance > NEAR * np.ptp(places, axis=0).max(initial=NEAR)).any():
        point = ", ".join(f"{x:g}" for x in points[np.argmax(far)])
        raise _refused(f"{path} has none for {int(far.sum())} points, such as ({point})")
    return np.asarray(weights[found])


def read(path: Path, dimensions: int) -> Array:
    """Return coordinates and weights (m, dimensions + 1), of any points; 0 dimensions where these are not known.

    Raises SettingError.
    """
    try:
        table = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        raise _refused(f"{path} cannot be read as numbers: {error}") from None
    if dimensions and table.shape[1] != dimensions + 1:
        raise _refused(f"{path} has {table.shape[1]} columns", expected=f"{dimensions} coordinates and a weight")
    weights = table[:, -1]
    if not (np.isfinite(table).all() and (weights >= 0).all() and weights.any()):
        raise _refused(f"those in {path} are to be finite, at least 0, and not all 0")
    return table


def _refused(message: str, expected: str = "") -> SettingError:
    return refusal("adaptive", "weights", message, expected=expected)
