"""Points that followed catch up: they are solved from their own state through all that they were driven by since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from adapters.micro import MicroModel, State, Values, take
from adapters.strategies import replay
from adapters.strategies.clusters.errors import Errors
from adapters.strategies.protocol import of_rows

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Begun:
    """Where the rows (n,) of a batch begin a step.

    Attributes
    ----------
    state : from which they are solved.
    seen : (n, q) what was shown at its start; where rows have caught up what is true there.
    path : what they have not been solved for yet; None where that is not kept.
    errors : those that are known.
    """

    state: State
    seen: Array
    path: State | None
    errors: Errors


@dataclass
class CatchUp:
    """Solves rows through their paths.

    All iterations of a window ask for the same, so the last answer is kept. It follows from the question alone.
    """

    model: MicroModel
    flat: Callable[[Values], Array]
    memo: tuple[State, State, Array] | None = field(default=None, repr=False)

    def __call__(self, own: State, path: State, rows: Ids) -> tuple[State, Array]:
        """Return the states (m rows) of the chosen rows at the ends of their paths, and what is seen there (m, q)."""
        begin, steps = take(own, rows), take(path, rows)
        if self.memo is None or not replay.same(self.memo[0], {"own": begin, "path": steps}):
            found: list[Array] = []

            def note(some: Ids, seen: Values) -> None:
                values = self.flat(seen)
                if not found:
                    found.append(np.empty((len(rows), values.shape[1])))
                found[0][some] = values

            with of_rows(rows):
                ends, _ = replay.replayed(self.model, begin, steps, note)
            self.memo = {"own": begin, "path": steps}, ends, found[0]
        return self.memo[1:]
