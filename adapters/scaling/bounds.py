"""What an effective conductivity can be at most and at least, given its parts.

* Voigt and Reuss: the arithmetic and the harmonic mean, whatever the geometry.
* Z. Hashin and S. Shtrikman, J. Appl. Phys. 33, 3125 (1962): an isotropic K lies between two closer bounds.
* The trace bounds of F. Murat & L. Tartar and K. A. Lurie & A. V. Cherkaev (1984-85) hold for an anisotropic K as well,
  and no closer ones exist for two phases. With k0 the smallest coefficient and <> the mean over the volume,

      tr (K - k0)^-1 <= 1/<a> - 1/k0,     1/a = tr (k - k0)^-1 + 1/k0                                          (lower)

  and with k0 the largest, tr (k0 - K)^-1 <= 1/<a> + 1/k0, 1/a = tr (k0 - k)^-1 - 1/k0 (upper). This form follows from
  the Hashin-Shtrikman principle with the polarisation a(x) I, so it holds for any number of phases and for a k(x) that
  is itself a tensor; for two isotropic phases it is the published one. Solved for an isotropic K it is the bound of
  Hashin and Shtrikman.

All of it uses only that gradients and fluxes are orthogonal, so it holds without any error of discretisation for the
finite-volume cell problem too, if k(x) is taken to be what that scheme sees: a diagonal tensor per cell, the
coefficients of its faces. For the image itself it holds as far as the image resolves its phases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def voigt(k: Array) -> Array:
    """Return the arithmetic mean (n,) of coefficients (n, *cells), unit of k."""
    return np.asarray(k.mean(axis=tuple(range(1, k.ndim))))


def reuss(k: Array) -> Array:
    """Return the harmonic mean (n,) of coefficients (n, *cells) >= 0, unit of k; 0 where one of them is 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(1 / (1 / k).mean(axis=tuple(range(1, k.ndim))))


def hashin_shtrikman(k: Array, dimension: int | None = None) -> tuple[Array, Array]:
    """Return the lower and the upper bound (n,) of an isotropic effective conductivity.

    Parameters
    ----------
    k : (n, *cells) coefficients >= 0 of the cells of an image.
    dimension : number of space dimensions d, that of the image if None (layers in 1-D that stand for a 3-D mixture: 3).
    """
    d = k.ndim - 1 if dimension is None else dimension
    flat = k.reshape(len(k), 1, -1)
    return _isotropic_bounds(np.broadcast_to(flat, (len(k), d, flat.shape[2])))


def trace_means(tensor: Array, lowest: Array, highest: Array) -> tuple[Array, Array]:
    """Return the two scalars (n,) of an anisotropic K to which the trace bounds apply, unit of K.

        low + d / tr (K - low)^-1   is not below the lower bound of Hashin and Shtrikman,
        high - d / tr (high - K)^-1   not above the upper one.

    Both are the common eigenvalue if K is isotropic.

    Parameters
    ----------
    tensor : (n, d, d) symmetric K.
    lowest, highest : (n,) smallest and largest coefficient of the parts.
    """
    eigenvalues = np.linalg.eigvalsh(tensor)
    d = tensor.shape[1]
    with np.errstate(divide="ignore"):
        above = 1 / np.maximum(eigenvalues - lowest[:, None], 0)
        below = 1 / np.maximum(highest[:, None] - eigenvalues, 0)
    return lowest + d / above.sum(axis=1), highest - d / below.sum(axis=1)


def violation(tensor: Array, parts: Array) -> Array:
    """Return by how much K breaks its bounds (n,), relative to the largest coefficient; round-off if all hold.

    Voigt, Reuss and the trace bounds are looked at.

    Parameters
    ----------
    tensor : (n, d, d) symmetric effective tensor K.
    parts : (n, d, *cells) diagonal of the tensor k(x), such as the face coefficients of the cell problem.
    """
    n, d = parts.shape[:2]
    flat = parts.reshape(n, d, -1)
    with np.errstate(divide="ignore"):
        harmonic = 1 / (1 / flat).mean(axis=2)
    arithmetic = flat.mean(axis=2)
    highest = flat.max(axis=(1, 2))
    lower, upper = _isotropic_bounds(flat)
    low, high = trace_means(tensor, flat.min(axis=(1, 2)), highest)
    excess = np.stack(
        [
            -np.linalg.eigvalsh(tensor - harmonic[:, :, None] * np.eye(d))[:, 0],
            -np.linalg.eigvalsh(arithmetic[:, :, None] * np.eye(d) - tensor)[:, 0],
            lower - low,
            high - upper,
        ]
    ).max(axis=0)
    return np.divide(excess, highest, out=np.zeros_like(excess), where=highest > 0)


def _isotropic_bounds(k: Array) -> tuple[Array, Array]:
    """Return the two bounds (n,) for diagonal tensors k (n, d, cells)."""
    d = k.shape[1]
    lowest, highest = k.min(axis=(1, 2)), k.max(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        trace = (1 / (k - lowest[:, None, None])).sum(axis=1)
        mean = (1 / (trace + 1 / lowest[:, None])).mean(axis=1)
        lower = np.where(lowest > 0, lowest + d / (1 / mean - 1 / lowest), 0)
        trace = (1 / (highest[:, None, None] - k)).sum(axis=1)
        mean = (1 / (trace - 1 / highest[:, None])).mean(axis=1)
        upper = np.where(highest > 0, highest - d / (1 / mean + 1 / highest), 0)
    return lower, upper
