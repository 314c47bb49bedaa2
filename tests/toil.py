"""A micro model whose rows take more work the farther to the left they are, and which says how much.

dm/dt = strain - m, backward Euler; stress = m / 2. It writes down what each rank has done, and breaks as it is told to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from adapters.micro import MicroError
from scalebridge.fields import Field
from scalebridge.settings import setting

HEAVY = 10.0
HOW = ("never", "name", "raise", "nan", "shape", "dtype", "elsewhere")


@dataclass(frozen=True)
class Settings:
    how: str = setting("never", "how it breaks", choices=HOW)
    where: float = setting(0.1, "x of the row that breaks")
    since: float = setting(0.3, "age from which on it breaks", unit="s")
    heavy: float = setting(0.35, "x below which rows take more work")
    tells: bool = setting(True, "whether it says how much")


@dataclass
class Clock:
    """Goes on by what is worked."""

    time: float = 0.0

    def __call__(self):
        return self.time


@dataclass
class Done:
    """What a rank was asked for: where the rows were, and the work, for each call."""

    rows: list = field(default_factory=list)
    work: list = field(default_factory=list)


class Toil:
    """State: m, x, age [s], work of the last step, all (n,), and a group with arrays of other kinds."""

    Settings = Settings
    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa")}  # noqa: RUF012

    def __init__(self, settings, seed=0, rank=0):
        self.settings, self.rank, self.clock, self.done = settings, rank, Clock(), Done()

    def start(self, points, controls):
        n = len(points)
        kinds = {"flag": np.arange(n) % 2 == 0, "grid": np.ones((n, 2, 3), dtype=np.float32), "none": np.zeros((n, 0))}
        m = 0.5 * np.asarray(controls["Strain"], dtype=float)
        return {"m": m, "x": points[:, 0].copy(), "age": np.zeros(n), "work": np.zeros(n), "kinds": kinds}

    def solve(self, state, controls, dt):
        assert len(state["m"]) > 0, "a model is never asked for no rows"
        x, age = state["x"], state["age"] + dt
        work = np.where(x < self.settings.heavy, HEAVY, 1.0)
        if dt > 0:
            self.done.rows.append(x.tolist())
            self.done.work.append(work.sum())
            self.clock.time += work.sum()
            with open(f"work-{self.rank}.txt", "a") as file:
                file.write(f"{len(x)} {work.sum()}\n")
        m = (state["m"] + dt * controls["Strain"]) / (1.0 + dt)
        if self.settings.how == "dtype" and age.max() > self.settings.since:
            m = m.astype(np.float32 if self.rank else np.float64)
        m, stress = self._broken(m, 0.5 * m, (x == self.settings.where) & (age > self.settings.since))
        return {**state, "m": m, "age": age, "work": work}, {"Stress": stress}

    def _broken(self, m, stress, sick):
        how = self.settings.how
        if not sick.any():
            return m, stress
        with open(f"broken-{self.rank}.txt", "a") as file:
            file.write(f"{how} {len(m)}\n")
        if how == "name":
            raise MicroError(np.flatnonzero(sick), "no root")
        if how == "raise" or (how == "elsewhere" and self.rank > 0):
            raise ArithmeticError("no root")
        if how == "nan":
            stress = np.where(sick, np.nan, stress)
        return m, stress[:-1] if how == "shape" else stress

    def work(self, state):
        return state["work"] if self.settings.tells else None
