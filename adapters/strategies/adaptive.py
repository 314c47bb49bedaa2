"""The cheap model where its error may be tolerated, the full one where not; the total stays below a tolerance.

Before each time window it is decided which rows the full model solves: those whose errors are worth most for what they
cost, so that what is estimated of all others adds up to at most the tolerance (`greedy`). The estimate is what the
cheap model says of itself, put right by the rows that were solved in full (`estimator`). A share of rows that is drawn
by lot is solved in full as well, whatever is estimated: they tell how wrong the others really are (`ledger`).

A row that the full model takes over goes first through all that happened to it meanwhile (`replay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from adapters import seeds
from adapters.micro import Array, MicroModel, State, Values, innermost, take
from adapters.strategies import bookkeeping, cheap, replay, weights
from adapters.strategies.bookkeeping import Books
from adapters.strategies.cheap import norm
from adapters.strategies.estimator import UNKNOWN, monotonicity
from adapters.strategies.ledger import Rules
from adapters.strategies.lots import keys
from adapters.strategies.protocol import Around, Context, Planning, Report, Strategy, of_rows, taken
from adapters.strategies.refusal import SettingError, collecting, refusal
from adapters.strategies.tally import Tally
from scalebridge.checks import Check
from scalebridge.findings import Finding
from scalebridge.settings import setting
from scalebridge.strategies import Strategy as Given

type Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Adaptivity:
    """What error may be tolerated, and who answers where it may."""

    tolerance: float = setting(1e-3, "of the weighted mean of the errors, relative to the largest values", above=0)
    cheap: Given = setting(  # noqa: RUF009 - it is one of ours
        "surrogate", "who answers where it may: a strategy, or model: {run: MODULE, settings: ...}"
    )
    observables: tuple[str, ...] = setting((), "those whose error counts; all if none is named")
    weights: str = setting("", "file with points and what each counts; all the same without", file=True)
    audit: float = setting(0.02, "share of the rows that are solved in full to measure the error", minimum=0, maximum=1)
    confidence: float = setting(0.95, "that the sum of errors is below its bound", minimum=0.5, maximum=0.999)
    stay: int = setting(3, "time windows for which a row is solved in full at least, once it is", minimum=1)
    release: float = setting(
        0.5, "share of what makes a row solved in full, below which it is let go", minimum=0, maximum=1
    )
    warm_up: int = setting(1, "first time windows, in which every row is solved in full", minimum=0)
    memory: int = setting(1000, "steps after which a row is solved in full, so as not to remember more", minimum=1)
    history: str = setting(
        "auto",
        "whether the full model has a memory, so that rows have to make up for what they missed; auto: as it says",
        choices=("auto", "yes", "no"),
    )
    drive: str = setting("", "control whose error is bounded, if what it drives is monotone in it")
    response: str = setting("", "observable that it drives, of the same shape")
    stability: float = setting(0.0, "least slope of response by drive, in their units; 0: as measured", minimum=0)


class Adaptive(Around):
    """A cheap model and the full one.

    State: "model" and "cheap", the states of both; "path", what rows have to make up for, if the full model has a
    memory; "step", the last step, and the controls when its window had begun; "rows" and "run", the books
    (`bookkeeping`).
    """

    name: ClassVar[str] = "adaptive"
    Settings: ClassVar[type[Adaptivity]] = Adaptivity
    asks_together: ClassVar[bool] = True

    def __init__(self, model: MicroModel, settings: Adaptivity, context: Context) -> None:
        super().__init__(model, context)
        self.settings = settings
        wrong = list[Finding]()
        with collecting(wrong):
            self.names = _counted(settings, model)
        with collecting(wrong):
            self._pair = _pair(settings, model)
        with collecting(wrong):
            if settings.weights:
                weights.read(context.file(settings.weights), context.dimensions)
        with collecting(wrong):
            self.cheap = cheap.build(settings.cheap, model, context)
        if wrong:
            raise SettingError(wrong)
        self.history = _has_history(settings, context.plain or innermost(model))
        learned = not isinstance(self.cheap, cheap.Doubting)
        if learned and not settings.warm_up:
            told = "0 is too few with a cheap model that says nothing of its error: that has to be seen"
            raise refusal("adaptive", "warm_up", told, expected="1 or more")
        s, usual = settings, tuple(cheap.sizes(self.cheap, self.names).tolist())
        given = s.tolerance, s.confidence, s.stay, s.release, s.audit, s.warm_up, s.memory
        self.books = Books(self.names, Rules(*given, learned, not self.history, usual), context)
        self.tally = Tally(context)
        self._memo: tuple[State, State] | None = None
        context.remember("tally", self.tally)

    # ---- a batch of rows

    def start(self, points: Array, controls: Values) -> State:
        """Return the states of n rows at `points` (n, dim) [m]: both models start, and all rows are solved in full."""
        driven, n, s = _arrays(controls), len(points), self.settings
        weight = weights.load(self.context.file(s.weights), points) if s.weights else np.ones(n)
        inner, lot = self.model.start(points, controls), keys(points, seeds.named(self.context.seed, "adaptive"))
        result: dict[str, Any] = {"model": inner, "cheap": self.cheap.start(points, controls)}
        if self.history:
            result["path"] = replay.empty(driven)
        result["step"] = {"controls": driven, "begun": driven, "dt": np.zeros(n), "open": np.zeros(n, dtype=bool)}
        if self._pair:
            shape = driven[self._pair[0]].shape
            result["slope"] = {"least": np.full(n, UNKNOWN), "response": np.zeros(shape), "known": np.zeros(n, bool)}
        return {**result, **self.books.start(lot, weight, driven)}

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s]: all rows with the cheap model, those that are to be with the full one as well."""
        driven = _arrays(controls)
        full = self.books.in_full(state)
        if not len(full) and self.collective:
            return self.of_none(state, controls, dt)
        rows = np.flatnonzero(full)
        with self.tally.timing("cheap"), self._cheaply():
            quick, answers = self.cheap.solve(_group(state, "cheap"), controls, dt)
            stated = cheap.stated(self.cheap, quick, controls, self.names)
        path = self._path(state, dt)
        inner, seen = self._in_full(_group(state, "model"), path, driven, dt, rows)
        self.tally.solves(len(full) if dt > 0 else 0, rows.size if dt > 0 else 0)
        errors = np.stack([norm(np.asarray(seen[m]) - np.asarray(answers[m])[rows]) for m in self.names], axis=1)
        told = {name: _replaced(answers[name], rows, seen[name]) for name in self.observables}
        new: dict[str, Any] = {**state, "model": inner, "cheap": quick}
        if path is not None:
            new["path"] = replay.cleared(path, rows)
        if dt > 0:
            begun = _group(state, "step")["begun"]
            new["step"] = {"controls": driven, "begun": begun, "dt": np.full(len(full), dt), "open": ~full}
            sizes = np.stack([norm(told[name]) for name in self.names], axis=1)
            new["rows"] = self.books.noted(_group(state, "rows"), full, errors, sizes, stated)
            new |= self._slopes(state, driven, told, full)
        else:
            new["rows"] = self.books.stated(_group(state, "rows"), stated)
        return new, told

    def _in_full(
        self, state: State, path: State | None, controls: Values, dt: float, rows: Rows
    ) -> tuple[State, dict[str, Array]]:
        """Return the states of all rows with those that are solved in full renewed, and what was seen of these."""
        if not rows.size and not self.collective:
            return state, {name: np.zeros((0,) + (1,) * self.observables[name].rank) for name in self.observables}
        if path is not None:
            state = self._caught_up(state, path, rows)
        with self.tally.timing("full"), of_rows(rows):
            part, seen = self.model.solve(take(state, rows), taken(controls, rows), dt)
        if not rows.size:
            return state, seen
        return replay.placed(state, rows, part), {name: np.asarray(seen[name]) for name in self.observables}

    def _caught_up(self, state: State, path: State, rows: Rows) -> State:
        """Return the states after what the chosen rows have to make up for.

        All iterations of a window ask for the same, so the last answer is kept. It follows from the question alone.
        """
        behind = rows[replay.length(path)[rows] > 0]
        if not behind.size:
            return state
        question = {"state": take(state, behind), "path": take(path, behind)}
        if self._memo is None or not replay.same(self._memo[0], question):
            with self.tally.timing("replay"), of_rows(behind), self.context.apart():
                answer, made = replay.replayed(self.model, question["state"], question["path"])
            self.tally.replays(made)
            self._memo = question, answer
        return replay.placed(state, behind, self._memo[1])

    def _cheaply(self) -> AbstractContextManager[None]:
        """Return within what the cheap model is asked: it may ask the full one for a few rows, on this rank alone."""
        return nullcontext() if getattr(self.cheap, "asks_together", False) else self.context.apart()

    def _path(self, state: State, dt: float) -> State | None:
        """Return what rows have to make up for, with the last step if there is one in this window already."""
        if not self.history:
            return None
        return self._recorded(state) if dt > 0 else _group(state, "path")

    def _recorded(self, state: State) -> State:
        """Return the paths with the last step of the rows that were not solved in full in it."""
        step = _group(state, "step")
        rows = np.flatnonzero(cast(Array, step["open"]))
        return replay.pushed(_group(state, "path"), _group(step, "controls"), cast(Array, step["dt"]), rows)

    def _slopes(self, state: State, controls: Values, told: Values, full: NDArray[np.bool_]) -> dict[str, State]:
        """Return the least slope that was seen of each row, and what the next step needs for that."""
        if not self._pair:
            return {}
        drive, response = self._pair
        slope, before = _group(state, "slope"), _group(_group(state, "step"), "controls")
        new, least = np.asarray(told[response]), cast(Array, slope["least"])
        found = monotonicity(
            cast(Array, before[drive]), np.asarray(controls[drive]), cast(Array, slope["response"]), new
        )
        valid = full & cast(Array, slope["known"])
        return {"slope": {"least": np.where(valid, np.minimum(least, found), least), "response": new, "known": full}}

    # ---- all rows together

    def plan(self, state: State) -> State:
        """Return the state with the rows that the full model solves in the window that begins."""
        state = super().plan(state)
        new: dict[str, Any] = dict(state)
        if isinstance(self.cheap, Planning):
            new["cheap"] = self.cheap.plan(_group(state, "cheap"))
        if self.history:
            new["path"] = replay.fitted(self._recorded(state))
        new |= self.books.plan(new, self._foretold(new))
        step = _group(state, "step")
        new["step"] = {**step, "begun": step["controls"], "open": np.zeros_like(cast(Array, step["open"]))}
        return new

    def _foretold(self, state: State) -> Array | None:
        """Return what the cheap model says of its errors (n, o) after a window in which all goes on as in the last."""
        step = _group(state, "step")
        begun, now = _group(step, "begun"), _group(step, "controls")
        then = {name: 2 * cast(Array, now[name]) - cast(Array, begun[name]) for name in now}
        dt = float(cast(Array, step["dt"]).max(initial=0))
        return cheap.stated(self.cheap, _group(state, "cheap"), then, self.names, dt)

    def snapshot(self, state: State) -> dict[str, Array]:
        """Return the pictures of the full model (n, *cells[, ...]); NaN in rows that it has not just solved."""
        shown = {name: np.array(values, dtype=np.float64) for name, values in super().snapshot(state).items()}
        stale = cast(Array, _group(state, "step")["open"])
        for values in shown.values():
            values[stale] = np.nan
        return shown

    def audit(self, before: State, after: State) -> list[Check]:
        """Return the checks of the full model for the rows that it has solved over this step and no other."""
        solved = self.books.solved(after)
        if self.history:
            solved &= replay.length(_group(before, "path")) == 0
        rows = np.flatnonzero(solved)
        return super().audit(take(before, rows), take(after, rows)) if rows.size else []

    def conclude(self, state: State) -> list[Check]:
        """Return whether the bound was kept, as far as rows drawn by lot can tell, and whether it is as was asked."""
        found = super().conclude(state)
        if isinstance(self.cheap, Planning):
            found += self.cheap.conclude(_group(state, "cheap"))
        return found + bookkeeping.checks_of(self.books.outcome(state), self.settings.tolerance)

    def report(self, state: State) -> Report:
        """Return the bound, the error that was measured, and the costs."""
        outcome = self.books.outcome(state)
        told = bookkeeping.told(outcome) | self.tally.report()
        if self._pair:
            least = float(cast(Array, _group(state, "slope")["least"]).min(initial=UNKNOWN))
            slope = self.settings.stability or -self.context.largest(-least)
            told |= bookkeeping.bounded(outcome, self._pair, self._units(), slope)
        if isinstance(self.cheap, Strategy):
            told |= {f"cheap: {name}": value for name, value in self.cheap.report(_group(state, "cheap")).items()}
        return told

    def _units(self) -> tuple[str, str]:
        drive, response = self._pair
        return self.controls[drive].unit, self.observables[response].unit


def _counted(settings: Adaptivity, model: MicroModel) -> tuple[str, ...]:
    """Return the observables whose error counts."""
    wrong = list[Finding]()
    for name in settings.observables:
        with collecting(wrong):
            _require("observables", name, model.observables, "observable")
    if wrong:
        raise SettingError(wrong)
    return tuple(settings.observables) or tuple(model.observables)


def _pair(settings: Adaptivity, model: MicroModel) -> tuple[str, ...]:
    """Return the names of what drives and of what responds, if they are given."""
    drive, response = settings.drive, settings.response
    if not (drive or response or settings.stability):
        return ()
    if not (drive and response):
        given = "drive" if drive else "response" if response else "stability"
        raise refusal("adaptive", given, "a bound on the error of what drives needs both, drive and response")
    _require("drive", drive, model.controls, "control")
    _require("response", response, model.observables, "observable")
    one, other = model.controls[drive], model.observables[response]
    if (one.rank, one.per) != (other.rank, other.per):
        told = f"{drive} is a {one.kind} and {response} a {other.kind}: a slope needs two of one shape"
        raise refusal("adaptive", "drive", told)
    if settings.observables and response not in settings.observables:
        told = f"the error of {response} has to count: name it among the observables"
        raise refusal("adaptive", "response", told)
    return drive, response


def _require(setting: str, name: str, known: Mapping[str, Any], what: str) -> None:
    if name not in known:
        raise refusal("adaptive", setting, f"there is no {what} '{name}'", got=name, candidates=known)


def _has_history(settings: Adaptivity, plain: MicroModel) -> bool:
    if settings.history == "auto":
        return bool(getattr(plain, "history", True))
    return settings.history == "yes"


def _arrays(values: Values) -> dict[str, Array]:
    return {name: np.asarray(array, dtype=np.float64) for name, array in values.items()}


def _replaced(values: Any, rows: Rows, new: Array) -> Array:
    """Return values (n, ...) with those of the chosen rows replaced."""
    if not rows.size:
        return np.asarray(values)
    result = np.array(values, dtype=np.float64)
    result[rows] = new
    return result


def _group(state: State, name: str) -> State:
    """Return a branch of a state."""
    return cast(State, state[name])
