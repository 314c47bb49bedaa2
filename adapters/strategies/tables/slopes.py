"""Observables of a table that are derivatives of the interpolants of others: "Tangent = Stress / Strain".

An interpolated derivative is nearer to the true one; the derivative of the interpolant is that of what the macro side
gets, which Newton's method wants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.strategies import derivatives as declared
from adapters.strategies.box import Box
from adapters.strategies.columns import Columns
from adapters.strategies.derivatives import Derivative, DerivativeError
from adapters.strategies.refusal import refusal
from adapters.strategies.tables.nodes import Floats
from scalebridge.fields import equals


@dataclass(frozen=True)
class Slope:
    """An observable that is taken to be the derivative of an interpolant.

    Attributes
    ----------
    declared : which of which by which control.
    """

    declared: Derivative
    box: Box
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
        control, own = self.box.columns.fields[by], derivatives[:, :, self.observables.of(of)]
        full = np.zeros((n, *self.observables.shapes[of], *self.box.columns.shapes[by]))
        for row, component in enumerate(self.box.columns.components):
            if component.field == by:
                # what moves are both halves of a symmetric tensor, so each has half of the derivative
                halves = control.rank == 2 and control.symmetric
                same = equals(component.index) if halves else {component.index}
                for index in same:
                    place: Any = (..., *index)
                    full[place] = self.observables.field(of, own[:, row]) / len(same)
        if field.rank > 1 and field.symmetric:  # which a derivative of an interpolant is not exactly
            full = 0.5 * (full + full.transpose(0, *((2, 1) if field.rank == 2 else (3, 4, 1, 2))))
        one = Columns({self.name: field}, self.observables.dimensions)
        return np.asarray(self.declared.factor * one.flatten({self.name: full}))


def parse(text: str, box: Box, observables: Columns) -> Slope:
    """Return the slope that a text declares. Raises SettingError where it declares none of these fields."""
    try:
        return Slope(declared.parse(text, box.columns.fields, observables.fields), box, observables)
    except DerivativeError as error:
        raise refusal("tabulated", "slopes", str(error)) from None
