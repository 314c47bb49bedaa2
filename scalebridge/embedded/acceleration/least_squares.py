"""The least-squares problem at the heart of a quasi-Newton step: min |V c + r| in a weighted norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scalebridge.embedded.acceleration import Floats
from scalebridge.embedded.acceleration.columns import CompactLeastSquares
from scalebridge.embedded.acceleration.settings import FilterConfig
from scalebridge.embedded.acceleration.stepwise import FEW, StepwiseLeastSquares


class LeastSquares(Protocol):
    """V and its factorisation; columns newest first, rows by primary data."""

    lengths: Sequence[int]
    rows: int

    @property
    def columns(self) -> int: ...

    def push_front(self, parts: Sequence[Floats], weights: Floats) -> None:
        """Add a column, given by its part for each primary data."""
        ...

    def pop_back(self) -> None:
        """Remove the oldest column."""
        ...

    def filter(self, weights: Floats, inverse: Floats, changed: bool) -> tuple[list[int], list[int]]:
        """Remove columns that cannot be factorised, then those to be filtered out; return indices, last first."""
        ...

    def solve(self, parts: Sequence[Floats], weights: Floats) -> Floats:
        """Return the coefficients c (columns,) for a residual, given by its part for each primary data."""
        ...

    def pseudo_inverse(self, weights: Floats) -> Floats:
        """Return (V^T V)^-1 V^T in the norm of the weights, (columns, rows)."""
        ...

    def matrix(self) -> Floats:
        """Return V, (rows, columns)."""
        ...


def create_least_squares(lengths: Sequence[int], chosen: FilterConfig) -> LeastSquares:
    """Return an empty problem for primary data with these numbers of unknowns."""
    kind = StepwiseLeastSquares if sum(lengths) <= FEW else CompactLeastSquares
    return kind(lengths, chosen)
