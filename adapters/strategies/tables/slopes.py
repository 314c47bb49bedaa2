"""Observables of a table that are derivatives of the interpolants of others: "Tangent = Stress / Strain".

An interpolated derivative is nearer to the true one; the derivative of the interpolant is that of what the macro side
gets, which Newton's method wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters import tensors
from adapters.strategies import derivatives as declared
from adapters.strategies.derivatives import Derivative, DerivativeError
from adapters.strategies.tables.columns import Columns
from adapters.strategies.tables.cube import Cube
from adapters.strategies.tables.nodes import Floats
from adapters.wiring import CouplingError
from scalebridge.fields import equals


@dataclass(frozen=True)
class Slope:
    """An observable that is taken to be the derivative of an interpolant.

    Attributes
    ----------
    declared : which of which by which control.
    """

    declared: Derivative
    cube: Cube
    observables: Columns

    @property
    def name(self) -> str:
        """The observable."""
        return self.declared.name

    @property
    def columns(self) -> slice:
        """Where it is among the columns of the observables."""
        return self.observables.of(self.name)

    def __call__(self, derivatives: Floats) -> Floats:
        """Return its columns (n, k) of the derivatives (n, d, ...) of all observables by all components of controls."""
        n, field, of, by = len(derivatives), self.observables.fields[self.name], self.declared.of, self.declared.by
        control, observable = self.cube.fields[by], self.observables.fields[of]
        own = derivatives[:, :, self.observables.of(of)]
        dimensions = self.observables.dimensions.get(of, 0)
        full = np.zeros((n, *tensors.shape(observable, dimensions), *self.cube.box.shapes[by]))
        carried = {axis.index for axis in self.cube.box.axes if axis.control == by}
        for row, axis in enumerate(self.cube.box.axes):
            if axis.control == by:
                # what moves are both halves of a symmetric tensor, so each has half of the derivative
                same = equals(axis.index) - (carried - {axis.index}) if control.rank == 2 else {axis.index}
                for index in same:
                    place: Any = (..., *index)
                    full[place] = self.observables.field(of, own[:, row]) / len(same)
        if field.rank > 1 and field.symmetric:  # which a derivative of an interpolant is not exactly
            full = 0.5 * (full + full.transpose(0, *((2, 1) if field.rank == 2 else (3, 4, 1, 2))))
        one = Columns({self.name: field}, self.observables.dimensions)
        return np.asarray(self.declared.factor * one.flatten({self.name: full}))


def parse(text: str, cube: Cube, observables: Columns) -> Slope:
    """Return the slope that a text declares. Raises CouplingError where it declares none of these fields."""
    try:
        return Slope(declared.parse(text, cube.fields, observables.fields), cube, observables)
    except DerivativeError as error:
        raise CouplingError(f"tabulated: slopes: {error}") from None
