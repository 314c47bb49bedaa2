"""The full model within a stack of strategies: it counts what it is asked, and remembers the question that it failed.

Seen from outside a row of a stack fails; but what failed is one question to the full model, perhaps one of many on the
way, and that question is what is worth keeping.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.failing.attempt import spoiled
from adapters.micro import Array, Audited, MicroModel, Pictured, State, Telling, Values
from scalebridge.checks import Check
from scalebridge.fields import Field


@dataclass(frozen=True)
class Question:
    """What the full model was asked: "start" at `points` (m, dim) [m], or "solve" from `state` over `dt` [s]."""

    phase: str
    points: Array | None
    state: State
    controls: dict[str, Array]
    dt: float

    @property
    def count(self) -> int:
        """Number of micro simulations."""
        return len(next(iter(self.controls.values()), ()))


@dataclass
class Watch:
    """The last question that failed while somebody watched; None if none did."""

    failed: Question | None = None


class Full:
    """A micro model with its scaling maps, counted.

    Attributes
    ----------
    solved : pairs of a micro simulation and a step of some length that were solved.
    seconds : spent in that.
    """

    def __init__(self, model: MicroModel) -> None:
        self.model = model
        self.controls: dict[str, Field] = model.controls
        self.observables: dict[str, Field] = model.observables
        self.cell_shape: tuple[int, ...] = tuple(getattr(model, "cell_shape", ()))
        self.cell_size: tuple[float, ...] = tuple(getattr(model, "cell_size", ()))
        self.solved, self.seconds = 0, 0.0
        self._watch: Watch | None = None

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n simulations at `points` (n, dim) [m]."""
        question = Question("start", points, {}, _arrays(controls), 0.0)
        begun = time.perf_counter()
        try:
            with self._watching(question):
                return self.model.start(points, controls)
        finally:
            self.seconds += time.perf_counter() - begun

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s]."""
        question = Question("solve", None, state, _arrays(controls), dt)
        begun = time.perf_counter()
        try:
            with self._watching(question):
                after, observables = self.model.solve(state, controls, dt)
        finally:
            self.seconds += time.perf_counter() - begun
            self.solved += question.count if dt > 0 else 0
        if self._watch is not None and spoiled(state, after, _arrays(observables)):
            self._watch.failed = question
        return after, observables

    def audit(self, before: State, after: State) -> list[Check]:
        """Return the model's checks on a step."""
        return self.model.audit(before, after) if isinstance(self.model, Audited) else []

    def snapshot(self, state: State) -> dict[str, Array]:
        """Return the fields of the model that are worth a picture."""
        return self.model.snapshot(state) if isinstance(self.model, Pictured) else {}

    def work(self, state: State) -> Array | None:
        """Return what the model says that the last step of each row took (n,); None if it does not say."""
        return self.model.work(state) if isinstance(self.model, Telling) else None

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Take down which question fails; what is solved meanwhile does not count."""
        known = self.solved, self.seconds
        self._watch = Watch()
        try:
            yield self._watch
        finally:
            self._watch = None
            self.solved, self.seconds = known

    def save(self) -> dict[str, Any]:
        """Return the counts, for a checkpoint."""
        return {"solved": self.solved, "seconds": self.seconds}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on counting."""
        self.solved, self.seconds = value["solved"], value["seconds"]

    @contextmanager
    def _watching(self, question: Question) -> Iterator[None]:
        try:
            yield
        except Exception:
            if self._watch is not None:
                self._watch.failed = question
            raise


def _arrays(values: Values) -> dict[str, Array]:
    return {name: np.asarray(array) for name, array in values.items()}
