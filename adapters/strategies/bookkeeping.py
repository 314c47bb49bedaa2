"""The books of an adaptive run as part of its state, and what they say at the end.

State: group "rows", one value for each row, and group "run", which is the same in all rows. So any rows can be solved
alone, and a checkpoint has it all. The columns are those of the `ledger`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from adapters.micro import State, Values
from adapters.strategies import ledger, lots
from adapters.strategies.estimator import NONE, UNKNOWN, Measured
from adapters.strategies.ledger import Rules, Window
from adapters.strategies.protocol import Context, Report
from scalebridge import checks
from scalebridge.checks import Check

ROUND = 1e-9  # of a bound: what is round-off

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
type Group = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What is known at the end of a run, for o observables.

    Attributes
    ----------
    scale : (o,) their largest values.
    bound : (o,) estimated error of the rest, weighted, mean of the windows in which it was measured.
    measured : the same, of the sample.
    audits : number of these windows.
    largest : bound of the worst window, relative.
    squares : (o,) largest root of the weighted sum of squares of the estimated errors.
    unknown : answers of the cheap model of whose error nothing was known.
    factor : (o,) by what its statements were multiplied last.
    chosen, switched : mean share of the rows that were chosen, and how often one was switched to the full model.
    """

    names: tuple[str, ...]
    scale: Array
    bound: Array
    measured: tuple[Measured, ...]
    audits: int
    largest: float
    squares: Array
    unknown: int
    factor: Array
    chosen: float
    switched: int

    def effectivity(self, number: int) -> float:
        """Return bound over measured error of an observable; infinite where no error was found."""
        value = self.measured[number].value
        return float(self.bound[number]) / value if value > 0 else math.inf


class Books:
    """Keeps the books.

    Parameters
    ----------
    names : the observables whose error counts.
    """

    def __init__(self, names: Sequence[str], rules: Rules, context: Context) -> None:
        self.names, self.rules, self.context = tuple(names), rules, context

    def start(self, keys: NDArray[np.uint64], weight: Array, controls: Values) -> dict[str, Group]:
        """Return the books of n rows that are about to start."""
        n, o = len(keys), len(self.names)
        place = _flat(controls)
        feature = np.concatenate([place, np.zeros_like(place)], axis=1)
        rows: Group = {
            "key": keys,
            "weight": weight,
            "feature": feature,
            "known-place": feature,
            "known-age": np.full(n, NONE),
            "seen": np.full((n, ledger.WINDOWS, o), NONE),
            "said": np.zeros((n, ledger.WINDOWS, o)),
            "stated": np.full((n, o), UNKNOWN),
            "chosen": np.ones(n, dtype=bool),
            "solved": np.zeros(n, dtype=bool),
            "audited": np.zeros(n, dtype=bool),
        }
        rows |= {name: np.zeros((n, o)) for name in ("error", "known-error", "size", "sampled", "told")}
        rows["included"] = np.zeros(n)
        rows |= {name: np.zeros(n, dtype=np.int64) for name in ("samples", "windows", "switched")}
        rows["since"] = np.full(n, self.rules.stay)  # what is solved at the start need not stay so
        run: Group = {name: np.zeros(n) for name in ("window", "audits", "unknown")}
        run |= {name: np.zeros((n, o)) for name in ("bound", "largest", "squares")}
        return {"rows": rows, "run": run | {"factor": np.ones((n, o))}}

    def in_full(self, state: State) -> Mask:
        """Return which rows are solved in full in this window."""
        rows = _group(state, "rows")
        return cast(Mask, rows["chosen"] | rows["audited"])

    def solved(self, state: State) -> Mask:
        """Return which rows were solved in full in the last step."""
        return cast(Mask, _group(state, "rows")["solved"].copy())

    def noted(self, rows: State, full: Mask, errors: Array, sizes: Array, stated: Array | None) -> Group:
        """Return the books of the rows after a step: `errors` (m, o) of those in full, the rest is (n, ...) of all."""
        book = cast(Group, rows)
        error = np.zeros_like(book["error"])
        error[full] = _finite(errors)
        return {**self.stated(book, stated), "error": error, "size": np.maximum(book["size"], sizes), "solved": full}

    def stated(self, rows: State, stated: Array | None) -> Group:
        """Return the books with what the cheap model says of its errors (n, o), if it says anything."""
        return {**cast(Group, rows), **({} if stated is None else {"stated": _finite(stated)})}

    def plan(self, state: State, foretold: Array | None) -> dict[str, Group]:
        """Return the books for the window that begins; collective.

        Parameters
        ----------
        foretold : (n, o) what the cheap model says of its errors at the end of it, if it says anything.
        """
        book, run = dict(_group(state, "rows")), dict(_group(state, "run"))
        pending = _group(state, "path")["length"] if "path" in state else np.zeros(len(book["key"]))
        window = int(self._agreed(run["window"]))
        ahead = book["stated"] if foretold is None else np.maximum(_finite(foretold), book["stated"])
        columns, mine = self._everywhere(state, {"pending": pending, "foretold": ahead}, window)
        if window:
            closed = ledger.close(columns, self._factor(run), self.rules)
            book, run = self._entered(book, run, closed, mine)
            seen, said = ledger.sampled(columns, self.rules, window)
            columns = {**columns, **_known(columns), "seen": seen, "said": said}
        decision = ledger.decide(columns, self.rules, window + 1)
        kept = ("feature", "seen", "said", "known-place", "known-age", "known-error")
        book |= {name: columns[name][mine] for name in kept}
        book |= {name: getattr(decision, name)[mine] for name in ("chosen", "audited", "included", "since")}
        book["switched"] = book["switched"] + (book["chosen"] & ~_group(state, "rows")["chosen"])
        book["windows"] = book["windows"] + book["chosen"]
        book["stated"] = decision.stated[mine]
        run |= {"window": run["window"] + 1, "factor": np.broadcast_to(decision.factor, run["factor"].shape).copy()}
        return {"rows": book, "run": run}

    def outcome(self, state: State) -> Outcome:
        """Return what is known at the end of the run; collective."""
        book, run = dict(_group(state, "rows")), dict(_group(state, "run"))
        window = int(self._agreed(run["window"]))
        columns, mine = self._everywhere(state, {}, window)
        if window:
            book, run = self._entered(book, run, ledger.close(columns, self._factor(run), self.rules), mine)
        more = {name: book[name] for name in ("samples", "sampled", "told", "windows", "switched")}
        everyone = _apart(self._gathered(_joined(more)), more)
        audits, scale = int(self._agreed(run["audits"])), ledger.scale(columns)
        drawn, bound = everyone["samples"] > 0, self._agreed(run["bound"])
        samples = zip(everyone["sampled"][drawn].T, everyone["told"][drawn].T, bound, strict=True)
        return Outcome(
            names=self.names,
            scale=scale,
            bound=bound / max(audits, 1),
            measured=tuple(Measured.of(*sample).over(max(audits, 1)) for sample in samples),
            audits=audits,
            largest=float((self._agreed(run["largest"]) / scale).max()),
            squares=self._agreed(run["squares"]),
            unknown=int(self._agreed(run["unknown"])),
            factor=self._factor(run),
            chosen=float(everyone["windows"].mean()) / max(window, 1),
            switched=int(everyone["switched"].sum()),
        )

    def _entered(self, book: Group, run: Group, closed: Window, mine: slice) -> tuple[Group, Group]:
        """Return the books with a window entered."""
        if closed.audited.any():
            book["sampled"] = book["sampled"] + closed.sampled[mine]
            book["told"] = book["told"] + closed.said[mine]
            book["samples"] = book["samples"] + closed.audited[mine]
            run |= {"audits": run["audits"] + 1, "bound": run["bound"] + closed.bound}
        run["largest"] = np.maximum(run["largest"], closed.bound)
        run["squares"] = np.maximum(run["squares"], np.sqrt(closed.squares))
        run["unknown"] = run["unknown"] + closed.unknown.sum()
        return book, run

    def _everywhere(self, state: State, more: Group, window: int) -> tuple[dict[str, Array], slice]:
        """Return the columns of all rows of all ranks, and which of them are those of this rank; collective."""
        book = _group(state, "rows")
        place, last = _flat(_group(_group(state, "step"), "controls")), book["feature"]
        mine = {name: values for name, values in book.items() if name not in ("key", "sampled", "samples", "told")}
        mine["feature"] = np.concatenate([place, place - last[:, : place.shape[1]]], axis=1)
        mine |= {**more, "draw": lots.draw(book["key"], window if self.rules.fresh else 0)}
        rows = self.context.rows
        own = slice(0, len(book["key"])) if rows is None else slice(rows.first, rows.first + rows.count)
        return _apart(self._gathered(_joined(mine)), mine), own

    def _gathered(self, columns: Array) -> Array:
        rows = self.context.rows
        return columns if rows is None else rows.everywhere(columns)

    def _factor(self, run: Group) -> Array:
        return self._agreed(run["factor"])

    def _agreed(self, values: Any) -> Array:
        """Return what is the same in all rows; every rank has some."""
        return np.asarray(values[0], dtype=np.float64)


def _known(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Return the last known errors of rows with those of the last window."""
    solved, age = columns["solved"] > 0, columns["known-age"]
    return {
        "known-error": np.where(solved[:, None], columns["error"], columns["known-error"]),
        "known-place": np.where(solved[:, None], columns["feature"], columns["known-place"]),
        "known-age": np.where(solved, 0.0, np.where(age >= 0, age + 1, age)),
    }


def _flat(controls: Values) -> Array:
    """Return what drives the rows as one array (n, f)."""
    arrays = [np.asarray(values, dtype=np.float64) for values in controls.values()]
    return np.concatenate([array.reshape(len(array), math.prod(array.shape[1:])) for array in arrays], axis=1)


def _finite(errors: Array) -> Array:
    return np.asarray(np.minimum(np.nan_to_num(errors, nan=UNKNOWN, posinf=UNKNOWN), UNKNOWN))


def _joined(columns: Mapping[str, Any]) -> Array:
    return _flat(columns)


def _apart(joined: Array, like: Mapping[str, Any]) -> dict[str, Array]:
    """Return columns that were joined, with the shapes of those that they are `like`."""
    shapes = {name: np.shape(values)[1:] for name, values in like.items()}
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    parts = np.split(joined, ends[:-1], axis=1)
    return {name: part.reshape(len(joined), *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def _group(state: State, name: str) -> Group:
    return cast(Group, state[name])


# What is said at the end ----------------------------------------------------------------------------------------------


def checks_of(outcome: Outcome, tolerance: float) -> list[Check]:
    """Return whether the bound was kept, and whether it is what was asked for."""
    method = "rows drawn by lot that were solved in full as well; give or take half of the 95 % interval"
    found = []
    for number, name in enumerate(outcome.names):
        measured, scale = outcome.measured[number].over(float(outcome.scale[number])), outcome.scale[number]
        if measured.rows > 1:
            bound = float(outcome.bound[number] / scale)
            slack = max(measured.half, ROUND * bound)
            title = f"error of {name} as measured, and its bound"
            found.append(checks.at_most(title, measured.value, bound, tolerance=slack, source=method))
    asked = "the tolerance that was asked for"
    found.append(checks.at_most("bound of the error in the worst window", outcome.largest, tolerance, source=asked))
    known = "every answer has an estimate of its error"
    return [*found, checks.at_most("answers without a bound", outcome.unknown, 0, source=known)]


def told(outcome: Outcome) -> Report:
    """Return the bound, the measured error with its interval, and their ratio."""
    found: Report = {
        "rows solved in full by choice": f"{100 * outcome.chosen:.3g} %",
        "switches to the full model": outcome.switched,
        "bound in the worst window": outcome.largest,
        "time windows with an audit": outcome.audits,
    }
    for number, name in enumerate(outcome.names if outcome.audits else ()):
        measured, scale = outcome.measured[number].over(float(outcome.scale[number])), outcome.scale[number]
        low = max(measured.value - measured.half, 0.0)
        interval = f"{low:.3g} to {measured.value + measured.half:.3g}"
        found |= {
            f"bound of the error of {name}": float(outcome.bound[number] / scale),
            f"measured error of {name}": measured.value,
            f"95 % interval of the measured error of {name}": f"{interval} from {measured.rows} rows",
            f"effectivity of the bound of {name}": outcome.effectivity(number),
            f"factor on what is said of the error of {name}": float(outcome.factor[number]),
        }
    return found


def bounded(outcome: Outcome, pair: Sequence[str], units: Sequence[str], slope: float) -> Report:
    """Return the bound on the error of what drives, if `slope` is the least slope of the response by it."""
    drive, response = pair
    squares = float(outcome.squares[outcome.names.index(response)])
    bound = squares / slope if slope > 0 else math.inf
    known = slope if slope < UNKNOWN else math.nan
    return {
        f"least slope of {response} by {drive} [{units[1]}/({units[0]})]": known,
        f"bound of the error of {drive} [{units[0]}]": bound if slope < UNKNOWN else math.inf,
    }
