"""What points have been through, as places in a space whose distances say how similar they are.

x_k (m,) are the data of a point, such as its temperature and its liquid fraction, k steps ago, dt_k [s] the length of
that step and t_k [s] how long ago it ended. Two points i and j are

    relative   sum_k dt_k exp(-Lambda t_k) ||x_k,i - x_k,j||_1       apart, or
    absolute   max_k      exp(-Lambda t_k) max_a |x_k,i - x_k,j|_a / tolerance_a.

The first is what the recursion of the Micro Manager's adaptivity, d <- d exp(-Lambda dt) + dt ||delta x||_1, adds up
to; there is no need to go through pairs for it, as it is the 1-norm of the difference of two vectors, one for each
point, that are made of dt_k exp(-Lambda t_k) x_k of all steps. The second is an infinity norm in the same way.

Only `memory` steps are kept one by one. Of older ones the relative rule keeps the weighted sum. What this does to a
distance is bounded: with D the recursion's distance when the oldest kept step began, Delta t ago,

    d - exp(-Lambda Delta t) D  <=  embedded distance  <=  d,

and it is exact where a datum of one point was above that of the other throughout those older steps. The absolute rule
forgets them: they would have counted with at most exp(-Lambda Delta t) of the difference that there was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """Data of n points.

    Attributes
    ----------
    values : (n, memory, m), the newest first; zero where there was no step yet.
    lengths : (n, memory) [s] of the steps.
    older : (n, m) sum of dt_k exp(-Lambda t_k) x_k of the steps that are not kept.
    low, high : (n, m) least and largest values so far.
    steps : (n,) number of steps so far.
    """

    values: Array
    lengths: Array
    older: Array
    low: Array
    high: Array
    steps: Array

    @classmethod
    def begin(cls, now: Array, memory: int) -> History:
        """Return the history of points whose data are `now` (n, m) at the start."""
        n, m = now.shape
        values = np.zeros((n, memory, m))
        values[:, 0] = now
        return cls(values, np.zeros((n, memory)), np.zeros((n, m)), now, now, np.zeros(n))

    @classmethod
    def of(cls, state: Mapping[str, Array]) -> History:
        """Return the history that is kept in a state."""
        return cls(**{name: np.asarray(state[name]) for name in cls.__dataclass_fields__})

    def state(self) -> dict[str, Array]:
        """Return the history as a part of a state."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def then(self, now: Array, dt: float, decay: float) -> History:
        """Return the history after a step of `dt` [s] that led to `now` (n, m); `decay` is Lambda [1/s]."""
        leaving = self.lengths[:, -1] * np.exp(-decay * self.ages()[:, -1])
        return History(
            np.concatenate([now[:, None], self.values[:, :-1]], axis=1),
            np.concatenate([np.full((len(now), 1), dt), self.lengths[:, :-1]], axis=1),
            (self.older + leaving[:, None] * self.values[:, -1]) * np.exp(-decay * dt),
            np.minimum(self.low, now),
            np.maximum(self.high, now),
            self.steps + 1,
        )

    def ages(self) -> Array:
        """Return how long ago each step ended (n, memory) [s]."""
        return np.asarray(np.cumsum(self.lengths, axis=1) - self.lengths)

    def relative(self, decay: float) -> Array:
        """Return vectors (n, (memory + 1) m) whose differences have the relative distance as 1-norm."""
        weights = self.lengths * np.exp(-decay * self.ages())
        kept = (weights[:, :, None] * self.values).reshape(len(weights), -1)
        return np.concatenate([kept, self.older], axis=1)

    def absolute(self, decay: float, tolerances: Array) -> Array:
        """Return vectors (n, (memory + 1) m) whose differences have the absolute distance as infinity norm.

        Besides what has been there is what will be after the next step, if it leads on as the last one did.

        Parameters
        ----------
        tolerances : (m,), more than zero.
        """
        ahead = self.values[:, 0].copy()
        if self.values.shape[1] > 1:
            ahead += np.where(self.steps[:, None] > 0, self.values[:, 0] - self.values[:, 1], 0.0)
        weights = np.exp(-decay * self.ages())
        kept = weights[:, :, None] * (self.values / tolerances)
        return np.concatenate([kept.reshape(len(kept), -1), ahead / tolerances], axis=1)
