"""What stands in for rows that fail: the same model with smaller steps, another model, or the nearest other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import scipy

from adapters import ranks
from adapters.failing import models
from adapters.failing.attempt import Attempt, Failure, Part, Rows, attempt, merge, solving, starting
from adapters.micro import Array, MicroModel, State, Values, take
from adapters.wiring import CouplingError
from scalebridge import fallbacks
from scalebridge import settings as typed


@dataclass(frozen=True)
class Problem:
    """A batch of which some rows have failed: what `solve` got, the points (n, dim) [m], and who has which rows."""

    model: MicroModel
    state: State
    controls: Values
    dt: float
    points: Array
    ranks: ranks.Rows

    def driven(self, rows: Rows) -> dict[str, Array]:
        """Return the controls of the chosen rows."""
        return {name: np.asarray(values)[rows] for name, values in self.controls.items()}


class Policy(Protocol):
    """One way to go on.

    Attributes
    ----------
    name : its name in a case.
    own : whether what it gives comes from the micro model itself, state included. Otherwise the state of a row stays
        what it was before the step, its last good one.
    """

    name: ClassVar[str]
    own: ClassVar[bool]

    def help(self, failed: Sequence[int], problem: Problem, good: Sequence[Part]) -> Attempt:
        """Return what stands in for the failed rows, and for which of them nothing does; collective over the ranks.

        `good` is what the micro model itself has given for other rows.
        """
        ...


@dataclass(frozen=True)
class Retry:
    """2, 4, 8 ... equal steps instead of one, under the same controls throughout: those at the end of the step."""

    halvings: int
    name: ClassVar[str] = "retry"
    own: ClassVar[bool] = True

    def help(self, failed: Sequence[int], problem: Problem, good: Sequence[Part]) -> Attempt:
        found = Attempt()
        if problem.dt == 0:
            found.failed = dict.fromkeys(failed, Failure("a step of no length cannot be made smaller", "retry"))
            return found
        left = np.array(sorted(failed), dtype=np.int64)
        for halving in range(1, self.halvings + 1):
            tried = _in_steps(problem, left, 2**halving)
            found.parts += tried.parts
            found.failed = tried.failed
            left = np.array(sorted(tried.failed), dtype=np.int64)
        return found


def _in_steps(problem: Problem, rows: Rows, steps: int) -> Attempt:
    """Solve rows in equal steps; who fails in one is left out of the next."""
    failed: dict[int, Failure] = {}
    part = Part(rows, take(problem.state, rows), {})
    for _ in range(steps):
        call = solving(problem.model, part, problem.driven(part.rows), problem.dt / steps)
        tried = attempt(call, part.rows)
        failed |= tried.failed
        if not tried.parts:
            return Attempt([], failed)
        part = merge(tried.parts)
    return Attempt([part], failed)


@dataclass(frozen=True)
class OtherModel:
    """Another model, started anew under the present controls and solved over the step; its state is not kept."""

    model: MicroModel
    name: ClassVar[str] = "model"
    own: ClassVar[bool] = False

    def help(self, failed: Sequence[int], problem: Problem, good: Sequence[Part]) -> Attempt:
        rows = np.array(sorted(failed), dtype=np.int64)
        begun = attempt(starting(self.model, problem.points, problem.controls), rows)
        if not begun.parts:
            return begun
        part = merge(begun.parts)
        found = attempt(solving(self.model, part, problem.driven(part.rows), problem.dt), part.rows)
        found.parts = [Part(p.rows, take(problem.state, p.rows), p.observables) for p in found.parts]
        found.failed |= begun.failed
        return found


@dataclass(frozen=True)
class Neighbours:
    """The mean of the observables of the nearest rows that the micro model has solved, of whatever rank."""

    count: int
    name: ClassVar[str] = "neighbours"
    own: ClassVar[bool] = False

    def help(self, failed: Sequence[int], problem: Problem, good: Sequence[Part]) -> Attempt:
        points, values = self._solved(problem, good)
        rows = np.array(sorted(failed), dtype=np.int64)
        if not rows.size:
            return Attempt()
        if not len(points):
            return Attempt(failed=dict.fromkeys(failed, Failure("there is no neighbour that did not fail", self.name)))
        nearest = range(1, min(self.count, len(points)) + 1)
        _, chosen = scipy.spatial.cKDTree(points).query(problem.points[rows], k=list(nearest))
        means = {name: array[chosen].mean(axis=1) for name, array in values.items()}
        return Attempt([Part(rows, take(problem.state, rows), means)])

    def _solved(self, problem: Problem, good: Sequence[Part]) -> tuple[Array, dict[str, Array]]:
        """Return points (m, dim) and observables (m, ...) of all rows of all ranks that were solved."""
        part = merge(good) if good else None
        rows = part.rows if part else np.array([], dtype=np.int64)
        values = {}
        for name, field in problem.model.observables.items():
            mine = part.observables[name] if part else np.zeros((0,) * (1 + field.rank))
            values[name] = problem.ranks.everywhere(mine)
        return problem.ranks.everywhere(problem.points[rows]), values


def build(
    given: Sequence[fallbacks.Policy], model: MicroModel, seed: int, scaled: Callable[[MicroModel], MicroModel]
) -> list[Policy]:
    """Return the policies that a case names, in order.

    Parameters
    ----------
    given : as handed out.
    model : the micro model, with its scaling maps.
    scaled : gives another model the scaling maps of the case.

    Raises
    ------
    CouplingError
        If another model cannot be had, or does not have the fields of the one that it may stand in for.
    """
    result: list[Policy] = []
    for policy in given:
        match policy:
            case {"retry": parameters}:
                if signals := [name for name, field in model.controls.items() if field.per == "window"]:
                    raise CouplingError(
                        f"on-failure: retry solves a window in smaller steps, but {signals[0]} is a signal over it"
                    )
                result.append(Retry(**parameters))
            case {"neighbours": parameters}:
                result.append(Neighbours(**parameters))
            case {"model": parameters}:
                result.append(OtherModel(other(parameters, model, seed, scaled, "on-failure: model")))
    return result


def other(
    parameters: Mapping[str, Any],
    model: MicroModel,
    seed: int,
    scaled: Callable[[MicroModel], MicroModel],
    told: str,
) -> MicroModel:
    """Return another model, with scaling maps, that fits in the place of `model`. Raises CouplingError.

    Parameters
    ----------
    parameters : module to run, name of the model in it, and its settings as plain values.
    told : who wants it, for the message.
    """
    try:
        found = models.find(parameters["run"], parameters["model"])
    except models.ModelError as error:
        raise CouplingError(f"{told}: {error}") from error
    made = scaled(found(typed.build(found.Settings, parameters["settings"], plain=True), seed))
    for what in ("controls", "observables"):
        wanted, there = (
            {name: (field.unit, field.rank, field.symmetric) for name, field in getattr(one, what).items()}
            for one in (model, made)
        )
        if wanted != there:
            raise CouplingError(
                f"{told}: the {what} of '{parameters['run']}' are {', '.join(there)}, which does not fit "
                f"those that it is to stand in for, {', '.join(wanted)}: names, units and shapes have to be the same"
            )
    return made
