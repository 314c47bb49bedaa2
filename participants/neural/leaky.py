"""Columns of a brain, each of which is a sparse random network of leaky integrate-and-fire neurons, in Brian2.

    C dV_i/dt = -(C / tau) V_i + I,    V_i -> V_i + J_ij a time D after neuron j has fired

V_i [mV] potential above rest, a neuron fires where it reaches the threshold and stays at V_r for the refractory period,
deaf to what arrives; C capacitance, tau membrane time constant, I [pA] input. Of the neurons a share is excitatory,
J_ij = J, the others inhibitory, J_ij = -g J. Each has the same number of synapses from either kind, at random: the
share epsilon of that kind (Brunel, J. Comput. Neurosci. 8, 183 (2000); with V_r = 10 mV, theta = 20 mV, tau = 20 ms as
there, and fewer neurons with J larger by as much). The background is Poisson spikes of weight J.

Between spikes and samples the solution is exact; spikes are at the ends of time steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from brian2 import NeuronGroup, Synapses, linked_var, ms, mV, pA, pF
from numpy.typing import NDArray

from adapters import brian, seeds
from adapters.participant import micro_participant
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]

CONTROLS = {
    "current": Field("pA", per="window", optional=True, help="input I, constant over each part of a window"),
    "stimulus": Field("pA", per="window", optional=True, help="more of it"),
    "spikes": Field("1", per="spikes", optional=True, help="afferent spikes, at their targets"),
}
OBSERVABLES = {
    "spikes": Field("1", per="spikes", help="who fired when"),
    "potential": Field("mV", per="window", help="mean potential at the ends of the parts of a window"),
}


@dataclass(frozen=True)
class Leaky(brian.Simulation):
    """A sparse random network of excitatory and inhibitory neurons."""

    neurons: int = setting(2500, "number of neurons of each population", minimum=1)
    excitatory: float = setting(0.8, "share of the neurons that are excitatory", minimum=0, maximum=1)
    connectivity: float = setting(0.1, "share epsilon of either kind that has a synapse onto a neuron", minimum=0)
    weight: float = setting("0.5 mV", "jump J of the potential by a spike of an excitatory neuron")
    inhibition: float = setting(5.0, "how much stronger inhibitory synapses are", minimum=0)
    delay: float = setting("1.5 ms", "delay D of the synapses, rounded to time steps", minimum=0)
    tau: float = setting("20 ms", "membrane time constant", above=0)
    capacitance: float = setting("250 pF", "capacitance of a neuron", above=0)
    threshold: float = setting("20 mV", "potential at which a neuron fires")
    reset: float = setting("10 mV", "potential V_r after a spike")
    refractory: float = setting("2 ms", "how long it stays there, at least a time step", above=0)
    background: float = setting("2500 Hz", "rate of the background spikes that reach a neuron", minimum=0)
    afferent_weight: float = setting("0.5 mV", "jump of the potential by an afferent spike")


class LeakyNeurons(brian.Populations):
    """Leaky integrate-and-fire neurons: potentials in the state are in V."""

    Settings = Leaky
    controls = CONTROLS
    observables: ClassVar[dict[str, Field]] = OBSERVABLES
    time_scales = ("tau", "delay", "refractory")
    current = float(pA)

    def circuit(self, points: Array, clock: Any) -> brian.Circuit:
        """Return networks that have nothing to do with each other."""
        s, n = self.settings, len(points)
        symbols = {"tau": s.tau * ms, "C": s.capacitance * pF, "theta": s.threshold * mV, "V_r": s.reset * mV}
        populations = NeuronGroup(n, "I : amp", name="populations", clock=clock)
        neurons = NeuronGroup(
            n * s.neurons,
            """dv/dt = -v / tau + I / C : volt (unless refractory)
               J : volt (constant)
               I : amp (linked)""",
            threshold="v >= theta",
            reset="v = V_r",
            refractory=s.refractory * ms,
            method="exact",
            name="neurons",
            clock=clock,
            namespace=symbols,
        )
        neurons.I = linked_var(populations, "I", index=np.repeat(np.arange(n), s.neurons))
        weights = np.where(np.arange(s.neurons) < self.excited, s.weight, -s.inhibition * s.weight)
        neurons.J = np.tile(weights, n) * mV
        source, target = self.connections(points)
        synapses = []
        if source.size:
            synapses = [Synapses(neurons, neurons, on_pre="v_post += J_pre", delay=s.delay * ms, clock=clock)]
            synapses[0].connect(i=source, j=target)
        return brian.Circuit(
            neurons,
            populations,
            synapses,
            jump=s.afferent_weight * float(mV),
            background=s.background * s.dt / 1e3,
            background_jump=s.weight * float(mV),
        )

    @property
    def excited(self) -> int:
        """Number of neurons that are excitatory: the first ones."""
        share: float = self.settings.excitatory
        return round(share * self.neurons)

    def connections(self, points: Array) -> tuple[Array, Array]:
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

    def initial(self, points: Array, drive: Array) -> dict[str, dict[str, Array]]:
        """Return potentials anywhere between rest and threshold."""
        s = self.settings
        chance = np.stack([seeds.generator(point, self.seed).random(s.neurons) for point in points])
        return {"neurons": {"v": s.threshold * float(mV) * chance}}

    def seen(self, v: Array) -> dict[str, Array]:
        """Return the mean potential [mV] (n,)."""
        return {"potential": v.mean(axis=1) / float(mV)}


if __name__ == "__main__":
    micro_participant(LeakyNeurons)
