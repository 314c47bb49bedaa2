"""The box of controls over which a table extends, as the unit cube."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.box import Box, of_fields
from adapters.strategies.tables.nodes import Floats
from scalebridge.fields import Field

ROUND_OFF = 1e-9  # of the extent, or of a value that is held: so far beyond the end is still inside


@dataclass(frozen=True)
class Cube:
    """A box of controls.

    Attributes
    ----------
    fields : of the controls, by name.
    dimensions : of the vectors and tensors among them.
    box : the ranges; where the ends are equal the control is held, and the table does not extend.
    """

    fields: Mapping[str, Field]
    dimensions: int
    box: Box

    @classmethod
    def of(cls, fields: Mapping[str, Field], dimensions: int, low: Floats, high: Floats) -> Cube:
        """Return the box with these ends (d,). Raises ValueError where they do not fit the fields."""
        empty = of_fields(fields, dimensions)
        if low.shape != empty.low.shape or high.shape != low.shape or not (low <= high).all():
            raise ValueError(f"the ends of a box of {len(empty.axes)} components are {low.tolist()}, {high.tolist()}")
        return cls(fields, dimensions, replace(empty, low=low, high=high))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the components (d,)."""
        return tuple(axis.name for axis in self.box.axes)

    @property
    def free(self) -> NDArray[np.bool_]:
        """In which components it extends (d,)."""
        result = np.zeros(len(self.box.axes), dtype=bool)
        result[self.box.free] = True
        return result

    @property
    def extent(self) -> Floats:
        """Its edges (d,), 1 where it does not extend."""
        return np.where(self.free, self.box.high - self.box.low, 1.0)

    def unit(self, controls: Floats) -> Floats:
        """Return components (n, d) of controls as points of the unit cube, from outside the nearest of its surface."""
        inner = (controls - self.box.low) / self.extent
        return np.clip(np.where(self.free, inner, 0.5), 0.0, 1.0)

    def controls(self, points: Floats) -> Floats:
        """Return the components (n, d) at points of the unit cube; on its surface exactly the ends of the ranges."""
        inner = np.where(self.free, self.box.low + points * self.extent, self.box.low)
        return np.where(self.free & (points == 1.0), self.box.high, inner)

    def outside(self, controls: Floats) -> NDArray[np.bool_]:
        """Return which components (n, d) are outside, NaN as well."""
        low, high = self.box.low, self.box.high
        slack = ROUND_OFF * np.where(self.free, self.extent, np.maximum(np.abs(low), np.abs(high)))
        return ~((controls >= low - slack) & (controls <= high + slack))

    def told(self, controls: Floats, component: int) -> str:
        """Return in words what one component of a control (d,) is, and where the box ends."""
        axis, low, high = self.box.axes[component], self.box.low[component], self.box.high[component]
        unit = "" if axis.unit == "1" else f" {axis.unit}"
        reach = f"reaches from {low:.6g} to {high:.6g}{unit}" if high > low else f"is for {low:.6g}{unit} alone"
        return f"{axis.name} = {controls[component]:.6g}{unit} is outside of the table, which {reach}"
