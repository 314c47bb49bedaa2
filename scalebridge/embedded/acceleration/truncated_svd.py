"""A truncated singular value decomposition that low-rank products are added to.

Brand, "Fast low-rank modifications of the thin singular value decomposition", Linear Algebra Appl. 415 (2006) 20-30.
"""

from __future__ import annotations

import numpy as np

from scalebridge.embedded.acceleration import Floats


class TruncatedSVD:
    """psi diag(sigma) phi^T, without the singular values below `threshold` times the largest one."""

    def __init__(self, rows: int, columns: int, threshold: float) -> None:
        self.psi = np.zeros((rows, 0))
        self.sigma = np.zeros(0)
        self.phi = np.zeros((columns, 0))
        self._threshold = threshold

    def add(self, a: Floats, b: Floats) -> None:
        """Add a @ b.T, with a (rows, m) and b (columns, m), and truncate."""
        left, left_small = _extend(self.psi, a)
        right, right_small = _extend(self.phi, b)
        core = left_small @ right_small.T
        rank = len(self.sigma)
        core[:rank, :rank] += np.diag(self.sigma)
        u, sigma, vt = np.linalg.svd(core, full_matrices=False)
        kept = sigma >= self._threshold * sigma[0] if len(sigma) else np.zeros(0, dtype=bool)
        self.psi = left @ u[:, kept]
        self.sigma = sigma[kept]
        self.phi = right @ vt[kept].T


def _extend(basis: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Return an orthonormal basis of [basis, new], and the coefficients of `new` in it."""
    inside = basis.T @ new
    outside, coefficients = np.linalg.qr(new - basis @ inside)
    return np.hstack([basis, outside]), np.vstack([inside, coefficients])
