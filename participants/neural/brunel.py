"""Sparse random networks of leaky integrate-and-fire neurons: all of them that is not a matter of the simulator.

    C dV_i/dt = -(C / tau) V_i + I,    V_i -> V_i + J_ij a time D after neuron j has fired

V_i [mV] potential above rest, a neuron fires where it reaches the threshold and stays at V_r for the refractory period,
deaf to what arrives; C capacitance, tau membrane time constant, I [pA] input. Of the neurons a share is excitatory,
J_ij = J, the others inhibitory, J_ij = -g J. Each has the same number of synapses from either kind, drawn at random:
the share epsilon of that kind (Brunel, J. Comput. Neurosci. 8, 183 (2000); with V_r = 10 mV, theta = 20 mV, tau = 20 ms
as there, and fewer neurons with J larger by as much). The background is Poisson spikes of weight J.

Between spikes and samples the solution is exact. Spikes are at the ends of time steps: who fires at the end of one is
silent and deaf in as many whole steps as make the refractory period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters import populations, seeds
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
class Leaky(populations.Simulation):
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
    refractory: float = setting("2 ms", "how long it stays there, rounded to time steps, at least one", above=0)
    background: float = setting("2500 Hz", "rate of the background spikes that reach a neuron", minimum=0)
    afferent_weight: float = setting("0.5 mV", "jump of the potential by an afferent spike")


def steps(time: float, s: Leaky) -> int:
    """Return how many time steps are nearest to a time [ms]: at least one."""
    return max(round(time / s.dt), 1)


def weights(s: Leaky) -> Array:
    """Return the jump J_j of the potential by a spike of each neuron (N,) [mV]; the first ones are excitatory."""
    excited = round(s.excitatory * s.neurons)
    return np.where(np.arange(s.neurons) < excited, s.weight, -s.inhibition * s.weight)


def connections(s: Leaky, points: Array, seed: int) -> tuple[Integers, Integers]:
    """Return source and target of every synapse in networks at `points` (n, dim); a pair may have several."""
    excited = round(s.excitatory * s.neurons)
    kinds = (0, excited), (excited, s.neurons)
    sources = []
    for row, point in enumerate(points):
        random = seeds.generator(point, seeds.named(seed, "connections"))
        drawn = [
            random.integers(first, max(end, 1), (s.neurons, round(s.connectivity * (end - first))))
            for first, end in kinds
        ]
        sources.append(row * s.neurons + np.concatenate(drawn, axis=1))
    every = np.concatenate(sources)
    return every.ravel(), np.repeat(np.arange(len(every)), every.shape[1])


def potentials(s: Leaky, points: Array, seed: int) -> Array:
    """Return potentials at the start (n, N) [mV] of networks at `points` (n, dim): anywhere up to the threshold."""
    return s.threshold * np.stack([seeds.generator(point, seed).random(s.neurons) for point in points])
