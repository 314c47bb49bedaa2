"""What copying was measured to cost in accuracy: the mean error of each observable, its interval, and the worst."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.protocol import Context

type Array = NDArray[np.float64]

NORMAL = 1.959963984540054  # 95 % of a normal distribution are within so many standard deviations


@dataclass(frozen=True)
class Measured:
    """Errors of one observable in a run: how many, their mean with half the width of its 95 % interval, the worst."""

    count: int
    mean: float
    half: float
    worst: float


@dataclass(frozen=True)
class Errors:
    """Sums over the errors that were measured of each row.

    Attributes
    ----------
    count : (n,).
    sums, squares, worst : (n, q), of each observable.
    """

    count: Array
    sums: Array
    squares: Array
    worst: Array

    @classmethod
    def none(cls, n: int, q: int) -> Errors:
        """Return what is known before anything is measured."""
        return cls(np.zeros(n), *(np.zeros((n, q)) for _ in range(3)))

    @classmethod
    def of(cls, state: Mapping[str, Array]) -> Errors:
        """Return what is kept in a state."""
        return cls(**{name: np.asarray(state[name]) for name in cls.__dataclass_fields__})

    def state(self) -> dict[str, Array]:
        """Return it as a part of a state."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def with_more(self, rows: NDArray[np.int64], errors: Array) -> Errors:
        """Return the sums with errors (m, q) of some rows (m,) added."""
        count, sums, squares, worst = (array.copy() for array in self.state().values())
        count[rows] += 1
        sums[rows] += errors
        squares[rows] += errors**2
        worst[rows] = np.maximum(worst[rows], errors)
        return Errors(count, sums, squares, worst)

    def measured(self, context: Context, whole: bool) -> list[Measured]:
        """Return what was measured on all ranks, for each observable; collective.

        whole : whether these are all errors that there are, and no sample of them.
        """
        count = int(context.total(self.count.sum()))
        result = []
        for q in range(self.sums.shape[1]):
            total, squares = (context.total(a[:, q].sum()) for a in (self.sums, self.squares))
            worst = context.largest(self.worst[:, q].max(initial=0.0))
            mean = total / max(count, 1)
            variance = max(squares / max(count, 1) - mean**2, 0.0) * count / max(count - 1, 1)
            half = 0.0 if whole else NORMAL * math.sqrt(variance / max(count, 1))
            result.append(Measured(count, mean, half, worst))
        return result
