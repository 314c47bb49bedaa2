"""Random paths of controls through a box: out, back, round the corner, as a macro scale may lead a micro model.

A path begins at rest: at the origin where the box holds it, else at a random place. From there it goes straight to one
random target after the other, in a few equal steps each. Half of the targets lie on the line through the last one, so
that loads are taken off and on again; the others lie anywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters import seeds

Array = NDArray[np.float64]

LEGS = (2, 5)  # fewest and most targets of a path
BACK = 0.5  # share of targets on the line through the last one


def draw(box: Array, paths: int, steps: int, seed: int) -> Array:
    """Return paths (paths, steps + 1, s) within a `box` (2, s), lowest and highest; each follows from its number."""
    return np.stack([_path(box, steps, seed, number) for number in range(paths)])


def _path(box: Array, steps: int, seed: int, number: int) -> Array:
    random = np.random.default_rng([seeds.named(seed, "path"), number])
    low, high = box
    origin = np.zeros(len(low)) if ((low <= 0) & (high >= 0)).all() else random.uniform(low, high)
    legs = min(steps, int(random.integers(LEGS[0], LEGS[1] + 1)))
    places = [origin]
    for _ in range(legs):
        places.append(_target(places[-1], origin, low, high, random))
    counts = np.diff(np.linspace(0, steps, legs + 1).round().astype(int))
    parts = [
        a + (b - a) * np.arange(1, n + 1)[:, None] / n for a, b, n in zip(places, places[1:], counts, strict=False)
    ]
    return np.concatenate([origin[None], *parts])


def _target(last: Array, origin: Array, low: Array, high: Array, random: np.random.Generator) -> Array:
    """Return where to go next: a share of the way from the origin to the rim of the box, in some direction."""
    direction = last - origin
    if not direction.any() or random.random() >= BACK:
        direction = random.standard_normal(len(low)) * (high - low)
    elif random.random() < 0.8:
        direction = -direction
    rim = np.where(direction > 0, high - origin, low - origin)
    room = np.divide(rim, direction, out=np.full_like(rim, np.inf), where=direction != 0).min()
    return np.asarray(np.clip(origin + random.random() ** 0.5 * room * direction, low, high))
