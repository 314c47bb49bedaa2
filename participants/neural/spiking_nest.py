"""Columns of a brain, each of which is a population of quadratic integrate-and-fire neurons, in NEST.

    tau dv_j/dt = v_j^2 + eta_j + J tau r + I,    j = 1 ... N

The neurons of participants/neural/quadratic.py, where the symbols and the mean field are told. r is the mean over a
synaptic time, which holds for the next; in Brian2 (participants/neural/spiking.py) synapses show it by a current that
decays.

NEST's izhikevich neuron is this neuron, V = (25 ms / tau) v - 62.5 mV, in forward Euler steps. It is not refractory for
the 2 tau / v_peak from v_peak to infinity and from minus infinity to -v_peak. But it has a recovery variable:

    tau dv/dt = v^2 - u + eta_j + ...,    tau du/dt = -v_peak u,    u -> u + q v_peak^2 with each spike,

and q is such that v loses just that time on its way back from -v_peak.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from adapters import nest_windows, populations
from adapters.participant import micro_participant
from adapters.wiring import CouplingError
from participants.neural import quadratic

Array = NDArray[np.float64]

NEAR = 0.01  # to zero, v / v_peak at which steps have become short


class QuadraticNeurons(nest_windows.Populations):
    """Quadratic integrate-and-fire neurons: the potential has no unit."""

    Settings = quadratic.Quadratic
    controls = quadratic.CONTROLS
    observables = quadratic.OBSERVABLES
    time_scales = ("tau", "synaptic_time")

    def __init__(self, settings: quadratic.Quadratic, seed: int) -> None:
        super().__init__(settings, seed)
        quadratic.check(settings)
        time, dt = settings.synaptic_time, settings.dt
        self.hold = round(time / dt)
        if abs(time / dt - self.hold) > populations.TOLERANCE or not self.hold:
            raise CouplingError(f"synaptic_time {time:g} ms is no whole number of steps of dt {dt:g} ms")
        self.step = dt * settings.v_peak / settings.tau
        self.way_back = way_back(self.step)

    def build(self, kernel: nest_windows.Kernel, points: Array, drive: Array) -> nest_windows.Circuit:
        """Return neurons that fire at the rate of the settings; who has been at v_peak is on its way back."""
        s, n = self.settings, len(points)
        a, v = quadratic.stationary(s, points, drive, self.seed)
        v /= s.v_peak
        since = (1 - 1 / np.where(v < 1, np.minimum(v, -1e-9), v)) / self.step  # steps since it was at v_peak
        at = np.minimum(since, len(self.way_back) - 1).astype(np.int64)
        back = (a > 0) & (since < len(self.way_back)) & ((v < 0) | (v >= 1))
        v, u = np.where(back, self.way_back[at, 0], v), np.where(back, self.way_back[at, 1], 0.0)
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
        neurons.I_e = (16.25 + mV / s.tau * np.tile(quadratic.currents(s), n)).tolist()
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
