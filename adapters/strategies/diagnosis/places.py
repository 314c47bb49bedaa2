"""Where a diagnosis begins: some micro models remember in a part of their box only.

Ice in brine forgets where its pockets were once it has melted. After jumps from the middle of a box that reaches above
melting nothing fades, after those from its cold end much does. So there are several places to begin at: the middle, the
origin, where a recorded run began, and ends of the ranges whose origin means nothing, as it does for temperatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from adapters import seeds
from adapters.strategies.box import Box
from adapters.strategies.diagnosis.responses import Array

type Mask = NDArray[np.bool_]

MIDDLE, ORIGIN, RECORDED = "the middle of the box", "the origin", ", where the recorded run began"
CORNERS = 6  # of the box, at most
PARTS = (1 / 4, 1 / 16)  # of the box next to a place, in which is looked at what begins there; the smaller if needed
SAME = 1e-6  # of the box: places that are nearer to each other are one


@dataclass(frozen=True)
class Place:
    """A place in the box.

    Attributes
    ----------
    at : components (m,) of the controls.
    near : (m,) in which of them jumps and harmonic loading stay near to it, as they may soon leave where a memory is.
    """

    name: str
    at: Array
    near: Mask

    def excursions(self, box: Box, ways: Array, part: float = PARTS[0]) -> tuple[Array, Array]:
        """Return the middles and amplitudes (n, m) of excursions along the directions `ways` (n, m).

        They go through the whole box, or through that part of it next to this place.
        """
        amplitude = np.where(self.near, part, 1.0) * ways
        beside = np.clip(self.at, box.low + np.abs(amplitude), box.high - np.abs(amplitude))
        middle = np.where(self.near, beside, box.centre)
        return np.where(ways != 0, middle, self.at), amplitude


def middle(box: Box) -> Place:
    """Return the middle of the box."""
    return Place(MIDDLE, box.centre, np.zeros(len(box.low), dtype=np.bool_))


def rest(box: Box) -> Place:
    """Return where paths begin first: at the origin, as far as the box holds it."""
    return Place(_name(box, box.rest), box.rest, np.zeros(len(box.low), dtype=np.bool_))


def others(
    box: Box, seed: int, corners: int = CORNERS, ways: Array | None = None, begun: Array | None = None
) -> list[Place]:
    """Return places to begin at besides the middle and the origin.

    Parameters
    ----------
    corners : how many corners at most.
    ways : (n, m), directions of which the corners are looked for; all corners have their turn without.
    begun : components (m,) at which a recorded run began.
    """
    found, near = list[Place](), box.varies & ~_natural(box)
    if begun is not None:
        at = np.clip(begun, box.low, box.high)
        found.append(Place(_name(box, at) + RECORDED, at, near))
    for side in _sides(np.flatnonzero(near), len(near), seed, corners, ways):
        at = np.where(side < 0, box.low, np.where(side > 0, box.high, box.rest))
        found.append(Place(_name(box, at), at, near))
    return found


def distinct(box: Box, places: list[Place], *, by_way: bool = False) -> list[Place]:
    """Return the places without those that are where an earlier one is, and have the same excursions if `by_way`."""
    found: list[Place] = []
    for place in places:
        same = [one for one in found if (np.abs(place.at - one.at) <= SAME * box.extent).all()]
        if not any((place.near == one.near).all() or not by_way for one in same):
            found.append(place)
    return found


def _sides(ends: NDArray[np.int64], count: int, seed: int, corners: int, ways: Array | None) -> list[Array]:
    """Return sides (count,) of corners: -1 and 1 in `ends`, 0 in others; the low and the high one first."""
    if not ends.size or corners <= 0:
        return []
    if ways is not None:
        signs = np.sign(ways[:, ends])
        chosen = np.concatenate([[-one, one] for one in signs])[:corners]
    elif 2**ends.size <= corners:
        chosen = np.array(sorted(product((-1.0, 1.0), repeat=ends.size), key=lambda one: abs(sum(one)), reverse=True))
    else:
        random = np.random.default_rng(seeds.named(seed, "corners of the box"))
        drawn = np.where(random.random((max(corners - 2, 0), ends.size)) < 0.5, -1.0, 1.0)
        chosen = np.concatenate([[-np.ones(ends.size), np.ones(ends.size)], drawn])[:corners]
    sides = np.zeros((len(chosen), count))
    sides[:, ends] = chosen
    return list(sides)


def _natural(box: Box) -> Mask:
    """Return which components (m,) have an origin from which a micro model begins: inside of the range, of vectors and
    tensors at its end too.
    """
    ranks = [box.columns.fields[one.field].rank for one in box.columns.components]
    inside = (box.low < 0) & (box.high > 0)
    return np.asarray(inside | ((np.array(ranks) > 0) & (box.low <= 0) & (box.high >= 0)))


def _name(box: Box, at: Array) -> str:
    if (np.abs(at - box.centre) <= SAME * box.extent)[box.free].all():
        return MIDDLE
    if not at[box.free].any():
        return ORIGIN
    components = [box.columns.components[i] for i in box.free]
    return ", ".join(f"{one.name} = {at[i]:.4g}{one.suffix}" for i, one in zip(box.free, components, strict=True))
