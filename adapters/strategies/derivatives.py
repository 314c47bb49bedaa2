"""Observables that are derivatives of others: "Tangent = Stress / Strain".

Newton's method on the macro side wants the derivative of what it gets, not one that is nearer to the true one. A
strategy that changes what is shown keeps both together where the case says what belongs together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scalebridge.fields import Field
from scalebridge.findings import nearest
from scalebridge.units import UnitError, converter


class DerivativeError(ValueError):
    """A text declares no derivative among the fields of a model."""


@dataclass(frozen=True)
class Derivative:
    """An observable that is the derivative of another one by a control.

    Attributes
    ----------
    name : of the observable, `of` that whose derivative it is, by the control `by`.
    factor : the quotient, in the units of the other two, times this is in the unit of the observable.
    """

    name: str
    of: str
    by: str
    factor: float


def parse(text: str, controls: Mapping[str, Field], observables: Mapping[str, Field]) -> Derivative:
    """Return the derivative that a text declares. Raises DerivativeError where it declares none of these fields."""
    name, equal, quotient = (part.strip() for part in text.partition("="))
    of, over, by = (part.strip() for part in quotient.partition(" / "))
    if not equal or not over:
        raise DerivativeError(f"'{text}' declares no slope; expected 'NAME = NAME / CONTROL'")
    for one, known, what in (
        (name, observables, "observable"),
        (of, observables, "observable"),
        (by, controls, "control"),
    ):
        if one not in known:
            near = nearest(one, known)
            hint = f". Did you mean '{near}'?" if near else f"; expected one of {', '.join(known)}"
            raise DerivativeError(f"'{one}' is no {what}{hint}")
    slope, observable, control = observables[name], observables[of], controls[by]
    if slope.rank != observable.rank + control.rank:
        raise DerivativeError(
            f"{name} is a {slope.kind}, and the derivative of a {observable.kind} by a {control.kind} is none"
        )
    return Derivative(name, of, by, _factor(name, slope, observable, control))


def _factor(name: str, slope: Field, observable: Field, control: Field) -> float:
    """Return by what a quotient has to be multiplied to be in the unit of the slope."""
    unit = observable.unit if control.unit == "1" else f"{observable.unit}/({control.unit})"
    try:
        return converter(unit, slope.unit).factor
    except UnitError as error:
        raise DerivativeError(f"{name}: {error}") from None
