"""One picture of several runs: their common series over each other, and what they took, as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.compare.arrays import Array
from scalebridge.compare.results import Results

MOST_SERIES = 6
COLUMNS = 3
_MOST_LABEL = 24


def draw(path: Path, title: str, runs: Sequence[Results], errors: Mapping[str, Mapping[str, float]]) -> bool:
    """Draw the series that at least two runs have, and the costs of all. Return whether there was something to draw.

    Parameters
    ----------
    errors : of runs by label, relative errors of the quantities of the case by name; they are drawn over the cost.
    """
    if len(runs) < 2:
        return False
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    series = _series(runs)
    shown = any(errors.values())
    panels = len(series) + 2 + shown
    columns = min(COLUMNS, panels)
    rows = -(-panels // columns)
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.2 * columns, 3.1 * rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = list(np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).flat)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
        for each, (name, lines) in zip(axes, series.items(), strict=False):
            _overlay(each, name, lines, runs)
        bars = axes[len(series) :]
        _bars(bars[0], "wall time [s]", runs, [run.cost.wall for run in runs])
        _bars(bars[1], "iterations", runs, [run.cost.iterations for run in runs])
        if shown:
            _error_over_cost(bars[2], runs, errors)
        for each in axes[panels:]:
            each.set_axis_off()
        figure.savefig(path, dpi=110)
    return True


def _series(runs: Sequence[Results]) -> dict[str, dict[int, tuple[Array, Array]]]:
    """Return name -> number of the run -> (times, values), of what at least two runs have."""
    found: dict[str, dict[int, tuple[Array, Array]]] = {}
    for i, run in enumerate(runs):
        for key, table in run.tables.items():
            for name, values in table.columns.items():
                found.setdefault(f"{key}: {name}", {})[i] = (table.time, values)
    shared = {name: lines for name, lines in found.items() if len(lines) > 1}
    return dict(list(shared.items())[:MOST_SERIES])


def _overlay(axes: Any, name: str, lines: dict[int, tuple[Array, Array]], runs: Sequence[Results]) -> None:
    """Draw a series of all runs; the later ones are dashed more finely, so that equal lines show both."""
    styles = ["-", "--", "-.", ":"]
    for i, (time, values) in lines.items():
        style = styles[min(i, len(styles) - 1)]
        axes.plot(time, values, style, color=f"C{i % 10}", label=_label(runs[i].label), linewidth=1.4)
    axes.set(title=name, xlabel="time")
    axes.legend(frameon=False, fontsize="small")


def _bars(axes: Any, name: str, runs: Sequence[Results], values: Sequence[float | None]) -> None:
    places = range(len(runs))
    known = [0.0 if v is None else v for v in values]
    axes.barh(places, known, color=[f"C{i % 10}" for i in places], height=0.6)
    for i, value in enumerate(values):
        axes.text(known[i], i, " unknown" if value is None else f" {value:.4g}", va="center")
    axes.set(title=name, yticks=list(places), xlim=(0, 1.25 * max(known) or 1.0))
    axes.set_yticklabels([_label(run.label) for run in runs])
    axes.invert_yaxis()


def _error_over_cost(axes: Any, runs: Sequence[Results], errors: Mapping[str, Mapping[str, float]]) -> None:
    """Draw the errors of each run over what solving took; a run without any, such as the first, as a line."""
    markers = ["o", "s", "^", "D", "v"]
    names = list(dict.fromkeys(name for own in errors.values() for name in own))
    drawn = False
    for i, run in enumerate(runs):
        seconds, own = run.cost.solving, errors.get(run.label, {})
        if not seconds:
            continue
        points = [(n, e) for n, e in own.items() if e > 0 and np.isfinite(e)]
        for name, error in points:
            axes.plot(seconds, error, markers[names.index(name) % len(markers)], color=f"C{i % 10}")
        if points:
            at = max(error for _, error in points)
            axes.annotate(_label(run.label), (seconds, at), (0, 5), textcoords="offset points", ha="center", fontsize=8)
            drawn = True
        else:
            axes.axvline(seconds, color=f"C{i % 10}", linestyle=":", linewidth=1)
            axes.text(
                seconds, 0.98, f" {_label(run.label)}", transform=axes.get_xaxis_transform(), va="top", fontsize=8
            )
    for name in names:
        axes.plot([], [], markers[names.index(name) % len(markers)], color="0.4", label=name)
    if drawn:
        axes.set(xscale="log", yscale="log")
        axes.margins(0.2)
    axes.set(title="error of what matters", xlabel="solving [s]", ylabel="relative to the largest value")
    axes.legend(frameon=False, fontsize="small")


def _label(text: str) -> str:
    return text if len(text) <= _MOST_LABEL else text[: _MOST_LABEL - 1] + "…"
