"""Columns of a brain, each of which is one neural mass.

    dx/dt = f(x, u),    u = input of c + I + I_stim

x state of a neural mass and f its equations (participants/neural/models.py), c [Hz] weighted rate at which spikes
arrive, or I, the current that they make, and I_stim stimulus. Heun's method, one step for each sample of a window, with
the c and I of the start of the step: so a brain of which this is a part does what the brain in one piece does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.micro import MicroError
from adapters.participant import micro_participant
from participants.neural import models
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]
Values = Mapping[str, Array]

CONTROLS = {
    "afferent-rate": Field("Hz", per="window", optional=True, help="weighted rate at which spikes arrive"),
    "current": Field("1", per="window", optional=True, help="input, at the ends of the parts of a window"),
    "stimulus": Field("1", per="window", optional=True, help="input, its mean over the parts of a window"),
}
OBSERVABLES = {"rate": Field("Hz", per="window", help="rate at the ends of the parts of a window")}


@dataclass(frozen=True)
class Mass(models.Parameters):
    """A neural mass and where it starts."""

    initial_rate: float = setting("8.1134 Hz", "rate at the start", minimum=0)


class Column:
    """Neural masses at n points.

    State: "mass" x (n, 2), and "arriving" (n,), input at the end of the step by spikes that have arrived then.
    """

    Settings = Mass
    controls = CONTROLS
    observables = OBSERVABLES
    time_scales = ("tau",)

    def __init__(self, settings: Mass, seed: int) -> None:
        self.settings, self.model = settings, models.build(settings)

    def start(self, points: Array, controls: Values) -> dict[str, Array]:
        """Return masses at `points` (n, 2), at the rate of the settings; nothing has changed before the start."""
        rate = np.full(len(points), self.settings.initial_rate)
        return {"mass": self.model.start(rate), "arriving": self._arriving(controls)[:, 0]}

    def solve(self, state: Values, controls: Values, dt: float) -> tuple[dict[str, Array], dict[str, Array]]:
        """Advance by dt [s] under signals (n, k) in k steps; with dt = 0 show the state as it is."""
        x, arriving = state["mass"], self._arriving(controls)
        k = arriving.shape[1]
        if dt == 0:
            return dict(state), {"rate": np.repeat(self.model.rate(x)[:, None], k, axis=1)}
        stimulus, rates = controls.get("stimulus", np.zeros((1, k))), np.empty(arriving.shape)
        u = np.column_stack([state["arriving"], arriving[:, :-1]]) + stimulus
        for j in range(k):
            x = models.heun(self.model, x, u[:, j], 1000 * dt / k)
            rates[:, j] = self.model.rate(x)
        return {"mass": x, "arriving": arriving[:, -1]}, {"rate": rates}

    def _arriving(self, controls: Values) -> Array:
        """Return the input (n, k) by spikes that arrive."""
        given = [self.model.input(controls["afferent-rate"])] if "afferent-rate" in controls else []
        given += [controls[name] for name in ("current",) if name in controls]
        if not given:
            raise MicroError([], "columns need the afferent-rate or the current that comes from the rest of the brain")
        return np.sum(given, axis=0)


if __name__ == "__main__":
    micro_participant(Column)
