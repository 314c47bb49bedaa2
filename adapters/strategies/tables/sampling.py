"""Samples a micro model over a box of controls: batch by batch, restartable, told as it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adapters.failing.attempt import Failure, Part, Rows, WholeBatchError, attempt
from adapters.micro import Array, MicroModel
from adapters.strategies.box import Box
from adapters.strategies.columns import Columns
from adapters.strategies.tables import rest as resting
from adapters.strategies.tables.journal import Journal
from adapters.strategies.tables.nodes import Floats
from adapters.strategies.tables.rest import Rest


class SampleError(Exception):
    """The micro model cannot be solved at a node."""


@dataclass
class Sampler:
    """Answers questions about points of the unit cube from a journal, or else from the micro model.

    Attributes
    ----------
    model : the micro model with its maps.
    point : (dim,) [m] where all micro simulations are.
    batch : most micro simulations at a time.
    told : called with what is done, how much of it is, and how much there is.
    """

    model: MicroModel
    box: Box
    observables: Columns
    rest: Rest
    point: Array
    batch: int
    journal: Journal
    told: Callable[[str, int, int], None]

    def __post_init__(self) -> None:
        self.sizes = np.zeros(len(self.observables.fields))

    def __call__(self, points: Floats, what: str) -> Floats:
        """Return the observables (n, k) at points (n, d) of the unit cube."""
        parts = []
        for begin in range(0, len(points), self.batch):
            part = points[begin : begin + self.batch]
            values = self.journal.known(part)
            if values is None:
                values, solves = self._solved(part)
                self.journal.keep(part, values, solves)
            # what is known of the sizes follows from the order of the questions alone
            self.sizes = np.maximum(self.sizes, resting.norms(values, self.observables).max(axis=0))
            parts.append(values)
            self.told(what, begin + len(part), len(points))
        return np.concatenate(parts)

    def _solved(self, points: Floats) -> tuple[Floats, int]:
        controls = self.box.at(points)
        try:
            return self._relaxed(controls)
        except Exception as error:
            raise SampleError(self._why(controls, error)) from error

    def _relaxed(self, controls: Floats) -> tuple[Floats, int]:
        places = np.broadcast_to(self.point, (len(controls), len(self.point)))
        given = self.box.columns.unflatten(controls)
        return resting.relaxed(self.model, places, given, self.observables, self.rest, self.sizes)

    def _why(self, controls: Floats, error: Exception) -> str:
        """Return which node fails, and why, by solving parts of the batch alone."""

        def call(rows: Rows) -> tuple[Part, dict[int, Failure]]:
            self._relaxed(controls[rows])
            return Part(rows, {}, {}), {}

        try:
            failed = attempt(call, np.arange(len(controls)), most=1).failed
        except WholeBatchError as whole:
            return f"the micro model fails: {whole}"
        if not failed:
            return f"the micro model fails once, but not when it is asked again: {type(error).__name__}: {error}"
        row, failure = next(iter(sorted(failed.items())))
        told = zip(self.box.columns.components, controls[row], strict=True)
        place = ", ".join(f"{one.name} = {value:.6g}{one.suffix}" for one, value in told)
        return f"the micro model fails at {place}: {failure.what}"
