"""What came of a diagnosis, in words: which strategy is right for a micro model here, and why."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from adapters.micro import MicroModel, innermost
from adapters.strategies.box import Box, BoxError, Recorded
from adapters.strategies.diagnosis.costs import SURROGATE, Costs, nodes_for
from adapters.strategies.diagnosis.memory import SEEN, Memory, memory, ways_of
from adapters.strategies.diagnosis.paths import LITTLE, PathTest, path_test
from adapters.strategies.diagnosis.places import CORNERS, MIDDLE, Place, distinct, middle, others, rest
from adapters.strategies.diagnosis.responses import Array, Probe

MANY = 6  # arguments from which on tables are hard to make
SHOWN = 3  # places that are called by their names
ALIKE = 0.5  # share of points that resemble others from which on representatives pay


@dataclass(frozen=True)
class Asked:
    """What a diagnosis is about.

    Attributes
    ----------
    time : in which the controls cross the box [s].
    tolerance : error that is allowed, as a share of the range of what is seen.
    solves : of the run; None where it is not known.
    dimensions : of the macro side.
    ends, directions : how many end points of paths, and directions of jumps (0: every component that varies).
    corners : from how many corners of the box paths, jumps and harmonic loading begin as well, at most.
    """

    box: Box
    time: float
    tolerance: float
    seed: int
    solves: int | None
    dimensions: int
    recorded: Recorded | None = None
    ends: int = 3
    directions: int = 0
    corners: int = CORNERS


@dataclass(frozen=True)
class Advice:
    """One strategy that is right, and why."""

    strategy: str
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """What came of it.

    Attributes
    ----------
    says : what the model says of its history itself; None where it does not.
    """

    name: str
    asked: Asked
    paths: PathTest
    memory: Memory
    costs: Costs
    says: bool | None

    @property
    def stays(self) -> bool:
        """Whether there is a memory that stays."""
        return self.paths.rest > self.asked.tolerance

    @property
    def fades(self) -> bool:
        """Whether there is a memory that fades, too slowly for a table."""
        slow = max(self.memory.error, self.paths.arrival) > self.asked.tolerance or math.isinf(self.memory.time)
        return slow and not self.stays

    @property
    def solves(self) -> int:
        """What the diagnosis took."""
        return self.paths.solves + self.memory.solves

    @property
    def left_out(self) -> list[str]:
        """Places from which the model cannot be followed, and why."""
        return list(dict.fromkeys([*self.memory.left_out, *self.paths.left_out]))

    @property
    def begin(self) -> str:
        """Where the memory shows most; "" where there is none."""
        if self.paths.rest > LITTLE:
            return self.paths.worst.begin
        if self.memory.error > SEEN:
            return self.memory.slowest.error_from
        return self.memory.lasting.time_from if self.memory.time else ""

    def advice(self) -> list[Advice]:
        """Return what is right, best first; the last is the micro model itself."""
        costs, found = self.costs, list[Advice]()
        if self.stays or self.fades:
            kind = "stays" if self.stays else "fades too slowly"
            found.append(
                Advice("adaptive", f"a memory that {kind} is followed by the full model where a trained law errs")
            )
            found.append(Advice("surrogate", "a trained law may have internal variables; its error is not bounded"))
        elif costs.pays is not False and (costs.arguments < MANY and costs.table <= 10 * SURROGATE):
            found.append(Advice("tabulated", f"what is seen follows from the controls, and {self._table()}"))
            found.append(Advice("surrogate", "a trained law would do as well"))
        elif costs.run is None or costs.run > SURROGATE:
            found.append(Advice("surrogate", f"what is seen follows from the controls, but {self._table()}"))
        recorded = self.asked.recorded
        if recorded is not None and recorded.alike > ALIKE:
            share = f"{100 * recorded.alike:.0f} % of the points"
            found.append(Advice("clustered", f"{share} have seen in all snapshots what others have seen"))
        last = "it needs nothing else, and is right everywhere"
        return [*found, Advice("concurrent", last if found else f"the run is short: {self._table()}")]

    def lines(self) -> list[str]:
        """Return all of it for people."""
        asked = self.asked
        told = [self.name, *(f"  {line}" for line in asked.box.told())]
        told.append(f"  the controls cross this box in {asked.time:.4g} s, w = {self.memory.frequency:.4g} 1/s")
        told += ["", *self._paths(), "", *self._memory(), "", *self._costs(), ""]
        best, *others = self.advice()
        told.append(f"right here: {best.strategy}, because {best.why}")
        told += [f"  or {other.strategy}: {other.why}" for other in others]
        told += [f"not followed from {one}" for one in self.left_out]
        told.append(f"this diagnosis took {self.solves} solves of the micro model{self._looked()}")
        return told

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, and the advice."""
        return {
            "name": self.name,
            "box": self.asked.box.told(),
            "time": self.asked.time,
            "tolerance": self.asked.tolerance,
            "paths": asdict(self.paths),
            "memory": {**asdict(self.memory), "time": self.memory.time, "deborah": self.memory.deborah},
            "costs": {"run": self.costs.run, "nodes": self.costs.nodes, "table": self.costs.table},
            "advice": [asdict(one) for one in self.advice()],
        }

    def _paths(self) -> list[str]:
        kept = "a memory that stays" if self.stays else "no memory that stays"
        lines = [
            f"path test, {self.paths.paths} paths: {kept}",
            f"  {'':24} on arrival  after a rest  work there and back",
        ]
        for one in self.paths.differences:
            work = "" if one.hysteresis is None else _percent(one.hysteresis)
            lines.append(f"  {one.observable:24} {_percent(one.arrival):>10}  {_percent(one.rest):>12}  {work:>19}")
            if one.circulation is not None and not (self.stays or self.fades):
                potential = "a potential" if one.circulation <= self.asked.tolerance else "no potential"
                lines.append(
                    f"  {'':24} work round a triangle {_percent(one.circulation)}: {potential} in {one.partner}"
                )
        worst = self.paths.worst
        if len(self.paths.places) > 1 and max(worst.rest, worst.arrival) > LITTLE:
            lines.append(f"  most from {worst.begin}")
        if self.says is False and (self.stays or self.fades):
            lines.append("  though the micro model says of itself that it has no history")
        return lines

    def _memory(self) -> list[str]:
        told = self.memory
        if math.isinf(told.time):
            line = f"Deborah number infinite: something still fades {told.held:.3g} s after a jump"
        else:
            line = f"Deborah number {told.deborah:.3g}: relaxation time {told.time:.3g} s"
        where = told.lasting.time_from if told.time else MIDDLE
        lines = [line + (f", from {where}" if where != MIDDLE else "")]
        for one in told.fading:
            if one.share or one.error > 1e-6:
                fades = f"{one.share:.3g} of what stays fades" if math.isfinite(one.share) else "all of it fades"
                missed = f"a table misses {_percent(one.error)} of the variation"
                begin = f", from {one.error_from}" if one.error > SEEN and one.error_from != where else ""
                lines.append(f"  {one.observable:24} {fades}; {missed}{begin}")
        return lines

    def _looked(self) -> str:
        """Return from where it was looked at."""
        places = list(dict.fromkeys([*self.paths.places, *self.memory.places]))
        if len(places) == 1:
            return ""
        told = f", begun at {len(places)} places" if len(places) > SHOWN else ", begun at " + "; ".join(places)
        return told + (": one linear law" if self.memory.linear else "")

    def _costs(self) -> list[str]:
        costs = self.costs
        lines = [f"{costs.arguments} argument{'s' * (costs.arguments != 1)}: {self._table()}"]
        if costs.loses:
            arguments = f"more arguments than the macro side has dimensions, {costs.dimensions}"
            lines.append(f"  {arguments}: a full table of {costs.full} nodes loses where both scales are refined")
        return lines

    def _table(self) -> str:
        costs = self.costs
        about = f"a table takes about {costs.table} solves for an error of {_percent(self.asked.tolerance)}"
        if costs.run is None:
            return about
        return f"{about}, the run {costs.run}"


def diagnose(model: MicroModel, asked: Asked, point: Array, name: str) -> Diagnosis:
    """Return what is to be said of a micro model with its scaling maps.

    Parameters
    ----------
    point : (dim,) [m] of the micro structure that is looked at.

    Raises
    ------
    BoxError
        If no control varies.
    DiagnosisError
        If the model cannot be followed.
    """
    box, free = asked.box, asked.box.free
    if not free.size:
        raise BoxError("no control varies in this box: there is nothing to diagnose")
    probe = Probe(model, asked.box, point)
    begins = _places(asked)
    kept = memory(
        probe,
        _frequency(asked),
        asked.seed,
        asked.directions,
        begins=distinct(box, [middle(box), *begins], by_way=True)[1:],
    )
    paths = path_test(probe, asked.time, asked.seed, asked.ends, [] if kept.linear else distinct(box, begins)[1:])
    nodes = [nodes_for(curvature, asked.tolerance) for curvature in kept.curvature]
    nodes = nodes if asked.directions == 0 else [max(nodes)] * free.size
    history = getattr(innermost(model), "history", None)
    return Diagnosis(name, asked, paths, kept, Costs(asked.solves, tuple(nodes), asked.dimensions), history)


def _frequency(asked: Asked) -> float:
    """Return w [1/s]: half a period crosses the box."""
    return math.pi / asked.time


def _places(asked: Asked) -> list[Place]:
    """Return where to begin, rest first."""
    box, recorded = asked.box, asked.recorded
    ways = ways_of(box, asked.seed, asked.directions) if asked.directions else None
    begun = recorded.begun if recorded is not None else None
    return [rest(box), *others(box, asked.seed, asked.corners, ways, begun)]


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %" if value >= 5e-5 else "0 %"
