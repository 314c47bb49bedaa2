"""Draw a run: who fired, how the two descriptions compare, and how activity spreads.   python plot.py RUN

Writes RUN/brain.png.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from exact import fixed_points
from matplotlib.colors import LogNorm
from results import Results, onset

SPIKING, MASS, STIMULUS = "#c8102e", "#1b4f72", "#f4d58d"
ACTIVE = 60.0  # [Hz]


def main(run):
    results = Results(Path(run))
    figure = draw_pair(results) if results.brain.connectome == "pair" else draw_brain(results)
    figure.savefig(results.run / "brain.png", dpi=110)


def draw_raster(axes, results):
    """Draw the spikes of the recorded neurons, from the least excitable to the most."""
    spikes = results.raster
    if spikes is None:
        axes.text(0.5, 0.5, "a neural mass: no neurons to show", transform=axes.transAxes, ha="center")
    else:
        numbers, rows = np.unique(spikes[:, 1], return_inverse=True)
        axes.scatter(spikes[:, 0], rows, s=0.6, color="black", linewidths=0)
        axes.set_ylim(-1, len(numbers))
    axes.set(ylabel="neurons", yticks=[])
    shade(axes, results)


def shade(axes, results):
    """Mark when the stimulus is on."""
    s = results.brain
    axes.axvspan(s.stimulus_start, s.stimulus_stop, color=STIMULUS, alpha=0.5, linewidth=0, zorder=0)
    axes.set_xlim(0, results.time[-1])


def draw_pair(results):
    """Draw two regions that are alike: the spiking one, and its mean field."""
    s = results.brain
    figure, (top, middle, bottom) = plt.subplots(
        3, 1, figsize=(10, 9), layout="constrained", height_ratios=[1.2, 1.4, 1.2]
    )
    figure.suptitle(
        f"{results.column['neurons']:,} quadratic integrate-and-fire neurons (red) and a neural mass (blue)"
        + (f", halves of one population: weight {s.pair_weight:g} between them" if s.pair_weight else ", side by side"),
        x=0.01,
        ha="left",
        fontweight="bold",
    )
    draw_raster(top, results)
    (column,) = results.columns
    for axes in (middle, bottom):
        axes.plot(*curve(results, column), color=SPIKING, linewidth=0.8)
        axes.plot(*curve(results, 1 - column), color=MASS, linewidth=1.8)
        shade(axes, results)
    J, unit = s.J + s.coupling * s.pair_weight, 1e3 / s.tau
    for I, style in ((0.0, "-"), (s.stimulus, "--")):
        for point in fixed_points(J, s.eta, s.delta, I):
            if point.stable:
                middle.axhline(point.r * unit, color="0.4", linewidth=0.8, linestyle=style, zorder=0)
    middle.set(ylabel="rate [Hz]", ylim=(0, None))
    middle.text(
        0.99, 0.97, "fixed points: without (—) and with (--) stimulus", transform=middle.transAxes, ha="right", va="top"
    )
    bottom.set(xlim=(s.stimulus_stop - 10, s.stimulus_stop + 110), xlabel="time [ms]", ylabel="rate [Hz]")
    spread = 3 * np.sqrt(103 / results.column["neurons"] / 1e-3)
    level = fixed_points(J, s.eta, s.delta)[-1].r * unit
    bottom.axhspan(level - spread, level + spread, color=SPIKING, alpha=0.12, linewidth=0)
    bottom.set_ylim(level - 40, level + 45)
    bottom.set_title("After the pulse (band: three standard deviations of counts in 1 ms)", loc="left", fontsize=10)
    return figure


def curve(results, region, rate=None):
    """Return times and rates of a region in bins of 1 ms."""
    time, binned = results.binned(1.0, rate)
    return time, binned[:, region]


def draw_brain(results):
    """Draw a brain with one column that is simulated elsewhere."""
    (column,) = results.columns
    label = results.labels[column]
    figure = plt.figure(figsize=(11, 11), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1, 1.15])
    upper.suptitle(f"The column {label}: what its neurons do, and its rate", x=0.01, ha="left", fontweight="bold")
    top, bottom = upper.subplots(2, 1, sharex=True)
    draw_raster(top, results)
    bottom.plot(*curve(results, column), color=SPIKING, linewidth=0.8, label="this run")
    bottom.plot(*curve(results, column, results.in_one_piece), color=MASS, linewidth=1.5, label="all neural masses")
    bottom.set(xlabel="time [ms]", ylabel="rate [Hz]")
    bottom.legend(frameon=False, loc="upper left")
    shade(bottom, results)
    lower.suptitle("The other regions: who is recruited when", x=0.01, ha="left", fontweight="bold")
    left, right = lower.subfigures(1, 2, width_ratios=[1.35, 1])
    draw_regions(left, results)
    draw_recruitment(right, results)
    return figure


def onsets(results):
    """Return when every region is recruited [ms], in this run and in the brain of masses only."""
    return [onset(*results.binned(1.0, rate), ACTIVE) for rate in (None, results.in_one_piece)]


def draw_regions(figure, results):
    """Draw the rates of all regions, in order of their recruitment."""
    axes = figure.subplots()
    seen, _ = onsets(results)
    order = np.argsort(np.where(np.isfinite(seen), seen, np.inf), kind="stable")
    time, rate = results.binned(1.0)
    image = axes.imshow(
        np.maximum(rate[:, order].T, 1.0),
        extent=(0, time[-1], len(order), 0),
        aspect="auto",
        norm=LogNorm(5, 300),
        cmap="magma",
        interpolation="nearest",
    )
    figure.colorbar(image, ax=axes, pad=0.01).set_label("rate [Hz]")
    axes.set(xlabel="time [ms]", ylabel="regions, first recruited above")


def draw_recruitment(figure, results):
    """Draw recruitment in both descriptions against each other, and where it happens."""
    above, below = figure.subplots(2, 1)
    seen, known = onsets(results)
    both = np.isfinite(seen + known)
    above.plot(known[both], (seen - known)[both], "o", color="black", markersize=3)
    above.axhline(0, color=MASS, linewidth=1)
    above.set(xlabel="recruited among masses only [ms]", ylabel="later here by [ms]")
    x, y, _ = results.centres.T
    below.scatter(x[~both], y[~both], s=14, color="0.8")
    image = below.scatter(x[both], y[both], c=seen[both], s=24, cmap="viridis")
    (column,) = results.columns
    below.plot(x[column], y[column], "*", color=SPIKING, markersize=14)
    figure.colorbar(image, ax=below, pad=0.01).set_label("recruited at [ms]")
    below.set(aspect="equal", xlabel="centres of the regions, from above [mm]")


if __name__ == "__main__":
    main(sys.argv[1])
