"""A stiffness that is known: how much there is of it is not learned, only how it is shared.

    L <- L S,    B_k <- B_k S,    S = A^(-1/2) K,    A = L^T L + sum over k of B_k^T B_k,    K^T K = C

Whatever the numbers L and B are, the material then has the stiffness C before anything flows: sum of the energies is
x . C x / 2. So elastic points are right to the last digit, and all members of an ensemble agree on them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def root(C: Array) -> Array:
    """Return K (s, s) with K^T K = C, symmetric and positive definite. Raises ValueError where C is not."""
    low, high = np.linalg.eigh(C)
    if not low[0] > 0:
        raise ValueError("a stiffness that is not positive definite")
    return np.asarray(np.sqrt(low)[:, None] * high.T)


def shared(K: Array, L: Array, B: Array) -> tuple[Array, Array]:
    """Return L (m, s, s) and B (m, e, c, s) with the stiffness K^T K in all."""
    low, high = _spectrum(L, B)
    S = ((high / np.sqrt(low)[:, None]) @ np.swapaxes(high, 1, 2)) @ K
    return L @ S, B @ S[:, None]


def pullback(K: Array, L: Array, B: Array, L_back: Array, B_back: Array) -> tuple[Array, Array]:
    """Return the gradient by L and B from that by what `shared` makes of them."""
    low, high = _spectrum(L, B)
    across = np.swapaxes(high, 1, 2)
    S = ((high / np.sqrt(low)[:, None]) @ across) @ K
    by_S = np.swapaxes(L, 1, 2) @ L_back + (np.swapaxes(B, 2, 3) @ B_back).sum(axis=1)
    by_root = by_S @ K.T
    r = np.sqrt(low)
    slope = -1 / (r[:, :, None] * r[:, None] * (r[:, :, None] + r[:, None]))  # of a^(-1/2) between eigenvalues
    by_A = high @ (slope * (across @ (by_root + np.swapaxes(by_root, 1, 2)) @ high)) @ across / 2
    back = np.swapaxes(S, 1, 2)
    return L_back @ back + 2 * L @ by_A, B_back @ back[:, None] + 2 * B @ by_A[:, None]


def _spectrum(L: Array, B: Array) -> tuple[Array, Array]:
    """Return eigenvalues (m, s) and eigenvectors (m, s, s) of A."""
    values, vectors = np.linalg.eigh(np.swapaxes(L, 1, 2) @ L + (np.swapaxes(B, 2, 3) @ B).sum(axis=1))
    return values, vectors
