"""What a diagnosis is about, from what is given and what is recorded."""

from __future__ import annotations

import math

from adapters.strategies.box import Box, Recorded
from adapters.strategies.diagnosis.answer import Asked
from adapters.wiring import CouplingError

ITERATIONS = 5  # of an implicit window, where nobody says


def asking(
    box: Box,
    recorded: Recorded | None,
    *,
    horizon: tuple[float, int | None, float | None],
    time: float,
    tolerance: float,
    seed: int,
    dimensions: int,
    points: int,
    iterations: int,
) -> Asked:
    """Return what a diagnosis is about, with what is not given taken from a recorded run or from the length of the run.

    Parameters
    ----------
    horizon : end of the run [s], number of windows, and their length [s], see `Wiring.horizon`.
    time : in which the box is crossed [s]; 0 where it is not given.
    points : micro simulations of the run; 0 where they are not known.
    """
    end, windows, size = horizon
    if time <= 0 and recorded is not None:
        free = box.free[recorded.rate[box.free] > 0]
        time = float((2 * box.half[free] / recorded.rate[free]).min(initial=math.inf))
    if time <= 0 or not math.isfinite(time):
        time = end if math.isfinite(end) else (size or 0.0) * (windows or 0)
    if time <= 0:
        raise CouplingError(
            "nobody knows how fast the controls change: the run has no end. Say in which time they cross the box"
        )
    points = points or (recorded.points if recorded is not None else 0)
    solves = points * windows * iterations if points and windows else None
    return Asked(box, time, tolerance, seed, solves, dimensions, recorded)
