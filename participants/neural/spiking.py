"""Columns of a brain, each of which is a population of quadratic integrate-and-fire neurons, in Brian2.

    tau dv_j/dt = v_j^2 + eta_j + J tau r + I,    j = 1 ... N
    tau_s dr/dt = -r + sum of the spikes of all / N

v_j potential, a neuron fires where it grows beyond all bounds and comes back from minus infinity; eta_j current into
neuron j, quantiles of a Lorentzian distribution around eta with half width Delta; J recurrent weight, all to all; tau
membrane time constant; r rate of the population as its synapses show it; I input. For N to infinity and tau_s to zero

    tau dr/dt = Delta / (pi tau) + 2 r v,    tau dv/dt = v^2 + eta + J tau r + I - (pi tau r)^2

is exact (Montbrio, Pazo & Roxin, Phys. Rev. X 5, 021028 (2015)). As there, infinity is v_peak: a neuron that reaches it
fires, and is refractory at -v_peak for the 2 tau / v_peak that it would take from v_peak to infinity and from minus
infinity to -v_peak. So a spike is tau / v_peak early, which is made up for where tau_s is as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import NeuronGroup, Synapses, linked_var, ms
from numpy.typing import NDArray

from adapters import brian, seeds
from adapters.participant import micro_participant
from adapters.wiring import CouplingError
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]

CONTROLS = {
    "current": Field("1", per="window", optional=True, help="input I, constant over each part of a window"),
    "stimulus": Field("1", per="window", optional=True, help="more of it"),
    "spikes": Field("1", per="spikes", optional=True, help="afferent spikes, at their targets"),
}
OBSERVABLES = {"spikes": Field("1", per="spikes", help="who fired when")}


@dataclass(frozen=True)
class Quadratic(brian.Simulation):
    """Quadratic integrate-and-fire neurons, all to all, and how they start."""

    neurons: int = setting(10000, "number of neurons of each population", minimum=1)
    tau: float = setting("10 ms", "membrane time constant", above=0)
    synaptic_time: float = setting("0.1 ms", "decay time of the synapses", above=0)
    eta: float = setting(-5.0, "mean current into the neurons")
    delta: float = setting(1.0, "half width of the distribution of currents", minimum=0)
    J: float = setting(15.0, "recurrent weight")
    afferent_weight: float = setting(0.15, "jump of the potential by an afferent spike")
    v_peak: float = setting(100.0, "potential that stands for infinity", above=0)
    initial_rate: float = setting("8.1134 Hz", "rate at the start", minimum=0)
    dt: float = setting("0.01 ms", "time step; the samples of a window are whole numbers of it", above=0)


class QuadraticNeurons(brian.Populations):
    """Quadratic integrate-and-fire neurons: the potential has no unit."""

    Settings = Quadratic
    controls = CONTROLS
    observables = OBSERVABLES
    time_scales = ("tau", "synaptic_time")

    def __init__(self, settings: Quadratic, seed: int) -> None:
        super().__init__(settings, seed)
        s = settings
        if s.dt > s.tau / s.v_peak:
            raise CouplingError(
                f"dt {s.dt:g} ms is too long for neurons that pass v_peak {s.v_peak:g} within tau / v_peak; expected "
                f"at most {s.tau / s.v_peak:g} ms"
            )
        if s.dt > s.synaptic_time:
            raise CouplingError(f"dt {s.dt:g} ms is longer than the synaptic time of {s.synaptic_time:g} ms")
        quantile = np.linspace(-1, 1, s.neurons + 2)[1:-1]
        self.eta = s.eta + s.delta * np.tan(np.pi / 2 * quantile)

    def circuit(self, points: Array, clock: Any) -> brian.Circuit:
        """Return populations all to all, each over one element that holds its rate and its input.

        Of all the input at the start of a step counts (`order`): then a spike makes J of charge, whatever dt / tau_s.
        """
        s, n = self.settings, len(points)
        own = np.repeat(np.arange(n), s.neurons)
        symbols = {"tau": s.tau * ms, "tau_s": s.synaptic_time * ms, "J": s.J, "v_peak": s.v_peak, "N_all": s.neurons}
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
            reset="v = -v_peak",
            refractory="2 * tau / v_peak",
            method="euler",
            name="neurons",
            **common,
        )
        neurons.eta = np.tile(self.eta, n)
        neurons.input = linked_var(populations, "input", index=own)
        synapses = Synapses(neurons, populations, on_pre="r_post += 1 / (N_all * tau_s)", name="synapses", **common)
        synapses.connect(i=np.arange(n * s.neurons), j=own)
        return brian.Circuit(neurons, populations, (synapses,), jump=s.afferent_weight)

    def initial(self, points: Array, drive: Array) -> dict[str, dict[str, Array]]:
        """Return potentials that are independent of each other, and stationary at the rate of the settings.

        With a = eta_j + J tau r + I they rest at -sqrt(-a) where a < 0; else they have the density of the times that
        they spend at each potential, a Lorentzian of half width sqrt(a). Who is beyond v_peak is refractory.
        """
        s, n = self.settings, len(points)
        chance = np.stack([seeds.generator(point, self.seed).random(s.neurons) for point in points])
        a = self.eta + s.J * s.tau / 1e3 * s.initial_rate + drive[:, None]
        v = np.where(a < 0, -1, np.tan(np.pi * (chance - 0.5))) * np.sqrt(np.abs(a))
        beyond = np.abs(v) >= s.v_peak
        since = s.tau / 1e3 * (1 / s.v_peak - 1 / np.where(beyond, v, s.v_peak))  # v_peak was passed [s]
        variables = {
            "v": np.where(beyond, -s.v_peak, v),
            "lastspike": np.where(beyond, -since, brian.LONG_AGO),
            "not_refractory": ~beyond,
        }
        return {"neurons": variables, "populations": {"r": np.full(n, s.initial_rate)}}


if __name__ == "__main__":
    micro_participant(QuadraticNeurons)
