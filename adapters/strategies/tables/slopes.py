"""Observables that are derivatives of others: "Liquid-Fraction-Slope = Liquid-Fraction / Temperature".

An interpolated derivative is nearer to the true one; the derivative of the interpolant is that of what the macro side
gets, which Newton's method wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters import tensors
from adapters.strategies.tables.columns import Columns
from adapters.strategies.tables.cube import Cube
from adapters.strategies.tables.nodes import Floats
from adapters.wiring import CouplingError
from scalebridge.fields import Field, equals
from scalebridge.findings import nearest
from scalebridge.units import UnitError, converter


@dataclass(frozen=True)
class Slope:
    """An observable that is the derivative of another one by a control.

    Attributes
    ----------
    name : of the observable, `of` that whose derivative it is, by the control `by`.
    factor : of units.
    """

    name: str
    of: str
    by: str
    factor: float
    cube: Cube
    observables: Columns

    @property
    def columns(self) -> slice:
        """Where it is among the columns of the observables."""
        return self.observables.of(self.name)

    def __call__(self, derivatives: Floats) -> Floats:
        """Return its columns (n, k) of the derivatives (n, d, ...) of all observables by all components of controls."""
        n, field = len(derivatives), self.observables.fields[self.name]
        control, observable = self.cube.fields[self.by], self.observables.fields[self.of]
        own = derivatives[:, :, self.observables.of(self.of)]
        dimensions = self.observables.dimensions.get(self.of, 0)
        full = np.zeros((n, *tensors.shape(observable, dimensions), *self.cube.box.shapes[self.by]))
        carried = {axis.index for axis in self.cube.box.axes if axis.control == self.by}
        for row, axis in enumerate(self.cube.box.axes):
            if axis.control == self.by:
                # what moves are both halves of a symmetric tensor, so each has half of the derivative
                same = equals(axis.index) - (carried - {axis.index}) if control.rank == 2 else {axis.index}
                for index in same:
                    place: Any = (..., *index)
                    full[place] = self.observables.field(self.of, own[:, row]) / len(same)
        if field.rank > 1 and field.symmetric:  # which a derivative of an interpolant is not exactly
            full = 0.5 * (full + full.transpose(0, *((2, 1) if field.rank == 2 else (3, 4, 1, 2))))
        one = Columns({self.name: field}, self.observables.dimensions)
        return np.asarray(self.factor * one.flatten({self.name: full}))


def parse(text: str, cube: Cube, observables: Columns) -> Slope:
    """Return the slope that a text declares. Raises CouplingError where it declares none of these fields."""
    name, equal, quotient = (part.strip() for part in text.partition("="))
    of, over, by = (part.strip() for part in quotient.partition(" / "))
    if not equal or not over:
        raise CouplingError(f"tabulated: slopes: '{text}' declares no slope; expected 'NAME = NAME / CONTROL'")
    for one, known, what in (
        (name, observables.fields, "observable"),
        (of, observables.fields, "observable"),
        (by, cube.fields, "control"),
    ):
        if one not in known:
            near = nearest(one, known)
            hint = f". Did you mean '{near}'?" if near else f"; expected one of {', '.join(known)}"
            raise CouplingError(f"tabulated: slopes: '{one}' is no {what}{hint}")
    slope, observable, control = observables.fields[name], observables.fields[of], cube.fields[by]
    if slope.rank != observable.rank + control.rank:
        raise CouplingError(
            f"tabulated: slopes: {name} is a {slope.kind}, and the derivative of a {observable.kind} by a "
            f"{control.kind} is none"
        )
    return Slope(name, of, by, _factor(name, slope, observable, control), cube, observables)


def _factor(name: str, slope: Field, observable: Field, control: Field) -> float:
    """Return by what a quotient has to be multiplied to be in the unit of the slope."""
    unit = observable.unit if control.unit == "1" else f"{observable.unit}/({control.unit})"
    try:
        return converter(unit, slope.unit).factor
    except UnitError as error:
        raise CouplingError(f"tabulated: slopes: {name}: {error}") from None
