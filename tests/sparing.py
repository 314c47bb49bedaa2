"""A strategy for tests: the full model is solved for rows whose control has moved, the others stay what they were.

What has moved is known at the start of a window, so nothing switches while it is iterated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters.micro import MicroError, concatenate, take
from adapters.strategies.protocol import Around, of_rows, taken
from scalebridge import checks
from scalebridge.settings import setting


@dataclass(frozen=True)
class Settings:
    tolerance: float = setting(0.1, "how far a control may move", minimum=0)
    patience: float = setting("1 h", "how long a row may be spared", above=0)
    limit: float = setting(1e9, "largest control that the strategy can bear")
    file: str = setting("", "a file of it", file=True)


class Sparing(Around):
    """State: ``model``, what is within; of the last solve last, seen, since (n,): control, observable and how long ago
    [s]; heard (n,): the control at the start of the window; solves (n,): how many there were.
    """

    name = "sparing"
    Settings = Settings

    def __init__(self, model, settings, context):
        super().__init__(model, context)
        self.settings = settings
        (self.control,), (self.seen,) = model.controls, model.observables
        self.text = context.file(settings.file).read_text() if settings.file else ""

    def start(self, points, controls):
        state = self.model.start(points, controls)
        values = np.asarray(controls[self.control], dtype=float)
        nothing = np.zeros(len(points))
        return {"model": state, "last": values, "heard": values, "seen": nothing, "since": nothing, "solves": nothing}

    def solve(self, state, controls, dt):
        values = np.asarray(controls[self.control], dtype=float)
        if (beyond := (values > self.settings.limit) & (dt > 0)).any():
            raise MicroError(np.flatnonzero(beyond), "beyond the limit of the strategy")
        since = state["since"] + dt
        moved = np.abs(state["heard"] - state["last"]) > self.settings.tolerance
        rows = np.flatnonzero(moved | (since > self.settings.patience) | (dt == 0))
        new = {
            **state,
            "heard": values,
            "since": since.copy(),
            "seen": state["seen"].copy(),
            "last": state["last"].copy(),
        }
        new["solves"] = state["solves"].copy()
        if rows.size:
            with of_rows(rows):
                inner, seen = self._solve(take(state["model"], rows), taken(controls, rows), since[rows], dt)
            new["model"] = _placed(state["model"], inner, rows)
            new["seen"][rows], new["last"][rows], new["since"][rows] = seen, values[rows], 0.0
            new["solves"][rows] += dt > 0
        return new, {self.seen: new["seen"]}

    def _solve(self, state, controls, since, dt):
        """Solve each row over the time for which it was spared: rows of one length together."""
        parts, places = [], []
        for length in np.unique(since):
            here = np.flatnonzero(since == length)
            with of_rows(here):
                inner, seen = self.model.solve(take(state, here), taken(controls, here), float(length))
            parts.append((inner, np.asarray(seen[self.seen])))
            places.append(here)
        order = np.argsort(np.concatenate(places))
        return take(concatenate([p[0] for p in parts]), order), np.concatenate([p[1] for p in parts])[order]

    def report(self, state):
        return {"solves": int(self.context.total(state["solves"].sum())), "longest wait [s]": self._longest(state)}

    def _longest(self, state):
        return self.context.largest(state["since"].max())

    def audit(self, before, after):
        return [checks.at_most("spared", float(after["since"].max()), self.settings.patience, source="its own rule")]


def _placed(before, rows, which):
    joined = concatenate([before, rows])
    order = np.arange(len(next(iter(_leaves(before)))))
    order[which] = len(order) + np.arange(len(which))
    return take(joined, order)


def _leaves(state):
    for value in state.values():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield value
