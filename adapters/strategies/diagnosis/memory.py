"""How long a micro model remembers, against how fast its controls change: the Deborah number, and what a table costs.

A step test: the controls jump from rest in the middle of the box, and stay. The relaxation time is the area between
what is seen and where it ends, over what fades. With the frequency w of the run, De = w tau.

On a monotone ramp a memory hides, as a table may be fitted to it. So the error of a table of what is seen in the end,
at rest, is measured in harmonic loading at the frequency w: the share of the variation that it misses, as root mean
square. For a standard linear solid, E* = Einf + E1 i De / (1 + i De), that is |E* - Einf| / |E*|.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters import seeds
from adapters.strategies.diagnosis.responses import CONSTANT, Array, Probe, Seen, growing, norm, scale

SAMPLES = 24  # of a period, as a default
PERIODS = 24  # at most, until the response repeats itself
REPEATED = 1e-4  # change from one period to the next, as a share of the variation, that is none
SOONEST, LATEST = 1e-5, 100.0  # when the response to a jump is looked at, in periods of the run
GROWTH = 1.35  # of the steps in between
SETTLED = 1e-2  # share of what fades that may be left at the end
PLACES = 9  # at which the curvature is looked at
SEEN = 1e-4  # share of the range above which something fades


@dataclass(frozen=True)
class Fading:
    """The memory of one observable.

    Attributes
    ----------
    time : relaxation time [s]; 0 where nothing fades, infinite where it still does at the end.
    share : how much of it fades after a jump, as a share of what stays: E1 / Einf of a standard linear solid.
    error : of a table, as a share of the variation, in harmonic loading at the frequency of the run.
    """

    observable: str
    time: float
    share: float
    error: float


@dataclass(frozen=True)
class Memory:
    """The memory of a micro model.

    Attributes
    ----------
    frequency : w, of the run [1/s].
    held : how long the response to a jump was followed [s].
    curvature : of what is seen at rest along each direction: the largest second derivative over an edge of length 1, as
        a share of the range.
    """

    frequency: float
    fading: tuple[Fading, ...]
    held: float
    curvature: tuple[float, ...]
    solves: int

    @property
    def slowest(self) -> Fading:
        """What makes the largest error of a table."""
        return max(self.fading, key=lambda one: one.error)

    @property
    def time(self) -> float:
        """The longest relaxation time [s]."""
        return max((one.time for one in self.fading), default=0.0)

    @property
    def deborah(self) -> float:
        """The Deborah number."""
        return self.frequency * self.time

    @property
    def error(self) -> float:
        """The largest error of a table."""
        return max((one.error for one in self.fading), default=0.0)


def standard_linear_solid(deborah: float, share: float = 1.0) -> float:
    """Return the error of a table for a standard linear solid with E1 = share Einf."""
    response = 1 + share * 1j * deborah / (1 + 1j * deborah)
    return abs(response - 1) / abs(response)


def memory(probe: Probe, frequency: float, seed: int, directions: int = 0, samples: int = SAMPLES) -> Memory:
    """Return how long the model remembers, and what a table would miss for that.

    Parameters
    ----------
    frequency : w [1/s] at which the controls go through the box and back.
    directions : how many, drawn at random; 0 for each component that varies.
    samples : of a period; the error of the amplitude falls with their square.
    """
    before, box = probe.solves, probe.box
    ways = _directions(box.free, box.half, seed, directions)
    phases = np.sin(2 * np.pi * np.arange(samples) / samples)
    period = 2 * np.pi / frequency
    steps = growing(SOONEST * period, LATEST * period, GROWTH)
    jumps = np.unique(np.round(phases, 12))
    ends = box.centre + jumps[None, :, None] * ways[:, None]
    state, start = probe.start(np.tile(box.centre, (ways.shape[0] * jumps.size, 1)))
    _, seen = probe.hold(state, ends.reshape(-1, len(box.centre)), steps)
    relaxed = {name: _grouped(values, len(ways)) for name, values in seen.items()}  # (directions, jumps, times, ...)
    driven = _harmonic(probe, ways, phases, period / samples)
    found, bends = [], []
    for name, values in relaxed.items():
        bends.append(_curvature(values[:, :, -1], jumps))
        begun = _grouped(start[name][:, None], len(ways))[:, 0, 0]
        time, share = _relaxation(values, begun, jumps, steps)
        table = values[:, np.searchsorted(jumps, np.round(phases, 12)), -1]
        found.append(Fading(name, time, share, _error(driven[name], table)))
    curvature = tuple(np.max(bends, axis=0).tolist())
    return Memory(frequency, tuple(found), float(steps.sum()), curvature, probe.solves - before)


def _directions(free: NDArray[np.int64], half: Array, seed: int, count: int) -> Array:
    """Return directions (n, m) from the middle of the box to its rim."""
    if count == 0:
        return np.eye(len(half))[free] * half
    random = np.random.default_rng(seeds.named(seed, "directions of jumps"))
    signs = np.where(random.random((count, len(half))) < 0.5, -1.0, 1.0) * random.uniform(0.3, 1.0, (count, len(half)))
    return np.asarray(signs * half)


def _grouped(values: Array, groups: int) -> Array:
    return values.reshape(groups, -1, *values.shape[1:])


def _relaxation(values: Array, begun: Array, jumps: Array, steps: Array) -> tuple[float, float]:
    """Return relaxation time [s] and the share that fades, of the largest jumps to both sides.

    Parameters
    ----------
    values : (directions, jumps, times, ...) after the jumps; `begun` (directions, ...) before them.
    """
    time, share, at = 0.0, 0.0, np.cumsum(steps)
    size = scale(values[:, :, -1].reshape(-1, *values.shape[3:]))
    for way, start in zip(values, begun, strict=True):
        for jump in (0, jumps.size - 1):
            left = norm(way[jump] - way[jump, -1])
            if left[0] <= SEEN * size:
                continue
            stays = float(norm(way[jump, -1:] - start[None])[0])
            share = max(share, float(left[0]) / stays if stays > 0 else math.inf)
            half = int(np.searchsorted(at, 0.5 * at[-1]))
            area = float((0.5 * (left[1:] + left[:-1]) * steps[1:]).sum()) / left[0] + steps[0]
            time = max(time, math.inf if left[half] > SETTLED * left[0] else float(area))
    return time, share


def _curvature(values: Array, jumps: Array) -> Array:
    """Return the curvature (directions,) of values at rest (directions, jumps, ...) at places `jumps` in [-1, 1].

    Of these only some are looked at, about equally far apart: round-off counts for little then.
    """
    chosen = np.unique(np.abs(jumps[:, None] - np.linspace(-1.0, 1.0, PLACES)).argmin(axis=0))
    x, f = 0.5 * (jumps[chosen] + 1), values[:, chosen].reshape(len(values), chosen.size, -1)
    slope = np.diff(f, axis=1) / np.diff(x)[:, None]
    bend = 2 * np.diff(slope, axis=1) / (x[2:] - x[:-2])[:, None]
    return np.asarray(np.abs(bend).max(axis=(1, 2), initial=0.0) / scale(values.reshape(-1, *values.shape[2:])))


def _harmonic(probe: Probe, ways: Array, phases: Array, dt: float) -> Seen:
    """Return what is seen in a period (directions, samples, ...) once the response repeats itself."""
    centre = probe.box.centre
    state, _ = probe.start(np.tile(centre, (len(ways), 1)))
    last: Seen = {}
    for _ in range(PERIODS):
        every = []
        for phase in np.roll(phases, -1):
            state, seen = probe.step(state, centre + phase * ways, dt)
            every.append(seen)
        period = {name: np.roll(np.stack([one[name] for one in every], axis=1), 1, axis=1) for name in every[0]}
        if last and all(_repeats(last[name], values) for name, values in period.items()):
            return period
        last = period
    return last


def _repeats(before: Array, now: Array) -> bool:
    size = _strength(now)
    return bool((_root_mean_square(now - before) <= REPEATED * size.max(initial=0.0)).all())


def _error(driven: Array, table: Array) -> float:
    """Return the largest share of the variation that a table misses; values (directions, samples, ...)."""
    size, wrong = _strength(driven), _root_mean_square(driven - table)
    heard = size > CONSTANT * float(np.abs(driven).max(initial=0.0))
    return float((wrong[heard] / size[heard]).max(initial=0.0)) if heard.any() else 0.0


def _strength(values: Array) -> Array:
    """Return how much values (n, samples, ...) vary in a period (n,)."""
    return _root_mean_square(values - values.mean(axis=1, keepdims=True))


def _root_mean_square(values: Array) -> Array:
    """Return that of the length of values (n, samples, ...), (n,)."""
    return np.asarray(np.sqrt((norm(values, 2) ** 2).mean(axis=1)))
