"""Rows go to other ranks to be solved and come home again, so that all ranks are done at about the same time.

Where all ranks are asked together they tell each other what their rows will cost, as far as earlier steps have shown.
If that is unequal enough to be worth it, rows travel to ranks with less to do, each with its state and controls, are
solved there among others, and their states and observables come back. At the end of every solve each row is at home, so
whoever is outside cannot tell, but for the time that it takes; nor does a checkpoint, but for the costs.

A batch that fails gives its guests back as they came. They are solved where they belong, and what fails fails there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, MicroModel, OneByOne, State, Telling, Values, concatenate, innermost, take
from adapters.ranks import Rows
from adapters.strategies.protocol import Around, Context, Report, Strategy, of_rows, taken
from adapters.strategies.spreading import costs
from adapters.strategies.spreading.account import LATENCY, Account
from adapters.strategies.spreading.costs import UNKNOWN
from adapters.strategies.spreading.journey import Journey, Outcome
from adapters.strategies.spreading.layout import Layout
from adapters.strategies.spreading.placing import Placing, loads, place
from adapters.wiring import CouplingError
from scalebridge.settings import setting

type Ids = NDArray[np.int64]


@dataclass(frozen=True)
class DistributedSettings:
    """When rows move."""

    imbalance: float = setting(
        0.1, "by how much of the mean the slowest rank may take longer until rows move", minimum=0
    )
    recent: float = setting(0.5, "what the last step counts in the moving mean of what a row costs", above=0, maximum=1)
    when_it_pays: bool = setting(True, "whether rows stay where moving them takes longer than it spares, as measured")


class Distributed(Around):
    """Solves rows on whatever rank has time.

    State: "model", what is within; cost (n,), the moving mean of what a row has cost, UNKNOWN before the first step.
    """

    name: ClassVar[str] = "distributed"
    Settings: ClassVar[type[DistributedSettings]] = DistributedSettings

    def __init__(self, model: MicroModel, settings: DistributedSettings, context: Context) -> None:
        super().__init__(model, context)
        self.settings = settings
        rows = context.rows
        self.ranks: Rows | None = rows if rows is not None and rows.comm is not None else None
        _require_place(model, context, several=self.ranks is not None)
        self.account = Account()
        context.remember("moves", self.account)

    @property
    def collective(self) -> bool:
        """Whether it wants to be asked on all ranks, even for no rows: others may have some to give."""
        return self.ranks is not None

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n simulations at `points` (n, dim) [m]."""
        return {"model": self.model.start(points, controls), "cost": np.full(len(points), UNKNOWN)}

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s]: with the other ranks where they are assembled, else the rows of this rank alone."""
        if self.ranks is None or not self.ranks.assembled or dt == 0:
            return self._alone(state, controls, dt)
        cost = cast(Array, state["cost"])
        driven = {name: np.asarray(controls[name]) for name in self.controls}
        rows: State = {"state": cast(State, state["model"]), "controls": driven}
        layout = Layout.of(rows, len(cost))
        known = cost != UNKNOWN
        said = len(cost), known.sum(), cost[known].sum(), self.account.pace
        heard = self.ranks.together(f"rows {layout} over {dt!r} s", *said)
        if heard is None:
            return self._alone(state, controls, dt)
        placing = self._placing(self.ranks, cost, heard, layout.width)
        if placing is None:
            return self._at_home(self.ranks, state, driven, dt)
        journey = Journey.begin(self.ranks, placing, rows, layout)
        if journey is None:
            return self._alone(state, controls, dt)
        outcome = self._outcome(journey, dt)
        found = journey.end(outcome)
        if found is None:
            return self._alone(state, controls, dt)
        return self._settled(journey, found, state, driven, dt)

    def report(self, state: State) -> Report:
        """Return how many rows moved, and what came of it; collective."""
        return self.account.report(self.context)

    # ---- without a journey

    def _alone(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance the rows of this rank; of no rows the model within is not asked."""
        if not len(cast(Array, state["cost"])):
            return state, {name: _none(field) for name, field in self.observables.items()}
        inner, seen = self.model.solve(cast(State, state["model"]), controls, dt)
        return {**state, "model": inner}, seen

    def _at_home(
        self, ranks: Rows, state: State, driven: Mapping[str, Array], dt: float
    ) -> tuple[State, dict[str, Array]]:
        """Advance the rows of each rank where they are, and see what that takes."""
        begun = perf_counter()
        new, seen = self._alone(state, driven, dt)
        seconds, cost = perf_counter() - begun, cast(Array, state["cost"])
        measured = self._measured(new, costs.shared(costs.filled(cost), seconds))
        heard = ranks.together("solved at home", seconds, measured.sum(), len(cost))
        if heard is not None:
            self.account.note(heard[:, 0], heard[:, 0], heard[:, 1].sum(), rows=int(heard[:, 2].sum()))
        return {**new, "cost": costs.mean(cost, measured, self.settings.recent)}, seen

    # ---- with one

    def _placing(self, ranks: Rows, cost: Array, heard: Array, width: int) -> Placing | None:
        """Return who solves what; None where each rank does best with its own rows. Collective.

        Parameters
        ----------
        heard : (ranks, 4) rows of each rank, those whose costs are known, these costs, and seconds for a byte.
        width : bytes that travel with a row.
        """
        counts, known, sums, paces = heard.T
        if not sums.sum() > 0:
            return None
        typical = float(sums.sum() / known.sum())
        load = sums + (counts - known) * typical
        if load.max() <= (1 + self.settings.imbalance) * load.mean():
            return None
        everywhere = ranks.everywhere(costs.filled(cost, typical))
        home = np.repeat(np.arange(len(counts)), counts.astype(np.int64))
        there_and_back = 2 * width * float(paces.max()) / self.account.unit if self.settings.when_it_pays else 0.0
        where = place(everywhere, home, len(counts), least=there_and_back)
        placing = Placing(everywhere, home, where, len(counts))
        if not placing.moved:
            return None
        gain = load.max() - loads(everywhere, where, len(counts)).max()
        latency = LATENCY / self.account.unit if self.settings.when_it_pays else 0.0
        return placing if gain > latency + there_and_back * placing.busiest else None

    def _outcome(self, journey: Journey, dt: float) -> Outcome:
        """Solve the batch of this rank: its own rows that have stayed, and its guests."""
        begun = perf_counter()
        if not journey.size:
            return Outcome.nothing()
        try:
            batch = journey.batch()
            inner, seen = self.model.solve(cast(State, batch["state"]), cast(Values, batch["controls"]), dt)
            result: State = {"state": inner, "seen": {name: np.asarray(seen[name]) for name in self.observables}}
            return Outcome.of(result, journey, perf_counter() - begun)
        except Exception:  # it will come again where the rows are at home, and be reported there
            return Outcome.failed(perf_counter() - begun)

    def _settled(
        self,
        journey: Journey,
        found: tuple[list[Ids], list[State]],
        state: State,
        driven: Mapping[str, Array],
        dt: float,
    ) -> tuple[State, dict[str, Array]]:
        """Return what came of all rows of this rank; those that nobody has solved are solved now.

        `found` are rows that were solved, wherever that was, and their states and observables.
        """
        rows, parts = found
        cost, before = cast(Array, state["cost"]), cast(State, state["model"])
        self.account.travelled(journey)
        solved = np.zeros(len(cost), dtype=bool)
        solved[np.concatenate([*rows, np.zeros(0, dtype=np.int64)])] = True
        left = np.flatnonzero(~solved)
        if left.size:
            with of_rows(left):
                inner, seen = self.model.solve(take(before, left), taken(driven, left), dt)
            part: State = {"state": inner, "seen": {name: np.asarray(seen[name]) for name in self.observables}}
            Layout.of(part, len(left))  # every array has a row for each
            rows, parts = [*rows, left], [*parts, part]
        if not parts:
            return self._alone(state, driven, dt)
        whole = take(concatenate(parts), np.argsort(np.concatenate(rows)))
        new: State = {**state, "model": cast(State, whole["state"])}
        measured = self._measured(new, journey.shares)
        cost = np.where(solved, costs.mean(cost, measured, self.settings.recent), cost)
        return {**new, "cost": cost}, cast(dict[str, Array], whole["seen"])

    def _measured(self, state: State, shares: Array) -> Array:
        """Return what each row has cost (n,): what the model says, else its share of the seconds of its batch."""
        said = self.model.work(cast(State, state["model"])) if isinstance(self.model, Telling) else None
        return shares if said is None else np.asarray(said, dtype=np.float64)


def _none(field: Any) -> Array:
    """Return an observable of no rows."""
    return np.zeros((0,) + (1,) * (field.rank + (field.per == "window")))


def _require_place(model: MicroModel, context: Context, *, several: bool) -> None:
    """Raise CouplingError where rows cannot move."""
    if isinstance(model, Strategy):
        raise CouplingError(
            f"distributed: it moves rows of the micro model itself, so {model.name} cannot be within it: "
            f"[{model.name}, distributed]"
        )
    if not context.together:
        raise CouplingError(
            "distributed: the strategy around it asks on one rank while the others do something else; expected it "
            "alone, or beneath adaptive and clustered only"
        )
    if several and isinstance(innermost(model), OneByOne):
        raise CouplingError(
            f"distributed: {type(innermost(model)).__name__} holds one object for each micro simulation, and objects "
            "cannot go to other ranks: remove the strategy"
        )
