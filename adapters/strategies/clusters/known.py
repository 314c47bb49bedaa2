"""What the case says of how observables change with controls, and what their units say.

A slope is an observable that is the derivative of another one by a control. Where an observable and a control that its
slope is by are conjugate, such as stress and strain, their product is an energy; scalars in its unit share it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.derivatives import Derivative
from scalebridge.fields import Field
from scalebridge.units import UnitError, converter

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Slope:
    """A derivative among fields that are side by side in matrices: where it is, of what, and by which controls."""

    place: slice
    of: slice
    by: slice
    factor: float

    def __call__(self, seen: Array) -> Array:
        """Return the derivative (r, q, m) that observables (r, ...) say, in the units of what it is the quotient of."""
        rows, columns = len(seen), self.of.stop - self.of.start
        return np.asarray(seen[:, self.place].reshape(rows, columns, -1) / self.factor)

    def shown(self, derivative: Array) -> Array:
        """Return the columns of the observable (r, ...) that says a derivative (r, q, m)."""
        return np.asarray(self.factor * derivative.reshape(len(derivative), -1))


@dataclass(frozen=True)
class Work:
    """Where an observable is and the control that is conjugate to it, and which observables are energies."""

    of: slice
    by: slice
    energies: Ids

    def __call__(self, origin: Array, change: Array, moved: Array) -> Array:
        """Return the work (r,) of observables that change so (r, q) from an origin, while controls move (r, m)."""
        mean = origin[:, self.of] + 0.5 * change[:, self.of]
        return np.asarray(np.einsum("rq,rq->r", mean, moved[:, self.by]))


@dataclass(frozen=True)
class Known:
    """Slopes, and work."""

    slopes: tuple[Slope, ...] = ()
    works: tuple[Work, ...] = ()


def known(
    declared: Sequence[Derivative],
    fields: Mapping[str, Field],
    controls: Mapping[str, Array],
    seen: Mapping[str, Array],
) -> Known:
    """Return what is known of controls and observables (n, ...) that will be put side by side."""
    driven, shown = _places(controls), _places(seen)
    slopes = tuple(Slope(shown[one.name], shown[one.of], driven[one.by], one.factor) for one in declared)
    works = []
    for one in declared:
        others = seen.keys() - {one.name, one.of}
        energies = [
            shown[n].start for n in seen if n in others and _is_energy(fields[n], fields[one.of], fields[one.by])
        ]
        if energies:
            works.append(Work(shown[one.of], driven[one.by], np.array(energies)))
    return Known(slopes, tuple(works))


def _is_energy(field: Field, one: Field, other: Field) -> bool:
    """Say whether a scalar has the unit of the product of two others of the same shape, and is not like one of them."""
    if field.rank or one.rank != other.rank or field.unit == one.unit:
        return False
    try:
        converter(f"({one.unit})*({other.unit})", field.unit)
    except UnitError:
        return False
    return True


def _places(fields: Mapping[str, Array]) -> dict[str, slice]:
    """Return where the columns of each field (n, ...) are when they are side by side."""
    ends = np.cumsum([0, *(int(np.prod(array.shape[1:], dtype=np.int64)) for array in fields.values())]).tolist()
    return {name: slice(begin, end) for name, begin, end in zip(fields, ends[:-1], ends[1:], strict=True)}
