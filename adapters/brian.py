"""Populations of spiking neurons in Brian2 as a micro model: window by window, with a state that is a value.

What a call of Brian's `Network.run` prepares costs as much as a thousand steps. So a network is prepared once, and its
steps are then made one by one, in the order in which `Network.run` makes them. All that a step changes is in the state:
the variables of the neurons, when each fired last, the spikes that are on their way, and the time.

A neuron that fires in the step from t to t + dt has fired at t + dt. Brian itself names the t of the step. What arrives
at t + dt, from elsewhere, is there before the threshold is looked at.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from brian2 import Clock, Network, NetworkOperation, ms, prefs, second
from brian2.synapses.synapses import SynapticPathway

from adapters import populations, seeds
from adapters.micro import MicroError, State
from adapters.populations import Array, Values
from adapters.spikes import Spikes
from adapters.wiring import CouplingError
from scalebridge.settings import setting

LONG_AGO = -1e4  # [s] when a neuron that has never fired fired last, in Brian
NETWORKS = 4  # that are kept: of the whole batch, and of parts of it where single populations are looked at


@dataclass(frozen=True)
class Simulation(populations.Simulation):
    """How a network is simulated in Brian2."""

    codegen: str = setting(
        "numpy", "what steps are made with; cython compiles for half a minute once", choices=("numpy", "cython")
    )


@dataclass(frozen=True)
class Circuit:
    """The parts of a network of n populations, in Brian's terms.

    Attributes
    ----------
    neurons : "neurons", those of one population after those of the other, with potential `v` and a refractory time.
    populations : "populations", one element for each, with the input `I`.
    synapses : from neurons to neurons or populations; made by `arriving` where they act on potentials.
    jump : of the potential by an afferent spike.
    background : mean number of background spikes that reach a neuron in a step.
    background_jump : of the potential by one of them.
    """

    neurons: Any
    populations: Any
    synapses: Sequence[Any] = ()
    jump: float = 0.0
    background: float = 0.0
    background_jump: float = 0.0


def refractory(steps: int, dt: float) -> Any:
    """Return Brian's refractory time for neurons that are silent in so many steps of dt [ms] after they have fired.

    For Brian they have fired when the step began in which they reached the threshold.
    """
    return (steps + 1) * dt * ms


def arriving(synapses: Any, steps: int, dt: float) -> Any:
    """Let synapses act so many steps of dt [ms] after a spike, at the end of a step but before the threshold.

    Brian lets them act after it, where a neuron that they excite would fire a step later. So they act in the slot of
    Brian's schedule before, in which they learn of the spikes of the last step.
    """
    synapses.pre.when, synapses.pre.order = "groups", 1
    synapses.delay = (steps - 1) * dt * ms
    return synapses


class Populations(populations.Populations, ABC):
    """Populations of spiking neurons at n points, in one network.

    State, all with n rows: "point"; "step", how many were made; "neurons" and "populations", their variables by name
    (n, N) and (n,) in SI units; "recent" (n, delay, N), who fired in so many steps before; "raster" (n, m, steps), who
    of m neurons fired in the window before.
    """

    def __init__(self, settings: Any, seed: int) -> None:
        super().__init__(settings, seed)
        self._networks: dict[bytes, _Network] = {}

    @abstractmethod
    def circuit(self, points: Array, clock: Any) -> Circuit:
        """Return populations at `points` (n, dim) whose groups and synapses have this clock."""

    @abstractmethod
    def initial(self, points: Array, drive: Array) -> dict[str, dict[str, Array]]:
        """Return the variables at the start, by group and name, under a constant input (n,) in SI units.

        Those that are not named are zero; no neuron is refractory.
        """

    def seen(self, v: Array) -> dict[str, Array]:
        """Return what else can be seen of populations with potentials (n, N) at the end of a sample, (n,) by name."""
        return {}

    def start(self, points: Array, controls: Values) -> State:
        """Return populations at `points` (n, dim), under the first sample of the controls (n, k)."""
        network = self._network(np.asarray(points))
        blank = network.blank(len(self.shown))
        drive = self.drive(controls, len(points))
        for group, variables in self.initial(np.asarray(points), drive[:, 0]).items():
            blank[group] |= variables
        return {"point": np.asarray(points), **blank}

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Any]]:
        """Advance by dt [s] under signals (n, k) and afferent spikes; with dt = 0 show the state as it is."""
        points = np.asarray(state["point"])
        n, N = len(points), self.neurons
        drive = self.drive(controls, n)
        parts = drive.shape[1]
        if dt == 0:
            seen = self.seen(_group(state, "neurons")["v"])
            signals = {name: np.repeat(values[:, None], parts, axis=1) for name, values in seen.items()}
            return state, {"spikes": Spikes.none(n, N, 0.0).divided(parts), **signals}
        each = self.steps(dt, parts)
        network = self._network(points)
        network.enter(state)
        network.deliver(controls.get("spikes"), parts * each)
        samples = []
        for j in range(parts):
            network.advance(drive[:, j], each)
            samples.append(self.seen(network.v.reshape(n, N)))
        after, spikes = network.leave(points, dt, self.shown)
        signals = {name: np.stack([seen[name] for seen in samples], axis=1) for name in samples[0]}
        return after, {"spikes": spikes.divided(parts), **signals}

    def complete(self, state: State, window: int) -> None:
        """Write who fired in a window."""
        if not len(self.shown):
            return
        fired = np.asarray(state["raster"])
        begin = int(np.asarray(state["step"])[0]) - fired.shape[2]
        at, row, which = np.nonzero(np.moveaxis(fired, 2, 0))
        self.write(row, self.shown[which], begin + 1 + at, begin=begin)

    def _network(self, points: Array) -> _Network:
        """Return the network of populations at these points; made where it has not been made before."""
        which = points.tobytes()
        if which not in self._networks:
            while len(self._networks) >= NETWORKS:
                del self._networks[next(iter(self._networks))]
            _generate_code(self.settings.codegen)
            clock = Clock(dt=self.settings.dt / 1e3 * second, name="steps")
            circuit = self.circuit(points, clock)
            keys = seeds.keys(points, seeds.named(self.seed, "background"))
            self._networks[which] = _Network(circuit, clock, keys)
        return self._networks[which]


class _Network:
    """A network that has been prepared, in some state."""

    def __init__(self, circuit: Circuit, clock: Any, keys: Array) -> None:
        self.dt, self.keys, self.rows = float(clock.dt_), keys, len(keys)
        self.timestep, self.time = (clock.variables[name].get_value() for name in ("timestep", "t"))
        self.circuit = circuit
        groups = {"neurons": circuit.neurons, "populations": circuit.populations}
        afferents = NetworkOperation(self._deliver, clock=clock, when="groups", order=2, name="afferents")
        self.network = Network(*groups.values(), *circuit.synapses, afferents)
        self.network.run(0 * second, namespace={})
        self.objects = [thing for thing in self.network.sorted_objects if thing.active]
        self.ways = [thing for thing in self.objects if isinstance(thing, SynapticPathway)]
        depth = max((_delay(way, self.dt) for way in self.ways), default=0)
        self.recent = np.zeros((self.rows, depth, len(circuit.neurons) // self.rows), dtype=bool)
        self.variables = {
            name: {key: group.variables[key].get_value() for key in _changing(group)} for name, group in groups.items()
        }
        self.shapes = {"neurons": (self.rows, -1), "populations": (self.rows,)}
        self.v = self.variables["neurons"]["v"]
        self.ready = self.variables["neurons"]["not_refractory"]
        self.input = circuit.populations.variables["I"].get_value()
        self.fired = circuit.neurons.variables["_spikespace"].get_value()
        self.handed: State | None = None
        self.step = 0
        self.spikes: list[tuple[int, Array]] = []

    # ---- the state

    def blank(self, shown: int) -> dict[str, Any]:
        """Return a state at time zero with nothing in it."""
        state: dict[str, Any] = {"step": np.zeros(self.rows, dtype=np.int64), "recent": np.zeros_like(self.recent)}
        state["raster"] = np.zeros((self.rows, shown, 0), dtype=bool)
        for name, variables in self.variables.items():
            state[name] = {key: np.zeros_like(array.reshape(self.shapes[name])) for key, array in variables.items()}
        state["neurons"]["lastspike"] += LONG_AGO
        state["neurons"]["not_refractory"][...] = True
        return state

    def enter(self, state: Any) -> None:
        """Be in this state; nothing is done where it is the one that was handed out last."""
        self.spikes.clear()
        if state is not self.handed:
            steps = np.unique(state["step"])
            if len(steps) > 1:
                raise MicroError([], f"populations of one network at different times, after {steps} steps")
            self.step = int(steps[0])
            self._set_clock()
            for name, variables in self.variables.items():
                for key, array in variables.items():
                    array[...] = state[name][key].reshape(-1)
            self.recent = state["recent"]
            self._refill()
        self.handed = None  # should a step fail, this is no state
        self.begin = self.step

    def leave(self, points: Array, duration: float, shown: Array) -> tuple[State, Spikes]:
        """Hand out the state, and the spikes of the window that began when it was entered."""
        N, steps = self.recent.shape[2], self.step - self.begin
        at = np.repeat([step for step, _ in self.spikes], [len(who) for _, who in self.spikes]).astype(np.int64)
        who = np.concatenate([np.zeros(0, dtype=np.int64), *(w for _, w in self.spikes)])
        row, neuron = who // N, who % N
        place = np.full(N, -1)
        place[shown] = np.arange(len(shown))
        seen = place[neuron] >= 0
        fired = np.zeros((self.rows, len(shown), steps), dtype=bool)
        fired[row[seen], place[neuron[seen]], at[seen]] = True
        depth = self.recent.shape[1]
        recent = np.zeros_like(self.recent)
        recent[:, : max(depth - steps, 0)] = self.recent[:, steps:]
        late = at >= steps - depth
        recent[row[late], at[late] - steps + depth, neuron[late]] = True
        self.recent = recent
        values = {
            name: {key: array.reshape(self.shapes[name]).copy() for key, array in variables.items()}
            for name, variables in self.variables.items()
        }
        step = np.full(self.rows, self.step, dtype=np.int64)
        self.handed = {"point": points, "step": step, **values, "recent": recent, "raster": fired}
        ends = np.minimum((at + 1) * (duration / steps), duration)
        return self.handed, Spikes.of(row, neuron, ends, rows=self.rows, neurons=N, duration=duration)

    def _refill(self) -> None:
        """Put the spikes that are on their way into the queues, as if the steps had just been made."""
        before = [np.flatnonzero(who).astype(np.int32) for who in np.moveaxis(self.recent, 1, 0)]
        for way in self.ways:
            for _ in range(len(before) + 1):
                way.queue.advance()  # drops what was there
            for who in before[: len(before) - _late(way)]:
                way.queue.push(who)
                way.queue.advance()
        if before:
            last = before[-1]
            self.fired[: len(last)], self.fired[-1] = last, len(last)

    # ---- steps

    def deliver(self, spikes: Spikes | None, steps: int) -> None:
        """Let afferent spikes reach the neurons in the steps of the coming window in which they fall."""
        if spikes is None or not spikes.time.size:
            self.arrivals = np.zeros(steps + 1, dtype=np.int64)
            return
        at = populations.falling(spikes, steps)
        size = len(self.v)
        which, self.counts = np.unique(at * size + spikes.row * spikes.neurons + spikes.neuron, return_counts=True)
        self.arrivals = np.searchsorted(which, size * np.arange(steps + 1))
        self.targets = which % size

    def _deliver(self) -> None:
        """Let the spikes reach the neurons that come from elsewhere in this step; refractory ones do not mind."""
        first, last = self.arrivals[self.step - self.begin], self.arrivals[self.step - self.begin + 1]
        if first < last:
            who = self.targets[first:last]
            self.v[who] += self.circuit.jump * self.counts[first:last] * self.ready[who]
        if self.circuit.background:
            N = len(self.v) // self.rows
            for key, v, ready in zip(self.keys, self.v.reshape(-1, N), self.ready.reshape(-1, N), strict=True):
                random = seeds.counted(key, self.step)
                spikes = random.integers(0, N, random.poisson(self.circuit.background * N))
                v += self.circuit.background_jump * np.bincount(spikes, minlength=N) * ready

    def advance(self, drive: Array, steps: int) -> None:
        """Make steps under a constant input (n,)."""
        self.input[:] = drive
        for _ in range(steps):
            for thing in self.objects:
                thing.run()
            if self.fired[-1]:
                self.spikes.append((self.step - self.begin, self.fired[: self.fired[-1]].copy()))
            self.step += 1
            self._set_clock()

    def _set_clock(self) -> None:
        self.timestep[0] = self.step
        self.time[0] = self.step * self.dt


def _group(state: State, name: str) -> Mapping[str, Array]:
    return cast(Mapping[str, Array], state[name])


def _changing(group: Any) -> list[str]:
    """Return the names of the variables of a group that a step changes."""
    fired = ["lastspike", "not_refractory"] if "lastspike" in group.variables else []
    return [*sorted(group.equations.diff_eq_names), *fired]


def _late(way: Any) -> int:
    """Return 1 where synapses learn of spikes one step later than those happen, else 0."""
    return int(way.when == "groups")


def _delay(way: Any, dt: float) -> int:
    """Return after how many steps spikes have acted over all synapses; delays as Brian rounds them."""
    return int(np.max(way.variables["delay"].get_value(), initial=0) / dt + 0.5) + _late(way)


def _generate_code(target: str) -> None:
    """Let Brian make its steps with NumPy, or compile them into a folder of the user."""
    prefs.codegen.target = target
    if target == "numpy":
        return
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scalebridge" / "brian"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouplingError(
            f"codegen: cython keeps what it compiles in {folder}, which cannot be made: {error.strerror or error}; "
            "set XDG_CACHE_HOME to another folder, or take codegen: numpy"
        ) from None
    prefs.codegen.runtime.cython.cache_dir = str(folder)
