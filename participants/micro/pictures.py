"""Pictures of microstructures: NumPy arrays and PNG images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.micro import MicroError


def load(path: Path) -> NDArray[Any]:
    """Return the values of a picture, (nx, ny) or (nx, ny, nz), y upwards; of a colour image, its grey levels.

    Raises
    ------
    MicroError
        If the file is none of a kind that is known, or something is wrong with it.
    """
    readers = {".npy": _numpy, ".png": _png}
    if path.suffix not in readers:
        raise MicroError([], f"{path} is no picture; expected a file that ends on {' or '.join(readers)}")
    try:
        values = readers[path.suffix](path)
    except (OSError, ValueError, SyntaxError) as error:
        raise MicroError([], f"{path} cannot be read: {error}") from error
    if values.dtype.kind not in "fiub" or not values.size or not np.isfinite(values).all():
        raise MicroError([], f"{path} has no numbers, or not only finite ones")
    return values


def _numpy(path: Path) -> NDArray[Any]:
    return np.asarray(np.load(path, allow_pickle=False))


def _png(path: Path) -> NDArray[Any]:
    from matplotlib import image  # brings much that other pictures do without

    values = np.asarray(image.imread(path, format="png"), dtype=np.float64)
    grey = values if values.ndim == 2 else values[..., :3].mean(axis=-1)
    return np.round(255 * grey).astype(np.int64).T[:, ::-1]
