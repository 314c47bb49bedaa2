"""Draw what happened: profiles in the block, and some of its micro volumes.   python plot.py RUN

Writes RUN/phase-change.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from checks import similarity_solutions
from matplotlib.colors import LinearSegmentedColormap, Normalize

ICE = "#e8f1f8"
BRINE = LinearSegmentedColormap.from_list("brine", ["#9fd3e6", "#2a7fba", "#1b3a6b", "#3b1054"])
TIMES = plt.get_cmap("viridis")


def main(run):
    shots = [np.load(f, allow_pickle=False) for f in sorted((run / "Micro" / "snapshots").glob("*.npz"))]
    exact = similarity_solutions(run)
    shown = [shots[i] for i in np.unique((np.linspace(0, 1, 5) ** 1.5 * (len(shots) - 1)).round().astype(int))]
    figure = plt.figure(figsize=(11, 10), layout="constrained")
    profiles, volumes = figure.subfigures(2, 1, height_ratios=[1, 1.35])
    draw_profiles(profiles, shown, exact[1])
    if "fields/brine-salinity" in shown[0]:
        draw_volumes(volumes, shown)
    figure.savefig(run / "phase-change.png", dpi=110)


def draw_profiles(figure, shots, exact):
    """Draw temperature, liquid fraction and conductivity along the block, one line for each time, and the exact T."""
    figure.suptitle("The block: one warm wall at x = 0", x=0.01, ha="left", fontweight="bold")
    quantities = [
        ("Temperature [°C]", lambda s: s["Temperature"] - 273.15),
        ("Liquid fraction [-]", lambda s: s["Liquid-Fraction"]),
        ("Conductivity along x [W/(m K)]", lambda s: s["Conductivity"][:, 0, 0]),
    ]
    for axes, (label, value) in zip(figure.subplots(1, 3), quantities, strict=True):
        for i, shot in enumerate(shots):
            x = 100 * shot["points"][:, 0]
            order = np.argsort(x, kind="stable")
            color = TIMES(0.9 * i / max(1, len(shots) - 1))
            axes.plot(x[order], value(shot)[order], color=color, label=f"{float(shot['time']) / 60:.0f} min")
        axes.set(xlabel="x [cm]", title=label, xlim=(0, 100 * 0.7 * shots[0]["points"][:, 0].max()))
        axes.spines[["top", "right"]].set_visible(False)
    for shot in shots[1:]:
        x = np.linspace(0, shot["points"][:, 0].max(), 400)
        T = exact.temperature(x, float(shot["time"])) - 273.15
        label = "exact, salt at once\nin equilibrium" if shot is shots[-1] else None
        figure.axes[0].plot(100 * x, T, ":", color="black", linewidth=1, label=label)
    figure.axes[0].legend(frameon=False, fontsize="small")


def draw_volumes(figure, shots):
    """Draw micro volumes: a row for each time, a column for each place, ice pale, brine by its salinity."""
    figure.suptitle("Its micro volumes, 1 mm wide: ice and brine", x=0.01, ha="left", fontweight="bold")
    places = places_near_wall(shots[0])
    axes = figure.subplots(len(shots), len(places), squeeze=False)
    salt = np.concatenate([s["fields/brine-salinity"][s["fields/brine-salinity"] > 0] for s in shots])
    norm = Normalize(1e3 * np.quantile(salt, 0.01), 1e3 * np.quantile(salt, 0.99))
    for row, shot in zip(axes, shots, strict=True):
        x = 100 * shot["points"][shot["volumes"], 0]
        for cell, place in zip(row, places, strict=True):
            liquid, salinity = shot["fields/liquid-indicator"][place], 1e3 * shot["fields/brine-salinity"][place]
            picture = BRINE(norm(salinity)) * liquid[..., None]
            picture += (1 - liquid[..., None]) * np.array(matplotlib.colors.to_rgba(ICE))
            cell.imshow(picture.swapaxes(0, 1), origin="lower", interpolation="nearest")
            cell.set(xticks=[], yticks=[])
            for side in cell.spines.values():
                side.set_color("#c8d4dc")
        row[0].set_ylabel(f"{float(shot['time']) / 60:.0f} min", rotation=0, ha="right", va="center")
    for cell, place in zip(axes[-1], places, strict=True):
        cell.set_xlabel(f"x = {x[place]:.1f} cm", fontsize="small")
    bar = figure.colorbar(plt.cm.ScalarMappable(norm, BRINE), ax=axes, shrink=0.6, pad=0.01)
    bar.set_label("salinity of the brine [g/kg]")


def places_near_wall(shot, most=9):
    """Return which of the pictured volumes to draw: closer together where the ice melts."""
    x = shot["points"][shot["volumes"], 0]
    wanted = x.max() * np.linspace(0.05, 0.7, most) ** 1.7
    return np.unique(np.abs(x[:, None] - wanted).argmin(axis=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
