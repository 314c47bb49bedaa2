"""The strategy that a diagnosis finds right, if what it needs is there; else the micro model itself.

The diagnosis is made when the run starts, with what the case says about the controls, so that all ranks come to the
same. What was chosen is part of the state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from adapters.micro import Array, MicroModel, State, Values
from adapters.strategies import registry
from adapters.strategies.protocol import Around, Context, Report, forget
from adapters.strategies.refusal import refusal, within
from adapters.wiring import CouplingError
from scalebridge.findings import ConfigurationError
from scalebridge.settings import setting
from scalebridge.strategies import CONCURRENT

if TYPE_CHECKING:
    from adapters.strategies.box import Box, Recorded

CHOICES = (CONCURRENT, "tabulated", "surrogate", "adaptive", "clustered")  # by their numbers in the state
MADE_BY = {"tabulated": "scalebridge tabulate", "surrogate": "scalebridge train", "adaptive": "scalebridge train"}


@dataclass(frozen=True)
class AutoSettings:
    """What is known of the run, and what there may be to choose from."""

    box: tuple[str, ...] = setting((), "ranges of the controls: 'NAME=LOW..HIGH', or 'NAME=HIGH' about zero")
    recorded: str = setting("", "folder of a run whose controls are the box")
    time: float = setting(
        "0 s", "in which the controls cross the box; 0: as recorded, else in the whole run", minimum=0
    )
    tolerance: float = setting(0.01, "error that is allowed, as a share of the range of what is seen", above=0)
    table: str = setting("table.npz", "what `scalebridge tabulate` has made, if it has", file="optional")
    surrogate: str = setting("surrogate.npz", "what `scalebridge train` has made, if it has", file="optional")
    outside: str = setting(
        "error",
        "what a question outside of the box is, if a trained law is used alone",
        choices=("error", "extrapolate"),
    )
    ends: int = setting(2, "places to which the path test leads", minimum=1)
    directions: int = setting(1, "in which the memory is looked at; 0 for each component", minimum=0)
    corners: int = setting(2, "corners of the box at which paths and jumps begin as well, at most", minimum=0)


class Auto(Around):
    """What is right, around a micro model.

    State: ``model``, that of what was chosen; choice (n,), its number in CHOICES.
    """

    name: ClassVar[str] = "auto"
    Settings: ClassVar[type[AutoSettings]] = AutoSettings

    def __init__(self, model: MicroModel, settings: AutoSettings, context: Context) -> None:
        super().__init__(model, context)
        self.settings, self.within = settings, model
        self.told: Report = {}
        self._chosen: int | None = None
        if not settings.box and not settings.recorded:
            told = "which controls will the micro simulations meet? Say box: ['NAME=LOW..HIGH', ...], or recorded: RUN"
            raise refusal("auto", "box", told)
        context.remember("diagnosis", self)
        if context.dimensions and not self.told:  # a run that goes on asks no more
            self._asked(context.dimensions)

    def start(self, points: Array, controls: Values) -> State:
        """Choose, and return the state of what was chosen."""
        if not self.told:
            self._choose(points.shape[1])
        choice = CHOICES.index(str(self.told["used"]))
        self._use(choice)
        return {"model": self.model.start(points, controls), "choice": np.full(len(points), choice, dtype=np.int8)}

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Let what was chosen advance by `dt` [s]."""
        self._use(_choice(state))
        inner, observables = self.model.solve(cast(State, state["model"]), controls, dt)
        return {"model": inner, "choice": state["choice"]}, observables

    def plan(self, state: State) -> State:
        """Let what was chosen decide for the time window that begins."""
        self._use(_choice(state))
        return super().plan(state)

    def report(self, state: State) -> Report:
        """Return what was chosen, and why."""
        return self.told

    def save(self) -> Report:
        """Return what came of the diagnosis, for a checkpoint."""
        return dict(self.told)

    def restore(self, value: Report) -> None:
        """Take back what came of it."""
        self.told = dict(value)

    def _use(self, choice: int) -> None:
        """Have what was chosen around the micro model."""
        if choice == self._chosen:
            return
        name, self._chosen = CHOICES[choice], choice
        context = self.context
        below = replace(context, remember=lambda key, thing: context.remember(f"chosen: {key}", thing))
        self.model = self._made(name, below)

    def _made(self, name: str, context: Context) -> MicroModel:
        """Return a strategy around the micro model; the model itself for `concurrent`."""
        if name == CONCURRENT:
            return self.within
        return registry.layer_of(name, self._layer(name), self.within, context)

    def _layer(self, name: str) -> dict[str, Any]:
        """Return the settings of a strategy.

        Iterations lead beyond what anybody has foreseen. There the micro model answers, where a strategy can ask it.
        """
        s = self.settings
        known: dict[str, dict[str, Any]] = {
            "tabulated": {"file": s.table, "outside": "model"},
            "surrogate": {"file": s.surrogate, "outside": s.outside},
            # of what is extrapolated nothing is known, so it is solved in full from the next time window on
            "adaptive": {
                "tolerance": s.tolerance,
                "cheap": {"surrogate": {"file": s.surrogate, "outside": "extrapolate"}},
            },
        }
        return known.get(name, {})

    def _lacks(self, name: str) -> str:
        """Return what a strategy needs and is not there, "" where it can be used."""
        file = {"tabulated": self.settings.table, "surrogate": self.settings.surrogate}
        file["adaptive"] = file["surrogate"]
        if name != CONCURRENT and name not in registry.STRATEGIES:
            return f"there is no strategy '{name}'"
        if name in file and not self.context.file(file[name]).is_file():
            return f"there is no file '{file[name]}', which {MADE_BY[name]} makes"
        try:
            self._made(name, replace(self.context, remember=forget))
        except CouplingError as error:  # a file of another model, or of other settings
            return str(error).removeprefix(f"{name}: ")
        return ""

    def _choose(self, dimensions: int) -> None:
        """Make the diagnosis, and choose the first that is right and can be used."""
        from adapters.strategies.diagnosis.answer import diagnose  # brings much that a description does without

        found = diagnose(self.within, self._asked(dimensions), np.zeros(dimensions), "strategy auto")
        advice = found.advice()
        lacking = [(one, self._lacks(one.strategy)) for one in advice]
        used = next(one for one, lacks in lacking if not lacks)
        self.told = {
            "right": advice[0].strategy,
            "used": used.strategy,
            "why": used.why,
            "Deborah number": found.memory.deborah,
            "error of a table": found.memory.error,
            "difference of paths after a rest": found.paths.rest,
            "solves of the diagnosis": found.solves,
            **({"found from": found.begin} if found.begin else {}),
        }
        lines = found.lines()
        for one, lacks in lacking[: advice.index(used)]:
            lines.append(f"{one.strategy} is not used: {lacks}")
            self.told[f"not {one.strategy}"] = lacks
        lines.append(f"used: {used.strategy}")
        if self.context.rows is None or self.context.rows.rank == 0:
            print("\n".join(lines), flush=True)

    def _asked(self, dimensions: int) -> Any:
        """Return what the diagnosis is about. Raises SettingError."""
        from adapters.strategies.diagnosis.asking import ITERATIONS, asking

        s, context = self.settings, self.context
        box, recorded = self._box(dimensions)
        try:
            asked = asking(
                box,
                recorded,
                horizon=(context.end or np.inf, context.windows, None),
                time=s.time,
                tolerance=s.tolerance,
                seed=context.seed,
                dimensions=dimensions,
                points=context.rows.total if context.rows is not None else 0,
                iterations=1 if context.explicit else ITERATIONS,
            )
        except CouplingError as error:
            raise refusal("auto", "time", str(error)) from error
        return replace(asked, ends=s.ends, directions=s.directions, corners=s.corners)

    def _box(self, dimensions: int) -> tuple[Box, Recorded | None]:
        """Return the box that is given or recorded, and what was recorded. Raises SettingError."""
        from adapters.strategies import box as boxes

        s = self.settings
        try:
            if not s.recorded:
                return boxes.parse(s.box, self.controls, dimensions, "auto"), None
            run = self.context.file(s.recorded)
            return boxes.recorded(run, boxes.participant_in(run, self.controls), self.controls)
        except ConfigurationError as error:
            raise within(error, "auto", "box") from error
        except boxes.BoxError as error:
            raise refusal("auto", "recorded" if s.recorded else "box", str(error)) from error


def _choice(state: State) -> int:
    return int(cast(Array, state["choice"])[0])
