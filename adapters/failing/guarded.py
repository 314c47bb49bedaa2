"""A micro model whose failures are found, kept, and dealt with as the case says; never passed over in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from adapters.failing.attempt import Attempt, Failure, Part, WholeBatchError, attempt, merge, solving, starting
from adapters.failing.capsule import Place
from adapters.failing.capsules import Capsules
from adapters.failing.policies import Policy, Problem
from adapters.failing.tally import FAILED, Tally
from adapters.micro import Array, Audited, MicroModel, State, Values, repeatable, take
from adapters.ranks import Rows
from adapters.wiring import CouplingError
from scalebridge.checks import Check
from scalebridge.fallbacks import WORDS

# Where the run stops anyway, so many failed rows are looked for; of more it is only said that there are more.
SEARCHED = 64


class MicroFailure(CouplingError):
    """Micro simulations have failed, and nothing was to stand in for them, or could."""


class Guarded:
    """A micro model that survives, or explains, the failure of single rows.

    Parameters
    ----------
    model : the model, with its scaling maps.
    points : (n, dim) [m], of the rows of this rank.
    ranks : who has which rows; every method is collective.
    policies : what stands in for rows that fail, in order; where none helps the run stops.
    capsules : where rows that fail are kept.

    Attributes
    ----------
    place : where the run stands; whoever calls `solve` keeps it up to date through `at`.
    tally : how often what has happened.
    """

    def __init__(
        self, model: MicroModel, points: Array, ranks: Rows, policies: Sequence[Policy], capsules: Capsules
    ) -> None:
        self.model, self.points, self.ranks = model, points, ranks
        self.policies, self.capsules = tuple(policies), capsules
        self.controls, self.observables = model.controls, model.observables
        self.place = Place("start")
        self.tally = Tally([policy.name for policy in policies], ranks)
        self._told = -1  # the last window in which failures were told of

    def at(self, place: Place) -> None:
        """Say where the run stands."""
        self.place = place
        self.tally.begin(place.window, place.iteration)

    def start(self, points: Array, controls: Values) -> State:
        """Return the state at the start. Nothing stands in for a row that has none: where one fails, the run stops."""
        self.at(Place("start"))
        problem = Problem(self.model, {}, controls, 0.0, points, self.ranks)
        tried = self._attempt(problem)
        if self.ranks.counts(len(tried.failed)).sum():
            self._stop(tried.failed, problem, {})
        return tried.parts[0].state

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s], with something standing in for rows that fail."""
        problem = Problem(self.model, state, controls, dt, self.points, self.ranks)
        tried = self._attempt(problem)
        if self.ranks.counts(len(tried.failed)).sum():
            whole = self._stand_in(tried, problem)
            return whole.state, whole.observables
        return tried.parts[0].state, tried.parts[0].observables

    def audit(self, before: State, after: State) -> list[Check]:
        """Return the model's checks on a step, of the rows that it has solved itself."""
        if not isinstance(self.model, Audited):
            return []
        stale = self.tally.in_iteration(policy.name for policy in self.policies if not policy.own)
        if not stale:
            return self.model.audit(before, after)
        kept = np.delete(np.arange(self.ranks.count), sorted(stale))
        return self.model.audit(take(before, kept), take(after, kept)) if kept.size else []

    @property
    def _stops(self) -> bool:
        """Whether any failure ends the run, so that not all of them have to be found."""
        return not self.policies or self.place.phase == "start"

    def _attempt(self, problem: Problem, rows: Iterable[int] | None = None) -> Attempt:
        which = np.arange(len(problem.points)) if rows is None else np.array(list(rows), dtype=np.int64)
        if self.place.phase == "start":
            call = starting(self.model, problem.points, problem.controls)
        else:
            given = Part(which, problem.state if rows is None else take(problem.state, which), {})
            call = solving(self.model, given, problem.driven(which) if rows else problem.controls, problem.dt)
            call = self.ranks.assembling(call) if rows is None else call
        try:
            return attempt(call, which, SEARCHED if self._stops else None, repeatable=repeatable(self.model))
        except WholeBatchError as error:
            self._stop_together(error, problem)

    def _stand_in(self, tried: Attempt, problem: Problem) -> Part:
        """Return all rows, with something standing in for those that failed; stop where nothing does."""
        own, others, left = list(tried.parts), list[Part](), dict(tried.failed)
        self.tally.note(FAILED, left)
        reasons: dict[int, list[str]] = {row: [] for row in left}
        helped: dict[str, int] = {}
        for policy in self.policies:
            if not self.ranks.counts(len(left)).sum():
                break
            found = self._help(policy, sorted(left), problem, own)
            (own if policy.own else others).extend(found.parts)
            rows = [row for part in found.parts for row in part.rows.tolist()]
            self.tally.note(policy.name, rows)
            helped[policy.name] = int(self.ranks.counts(len(rows)).sum())
            left = {row: failure for row, failure in left.items() if row not in set(rows)}
            for row in left:
                reasons[row].append(f"{policy.name}: {found.failed[row].what}")
        if self.ranks.counts(len(left)).sum():
            self._stop(left, problem, reasons)
        kept = self.capsules.keep(sorted(tried.failed), self._explain(tried.failed, problem), problem, self.place)
        self._tell(tried.failed, helped, kept)
        return merge([*own, *others])

    def _help(self, policy: Policy, rows: Sequence[int], problem: Problem, good: Sequence[Part]) -> Attempt:
        try:
            return policy.help(rows, problem, good)
        except WholeBatchError as error:
            self._stop_together(error, problem)

    def _explain(self, failed: dict[int, Failure], problem: Problem) -> Callable[[int], Failure]:
        """Return what says why a row failed; one that failed together with others is tried alone for that."""

        def explain(row: int) -> Failure:
            failure = failed[row]
            if failure.alone:
                return failure
            again = self._attempt(problem, [row]).failed.get(row)
            return again or replace(failure, what=f"{failure.what} (in the batch; alone it does not fail)")

        return explain

    def _tell(self, failed: dict[int, Failure], helped: dict[str, int], kept: Sequence[str]) -> None:
        """Say what happened, once for each window: the rank that has the first of the rows, for all of them."""
        counts = self.ranks.counts(len(failed))
        if self.ranks.rank != int(np.argmax(counts > 0)) or (self._told == self.place.window and not kept):
            return
        self._told = self.place.window
        first = min(failed)
        done = ", ".join(f"{n} {WORDS[name]}" for name, n in helped.items() if n)
        print(f"{self._headline(first, int(counts.sum()))}: {failed[first].what}; {done}", flush=True)
        for path in kept:
            print(f"  kept: {path}", flush=True)

    def _stop(self, failed: dict[int, Failure], problem: Problem, reasons: dict[int, list[str]]) -> NoReturn:
        """End the run: the rank that has the first of the rows speaks, when all have written their capsules."""
        counts = self.ranks.counts(len(failed))
        kept = self.capsules.keep_last(sorted(failed), self._explain(failed, problem), problem, self.place)
        self.ranks.counts(0)
        if self.ranks.rank != int(np.argmax(counts > 0)):
            self.ranks.counts(0)  # wait for the end, which comes with the rank that speaks
        first, *others = kept
        failure, path = kept[first]
        searched = self._stops and (counts >= SEARCHED).any()
        text = [
            f"{self._headline(first, int(counts.sum()), 'at least ' if searched else '')}: {failure.what}. "
            f"{self.capsules.remedy(path)}"
        ]
        text += [f"  row {self.ranks.first + r}: {kept[r][0].what}; kept: {kept[r][1]}" for r in others]
        text += [f"  nothing stood in for row {self.ranks.first + first}: {why}" for why in reasons.get(first, ())]
        raise MicroFailure("\n".join([*text, *_indented(failure.trace)]))

    def _stop_together(self, error: WholeBatchError, problem: Problem) -> NoReturn:
        """End the run because of rows that fail only together."""
        rows = error.rows.tolist()
        path = self.capsules.save(rows, error.failure, problem, self.place)
        told = self._headline(rows[0], len(rows))
        raise MicroFailure(
            "\n".join(
                [
                    f"{told}: {error.failure.what}, but none of them fails alone: the model does not treat them "
                    f"independently, or memory was short. {self.capsules.remedy(path, 'them')}",
                    *_indented(error.failure.trace),
                ]
            )
        )

    def _headline(self, row: int, count: int, about: str = "") -> str:
        """Return who, how many, which first, where and when."""
        point = ", ".join(f"{x:g}" for x in self.points[row])
        total, number = self.ranks.total, self.ranks.first + row
        return (
            f"{self.capsules.program.participant}: {about}{count} of {total} micro simulations failed, the first is "
            f"row {number} at ({point}), {self.place}"
        )


def _indented(trace: str) -> list[str]:
    return [f"  {line}" for line in trace.rstrip().splitlines()]
