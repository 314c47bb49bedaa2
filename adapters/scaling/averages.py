"""Maps that need no theory: the same value everywhere, and the mean over the volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adapters.scaling.protocol import Array, Memory
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.fields import Field


@dataclass(frozen=True)
class Uniform:
    """Every micro volume sees the value at its macro point, on all of its grid where the control is a field."""

    name: ClassVar[str] = "uniform"
    preserves: ClassVar[str] = "the value, and so its mean over the volume"

    def misfit(self, field: Field) -> str:
        return _no_spikes(field)

    def gives(self, field: Field) -> Field:
        return _per_point(field)

    def start(self, field: Field, points: Array, seed: int) -> Memory:
        return {}

    def downscale(self, values: Array, memory: Memory, dt: float, cells: tuple[int, ...]) -> tuple[Array, Memory]:
        if not cells:
            return values, memory
        spread = values.reshape(len(values), *(1,) * len(cells), *values.shape[1:])
        return np.broadcast_to(spread, (len(values), *cells, *values.shape[1:])), memory

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        return []


@dataclass(frozen=True)
class VolumeAverage:
    """The mean over the cells of the volume; a value per point is its own mean."""

    name: ClassVar[str] = "volume-average"
    preserves: ClassVar[str] = "the integral over the volume"

    def misfit(self, field: Field) -> str:
        return _no_spikes(field)

    def gives(self, field: Field) -> Field:
        return _per_point(field)

    def start(self, field: Field, n: int, cells: tuple[int, ...]) -> Memory:
        if field.per != "grid":
            return {}
        shape = (n, *(len(cells),) * field.rank)
        return {"mean": np.zeros(shape), "lowest": np.zeros(shape), "highest": np.zeros(shape)}

    def upscale(self, values: Array, memory: Memory, size: tuple[float, ...]) -> tuple[Array, Memory]:
        if not memory:  # one value per point, or a signal
            return values.copy(), memory
        axes = tuple(range(1, 1 + values.ndim - memory["mean"].ndim))
        mean = np.asarray(values.mean(axis=axes))
        return mean.copy(), {"mean": mean, "lowest": values.min(axis=axes), "highest": values.max(axis=axes)}

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        if not memory or not memory["mean"].size:
            return []
        outside = np.maximum(memory["lowest"] - memory["mean"], memory["mean"] - memory["highest"])
        largest = float(np.abs([memory["lowest"], memory["highest"]]).max())
        round_off = 1e-12 * largest
        name = "mean over the volume beyond the values in it"
        return [checks.at_most(name, outside.max(), 0, tolerance=round_off, source="definition of the mean", unit=unit)]


def _per_point(field: Field) -> Field:
    """Return what is seen of a field at its point: one value, or the signal that it is."""
    per = "window" if field.per == "window" else "point"
    return Field(field.unit, field.rank, field.symmetric, per, field.help, field.optional)


def _no_spikes(field: Field) -> str:
    return "a field with values, not spikes" if field.per == "spikes" else ""
