"""A stack of strategies around a micro model, as one micro model; what it was asked, and what that took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from adapters.failing.attempt import Part, Rows, solving, starting
from adapters.micro import Array, Audited, MicroModel, Pictured, State, Values
from adapters.strategies import registry
from adapters.strategies.full import Full, Question
from adapters.strategies.protocol import Context, Planning, Strategy
from adapters.strategies.protocol import Layer as Given
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.strategies import Account, Layer, Work


class Stack:
    """Strategies around a model.

    Parameters
    ----------
    given : names with settings as plain values, outermost first; at least one that is not the model itself.
    model : the micro model with its scaling maps.

    Attributes
    ----------
    full : that model, counted.
    model : the outermost strategy.
    asked : pairs of a micro simulation and a step of some length that were asked for, in all iterations.
    seconds : spent in answering.
    """

    def __init__(self, given: Sequence[Given], model: MicroModel, context: Context) -> None:
        self.given: tuple[dict[str, dict[str, Any]], ...]
        self.given = tuple({name: dict(settings) for name, settings in layer.items()} for layer in given)
        self.context = context
        self.full = Full(model)
        self.model = registry.build(given, self.full, context)
        self.controls: dict[str, Field] = self.model.controls
        self.observables: dict[str, Field] = self.model.observables
        self.cell_shape: tuple[int, ...] = tuple(getattr(self.model, "cell_shape", ()))
        self.cell_size: tuple[float, ...] = tuple(getattr(self.model, "cell_size", ()))
        self.asked, self.seconds = 0, 0.0
        context.remember("full solves", self.full)
        context.remember("questions", self)

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n simulations at `points` (n, dim) [m]."""
        begun = time.perf_counter()
        try:
            return self.model.start(points, controls)
        finally:
            self.seconds += time.perf_counter() - begun

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s]."""
        begun = time.perf_counter()
        try:
            return self.model.solve(state, controls, dt)
        finally:
            self.seconds += time.perf_counter() - begun
            self.asked += len(next(iter(controls.values()), ())) if dt > 0 else 0

    def plan(self, state: State) -> State:
        """Return the state with what strategies decide for the time window that begins with it; collective."""
        return self.model.plan(state) if isinstance(self.model, Planning) else state

    def conclude(self, state: State) -> list[Check]:
        """Return the checks of strategies on the whole run; collective."""
        return self.model.conclude(state) if isinstance(self.model, Planning) else []

    def audit(self, before: State, after: State) -> list[Check]:
        """Return the checks of the outermost strategy on a step."""
        return self.model.audit(before, after) if isinstance(self.model, Audited) else []

    def snapshot(self, state: State) -> dict[str, Array]:
        """Return the fields that are worth a picture."""
        return self.model.snapshot(state) if isinstance(self.model, Pictured) else {}

    def state_of_full(self, state: State) -> State | None:
        """Return the state of the model with its scaling maps; None where a strategy keeps none."""
        return next((own for model, own in self._within(state) if model is self.full), None)

    def report(self, state: State) -> Account:
        """Return what the strategies did in the run; collective."""
        context = self.context
        layers = [(model, own) for model, own in self._within(state) if isinstance(model, Strategy)]
        told = tuple(Layer(layer.name, layer.report(own)) for layer, own in layers)
        asked, solved = (int(context.total(value)) for value in (self.asked, self.full.solved))
        seconds, full = (context.largest(value) for value in (self.seconds, self.full.seconds))
        return Account(told, Work(asked, solved, seconds, full))

    def question(self, state: State, points: Array, controls: Values, dt: float, phase: str) -> Question | None:
        """Return what the full model is asked when these rows fail, by letting them fail once more.

        None where it is the strategy that fails, or where nothing fails this time.

        Parameters
        ----------
        state, points, controls : of the rows, (m, ...) each.
        phase : "start" or "solve".
        """
        every: Rows = np.arange(len(points))
        if phase == "start":
            call = starting(self.model, points, controls)
        else:
            call = solving(self.model, Part(every, state, {}), controls, dt)
        # that they fail is known already: what is of interest is the question
        with self.full.watched() as watch, contextlib.suppress(Exception):
            call(every)
        return watch.failed

    def save(self) -> dict[str, Any]:
        """Return the counts, for a checkpoint."""
        return {"asked": self.asked, "seconds": self.seconds}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on counting."""
        self.asked, self.seconds = value["asked"], value["seconds"]

    def _within(self, state: State) -> Iterator[tuple[MicroModel, State]]:
        """Yield each model with its state, from the outermost to the first that keeps no state of what is within it."""
        model, own = self.model, state
        yield model, own
        while isinstance(model, Strategy) and (inner := model.inner(own)) is not None:
            model, own = model.model, inner
            yield model, own
