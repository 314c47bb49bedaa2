"""Analytic micro models, full and cheap, whose difference is known: to be run, and to stand in for one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters import seeds
from adapters.micro import MicroError
from adapters.participant import micro_participant
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.settings import setting

CUBES = {"modulus": 2.0, "cube": 1.0, "limit": 1e9}  # all settings of these laws, as a case hands them out
BARS = {"modulus": 100.0, "strength": 1.0, "hardening": 10.0}


@dataclass(frozen=True)
class Cubes:
    modulus: float = setting(2.0, "E", unit="Pa")
    cube: float = setting(1.0, "a", unit="Pa")
    limit: float = setting(1e9, "strain at which it fails")


class Cubic:
    """stress = E strain + a strain^3, without a memory."""

    Settings = Cubes
    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa")}  # noqa: RUF012
    history = False

    def __init__(self, settings, seed):
        self.settings, self.rows = settings, []

    def start(self, points, controls):
        return {"strain": np.asarray(controls["Strain"], dtype=float)}

    def solve(self, state, controls, dt):
        s = self.settings
        strain = state["strain"] if dt == 0 else np.asarray(controls["Strain"], dtype=float)
        self.rows.append(len(strain))
        if (broken := np.abs(strain) > s.limit).any():
            raise MicroError(np.flatnonzero(broken), "no root")
        return {"strain": strain}, {"Stress": s.modulus * strain + s.cube * strain**3}


@dataclass(frozen=True)
class Lines(Cubes):
    said: float = setting(1.0, "what it says of its error, over the error, in the middle")
    noise: float = setting(0.0, "standard deviation of the logarithm of that, from point to point")


class Linear(Cubic):
    """stress = E strain, the same without the cube; it says how wrong it is, more or less."""

    Settings = Lines

    def __init__(self, settings, seed):
        super().__init__(settings, seed)
        self.seed = seed

    def start(self, points, controls):
        random = [seeds.generator(point, self.seed).standard_normal() for point in points]
        doubt = self.settings.said * np.exp(self.settings.noise * np.array(random))
        return {"strain": np.asarray(controls["Strain"], dtype=float), "doubt": doubt}

    def solve(self, state, controls, dt):
        strain = state["strain"] if dt == 0 else np.asarray(controls["Strain"], dtype=float)
        return {"strain": strain, "doubt": state["doubt"]}, {"Stress": self.settings.modulus * strain}

    def uncertainty(self, state, controls, dt=0.0):
        strain = state["strain"] if dt == 0 else np.asarray(controls["Strain"], dtype=float)
        return {"Stress": state["doubt"] * np.abs(self.settings.cube * strain**3)}


class Silent(Cubic):
    """The same, which says nothing."""

    def solve(self, state, controls, dt):
        strain = state["strain"] if dt == 0 else np.asarray(controls["Strain"], dtype=float)
        return {"strain": strain}, {"Stress": self.settings.modulus * strain}


@dataclass(frozen=True)
class Bars:
    modulus: float = setting(100.0, "E", unit="Pa")
    strength: float = setting(1.0, "flow stress", unit="Pa")
    hardening: float = setting(10.0, "H", unit="Pa")


class Bar:
    """A bar that flows plastically: stress = E (strain - p), |stress| <= strength + H q, with a memory of p and q."""

    Settings = Bars
    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa")}  # noqa: RUF012

    def __init__(self, settings, seed):
        self.settings, self.rows = settings, []

    def start(self, points, controls):
        nothing = np.zeros(len(points))
        return {"strain": np.asarray(controls["Strain"], dtype=float), "p": nothing, "q": nothing, "age": nothing}

    def solve(self, state, controls, dt):
        s = self.settings
        self.rows.append(len(state["p"]))
        strain = state["strain"] if dt == 0 else np.asarray(controls["Strain"], dtype=float)
        trial = s.modulus * (strain - state["p"])
        flow = np.maximum(np.abs(trial) - s.strength - s.hardening * state["q"], 0.0) / (s.modulus + s.hardening)
        p = state["p"] + np.sign(trial) * flow
        new = {"strain": strain, "p": p, "q": state["q"] + flow, "age": state["age"] + dt}
        return new, {"Stress": s.modulus * (strain - p)}

    def audit(self, before, after):
        """Time has passed: one step of it, for all rows the same."""
        grown = after["age"] - before["age"]
        return [checks.absolute("step", float(np.ptp(grown)), 0.0, 1e-12, source="all rows make the same step")]


class Elastic(Bar):
    """The same bar as if it never flowed. It says nothing of its error."""

    history = False

    def solve(self, state, controls, dt):
        strain = state["strain"] if dt == 0 else np.asarray(controls["Strain"], dtype=float)
        return {**state, "strain": strain}, {"Stress": self.settings.modulus * strain}


if __name__ == "__main__":
    micro_participant(Cubic)
