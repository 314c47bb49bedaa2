"""QR factorisation of the small matrix S (see `columns`), with the filters that keep it well conditioned.

Haelterman, Bogaers, Scheufele, Uekermann, Mehl, "Improving the performance of the partitioned QN-ILS procedure for
fluid-structure interaction problems: filtering", Comput. Struct. 171 (2016) 9-17. QR3, which rebuilds only when QR2
would find something to remove, removes the same columns as QR2; since S is small, both are one here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from scalebridge.embedded.acceleration import Floats
from scalebridge.embedded.acceleration.settings import FilterConfig

TINY = np.finfo(float).tiny
REPEAT = 0.7


@dataclass(frozen=True)
class Factors:
    """S[:, kept] = Q R, and the indices of the columns that were left out.

    Attributes
    ----------
    q : (M, p), orthonormal.
    r : (p, p), upper triangular.
    removed : ascending indices into the columns of S.
    """

    q: Floats
    r: Floats
    removed: list[int]

    def solve(self, right: Floats) -> Floats:
        """Return the least-squares solution c (p,) or (p, k) of S[:, kept] c = right."""
        if self.r.size == 0:
            return np.zeros((0, *right.shape[1:]))
        return np.asarray(solve_triangular(self.r, self.q.T @ right, check_finite=False))

    def pseudo_inverse(self) -> Floats:
        """Return R^-1 Q^T, (p, M)."""
        if self.r.size == 0:
            return np.zeros((0, len(self.q)))
        return np.asarray(solve_triangular(self.r, self.q.T, check_finite=False))


def factorise(small: Floats, rows: int, chosen: FilterConfig) -> Factors:
    """Factorise S (M, m), newest column first, and filter it.

    Parameters
    ----------
    rows : the number of rows of V, which bounds the number of columns that can be independent.
    """
    if chosen.kind in ("QR2", "QR3"):
        return _gram_schmidt(small, rows, chosen.limit)
    factors = _gram_schmidt(small, rows, 0.0)
    kept = [i for i in range(small.shape[1]) if i not in factors.removed]
    r = factors.r
    dropped: list[int] = []
    while (bad := _small_diagonal(r, chosen)) is not None:
        dropped.append(kept.pop(bad))
        r = np.linalg.qr(np.delete(r, bad, axis=1), mode="r")
    if not dropped:
        return factors
    q, r = np.linalg.qr(small[:, kept])
    return Factors(q, r, sorted(factors.removed + dropped))


def _small_diagonal(r: Floats, chosen: FilterConfig) -> int | None:
    """Return the first column whose diagonal entry is below the limit; a single column is left alone."""
    if r.shape[1] <= 1:
        return None
    limit = chosen.limit * (1.0 if chosen.kind == "QR1-absolute" else float(np.linalg.norm(r)))
    below = np.flatnonzero(np.abs(np.diag(r)) < limit)
    return int(below[0]) if len(below) else None


def _gram_schmidt(small: Floats, rows: int, limit: float) -> Factors:
    """Factorise column by column, leaving out those that add less than `limit` of their norm to the span."""
    columns = small.shape[1]
    q = np.zeros((len(small), min(columns, len(small))))
    r = np.zeros((columns, columns))
    removed: list[int] = []
    rank = 0
    for i in range(columns):
        rest, coefficients = _orthogonalise(small[:, i], q[:, :rank])
        norm = float(np.linalg.norm(rest))
        whole = float(np.linalg.norm(small[:, i]))
        if rank == min(rows, len(small)) or norm <= TINY or whole * limit > norm:
            removed.append(i)
            continue
        q[:, rank] = rest / norm
        r[:rank, rank] = coefficients
        r[rank, rank] = norm
        rank += 1
    return Factors(q[:, :rank], r[:rank, :rank], removed)


def _orthogonalise(column: Floats, q: Floats) -> tuple[Floats, Floats]:
    """Return what is left of a column outside the span of q, and its coefficients in q; zeros if that fails."""
    coefficients = np.zeros(q.shape[1])
    after = float(np.linalg.norm(column))
    for _ in range(4):
        step = q.T @ column
        column = column - q @ step
        coefficients += step
        before, after = after, float(np.linalg.norm(column))
        if after > REPEAT * before:
            return column, coefficients
    return np.zeros_like(column), coefficients
