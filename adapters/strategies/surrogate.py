"""A trained law in place of the micro model: the physics built in, and an estimate of the error of each answer.

`scalebridge train CASE` makes the file. The micro model itself is not solved at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, MicroError, MicroModel, State, Values
from adapters.strategies.protocol import Around, Context, Report
from adapters.strategies.refusal import refusal
from scalebridge.checks import Check
from scalebridge.settings import setting

if TYPE_CHECKING:
    from adapters.strategies.learned.trained import Trained


AGAIN = "Train it again with: scalebridge train CASE"
FORMS = ("auto", "potential", "internal", "monotone")


@dataclass(frozen=True)
class SurrogateSettings:
    """Which law, what to do where it knows nothing, and how `scalebridge train` makes it."""

    file: str = setting("surrogate.npz", "what `scalebridge train` has made", file=True)
    outside: str = setting(
        "error", "what a question outside of what it was trained on is", choices=("error", "extrapolate")
    )
    confidence: float = setting(0.95, "share of errors that stay below their estimate", above=0, maximum=0.999)
    form: str = setting(
        "auto", "form of the law; auto: what fits the fields and the memory of the model", choices=FORMS
    )
    box: tuple[str, ...] = setting([], "ranges of the controls to train on: 'NAME=LOW..HIGH'")
    bounds: tuple[str, ...] = setting([], "what scalars can be, for a monotone law: 'NAME=LOW..HIGH'")
    paths: int = setting(160, "random paths; of recorded runs, points at most", minimum=7)
    steps: int = setting(24, "steps of each path", minimum=2)
    dt: float = setting("0 s", "length of a step; 0 for that of the time windows of the case", minimum=0)
    members: int = setting(4, "laws in the ensemble", minimum=1)
    iterations: int = setting(500, "iterations to fit each of them", minimum=1)
    elements: int = setting(12, "elements that flow, of an internal form", minimum=1)
    width: int = setting(
        -1, "units in hidden layers of energies; -1: 16 of a potential, 0 of an internal form", minimum=-1
    )
    ramps: int = setting(24, "ramps of a monotone law", minimum=1)
    isotropic: bool = setting(False, "whether only invariants of a tensor matter")
    convex: bool = setting(True, "whether the energy is convex")
    batch: int = setting(16, "paths that are solved together", minimum=1)


class Surrogate(Around):
    """A trained law.

    State: "memory", the internal variables of the law; "observed", what was shown last, by name, and "spread" (n,), by
    how much the members of the ensemble disagree on it; "outside" (n,) steps that ended outside of the box.
    """

    name: ClassVar[str] = "surrogate"
    Settings: ClassVar[type[SurrogateSettings]] = SurrogateSettings

    def __init__(self, model: MicroModel, settings: SurrogateSettings, context: Context) -> None:
        super().__init__(model, context)
        self.settings = settings
        self.law = _loaded(model, settings, context)

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n rows at rest, taken to the controls (n, ...) at the start."""
        n = len(points)
        self._require_inside(controls)
        return self._after(self.law.at_rest(n), controls, 0.0, np.zeros(n))

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s]; with dt = 0 show the state as it is."""
        if dt > 0:
            self._require_inside(controls)
            memory, outside = cast(State, state["memory"]), cast(Array, state["outside"])
            state = self._after(memory, controls, dt, outside)
        return state, dict(cast(Mapping[str, Array], state["observed"]))

    def uncertainty(self, state: State, controls: Values, dt: float = 0.0) -> dict[str, Array]:
        """Return the estimated errors (n,) of the observables that `solve` gives, each in its unit.

        Of tensors it is the Frobenius norm of the error. With the confidence of the settings the error is below this
        estimate at a step chosen at random on a path like those that were held out; outside of the box nothing is
        known, and it is infinite. With dt = 0 it is about the state as it is.
        """
        if dt > 0:
            n = len(cast(Array, state["outside"]))
            state = self._after(cast(State, state["memory"]), controls, dt, np.zeros(n))
        spread, activity = cast(Mapping[str, Array], state["spread"]), cast(Array, state["activity"])
        beyond = cast(Array, state["beyond"]) > 0
        found = {}
        for name, calibration in self.law.calibrations.items():
            found[name] = np.where(beyond, np.inf, calibration.estimate(spread[name], activity, self._factors[name]))
        return found

    @property
    def sizes(self) -> dict[str, float]:
        """How large the observables usually are, as far as the law has seen them."""
        return {name: calibration.size for name, calibration in self.law.calibrations.items()}

    def inner(self, state: State) -> State | None:
        """Return None: the micro model is not solved."""
        return None

    def audit(self, before: State, after: State) -> list[Check]:
        """Return no checks: what a law keeps it keeps by its form."""
        return []

    def report(self, state: State) -> Report:
        """Return the form, its error on paths that were held out, and the steps outside of what it was trained on."""
        found: dict[str, float | int | str] = {"form": self.law.name}
        for name, error in self.law.held_out.items():
            found[f"held-out error of {name}"] = error
        found["steps outside of the box"] = int(self.context.total(float(cast(Array, state["outside"]).sum())))
        for name, values in self.uncertainty(state, {}).items():
            largest = float(np.where(np.isfinite(values), values, 0).max(initial=0))
            key = f"largest estimated error of {name} at the end, inside of it [{self.observables[name].unit}]"
            found[key] = self.context.largest(largest)
        return found

    @cached_property
    def _factors(self) -> dict[str, float]:
        return {name: c.factor(self.settings.confidence) for name, c in self.law.calibrations.items()}

    def _require_inside(self, controls: Values) -> None:
        beyond = self.law.outside(controls)
        if beyond.any() and self.settings.outside == "error":
            raise MicroError(np.flatnonzero(beyond), self._beyond(controls, beyond))

    def _after(self, memory: State, controls: Values, dt: float, outside: Array) -> State:
        beyond = self.law.outside(controls)
        answer = self.law.respond(cast(Mapping[str, Array], memory), controls, dt)
        counted = outside + (beyond if dt > 0 else 0)
        return {
            "memory": answer.memory,
            "observed": answer.seen,
            "spread": answer.spread,
            "activity": answer.activity,
            "outside": counted,
            "beyond": beyond.astype(np.float64),
        }

    def _beyond(self, controls: Values, beyond: NDArray[np.bool_]) -> str:
        """Return what is asked, and what there is an answer to."""
        row = int(np.argmax(beyond))
        low, high = (self.law.law.told(end) for end in self.law.box)
        told = ", ".join(f"{name} {_shown(np.asarray(controls[name])[row])}" for name in low)
        numbers = "; ".join(f"{name} from {_shown(low[name])} to {_shown(high[name])}" for name in low)
        return (
            f"{told} is outside of what the surrogate was trained on ({numbers}); train it on more, or let it "
            "extrapolate with the setting outside: extrapolate"
        )


def _shown(value: Array) -> str:
    return " ".join(np.array2string(np.asarray(value), precision=4).split())


def _loaded(model: MicroModel, settings: SurrogateSettings, context: Context) -> Trained:
    """Return the law of the file. Raises SettingError where it is none, or does not fit the model."""
    from adapters.strategies import provenance  # a description does without these
    from adapters.strategies.box import required
    from adapters.strategies.learned.calibration import fewest
    from adapters.strategies.learned.trained import Trained

    path = context.file(settings.file)
    try:
        law = Trained.load(path)
    except provenance.FileError as error:
        raise refusal("surrogate", "file", str(error), fix=AGAIN) from error
    driving = required(model.controls)
    about: dict[str, Any] = provenance.of(model)
    wrong = law.misfit(driving, model.observables, about)
    if settings.form not in ("auto", law.name):
        wrong.insert(0, f"its form is {law.name}, the case asks for {settings.form}")
    if wrong:
        raise refusal("surrogate", "file", f"{path} does not fit the case: {'; '.join(wrong)}", fix=AGAIN)
    held_out = min((len(c.scores) for c in law.calibrations.values()), default=0)
    if held_out < (needed := fewest(settings.confidence)):
        told = f"{path} was calibrated on {held_out} paths; a confidence of {settings.confidence:g} needs {needed}"
        raise refusal("surrogate", "confidence", told, fix=AGAIN)
    return law
