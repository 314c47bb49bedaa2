"""A micro model is a function on a batch: state in, state and observables out, nothing hidden.

The state of n micro simulations is a nested dict of arrays whose leading axis is n. It is never changed in place, so
keeping a checkpoint means keeping a reference, a restart is a file, and one row is one micro simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.checks import Check
from scalebridge.fields import Field

type Array = NDArray[Any]
type State = Mapping[str, State | Array]
type Values = Mapping[str, Any]  # arrays; of fields per="spikes", adapters.spikes.Spikes


class MicroError(RuntimeError):
    """Some of the micro simulations of a batch cannot be solved.

    A model raises it where it knows which. Any other exception is as good, but then the rows have to be searched for.

    Parameters
    ----------
    rows : (m,) which rows of the batch, each of which would fail alone; empty where that is not known.
    message : what is wrong with them, or with the first of them. It names no row: the number of a row in a batch means
        nothing to whoever reads it.
    """

    def __init__(self, rows: ArrayLike, message: str) -> None:
        self.rows = np.unique(np.asarray(rows, dtype=np.int64))
        self.message = message
        super().__init__(message)

    def __str__(self) -> str:
        if not self.rows.size:
            return self.message
        others = f" and {self.rows.size - 1} more" if self.rows.size > 1 else ""
        return f"{self.message} (row {self.rows[0]}{others} of the batch)"


@runtime_checkable
class MicroModel(Protocol):
    """One kind of micro simulation, solved for a whole batch at once.

    A class that is run by `adapters.participant.micro_participant` is constructed as ``Model(settings, seed)`` with
    `settings` an object of its own ``Settings`` dataclass. If it shows fields on a grid (``per="grid"``) it also has
    `cell_shape`, the number of grid cells along each axis, and `cell_size`, the edge lengths of its volume [m].

    Attributes
    ----------
    controls : what drives it, in its own terms.
    observables : what can be seen of it; ``per="grid"`` ones have shape (n, *cell_shape), tensor axes last.
        ``per="window"`` ones have shape (n, k) with k as in the controls. Who has ``per="spikes"`` fields, which are
        `adapters.spikes.Spikes`, has `neurons`, the number of neurons of each population.
    """

    controls: dict[str, Field]
    observables: dict[str, Field]

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n simulations at `points` (n, dim) [m] under the controls (n, ...) at the start."""
        ...

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s] under the controls (n, ...) at the end of the step.

        Returns the new state and its observables (n, ...). ``dt = 0`` gives the observables of the state as it is.
        Raises MicroError, or anything else, where some of the rows cannot be solved; NaN in a row says the same.
        """
        ...


def repeatable(model: MicroModel) -> bool:
    """Whether a model can solve from any of its states, not only from the one that it gave last.

    A simulator that keeps a memory which it cannot hand out has a class attribute ``repeatable = False``.
    """
    return bool(getattr(innermost(model), "repeatable", True))


def innermost(model: MicroModel) -> MicroModel:
    """Return the micro model itself, without the scaling maps and strategies around it."""
    while isinstance(within := getattr(model, "model", None), MicroModel):
        model = within
    return model


@runtime_checkable
class Pictured(Protocol):
    """A micro model that has fields worth a picture."""

    cell_shape: tuple[int, ...]
    cell_size: tuple[float, ...]

    def snapshot(self, state: State) -> dict[str, Array]:
        """Return named fields (n, *cell_shape[, components])."""
        ...


@runtime_checkable
class Audited(Protocol):
    """A micro model that can say whether a step kept what it must keep."""

    def audit(self, before: State, after: State) -> list[Check]:
        """Return checks on a step that led from one state to the other, such as a salt balance."""
        ...


@runtime_checkable
class Telling(Protocol):
    """A micro model that can tell what its rows cost, so that ranks get equal shares without looking at the clock."""

    def work(self, state: State) -> Array | None:
        """Return what the step that led to `state` took for each row (n,), in any unit, such as iterations.

        None where that is not known.
        """
        ...


@runtime_checkable
class Sizable(Protocol):
    """A micro model whose class knows larger volumes of the same medium, and finer grids on the same volume.

    Where it also has `reference_controls`, texts such as "263 K" by the names of its controls, volumes are looked at
    under these if nobody says others.
    """

    @staticmethod
    def enlarged(settings: Any, factor: int) -> Any:
        """Return the settings of volumes with `factor` times the edge: the same grid spacing, grains or pockets of the
        same physical size and as densely packed. Raises MicroError where these settings have no such volume.
        """
        ...

    @staticmethod
    def refined(settings: Any, factor: int) -> Any:
        """Return the settings of the same volumes with `factor` times as many grid cells along each edge."""
        ...


@runtime_checkable
class OneByOne(Protocol):
    """A micro model that holds one object for each micro simulation.

    Attributes
    ----------
    first_row : number of the first row of this process in the run; set before anything is started.
    max_dt : longest step [s]; a time window is divided into equal steps that are not longer.
    """

    first_row: int
    max_dt: float

    def complete(self, state: State, window: int) -> None:
        """Do what belongs to the end of a time window, which was reached in `state`."""
        ...


def arrays(state: State, prefix: str = "") -> Iterator[tuple[str, Array]]:
    """Walk over the arrays of a state as (path, array), with paths such as ``maps/Conductivity/corrector``."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            yield from arrays(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value


def apply(function: Callable[[Array], Array], state: State) -> State:
    """Return the state with `function` applied to each of its arrays."""
    return {k: apply(function, v) if isinstance(v, Mapping) else function(v) for k, v in state.items()}


def rows(state: State) -> int:
    """Return n, the number of micro simulations in a state; an error if its arrays disagree."""
    lengths = {path: len(array) for path, array in arrays(state)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{path} has {n}" for path, n in lengths.items())
        raise ValueError(f"the arrays of a state must have the same number of rows, but {told}")
    return next(iter(lengths.values()), 0)


def take(state: State, which: Array | slice) -> State:
    """Return the state of the chosen rows (indices, a mask or a slice)."""
    return apply(lambda array: array[which], state)


def concatenate(states: Sequence[State]) -> State:
    """Return the states of several batches as one batch, in order."""
    first = states[0]
    for other in states[1:]:
        if other.keys() != first.keys():
            raise ValueError(f"states of different kinds cannot be joined: {sorted(first)} and {sorted(other)}")
    joined: dict[str, State | Array] = {}
    for name, value in first.items():
        if isinstance(value, Mapping):
            joined[name] = concatenate([_branch(state[name]) for state in states])
        else:
            joined[name] = np.concatenate([np.asarray(state[name]) for state in states])
    return joined


def _branch(value: State | Array) -> State:
    if not isinstance(value, Mapping):
        raise ValueError("states of different kinds cannot be joined: one has an array where another has a group")
    return value
