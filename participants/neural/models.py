"""Neural masses: the mean activity of a region, or of a column in it, as two ordinary differential equations.

All work on arrays over n regions: a state is (n, 2), an input (n,) is a pure number, rates (n,) are in Hz, times in ms.
Spikes that arrive at rate c over synapses of weight 1 are the input `input(c)`. A connection of weight w between two
masses does what recurrent weight w does within one: a population of recurrent weight J is two halves with J - w that
are connected with w.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from adapters.wiring import CouplingError
from scalebridge.findings import one_of
from scalebridge.settings import setting

type Array = NDArray[np.float64]


class Model(Protocol):
    """The equations of a neural mass."""

    def start(self, rate: Array) -> Array:
        """Return states (n, 2) of these rates [Hz] in which what is not seen of a mass is in balance with its rate."""
        ...

    def rate(self, state: Array) -> Array:
        """Return the rate (...) [Hz] at which the neurons of a mass fire in states (..., 2)."""
        ...

    def input(self, rate: Array) -> Array:
        """Return what spikes that arrive at a rate [Hz] over synapses of weight 1 are as input."""
        ...

    def derivative(self, state: Array, input: Array) -> Array:
        """Return the derivative of the state in time (n, 2) [1/ms]."""
        ...


@dataclass(frozen=True)
class MontbrioPazoRoxin:
    """The exact mean field of infinitely many quadratic integrate-and-fire neurons, all to all.

        tau dr/dt = Delta / (pi tau) + 2 r v
        tau dv/dt = v^2 + eta + J tau r + I - (pi tau r)^2

    r [1/ms] rate, v mean potential, tau [ms] membrane time constant; the currents into the neurons have a Lorentzian
    distribution around eta of half width Delta; J recurrent weight, I input (Montbrio, Pazo & Roxin, Phys. Rev. X 5,
    021028 (2015), equations 12).
    """

    tau: float = 10.0
    eta: float = -5.0
    delta: float = 1.0
    J: float = 15.0

    def start(self, rate: Array) -> Array:
        if not np.all(rate > 0):
            raise CouplingError(
                f"initial rate of {np.min(rate):g} Hz: neurons of montbrio-pazo-roxin always fire; expected more than 0"
            )
        r = rate / 1000
        return np.stack([r, -self.delta / (2 * math.pi * self.tau * r)], axis=-1)

    def rate(self, state: Array) -> Array:
        return 1000 * state[..., 0]

    def input(self, rate: Array) -> Array:
        return self.tau * rate / 1000

    def derivative(self, state: Array, input: Array) -> Array:
        tau, eta, delta, J = self.tau, self.eta, self.delta, self.J
        r, v = state.T
        dr = delta / (math.pi * tau) + 2 * r * v
        dv = v**2 + eta + J * tau * r + input - (math.pi * tau * r) ** 2
        return np.stack([dr, dv], axis=-1) / tau


@dataclass(frozen=True)
class WilsonCowan:
    """Excitatory and inhibitory cells that excite and inhibit themselves and each other.

        tau dE/dt = -E + (k_e - E) S_e(c_ee E - c_ei I + P)
        tau dI/dt = -I + (k_i - I) S_i(c_ie E - c_ii I)
             S(x) = 1 / (1 + exp(-a (x - theta))) - 1 / (1 + exp(a theta)),    k = S(infinity)

    E, I shares of the cells that fire within a refractory period, tau [ms] time constant, P input; a and theta slope
    and threshold of the cells (Wilson & Cowan, Biophys. J. 12, 1 (1972), equations 11 and 12, with r = 1 for the
    refractory period as there; the defaults are those of its figure 4, with a state of rest and an active one).
    """

    tau: float = 10.0
    refractory: float = 1.0
    P: float = 0.0
    c_ee: float = 12.0
    c_ei: float = 4.0
    c_ie: float = 13.0
    c_ii: float = 11.0
    a_e: float = 1.2
    a_i: float = 1.0
    theta_e: float = 2.8
    theta_i: float = 4.0

    def start(self, rate: Array) -> Array:
        E = self.refractory * rate / 1000
        low, high = np.zeros_like(E), np.ones_like(E)
        for _ in range(60):  # (k - I) S - I falls with I
            I = (low + high) / 2
            rising = self.derivative(np.stack([E, I], axis=-1), np.zeros_like(E))[:, 1] > 0
            low, high = np.where(rising, I, low), np.where(rising, high, I)
        return np.stack([E, low], axis=-1)

    def rate(self, state: Array) -> Array:
        return 1000 * state[..., 0] / self.refractory

    def input(self, rate: Array) -> Array:
        return self.refractory * rate / 1000

    def derivative(self, state: Array, input: Array) -> Array:
        E, I = state.T
        k_e, S_e = sigmoid(self.a_e, self.theta_e, self.c_ee * E - self.c_ei * I + self.P + input)
        k_i, S_i = sigmoid(self.a_i, self.theta_i, self.c_ie * E - self.c_ii * I)
        return np.stack([-E + (k_e - E) * S_e, -I + (k_i - I) * S_i], axis=-1) / self.tau


def sigmoid(a: float, theta: float, x: Array) -> tuple[float, Array]:
    """Return the upper limit of the response of cells, and their response to input x."""
    rest = float(expit(-a * theta))
    return 1 - rest, expit(a * (x - theta)) - rest


MODELS: dict[str, type[MontbrioPazoRoxin | WilsonCowan]] = {
    "montbrio-pazo-roxin": MontbrioPazoRoxin,
    "wilson-cowan": WilsonCowan,
}


@dataclass(frozen=True)
class Parameters:
    """A neural mass: which model, and its parameters."""

    model: str = setting("montbrio-pazo-roxin", "equations of a neural mass", choices=tuple(MODELS))
    tau: float = setting("10 ms", "membrane time constant", above=0)
    eta: float = setting(-5.0, "montbrio-pazo-roxin: median of the constant input")
    delta: float = setting(1.0, "montbrio-pazo-roxin: half width of its distribution", above=0)
    J: float = setting(15.0, "montbrio-pazo-roxin: recurrent weight")
    refractory: float = setting("1 ms", "wilson-cowan: refractory period", above=0)
    P: float = setting(0.0, "wilson-cowan: constant input of excitatory cells")
    c_ee: float = setting(12.0, "wilson-cowan: weight between excitatory cells", minimum=0)
    c_ei: float = setting(4.0, "wilson-cowan: weight from inhibitory to excitatory cells", minimum=0)
    c_ie: float = setting(13.0, "wilson-cowan: weight from excitatory to inhibitory cells", minimum=0)
    c_ii: float = setting(11.0, "wilson-cowan: weight between inhibitory cells", minimum=0)
    a_e: float = setting(1.2, "wilson-cowan: slope of the response of excitatory cells", above=0)
    a_i: float = setting(1.0, "wilson-cowan: slope of the response of inhibitory cells", above=0)
    theta_e: float = setting(2.8, "wilson-cowan: threshold of excitatory cells")
    theta_i: float = setting(4.0, "wilson-cowan: threshold of inhibitory cells")


def build(settings: Parameters) -> Model:
    """Return the model that the settings name. Raises CouplingError where they change parameters of another one."""
    chosen = MODELS[settings.model]
    own = {field.name for field in fields(chosen)}
    changed = [f.name for f in fields(Parameters) if getattr(settings, f.name) != f.default and f.name != "model"]
    if foreign := [name for name in changed if name not in own]:
        raise CouplingError(
            f"{', '.join(foreign)}: no parameter of the model {settings.model}; expected {one_of(own, most=20)}"
        )
    return chosen(**{name: getattr(settings, name) for name in own})


def heun(model: Model, state: Array, input: Array, dt: float) -> Array:
    """Return the state after dt [ms] of constant input: Heun's method, of order 2."""
    slope = model.derivative(state, input)
    return state + dt / 2 * (slope + model.derivative(state + dt * slope, input))
