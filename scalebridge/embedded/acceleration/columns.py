"""Tall, thin matrices that gain a column in front and lose columns anywhere.

A quasi-Newton method keeps W (differences of values) and a QR factorisation of V (differences of residuals, weighted by
the preconditioner). V is never stored: each primary data k has an orthonormal basis B_k and a small matrix T_k with
V_k = B_k T_k. A new column costs one Gram-Schmidt step against B_k; dropped columns, filters and changed weights w_k
are then a matter of the small matrix S = [w_1 T_1; w_2 T_2; ...] alone, because S = Q_s R gives w V = blkdiag(B) Q_s R.
Daniel, Gragg, Kaufman, Stewart, Math. Comp. 30 (1976) 772-795 (re-orthogonalisation).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalebridge.embedded.acceleration import Floats
from scalebridge.embedded.acceleration.qr import Factors, factorise
from scalebridge.embedded.acceleration.settings import FilterConfig
from scalebridge.embedded.acceleration.stepwise import FEW, combine

CHUNK = 16  # columns that are allocated at once
SLICE = 65536  # rows that are rotated at once
REPEAT = 0.7  # a step that leaves less than this part of a vector is repeated


class ColumnStack:
    """Columns of length n, newest first, each contiguous in memory and never moved."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._chunks: list[Floats] = []  # (CHUNK, n)
        self._order: list[int] = []  # slots, newest first
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._order)

    def push_front(self, column: Floats) -> None:
        """Add a column (n,) in front."""
        if not self._free:
            begin = CHUNK * len(self._chunks)
            self._chunks.append(np.empty((CHUNK, self.length)))
            self._free = list(range(begin + CHUNK - 1, begin - 1, -1))
        slot = self._free.pop()
        self._chunks[slot // CHUNK][slot % CHUNK] = column
        self._order.insert(0, slot)

    def remove(self, index: int) -> None:
        """Remove the column at an index; -1 is the oldest."""
        self._free.append(self._order.pop(index))

    def combine(self, coefficients: Floats) -> Floats:
        """Return the sum of coefficients (m,) times columns, (n,)."""
        if self.length <= FEW:
            return combine(self.matrix().T, coefficients)
        result = np.zeros(self.length)
        for used, chunk, slots in self._used():
            result += coefficients[used] @ chunk if slots is None else coefficients[used] @ chunk[slots]
        return result

    def project(self, vectors: Floats) -> Floats:
        """Return the products of all columns with a vector (n,) or matrix (n, p), (m,) or (m, p)."""
        result = np.empty((len(self), *vectors.shape[1:]))
        for used, chunk, slots in self._used():
            result[used] = (chunk if slots is None else chunk[slots]) @ vectors
        return result

    def matrix(self) -> Floats:
        """Return all columns, (n, m)."""
        result = np.empty((self.length, len(self)))
        for i, slot in enumerate(self._order):
            result[:, i] = self._chunks[slot // CHUNK][slot % CHUNK]
        return result

    def rotate(self, rotation: Floats) -> None:
        """Replace the columns C by C @ rotation (m, p), with p <= m."""
        slots = [(self._chunks[slot // CHUNK], slot % CHUNK) for slot in self._order]
        for begin in range(0, self.length, SLICE):
            piece = np.stack([chunk[row, begin : begin + SLICE] for chunk, row in slots])
            for (chunk, row), new in zip(slots, rotation.T @ piece, strict=False):
                chunk[row, begin : begin + SLICE] = new
        for _ in range(len(self) - rotation.shape[1]):
            self.remove(-1)

    def _used(self) -> list[tuple[list[int], Floats, list[int] | None]]:
        """Return for each chunk: which columns lie in it, the part to multiply, and their rows where not all are used.

        A chunk without gaps is multiplied as it is; only one with gaps is copied.
        """
        found: list[tuple[list[int], Floats, list[int] | None]] = []
        for number, chunk in enumerate(self._chunks):
            at = {slot % CHUNK: i for i, slot in enumerate(self._order) if slot // CHUNK == number}
            if not at:
                continue
            rows = sorted(at)
            columns = [at[row] for row in rows]
            if rows == list(range(rows[0], rows[-1] + 1)):
                found.append((columns, chunk[rows[0] : rows[-1] + 1], None))
            else:
                found.append((columns, chunk, rows))
        return found


class ColumnSpace:
    """One block V_k = B T of the differences of residuals: an orthonormal basis B and small coefficients T.

    Attributes
    ----------
    basis : B, with M columns.
    small : T, (M, m).
    """

    def __init__(self, length: int) -> None:
        self.basis = ColumnStack(length)
        self.small = np.zeros((0, 0))

    def push_front(self, column: Floats) -> None:
        """Add a column (n,) in front, with a new basis vector where it is not in the span of the others."""
        rest, coefficients, norm = self._orthogonalise(column)
        m = self.small.shape[1]
        self.small = np.hstack([coefficients[:, None], self.small])
        if norm > 0.0:
            self.basis.push_front(rest / norm)
            self.small = np.vstack([np.append(norm, np.zeros(m)), self.small])

    def remove(self, index: int) -> None:
        """Remove the column at an index, and compress the basis when too much of it is no longer needed."""
        self.small = np.delete(self.small, index, axis=1)
        vectors, columns = self.small.shape
        if vectors > 1.5 * columns + 8:
            rotation, self.small = np.linalg.qr(self.small)
            self.basis.rotate(rotation)

    def _orthogonalise(self, column: Floats) -> tuple[Floats, Floats, float]:
        """Return what is left of a column, its coefficients in the basis, and the norm of what is left."""
        coefficients = np.zeros(len(self.basis))
        whole = norm = float(np.linalg.norm(column))
        if len(self.basis) == self.basis.length:
            return column, self.basis.project(column), 0.0
        while len(self.basis):
            step = self.basis.project(column)
            column = column - self.basis.combine(step)
            coefficients += step
            before, norm = norm, float(np.linalg.norm(column))
            if norm <= 4.0 * np.finfo(float).eps * whole:
                return column, coefficients, 0.0
            if norm > REPEAT * before:
                break
        return column, coefficients, norm


class CompactLeastSquares:
    """min |V c + r| in the norm of the weights, for many unknowns; columns newest first."""

    def __init__(self, lengths: Sequence[int], chosen: FilterConfig) -> None:
        self.lengths = lengths
        self.rows = sum(lengths)
        self.columns = 0
        self._filter = chosen
        self._blocks = [ColumnSpace(length) for length in lengths]
        self._factors: Factors

    def push_front(self, parts: Sequence[Floats], weights: Floats) -> None:
        """Add a column, given by its part for each primary data."""
        for block, part in zip(self._blocks, parts, strict=True):
            block.push_front(part)
        self.columns += 1

    def pop_back(self) -> None:
        """Remove the oldest column."""
        self._remove(-1)

    def filter(self, weights: Floats, inverse: Floats, changed: bool) -> tuple[list[int], list[int]]:
        """Remove the columns that the filter leaves out; return no, and their, indices, last first."""
        self._factors = factorise(self._small(weights), self.rows, self._filter)
        removed = self._factors.removed[::-1]
        for index in removed:
            self._remove(index)
        if removed:  # the bases may have been compressed
            self._factors = Factors(*np.linalg.qr(self._small(weights)), [])
        return [], removed

    def solve(self, parts: Sequence[Floats], weights: Floats) -> Floats:
        """Return the coefficients c (columns,) for a residual, given by its part for each primary data."""
        projected = [w * b.basis.project(r) for w, b, r in zip(weights, self._blocks, parts, strict=True)]
        return -self._factors.solve(np.concatenate(projected))

    def pseudo_inverse(self, weights: Floats) -> Floats:
        """Return (V^T V)^-1 V^T in the norm of the weights, (columns, rows)."""
        small = self._factors.pseudo_inverse()
        result = np.empty((self.columns, self.rows))
        row = column = 0
        for weight, block in zip(weights, self._blocks, strict=True):
            part = block.basis.matrix()  # (n_k, M_k)
            left = small[:, column : column + part.shape[1]]
            result[:, row : row + part.shape[0]] = left @ part.T * weight
            row, column = row + part.shape[0], column + part.shape[1]
        return result

    def matrix(self) -> Floats:
        """Return V, (rows, columns)."""
        return np.vstack([block.basis.matrix() @ block.small for block in self._blocks])

    def _remove(self, index: int) -> None:
        for block in self._blocks:
            block.remove(index)
        self.columns -= 1

    def _small(self, weights: Floats) -> Floats:
        """Return S = [w_1 T_1; w_2 T_2; ...]."""
        return np.vstack([w * block.small for w, block in zip(weights, self._blocks, strict=True)])
