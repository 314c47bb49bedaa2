"""Columns of a brain, each of which is a population of quadratic integrate-and-fire neurons, in Brian2.

    tau dv_j/dt = v_j^2 + eta_j + J tau r + I,    j = 1 ... N
    tau_s dr/dt = -r + sum of the spikes of all / N

The neurons of participants/neural/quadratic.py, where the symbols and the mean field are told. Synapses show the rate r
by a current that decays in their time tau_s. Euler's method. At the end of the step in which a neuron reaches v_peak it
is at v > v_peak, from where it takes tau / v to infinity; of its refractory time T the rest is for the way back, which
ends at -1 / (T / tau - 1 / v). So the period is right to a small part of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import NeuronGroup, Synapses, linked_var, ms
from numpy.typing import NDArray

from adapters import brian
from adapters.participant import micro_participant
from adapters.wiring import CouplingError
from participants.neural import quadratic

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Quadratic(quadratic.Quadratic, brian.Simulation):
    """Quadratic integrate-and-fire neurons, all to all, and how they start, in Brian2."""


class QuadraticNeurons(brian.Populations):
    """Quadratic integrate-and-fire neurons: the potential has no unit."""

    Settings = Quadratic
    controls = quadratic.CONTROLS
    observables = quadratic.OBSERVABLES
    time_scales = ("tau", "synaptic_time")

    def __init__(self, settings: Quadratic, seed: int) -> None:
        super().__init__(settings, seed)
        quadratic.check(settings)
        if settings.dt > settings.synaptic_time:
            raise CouplingError(
                f"dt {settings.dt:g} ms is longer than the synaptic time of {settings.synaptic_time:g} ms"
            )
        self.silent = round(2 * settings.tau / settings.v_peak / settings.dt)  # steps after a spike

    def circuit(self, points: Array, clock: Any) -> brian.Circuit:
        """Return populations all to all, each over one element that holds its rate and its input.

        Of all the input at the start of a step counts (`order`): then a spike makes J of charge, whatever dt / tau_s.
        """
        s, n = self.settings, len(points)
        own = np.repeat(np.arange(n), s.neurons)
        symbols = {"tau": s.tau * ms, "tau_s": s.synaptic_time * ms, "J": s.J, "v_peak": s.v_peak, "N_all": s.neurons}
        symbols["T"] = self.silent * s.dt * ms
        common = {"clock": clock, "namespace": symbols}
        populations = NeuronGroup(
            n,
            """dr/dt = -r / tau_s : Hz
               input = I + J * tau * r : 1
               I : 1""",
            method="euler",
            order=1,
            name="populations",
            **common,
        )
        neurons = NeuronGroup(
            n * s.neurons,
            """dv/dt = (v**2 + eta + input) / tau : 1 (unless refractory)
               eta : 1 (constant)
               input : 1 (linked)""",
            threshold="v >= v_peak",
            reset="v = -1 / (T / tau - 1 / v)",
            refractory=brian.refractory(self.silent, s.dt),
            method="euler",
            name="neurons",
            **common,
        )
        neurons.eta = np.tile(quadratic.currents(s), n)
        neurons.input = linked_var(populations, "input", index=own)
        synapses = Synapses(neurons, populations, on_pre="r_post += 1 / (N_all * tau_s)", name="synapses", **common)
        synapses.connect(i=np.arange(n * s.neurons), j=own)
        return brian.Circuit(neurons, populations, (synapses,), jump=s.afferent_weight)

    def initial(self, points: Array, drive: Array) -> dict[str, dict[str, Array]]:
        """Return neurons that fire at the rate of the settings; who is beyond v_peak is refractory."""
        s = self.settings
        a, v = quadratic.stationary(s, points, drive, self.seed)
        beyond = (a > 0) & (np.abs(v) >= s.v_peak)
        since = s.tau * (1 / s.v_peak - 1 / np.where(beyond, v, s.v_peak)) + s.dt  # it began to pass v_peak [ms]
        variables = {
            "v": np.where(beyond, -s.v_peak, v),
            "lastspike": np.where(beyond, -since / 1e3, brian.LONG_AGO),
            "not_refractory": ~beyond,
        }
        return {"neurons": variables, "populations": {"r": np.full(len(points), s.initial_rate)}}


if __name__ == "__main__":
    micro_participant(QuadraticNeurons)
