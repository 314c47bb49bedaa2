"""Volumes of other sizes and resolutions of one medium: a micro model with its settings and its scaling maps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adapters.micro import Array, MicroError, MicroModel
from adapters.scaling.config import Scaling
from adapters.scaling.model import ScaledModel
from scalebridge import settings as typed
from scalebridge.findings import ConfigurationError

MOST_CELLS = 2**21  # grid cells of one batch: larger ones are solved in parts
APART = 1e6  # m between the first realisations of two sizes, so that no realisation is that of another size
SAME = 1e-12


class SizeError(Exception):
    """There are no volumes of such a size or resolution, or nothing can be made of them; says why."""


class VolumeError(Exception):
    """A volume could not be solved."""


@dataclass(frozen=True)
class Conditions:
    """Under what the volumes are looked at.

    Attributes
    ----------
    controls : coupling data, in wire units, as for one volume: (), (d,) or (d, d).
    time : how long they are held before [s]; with 0 the volumes are as they start.
    steps : equal steps in that time.
    """

    controls: Mapping[str, Array] = field(default_factory=dict)
    time: float = 0.0
    steps: int = 1


@dataclass(frozen=True)
class Medium:
    """A kind of micro volume.

    Attributes
    ----------
    kind : class of the micro model.
    settings : of the volume of size 1 at resolution 1.
    scaling : its maps; None where its fields are the coupling data.
    dimensions : of the points that it is given.
    """

    kind: type[Any]
    settings: Any
    seed: int = 0
    scaling: Scaling | None = None
    dimensions: int = 2

    @property
    def name(self) -> str:
        """The model, for people."""
        return f"{self.kind.__name__} of {self.kind.__module__}"

    def model(self, size: int, resolution: int, seed: int | None = None) -> MicroModel:
        """Return the model of volumes with `size` times the edge and a grid `resolution` times as fine.

        Raises
        ------
        SizeError
            If the model cannot do that, says so of these settings, or gives something else.
        ConfigurationError
            If the settings that it asks for are none.
        """
        given = self._changed(self._changed(self.settings, "enlarged", size), "refined", resolution)
        one = self._built(self.settings, None)
        model = self._built(given, seed)
        cells, edges = _grid(one), _grid(model)
        if not cells[0]:
            raise SizeError(f"{self.name} has no volume: no `cell_shape` and no `cell_size`")
        due = [n * size * resolution for n in cells[0]], [size * a for a in cells[1]]
        if list(edges[0]) != due[0] or not np.allclose(edges[1], due[1], rtol=1e-9):
            message = f"{self.name} gives {_text(*edges)} at size {size}, resolution {resolution}"
            raise SizeError(f"{message}; expected {_text(*due)}")
        return model if self.scaling is None else ScaledModel(model, self.scaling, self.seed)

    def draw(self, size: int, resolution: int, realisations: int, conditions: Conditions) -> dict[str, Array]:
        """Return what `realisations` volumes are worth, (realisations, ...) by the names of the data, in wire units.

        Realisations are volumes at different points, which do not change with the resolution; where all points give the
        same, other seeds are tried. Raises SizeError, VolumeError, ConfigurationError.
        """
        points = np.zeros((realisations, self.dimensions))
        points[:, 0] = APART * size + np.arange(realisations)
        found = self._solved(size, resolution, points, conditions, self.seed)
        if all(_equal(values) for values in found.values()):
            other = self._solved(size, resolution, points[:1], conditions, self.seed + 1)
            if not all(_equal(np.concatenate([found[name][:1], other[name]])) for name in found):
                seeds = range(self.seed, self.seed + realisations)
                each = [self._solved(size, resolution, points[:1], conditions, seed) for seed in seeds]
                found = {name: np.concatenate([one[name] for one in each]) for name in found}
        return found

    def _changed(self, given: Any, how: str, factor: int) -> Any:
        """Return settings enlarged or refined, and checked as if they came from a case."""
        if factor == 1:
            return given
        change = getattr(self.kind, how, None)
        if change is None:
            raise SizeError(
                f"{self.name} cannot be {how}: the class has no `{how}(settings, factor)` "
                f"that gives the settings of {'larger volumes' if how == 'enlarged' else 'finer grids'}"
            )
        try:
            return typed.build(self.kind.Settings, dataclasses.asdict(change(given, factor)), plain=True)
        except MicroError as error:
            raise SizeError(f"{self.name} cannot be {how} {factor} times: {error}") from error
        except ConfigurationError as error:
            told = "; ".join(f"{f.key.removeprefix('settings.')} {f.message}" for f in error.findings)
            raise SizeError(f"{self.name} cannot be {how} {factor} times: {told}") from error

    def _built(self, given: Any, seed: int | None) -> MicroModel:
        model: MicroModel = self.kind(given, self.seed if seed is None else seed)
        return model

    def _solved(self, size: int, resolution: int, points: Array, conditions: Conditions, seed: int) -> dict[str, Array]:
        """Return what the volumes at `points` are worth, solved in parts that fit into memory."""
        model = self.model(size, resolution, seed)
        cells = int(np.prod(getattr(model, "cell_shape", ())))
        parts = np.array_split(points, max(1, -(-len(points) * cells // MOST_CELLS))) if len(points) > 1 else [points]
        try:
            results = [_observed(model, part, conditions) for part in parts if len(part)]
        except ConfigurationError:
            raise
        except Exception as error:
            where = f"size {size}, resolution {resolution}"
            raise VolumeError(f"{self.name} fails at {where}: {type(error).__name__}: {error}") from error
        found = {name: np.concatenate([one[name] for one in results]) for name in model.observables}
        for name, values in found.items():
            if not np.isfinite(values).all():
                raise VolumeError(f"{self.name} gives NaN or infinite {name} at size {size}, resolution {resolution}")
        return found


def _observed(model: MicroModel, points: Array, conditions: Conditions) -> dict[str, Array]:
    """Return the observables (n, ...) of a batch."""
    n = len(points)
    controls = {name: np.repeat(np.asarray(value)[None], n, axis=0) for name, value in conditions.controls.items()}
    state = model.start(points, controls)
    for _ in range(conditions.steps if conditions.time > 0 else 0):
        state, _ = model.solve(state, controls, conditions.time / conditions.steps)
    _, observables = model.solve(state, controls, 0.0)
    return {name: np.asarray(values, dtype=np.float64) for name, values in observables.items()}


def _grid(model: MicroModel) -> tuple[tuple[int, ...], tuple[float, ...]]:
    return tuple(getattr(model, "cell_shape", ())), tuple(getattr(model, "cell_size", ()))


def _text(cells: Any, edges: Any) -> str:
    return f"{' x '.join(map(str, cells))} cells on {' x '.join(f'{a:g}' for a in edges)} m"


def _equal(values: Array) -> bool:
    """Return whether all rows are the same but for round-off."""
    return bool(np.ptp(values, axis=0).max(initial=0.0) <= SAME * np.abs(values).max(initial=0.0))
