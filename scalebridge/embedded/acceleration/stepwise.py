"""The least-squares problem of a quasi-Newton step, with preCICE's order of additions.

Near convergence the columns of V are differences of nearly equal numbers, and the columns of past time windows carry
their rounding errors, magnified up to 1e8 times, into the next steps. Whoever wants the numbers of preCICE must
therefore round as it does: same Gram-Schmidt steps, same Givens rotations, sums in the order of Eigen 3.4 on x86-64.
That pays for few unknowns, where it costs nothing; for many, `columns` is several times faster.
Daniel, Gragg, Kaufman, Stewart, Math. Comp. 30 (1976) 772-795.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalebridge.embedded.acceleration import Floats
from scalebridge.embedded.acceleration.settings import FilterConfig

FEW = 2000  # length up to which sums follow Eigen's order
TINY = np.finfo(float).tiny
PANEL = 8  # unknowns that a triangular solve eliminates one by one before it updates the others
ENOUGH = 1.0 / 0.7  # a Gram-Schmidt step that shrinks a vector by more is repeated
MOST_STEPS = 4


def packed_sum(products: Floats) -> Floats:
    """Return the sums along the last axis (..., n) as Eigen's reductions add them: in four lanes."""
    n = products.shape[-1]
    if n < 2:
        return products.sum(axis=-1)
    pairs, quads = n // 2 * 2, n // 4 * 4
    lanes = products[..., :2]
    if quads:
        four = _in_order(products[..., :quads].reshape(*products.shape[:-1], quads // 4, 4))
        lanes = four[..., :2] + four[..., 2:]
        if pairs > quads:
            lanes = lanes + products[..., quads:pairs]
    total = lanes[..., 0] + lanes[..., 1]
    return np.asarray(total + products[..., -1] if n > pairs else total)


def paired_sum(products: Floats) -> Floats:
    """Return the sums along the last axis (..., n) as Eigen's matrix products add them: in two lanes."""
    n = products.shape[-1]
    pairs = n // 2 * 2
    lanes = _in_order(products[..., :pairs].reshape(*products.shape[:-1], pairs // 2, 2))
    total = lanes[..., 0] + lanes[..., 1]
    return np.asarray(total + products[..., -1] if n > pairs else total)


def _in_order(terms: Floats) -> Floats:
    """Return the sum over the last axis but one, one after the other."""
    return np.asarray(np.add.accumulate(terms, axis=-2)[..., -1, :]) if terms.shape[-2] else terms.sum(axis=-2)


def combine(columns: Floats, coefficients: Floats) -> Floats:
    """Return the sum of coefficients (m,) times columns, given as rows (m, n), one after the other."""
    if len(columns) == 0:
        return np.zeros(columns.shape[1])
    return np.asarray(np.add.accumulate(columns * coefficients[:, None], axis=0)[-1])


def norm(vector: Floats) -> float:
    """Return the Euclidean norm of a vector (n,)."""
    return float(np.sqrt(squared_norm(vector)))


def squared_norm(vector: Floats) -> float:
    """Return the squared Euclidean norm of a vector (n,)."""
    return float(packed_sum(vector * vector) if len(vector) <= FEW else vector @ vector)


class UpdatedQR:
    """V = Q R, where columns can be put in front and taken out anywhere.

    Attributes
    ----------
    q : the columns of Q as rows, (m, n).
    r : (m, m), upper triangular.
    failed : whether a column could not be inserted since the last rebuild.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.q = np.zeros((0, rows))
        self.r = np.zeros((0, 0))
        self.failed = True

    def rebuild(self, columns: Floats, limit: float) -> list[int]:
        """Factorise columns, given as rows (m, n), one by one, and return those left out."""
        self.q, self.r = np.zeros((0, self.rows)), np.zeros((0, 0))
        return [i for i, column in enumerate(columns) if not self.insert(len(self.r), column, limit)]

    def insert(self, k: int, column: Floats, limit: float = 0.0) -> bool:
        """Insert a column (n,) at position k; say no if it adds less than `limit` of its norm to the span."""
        rest, u, rho = self._orthogonalise(column)
        if rho <= TINY or (limit > 0.0 and norm(column) * limit > rho):
            self.failed = True
            return False
        m = len(self.r)
        r = np.zeros((m + 1, m + 1))
        r[:m, :k], r[:m, k + 1 :] = self.r[:, :k], self.r[:, k:]
        self.r, self.q = r, np.vstack([self.q, rest])
        for i in range(m - 1, k - 1, -1):
            u[i], turn = _reflector(u[i], u[i + 1])
            self._turn(i, turn, i + 1)
        self.r[: k + 1, k] = u[: k + 1]
        return True

    def delete(self, k: int) -> None:
        """Take the column at position k out."""
        m = len(self.r)
        for i in range(k, m - 1):
            self.r[i, i + 1], turn = _reflector(self.r[i, i + 1], self.r[i + 1, i + 1])
            self.r[i + 1, i + 1] = 0.0
            self._turn(i, turn, i + 2)
        self.r = np.delete(self.r, k, axis=1)[: m - 1]
        self.q = self.q[: m - 1]

    def solve(self, right: Floats) -> Floats:
        """Return the least-squares solution (m,) of Q R c = right (n,)."""
        # Eigen takes a product with one row as a reduction.
        b = packed_sum(self.q * right) if len(self.q) == 1 else paired_sum(self.q * right)
        for end in range(len(b), 0, -PANEL):
            begin = max(0, end - PANEL)
            for i in range(end - 1, begin - 1, -1):
                b[i] /= self.r[i, i]
                b[begin:i] -= b[i] * self.r[begin:i, i]
            b[:begin] -= combine(self.r[:begin, begin:end].T, b[begin:end])
        return b

    def _turn(self, i: int, turn: tuple[float, float], first: int) -> None:
        """Rotate rows i and i + 1 of R from column `first` on, and the same columns of Q."""
        self.r[i, first:], self.r[i + 1, first:] = _rotate(turn, self.r[i, first:], self.r[i + 1, first:])
        self.q[i], self.q[i + 1] = _rotate(turn, self.q[i], self.q[i + 1])

    def _orthogonalise(self, column: Floats) -> tuple[Floats, Floats, float]:
        """Return the normalised rest of a column outside the span of Q, its coefficients, and the norm of the rest."""
        m = len(self.q)
        u = np.zeros(m + 1)
        before = norm(column)
        for _ in range(MOST_STEPS):
            step = packed_sum(self.q * column)
            column = column - combine(self.q, step)
            u[:m] += step
            after = norm(column)
            if m == self.rows or after <= TINY:
                return column, u, 0.0
            if after * ENOUGH > before:
                u[m] = after
                return column / after, u, after
            before = after
        return column, u, 0.0


def _reflector(x: float, y: float) -> tuple[float, tuple[float, float]]:
    """Return what x becomes when y is rotated to zero, and the cosine and sine of that rotation."""
    if y == 0.0:
        return x, (1.0, 0.0)
    largest = max(abs(x), abs(y))
    t = largest * np.sqrt((x / largest) ** 2 + (y / largest) ** 2)
    t = -t if x < 0.0 else t
    return t, (x / t, y / t)


def _rotate(turn: tuple[float, float], p: Floats, q: Floats) -> tuple[Floats, Floats]:
    cosine, sine = turn
    nu = sine / (1.0 + cosine)
    t = p * cosine + q * sine
    return t, (t + p) * nu - q


class StepwiseLeastSquares:
    """min |V c + r| in the norm of the weights, for few unknowns; columns newest first."""

    def __init__(self, lengths: Sequence[int], chosen: FilterConfig) -> None:
        self.lengths = lengths
        self.rows = sum(lengths)
        self._filter = chosen
        self._v = np.zeros((0, self.rows))
        self._qr = UpdatedQR(self.rows)

    @property
    def columns(self) -> int:
        """Return the number of columns."""
        return len(self._v)

    def push_front(self, parts: Sequence[Floats], weights: Floats) -> None:
        """Add a column, given by its part for each primary data."""
        column = np.concatenate(parts)
        self._v = np.vstack([column, self._v])
        self._qr.insert(0, column * self._by_row(weights))

    def pop_back(self) -> None:
        """Remove the oldest column."""
        self._v = self._v[:-1]
        if len(self._qr.r):
            self._qr.delete(len(self._qr.r) - 1)

    def filter(self, weights: Floats, inverse: Floats, changed: bool) -> tuple[list[int], list[int]]:
        """Remove columns that cannot be factorised, then those to be filtered out; return indices, last first.

        Parameters
        ----------
        inverse : 1 / weights, as it was before it was inverted.
        changed : whether the weights are others than when the columns were pushed.
        """
        # preCICE weights V and takes the weights away again in each iteration, which rounds V a little.
        self._v = self._v * self._by_row(weights)
        unfit: list[int] = []
        if self._filter.kind in ("QR1", "QR1-absolute"):
            if changed or len(self._qr.r) < len(self._v):
                unfit = self._drop(self._qr.rebuild(self._v, 0.0))
            removed = self._small_pivots()
        else:
            removed = self._rebuild_filtered(changed)
        removed = self._drop(removed)
        self._v = self._v * self._by_row(inverse)
        return unfit, removed

    def _rebuild_filtered(self, changed: bool) -> list[int]:
        """Factorise anew where that is due, leaving columns out, and return these."""
        due = self._filter.kind == "QR2" or self._qr.failed or changed
        if not due:
            diagonal = np.abs(np.diag(self._qr.r))
            due = any(d < norm(v) * self._filter.limit for d, v in zip(diagonal, self._v, strict=True))
        removed = self._qr.rebuild(self._v, self._filter.limit) if due else []
        self._qr.failed = False
        return removed

    def solve(self, parts: Sequence[Floats], weights: Floats) -> Floats:
        """Return the coefficients c (columns,) for a residual, given by its part for each primary data."""
        right = np.concatenate(parts) * self._by_row(weights)
        return self._qr.solve(-right)

    def pseudo_inverse(self, weights: Floats) -> Floats:
        """Return (V^T V)^-1 V^T in the norm of the weights, (columns, rows)."""
        return np.asarray(np.linalg.solve(self._qr.r, self._qr.q) * self._by_row(weights))

    def matrix(self) -> Floats:
        """Return V, (rows, columns)."""
        return self._v.T

    def _small_pivots(self) -> list[int]:
        """Take columns with small pivots out of the factorisation, and return their indices in V."""
        kept, removed = list(range(len(self._qr.r))), []
        index = 0
        while index < len(kept) and len(kept) > 1:
            scale = 1.0 if self._filter.kind == "QR1-absolute" else float(np.linalg.norm(self._qr.r))
            if abs(self._qr.r[index, index]) < self._filter.limit * scale:
                self._qr.delete(index)
                removed.append(kept.pop(index))
                index = 0
            else:
                index += 1
        return removed

    def _drop(self, indices: list[int]) -> list[int]:
        self._v = np.delete(self._v, indices, axis=0)
        return sorted(indices, reverse=True)

    def _by_row(self, weights: Floats) -> Floats:
        return np.repeat(weights, self.lengths)
