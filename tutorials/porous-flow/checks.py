"""Compare a run with the laws of resistances and with the published permeability of its cells.   python checks.py RUN

The permeability of a square array of discs is that of Sangani & Acrivos, while the cells are what they were at the
start. A column is a series of resistances, whatever the cells have become: with what the closing pores push out,
drop = sum(mu dx_i / K_i q_i). In two dimensions the flow lies between that of rows that exchange nothing, and that of
columns with one pressure each: the two restrict the fields over which the dissipation, and the work, are least.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from scalebridge import checks
from scalebridge.handout import Handout

# Share of the solid: F/(mu U), the drag on a disc over viscosity and superficial velocity. K/L^2 is its inverse.
DRAG = {0.05: 15.56, 0.1: 24.83, 0.2: 51.53, 0.3: 102.90, 0.4: 217.89, 0.5: 532.55, 0.6: 1763.0, 0.7: 13520.0}
SANGANI_ACRIVOS = "A. S. Sangani and A. Acrivos, Int. J. Multiphase Flow 8, 193 (1982), table 1"


def main(run):
    macro, micro = (Handout.load(run / name / "handout.json").settings for name in ("Macro", "Micro"))
    shots = [np.load(f, allow_pickle=False) for f in sorted((run / "Micro" / "snapshots").glob("*.npz"))]
    with (run / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    found = []
    solid = np.pi * micro["radius"] ** 2
    if micro["grains"] == 1 and micro["dimensions"] == 2 and min(DRAG) <= solid <= max(DRAG):
        published = np.exp(-np.interp(solid, list(DRAG), np.log(list(DRAG.values()))))
        start = shots[0]["Permeability"][:, 0, 0].max() / micro["size"] ** 2
        name = "K / L^2 of the cells at the start"
        found.append(checks.relative(name, start, published, 0.02, source=SANGANI_ACRIVOS))
    if [float(shot["time"]) for shot in shots[-2:]] == [row["time"] for row in rows[-2:]]:
        found.append(resistances(macro, shots[-2:], rows[-2:]))
    else:
        print("the flow is not compared: that takes pictures of the last two windows, see Micro.settings.snapshots")
    checks.save(run / "checks" / "resistances.json", found)


def resistances(macro, shots, rows):
    """Return the check of the flow in the last window, which has the permeability of its start."""
    dt = rows[1]["time"] - rows[0]["time"]
    flow = rows[1]["fluid_left"] / dt / macro["height"]
    shape = macro["elements_x"], macro["elements_y"]
    order = np.lexsort(shots[1]["points"].round(12).T[::-1])  # by x, then by y
    K = shots[0]["Permeability"][order] + macro["grain_permeability"] * np.eye(2)
    closing = ((shots[0]["Porosity"] - shots[1]["Porosity"])[order] / dt).reshape(shape)
    dx = macro["length"] / macro["elements_x"]
    R = macro["viscosity"] * dx * np.linalg.inv(K)[:, 0, 0].reshape(shape)  # to a flow along x
    G = K[:, 0, 0].reshape(shape) / (macro["viscosity"] * dx)  # where the pressure falls along x; K is a tensor
    if macro["elements_y"] == 1:
        pushed = dx * (np.cumsum(closing) - closing[:, 0] / 2)  # by how much the flow in the middle of a cell is more
        exact = (macro["pressure_drop"] - R[:, 0] @ pushed) / R.sum()
        scale = macro["pressure_drop"] / R.sum() + np.abs(pushed).max()
        source = "pressure drop = sum of mu dx q / K over the column"
        return checks.absolute("flow in the last window", flow, exact, 1e-8 * scale, source=source, unit="m/s")
    rows_alone = np.mean(macro["pressure_drop"] / R.sum(axis=0))
    columns_mixed = macro["pressure_drop"] / (1 / np.mean(G, axis=1)).sum()
    pushed = dx * np.abs(closing).sum(axis=0).max()
    source = "rows that exchange nothing, columns of one pressure; closing pores push out some more"
    return checks.between(
        "flow in the last window", flow, rows_alone, columns_mixed, tolerance=pushed, source=source, unit="m/s"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
