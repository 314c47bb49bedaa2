"""Columns of a brain, each of which is a sparse random network of leaky integrate-and-fire neurons, in Brian2.

    C dV_i/dt = -(C / tau) V_i + I,    V_i -> V_i + J_ij a time D after neuron j has fired

The network of participants/neural/brunel.py, where the symbols are told, with all the spikes that it has in NEST
(participants/neural/leaky_nest.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from brian2 import NeuronGroup, Synapses, linked_var, ms, mV, pA, pF
from numpy.typing import NDArray

from adapters import brian
from adapters.participant import micro_participant
from participants.neural import brunel
from scalebridge.fields import Field

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Leaky(brunel.Leaky, brian.Simulation):
    """A sparse random network of excitatory and inhibitory neurons, in Brian2."""


class LeakyNeurons(brian.Populations):
    """Leaky integrate-and-fire neurons: potentials in the state are in V."""

    Settings = Leaky
    controls = brunel.CONTROLS
    observables: ClassVar[dict[str, Field]] = {
        **brunel.OBSERVABLES,
        "potential": Field("mV", per="window", help="mean potential at the ends of the parts of a window"),
    }
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
            refractory=brian.refractory(brunel.steps(s.refractory, s), s.dt),
            method="exact",
            name="neurons",
            clock=clock,
            namespace=symbols,
        )
        neurons.I = linked_var(populations, "I", index=np.repeat(np.arange(n), s.neurons))
        neurons.J = np.tile(brunel.weights(s), n) * mV
        source, target = brunel.connections(s, points, self.seed)
        synapses = []
        if source.size:
            network = Synapses(neurons, neurons, on_pre="v_post += J_pre", delay=0 * ms, clock=clock)
            network.connect(i=source, j=target)
            synapses = [brian.arriving(network, brunel.steps(s.delay, s), s.dt)]
        return brian.Circuit(
            neurons,
            populations,
            synapses,
            jump=s.afferent_weight * float(mV),
            background=s.background * s.dt / 1e3,
            background_jump=s.weight * float(mV),
        )

    def initial(self, points: Array, drive: Array) -> dict[str, dict[str, Array]]:
        """Return potentials anywhere up to the threshold."""
        return {"neurons": {"v": brunel.potentials(self.settings, points, self.seed) * float(mV)}}

    def seen(self, v: Array) -> dict[str, Array]:
        """Return the mean potential [mV] (n,)."""
        return {"potential": v.mean(axis=1) / float(mV)}


if __name__ == "__main__":
    micro_participant(LeakyNeurons)
