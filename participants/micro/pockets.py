"""Random arrangements of brine in ice: periodic, statistically homogeneous, the same for the same point and seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.seeds import generator

Array = NDArray[np.float64]


def liquid_indicator(points: Array, phi: Array, cells: int, pocket: float, seed: int) -> Array:
    """Return a liquid indicator (n, cells, cells) whose mean is exactly phi, 1 in brine and 0 in ice.

    Brine is where a smooth Gaussian random field is highest; one cell per volume, at the rim, is part brine part ice.

    Parameters
    ----------
    points : (n, dim) positions [m] of the volumes; a volume's arrangement depends on its own position alone, and not on
        which other volumes it is computed with.
    phi : (n,) liquid fractions.
    pocket : width of a pocket as a fraction of the edge of the volume: standard deviation of the Gaussian that smoothes
        the field.
    seed : the same for all volumes.
    """
    k = 2 * np.pi * np.fft.fftfreq(cells, 1 / cells)
    smooth = np.exp(-(pocket**2) * (k[:, None] ** 2 + k[None, : cells // 2 + 1] ** 2) / 2)
    noise = np.stack([generator(point, seed).standard_normal((cells, cells)) for point in points])
    field = np.fft.irfft2(np.fft.rfft2(noise) * smooth, s=(cells, cells)).reshape(len(points), -1)
    return fill(-field, phi).reshape(len(points), cells, cells)


def layer(phi: Array, cells: int) -> Array:
    """Return a liquid indicator (n, cells) with one layer of brine at the start, its last cell part brine part ice."""
    return fill(np.broadcast_to(np.arange(cells), (len(phi), cells)), phi)


def fill(order: Array, phi: Array) -> Array:
    """Return the share (n, cells) of each cell that is filled, lowest `order` first, so that the mean is phi (n,)."""
    rank = np.argsort(np.argsort(order, axis=1, kind="stable"), axis=1)
    return np.asarray(np.clip(phi[:, None] * order.shape[1] - rank, 0, 1))
