"""Columns of a brain, each of which is a sparse random network of leaky integrate-and-fire neurons, in NEST.

    C dV_i/dt = -(C / tau) V_i + I,    V_i -> V_i + J_ij a time D after neuron j has fired

The network of participants/neural/brunel.py, where the symbols are told, with all the spikes that it has in Brian2
(participants/neural/leaky.py), except that NEST draws the background, and that afferent spikes come a step later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters import nest_windows
from adapters.participant import micro_participant
from participants.neural import brunel

Array = NDArray[np.float64]


class LeakyNeurons(nest_windows.Populations):
    """Leaky integrate-and-fire neurons."""

    Settings = brunel.Leaky
    controls = brunel.CONTROLS
    observables = brunel.OBSERVABLES
    time_scales = ("tau", "delay", "refractory")

    def build(self, kernel: nest_windows.Kernel, points: Array, drive: Array) -> nest_windows.Circuit:
        """Return networks that have nothing to do with each other.

        An afferent spike is a step late, and has decayed by as much as if it had not been.
        """
        s, nest = self.settings, kernel.nest
        membrane = {"E_L": 0.0, "tau_m": s.tau, "C_m": s.capacitance}
        spiking = {"V_th": s.threshold, "V_reset": s.reset, "t_ref": brunel.steps(s.refractory, s) * s.dt}
        neurons = nest.Create("iaf_psc_delta", len(points) * s.neurons, params=membrane | spiking)
        source, target = brunel.connections(s, points, self.seed)
        ids = np.array(neurons.tolist())
        if source.size:
            delays = np.full(len(source), brunel.steps(s.delay, s) * s.dt)
            synapses = {"weight": brunel.weights(s)[source % s.neurons], "delay": delays}
            nest.Connect(ids[source], ids[target], "one_to_one", syn_spec=synapses)
        if s.background:
            noise = nest.Create("poisson_generator", params={"rate": s.background})
            nest.Connect(noise, neurons, syn_spec={"weight": s.weight, "delay": s.dt})
        potentials = {"V_m": brunel.potentials(s, points, self.seed)}
        return nest_windows.Circuit(neurons, potentials, s.afferent_weight * np.exp(-s.dt / s.tau))

    def advance(self, kernel: nest_windows.Kernel, drive: Array) -> tuple[Array, Array]:
        """Make steps under an input (n, steps) [pA], by which V grows as it does from 0 to what it makes of a step."""
        s = self.settings
        return kernel.run(drive * (s.tau / s.capacitance * -np.expm1(-s.dt / s.tau)))


if __name__ == "__main__":
    micro_participant(LeakyNeurons)
