"""Populations of spiking neurons in NEST as a micro model: window by window, and never back.

NEST shows no state that could be kept. So the state of the model is its clock, and one that was handed out before the
last is refused. Its kernel is one for the whole process: whoever starts a network ends the one before.

A neuron that fires in the step from t to t + dt has fired at t + dt. Nothing that comes from outside is late:

- What drives a population in a step moves all its potentials at the end of that step, and so it is sent, as one spike
  with a weight. Devices of NEST cannot act before the second step after they are told. The first step of a window is
  therefore left to a relay, a neuron that fires in the last step before: NEST delivers that spike with the weight that
  its connections have when the window begins. For that NEST makes one step before the first, and is a step ahead.
- An afferent spike falls into a step and is there at the end of the next one.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adapters import populations
from adapters.populations import Array, Values
from adapters.ranks import world
from adapters.spikes import Spikes
from adapters.wiring import CouplingError

KEPT = 1000  # spikes that NEST may hold before it is asked to forget them, which costs as much as reading so many


class Populations(populations.Populations, ABC):
    """Populations of spiking neurons at n points, in one network.

    State, both with n rows: "network", which of those that this process has begun, and "step", how many were made.
    """

    repeatable = False

    def __init__(self, settings: Any, seed: int) -> None:
        super().__init__(settings, seed)
        self._kernel: Kernel | None = None
        self._fired: tuple[Array, Array] = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    @abstractmethod
    def build(self, kernel: Kernel, points: Array, drive: Array) -> Circuit:
        """Return populations at `points` (n, dim) that start under a constant input (n,)."""

    @abstractmethod
    def advance(self, kernel: Kernel, drive: Array) -> tuple[Array, Array]:
        """Make steps under an input (n, steps); return what `Kernel.run` returns."""

    def start(self, points: Array, controls: Values) -> dict[str, Array]:
        """Return populations at `points` (n, dim), under the first sample of the controls (n, k)."""
        drive = self.drive(controls, len(points))
        self._kernel = kernel = Kernel(self.settings.dt, self.seed)
        circuit = self.build(kernel, np.asarray(points), drive[:, 0])
        kernel.take(circuit, len(points), afferents="spikes" in controls)
        return self._state(kernel)

    def solve(self, state: Values, controls: Values, dt: float) -> tuple[dict[str, Array], dict[str, Any]]:
        """Advance by dt [s] under signals (n, k) and afferent spikes; with dt = 0 show the state as it is."""
        kernel = self._standing(state)
        n, N = len(state["step"]), self.neurons
        drive = self.drive(controls, n)
        parts = drive.shape[1]
        if dt == 0:
            return dict(state), {"spikes": Spikes.none(n, N, 0.0).divided(parts)}
        each = self.steps(dt, parts)
        begin, steps = kernel.step, parts * each
        kernel.deliver(controls.get("spikes"), steps)
        who, at = self.advance(kernel, np.repeat(drive, each, axis=1))
        self._fired = who, at
        ends = np.minimum((at - begin) * (dt / steps), dt)
        spikes = Spikes.of(who // N, who % N, ends, rows=n, neurons=N, duration=dt)
        return self._state(kernel), {"spikes": spikes.divided(parts)}

    def complete(self, state: Values, window: int) -> None:
        """Write who fired in a window."""
        if not len(self.shown):
            return
        who, at = self._fired
        seen = np.isin(who % self.neurons, self.shown)
        self.write(who[seen] // self.neurons, who[seen] % self.neurons, at[seen], begin=0)

    def _state(self, kernel: Kernel) -> dict[str, Array]:
        return {"network": np.full(kernel.rows, kernel.number), "step": np.full(kernel.rows, kernel.step)}

    def _standing(self, state: Values) -> Kernel:
        """Return the kernel, which has to stand where the state is."""
        kernel = self._kernel
        if kernel is None or kernel.number != Kernel.begun or (np.asarray(state["network"]) != kernel.number).any():
            raise CouplingError("NEST has one network in a process, and this is not the one that was started last")
        at, steps = kernel.step, np.unique(state["step"])
        if len(state["step"]) != kernel.rows or steps.tolist() != [at]:
            told = " and ".join(f"{step * kernel.dt:g} ms" for step in steps)
            raise CouplingError(
                f"NEST stands at {at * kernel.dt:g} ms with {kernel.rows} populations and cannot go back to "
                f"{len(state['step'])} at {told}; expected what it has handed out last: it keeps no states"
            )
        return kernel


@dataclass(frozen=True)
class Circuit:
    """The parts of a network of n populations, in NEST's terms.

    Attributes
    ----------
    neurons : all neurons, those of one population after those of the other.
    initial : values of theirs at the start by NEST's names, (n, N) each.
    jump : of the potential by an afferent spike, one step after that in which it falls [mV].
    """

    neurons: Any
    initial: Mapping[str, Array]
    jump: float


class Kernel:
    """NEST's kernel with a network in it.

    Parameters
    ----------
    dt : time step [ms].
    seed : of NEST's own random numbers.

    Attributes
    ----------
    nest : the module.
    number, step, rows : which network of this process, where it stands, and how many populations it has.
    """

    begun: ClassVar[int] = 0

    def __init__(self, dt: float, seed: int) -> None:
        self.nest = load()
        self.nest.ResetKernel()
        self.nest.set(resolution=dt, local_num_threads=1, rng_seed=1 + seed % (2**32 - 1))
        Kernel.begun += 1
        self.number, self.step, self.dt = Kernel.begun, 0, dt

    def take(self, circuit: Circuit, rows: int, *, afferents: bool) -> None:
        """Take the neurons of `rows` populations to be driven and recorded, and get ready to run."""
        nest, self.rows = self.nest, rows
        N = len(circuit.neurons) // rows
        self.first = circuit.neurons[0].global_id
        self.recorder = nest.Create("spike_recorder", params={"time_in_steps": True})
        nest.Connect(circuit.neurons, self.recorder)
        self.read = 0
        self.generators = nest.Create("spike_generator", rows)
        silent = {"E_L": 0.0, "V_m": 0.0, "V_reset": 0.0, "V_th": 1.0, "t_ref": 0.0}
        self.relays, self.weights = nest.Create("iaf_psc_delta", rows, params=silent), np.zeros(rows)
        for row in range(rows):
            own = circuit.neurons[row * N : (row + 1) * N]
            nest.Connect(self.generators[row], own, syn_spec={"weight": 1.0, "delay": self.dt})
            nest.CopyModel("static_synapse_hom_w", f"first-{row}", {"weight": 0.0})
            nest.Connect(self.relays[row], own, syn_spec={"synapse_model": f"first-{row}", "delay": self.dt})
        self.afferents = None
        if afferents:
            self.afferents = nest.Create("spike_generator", len(circuit.neurons))
            spec = {"weight": circuit.jump, "delay": self.dt}
            nest.Connect(self.afferents, circuit.neurons, "one_to_one", syn_spec=spec)
        nest.Prepare()
        self._fire()
        values = zip(*(array.ravel().tolist() for array in circuit.initial.values()), strict=True)
        self._tell(circuit.neurons, [dict(zip(circuit.initial, each, strict=True)) for each in values])

    def deliver(self, spikes: Spikes | None, steps: int) -> None:
        """Let afferent spikes reach the neurons one step after those of the coming `steps` in which they fall."""
        if spikes is None or not spikes.time.size:
            return
        if self.afferents is None:
            raise CouplingError("spikes for a network that was started without any: its neurons have no afferents")
        end = self.step + 1 + populations.falling(spikes, steps)
        which, number = np.unique((spikes.row * spikes.neurons + spikes.neuron) * 2**40 + end, return_counts=True)
        targets, first = np.unique(which >> 40, return_index=True)
        times = self._times(which & (2**40 - 1))
        weights = number.astype(np.float64).tolist()
        parts = itertools.pairwise([*first.tolist(), len(times)])
        given = [{"spike_times": times[a:b], "spike_weights": weights[a:b]} for a, b in parts]
        self._tell(self.afferents[targets.tolist()], given)

    def run(self, jumps: Array) -> tuple[Array, Array]:
        """Make m steps in which all potentials of the populations jump by `jumps` (n, m) [mV] at the ends.

        Returns
        -------
        who (s,), the numbers of the neurons that have fired, and at (s,), at the ends of which steps of the run.
        """
        nest, (n, m) = self.nest, jumps.shape
        for row in range(n):
            if jumps[row, 0] != self.weights[row]:
                nest.SetDefaults(f"first-{row}", {"weight": jumps[row, 0]})
                self.weights[row] = jumps[row, 0]
            (later,) = np.nonzero(jumps[row, 1:])
            if later.size:
                times, weights = self._times(self.step + 1 + later), jumps[row, 1 + later]
                given = {"spike_times": times, "spike_weights": weights.tolist()}
                self._tell(self.generators[row], [given])
        if m > 1:
            nest.Run((m - 1) * self.dt)
        self._fire()
        self.step += m
        return self._recorded()

    def _fire(self) -> None:
        """Make a step in which the relays fire."""
        self._tell(self.relays, [{"I_e": 1e9}] * self.rows)
        self.nest.Run(self.dt)
        self._tell(self.relays, [{"I_e": 0.0}] * self.rows)

    def _times(self, steps: Array) -> list[float]:
        """Return when steps end, in NEST's time [ms]."""
        return [(step + 1) * self.dt for step in steps.tolist()]

    def _tell(self, nodes: Any, given: list[dict[str, Any]]) -> None:
        """Set values of each of the nodes; `nodes.set` first asks them where they are, and takes six times as long."""
        self.nest.ll_api.nestkernel.llapi_set_nc_status(nodes._datum, given)

    def _recorded(self) -> tuple[Array, Array]:
        """Return the spikes since this was called before."""
        events = self.recorder.events
        who, at = (np.asarray(events[name][self.read :], dtype=np.int64) for name in ("senders", "times"))
        self.read = len(events["senders"])
        if self.read > KEPT:
            self.nest.Cleanup()  # within a run a recorder does not forget
            self.recorder.n_events = 0
            self.nest.Prepare()
            self.read = 0
        return who - self.first, at - 1  # as NEST is a step ahead


def load() -> Any:
    """Return NEST as a module that is quiet, and leave the process as it was."""
    if (comm := world()) is not None:
        raise CouplingError(f"NEST runs on one rank, and this is one of {comm.size}: give this participant ranks: 1")
    flags, quiet = sys.getdlopenflags(), os.environ.get("PYNEST_QUIET")
    os.environ["PYNEST_QUIET"] = "1"
    try:
        nest: Any = importlib.import_module("nest")
    except ModuleNotFoundError as error:
        raise CouplingError("NEST is not installed; it comes with pip install 'scalebridge[neural]'") from error
    finally:
        sys.setdlopenflags(flags)  # it makes the symbols of all that is loaded later global
        if quiet is None:
            del os.environ["PYNEST_QUIET"]
    nest.verbosity = nest.VerbosityLevel.ERROR
    return nest
