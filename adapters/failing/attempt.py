"""Which rows of a batch fail, and what the others give.

Rows are independent of each other, so what fails in a batch fails alone: a row that a model does not name itself is
found by bisection. NaN and infinity are found by looking at every array.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, MicroError, MicroModel, State, Values, arrays, concatenate, innermost, take
from adapters.micro import rows as count
from adapters.wiring import CouplingError

type Rows = NDArray[np.int64]


class WholeBatchError(RuntimeError):
    """Rows fail together, though each half of them goes well: they are not independent, or memory was short.

    Attributes
    ----------
    rows : the smallest such batch that was found.
    failure : what was raised.
    """

    def __init__(self, rows: Rows, failure: Failure) -> None:
        self.rows, self.failure = rows, failure
        super().__init__(f"{failure.what}; so fail {len(rows)} micro simulations together, but none of them alone")


@dataclass(frozen=True)
class Failure:
    """Why a row failed.

    Attributes
    ----------
    what : in one line, such as ``ArithmeticError: no root`` or ``NaN in Stress``.
    kind : the type of the exception, "NaN" or "infinity".
    trace : the traceback; empty where nothing was raised.
    alone : whether the row was alone when it failed; else what is said may be about another row that failed with it.
    """

    what: str
    kind: str
    trace: str = ""
    alone: bool = False

    @classmethod
    def of(cls, error: Exception, alone: bool = False) -> Failure:
        """Return the failure that an exception tells of; numbers of rows in some batch are left out."""
        text = " ".join((error.message if isinstance(error, MicroError) else str(error)).split())
        kind = type(error).__name__
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None and _is_ours(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next  # how the row was found is of no interest
        told = "".join(traceback.format_exception(type(error), error, trace))
        return cls(f"{kind}: {text}" if text else kind, kind, told, alone)


@dataclass(frozen=True)
class Part:
    """What some rows gave: `rows` (m,), and their state and observables (m, ...) in that order."""

    rows: Rows
    state: State
    observables: dict[str, Array]

    def take(self, which: Rows) -> Part:
        """Return the chosen places of it."""
        chosen = {name: values[which] for name, values in self.observables.items()}
        return Part(self.rows[which], take(self.state, which), chosen)


@dataclass
class Attempt:
    """What came of a batch: parts that went well, and the failures by row."""

    parts: list[Part] = field(default_factory=list)
    failed: dict[int, Failure] = field(default_factory=dict)


type Call = Callable[[Rows], tuple[Part, dict[int, Failure]]]


def attempt(call: Call, rows: Rows, most: int | None = None, *, repeatable: bool = True) -> Attempt:
    """Call a function on a batch, and again on parts of it where it fails.

    Parameters
    ----------
    call : gives what came of the rows that it is called with, and which places in it failed all the same; or raises.
    rows : (n,).
    most : stop searching once so many have failed.
    repeatable : whether the function can be called again; else all rows fail that the exception does not exclude.

    Raises
    ------
    WholeBatchError
        If rows fail together but not alone.
    CouplingError
        As it comes: that is not about single rows.
    """
    found = Attempt()
    if repeatable:
        _search(call, rows, found, most)
    elif (error := _call(call, rows, found)) is not None:
        named = _named(error, len(rows))
        found.failed = dict.fromkeys(rows[named if named.size else slice(None)].tolist(), Failure.of(error, alone=True))
    return found


def _search(call: Call, rows: Rows, found: Attempt, most: int | None) -> None:
    while rows.size and not (most is not None and len(found.failed) >= most):
        error = _call(call, rows, found)
        if error is None:
            return
        named = _named(error, len(rows))
        if named.size == 0 and len(rows) > 1:
            _halve(call, rows, found, most, Failure.of(error))
            return
        named = named if named.size else np.array([0])
        found.failed.update(dict.fromkeys(rows[named].tolist(), Failure.of(error, len(rows) == 1)))
        rows = np.delete(rows, named)


def _call(call: Call, rows: Rows, found: Attempt) -> Exception | None:
    """Add what came of the rows; return the exception if one was raised, whatever it is."""
    try:
        part, wrong = call(rows)
    except CouplingError:
        raise
    except Exception as error:
        return error
    found.failed.update({int(rows[place]): failure for place, failure in wrong.items()})
    good = np.delete(np.arange(len(rows)), list(wrong)) if wrong else None
    if good is None or good.size:
        found.parts.append(part if good is None else part.take(good))
    return None


def _halve(call: Call, rows: Rows, found: Attempt, most: int | None, failure: Failure) -> None:
    before, middle = len(found.failed), len(rows) // 2
    _search(call, rows[:middle], found, most)
    _search(call, rows[middle:], found, most)
    if len(found.failed) == before:
        raise WholeBatchError(rows, failure)


def _named(error: Exception, n: int) -> Rows:
    """Return the rows that an exception names, of a batch of n; none if it names none, or none that there are."""
    if isinstance(error, MicroError) and error.rows.size and error.rows[0] >= 0 and error.rows[-1] < n:
        return error.rows
    return np.array([], dtype=np.int64)


def starting(model: MicroModel, points: Array, controls: Values) -> Call:
    """Return the call that starts the chosen rows of `points` (n, dim) and `controls` (n, ...)."""

    def call(rows: Rows) -> tuple[Part, dict[int, Failure]]:
        state = model.start(points[rows], {name: np.asarray(values)[rows] for name, values in controls.items()})
        _require_rows(model, "start", state, {}, len(rows))
        return Part(rows, state, {}), {}

    return call


def solving(model: MicroModel, given: Part, controls: Values, dt: float) -> Call:
    """Return the call that solves the chosen rows over `dt` [s].

    Parameters
    ----------
    given : the rows that there are, in ascending order, and their state; its observables do not matter.
    controls : (m, ...), in the order of `given`.
    """

    def call(rows: Rows) -> tuple[Part, dict[int, Failure]]:
        place = slice(None) if len(rows) == len(given.rows) else np.searchsorted(given.rows, rows)
        before = take(given.state, place)
        driven = {name: np.asarray(values)[place] for name, values in controls.items()}
        state, observables = model.solve(before, driven, dt)
        if missing := [name for name in model.observables if name not in observables]:
            raise CouplingError(f"{_name(model)}.solve gave no {', '.join(missing)}, which it declares")
        seen = {name: np.asarray(observables[name]) for name in model.observables}
        _require_rows(model, "solve", state, seen, len(rows))
        return Part(rows, state, seen), spoiled(before, state, seen)

    return call


def spoiled(before: State, after: State, observables: Values) -> dict[int, Failure]:
    """Return the rows with NaN or infinity in an observable, or newly in the state.

    A value of the state that was not finite before may stay so: a model may mean something by it.
    """
    wrong: dict[int, Failure] = {}
    for name, values in observables.items():
        _note_spoiled(wrong, values, None, name)
    old = dict(arrays(before))
    for path, values in arrays(after):
        _note_spoiled(wrong, values, old.get(path), f"the state, {path}")
    return wrong


def _note_spoiled(wrong: dict[int, Failure], values: Array, before: Array | None, where: str) -> None:
    if values.dtype.kind not in "fc" or (finite := np.isfinite(values)).all():
        return
    if before is not None and before.shape == values.shape and before.dtype.kind in "fc":
        finite |= ~np.isfinite(before)
    for row in np.flatnonzero(~finite.reshape(len(values), -1).all(axis=1)).tolist():
        kind = "NaN" if np.isnan(values[row]).any() else "infinity"
        wrong.setdefault(row, Failure(f"{kind} in {where}", kind, alone=True))


def _is_ours(file: str) -> bool:
    return Path(file).parent == Path(__file__).parent


def merge(parts: Sequence[Part]) -> Part:
    """Return the parts as one, its rows in ascending order."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].observables
    whole = Part(
        np.concatenate([part.rows for part in parts]),
        concatenate([part.state for part in parts]),
        {name: np.concatenate([part.observables[name] for part in parts]) for name in names},
    )
    return whole.take(np.argsort(whole.rows, kind="stable"))


def _require_rows(model: MicroModel, method: str, state: State, observables: Values, n: int) -> None:
    """Raise ValueError if what a model gave is not one row of the declared rank for each of n micro simulations."""
    if (found := count(state)) != n and state:
        raise ValueError(f"{_name(model)}.{method} gave a state of {found} rows for {n} micro simulations")
    for name, values in observables.items():
        field = model.observables[name]
        axes = 1 + field.rank if field.per == "point" else max(values.ndim, 1)
        if values.ndim != axes or len(values) != n:
            shape = ", ".join([str(n), *("d",) * field.rank])
            raise ValueError(f"{_name(model)}.solve gave '{name}' of shape {values.shape}; expected ({shape})")


def _name(model: MicroModel) -> str:
    return type(innermost(model)).__name__
