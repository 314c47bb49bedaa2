"""Which size is enough for a tolerance, in one sentence, or that none of those tried is, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.rve.statistics import Key, Property


@dataclass(frozen=True)
class Answer:
    """The answer.

    Attributes
    ----------
    enough : the smallest size that is enough, with the coarsest resolution that is; None where there is none.
    sentence : the same for people.
    """

    enough: Key | None
    sentence: str


def lacks(one: Property, key: Key, tolerance: float) -> list[str]:
    """Return what a property at one size and resolution lacks; nothing where it is enough."""
    found = []
    n, error, bias, grid = one.count(key), one.error(key), one.bias(key), one.grid_error(key)
    if not error <= tolerance:
        more = one.needed(key, tolerance)
        cure = f"; it needs {more:,}" if more else ""
        found.append(f"the mean of {n} realisations is known to {percent(error)} only{cure}")
    if not bias <= tolerance:
        size = one.rival(key)
        assert size is not None  # there are two sizes at least
        by_chance = math.hypot(error, one.error((size, key[1])))
        chance = f", of which scatter explains up to {percent(by_chance)}" if by_chance > 0 else ""
        found.append(f"it differs from size {size} by {percent(bias)}{chance}")
    if grid is not None and not grid <= tolerance:
        other = "the finest grid" if key[1] < one.resolutions[-1] else f"resolution {one.resolutions[-2]}"
        found.append(f"it differs from {other} by {percent(grid)}")
    return found


def answer(properties: Sequence[Property], tolerance: float, edge: float) -> Answer:
    """Return the answer; `edge` [m] is that of size 1."""
    first = properties[0]
    for key in [(size, resolution) for size in first.sizes for resolution in first.resolutions]:
        if not any(lacks(one, key, tolerance) for one in properties):
            return Answer(key, _enough(properties, key, tolerance, edge))
    last = first.sizes[-1], first.resolutions[-1]
    reasons = [f"{one.name}: {' and '.join(why)}" for one in properties if (why := lacks(one, last, tolerance))]
    told = "; ".join(reasons)
    return Answer(None, f"None of the sizes tried is enough for {percent(tolerance)}: at {_place(last, edge)}, {told}.")


def _enough(properties: Sequence[Property], key: Key, tolerance: float, edge: float) -> str:
    worst = max(properties, key=lambda one: one.error(key))
    parts = f"the mean of {worst.count(key)} realisations is known to {percent(worst.error(key))}"
    if all(one.deterministic(key) for one in properties):
        parts = "realisations do not differ"
    bias = max(one.bias(key) for one in properties)
    grids = [grid for one in properties if (grid := one.grid_error(key)) is not None]
    parts += f", {'larger sizes change' if key[0] < worst.sizes[-1] else 'the next smaller size changes'} it"
    parts += f" by {percent(bias)}"
    parts += f", other grids by {percent(max(grids))}" if grids else " (other grids were not tried)"
    names = " and ".join(one.name for one in properties)
    return f"{_place(key, edge).capitalize()} is enough for {names} within {percent(tolerance)}: {parts}."


def alone(one: Property, tolerance: float, edge: float) -> str:
    """Return in one or two sentences how the scatter falls with the size, and what a single volume is worth."""
    if all(one.deterministic((size, one.resolutions[-1])) for size in one.sizes):
        return f"{one.name} does not scatter."
    law, single = one.law, one.single(tolerance)
    if law is None:
        text = f"{one.name} scatters at some sizes only."
    else:
        text = f"The scatter of {one.name} falls as edge^({law.exponent:.2f} ± {law.error:.2f}), "
        text += f"{'' if law.kept else 'not '}as that of independent parts, edge^({law.expected:g})."
    if single is None:
        return f"{text} Of which size one volume alone is within {percent(tolerance)} cannot be foretold."
    about = "" if single <= one.sizes[-1] else "about "
    size = f"{about}size {single:.2g} ({single * edge:.3g} m)"
    return f"{text} One volume alone is within {percent(tolerance)} of the mean from {size} on."


def percent(value: float) -> str:
    """Return a share in percent with three digits."""
    return f"{100 * value:.3g} %"


def _place(key: Key, edge: float) -> str:
    return f"size {key[0]} (edge {key[0] * edge:g} m) at resolution {key[1]}"
