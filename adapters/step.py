"""Steps: what the time loop hands out, and where a run stands between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Position:
    """Where a run stands: the time [s] and the step that comes next.

    Attributes
    ----------
    window : number of the time window, from 1.
    iteration : number of the iteration of this window as preCICE counts, from 1.
    substep : number of the step in its window, from 0.
    first : whether the window is tried for the first time. Where the first iteration of a run only carries the values
        at the start, that is iteration 2.
    """

    t: float = 0.0
    window: int = 1
    iteration: int = 1
    substep: int = 0
    first: bool = True


class Step:
    """One step of a participant, from `t` over `dt` to `end` [s].

    Attributes
    ----------
    window, iteration, substep, first : see `Position`.
    state : the state at the start of the step, to be replaced by the one at its end.
    """

    def __init__(self, position: Position, dt: float, state: Any = None) -> None:
        self.t = position.t
        self.dt = dt
        self.end = position.t + dt
        self.window = position.window
        self.iteration = position.iteration
        self.substep = position.substep
        self.first = position.first
        self.state = state
