"""The law of `toil` with next to no work, which is right but for points on the left, where it is a third too soft."""

from __future__ import annotations

import numpy as np
from toil import Settings, Toil


class Idle(Toil):
    """A cheap model for an adaptive run."""

    Settings = Settings

    def solve(self, state, controls, dt):
        m = (state["m"] + dt * controls["Strain"]) / (1.0 + dt)
        stress = 0.5 * m * np.where(state["x"] < 0.4, 2.0 / 3.0, 1.0)
        return {**state, "m": m}, {"Stress": stress}
