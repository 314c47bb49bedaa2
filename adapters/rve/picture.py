"""The effective properties with their scatter over the size of the volume, and how the scatter falls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from adapters.rve.answer import percent
from adapters.rve.statistics import Property, typical
from adapters.rve.table import Study, half_width

FILE_NAME = "rve.png"
_APART = 0.06  # between resolutions and between realisations, as a share of the size


def draw(path: Path, study: Study) -> None:
    """Draw a row of two panels for each property."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = len(study.properties)
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9.0, 0.6 + 3.2 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, 2, squeeze=False, width_ratios=(1.5, 1))
        figure.suptitle(f"Volumes of {study.participant} in {study.case}", x=0.01, ha="left", fontweight="bold")
        for (left, right), one in zip(axes, study.properties, strict=True):
            _values(left, one, study)
            _scatter(right, one, study)
        figure.savefig(path, dpi=110)


def _values(axes: Any, one: Property, study: Study) -> None:
    """Draw every realisation, the mean with its confidence, and the tolerance around that of the largest volumes."""
    largest = typical(one.mean((one.sizes[-1], one.resolutions[-1])))
    margin = study.tolerance * abs(largest)
    axes.axhspan(
        largest - margin, largest + margin, color="0.92", label=f"within {percent(study.tolerance)} of the largest"
    )
    for i, resolution in enumerate(one.resolutions):
        places = [size * (1 + _APART * (2 * i - len(one.resolutions) + 1)) for size in one.sizes]
        keys = [(size, resolution) for size in one.sizes]
        for place, key in zip(places, keys, strict=True):
            values = [typical(value) for value in one.samples[key]]
            spread = np.linspace(-0.5, 0.5, len(values)) * _APART * place
            axes.plot(place + spread, values, ".", color=f"C{i}", alpha=0.35, markersize=4, markeredgewidth=0)
        means = [typical(one.mean(key)) for key in keys]
        errors = [half_width(one, key) for key in keys]
        axes.errorbar(
            places, means, errors, fmt="o", color=f"C{i}", capsize=3, label=f"resolution {resolution}", markersize=4
        )
    unit = "" if one.unit == "1" else f" [{one.unit}]"
    axes.set(title=f"{one.name}{unit}", xlabel="size (edge of the volume)", xscale="log")
    _ticks(axes, one)
    axes.legend(frameon=False, fontsize="small")


def _scatter(axes: Any, one: Property, study: Study) -> None:
    """Draw the scatter over the size, with the law of independent parts."""
    shown = False
    for i, resolution in enumerate(one.resolutions):
        scatter = [one.scatter((size, resolution)) for size in one.sizes]
        if all(value > 0 for value in scatter):
            axes.plot(
                one.sizes, scatter, "o-", color=f"C{i}", label=f"resolution {resolution}", markersize=4, linewidth=1
            )
            shown = True
    axes.set(title="standard deviation / mean", xlabel="size (edge of the volume)", xscale="log")
    if shown:
        finest = [one.scatter((size, one.resolutions[-1])) for size in one.sizes]
        law = finest[-1] * (np.array(one.sizes) / one.sizes[-1]) ** (-one.dimensions / 2)
        axes.plot(
            one.sizes, law, "--", color="0.5", label=f"independent parts: size^({-one.dimensions / 2:g})", linewidth=1
        )
        axes.set_yscale("log")
        axes.legend(frameon=False, fontsize="small")
    else:
        axes.text(0.5, 0.5, "realisations do not differ", transform=axes.transAxes, ha="center")
    _ticks(axes, one)


def _ticks(axes: Any, one: Property) -> None:
    axes.set_xticks(one.sizes, [str(size) for size in one.sizes])
    axes.set_xticks([], minor=True)
