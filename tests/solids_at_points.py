"""Micro models that are known in closed form, to be tabulated: solids that relax, flow, saturate or fail."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from adapters.micro import MicroError
from adapters.participant import micro_participant
from scalebridge.fields import Field
from scalebridge.settings import setting

HOW = ("solid", "fluid", "batch", "fails", "once", "together", "nan")


@dataclass(frozen=True)
class Properties:
    how: str = setting("solid", "what it does", choices=HOW)
    modulus: float = setting("2 Pa", "relaxed modulus E", above=0)
    branch: float = setting("2 Pa", "modulus E_1 of the branch that relaxes", minimum=0)
    tau: float = setting("1 s", "relaxation time", above=0)
    curve: float = setting(0.0, "stress of the spring is E (e + curve e^3)")
    pause: float = setting("0 s", "how long it sleeps in each call", minimum=0)


class RelaxingSolid:
    """Standard linear solid: stress = E e + E_1 (e - v), tau dv/dt = e - v, exact for ramps of e.

    It starts unstrained, so that v = 0. As a "fluid" v goes on for ever: dv/dt = e / tau. A "batch" adds 1e-9 times the
    number of rows, which tells batches apart.
    """

    Settings = Properties
    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa")}  # noqa: RUF012

    def __init__(self, settings, seed):
        self.settings, self.seed, self.failed = settings, seed, False

    def start(self, points, controls):
        return {"strain": np.array(controls["Strain"], dtype=float), "flow": np.zeros(len(points))}

    def solve(self, state, controls, dt):
        s, old = self.settings, state["strain"]
        time.sleep(s.pause)
        e = old if dt == 0 else np.array(controls["Strain"], dtype=float)
        self._fail(e)
        v = state["flow"]
        if dt > 0 and s.how == "fluid":
            v = v + dt * e / s.tau
        elif dt > 0:
            x = dt / s.tau
            decay = np.exp(-x)
            mean = -np.expm1(-x) / x
            v = v * decay + old * (mean - decay) + e * (1 - mean)
        stress = s.modulus * (e + s.curve * e**3) + s.branch * (e - v)
        stress = stress + 1e-9 * len(e) * (s.how == "batch")
        return {"strain": e, "flow": v}, {"Stress": np.where(e > 0.5, np.nan, stress) if s.how == "nan" else stress}

    def _fail(self, e):
        if self.settings.how == "fails" and (e > 0.7).any():
            raise MicroError(np.flatnonzero(e > 0.7), "it breaks")
        if self.settings.how == "together" and len(e) > 1:
            raise ArithmeticError("they touch")
        if self.settings.how == "once" and not self.failed:
            self.failed = True
            raise ArithmeticError("a cosmic ray")


class Hooke:
    """stress = lambda tr(e) 1 + 2 mu e, with its stiffness, energy and a vector, in two dimensions. Exactly linear."""

    @dataclass(frozen=True)
    class Settings:
        mu: float = setting("3 Pa", "shear modulus", above=0)

    lame = 2.0
    controls = {"Strain": Field("1", rank=2)}  # noqa: RUF012
    observables = {  # noqa: RUF012
        "Stress": Field("Pa", rank=2),
        "Stiffness": Field("kPa", rank=4),
        "Energy": Field("J/m^3"),
        "Traction": Field("Pa", rank=1),
    }

    def __init__(self, settings, seed):
        self.settings = settings

    def start(self, points, controls):
        return {"strain": np.array(controls["Strain"], dtype=float)}

    def solve(self, state, controls, dt):
        e = np.array(controls["Strain"], dtype=float) if dt > 0 else state["strain"]
        mu, one = self.settings.mu, np.eye(2)
        stress = self.lame * np.trace(e, axis1=1, axis2=2)[:, None, None] * one + 2 * mu * e
        unit = np.einsum("ik,jl->ijkl", one, one)
        stiffness = self.lame * np.einsum("ij,kl->ijkl", one, one) + mu * (unit + unit.transpose(0, 1, 3, 2))
        return {"strain": e}, {
            "Stress": stress,
            "Stiffness": np.broadcast_to(1e-3 * stiffness, (len(e), 2, 2, 2, 2)).copy(),
            "Energy": 0.5 * (stress * e).sum(axis=(1, 2)),
            "Traction": stress[:, 0].copy(),
        }


if __name__ == "__main__":
    micro_participant(RelaxingSolid)
