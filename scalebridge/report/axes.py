"""Axes of a drawing: from numbers to places, with few round ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """One axis: values from `low` to `high` lie between the places `begin` and `end`.

    Attributes
    ----------
    log : whether it is logarithmic.
    exponent : the power of ten that is taken out of the labels of a linear axis.
    ticks : values and their labels.
    """

    low: float
    high: float
    begin: float
    end: float
    log: bool = False
    exponent: int = 0
    ticks: tuple[tuple[float, str], ...] = ()

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        at = math.log10(value) if self.log else value
        return self.begin + (self.end - self.begin) * (at - low) / (high - low)

    def label(self, text: str) -> str:
        """Return the label of the axis with the power of ten that its ticks leave out."""
        return f"{text} (×{power(self.exponent)})".strip() if self.exponent else text


def linear(
    values: Iterable[float], begin: float, end: float, *, most: int = 6, tight: bool = False, whole: bool = False
) -> Axis:
    """Return a linear axis for the finite ones of `values`, as wide as its outer ticks unless it is `tight`.

    Parameters
    ----------
    most : number of ticks at most.
    whole : only whole numbers are ticks.
    """
    finite = [v for v in values if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        middle, half = (low + high) / 2, 0.5 * max(abs(low), abs(high)) or 1.0
        low, high = middle - half, middle + half
    step = _step((high - low) / max(most - 1, 1), whole)
    if not tight:
        low, high = step * math.floor(low / step + 1e-9), step * math.ceil(high / step - 1e-9)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    places = [step * i for i in range(first, last + 1)]
    largest = max(abs(low), abs(high))
    exponent = math.floor(math.log10(largest)) if largest >= 1e5 or largest < 1e-2 else 0
    decimals = max(0, exponent - math.floor(math.log10(step) + 1e-9))
    if math.isclose(step / 10.0 ** math.floor(math.log10(step) + 1e-9), 2.5):
        decimals += 1
    ticks = tuple((p, f"{p / 10.0**exponent:.{decimals}f}".replace("-", "−")) for p in places)
    return Axis(low, high, begin, end, False, exponent, ticks)


def logarithmic(values: Iterable[float], begin: float, end: float, *, most: int = 7) -> Axis:
    """Return a logarithmic axis for the positive ones of `values`, from one power of ten to another."""
    positive = [v for v in values if v > 0.0 and math.isfinite(v)]
    low = math.floor(math.log10(min(positive)) + 1e-9) if positive else -1
    high = math.ceil(math.log10(max(positive)) - 1e-9) if positive else 0
    high = max(high, low + 1)
    stride = math.ceil((high - low) / max(most - 1, 1))
    ticks = tuple((10.0**i, power(i)) for i in range(low, high + 1) if i % stride == 0)
    return Axis(10.0**low, 10.0**high, begin, end, True, 0, ticks)


def power(exponent: int) -> str:
    """Return 10 to a power, as people write it."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def short(value: float) -> str:
    """Return a number as people read it."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:.5g}".replace("-", "−")
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    return f"{float(mantissa):g}·{power(int(exponent))}".replace("-", "−")


def _step(least: float, whole: bool) -> float:
    """Return the next round number that is not below `least`."""
    least = max(least, 1.0) if whole else least
    base: float = 10.0 ** math.floor(math.log10(least))
    factors = (1.0, 2.0, 5.0, 10.0) if whole else (1.0, 2.0, 2.5, 5.0, 10.0)
    return next(base * factor for factor in factors if base * factor >= least * (1 - 1e-9))
