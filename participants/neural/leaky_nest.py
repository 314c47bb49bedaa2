"""Columns of a brain, each of which is a sparse random network of leaky integrate-and-fire neurons, in NEST.

    C dV_i/dt = -(C / tau) V_i + I,    V_i -> V_i + J_ij a time D after neuron j has fired

V_i [mV] potential above rest, a neuron fires where it reaches the threshold and stays at V_r for the refractory period,
deaf to what arrives; C capacitance, tau membrane time constant, I [pA] input. Of the neurons a share is excitatory,
J_ij = J, the others inhibitory, J_ij = -g J. Each has the same number of synapses from either kind, drawn at random:
the share epsilon of that kind (Brunel, J. Comput. Neurosci. 8, 183 (2000); with V_r = 10 mV, theta = 20 mV, tau = 20 ms
as there, and fewer neurons with J larger by as much). The background is Poisson spikes of weight J, drawn by NEST.

The same neurons, synapses and potentials at the start as in Brian2 (participants/neural/leaky.py). Between spikes and
samples the solution is exact. Spikes are at the ends of time steps. Brian lets them act when the threshold has been
looked at, and lets the potential move in the last step of the refractory period; NEST does neither. So without currents
the same spikes come of both where NEST is given delay + dt, and weight and reset times exp(-dt / tau).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters import nest_windows, seeds
from adapters.participant import micro_participant
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

CONTROLS = {
    "current": Field("pA", per="window", optional=True, help="input I, constant over each part of a window"),
    "stimulus": Field("pA", per="window", optional=True, help="more of it"),
    "spikes": Field("1", per="spikes", optional=True, help="afferent spikes, at their targets"),
}
OBSERVABLES = {"spikes": Field("1", per="spikes", help="who fired when")}


@dataclass(frozen=True)
class Leaky(nest_windows.Simulation):
    """A sparse random network of excitatory and inhibitory neurons."""

    neurons: int = setting(2500, "number of neurons of each population", minimum=1)
    excitatory: float = setting(0.8, "share of the neurons that are excitatory", minimum=0, maximum=1)
    connectivity: float = setting(0.1, "share epsilon of either kind that has a synapse onto a neuron", minimum=0)
    weight: float = setting("0.5 mV", "jump J of the potential by a spike of an excitatory neuron")
    inhibition: float = setting(5.0, "how much stronger inhibitory synapses are", minimum=0)
    delay: float = setting("1.5 ms", "delay D of the synapses, rounded to time steps, at least one", minimum=0)
    tau: float = setting("20 ms", "membrane time constant", above=0)
    capacitance: float = setting("250 pF", "capacitance of a neuron", above=0)
    threshold: float = setting("20 mV", "potential at which a neuron fires")
    reset: float = setting("10 mV", "potential V_r after a spike")
    refractory: float = setting("2 ms", "how long it stays there, at least a time step", above=0)
    background: float = setting("2500 Hz", "rate of the background spikes that reach a neuron", minimum=0)
    afferent_weight: float = setting("0.5 mV", "jump of the potential by an afferent spike")


class LeakyNeurons(nest_windows.Populations):
    """Leaky integrate-and-fire neurons."""

    Settings = Leaky
    controls = CONTROLS
    observables = OBSERVABLES
    time_scales = ("tau", "delay", "refractory")

    def build(self, kernel: nest_windows.Kernel, points: Array, drive: Array) -> nest_windows.Circuit:
        """Return networks that have nothing to do with each other, with potentials anywhere up to the threshold."""
        s, n = self.settings, len(points)
        membrane = {"E_L": 0.0, "tau_m": s.tau, "C_m": s.capacitance}
        spiking = {"V_th": s.threshold, "V_reset": s.reset, "t_ref": max(round(s.refractory / s.dt), 1) * s.dt}
        neurons = kernel.nest.Create("iaf_psc_delta", n * s.neurons, params=membrane | spiking)
        chance = np.stack([seeds.generator(point, self.seed).random(s.neurons) for point in points])
        source, target = self.connections(points)
        weights = np.where(source % s.neurons < self.excited, s.weight, -s.inhibition * s.weight)
        delays = np.full(len(source), max(round(s.delay / s.dt), 1) * s.dt)
        ids = np.array(neurons.tolist())
        if source.size:
            synapses = {"weight": weights, "delay": delays}
            kernel.nest.Connect(ids[source], ids[target], "one_to_one", syn_spec=synapses)
        if s.background:
            noise = kernel.nest.Create("poisson_generator", params={"rate": s.background})
            kernel.nest.Connect(noise, neurons, syn_spec={"weight": s.weight, "delay": s.dt})
        return nest_windows.Circuit(neurons, {"V_m": s.threshold * chance}, s.afferent_weight * np.exp(-s.dt / s.tau))

    def advance(self, kernel: nest_windows.Kernel, drive: Array) -> tuple[Array, Array]:
        """Make steps under an input (n, steps) [pA], by which V grows as it does from 0 to what it makes of a step."""
        s = self.settings
        return kernel.run(drive * (s.tau / s.capacitance * -np.expm1(-s.dt / s.tau)))

    @property
    def excited(self) -> int:
        """Number of neurons that are excitatory: the first ones."""
        share: float = self.settings.excitatory
        return round(share * self.neurons)

    def connections(self, points: Array) -> tuple[Integers, Integers]:
        """Return source and target of every synapse in networks at `points`; a pair may have several."""
        s, kinds = self.settings, (range(self.excited), range(self.excited, self.settings.neurons))
        sources = []
        for row, point in enumerate(points):
            random = seeds.generator(point, seeds.named(self.seed, "connections"))
            sizes = [(s.neurons, round(s.connectivity * len(kind))) for kind in kinds]
            drawn = [
                random.integers(kind.start, max(kind.stop, 1), size) for kind, size in zip(kinds, sizes, strict=True)
            ]
            sources.append(row * s.neurons + np.concatenate(drawn, axis=1))
        every = np.concatenate(sources)
        return every.ravel(), np.repeat(np.arange(len(every)), every.shape[1])


if __name__ == "__main__":
    micro_participant(LeakyNeurons)
