"""Draw what happened: the flow around the cells at the end, three times, and the flow in time.   python plot.py RUN

Writes RUN/porous-flow.png.
"""

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from scalebridge.compare import vtk
from scalebridge.handout import Handout

GRAIN = LinearSegmentedColormap.from_list("grain", ["#5b4636", "#c9b18f", "#f4f1ea"])


def main(run):
    macro, micro = (Handout.load(run / name / "handout.json").settings for name in ("Macro", "Micro"))
    shots = [np.load(f, allow_pickle=False) for f in sorted((run / "Micro" / "snapshots").glob("*.npz"))]
    with (run / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    fields = vtk.read(max((run / "Macro" / "fields").glob("*.vtu"))).values
    figure = plt.figure(figsize=(11, 9), layout="constrained")
    medium, lower = figure.subfigures(2, 1, height_ratios=[1.5, 1])
    draw_medium(medium, macro, shots[-1], fields["Velocity"])
    left, right = lower.subfigures(1, 2, width_ratios=[1.6, 1])
    draw_fields(left, macro, micro, shots)
    draw_flow(right, macro, rows)
    figure.savefig(run / "porous-flow.png", dpi=110)


def on_grid(macro, points, values):
    """Return values (n, ...) of elements as an array (elements_y, elements_x, ...)."""
    order = np.lexsort(points.round(12).T)  # by y, then by x
    return values[order].reshape(macro["elements_y"], macro["elements_x"], *values.shape[1:])


def draw_medium(figure, macro, shot, velocity):
    """Draw cells where they are on top of the concentration, and the lines that the solution follows."""
    hours = float(shot["time"]) / 3600
    figure.suptitle(f"After {hours:.3g} h: some of the cells, and the flow", x=0.01, ha="left", fontweight="bold")
    axes = figure.subplots()
    points, box = 1e3 * shot["points"], (0, 1e3 * macro["length"], 0, 1e3 * macro["height"])
    c = on_grid(macro, shot["points"], shot["Concentration"])
    image = axes.imshow(c, extent=box, origin="lower", cmap="viridis", interpolation="bilinear")
    figure.colorbar(image, ax=axes, shrink=0.8, pad=0.01).set_label("concentration over that of saturation [-]")
    half = 0.3 * min(box[1] / macro["elements_x"], box[3] / macro["elements_y"])
    for place, phase in zip(shot["volumes"], shot["fields/phase"], strict=True):
        x, y = points[place]
        axes.imshow(phase.T, extent=(x - half, x + half, y - half, y + half), cmap=GRAIN, vmin=0, vmax=1, zorder=2)
    if macro["elements_y"] > 1 and macro["elements_x"] > 1:
        x, y = np.unique(points[:, 0].round(9)), np.unique(points[:, 1].round(9))
        u, v = np.moveaxis(on_grid(macro, shot["points"], velocity[:, :2]), -1, 0)
        speed = np.hypot(u, v)
        u[speed < 0.01 * speed.max()] = np.nan  # where pores are closed
        axes.streamplot(x, y, u, v, color="#c8102e", linewidth=0.3 + 1.5 * speed / speed.max(), arrowsize=0.8, zorder=3)
    axes.set(xlim=box[:2], ylim=box[2:], aspect="equal", xlabel="x [mm]", ylabel="y [mm]")


def draw_fields(figure, macro, micro, shots):
    """Draw concentration and permeability at three times."""
    figure.suptitle("Concentration (above) and K / L² of the cells (below)", x=0.01, ha="left", fontweight="bold")
    shown = [shots[i] for i in np.linspace(0, len(shots) - 1, 4).round().astype(int)[1:]]
    box = (0, 1e3 * macro["length"], 0, 1e3 * macro["height"])
    panels = figure.subplots(2, len(shown), sharex=True, sharey=True)
    c = [on_grid(macro, shot["points"], shot["Concentration"]) for shot in shown]
    K = [on_grid(macro, shot["points"], shot["Permeability"][:, 0, 0]) / micro["size"] ** 2 for shot in shown]
    styles = {"cmap": "viridis", "vmin": np.min(c), "vmax": np.max(c)}, {"cmap": "magma", "norm": LogNorm(1e-6, 0.02)}
    for row, fields, style in zip(panels, (c, np.maximum(K, 1e-6)), styles, strict=True):
        for axes, field in zip(row, fields, strict=True):
            image = axes.imshow(field, extent=box, origin="lower", **style)
        figure.colorbar(image, ax=row, shrink=0.9)
    for axes, shot in zip(panels[0], shown, strict=True):
        axes.set_title(f"{float(shot['time']) / 3600:.3g} h", fontsize="medium")


def draw_flow(figure, macro, rows):
    """Draw the flow in time, and what the solution has left in the medium."""
    figure.suptitle("What comes in, and what stays", x=0.01, ha="left", fontweight="bold")
    hours = np.array([row["time"] for row in rows]) / 3600
    upper, lower = figure.subplots(2, 1, sharex=True)
    dt = np.diff([0.0, *(row["time"] for row in rows)])
    upper.plot(hours, 1e6 * np.array([row["fluid_left"] for row in rows]) / dt / macro["height"], color="#c8102e")
    upper.set(ylabel="inflow [µm/s]", ylim=(0, None))
    lower.plot(hours, 1e4 * np.array([row["solute_inflow"] for row in rows]), color="#5b4636")
    lower.set(ylabel="solute gained [cm²]", xlabel="t [h]")
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
