"""Units that everybody uses, known without pint: importing that takes half a second, which most runs can do without.

Only plain SI names are here, and only what is right is said: of everything else, and of every mistake, pint is asked
(scalebridge.units). That the table agrees with pint is tested entry by entry.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple


class Size(NamedTuple):
    """How much of the base units m, kg, s, A, K, mol a unit is: a factor and the exponents."""

    factor: float
    exponents: tuple[int, ...]


_PREFIXES = {
    "": 1.0, "G": 1e9, "M": 1e6, "k": 1e3, "c": 1e-2, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9, "p": 1e-12,
}  # fmt: skip
# Name -> exponents of m, kg, s, A, K, mol, and the prefixes that are common with it.
_UNITS: dict[str, tuple[tuple[int, ...], str]] = {
    "m": ((1, 0, 0, 0, 0, 0), "kcmuµn"),
    "s": ((0, 0, 1, 0, 0, 0), "muµn"),
    "A": ((0, 0, 0, 1, 0, 0), "kmuµnp"),
    "K": ((0, 0, 0, 0, 1, 0), "m"),
    "mol": ((0, 0, 0, 0, 0, 1), "kmuµn"),
    "Hz": ((0, 0, -1, 0, 0, 0), "GMk"),
    "N": ((1, 1, -2, 0, 0, 0), "Mkm"),
    "Pa": ((-1, 1, -2, 0, 0, 0), "GMk"),
    "J": ((2, 1, -2, 0, 0, 0), "GMkm"),
    "W": ((2, 1, -3, 0, 0, 0), "GMkm"),
    "C": ((0, 0, 1, 1, 0, 0), "m"),
    "V": ((2, 1, -3, -1, 0, 0), "kmuµ"),
    "S": ((-2, -1, 3, 2, 0, 0), "muµn"),
    "F": ((-2, -1, 4, 2, 0, 0), "muµnp"),
}
_SIZES = {
    prefix + name: Size(_PREFIXES[prefix], exponents)
    for name, (exponents, prefixes) in _UNITS.items()
    for prefix in ("", *prefixes)
} | {
    "kg": Size(1.0, (0, 1, 0, 0, 0, 0)),
    "g": Size(1e-3, (0, 1, 0, 0, 0, 0)),
    "mg": Size(1e-6, (0, 1, 0, 0, 0, 0)),
    "h": Size(3600.0, (0, 0, 1, 0, 0, 0)),
    "day": Size(86400.0, (0, 0, 1, 0, 0, 0)),
}
NAMES = tuple(_SIZES)
CELSIUS = "degC"
ZERO_CELSIUS = 273.15  # [K]
_LONGEST = 100  # characters
_NONE = Size(1.0, (0, 0, 0, 0, 0, 0))
_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-zµ]+)|(?P<one>1)(?![\d.])|(?P<power>(?:\*\*|\^)\s*-?\d)(?!\d)|(?P<sign>[*/()]))"
)


@cache
def size(text: str) -> Size | None:
    """Return the size of a unit made of common names, ``* / ** ^ ( )`` and 1, or None where there is more to it."""
    tokens = _tokens(text) if len(text) <= _LONGEST else []
    if not tokens:
        return None
    try:
        result, rest = _product(tokens)
    except (OverflowError, ZeroDivisionError):  # powers of powers
        return None
    return None if rest or result is None or result.factor == 0 else result


def conversion(source: str, target: str) -> tuple[float, float] | None:
    """Return factor and offset from one unit to another if both are common and of one kind, else None."""
    if source == CELSIUS and target == "K":
        return 1.0, ZERO_CELSIUS
    first, second = size(source), size(target)
    if first is None or second is None or first.exponents != second.exponents:
        return None
    return first.factor / second.factor, 0.0


def _tokens(text: str) -> list[str]:
    found, position, text = [], 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return []
        found.append(match.group().strip())
        position = match.end()
    return found


def _product(tokens: list[str]) -> tuple[Size | None, list[str]]:
    """Return the product at the beginning of `tokens`, None if there is none, and the tokens after it."""
    result, tokens = _power(tokens)
    while result is not None and tokens and tokens[0] in "*/":
        sign, (factor, tokens) = (1 if tokens[0] == "*" else -1), _power(tokens[1:])
        result = None if factor is None else _times(result, factor, sign)
    return result, tokens


def _power(tokens: list[str]) -> tuple[Size | None, list[str]]:
    if not tokens:
        return None, tokens
    first, *tokens = tokens
    base: Size | None = _NONE if first == "1" else _SIZES.get(first)
    if first == "(":
        base, tokens = _product(tokens)
        if tokens[:1] != [")"]:
            return None, tokens
        tokens = tokens[1:]
    if base is not None and tokens and tokens[0][0] in "*^" and len(tokens[0]) > 1:
        base, tokens = _times(_NONE, base, int(tokens[0].lstrip("*^"))), tokens[1:]
    return base, tokens


def _times(one: Size, other: Size, power: int) -> Size:
    """Return ``one * other**power``."""
    exponents = tuple(a + power * b for a, b in zip(one.exponents, other.exponents, strict=True))
    return Size(one.factor * other.factor**power, exponents)
