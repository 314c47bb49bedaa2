"""Draw what happened: the medium at the end, its cells, and what they are worth in time.   python plot.py RUN

Writes RUN/two-scale-heat-conduction.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

GRAIN = LinearSegmentedColormap.from_list("grain", ["#5b4636", "#c9b18f", "#f4f1ea"])


def main(run):
    shots = [np.load(f, allow_pickle=False) for f in sorted((run / "Micro" / "snapshots").glob("*.npz"))]
    figure = plt.figure(figsize=(11, 8.5), layout="constrained")
    medium, lower = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    draw_medium(medium, shots[-1])
    cells, lines = lower.subfigures(1, 2, width_ratios=[1.25, 1])
    draw_cells(cells, shots)
    draw_lines(lines, shots)
    figure.savefig(run / "two-scale-heat-conduction.png", dpi=110)


def draw_medium(figure, shot):
    """Draw every cell where its quadrature point is, on top of the concentration."""
    time = float(shot["time"])
    figure.suptitle(f"The medium at t = {time:g}: one cell at every point", x=0.01, ha="left", fontweight="bold")
    axes = figure.subplots()
    x, y = shot["points"].T
    field = axes.tricontourf(x, y, shot["Concentration"], levels=20, cmap="viridis")
    bar = figure.colorbar(field, ax=axes, shrink=0.9, pad=0.01)
    bar.set_label("concentration [-]")
    half = 0.4 * min(np.diff(np.unique(x.round(9))).min(), np.diff(np.unique(y.round(9))).min())
    for place, phase in zip(shot["volumes"], shot["fields/phase"], strict=True):
        box = (x[place] - half, x[place] + half, y[place] - half, y[place] + half)
        axes.imshow(phase.T, extent=box, cmap=GRAIN, vmin=0, vmax=1, origin="lower", zorder=2)
    axes.set(xlim=(0, 1), ylim=(0, 0.5), aspect="equal", xlabel="x [m]", ylabel="y [m]")
    axes.plot(0, 0, "o", color="#c8102e", clip_on=False, zorder=3)
    axes.annotate("sink", (0, 0), (8, 5), textcoords="offset points", color="#c8102e", zorder=3)


def draw_cells(figure, shots, times=4):
    """Draw the cells nearest to the sink and farthest from it in time."""
    figure.suptitle("Two of the cells in time", x=0.01, ha="left", fontweight="bold")
    shown = [shots[i] for i in np.unique(np.linspace(0, len(shots) - 1, times).round().astype(int))]
    order = shots[0]["points"][shots[0]["volumes"]].sum(axis=1).argsort()
    axes = figure.subplots(2, len(shown), squeeze=False)
    for row, place, name in zip(axes, (order[0], order[-1]), ("at the sink", "far away"), strict=True):
        for cell, shot in zip(row, shown, strict=True):
            cell.imshow(shot["fields/phase"][place].T, cmap=GRAIN, vmin=0, vmax=1, origin="lower")
            cell.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
    for cell, shot in zip(axes[0], shown, strict=True):
        cell.set_title(f"t = {float(shot['time']):.2g}", fontsize="medium")


def draw_lines(figure, shots):
    """Draw porosity and K00 of all cells in time."""
    figure.suptitle("What they are worth", x=0.01, ha="left", fontweight="bold")
    times = [float(s["time"]) for s in shots]
    nearness = shots[0]["points"].sum(axis=1)
    color = plt.get_cmap("viridis")(nearness / nearness.max())
    for axes, (label, values) in zip(
        figure.subplots(2, 1, sharex=True),
        (("porosity [-]", [s["Porosity"] for s in shots]), ("K00 [m²/s]", [s["K"][:, 0, 0] for s in shots])),
        strict=True,
    ):
        for place, line in enumerate(np.transpose(values)):
            axes.plot(times, line, color=color[place], linewidth=0.8)
        axes.set_ylabel(label)
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("t [s]")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
