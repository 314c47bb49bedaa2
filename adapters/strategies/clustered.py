"""Representatives of points that are alike are solved, and what they show is copied to the others.

Who represents whom is planned before each time window, from what the points of all ranks have been through until then,
and stays so while the window is iterated. A point that follows another has that one's state; where it no longer is like
any representative it becomes one itself, and goes on from there or makes up for the steps that it has not been solved.

In every window some of the points that follow are drawn by lot and solved as well, under their own controls. That says
what copying costs in accuracy, and leaves the result as it is. Where paths are replayed it is the whole error; else
they go on from the state that they have, their representative's, and what it was to take that over remains unknown.

With the history of each window, a window is iterated with representatives alone, and when it is complete all that
followed are solved once. Their states are then right, errors do not add up, and copies say what a window changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from adapters.failing.attempt import spoiled
from adapters.micro import Array, MicroError, MicroModel, State, Values, take
from adapters.ranks import Rows
from adapters.strategies import lots, replay
from adapters.strategies.clusters import settings as clusters
from adapters.strategies.clusters import tangent, tolerances
from adapters.strategies.clusters.catching import Begun, CatchUp
from adapters.strategies.clusters.columns import apart, flat, largest
from adapters.strategies.clusters.copying import Solved, observables, states, within_reach
from adapters.strategies.clusters.errors import Errors, Measured
from adapters.strategies.clusters.history import History
from adapters.strategies.clusters.holding import Hold
from adapters.strategies.clusters.known import known
from adapters.strategies.clusters.paying import Ledger
from adapters.strategies.clusters.plan import Plan, Rule, everywhere
from adapters.strategies.clusters.settings import ClusterSettings
from adapters.strategies.clusters.similarity import NONE
from adapters.strategies.protocol import Around, Context, Report, of_rows, taken
from scalebridge import checks
from scalebridge.checks import Check

type Ids = NDArray[np.int64]


class Clustered(Around):
    """Solves representatives and copies to those that follow them.

    State: "model", what is within, for a follower its representative's; "driven" and "seen", the controls and
    observables of the last step, and "history" of those that are compared; "plan" as in `clusters.plan`, NONE before
    the first; "tolerances" (n, m); "key" of lots; "errors" that were measured; counts of "windows", of "solves", of
    steps "spared", and how often a follower has "left". With the history replayed "own" state, and "path" since then;
    "due" are those who have to catch up before anything else.
    """

    name: ClassVar[str] = "clustered"
    Settings: ClassVar[type[ClusterSettings]] = ClusterSettings
    asks_together: ClassVar[bool] = True

    def __init__(self, model: MicroModel, settings: ClusterSettings, context: Context) -> None:
        super().__init__(model, context)
        self.settings = settings
        self.tolerances, self.slopes = clusters.read(settings, self.controls, self.observables)
        self.absolute, self.linear = settings.rule == "absolute", settings.correct == "linear"
        self.replays, self.each = settings.history != "take-over", settings.history == "each-window"
        self.catch_up = CatchUp(model, self._shown)
        self.hold = Hold()
        self.ledger = Ledger(context)
        context.remember("costs", self.ledger)

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n simulations at `points` (n, dim) [m]; every one is solved until there is a plan."""
        n = len(points)
        inner = self.model.start(points, controls)
        inner, seen = self.model.solve(inner, controls, 0.0)
        driven = {name: np.asarray(controls[name], dtype=np.float64) for name in self.controls}
        seen = {name: np.asarray(seen[name], dtype=np.float64) for name in self.observables}
        history = History.begin(self._data(driven, seen), self.settings.memory)
        state: dict[str, State | Array] = {
            "model": inner,
            "driven": driven,
            "seen": seen,
            "history": history.state(),
            "plan": Plan.alone(np.full(n, NONE), self._near(driven)).state(),
            "tolerances": np.full(history.low.shape, np.inf),
            "key": lots.keys(points, self.context.seed),
            "errors": Errors.none(n, len(self.observables)).state(),
            **{name: np.zeros(n, dtype=np.int64) for name in ("windows", "solves", "spared", "left")},
        }
        kept: dict[str, State | Array] = {"own": inner, "path": replay.empty(driven), "due": np.zeros(n, dtype=bool)}
        return state | (kept if self.replays else {})

    # A window begins --------------------------------------------------------------------------------------------------

    def plan(self, state: State) -> State:
        """Return the state with who represents whom in the window that begins; collective."""
        state = super().plan(state)
        costs = self.ledger.close()
        if self.settings.when_it_pays and self.ledger.on:
            self.ledger.decide(costs)
        row, near = self._numbers(state), self._near(_arrays(state, "driven"))
        planned = Plan.alone(row, near), _array(state, "tolerances")
        if not _array(state, "windows")[0]:  # nothing is known of how points part
            return self._with(state, *planned)
        if not self.ledger.on and not self.ledger.trying:
            self.ledger.waited()
            return self._with(state, *planned)
        begun = perf_counter()
        with self.ledger.counted("beside"):
            found = self._planned(state, row, near)
        if not self.ledger.on:
            self.ledger.tried(found[0].followers, self.context.largest(perf_counter() - begun))
        return self._with(state, *(found if self.ledger.on else planned))

    def _numbers(self, state: State) -> Ids:
        """Return the numbers of the rows, counted over all ranks that are planned for together."""
        return np.arange(len(_array(state, "key"))) + (self._ranks.first if self._ranks else 0)

    @property
    def _ranks(self) -> Rows | None:
        """The ranks among which there may be representatives; None where there is one, or each is on its own.

        Beneath another strategy a rank is on its own, as it is not asked for its rows when the others are.
        """
        ranks = self.context.rows
        return ranks if ranks is not None and ranks.comm is not None and self.context.outermost else None

    def _planned(self, state: State, row: Ids, near: int) -> tuple[Plan, Array]:
        """Return the plan for the rows, and the tolerances (n, m) that it keeps; collective."""
        s, history, last = self.settings, History.of(_arrays(state, "history")), Plan.of(_arrays(state, "plan"))
        low, high = (everywhere(self._ranks, values) for values in (history.low, history.high))
        limits = tolerances.columns(self.tolerances, self._widths(state), low.min(axis=0), high.max(axis=0))
        audit = 0.0 if self.each else s.audit  # there all will be known
        rule = Rule(not self.absolute, s.history_param, s.coarsening_constant, s.refining_constant, near, audit)
        draws = lots.draw(cast(Any, _array(state, "key")), int(_array(state, "windows")[0]))
        plan = rule.plan(row, last.leads, history, limits, draws, self._ranks)
        return plan, np.broadcast_to(limits, (len(row), len(limits))).copy()

    def _with(self, state: State, plan: Plan, limits: Array) -> State:
        """Return the state with a plan; count who stops following."""
        left = plan.leads & ~Plan.of(_arrays(state, "plan")).leads
        more = {"windows": _array(state, "windows") + 1, "left": _array(state, "left") + left}
        path: dict[str, Any] = {}
        if self.replays:
            path = {"path": replay.fitted(_group(state, "path"))}
            path["due"] = (replay.length(path["path"]) > 0) & self.each
        return {**state, "plan": plan.state(), "tolerances": limits, **more, **path}

    # A step -----------------------------------------------------------------------------------------------------------

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s]. A row whose representative is out of reach is solved itself, and represents itself."""
        if dt == 0:
            inner, seen = self.model.solve(_group(state, "model"), controls, 0.0)
            return {**state, "model": inner}, seen
        if not len(_array(state, "key")) and self.collective:
            return self.of_none(state, controls, dt)
        driven = {name: np.asarray(controls[name], dtype=np.float64) for name in self.controls}
        ranks = self._ranks if self._ranks is not None and self._ranks.assembled else None
        plan = Plan.of(_arrays(state, "plan")) if ranks is not None else within_reach(Plan.of(_arrays(state, "plan")))
        begun = self._begun(state, plan)
        solved = self._solved(begun, driven, dt, plan)
        if ranks is not None and ranks.together("copies") is None:  # who has failed elsewhere represents nobody here
            plan, ranks = within_reach(plan), None
            begun = self._begun(state, plan)
            solved = self._solved(begun, driven, dt, plan)
        with self.ledger.counted("beside"):
            return self._copied(state, begun, driven, dt, plan, solved, ranks)

    def _begun(self, state: State, plan: Plan) -> Begun:
        """Return where rows begin: if paths are replayed at the ends of their own, as far as it has to be known."""
        seen, errors = flat(_arrays(state, "seen")), Errors.of(_arrays(state, "errors"))
        if not self.replays:
            return Begun(_group(state, "model"), seen, None, errors)
        own, path, due = _group(state, "own"), _group(state, "path"), np.asarray(state["due"])
        late = np.flatnonzero((plan.leads | plan.audited | due) & (replay.length(path) > 0))
        if not late.size:
            return Begun(own, seen, path, errors)
        with self.ledger.counted("catching"), self.context.apart():
            ends, ahead = self.catch_up(own, path, late)
        which = np.flatnonzero(due[late])
        away = largest(np.abs(ahead - seen[late])[which], _arrays(state, "seen"))
        seen[late] = ahead
        return Begun(
            replay.placed(own, late, ends), seen, replay.cleared(path, late), errors.with_more(late[which], away)
        )

    def _solved(self, begun: Begun, driven: Mapping[str, Array], dt: float, plan: Plan) -> Solved:
        """Solve the rows that represent themselves or others, and those that are audited."""
        rows = np.flatnonzero(plan.leads | plan.audited)
        if not rows.size and not self.collective:
            return Solved(rows, None, begun.seen[rows])
        started = perf_counter()
        begin = take(begun.state, rows)
        with of_rows(rows):
            inner, seen = self.model.solve(begin, taken(driven, rows), dt)
        self.ledger.solved(plan.leads, plan.audited, perf_counter() - started)
        if not rows.size:
            return Solved(rows, None, begun.seen[rows])
        values = {name: np.asarray(seen[name]) for name in self.observables}
        copied = self._ranks is not None or not plan.leads.all()
        if copied and (wrong := spoiled(begin, inner, values)):  # it stays where it is
            raise MicroError(rows[list(wrong)], next(iter(wrong.values())).what)
        return Solved(rows, inner, flat(values))

    def _copied(
        self,
        state: State,
        begun: Begun,
        driven: dict[str, Array],
        dt: float,
        plan: Plan,
        solved: Solved,
        ranks: Rows | None,
    ) -> tuple[State, dict[str, Array]]:
        """Return the state and observables of all rows, those of followers from their representatives."""
        copies, expected = self._observables(state, begun, driven, plan, solved, ranks)
        shown = expected if self.linear else copies
        shapes = _arrays(state, "seen")
        seen, compared = (apart(values, shapes) for values in (shown, expected))
        past = History.of(_arrays(state, "history"))
        new: dict[str, Any] = {
            **state,
            "model": states(_group(state, "model"), plan, solved, ranks),
            "driven": driven,
            "seen": seen,
            "history": past.then(self._data(driven, compared), dt, self.settings.history_param).state(),
            "plan": plan.state(),
            "errors": self._errors(begun.errors, plan, solved, shown, shapes).state(),
            "solves": _array(state, "solves") + plan.leads,
            "spared": _array(state, "spared") + ~plan.leads,
        }
        if begun.path is not None:
            n, rows = len(plan.row), solved.rows
            path = replay.cleared(begun.path, rows)
            new["path"] = replay.pushed(path, driven, np.full(n, dt), np.delete(np.arange(n), rows))
            new["own"] = begun.state if solved.state is None else replay.placed(begun.state, rows, solved.state)
            new["due"] = np.zeros(n, dtype=bool)
        return new, seen

    def _observables(
        self, state: State, begun: Begun, driven: dict[str, Array], plan: Plan, solved: Solved, ranks: Rows | None
    ) -> tuple[Array, Array]:
        """Return the observables (n, q) of all rows as they are copied, and as they are expected to first order.

        Where followers have caught up, it is the change since the start of the step that is copied.
        """
        fields = {**self.controls, **self.observables}
        told = known(self.slopes, fields, driven, _arrays(state, "seen"))
        controls, origin = flat(driven), np.zeros_like(begun.seen)
        if self.each:
            controls, origin = controls - flat(_arrays(state, "driven")), begun.seen
        steps = History.of(_arrays(state, "history")).steps
        step = int(_array(state, "windows").max(initial=0)), int(steps.max(initial=0))

        def held(row: Ids, moved: Array, change: Array) -> tuple[Array, Array]:
            return self.hold(step, row, moved, change)

        return observables(
            plan,
            solved,
            controls,
            origin,
            ranks,
            predict=self.absolute or self.linear,
            known=told,
            held=held if told.slopes else None,
        )

    def _errors(self, errors: Errors, plan: Plan, solved: Solved, shown: Array, shapes: Mapping[str, Array]) -> Errors:
        """Return the errors so far, with those of the rows that were audited."""
        chosen = plan.audited[solved.rows] & ~plan.leads[solved.rows]
        rows = solved.rows[chosen]
        return errors.with_more(rows, largest(np.abs(solved.seen[chosen] - shown[rows]), shapes))

    # What came of it --------------------------------------------------------------------------------------------------

    def audit(self, before: State, after: State) -> list[Check]:
        """Return the checks of the model within on the rows that were solved, and began where they were."""
        solved = Plan.of(_arrays(after, "plan")).leads
        if self.replays:
            solved &= replay.length(_group(before, "path")) == 0
            before = {**before, "model": before["own"]}
        rows = np.flatnonzero(solved)
        return super().audit(take(before, rows), take(after, rows)) if rows.size else []

    def conclude(self, state: State) -> list[Check]:
        """Return whether errors of copies kept to the tolerances, as far as they were measured; collective."""
        found = super().conclude(state)
        errors = Errors.of(_arrays(state, "errors")).measured(self.context, self.each)
        ends = np.cumsum([0, *self._widths(state)])[:-1]
        limits = dict(zip(self.tolerances, _array(state, "tolerances")[0, ends].tolist(), strict=True))
        for (name, field), error in zip(self.observables.items(), errors, strict=True):
            if not self.absolute or name not in limits or not error.count:
                continue
            drawn = "all but those of the last window" if self.each else "drawn by lot"
            source = f"{error.count} copies that were solved as well, {drawn}"
            for what, value in (("mean", error.mean + error.half), ("worst", error.worst)):
                told = f"{what} error of copied {name}{', upper 95 %' if what == 'mean' and not self.each else ''}"
                found.append(checks.at_most(told, value, limits[name], source=source, unit=field.unit))
        return found

    def report(self, state: State) -> Report:
        """Return how much was spared, what that cost in accuracy, and whether it paid; collective."""
        total, ledger = self.context.total, self.ledger
        plan = Plan.of(_arrays(state, "plan"))
        solves, spared, left = (int(total(float(_array(state, name).sum()))) for name in ("solves", "spared", "left"))
        told: Report = {
            "points": int(total(len(plan.row))),
            "representatives in the last window": int(total(int(plan.leads.sum()))),
            "steps solved": solves,
            "steps copied": spared,
            "points that stopped following": left,
        }
        errors = Errors.of(_arrays(state, "errors")).measured(self.context, self.each)
        for (name, field), error in zip(self.observables.items(), errors, strict=True):
            unit = "" if field.unit == "1" else f" [{field.unit}]"
            told |= _told(name, unit, error)
        return told | ledger.told()

    # What is compared -------------------------------------------------------------------------------------------------

    def _data(self, driven: Mapping[str, Array], seen: Mapping[str, Array]) -> Array:
        """Return the data (n, m) by which rows are compared."""
        values = {**driven, **seen}
        return flat({name: values[name] for name in self.tolerances})

    def _widths(self, state: State) -> list[int]:
        """Return the number of components of each datum."""
        values = {**_arrays(state, "driven"), **_arrays(state, "seen")}
        return [int(np.prod(values[name].shape[1:], dtype=np.int64)) for name in self.tolerances]

    def _shown(self, seen: Values) -> Array:
        """Return observables (n, q) side by side."""
        return flat({name: np.asarray(seen[name]) for name in self.observables})

    def _near(self, driven: Mapping[str, Array]) -> int:
        """Return how many neighbours a tangent is estimated from; none where nobody asks for it."""
        return tangent.support(flat(driven).shape[1]) if self.absolute or self.linear else 0


def _told(name: str, unit: str, error: Measured) -> Report:
    if not error.count:
        return {f"error of copied {name}": "not measured"}
    return {
        f"copies of {name} that were solved as well": error.count,
        f"mean error of copied {name}{unit}": error.mean,
        f"95 % interval of it, to either side{unit}": error.half,
        f"worst error of copied {name}{unit}": error.worst,
    }


def _group(state: State, name: str) -> State:
    return cast(State, state[name])


def _array(state: State, name: str) -> Array:
    return cast(Array, state[name])


def _arrays(state: State, name: str) -> Mapping[str, Array]:
    return cast(Mapping[str, Array], state[name])
