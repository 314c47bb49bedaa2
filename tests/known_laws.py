"""Micro models whose law is known in closed form, for what is learned from them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adapters.micro import MicroError
from scalebridge.fields import Field
from scalebridge.settings import setting

BAR = {"Strain": Field("1", rank=1)}


@dataclass(frozen=True)
class TwoBars:
    """An elastic bar A and one, B, that is elastic and perfectly plastic, side by side."""

    share: float = setting(0.5, "c_B")
    elastic: float = setting("70e9 Pa", "E_A")
    modulus: float = setting("200e9 Pa", "E_B")
    yield_stress: float = setting("100e6 Pa", "sigma_y of B")
    fails_beyond: float = setting(1e9, "strain at which it fails")


class Bars:
    """Rank 1 in one dimension: a strain is a vector of one component."""

    Settings = TwoBars
    controls = BAR
    observables: ClassVar = {
        "Stress": Field("MPa", rank=1),
        "Stiffness": Field("Pa", rank=2),
        "Mean-Strain": Field("1", rank=1),
        "Stored-Energy": Field("J/m^3"),
        "Dissipation": Field("kJ/m^3"),
    }

    def __init__(self, settings, seed=0):
        self.settings = settings

    def start(self, points, controls):
        return {"plastic": np.zeros(len(points)), "lost": np.zeros(len(points)), "strain": controls["Strain"][:, 0]}

    def solve(self, state, controls, dt):
        s = self.settings
        E = state["strain"] if dt == 0 else controls["Strain"][:, 0]
        if (np.abs(E) > s.fails_beyond).any():
            raise MicroError(np.flatnonzero(np.abs(E) > s.fails_beyond), "the bar breaks")
        trial = s.modulus * (E - state["plastic"])
        flow = np.sign(trial) * np.maximum(np.abs(trial) - s.yield_stress, 0) / s.modulus
        plastic = state["plastic"] + flow
        B = s.modulus * (E - plastic)
        lost = state["lost"] + s.share * s.yield_stress * np.abs(flow)
        A = (1 - s.share) * s.elastic
        seen = {
            "Stress": (A * E + s.share * B)[:, None] / 1e6,
            "Stiffness": np.where(flow == 0, A + s.share * s.modulus, A)[:, None, None],
            "Mean-Strain": E[:, None],
            "Stored-Energy": A * E**2 / 2 + s.share * B**2 / (2 * s.modulus),
            "Dissipation": lost / 1e3,
        }
        return {"plastic": plastic, "lost": lost, "strain": E}, seen


@dataclass(frozen=True)
class Solid:
    """A standard linear solid."""

    relaxed: float = setting("1 Pa", "E_inf")
    fading: float = setting("1 Pa", "E_1")
    time: float = setting("1 s", "tau")


class StandardLinearSolid:
    """sigma = E_inf eps + E_1 (eps - z),  tau dz/dt = eps - z, by backward Euler."""

    Settings = Solid
    controls = BAR
    observables: ClassVar = {"Stress": Field("Pa", rank=1)}

    def __init__(self, settings, seed=0):
        self.settings = settings

    def start(self, points, controls):
        return {"z": np.zeros((len(points), 1)), "strain": controls["Strain"]}

    def solve(self, state, controls, dt):
        s = self.settings
        E = state["strain"] if dt == 0 else controls["Strain"]
        z = (state["z"] + dt / s.time * E) / (1 + dt / s.time)
        return {"z": z, "strain": E}, {"Stress": s.relaxed * E + s.fading * (E - z)}


@dataclass(frozen=True)
class Nothing:
    """No settings."""


class Stiffening:
    """A tensor in two dimensions: W = |E|^2 / 2 + log cosh(2 tr E) + (E_01 - E_00)^4, convex, without memory."""

    Settings = Nothing
    history = False
    controls: ClassVar = {"Strain": Field("1", rank=2)}
    observables: ClassVar = {
        "Stress": Field("Pa", rank=2),
        "Tangent": Field("Pa", rank=4),
        "Stored-Energy": Field("J/m^3"),
    }

    def __init__(self, settings=None, seed=0):
        self.settings = settings or Nothing()

    def start(self, points, controls):
        return {"strain": np.asarray(controls["Strain"])}

    def solve(self, state, controls, dt):
        E = state["strain"] if dt == 0 else np.asarray(controls["Strain"])
        one = np.eye(2)
        trace, shear = np.trace(E, axis1=1, axis2=2), (E[:, 0, 1] + E[:, 1, 0]) / 2 - E[:, 0, 0]
        by = np.array([[-1, 0.5], [0.5, 0]])  # of the difference by E
        stress = E + 2 * np.tanh(2 * trace)[:, None, None] * one + 4 * shear[:, None, None] ** 3 * by
        symmetric = (np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one)) / 2
        tangent = symmetric + np.einsum("n,ij,kl->nijkl", 4 / np.cosh(2 * trace) ** 2, one, one)
        tangent += np.einsum("n,ij,kl->nijkl", 12 * shear**2, by, by)
        energy = (E**2).sum(axis=(1, 2)) / 2 + np.log(np.cosh(2 * trace)) + shear**4
        return {"strain": E}, {"Stress": stress, "Tangent": tangent, "Stored-Energy": energy}


class Melting:
    """Scalars: a fraction that rises with the temperature, with a corner, and a conductivity that falls with it."""

    Settings = Nothing
    history = False
    controls: ClassVar = {"Temperature": Field("K")}
    observables: ClassVar = {
        "Fraction": Field("1"),
        "Fraction-Slope": Field("1/K"),
        "Conductivity": Field("W/(m*K)", rank=2),
    }

    def __init__(self, settings=None, seed=0):
        self.settings = settings or Nothing()

    def start(self, points, controls):
        return {"temperature": np.asarray(controls["Temperature"])}

    def solve(self, state, controls, dt):
        T = state["temperature"] if dt == 0 else np.asarray(controls["Temperature"])
        fraction, slope = self.fraction(T)
        K = (2.2 - 1.6 * fraction)[:, None, None] * np.array([[1.0, 0.2], [0.2, 0.5]])
        return {"temperature": T}, {"Fraction": fraction, "Fraction-Slope": slope, "Conductivity": K}

    @staticmethod
    def fraction(T):
        below = np.minimum(T - 272, 0)
        return 1 / (1 - below), np.where(T < 272, 1 / (1 - below) ** 2, 0)


@dataclass(frozen=True)
class Region:
    """Where there is a memory, and how long it is."""

    low: tuple[float, float] = setting((0.0, 0.0), "lower ends of heat and damp")
    high: tuple[float, float] = setting((1.0, 1.0), "upper ends")
    time: float = setting("1 s", "tau")


class Brittle:
    """A standard linear solid within a region of its controls that is broken, once and for all, where it leaves that.

    s = x + a (x - z),  tau dz/dt = x - z,  x = heat + damp;  a = 1 until the controls leave the region, then 0. Exact
    for controls that are linear in time within a step.
    """

    Settings = Region
    controls: ClassVar = {"Heat": Field("1"), "Damp": Field("1")}
    observables: ClassVar = {"Stress": Field("Pa")}

    def __init__(self, settings, seed=0):
        self.settings = settings

    def start(self, points, controls):
        x = controls["Heat"] + controls["Damp"]
        return {"x": x, "z": x, "whole": self._inside(controls)}

    def solve(self, state, controls, dt):
        x, z, whole = state["x"], state["z"], state["whole"]
        if dt > 0:
            tau, before = self.settings.time, x
            x, whole = controls["Heat"] + controls["Damp"], whole & self._inside(controls)
            lag = (x - before) / dt * tau
            z = x - lag + (z - before + lag) * np.exp(-dt / tau)
        return {"x": x, "z": z, "whole": whole}, {"Stress": x + whole * (x - z)}

    def _inside(self, controls):
        at = np.stack([controls["Heat"], controls["Damp"]], axis=-1)
        return ((at >= self.settings.low) & (at <= self.settings.high)).all(axis=-1)
