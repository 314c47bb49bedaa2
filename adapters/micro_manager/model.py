"""A class written for the preCICE Micro Manager as a micro model: state in, state and observables out.

    class Grains(MicroManager, config="micro-manager-config.json"):
        '''Grains that dissolve.'''

is the model of a participant in a case. The state of n micro simulations is

    state     what `get_state` returned, see `adapters.micro_manager.states`
    seen      what was written last, (n, ...) by name of the data
    began     what `initialize` was given, (n, ...) by name of the data
    number    the number that the class was constructed with
    serial    the number of the solve that the state comes from, so that an object knows whether it is in it already
    steps     how many steps were made
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from adapters.micro import Array, MicroError, State, Values
from adapters.micro_manager import loading, states
from adapters.micro_manager.fields import fields, require_inside
from adapters.micro_manager.objects import Objects, release
from adapters.ranks import world
from adapters.wiring import CouplingError
from scalebridge import checks
from scalebridge.cases.foreign import micro_manager
from scalebridge.cases.foreign.micro_manager import MicroManagerFile
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError, nearest
from scalebridge.settings import setting


@dataclass(frozen=True)
class Settings:
    """How far a class is trusted."""

    state_tolerance: float = setting(
        1e-6, "largest relative difference between two solves from one state; 0 for no such check", minimum=0
    )


@dataclass(frozen=True)
class FileSettings(Settings):
    """The file too, where no class names it."""

    config: str = setting("", "the file of the Micro Manager")


@dataclass(frozen=True)
class _Solved:
    """What one micro simulation gave: its state, and what is written."""

    state: Any
    seen: dict[str, Array]


class MicroManager:
    """The micro simulations of a class written for the Micro Manager, one object each.

    A subclass names the file (``config=``, beside its module or absolute) and may name units of data (``units=``); the
    Micro Manager knows none, so they are pure numbers without.

    Parameters
    ----------
    settings : an object of `Settings`; of `FileSettings` where no subclass names the file.
    seed : not used: the classes have no place for it.

    Attributes
    ----------
    first_row : number of the first micro simulation of this process; to be set before `start`. None outside of a run,
        such as in training, where points may be anywhere.
    max_dt : longest step [s], `micro_dt` of the file.
    made_of : what the file says that is a setting of any other model, for tables and trained laws.
    """

    Settings: ClassVar[type] = FileSettings
    controls: dict[str, Field] = {}  # noqa: RUF012  (of the class where it names a file, else of the object)
    observables: dict[str, Field] = {}  # noqa: RUF012
    file: MicroManagerFile | None = None

    def __init_subclass__(cls, config: str = "", units: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        if not config:
            return
        beside = Path(getattr(sys.modules[cls.__module__], "__file__", None) or ".").resolve().parent
        try:
            cls.file = micro_manager.load(beside / config)
            cls.controls, cls.observables = fields(cls.file, units or {})
        except ConfigurationError as error:  # in one line, which is what a description may tell
            raise TypeError("; ".join(map(str, error.findings))) from None
        cls.Settings = Settings

    def __init__(self, settings: Any, seed: int = 0) -> None:
        del seed
        self.settings = settings
        if self.file is None:
            self.file = micro_manager.load(Path(settings.config))
            self.controls, self.observables = fields(self.file, {})
        comm = world()
        for warning in self.file.warnings if comm is None or comm.rank == 0 else ():
            print(warning, flush=True)
        self.made_of: dict[str, Any] = {"class": self.file.module, "micro_dt": self.file.micro_dt}
        self.kind = loading.load(self.file.module, self.file.file.parent)
        self.first_row: int | None = None
        self.max_dt = self.file.micro_dt
        self.objects = Objects(self.kind)
        self.names = [name for name in self.observables if name in self.file.writes]
        self._serial = 0
        self._alike = True  # the states of all objects, up to now
        self._solved: dict[tuple[Any, ...], _Solved] = {}  # of a batch in which others have failed
        self._told = False
        self.checked: Check | None = None

    # ---- what a micro model does

    def start(self, points: Array, controls: Values) -> State:
        """Make an object for each point and initialise it under the controls (n, ...)."""
        assert self.file is not None
        if self.first_row is not None:
            require_inside(self.file, points)
        first = self.first_row or 0
        begun: list[_Solved] = []
        for row in range(len(points)):
            with _failing(row):
                begun.append(self._begun(first + row, _of_row(controls, row)))
        numbers = np.arange(first, first + len(points), dtype=np.int64)
        began = {name: np.array(controls[name], dtype=np.float64) for name in self.controls}
        return self._batch(begun, numbers, began, np.zeros(len(points), dtype=np.int64))

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Call `solve` of each object over `dt` [s]; with ``dt = 0`` return what was seen last."""
        if dt == 0:
            return state, dict(_group(state, "seen"))
        numbers, serials = np.asarray(state["number"]), np.asarray(state["serial"])
        self._serial = max(self._serial, int(serials.max(initial=0)))
        done: dict[int, _Solved] = {}
        failed: dict[int, Exception] = {}
        for row in range(len(numbers)):
            try:
                done[row] = self._step(state, row, _of_row(controls, row), dt)
            except CouplingError:
                raise
            except Exception as error:
                failed[row] = error
                self.objects.stands(int(numbers[row]), None)
        if failed:
            self._keep(state, controls, dt, done)
            first = next(iter(failed.values()))
            raise MicroError(list(failed), f"{type(first).__name__}: {first}") from first
        self._solved.clear()
        self._check(state, controls, dt, done)
        after = self._batch(
            [done[row] for row in range(len(numbers))], numbers, _group(state, "began"), 1 + np.asarray(state["steps"])
        )
        return after, dict(_group(after, "seen"))

    def audit(self, before: State, after: State) -> list[Check]:
        """Return whether the first micro simulation gave the same when it was solved again from its state."""
        return [self.checked] if self.checked is not None else []

    def complete(self, state: State, window: int) -> None:
        """Call `output` of each object, if the class has one, where the file wants it after this time window."""
        assert self.file is not None
        if window % self.file.output_every:
            return
        for row in range(len(np.asarray(state["number"]))):
            simulation = self._object(state, row)
            if not loading.writes(simulation):
                return
            simulation.output()

    # ---- single objects

    def _begun(self, number: int, data: dict[str, Any]) -> _Solved:
        simulation, seen = self.objects.begin(number, data)
        if missing := [name for name in self.names if name not in seen]:
            seen = {**self._tried(number, data, missing), **seen}
        return _Solved(simulation.get_state(), self._read(seen, "initialize"))

    def _tried(self, number: int, data: dict[str, Any], missing: list[str]) -> dict[str, Any]:
        """Return what a first step of another object gives, for data that `initialize` does not return."""
        if not self._told and not self.first_row:
            self._told = True
            print(
                f"{self.kind.__name__}.initialize gives no {', '.join(missing)}: what is seen at the start comes from "
                f"a step of {self.max_dt:g} s, of which nothing else is kept",
                flush=True,
            )
        other, _ = self.objects.made(number, data)
        try:
            return self._answer(other.solve(data, self.max_dt))
        finally:
            release(other)

    def _object(self, state: State, row: int) -> Any:
        """Return the object of a row, in its state."""
        number, serial = int(np.asarray(state["number"])[row]), int(np.asarray(state["serial"])[row])
        began = _of_row(_group(state, "began"), row)
        return self.objects.at(number, serial, lambda: states.unstack(_branch(state, "state"), row), began)

    def _step(self, state: State, row: int, data: dict[str, Any], dt: float) -> _Solved:
        known = self._solved.get(_key(state, row, data, dt)) if self._solved else None
        if known is not None:
            return known
        simulation = self._object(state, row)
        seen = self._read(self._answer(simulation.solve(data, dt)), "solve")
        return _Solved(simulation.get_state(), seen)

    def _keep(self, state: State, controls: Values, dt: float, done: dict[int, _Solved]) -> None:
        """Remember what went well in a batch that failed, since it will be asked for again without what failed."""
        numbers = np.asarray(state["number"])
        for row, solved in done.items():
            self._solved[_key(state, row, _of_row(controls, row), dt)] = solved
            self.objects.stands(int(numbers[row]), None)

    def _answer(self, given: Any) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise CouplingError(f"{self.kind.__name__}.solve returned a {type(given).__name__}; expected a dict")
        return dict(given)

    def _read(self, given: Mapping[str, Any], method: str) -> dict[str, Array]:
        """Return the data that are written, as arrays of the shapes that they travel in."""
        seen = {}
        for name in self.names:
            if name not in given:
                near = nearest(name, [str(key) for key in given])
                meant = f". Did you mean '{near}'?" if near else ""
                raise CouplingError(
                    f"{self.kind.__name__}.{method} gave no '{name}', only "
                    f"{', '.join(map(str, given)) or 'nothing'}{meant}"
                )
            values = np.asarray(given[name], dtype=np.float64)
            vector = self.observables[name].rank == 1
            if (vector and values.ndim != 1) or (not vector and values.size != 1):
                wanted = "a vector" if vector else "one number"
                raise CouplingError(
                    f"{self.kind.__name__}.{method} gave '{name}' of shape {values.shape}; expected {wanted}"
                )
            seen[name] = values if vector else values.reshape(())
        return seen

    # ---- batches

    def _batch(self, solved: list[_Solved], numbers: Array, began: Values, steps: Array) -> State:
        """Return the state of n micro simulations after the objects have made it."""
        serials = np.arange(self._serial + 1, self._serial + 1 + len(solved), dtype=np.int64)
        self._serial += len(solved)
        for number, serial in zip(numbers.tolist(), serials.tolist(), strict=True):
            self.objects.stands(number, serial)
        seen = {name: np.stack([one.seen[name] for one in solved]) for name in self.names}
        if "Active-State" in self.observables:
            seen["Active-State"] = np.ones(len(solved))
        if "Active-Steps" in self.observables:
            seen["Active-Steps"] = np.asarray(steps, dtype=np.float64)
        raw = [one.state for one in solved]
        if self._alike:
            self._alike = states.form(raw) is not None
        return {
            "state": states.stack(raw, self._alike),
            "seen": seen,
            "began": dict(began),
            "number": numbers,
            "serial": serials,
            "steps": steps,
        }

    def _check(self, state: State, controls: Values, dt: float, done: dict[int, _Solved]) -> None:
        """Solve the first micro simulation twice more, by another object: what `get_state` returns has to be all."""
        known = done[0].seen
        asked = self.checked is None and self.settings.state_tolerance > 0 and np.asarray(state["number"])[0] == 0
        if not asked or not all(np.isfinite(values).all() for values in known.values()):
            return
        differences, why = {"": 0.0}, ""
        other = None
        try:
            other, _ = self.objects.made(0, _of_row(_group(state, "began"), 0))
            for _ in range(2):
                other.set_state(states.unstack(_branch(state, "state"), 0))
                again = self._read(self._answer(other.solve(_of_row(controls, 0), dt)), "solve")
                found = _differences(again, known)
                differences = {name: max(found[name], differences.get(name, 0.0)) for name in found}
        except Exception as error:  # what a new object cannot do is what is looked for
            differences, why = {"": math.inf}, f", and fails with {type(error).__name__}: {error}"
        finally:
            release(other)
        name = max(differences, key=lambda name: differences[name])
        about = f"{self.kind.__name__}: largest relative difference between solves from one state"
        source = "what get_state returns is all that solve may remember"
        self.checked = checks.at_most(about, differences[name], self.settings.state_tolerance, source=source)
        if not self.checked.passed:
            what = why or f", and then gives '{name}' off by {differences[name]:.3g} of its size"
            print(
                f"{self.kind.__name__} remembers more than get_state returns: another object gets that by "
                f"set_state{what}. Windows that are repeated, restarts and capsules do not begin where they should",
                flush=True,
            )


class _failing:
    """Names the row of a batch in whatever fails inside."""

    def __init__(self, row: int) -> None:
        self.row = row

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, CouplingError):
            raise MicroError([self.row], f"{type(error).__name__}: {error}") from error


def _of_row(values: Values, row: int) -> dict[str, Any]:
    """Return the data of one micro simulation as the Micro Manager gives them: numbers, and arrays of vectors."""
    return {name: np.array(rows[row]) if np.ndim(rows) > 1 else np.asarray(rows)[row] for name, rows in values.items()}


def _key(state: State, row: int, data: Mapping[str, Any], dt: float) -> tuple[Any, ...]:
    """Return what tells one solve from another."""
    numbers = [int(np.asarray(state[name])[row]) for name in ("number", "serial")]
    return (*numbers, dt, *(np.asarray(value).tobytes() for value in data.values()))


def _differences(values: Values, others: Values) -> dict[str, float]:
    """Return the largest differences, each relative to the largest value; infinite for what is not finite."""
    floor = 1e-10 * max((float(np.abs(other).max(initial=0.0)) for other in others.values()), default=0.0)
    result = {}
    for name, other in others.items():
        largest = float(np.abs(values[name] - other).max(initial=0.0))
        scale = max(float(np.abs(other).max(initial=0.0)), floor)
        result[name] = largest / scale if 0.0 < largest < math.inf and scale else 0.0 if largest == 0.0 else math.inf
    return result


def _group(state: State, name: str) -> Values:
    return cast(Values, state[name])


def _branch(state: State, name: str) -> State:
    return cast(State, state[name])
