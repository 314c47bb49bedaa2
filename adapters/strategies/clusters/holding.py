"""Slopes by which copies are corrected, held while a step is iterated.

Where a response has kinks its slope jumps. A copy that is corrected by it would jump as well, and an iteration that
waits for the last digits need not come to an end. So the slope of a representative is renewed in its first iterations,
until its controls hardly change any more, and then held: it is nearly that of the end of the step, and what is copied
is as continuous as what representatives show. An iteration is one with other controls, so it does not matter in what
parts a batch is solved.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]
type Step = tuple[int, int]

RENEWED = 3  # iterations at least
LAST = 10  # and at most
SETTLED = 1e-2  # controls that change by less, as a share of how different they are among points, hardly change


@dataclass(frozen=True)
class Held:
    """What was seen of representatives (r,) in one step.

    Attributes
    ----------
    row : numbers of the representatives, ascending.
    controls : (r, m) of the last iteration.
    iteration : (r,).
    renewed : controls (r, m) and observables (r, q) of the iteration in which slopes were renewed.
    """

    row: Ids
    controls: Array
    iteration: Ids
    renewed: tuple[Array, Array]

    def then(self, row: Ids, controls: Array, seen: Array) -> Held:
        """Return it after another look at representatives (r,)."""
        at = np.minimum(np.searchsorted(self.row, row), len(self.row) - 1)
        known = self.row[at] == row
        change = np.abs(controls - self.controls[at])
        iteration = np.where(known, self.iteration[at] + change.any(axis=1), 1)
        moves = (change > SETTLED * np.ptp(controls, axis=0)).any(axis=1)
        new = change.any(axis=1) & ((iteration <= RENEWED) | moves) & (iteration <= LAST)
        new = (~known | new)[:, None]
        before, then = self.renewed
        return Held(row, controls, iteration, (np.where(new, controls, before[at]), np.where(new, seen, then[at])))


@dataclass
class Hold:
    """Holds what slopes belong to in the steps of one time window."""

    window: int = -1
    steps: dict[int, Held] = field(default_factory=dict)

    def __call__(self, step: Step, row: Ids, controls: Array, seen: Array) -> tuple[Array, Array]:
        """Return controls (r, m) and observables (r, q) of representatives in the iteration whose slopes are used.

        Parameters
        ----------
        step : number of the time window, and of the step.
        row : (r,) numbers of the representatives, ascending.
        """
        window, number = step
        if window != self.window:
            self.window, self.steps = window, {}
        last = self.steps.get(number)
        if last is None:
            held = Held(row, controls, np.ones(len(row), dtype=np.int64), (controls, seen))
        else:
            held = last.then(row, controls, seen)
        if last is None or len(row) >= len(last.row):  # else it is a part of the batch
            self.steps[number] = held
        return held.renewed
