"""A micro model together with its scaling maps: again a micro model, whose fields are the coupling data themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np

from adapters import seeds
from adapters.micro import Array, Audited, MicroModel, Pictured, State, Telling, Values
from adapters.scaling.config import Entry, Scaling
from adapters.scaling.protocol import Downscale, Memory, ScalingError, Upscale
from adapters.spikes import Spikes
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.findings import Findings
from scalebridge.units import Conversion, UnitError, converter


class ScaledModel:
    """A MicroModel whose controls and observables are coupling data, by the names of the whole and in wire units.

    Its state is ``{"model": state of the model, "maps": {data: memory of its map}}``.

    Parameters
    ----------
    model : the micro model. If its fields are spikes it has `neurons`, the number of neurons of each population.
    scaling : the elements that concern it (`Scaling.of`).
    seed : seed of all random numbers of the maps; each of them gets one of its own.

    Raises
    ------
    ConfigurationError
        If an element and the model do not fit: field, shape, unit, or a control without a value.
    """

    def __init__(self, model: MicroModel, scaling: Scaling, seed: int = 0) -> None:
        self.model, self.scaling, self.seed = model, scaling, seed
        self.cell_shape: tuple[int, ...] = tuple(getattr(model, "cell_shape", ()))
        self.cell_size: tuple[float, ...] = tuple(getattr(model, "cell_size", ()))
        findings = Findings(scaling.file)
        self._conversions: dict[str, Conversion] = {}
        self.controls = self._fields(scaling.down, model.controls, "control", findings)
        self.observables = self._fields(scaling.up, model.observables, "observable", findings)
        for name in model.controls.keys() - {entry.field for entry in scaling.down}:
            if not model.controls[name].optional:
                findings.add(None, "<scaling>", f"control '{name}' of the micro model gets no value")
        findings.raise_if_any()

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n simulations at `points` (n, dim) [m]; controls in wire units, (n, ...)."""
        n = len(points)
        memories: dict[str, Memory] = {
            entry.data: entry.map.start(self.model.controls[entry.field], points, seeds.named(self.seed, entry.data))
            for entry in self.scaling.down
        }
        seen, _ = self._downscale(memories, controls, 0.0)
        for entry in self.scaling.up:
            field = self.model.observables[entry.field]
            memories[entry.data] = entry.map.start(field, n, self._cells(field))
        return {"model": self.model.start(points, seen), "maps": memories}

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Advance by `dt` [s]; return the new state and the observables in wire units, (n, ...)."""
        known = {entry.data: _memory(state, entry.data) for entry in self.scaling.down}
        driven, memories = self._downscale(known, controls, dt)
        inner, seen = self.model.solve(_group(state, "model"), driven, dt)
        parts = next((np.shape(controls[name])[1] for name, f in self.controls.items() if f.per == "window"), 1)
        observables: dict[str, Array] = {}
        for entry in self.scaling.up:
            memory = _memory(state, entry.data)
            values, memories[entry.data] = self._upscale(entry, seen, memory, parts)
            observables[entry.data] = self._conversions[entry.data](values)
        return {"model": inner, "maps": memories}, observables

    def snapshot(self, state: State) -> dict[str, Array]:
        """Return the fields of the model that are worth a picture (n, *cells[, ...]); none if it has none."""
        return self.model.snapshot(_group(state, "model")) if isinstance(self.model, Pictured) else {}

    def work(self, state: State) -> Array | None:
        """Return what the model says that the last step of each row took (n,); None if it does not say."""
        return self.model.work(_group(state, "model")) if isinstance(self.model, Telling) else None

    def audit(self, before: State, after: State) -> list[Check]:
        """Return the model's checks on a step, and those of the maps on what they made of its end."""
        found: list[Check] = []
        if isinstance(self.model, Audited):
            found += self.model.audit(_group(before, "model"), _group(after, "model"))
        ends = [(entry, self.model.controls) for entry in self.scaling.down]
        for entry, fields in [*ends, *((entry, self.model.observables) for entry in self.scaling.up)]:
            checks = entry.map.audit(_memory(after, entry.data), fields[entry.field].unit)
            found += [replace(check, name=f"{entry.data}: {check.name}") for check in checks]
        return found

    def _downscale(
        self, known: Mapping[str, Memory], controls: Values, dt: float
    ) -> tuple[dict[str, Any], dict[str, Memory]]:
        """Return the model's controls in its own units, and the new memories of the maps."""
        result, memories = {}, {}
        for entry in self.scaling.down:
            field = self.model.controls[entry.field]
            values = self._conversions[entry.data](np.asarray(controls[entry.data], dtype=np.float64))
            with self._naming(entry, "to"):
                down = entry.map.downscale(values, known[entry.data], dt, self._cells(field))
            result[entry.field], memories[entry.data] = down
        return result, memories

    def _upscale(self, entry: Entry[Upscale], seen: Values, memory: Memory, parts: int) -> tuple[Array, Memory]:
        """Return what the map makes of an observable, in its own unit, and its new memory."""
        field = self.model.observables[entry.field]
        values: Any = seen[entry.field]
        if field.per == "spikes" and isinstance(values, Spikes):
            values = values.divided(parts)
        else:
            values, shape = np.asarray(values), ["n"]
            grid = self._cells(field)
            shape += [*map(str, grid), *("k",) * (field.per == "window"), *("d",) * field.rank]
            if field.per == "spikes" or values.ndim != len(shape) or values.shape[1 : 1 + len(grid)] != grid:
                wanted = "as spikes" if field.per == "spikes" else f"of shape ({', '.join(shape)})"
                raise ScalingError(f"'{entry.field}' is declared {wanted}, the micro model gave {values.shape}")
        with self._naming(entry, "from"):
            return entry.map.upscale(values, memory, self.cell_size)

    def _cells(self, field: Field) -> tuple[int, ...]:
        """Return over what a field spreads at each point: the grid, the neurons, or nothing."""
        if field.per == "spikes":
            return (int(getattr(self.model, "neurons")),)  # noqa: B009 - only models with spikes have neurons
        return self.cell_shape if field.per == "grid" else ()

    @contextmanager
    def _naming(self, entry: Entry[Any], end: str) -> Iterator[None]:
        """Say of an error which element it belongs to."""
        try:
            yield
        except ScalingError as error:
            place = f"{entry.data} ({self.scaling.file}:{entry.line}), {end} '{entry.field}'"
            raise ScalingError(f"{place}: {error.message}", error.rows) from error

    def _fields(
        self,
        entries: tuple[Entry[Downscale], ...] | tuple[Entry[Upscale], ...],
        fields: Mapping[str, Field],
        what: str,
        findings: Findings,
    ) -> dict[str, Field]:
        """Return the coupling data of one direction and note what does not fit; keep the conversions of units."""
        result = {}
        for entry in entries:
            key = f'<{"downscale" if what == "control" else "upscale"} data="{entry.data}">'
            if entry.field not in fields:
                message = f"the micro model has no {what} '{entry.field}'"
                findings.add(entry.line, key, message, got=entry.field, candidates=fields)
                continue
            field = fields[entry.field]
            if needed := entry.map.misfit(field):
                findings.add(entry.line, key, f"'{entry.map.name}' does not fit '{entry.field}'", expected=needed)
                continue
            given = entry.map.gives(field)
            ends = (entry.unit, given.unit) if what == "control" else (given.unit, entry.unit)
            try:
                self._conversions[entry.data] = converter(*ends)
            except UnitError as error:
                findings.add(entry.line, f"{key}.unit", str(error))
            result[entry.data] = replace(given, unit=entry.unit)
        return result


def _group(state: State, name: str) -> State:
    """Return a branch of a state."""
    return cast(State, state[name])


def _memory(state: State, data: str) -> Memory:
    """Return the memory of the map that makes `data`."""
    return cast(Memory, _group(state, "maps")[data])
