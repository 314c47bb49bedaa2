"""A standard linear solid as a micro model, exact for strains that are linear in time within a step.

    sigma = Einf eps + E1 (eps - q),    dq/dt = (eps - q) / tau

Its complex modulus is E* = Einf + E1 i w tau / (1 + i w tau).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters.micro import MicroError
from adapters.participant import micro_participant
from scalebridge.fields import Field
from scalebridge.settings import setting


@dataclass(frozen=True)
class Settings:
    tau: float = setting("1 s", "relaxation time", above=0)
    stiff: float = setting("1 Pa", "Einf, which stays", minimum=0)
    fades: float = setting("1 Pa", "E1, which fades", minimum=0)
    slip: float = setting("0 Pa", "Coulomb friction beside it, with a stiffness of 1 Pa; 0 for none", minimum=0)
    limit: float = setting(1e9, "largest strain that it bears")


class Solid:
    """State: eps, q, and the slip s of the friction element (n,)."""

    Settings = Settings
    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa"), "Strain-Seen": Field("1")}  # noqa: RUF012

    def __init__(self, settings, seed=0):
        self.settings = settings

    def start(self, points, controls):
        strain = 1.0 * np.asarray(controls["Strain"])
        return {"eps": strain, "q": strain, "s": strain}

    def solve(self, state, controls, dt):
        s, eps = self.settings, np.asarray(controls["Strain"], dtype=float) if dt > 0 else state["eps"]
        if (wrong := np.abs(eps) > s.limit).any():
            raise MicroError(np.flatnonzero(wrong), "torn")
        q, slip = state["q"], state["s"]
        if dt > 0:
            rate, decay = (eps - state["eps"]) / dt, np.exp(-dt / s.tau)
            q = eps - rate * s.tau + (q - state["eps"] + rate * s.tau) * decay
            slip = np.clip(slip, eps - s.slip, eps + s.slip)
        stress = s.stiff * eps + s.fades * (eps - q) + (eps - slip if s.slip else 0.0)
        return {"eps": eps, "q": q, "s": slip}, {"Stress": stress, "Strain-Seen": eps}


if __name__ == "__main__":
    micro_participant(Solid)
