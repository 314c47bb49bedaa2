"""Quantities with units: "100 mm" to a number in metres, one unit to another, and no surprises on the way.

Numbers are read here, units by pint, which is imported on first need only: it takes half a second, and for common ones
(scalebridge.commonunits) there is no need of it. Text comes from strangers; what pint would evaluate as arithmetic
(`9**9**9`) is refused before it gets there.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, overload

from scalebridge import commonunits

if TYPE_CHECKING:
    import numpy as np
    import pint

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\d.])")
MAX_LENGTH = 100
# Names, products, quotients, small powers, parentheses; the only number that is not a power is a leading 1.
_NAME = r"[^\W\d]\w*|%|°C|°F|°"
_TOKEN = re.compile(
    rf"\s*(?:(?P<name>{_NAME})|(?P<one>1(?![\d.]))|(?P<power>(?:\*\*|\^)\s*[+-]?\d{{1,2}}(?![\d.]))|(?P<sign>[*/()·]))"
)


class UnitError(ValueError):
    """A unit that is unknown, or two units that cannot be converted into each other."""


@dataclass(frozen=True)
class Conversion:
    """The map x -> factor * x + offset from one unit to another."""

    factor: float = 1.0
    offset: float = 0.0

    @property
    def identity(self) -> bool:
        """Whether nothing changes; then calling it returns its argument, not a copy."""
        return self.factor == 1.0 and self.offset == 0.0

    @overload
    def __call__(self, values: float) -> float: ...
    @overload
    def __call__(self, values: np.ndarray) -> np.ndarray: ...
    def __call__(self, values: float | np.ndarray) -> float | np.ndarray:
        """Return `values` in the other unit, same shape."""
        if self.identity:
            return values
        return values * self.factor + self.offset if self.offset else values * self.factor


def parse_quantity(text: str) -> tuple[float, str]:
    """Split "0.1 m" into (0.1, "m"); a bare number has the unit "1". The unit is not looked up here.

    Raises
    ------
    UnitError
        If the text does not begin with a finite number.
    """
    stripped = text.strip()
    match = NUMBER.match(stripped)
    if match is None:
        raise UnitError(f"'{_short(text)}' does not begin with a number, as in '0.1 m'")
    magnitude = float(match.group())
    if not math.isfinite(magnitude):
        raise UnitError(f"'{_short(text)}' is too large a number")
    return magnitude, stripped[match.end() :].strip() or "1"


def check_unit(unit: str) -> None:
    """Raise UnitError if `unit` is not a unit."""
    if commonunits.size(unit) is None:
        _unit(unit)


def compatible(first: str, second: str) -> bool:
    """Return whether one unit can be converted into the other. Raises UnitError if one of them is unknown."""
    return bool(_unit(first).dimensionality == _unit(second).dimensionality)


@cache
def converter(source: str, target: str) -> Conversion:
    """Return the conversion from `source` to `target`.

    Raises
    ------
    UnitError
        If a unit is unknown or the two are not compatible.
    """
    if source == target:
        return Conversion()
    common = commonunits.conversion(source, target)
    if common is not None:
        return Conversion(*common)
    first, second = _unit(source), _unit(target)
    if first.dimensionality != second.dimensionality:
        raise UnitError(f"'{source}' ({_dimension(first)}) cannot be converted to '{target}' ({_dimension(second)})")
    quantity = _registry().Quantity
    offset = float(quantity(0.0, first).to(second).magnitude)
    factor = float(quantity(1.0, _difference(first)).to(_difference(second)).magnitude)
    if not math.isclose(float(quantity(2.0, first).to(second).magnitude), 2.0 * factor + offset):
        raise UnitError(f"'{source}' and '{target}' differ by a logarithm; only linear scales are converted")
    return Conversion(factor, offset)


def convert(text: str, unit: str) -> float:
    """Return the quantity `text` as a number in `unit`. Raises UnitError."""
    magnitude, source = parse_quantity(text)
    return converter(source, unit)(magnitude)


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint

    return pint.UnitRegistry()


@cache
def _unit(text: str) -> pint.Unit:
    if text == "1":
        return _registry().Unit("")
    _refuse_arithmetic(text)
    import pint

    try:
        unit: pint.Unit = _registry().parse_units(text.replace("·", "*").replace("^", "**"))
    except pint.UndefinedUnitError as error:
        raise UnitError(f"'{_short(text)}' is not a known unit: {error}") from None
    except Exception as error:  # pint lets errors of Python's tokenizer and of its own parser through
        raise UnitError(f"'{_short(text)}' is not a unit such as 'W/(m*K)': {error}") from None
    return unit


def _refuse_arithmetic(text: str) -> None:
    position, previous = 0, ""
    if len(text) > MAX_LENGTH:
        raise UnitError(f"'{_short(text)}' is too long for a unit (at most {MAX_LENGTH} characters)")
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None or (match.lastgroup == "power" and previous == "power"):
            raise UnitError(f"'{_short(text)}' is not a unit such as 'W/(m*K)', at '{_short(text[position:].strip())}'")
        position, previous = match.end(), match.lastgroup or ""


def _difference(unit: pint.Unit) -> pint.Unit:
    """Return the unit of differences: kelvin-sized steps for a scale like degC, the unit itself otherwise."""
    name = str(unit)
    return _registry().Unit(f"delta_{name}") if name.startswith("degree_") else unit


def _dimension(unit: pint.Unit) -> str:
    return str(unit.dimensionality) if unit.dimensionality else "a pure number"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
