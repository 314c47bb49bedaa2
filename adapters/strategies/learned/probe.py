"""A few solves before all others: does a model remember, does time matter to it, what are its fields to each other?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters import seeds
from adapters.micro import Array, MicroModel, innermost
from adapters.strategies.learned import notation, roles, samples
from adapters.strategies.learned.space import Space

PATHS = 6
SAME = 1e-6  # relative: less is the tolerance of a solver
SMALL = 1e-4  # of the box: a step in which nothing flows yet, as a rule
PLACES = 3
FASTER = 0.1  # shorter steps, which every model can take


@dataclass(frozen=True)
class Probed:
    """What was found.

    Attributes
    ----------
    history : by how much observables at the end of two paths to the same controls differ, relative to their size.
    rate : the same for one path at two speeds.
    """

    roles: roles.Roles
    history: float
    rate: float

    @property
    def remembers(self) -> bool:
        """Whether the way matters, and not only where it leads."""
        return self.history > SAME

    @property
    def slow(self) -> bool:
        """Whether it matters how fast that way is gone."""
        return self.rate > SAME


def probe(model: MicroModel, space: Space, box: Array, dt: float, seed: int) -> Probed:
    """Return what a few paths through the box tell. Raises RoleError, SampleError."""
    random = np.random.default_rng([seeds.named(seed, "probe")])
    low, high = box
    middle = np.clip(np.zeros_like(low), low, high)
    rim = low + (high - low) * random.random((PATHS, len(low)))
    rim = np.where(np.abs(rim - middle) < 0.5 * np.abs(high - low) / 2, np.where(rim > middle, high, low), rim)
    begin, end = np.broadcast_to(middle, rim.shape), middle + 0.4 * (rim - middle)
    straight = np.stack([begin, end, end], axis=1)
    detour = np.stack([begin, rim, end], axis=1)
    x = np.concatenate([straight, detour])
    points = np.zeros((len(x), space.dimensions))
    seen, failed = samples.solve(model, space.controls(x), np.array([0.0, dt, dt]), points)
    good = np.delete(np.arange(len(x)), sorted(failed))
    given = space.controls(x[good])
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in (*given.items(), *seen.items())}
    found = roles.find(model.controls, model.observables, flat)
    both = np.isin(np.arange(PATHS), good) & np.isin(np.arange(PATHS, 2 * PATHS), good)
    row = np.full(2 * PATHS, -1)
    row[good] = np.arange(len(good))
    names = [name for name, role in found.of.items() if role in (roles.CONJUGATE, roles.LAW)]
    known = getattr(innermost(model), "history", None)
    first, second = (row[np.flatnonzero(both) + shift] for shift in (0, PATHS))
    history = 0.0 if known is False else _largest(names, {n: (seen[n][first, 2], seen[n][second, 2]) for n in names})
    fast, failed = samples.solve(
        model, space.controls(x[good]), np.array([0.0, FASTER * dt, FASTER * dt]), points[good]
    )
    kept = np.delete(np.arange(len(good)), sorted(failed))
    return Probed(found, history, _largest(names, {n: (seen[n][kept], fast[n]) for n in names}))


def stiffness(model: MicroModel, space: Space, box: Array, control: str, conjugate: str) -> Array | None:
    """Return the derivative (s, s) of what is conjugate by the control, both as vectors, at rest.

    None if the box does not hold the origin; or if it is not the same there and back and at different places, or not
    positive definite: then it is not that of an elastic medium with one stiffness.
    """
    low, high = box
    if not ((low <= 0) & (high >= 0) & (low < high)).all():
        return None
    s, field = len(low), space.fields[control]
    steps = SMALL * np.minimum(*np.where(np.abs(box) > 0, np.abs(box), np.inf)) * np.eye(s)
    x = np.tile(np.concatenate([steps, -steps]), (PLACES, 1))
    points = np.zeros((len(x), space.dimensions))
    points[:, 0] = samples.APART * np.repeat(np.arange(PLACES), 2 * s)
    given = space.controls(np.stack([np.zeros_like(x), x], axis=1))
    seen, failed = samples.solve(model, given, np.array([0.0, 1.0]), points)
    if failed:
        return None
    stress = notation.vector(seen[conjugate][:, 1], field.rank).reshape(PLACES, 2, s, s)
    found = stress / (np.diagonal(steps)[:, None] * np.array([1, -1])[:, None, None])  # of a strain, by a stress
    C = found.mean(axis=(0, 1))
    size = np.abs(C).max()
    if np.abs(found - C).max() > SAME * size or np.linalg.eigvalsh((C + C.T) / 2)[0] <= SAME * size:
        return None
    return np.asarray((C + C.T) / 2)


def _largest(names: list[str], pairs: dict[str, tuple[Array, Array]]) -> float:
    found = 0.0
    for name in names:
        one, other = pairs[name]
        size = max(float(np.abs(one).max(initial=0)), float(np.abs(other).max(initial=0)))
        found = max(found, float(np.abs(one - other).max(initial=0)) / size if size else 0.0)
    return found
