"""What a strategy is, and where it works.

A strategy is a MicroModel around a MicroModel and knows nothing of the physics. Whoever asks it cannot tell: state goes
in and comes out, and any batch of rows will do. So what it decides about a row in a time window may depend on the state
at the start of the window alone: an iteration that is repeated begins with the same state, and then nothing switches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from adapters.keeping import Keepable
from adapters.micro import Array, Audited, MicroError, MicroModel, Pictured, State, Values
from adapters.ranks import Rows
from scalebridge.checks import Check
from scalebridge.fields import Field

type Told = float | int | str
type Report = dict[str, Told]
type Layer = Mapping[str, Mapping[str, Any]]  # one name: plain values of its settings, in the declared units


def forget(name: str, thing: Keepable) -> None:
    """Remember nothing: outside a run there are no checkpoints."""


def _as_it_is(model: MicroModel) -> MicroModel:
    """Return the model: a case without a scaling file has no maps."""
    return model


@dataclass(frozen=True)
class Context:
    """Where a strategy works.

    Attributes
    ----------
    seed : of all random numbers; draw them with `adapters.seeds`, so that they belong to the points.
    folder : of the case; files named in settings are relative to it.
    output : folder of the participant; None outside a run.
    rows : who has which rows; None outside a run.
    outermost : whether no other strategy is around this one; only then do all ranks ask at the same time for all rows.
    together : whether all ranks ask at the same time, each for those of its rows that it wants, where they are
        assembled; so it is beneath strategies that `asks_together`.
    dimensions : of the mesh whose points are solved at; 0 where that is not known.
    explicit : whether no time window is iterated.
    windows : number of time windows of the run; None where that is not known.
    end : when the run ends [s]; None where that is not known.
    plain : the micro model without scaling maps.
    scaled : gives another micro model the scaling maps of the case.
    remember : ``remember(name, thing)`` makes a thing with `save()` and `restore(value)` part of the checkpoints, and
        restores it at once where the run goes on from one.
    """

    seed: int = 0
    folder: Path = field(default_factory=Path)
    output: Path | None = None
    rows: Rows | None = None
    outermost: bool = True
    together: bool = True
    dimensions: int = 0
    explicit: bool = False
    windows: int | None = None
    end: float | None = None
    plain: MicroModel | None = None
    scaled: Callable[[MicroModel], MicroModel] = _as_it_is
    remember: Callable[[str, Keepable], None] = forget

    def file(self, name: str) -> Path:
        """Return the path of a file that the case names."""
        return self.folder / name

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Do what other ranks may not be doing at the same time; strategies within do not talk to theirs then."""
        if self.rows is None:
            yield
            return
        with self.rows.apart():
            yield

    def total(self, value: float) -> float:
        """Return the sum over all ranks; collective."""
        return float(self._everywhere(value).sum())

    def largest(self, value: float) -> float:
        """Return the largest of all ranks; collective."""
        return float(self._everywhere(value).max())

    def _everywhere(self, value: float) -> NDArray[np.float64]:
        mine = np.array([value], dtype=np.float64)
        return mine if self.rows is None else self.rows.everywhere(mine)


@runtime_checkable
class Strategy(MicroModel, Protocol):
    """A micro model around a micro model.

    Attributes
    ----------
    name : in a case.
    Settings : frozen dataclass of `scalebridge.settings.setting`. The module that has it is imported to describe a
        micro participant, so it imports at its top nothing that takes long; a setting that names a file which has to be
        there says so with ``file=True``.
    model : the micro model within: the full model with its scaling maps, or another strategy.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]]
    model: MicroModel

    def __init__(self, model: MicroModel, settings: Any, context: Context) -> None: ...

    def inner(self, state: State) -> State | None:
        """Return the state of the model within, with as many rows; None where the strategy keeps none."""
        ...

    def report(self, state: State) -> Report:
        """Return what is told at the end of the run, by name with its unit if it has one: ``bound [Pa]``.

        Collective: what is returned on rank 0 is told, so sums and maxima are those of all ranks (see Context).
        """
        ...

    def audit(self, before: State, after: State) -> list[Check]:
        """Return checks on a step; those of the model within for the rows that it has solved."""
        ...


@runtime_checkable
class Planning(Protocol):
    """A strategy that decides something about all rows together, and says at the end how that went.

    `solve` cannot do this: it may be asked for any rows, on one rank alone.
    """

    def plan(self, state: State) -> State:
        """Return the state with what is decided for the time window that begins with it.

        Called once before the first iteration of each window, with all rows of this rank; collective. A function of the
        state alone, so that a run that goes on from a checkpoint decides the same.
        """
        ...

    def conclude(self, state: State) -> list[Check]:
        """Return checks on the whole run, which has ended in `state`; collective, the same on all ranks."""
        ...


class Around:
    """What strategies have in common: the fields of the model within, its pictures and its checks.

    A strategy that keeps the state of the model within returns it from `inner`, and has all of that.

    Attributes
    ----------
    asks_together : whether in `solve` it asks the model within just once, on all ranks where they are assembled, even
        for no rows if that is `collective`; and whatever else it asks for, `Context.apart`.
    """

    asks_together: ClassVar[bool] = False

    def __init__(self, model: MicroModel, context: Context) -> None:
        self.model, self.context = model, context
        self.controls: dict[str, Field] = model.controls
        self.observables: dict[str, Field] = model.observables
        self.cell_shape: tuple[int, ...] = tuple(getattr(model, "cell_shape", ()))
        self.cell_size: tuple[float, ...] = tuple(getattr(model, "cell_size", ()))

    @property
    def collective(self) -> bool:
        """Whether it wants to be asked on all ranks, even for no rows."""
        return self.asks_together and collective(self.model)

    def of_none(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Return what comes of no rows at all; the model within, which is `collective`, is asked too."""
        inner, seen = self.model.solve(cast(State, state["model"]), controls, dt)
        return {**state, "model": inner}, seen

    def inner(self, state: State) -> State | None:
        """Return the state of the model within; here it is the group ``model`` of the state, if there is one."""
        return cast(State | None, state.get("model"))

    def plan(self, state: State) -> State:
        """Return the state for the time window that begins; here the model within plans, if it does."""
        inner = self.inner(state)
        if inner is None or not isinstance(self.model, Planning):
            return state
        return {**state, "model": self.model.plan(inner)}

    def conclude(self, state: State) -> list[Check]:
        """Return checks on the whole run; here those of the model within, if it has any."""
        inner = self.inner(state)
        return self.model.conclude(inner) if inner is not None and isinstance(self.model, Planning) else []

    def report(self, state: State) -> Report:
        """Return what is told at the end of the run."""
        return {}

    def snapshot(self, state: State) -> dict[str, Array]:
        """Return the fields of the model within that are worth a picture (n, *cells[, ...])."""
        inner = self.inner(state)
        return self.model.snapshot(inner) if inner is not None and isinstance(self.model, Pictured) else {}

    def audit(self, before: State, after: State) -> list[Check]:
        """Return the checks of the model within; a strategy that solves only some rows says so for these."""
        old, new = self.inner(before), self.inner(after)
        if old is None or new is None or not isinstance(self.model, Audited):
            return []
        return self.model.audit(old, new)


def collective(model: MicroModel) -> bool:
    """Say whether a model wants to be asked on all ranks where they are assembled, even for no rows."""
    return bool(getattr(model, "collective", False))


@contextmanager
def of_rows(rows: NDArray[Any]) -> Iterator[None]:
    """Say of an error about rows of a part of a batch which rows of the whole batch these are.

    ``rows`` (m,) are the numbers of the part's rows in the batch. Whoever solves a part does it within this.
    """
    try:
        yield
    except MicroError as error:
        known = error.rows.size and error.rows[0] >= 0 and error.rows[-1] < len(rows)
        same = MicroError(np.asarray(rows)[error.rows] if known else (), error.message)
        raise same.with_traceback(error.__traceback__) from None


def names(given: Sequence[Layer]) -> list[str]:
    """Return the names of the strategies of a stack, outermost first."""
    return [next(iter(layer)) for layer in given]


def taken(values: Values, rows: NDArray[Any]) -> dict[str, Array]:
    """Return the chosen rows of controls or observables."""
    return {name: np.asarray(array)[rows] for name, array in values.items()}
