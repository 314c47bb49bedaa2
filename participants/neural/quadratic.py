"""Populations of quadratic integrate-and-fire neurons, all to all: all of them that is not a matter of the simulator.

    tau dv_j/dt = v_j^2 + eta_j + J tau r + I,    j = 1 ... N

v_j potential, a neuron fires where it grows beyond all bounds and comes back from minus infinity; eta_j current into
neuron j, quantiles of a Lorentzian distribution around eta with half width Delta; J recurrent weight, all to all; tau
membrane time constant; r rate of the population as its synapses show it; I input. For N to infinity and instantaneous
synapses

    tau dr/dt = Delta / (pi tau) + 2 r v,    tau dv/dt = v^2 + eta + J tau r + I - (pi tau r)^2

is exact (Montbrio, Pazo & Roxin, Phys. Rev. X 5, 021028 (2015)). As there, infinity is v_peak: a neuron that reaches it
fires, and is refractory for the 2 tau / v_peak that it would take from v_peak to infinity and from minus infinity to
-v_peak. So a spike is tau / v_peak early, which is made up for where synapses are as slow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters import populations, seeds
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

LONGEST = 0.5  # step in units of tau / v_peak: one of 1 would lead from -v_peak to 0


@dataclass(frozen=True)
class Quadratic(populations.Simulation):
    """Quadratic integrate-and-fire neurons, all to all, and how they start."""

    neurons: int = setting(10000, "number of neurons of each population", minimum=1)
    tau: float = setting("10 ms", "membrane time constant", above=0)
    synaptic_time: float = setting("0.1 ms", "time over which synapses take the mean of the rate", above=0)
    eta: float = setting(-5.0, "mean current into the neurons")
    delta: float = setting(1.0, "half width of the distribution of currents", minimum=0)
    J: float = setting(15.0, "recurrent weight")
    afferent_weight: float = setting(0.15, "jump of the potential by an afferent spike")
    v_peak: float = setting(100.0, "potential that stands for infinity", above=0)
    initial_rate: float = setting("8.1134 Hz", "rate at the start", minimum=0)
    dt: float = setting("0.01 ms", "time step; the samples of a window are whole numbers of it", above=0)


def check(s: Quadratic) -> None:
    """Raise CouplingError where steps do not resolve the passage through infinity."""
    if s.dt > (longest := LONGEST * s.tau / s.v_peak):
        raise CouplingError(
            f"dt {s.dt:g} ms is too long for neurons that pass v_peak {s.v_peak:g} within tau / v_peak; expected "
            f"at most half of that, {longest:g} ms"
        )


def currents(s: Quadratic) -> Array:
    """Return the current eta_j into each neuron (N,)."""
    quantile = np.linspace(-1, 1, s.neurons + 2)[1:-1]
    return s.eta + s.delta * np.tan(np.pi / 2 * quantile)


def stationary(s: Quadratic, points: Array, drive: Array, seed: int) -> tuple[Array, Array]:
    """Return neurons at `points` (n, dim) that fire at the rate of the settings under an input (n,).

    With a = eta_j + J tau r + I they rest at -sqrt(-a) where a < 0; else they have the density of the times that they
    spend at each potential, a Lorentzian of half width sqrt(a), independently of each other.

    Returns
    -------
    a (n, N), and the potentials (n, N), between minus and plus infinity.
    """
    chance = np.stack([seeds.generator(point, seed).random(s.neurons) for point in points])
    a = currents(s) + s.J * s.tau / 1e3 * s.initial_rate + drive[:, None]
    return a, np.where(a < 0, -1, np.tan(np.pi * (chance - 0.5))) * np.sqrt(np.abs(a))
