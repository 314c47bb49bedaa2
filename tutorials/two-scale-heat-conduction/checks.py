"""Compare a run with the published figures of the two-scale case.   python checks.py RUN

Far from the sink the concentration stays what it was, c = 0.5, for a few windows, so the cells there go through what
the published figures are for: the start, and one step of 0.01 at c = 0.5. Those figures come from quadratic elements
refined to 1/48; refining our own grid shows that they are within 0.15 % of the limit (tests/test_grain.py).
"""

import sys
from pathlib import Path

import numpy as np

from scalebridge import checks
from scalebridge.handout import Handout

# Window: K00 and porosity.
PUBLISHED = {0: (0.325713, 0.493122), 1: (0.329072, 0.495931)}
SOURCE = "two-scale heat conduction tutorial of preCICE, micro simulation in Nutils"
TOLERANCE = 1.5e-3


def main(run):
    settings = Handout.load(run / "Micro" / "handout.json").settings
    shots = {int(f.stem): np.load(f, allow_pickle=False) for f in (run / "Micro" / "snapshots").glob("*.npz")}
    found = []
    for window, (k00, porosity) in PUBLISHED.items():
        if window not in shots or not is_published_cell(settings):
            continue
        far = shots[window]["points"].sum(axis=1).argmax()
        when = f"after {window} windows" if window else "at the start"
        for name, value, figure in (
            ("K00", shots[window]["K"][far, 0, 0], k00),
            ("porosity", shots[window]["Porosity"][far], porosity),
        ):
            found.append(checks.relative(f"{name} {when}", value, figure, TOLERANCE, source=SOURCE))
    start, end = (shots[window] for window in (min(shots), max(shots)))
    found.append(sharp_grain(settings, start, end))
    checks.save(run / "checks" / "published.json", found)


def is_published_cell(settings):
    """Return whether the cell is that of the published case."""
    wanted = {"radius": 0.4, "gamma": 0.05, "rate": 1.0, "equilibrium": 0.5, "grains": 1, "dimensions": 2}
    return all(settings[name] == value for name, value in wanted.items()) and abs(settings["width"] - 1 / 12) < 1e-12


def sharp_grain(settings, start, end):
    """Check that where c = c_eq a grain loses area at the rate 2 pi gamma of a sharp interface under its curvature."""
    far = end["points"].sum(axis=1).argmax()
    lost = (end["Porosity"][far] - start["Porosity"][far]) / (float(end["time"]) - float(start["time"]))
    law = 2 * np.pi * settings["gamma"] * settings["grains"]
    deviation = abs(end["Concentration"][far] / settings["equilibrium"] - 1)
    speed = 2 * settings["rate"] * deviation * 2 * np.pi * settings["radius"] * settings["grains"]
    width = settings["width"] / settings["radius"]
    source = "dr/dt = v(c) - gamma / r; second order in the width of the interface, and c is not quite c_eq"
    name = "rate at which a grain far from the sink loses area"
    return checks.absolute(name, lost, law, law * width**2 + speed, source=source, unit="1/s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
