"""How long a micro model remembers, against how fast its controls change: the Deborah number, and what a table costs.

A step test: the controls jump from rest in the middle of the box, and stay. The relaxation time is the area between
what is seen and where it ends, over what fades. With the frequency w of the run, De = w tau.

On a monotone ramp a memory hides, as a table may be fitted to it. So the error of a table of what is seen in the end,
at rest, is measured in harmonic loading at the frequency w: the share of the variation that it misses, as root mean
square. For a standard linear solid, E* = Einf + E1 i De / (1 + i De), that is |E* - Einf| / |E*|.

Both begin at other places as well (`places`), and the worst counts. Where what is seen after all jumps is a linear
function of them, and after single jumps elsewhere too (`linearity`), one place tells of all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapters import seeds
from adapters.strategies.box import Box
from adapters.strategies.diagnosis.linearity import Line
from adapters.strategies.diagnosis.places import PARTS, Place, middle
from adapters.strategies.diagnosis.responses import (
    CONSTANT,
    Array,
    DiagnosisError,
    Jumps,
    Probe,
    Seen,
    growing,
    norm,
    scale,
)

SAMPLES = 24  # of a period, as a default
PERIODS = 24  # at most, until the response repeats itself
REPEATED = 1e-4  # change from one period to the next, as a share of the variation, that is none
SOONEST, LATEST = 1e-5, 100.0  # when the response to a jump is looked at, in periods of the run
GROWTH = 1.35  # of the steps in between
SETTLED = 1e-2  # share of what fades that may be left at the end
PLACES = 9  # at which the curvature is looked at
SEEN = 1e-4  # share of the range above which something fades
FEW = 0.1  # share of the variation in the whole box below which the variation in a part of it counts as that much


@dataclass(frozen=True)
class Fading:
    """The memory of one observable.

    Attributes
    ----------
    time : relaxation time [s]; 0 where nothing fades, infinite where it still does at the end.
    share : how much of it fades after a jump, as a share of what stays: E1 / Einf of a standard linear solid.
    error : of a table, as a share of the variation, in harmonic loading at the frequency of the run.
    time_from, error_from : where jumps and harmonic loading began that tell this.
    """

    observable: str
    time: float
    share: float
    error: float
    time_from: str = ""
    error_from: str = ""

    def worse(self, other: Fading) -> Fading:
        """Return the worse of two: the slower, and the larger error of a table."""
        slow, wrong = (max(self, other, key=lambda one: getattr(one, key)) for key in ("time", "error"))
        return Fading(self.observable, slow.time, slow.share, wrong.error, slow.time_from, wrong.error_from)


@dataclass(frozen=True)
class Memory:
    """The memory of a micro model.

    Attributes
    ----------
    frequency : w, of the run [1/s].
    held : how long the response to a jump was followed [s].
    curvature : of what is seen at rest along each direction: the largest second derivative over an edge of length 1, as
        a share of the range.
    places : where it was looked at; of a linear model in full at the first only.
    left_out : places from which the model cannot be followed, and why.
    """

    frequency: float
    fading: tuple[Fading, ...]
    held: float
    curvature: tuple[float, ...]
    solves: int
    places: tuple[str, ...] = ()
    linear: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def slowest(self) -> Fading:
        """What makes the largest error of a table."""
        return max(self.fading, key=lambda one: one.error)

    @property
    def lasting(self) -> Fading:
        """What has the longest relaxation time."""
        return max(self.fading, key=lambda one: one.time)

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


def memory(
    probe: Probe, frequency: float, seed: int, directions: int = 0, samples: int = SAMPLES, begins: Sequence[Place] = ()
) -> Memory:
    """Return how long the model remembers, and what a table would miss for that.

    Parameters
    ----------
    frequency : w [1/s] at which the controls go through the box and back.
    directions : how many, drawn at random; 0 for each component that varies.
    samples : of a period; the error of the amplitude falls with their square.
    begins : where jumps and harmonic loading begin as well, besides the middle of the box.
    """
    before, box = probe.solves, probe.box
    ways = ways_of(box, seed, directions)
    test = _Test(probe, ways, 2 * np.pi / frequency, samples)
    first = middle(box)
    jumps = test.jumps(first)
    bends = [_curvature(values[:, :, -1], test.levels) for values in jumps.seen.values()]
    driven = test.driven(first)
    found = test.fading(first, jumps, driven)
    line = Line.of(jumps, test.levels, ways, box.centre)
    linear = line is not None and all(_holds(line, probe, place, test.steps) for place in begins)
    looked, left = [first.name, *(place.name for place in begins if linear)], []
    for place in [] if linear else begins:
        try:
            found = test.worse_from(place, found, (jumps, driven))
            looked.append(place.name)
        except DiagnosisError as error:
            left.append(f"{place.name}: {error}")
    curvature, held = tuple(np.max(bends, axis=0).tolist()), float(test.steps.sum())
    solves = probe.solves - before
    return Memory(frequency, tuple(found), held, curvature, solves, tuple(looked), linear, tuple(left))


def _holds(line: Line, probe: Probe, place: Place, steps: Array) -> bool:
    try:
        return line.holds(probe, place, steps)
    except DiagnosisError:  # so it is no linear law; why, is told when it is looked at from there in full
        return False


def ways_of(box: Box, seed: int, count: int) -> Array:
    """Return directions (n, m) from the middle of the box to its rim: each that varies, or `count` drawn at random."""
    if count == 0:
        return np.eye(len(box.half))[box.free] * box.half
    random = np.random.default_rng(seeds.named(seed, "directions of jumps"))
    shape = (count, len(box.half))
    signs = np.where(random.random(shape) < 0.5, -1.0, 1.0) * random.uniform(0.3, 1.0, shape)
    return np.asarray(signs * box.half)


@dataclass
class _Test:
    """Jumps and harmonic loading along directions `ways` (n, m), with `samples` of a period [s]."""

    probe: Probe
    ways: Array
    period: float
    samples: int

    def __post_init__(self) -> None:
        self.phases = np.sin(2 * np.pi * np.arange(self.samples) / self.samples)
        self.levels = np.unique(np.round(self.phases, 12))
        self.steps = growing(SOONEST * self.period, LATEST * self.period, GROWTH)

    def jumps(self, place: Place, part: float = PARTS[0]) -> Jumps:
        """Return what is seen after jumps from a place to all levels of its excursions."""
        middles, ways = place.excursions(self.probe.box, self.ways, part)
        ends = middles[:, None] + self.levels[:, None] * ways[:, None]
        return self.probe.jump(place.at, ends, self.steps)

    def driven(self, place: Place, part: float = PARTS[0]) -> Seen:
        """Return what is seen in a period (directions, samples, ...), begun at a place, once it repeats itself."""
        middles, ways = place.excursions(self.probe.box, self.ways, part)
        state, _ = self.probe.start(np.tile(place.at, (len(ways), 1)))
        last: Seen = {}
        for _ in range(PERIODS):
            every = []
            for phase in np.roll(self.phases, -1):
                state, seen = self.probe.step(state, middles + phase * ways, self.period / self.samples)
                every.append(seen)
            period = {name: np.roll(np.stack([one[name] for one in every], axis=1), 1, axis=1) for name in every[0]}
            if last and all(_repeats(last[name], values) for name, values in period.items()):
                return period
            last = period
        return last

    def worse_from(self, place: Place, known: list[Fading], whole: tuple[Jumps, Seen]) -> list[Fading]:
        """Return the memory of each observable, the worse of what is known and of what shows from a place.

        Where jumps show a memory and harmonic loading none, that has left where the memory is, and goes less far next.
        """
        for part in PARTS if place.near.any() else PARTS[:1]:
            here = self.fading(place, self.jumps(place, part), self.driven(place, part), whole)
            known = [one.worse(other) for one, other in zip(known, here, strict=True)]
            if not any(one.time for one in here) or any(one.error > SEEN for one in here):
                break
        return known

    def fading(self, place: Place, jumps: Jumps, driven: Seen, whole: tuple[Jumps, Seen] | None = None) -> list[Fading]:
        """Return the memory of each observable as it shows from a place.

        Parameters
        ----------
        whole : jumps and harmonic loading through the whole box, with which those through a part of it are compared.
        """
        found, at = [], np.searchsorted(self.levels, np.round(self.phases, 12))
        for name, values in jumps.seen.items():
            size, least = _size(values), 0.0
            if whole is not None:
                size = max(size, _size(whole[0].seen[name]))
                least = FEW * float(_strength(whole[1][name]).max(initial=0.0))
            time, share = _relaxation(values, jumps.begun[name], size, self.steps)
            error = _error(driven[name], values[:, at, -1], least)
            found.append(Fading(name, time, share, error, place.name, place.name))
        return found


def _size(values: Array) -> float:
    """Return the range of what is seen in the end, of values (directions, jumps, times, ...)."""
    return scale(values[:, :, -1].reshape(-1, *values.shape[3:]))


def _relaxation(values: Array, begun: Array, size: float, steps: Array) -> tuple[float, float]:
    """Return the longest relaxation time [s] of all jumps, and the share that fades where most does.

    Parameters
    ----------
    values : (directions, jumps, times, ...) after the jumps; `begun` (directions, ...) before them.
    size : range of what is seen.
    """
    left = norm(values - values[:, :, -1:], 3)
    stays = norm(values[:, :, -1] - begun[:, None], 2)
    fades = left[:, :, 0] > SEEN * size
    if not fades.any():
        return 0.0, 0.0
    left, stays, at = left[fades], stays[fades], np.cumsum(steps)
    most = int(left[:, 0].argmax())
    share = float(left[most, 0] / stays[most]) if stays[most] > 0 else math.inf
    half = int(np.searchsorted(at, 0.5 * at[-1]))
    area = (0.5 * (left[:, 1:] + left[:, :-1]) * steps[1:]).sum(axis=1) / left[:, 0] + steps[0]
    time = np.where(left[:, half] > SETTLED * left[:, 0], math.inf, area)
    return float(time.max()), share


def _curvature(values: Array, jumps: Array) -> Array:
    """Return the curvature (directions,) of values at rest (directions, jumps, ...) at places `jumps` in [-1, 1].

    Of these only some are looked at, about equally far apart: round-off counts for little then.
    """
    chosen = np.unique(np.abs(jumps[:, None] - np.linspace(-1.0, 1.0, PLACES)).argmin(axis=0))
    x, f = 0.5 * (jumps[chosen] + 1), values[:, chosen].reshape(len(values), chosen.size, -1)
    slope = np.diff(f, axis=1) / np.diff(x)[:, None]
    bend = 2 * np.diff(slope, axis=1) / (x[2:] - x[:-2])[:, None]
    return np.asarray(np.abs(bend).max(axis=(1, 2), initial=0.0) / scale(values.reshape(-1, *values.shape[2:])))


def _repeats(before: Array, now: Array) -> bool:
    size = _strength(now)
    return bool((_root_mean_square(now - before) <= REPEATED * size.max(initial=0.0)).all())


def _error(driven: Array, table: Array, least: float) -> float:
    """Return the largest share of the variation, taken to be `least` at least, that a table misses.

    Values are (directions, samples, ...).
    """
    size, wrong = np.maximum(_strength(driven), least), _root_mean_square(driven - table)
    heard = size > CONSTANT * float(np.abs(driven).max(initial=0.0))
    return float((wrong[heard] / size[heard]).max(initial=0.0)) if heard.any() else 0.0


def _strength(values: Array) -> Array:
    """Return how much values (n, samples, ...) vary in a period (n,)."""
    return _root_mean_square(values - values.mean(axis=1, keepdims=True))


def _root_mean_square(values: Array) -> Array:
    """Return that of the length of values (n, samples, ...), (n,)."""
    return np.asarray(np.sqrt((norm(values, 2) ** 2).mean(axis=1)))
