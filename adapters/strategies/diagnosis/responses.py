"""What a micro model answers along paths of controls: a batch of paths, all with the same time steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.failing.attempt import Failure, spoiled
from adapters.micro import MicroModel, State
from adapters.strategies.box import Box
from adapters.wiring import CouplingError

type Array = NDArray[np.float64]
type Seen = dict[str, Array]

CONSTANT = 1e-9  # what varies by a smaller share of its size is constant
PARTS = (1, 4, 16, 64)  # of a step, of which fewest are taken: a diagnosis waits longer than any time window is


class DiagnosisError(CouplingError):
    """A micro model cannot be followed where the diagnosis leads it."""


@dataclass(frozen=True)
class Jumps:
    """What is seen after jumps of the controls.

    Attributes
    ----------
    begun : what is seen before them (n, ...).
    seen : after them (n, jumps, times, ...).
    """

    begun: Seen
    seen: Seen


@dataclass
class Probe:
    """A micro model that is asked; `solves` counts single simulations and steps.

    Attributes
    ----------
    point : (dim,) [m] where it is: all paths are those of one and the same micro structure.
    """

    model: MicroModel
    box: Box
    point: Array
    solves: int = field(default=0)

    def start(self, values: Array) -> tuple[State, Seen]:
        """Return the state of n simulations that begin under the components `values` (n, m), and what is seen."""
        controls = self.box.columns.unflatten(values)
        points = np.repeat(self.point[None], len(values), axis=0)
        try:
            state = self.model.start(points, controls)
        except Exception as error:
            if isinstance(error, CouplingError):
                raise
            raise DiagnosisError(
                f"the micro model cannot be started for a diagnosis: {Failure.of(error).what}"
            ) from error
        return self.step(state, values, 0.0)

    def step(self, state: State, values: Array, dt: float) -> tuple[State, Seen]:
        """Advance n simulations by `dt` [s] to the components `values` (n, m); in parts if it is too long for them."""
        failed: DiagnosisError | None = None
        for parts in PARTS if dt > 0 else (1,):
            try:
                return self._in_parts(state, values, dt, parts)
            except DiagnosisError as error:
                failed = failed or error
        assert failed is not None
        raise failed

    def _in_parts(self, state: State, values: Array, dt: float, parts: int) -> tuple[State, Seen]:
        controls, seen = self.box.columns.unflatten(values), dict[str, Array]()
        for _ in range(parts):
            self.solves += len(values) if dt > 0 else 0
            try:
                after, observables = self.model.solve(state, controls, dt / parts)
            except Exception as error:
                if isinstance(error, CouplingError):
                    raise
                raise self._failed(dt, Failure.of(error).what) from error
            seen = {name: np.asarray(observables[name], dtype=np.float64) for name in self.model.observables}
            if wrong := spoiled(state, after, seen):
                raise self._failed(dt, next(iter(wrong.values())).what)
            state = after
        return state, seen

    def _failed(self, dt: float, what: str) -> DiagnosisError:
        return DiagnosisError(
            f"the micro model cannot be followed in steps of {dt:g} s: {what}. Give another box of controls, or time"
        )

    def follow(self, path: Array, steps: Array) -> tuple[State, Seen]:
        """Follow paths of components (n, s + 1, m) in steps (s,) [s].

        Returns
        -------
        The state at the end, and what is seen at every place of the paths (n, s + 1, ...).
        """
        state, seen = self.start(path[:, 0])
        every = [seen]
        for k, dt in enumerate(steps):
            state, seen = self.step(state, path[:, k + 1], float(dt))
            every.append(seen)
        return state, {name: np.stack([one[name] for one in every], axis=1) for name in seen}

    def hold(self, state: State, values: Array, steps: Array) -> tuple[State, Seen]:
        """Hold the components `values` (n, m) for steps (s,) [s]; return the state and what is seen (n, s, ...)."""
        every = []
        for dt in steps:
            state, seen = self.step(state, values, float(dt))
            every.append(seen)
        return state, {name: np.stack([one[name] for one in every], axis=1) for name in every[0]}

    def jump(self, begin: Array, ends: Array, steps: Array) -> Jumps:
        """Jump from rest at the components `begin` (m,) to `ends` (n, jumps, m), and stay there for steps (s,) [s]."""
        n, count, m = ends.shape
        state, start = self.start(np.tile(begin, (n * count, 1)))
        _, seen = self.hold(state, ends.reshape(-1, m), steps)
        begun = {name: values.reshape(n, count, *values.shape[1:])[:, 0] for name, values in start.items()}
        return Jumps(begun, {name: values.reshape(n, count, *values.shape[1:]) for name, values in seen.items()})


def growing(first: float, last: float, factor: float) -> Array:
    """Return steps [s] that grow by `factor`, the first as long as said, until together they are as long as `last`."""
    count = int(np.ceil(np.log1p((factor - 1) * last / first) / np.log(factor)))
    return np.asarray(first * factor ** np.arange(max(count, 1)), dtype=np.float64)


def norm(values: NDArray[Any], lead: int = 1) -> Array:
    """Return the length of values (..., components) over all axes behind the first `lead`."""
    flat = np.abs(values.reshape(*values.shape[:lead], -1))
    return np.asarray(np.sqrt((flat**2).sum(axis=-1)))


def scale(values: Array) -> float:
    """Return the largest range of a component of values (n, ...); of constant ones what a change is compared with."""
    flat = values.reshape(len(values), -1)
    found, size = float(np.ptp(flat, axis=0).max(initial=0.0)), float(np.abs(flat).max(initial=0.0))
    return found if found > CONSTANT * size else size or 1.0
