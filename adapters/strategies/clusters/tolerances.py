"""How alike the data of two points have to be: "0.1 K", or "1 % of range", which is that of all points so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalebridge.fields import Field
from scalebridge.findings import Findings
from scalebridge.units import UnitError, convert, converter, parse_quantity

type Array = NDArray[np.float64]

SAME = 1e-12  # differences below this share of the largest value are round-off
DEFAULT = "1 % of range"
_SHARE = " of range"


@dataclass(frozen=True)
class Tolerance:
    """How alike one datum has to be: `value` in its unit, or as a share of its range."""

    value: float
    share: bool

    def of(self, extent: float) -> float:
        """Return the tolerance in the unit of a datum whose values spread over `extent`."""
        return self.value * extent if self.share else self.value


def read(
    data: Sequence[str], given: Sequence[str], fields: Mapping[str, Field], findings: Findings
) -> dict[str, Tolerance]:
    """Return the tolerance of each datum.

    Parameters
    ----------
    data : names; none stands for all of the fields.
    given : one tolerance for all, or one for each.
    findings : what is wrong elsewhere already.

    Raises
    ------
    ConfigurationError
        With everything that is wrong with them.
    """
    for name in data:
        if name not in fields:
            findings.add(None, "data", f"no control or observable '{name}'", got=name, candidates=fields)
    names = [name for name in data or fields if name in fields]
    if len(given) not in (1, len(data or fields)):
        wanted = f"one for all, or one for each of {', '.join(data or fields)}"
        findings.add(None, "tolerance", f"{len(given)} tolerances are given", expected=wanted)
    result = {}
    for name, text in zip(names, [*given] * (len(names) if len(given) == 1 else 1), strict=False):
        try:
            result[name] = _tolerance(text, fields[name].unit)
        except UnitError as error:
            findings.add(None, "tolerance", f"of {name}: {error}", expected="such as '0.1 K' or '1 % of range'")
    findings.raise_if_any()
    return result


def _tolerance(text: str, unit: str) -> Tolerance:
    share = text.endswith(_SHARE)
    if share:
        value = convert(text.removesuffix(_SHARE), "1")
    else:
        magnitude, source = parse_quantity(text)
        value = magnitude * converter(source, unit).factor  # a difference: degC are K
    if value < 0:
        raise UnitError(f"'{text}' is less than nothing")
    return Tolerance(value, share)


def columns(tolerances: Mapping[str, Tolerance], widths: Sequence[int], low: Array, high: Array) -> Array:
    """Return the tolerances (m,) of all components, each in its unit and more than zero.

    Parameters
    ----------
    widths : number of components of each datum, in the order of `tolerances`.
    low, high : (m,) least and largest values of all points so far.
    """
    extent, result, place = high - low, np.empty(len(low)), 0
    for tolerance, width in zip(tolerances.values(), widths, strict=True):
        own = slice(place, place + width)
        whole, largest = float(extent[own].max(initial=0.0)), float(np.abs([low[own], high[own]]).max(initial=0.0))
        result[own] = max(tolerance.of(whole), SAME * largest) or 1.0  # where all is zero any will do
        place += width
    return result
