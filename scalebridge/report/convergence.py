"""How the coupling converged: residuals against their limits, and how many iterations each time window took."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scalebridge.report import charts
from scalebridge.report.charts import Line
from scalebridge.report.html import Markup, tag
from scalebridge.report.source import Member, Source
from scalebridge.runs import history
from scalebridge.runs.history import Convergence, Iterations

MOST_SHADES = 80  # time windows that can be told apart
SHOWN_WINDOWS = 40
MOST_BARS = 1500
TITLE = "Iterations per time window"


def section(source: Source) -> list[Markup]:
    """Return the charts of every participant that decides on convergence."""
    parts: list[Markup] = []
    for member in source.members:
        if member.convergence is not None and member.convergence.windows:
            parts += _residuals(member, member.convergence, source)
    for member in _counting(source.members):
        assert member.iterations is not None
        parts.append(_iterations(member, member.iterations))
    return parts


def _residuals(member: Member, log: Convergence, source: Source) -> list[Markup]:
    limits = history.limits(source.configuration, member.name) if source.configuration is not None else {}
    count = len(log.windows)
    drawn, inside = [], []
    for color, (name, values) in enumerate(log.residuals.items()):
        drawn.append(Line(name, *_apart(log, values), color=color, markers=count <= 60))
        if (limit := limits.get(name, math.nan)) > 0.0:
            drawn.append(Line(f"limit of {name}", [1, count], [limit, limit], limit=True, color=color))
        if color == 0:
            inside = _by_window(log, values, limit)
            first = name
    note = "one point per iteration" + (", every second time window shaded" if _shades(log) else "")
    whole = charts.lines(
        f"Residuals measured by {member.name}",
        drawn,
        x_label="iteration since the start",
        log=True,
        width=1080,
        shades=_shades(log),
        whole=True,
        note=note,
    )
    found = [tag("div", whole, class_="wide")]
    if len(inside) > 2:
        found.append(
            charts.lines(
                f"{first} inside the time windows",
                inside,
                x_label="iteration of the window",
                log=True,
                width=520,
                height=250,
                note="early windows are pale, late ones dark",
                keys=False,
                whole=True,
            )
        )
    return found


def _apart(log: Convergence, values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the number of every iteration and its value, with a gap between time windows."""
    x, y = [], []
    for i, value in enumerate(values):
        if i and log.windows[i] != log.windows[i - 1]:
            x.append(math.nan)
            y.append(math.nan)
        x.append(i + 1.0)
        y.append(value)
    return x, y


def _by_window(log: Convergence, values: Sequence[float], limit: float) -> list[Line]:
    """Return one line for each of some time windows, evenly spaced, early ones first."""
    windows: dict[int, list[int]] = {}
    for i, window in enumerate(log.windows):
        windows.setdefault(window, []).append(i)
    names = list(windows)
    if len(names) < 2:
        return []
    chosen = names[:: math.ceil(len(names) / SHOWN_WINDOWS)]
    lines = [
        Line(
            f"window {name}",
            [log.iterations[i] for i in windows[name]],
            [values[i] for i in windows[name]],
            fade=(k + 1) / len(chosen),
            color=0,
        )
        for k, name in enumerate(chosen)
    ]
    longest = max(max(line.x) for line in lines)
    return [*lines, Line("limit", [1, longest], [limit, limit], limit=True, color=0)] if limit > 0.0 else lines


def _shades(log: Convergence) -> list[tuple[float, float]]:
    """Return where every second time window is."""
    ends = [i + 1 for i in range(len(log.windows)) if i + 1 == len(log.windows) or log.windows[i + 1] != log.windows[i]]
    if not 2 <= len(ends) <= MOST_SHADES:
        return []
    begins = [1, *(e + 1 for e in ends[:-1])]
    pieces = zip(begins, ends, strict=True)
    return [(max(b - 0.5, 1.0), min(e + 0.5, len(log.windows))) for b, e in list(pieces)[1::2]]


def _iterations(member: Member, counts: Iterations) -> Markup:
    marked = [not c for c in counts.converged]
    note = f"{sum(counts.per_window)} iterations in {len(counts.per_window)} windows, counted by {member.name}"
    if len(marked) > MOST_BARS:
        line = Line("iterations", range(1, len(marked) + 1), counts.per_window)
        return charts.lines(TITLE, [line], x_label="time window", width=520, height=250, note=note, whole=True)
    return charts.bars(
        TITLE,
        counts.per_window,
        x_label="time window",
        marked=marked,
        legends=("converged", "did not converge") if any(marked) else ("", ""),
        width=520,
        height=250,
        note=note,
    )


def _counting(members: Sequence[Member]) -> list[Member]:
    """Return participants that counted iterations; one of those that counted the same, as far as they came."""
    result: list[Member] = []
    counting = [m for m in members if m.iterations is not None and m.iterations.per_window]
    for member in sorted(counting, key=lambda m: -len(_counts(m))):
        mine = _counts(member)
        if not any(_counts(other)[: len(mine)] == mine for other in result):
            result.append(member)
    return result


def _counts(member: Member) -> tuple[int, ...]:
    return member.iterations.per_window if member.iterations is not None else ()
