"""Comparison of times as preCICE compares them: with an absolute tolerance."""

ZERO = 1e-14


def equal(a: float, b: float) -> bool:
    return abs(a - b) <= ZERO


def greater(a: float, b: float) -> bool:
    return a - b > ZERO


def smaller(a: float, b: float) -> bool:
    return a - b < -ZERO


def at_least(a: float, b: float) -> bool:
    return a - b >= -ZERO


def at_most(a: float, b: float) -> bool:
    return a - b <= ZERO
