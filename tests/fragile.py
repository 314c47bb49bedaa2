"""A micro model that breaks where and how it is told to; as a module of its own it can be replayed.

dm/dt = rate (strain - m), backward Euler, the equation of each step solved by fixed-point iteration: that converges
only where rate dt < 1, so a stiff row needs small steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters.micro import MicroError
from adapters.participant import micro_participant
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.settings import setting

HOW = ("never", "raise", "name", "nan", "inf", "state", "shape", "stiff", "start", "together")


@dataclass(frozen=True)
class Settings:
    how: str = setting("never", "how it breaks", choices=HOW)
    where: tuple[float, ...] = setting((2.0,), "x of the rows that break")
    since: float = setting(0.0, "age from which on they break", unit="s")
    rate: float = setting(1.0, "rate of all others", unit="1/s")
    stiff: float = setting(10.0, "rate of the stiff ones", unit="1/s")


class Fragile:
    """State: m (n,), x (n,) where it is, and its age (n,) [s]."""

    Settings = Settings
    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa")}  # noqa: RUF012

    def __init__(self, settings, seed):
        self.settings, self.seed = settings, seed
        self.calls = []  # number of rows of each call of solve

    def start(self, points, controls):
        if self.settings.how == "start" and self._sick(points[:, 0], np.inf).any():
            raise ArithmeticError("no root")
        return {"m": 0.5 * controls["Strain"], "place": {"x": points[:, 0].copy()}, "age": np.zeros(len(points))}

    def solve(self, state, controls, dt):
        self.calls.append(len(state["m"]))
        x, age = state["place"]["x"], state["age"] + dt
        sick, how = self._sick(x, age), self.settings.how
        if how == "raise" and sick.any():
            raise ArithmeticError("no root")
        if how == "name" and sick.any():
            raise MicroError(np.flatnonzero(sick), "no root")
        if how == "together" and sick.sum() > 1:
            raise MemoryError
        rate = np.where(sick, self.settings.stiff, self.settings.rate) if how == "stiff" else self.settings.rate
        m = self._step(state["m"], controls["Strain"], rate * dt)
        stress = 0.5 * m
        if how in ("nan", "inf"):
            stress[sick] = float(how)
        if how == "state":
            m[sick] = np.nan
        if how == "shape" and sick.any():
            stress = stress[:-1]
        return {"m": m, "place": state["place"], "age": age}, {"Stress": stress}

    def audit(self, before, after):
        """Nothing stays behind: valid only of rows that the model has solved itself."""
        return [checks.at_most("late", float(after["age"].max() - after["age"].min()), 1e-12, source="all are equal")]

    def _sick(self, x, age):
        return np.isin(x, self.settings.where) & (age > self.settings.since)

    @staticmethod
    def _step(m, strain, factor):
        new = m.copy()
        for _ in range(200):
            old, new = new, m + factor * (strain - new)
        wrong = ~(np.abs(new - old) <= 1e-12 * (1 + np.abs(m)))
        if wrong.any():
            raise MicroError(np.flatnonzero(wrong), "no convergence")
        return new


class Steady(Fragile):
    """Another one: m is always at its end."""

    def start(self, points, controls):
        return {"m": 1.0 * controls["Strain"]}

    def solve(self, state, controls, dt):
        if self.settings.how == "raise":
            raise ArithmeticError("this one neither")
        return state, {"Stress": 0.5 * state["m"] + 0.0 * dt}


if __name__ == "__main__":
    micro_participant(Fragile)
