"""The path test: do several paths of controls that end at one place lead to the same observables?

Each end is reached straight, from the other side of the box, back from beyond, and round a corner, all in the same
time, and so from several places (`places`) unless the model is linear. If what is seen differs on arrival, and no
longer after a long rest, the memory fades: how much that matters is a question of time (`memory`). If it still differs,
there is an internal state that stays, as plastic strain does, and no function of the controls alone can be right.

The work of an observable on its control along a closed path tells the same: there and back on one line it vanishes for
every function of the controls; round a triangle, for those that have a potential.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapters import seeds
from adapters.strategies.box import Box
from adapters.strategies.diagnosis.places import Place
from adapters.strategies.diagnosis.places import rest as place_of_rest
from adapters.strategies.diagnosis.responses import Array, DiagnosisError, Probe, Seen, growing, norm, scale

STEPS = 16  # of each path; a multiple of 4
REST = 100.0  # times as long as the paths
TRIANGLES = 2
LITTLE = 1e-4  # difference after a rest, as a share of the range, that is none
FEW = 0.1  # share of the largest range on a closed path below which the range on another counts as that much
FARTHEST = 0.7  # of the way to the rim, for ends of paths that begin at other places


@dataclass(frozen=True)
class Difference:
    """How far one observable depends on the path.

    Attributes
    ----------
    arrival, rest : largest difference between paths to one end, on arrival and after a rest, as a share of the range.
    hysteresis : work there and back on one line, as a share of the range times the way; None without a partner.
    circulation : work round a triangle, as a share of the work on its sides; None where there is no triangle.
    partner : the control that does work on it.
    begin : where the paths began that differ most.
    """

    observable: str
    arrival: float
    rest: float
    hysteresis: float | None = None
    circulation: float | None = None
    partner: str = ""
    begin: str = ""


@dataclass(frozen=True)
class PathTest:
    """What came of the test: for each observable how it depends on the path; how many paths and solves that took.

    Attributes
    ----------
    places : where paths began.
    left_out : places from which the model cannot be followed, and why.
    """

    differences: tuple[Difference, ...]
    paths: int
    solves: int
    places: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def worst(self) -> Difference:
        """What differs most after a rest, or on arrival where nothing does then."""
        return max(self.differences, key=lambda one: one.rest if self.rest > LITTLE else one.arrival)

    @property
    def arrival(self) -> float:
        """The largest difference on arrival."""
        return max((d.arrival for d in self.differences), default=0.0)

    @property
    def rest(self) -> float:
        """The largest difference after a rest."""
        return max((d.rest for d in self.differences), default=0.0)


def path_test(probe: Probe, time: float, seed: int, ends: int = 3, begins: Sequence[Place] = ()) -> PathTest:
    """Return how what is seen depends on the path.

    Parameters
    ----------
    time : in which the controls cross the box [s].
    ends : how many end points from each place.
    begins : where paths begin as well, besides rest.
    """
    before, first = probe.solves, place_of_rest(probe.box)
    bundles, left = [_bundle(probe, first, _ends(probe.box, seed, ends), time, seed)], []
    for place in begins:
        try:
            bundles.append(_bundle(probe, place, _ends_from(probe.box, place.at, seed, ends), time, seed))
        except DiagnosisError as error:
            left.append(f"{place.name}: {error}")
    work = _work(probe, bundles, time, seed)
    found = []
    for name in probe.model.observables:
        size = scale(np.concatenate([one.seen[name] for one in bundles]))
        apart = [[_apart(values[name], ends) / size for values in (one.arrived, one.rested)] for one in bundles]
        arrival, rest = np.max(apart, axis=0).tolist()
        begin = bundles[int(np.argmax(apart, axis=0)[1 if rest > LITTLE else 0])].place.name
        hysteresis, circulation, partner = work.get(name, (None, None, ""))
        found.append(Difference(name, arrival, rest, hysteresis, circulation, partner, begin))
    names, paths = tuple(one.place.name for one in bundles), sum(len(one.paths) for one in bundles)
    return PathTest(tuple(found), paths, probe.solves - before, names, tuple(left))


@dataclass(frozen=True)
class _Bundle:
    """Paths from one place to some ends.

    Attributes
    ----------
    targets : the ends (ends, m).
    paths : (n, STEPS + 1, m), those to one end side by side.
    arrived, rested : what is seen at their ends (n, ...), on arrival and after a rest.
    """

    place: Place
    targets: Array
    paths: Array
    begun: Seen
    arrived: Seen
    rested: Seen

    @property
    def seen(self) -> Seen:
        """What has to do with the range of what is seen (n + 1, ...)."""
        return {name: np.concatenate([values, self.begun[name]]) for name, values in self.rested.items()}


def _bundle(probe: Probe, place: Place, targets: Array, time: float, seed: int) -> _Bundle:
    """Follow all paths from a place to the targets (ends, m)."""
    paths = np.concatenate([_to(probe.box, place.at, target, seed, k) for k, target in enumerate(targets)])
    state, seen = probe.follow(paths, np.full(STEPS, time / STEPS))
    _, rested = probe.hold(state, paths[:, -1], growing(time / STEPS, REST * time, 1.5))
    begun, arrived = (
        {name: values[n, k] for name, values in seen.items()} for n, k in ((slice(1), 0), (slice(None), -1))
    )
    return _Bundle(place, targets, paths, begun, arrived, {name: values[:, -1] for name, values in rested.items()})


def _ends(box: Box, seed: int, count: int) -> Array:
    """Return end points (count, m): about half way out from rest in every component that varies."""
    random = np.random.default_rng(seeds.named(seed, "ends of paths"))
    far = np.where(random.random((count, len(box.low))) < 0.5, box.low, box.high)
    nearer = np.where(np.isclose(far, box.rest), np.where(np.isclose(box.low, far), box.high, box.low), far)
    return box.rest + random.uniform(0.4, 0.7, (count, len(box.low))) * (nearer - box.rest)


def _ends_from(box: Box, begin: Array, seed: int, count: int) -> Array:
    """Return end points (count, m) from another place, towards the farther ends: the first near, the last far."""
    random = np.random.default_rng([seeds.named(seed, "ends of paths from other places"), count])
    far = np.where(begin - box.low > box.high - begin, box.low, box.high)
    share = FARTHEST * (np.arange(count)[:, None] + random.uniform(0.2, 1.0, (count, len(begin)))) / count
    return np.asarray(begin + share * (far - begin))


def _to(box: Box, begin: Array, end: Array, seed: int, number: int) -> Array:
    """Return paths (4, STEPS + 1, m) from a place to one end: straight, from the other side, back from beyond, round a
    corner.
    """
    random = np.random.default_rng([seeds.named(seed, "corners of paths"), number])
    direction = end - begin
    behind, beyond = (begin + sign * _room(box, begin, sign * direction) * direction for sign in (-1.0, 1.0))
    corner = box.low + random.random(len(end)) * (box.high - box.low)
    straight = _line(begin, end, STEPS)
    return np.stack([straight, *(_bent(begin, via, end) for via in (behind, beyond, corner))])


def _room(box: Box, place: Array, direction: Array) -> float:
    """Return how often a direction goes from a place to the rim of the box."""
    rim = np.where(direction > 0, box.high - place, box.low - place)
    return float(np.divide(rim, direction, out=np.full_like(rim, np.inf), where=direction != 0).min(initial=np.inf))


def _line(begin: Array, end: Array, steps: int) -> Array:
    return begin + np.linspace(0.0, 1.0, steps + 1)[:, None] * (end - begin)


def _bent(begin: Array, via: Array, end: Array) -> Array:
    first, second = _line(begin, via, STEPS // 2), _line(via, end, STEPS // 2)
    return np.concatenate([first, second[1:]])


def _apart(values: Array, ends: int) -> float:
    """Return the largest distance of values (paths, ...) at one end from those of the straight path."""
    groups = values.reshape(ends, -1, *values.shape[1:])
    return float(np.abs(groups - groups[:, :1]).max(initial=0.0))


# ---- work along closed paths


def _work(
    probe: Probe, bundles: Sequence[_Bundle], time: float, seed: int
) -> dict[str, tuple[float, float | None, str]]:
    """Return hysteresis, circulation and partner of each observable that has one."""
    pairs = partners(probe)
    if not pairs:
        return {}
    box, half = probe.box, STEPS // 2
    lines = [
        np.concatenate([_line(one.place.at, end, half), _line(end, one.place.at, half)[1:]])
        for one in bundles
        for end in one.targets
    ]
    triangles = _triangles(box, seed) if box.free.size > 1 else []
    loops = [*lines, *triangles]
    steps = max(len(loop) for loop in loops) - 1
    paths = np.stack([np.concatenate([loop, np.repeat(loop[-1:], steps + 1 - len(loop), axis=0)]) for loop in loops])
    _, seen = probe.follow(paths, np.full(steps, time / half))
    controls = box.columns.unflatten(paths)
    found = {}
    for observable, control in pairs.items():
        done, ranges, ways = _integrals(seen[observable], controls[control])
        scales = np.maximum(np.maximum(ranges, FEW * ranges.max(initial=0.0)) * ways, 1e-300)
        loop = np.abs(done[: len(lines)]) / scales[: len(lines)]
        circulation = None
        if triangles:
            around = _extrapolated(seen[observable][len(lines) :], controls[control][len(lines) :])
            circulation = float((np.abs(around) / scales[len(lines) :]).max())
        found[observable] = (float(loop.max()), circulation, control)
    return found


def partners(probe: Probe) -> dict[str, str]:
    """Return for each observable the control of its shape that varies, the first if there are several."""
    varying = dict.fromkeys(probe.box.columns.components[i].field for i in probe.box.free)
    fields = {name: probe.model.controls[name] for name in varying}
    result = {}
    for name, field in probe.model.observables.items():
        fitting = [control for control, one in fields.items() if one.rank == field.rank]
        if fitting:
            result[name] = fitting[0]
    return result


def _triangles(box: Box, seed: int) -> list[Array]:
    """Return paths from rest round triangles: out in some of the components that vary, then in the others."""
    random = np.random.default_rng(seeds.named(seed, "triangles"))
    far = np.where(box.high - box.rest >= box.rest - box.low, box.high, box.low)
    found = []
    for _ in range(TRIANGLES):
        some = random.permutation(box.free)[: box.free.size // 2]
        corners = np.stack([box.rest, box.rest, np.where(np.isin(np.arange(len(far)), box.free), far, box.rest)])
        corners[1, some], corners[2, some] = far[some], box.rest[some]
        legs = [_line(corners[i], corners[(i + 1) % 3], STEPS) for i in range(3)]
        found.append(np.concatenate([legs[0], legs[1][1:], legs[2][1:]]))
    return found


def _integrals(observable: Array, control: Array) -> tuple[Array, Array, Array]:
    """Return along paths (n, s + 1, ...) the work (n,), the range of the observable (n,), and the way (n,)."""
    n, s = control.shape[0], control.shape[1] - 1
    move = np.diff(control, axis=1).reshape(n, s, -1)
    flat = observable.reshape(n, s + 1, -1)
    mean = 0.5 * (flat[:, 1:] + flat[:, :-1])
    done = np.einsum("nsc,nsc->n", mean, move)
    return done, norm(flat - flat[:, :1], 2).max(axis=1), norm(move, 2).sum(axis=1)


def _extrapolated(observable: Array, control: Array) -> Array:
    """Return the work (n,) along paths (n, s + 1, ...), free of the leading error of the trapezoidal rule."""
    fine, *_ = _integrals(observable, control)
    coarse, *_ = _integrals(observable[:, ::2], control[:, ::2])
    return (4 * fine - coarse) / 3
