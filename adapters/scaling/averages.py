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
        return ""

    def gives(self, field: Field) -> Field:
        return Field(field.unit, field.rank, field.symmetric, help=field.help)

    def downscale(self, values: Array, cells: tuple[int, ...]) -> Array:
        if not cells:
            return values
        spread = values.reshape(len(values), *(1,) * len(cells), *values.shape[1:])
        return np.broadcast_to(spread, (len(values), *cells, *values.shape[1:]))


@dataclass(frozen=True)
class VolumeAverage:
    """The mean over the cells of the volume; a value per point is its own mean."""

    name: ClassVar[str] = "volume-average"
    preserves: ClassVar[str] = "the integral over the volume"

    def misfit(self, field: Field) -> str:
        return ""

    def gives(self, field: Field) -> Field:
        return Field(field.unit, field.rank, field.symmetric, help=field.help)

    def start(self, field: Field, n: int, cells: tuple[int, ...]) -> Memory:
        return {}
