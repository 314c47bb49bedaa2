"""A trained law: its file, whether it fits a case, and what it gives.

The file is a tree of scalebridge.treefile: arrays in one .npz with JSON beside them, nothing that could be executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.strategies import provenance
from adapters.strategies.learned.calibration import Calibration, size
from adapters.strategies.learned.laws import Laws
from adapters.strategies.learned.material import Material
from scalebridge import treefile
from scalebridge.fields import Field

Array = NDArray[np.float64]

FORMAT = "scalebridge surrogate"
VERSION = 2
ROWS = 2048  # at a time: what they take stays in the cache
FORMS: dict[str, type[Material] | type[Laws]] = {Material.form: Material, Laws.form: Laws}


@dataclass(frozen=True)
class Answer:
    """What a law gives for n rows.

    Attributes
    ----------
    memory : of the rows at the end of the step.
    seen : observables (n, ...) by name, in their units.
    spread : by how much the members of the ensemble disagree on each (n,), in its unit.
    activity : (n,) how much of what was learned is at work: errors are about as large as that. 1 is usual.
    """

    memory: dict[str, Array]
    seen: dict[str, Array]
    spread: dict[str, Array]
    activity: Array


@dataclass(frozen=True)
class Trained:
    """A trained law.

    Attributes
    ----------
    name : potential, internal or monotone.
    law : its form.
    raw : its parameters (members, ...).
    controls, observables : fields by name.
    box : (2, s) lowest and highest of what it was trained on, in the notation of `law.inputs`.
    calibrations : by observable.
    held_out : root mean square error on paths that nothing was learned from, relative to that of the values; by
        observable.
    about : provenance: what it was made of and how.
    """

    name: str
    law: Material | Laws
    raw: Mapping[str, Array]
    controls: Mapping[str, Field]
    observables: Mapping[str, Field]
    box: Array
    calibrations: Mapping[str, Calibration]
    held_out: Mapping[str, float]
    about: Mapping[str, Any]

    @cached_property
    def parameters(self) -> dict[str, Array]:
        """The parameters with their signs as they have to be."""
        return self.law.physical(self.raw)

    @property
    def members(self) -> int:
        """Size of the ensemble."""
        return len(next(iter(self.raw.values())))

    def at_rest(self, n: int) -> dict[str, Array]:
        """Return the memory of n rows that nothing has happened to."""
        return self.law.at_rest(n, self.members)

    def respond(self, memory: Mapping[str, Array], controls: Mapping[str, Any], dt: float) -> Answer:
        """Advance by dt [s]."""
        given = {name: np.asarray(controls[name], dtype=np.float64) for name in self.controls if name in controls}
        n = len(next(iter(given.values())))
        parts = [self._some(memory, given, dt, slice(i, i + ROWS)) for i in range(0, max(n, 1), ROWS)]
        if len(parts) == 1:
            return parts[0]
        new, seen, spread = (
            {name: np.concatenate([getattr(part, what)[name] for part in parts]) for name in getattr(parts[0], what)}
            for what in ("memory", "seen", "spread")
        )
        return Answer(new, seen, spread, np.concatenate([part.activity for part in parts]))

    def _some(self, memory: Mapping[str, Array], controls: Mapping[str, Array], dt: float, rows: slice) -> Answer:
        given = {name: values[rows] for name, values in controls.items()}
        before = {name: values[rows] for name, values in memory.items()}
        after, seen = self.law.respond(self.parameters, before, self.law.inputs(given), dt)
        members = self.law.outputs(given, seen)
        means = {name: values.mean(axis=1) for name, values in members.items()}
        spread = {name: np.sqrt((size(v - means[name][:, None], 2) ** 2).mean(axis=1)) for name, v in members.items()}
        shown = {name: means[name] for name in self.observables}
        return Answer(after, shown, spread, self.law.activity(given, shown))

    def outside(self, controls: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Return which rows (n,) ask for what the law was not trained on."""
        x = self.law.inputs(controls)
        slack = 1e-9 * (self.box[1] - self.box[0])
        return np.asarray(((x < self.box[0] - slack) | (x > self.box[1] + slack)).any(axis=1))

    def save(self, path: Path) -> None:
        """Write the file. Raises TreeFileError."""
        tree = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "law": self.law.to_json(),
            "controls": {name: field.to_json() for name, field in self.controls.items()},
            "observables": {name: field.to_json() for name, field in self.observables.items()},
            "held-out": dict(self.held_out),
            "about": dict(self.about),
            "box": self.box,
            "parameters": dict(self.raw),
            "calibrations": {name: vars(c) for name, c in self.calibrations.items()},
        }
        treefile.save(path, tree)

    @classmethod
    def load(cls, path: Path) -> Trained:
        """Read a file. Raises FileError."""
        return provenance.load(path, "trained law", ("format", FORMAT), VERSION, cls._of)

    @classmethod
    def _of(cls, tree: Mapping[str, Any]) -> Trained:
        law = FORMS[tree["law"]["form"]].from_json(tree["law"])
        raw = {name: np.asarray(value, dtype=np.float64) for name, value in tree["parameters"].items()}
        if {name: value.shape[1:] for name, value in raw.items()} != law.shapes():
            raise ValueError("its parameters do not have the shapes of its form")
        return cls(
            tree["name"],
            law,
            raw,
            {name: Field.from_json(data) for name, data in tree["controls"].items()},
            {name: Field.from_json(data) for name, data in tree["observables"].items()},
            tree["box"],
            {name: Calibration(**c) for name, c in tree["calibrations"].items()},
            tree["held-out"],
            tree["about"],
        )

    def misfit(
        self, controls: Mapping[str, Field], observables: Mapping[str, Field], about: Mapping[str, Any]
    ) -> list[str]:
        """Return in words what of a case does not fit, both what the file has and what the case has; empty if all does.

        Parameters
        ----------
        about : `provenance.of` the model of the case; empty if that does not matter.
        """
        found = provenance.misfits("control", self.controls, controls)
        found += provenance.misfits("observable", self.observables, observables)
        return found + (provenance.differences(self.about["model"], about) if about else [])
