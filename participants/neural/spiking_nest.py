"""Columns of a brain, each of which is a population of quadratic integrate-and-fire neurons, in NEST.

    tau dv_j/dt = v_j^2 + eta_j + J tau r + I,    j = 1 ... N

v_j potential, a neuron fires where it grows beyond all bounds and comes back from minus infinity; eta_j current into
neuron j, quantiles of a Lorentzian distribution around eta with half width Delta; J recurrent weight, all to all; tau
membrane time constant; r rate of the population over the last synaptic time, which holds for the next; I input. For N
to infinity and the synaptic time to zero

    tau dr/dt = Delta / (pi tau) + 2 r v,    tau dv/dt = v^2 + eta + J tau r + I - (pi tau r)^2

is exact (Montbrio, Pazo & Roxin, Phys. Rev. X 5, 021028 (2015)). As there, infinity is v_peak: a spike is tau / v_peak
early, which is made up for where the synaptic time is as long. The same network as in Brian2
(participants/neural/spiking.py), where synapses show the rate by a current that decays in the synaptic time.

NEST's izhikevich neuron is this neuron, V = (25 ms / tau) v - 62.5 mV, in forward Euler steps. It is not refractory for
the 2 tau / v_peak from v_peak to infinity and from minus infinity to -v_peak. But it has a recovery variable:

    tau dv/dt = v^2 - u + eta_j + ...,    tau du/dt = -v_peak u,    u -> u + q v_peak^2 with each spike,

and q is such that v loses just that time on its way back from -v_peak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from adapters import nest_windows, seeds
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

LONGEST = 0.5  # step in units of tau / v_peak
NEAR = 0.01  # to zero, v / v_peak at which steps have become short


@dataclass(frozen=True)
class Quadratic(nest_windows.Simulation):
    """Quadratic integrate-and-fire neurons, all to all, and how they start."""

    neurons: int = setting(10000, "number of neurons of each population", minimum=1)
    tau: float = setting("10 ms", "membrane time constant", above=0)
    synaptic_time: float = setting("0.1 ms", "time over which synapses take a mean, whole time steps", above=0)
    eta: float = setting(-5.0, "mean current into the neurons")
    delta: float = setting(1.0, "half width of the distribution of currents", minimum=0)
    J: float = setting(15.0, "recurrent weight")
    afferent_weight: float = setting(0.15, "jump of the potential by an afferent spike")
    v_peak: float = setting(100.0, "potential that stands for infinity", above=0)
    initial_rate: float = setting("8.1134 Hz", "rate at the start", minimum=0)
    dt: float = setting("0.01 ms", "time step; the samples of a window are whole numbers of it", above=0)


class QuadraticNeurons(nest_windows.Populations):
    """Quadratic integrate-and-fire neurons: the potential has no unit."""

    Settings = Quadratic
    controls = CONTROLS
    observables = OBSERVABLES
    time_scales = ("tau", "synaptic_time")

    def __init__(self, settings: Quadratic, seed: int) -> None:
        super().__init__(settings, seed)
        s = settings
        self.step = s.dt * s.v_peak / s.tau
        if self.step > LONGEST:
            raise CouplingError(
                f"dt {s.dt:g} ms is too long for neurons that pass v_peak {s.v_peak:g} within tau / v_peak; expected "
                f"at most half of that, {LONGEST * s.tau / s.v_peak:g} ms"
            )
        self.hold = round(s.synaptic_time / s.dt)
        if abs(s.synaptic_time / s.dt - self.hold) > nest_windows.TOLERANCE or not self.hold:
            raise CouplingError(f"synaptic_time {s.synaptic_time:g} ms is no whole number of steps of dt {s.dt:g} ms")
        self.way_back = way_back(self.step)
        quantile = np.linspace(-1, 1, s.neurons + 2)[1:-1]
        self.eta = s.eta + s.delta * np.tan(np.pi / 2 * quantile)

    def build(self, kernel: nest_windows.Kernel, points: Array, drive: Array) -> nest_windows.Circuit:
        """Return neurons that are stationary at the rate of the settings, independently of each other.

        With a = eta_j + J tau r + I they rest at -sqrt(-a) where a < 0; else they have the density of the times that
        they spend at each potential, a Lorentzian of half width sqrt(a). Who has been at v_peak is on its way back.
        """
        s, n = self.settings, len(points)
        chance = np.stack([seeds.generator(point, self.seed).random(s.neurons) for point in points])
        a = self.eta + s.J * s.tau / 1e3 * s.initial_rate + drive[:, None]
        v = np.where(a < 0, -1, np.tan(np.pi * (chance - 0.5))) * np.sqrt(np.abs(a)) / s.v_peak
        since = (1 - 1 / np.where(v < 1, np.minimum(v, -1e-9), v)) / self.step  # steps since it was at v_peak
        at = np.minimum(since, len(self.way_back) - 1).astype(np.int64)
        back = (a > 0) & (since < len(self.way_back)) & ((v < 0) | (v >= 1))
        v, u = (np.where(back, values[at], rest) for values, rest in zip(self.way_back.T, (v, 0), strict=True))
        self.rate, self.fired = np.full(n, s.initial_rate), np.zeros(n)  # [Hz], and spikes since it was taken
        mV = 25 / s.tau  # of V for v = 1
        peak, kick = mV * s.v_peak, mV / s.tau * s.v_peak**2
        form = {
            "a": s.v_peak / s.tau,
            "b": 0.0,
            "c": -peak - 62.5,
            "d": kick * self.way_back[0, 1],
            "V_th": peak - 62.5,
        }
        neurons = kernel.nest.Create("izhikevich", n * s.neurons, params=form)
        neurons.I_e = (16.25 + mV / s.tau * np.tile(self.eta, n)).tolist()
        return nest_windows.Circuit(neurons, {"V_m": peak * v - 62.5, "U_m": kick * u}, mV * s.afferent_weight)

    def advance(self, kernel: nest_windows.Kernel, drive: Array) -> tuple[Array, Array]:
        """Make steps under an input (n, steps): the clock of the synapses is that of the run, not of its windows."""
        s, (n, steps) = self.settings, drive.shape
        found: list[tuple[Array, Array]] = []
        done, each = 0, s.dt * 25 / s.tau**2  # jump of V in a step for an input of 1 [mV]
        while done < steps:
            more = min(self.hold - kernel.step % self.hold, steps - done)
            recurrent = s.J * s.tau / 1e3 * self.rate[:, None]
            who, at = kernel.run(each * (drive[:, done : done + more] + recurrent))
            found.append((who, at))
            self.fired += np.bincount(who // s.neurons, minlength=n)
            done += more
            if kernel.step % self.hold == 0:
                self.rate, self.fired = self.fired / (s.neurons * self.hold * s.dt / 1e3), np.zeros(n)
        who, at = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return who, at


def way_back(step: float) -> Array:
    """Return v / v_peak and u / v_peak^2 (m, 2) in the steps after a spike, until u is gone.

    `step` is dt v_peak / tau. With q it takes as long from -v_peak to v_peak, far from which all steps are short, as
    without steps and without u from minus infinity to infinity: 2 / d for v / v_peak from -d, and then from d.
    """

    def path(q: float) -> Array:
        found = [(-1.0, q)]
        while found[-1][0] < -NEAR:
            v, u = found[-1]
            found.append((v + step * (v * v - u), u * (1 - step)))
        return np.array(found)

    part = np.arange(100) / 100
    up, steps = 1 / (1 / NEAR - step * part), part.copy()
    while (below := up < 1).any():
        up, steps = np.where(below, up + step * up**2, up), steps + below

    def late(q: float) -> float:
        down = path(q)
        return float(step * (len(down) - 1 + steps.mean()) + 1 / NEAR + 1 / down[-1, 0] - 2 / NEAR)

    found = path(brentq(late, 0.5, 1.5))
    return found[found[:, 1] > 1e-6]


if __name__ == "__main__":
    micro_participant(QuadraticNeurons)
