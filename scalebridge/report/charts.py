"""Charts as SVG that we draw ourselves: lines over numbers, bars over counts. Nothing is loaded from elsewhere.

A chart is a `<figure>` with a caption, a legend in HTML (so that its names wrap and never overlap), the drawing, and
its numbers as JSON, from which the script of the page shows values under the pointer or the arrow keys. Colours come
from the style sheet of the page (`scalebridge.report.page`): the classes c0 to c7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scalebridge.report import axes
from scalebridge.report.axes import Axis
from scalebridge.report.html import Markup, data, number, tag

COLORS = 8
MOST_POINTS = 1500  # of one line; more than there are pixels
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 27, 41  # margins around the plot


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes
    ----------
    x, y : as many of each; NaN leaves a gap.
    limit : whether it is a bound and not a result: it is drawn dashed, in the colour `color`.
    color : number of its colour; by default its place among the lines.
    markers : whether each point is marked.
    fade : how strong the colour is, from 0 to 1.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    limit: bool = False
    color: int | None = None
    markers: bool = False
    fade: float = 1.0


def lines(
    caption: str,
    drawn: Sequence[Line],
    *,
    x_label: str,
    y_label: str = "",
    log: bool = False,
    width: int = 720,
    height: int = 260,
    shades: Sequence[tuple[float, float]] = (),
    note: str = "",
    keys: bool = True,
    whole: bool = False,
) -> Markup:
    """Return a chart of lines.

    Parameters
    ----------
    log : whether the vertical axis is logarithmic; zeros lie on its lower end then.
    width, height : of the drawing, which is scaled to the page [pixels].
    shades : intervals of x behind the lines, such as every second time window.
    note : a sentence below the caption.
    keys : whether there is a legend.
    whole : whether x counts something, so that only whole numbers are ticks.
    """
    drawn = [thinned(line) for line in drawn]
    xs = [v for line in drawn for v in line.x]
    ys = [v for line in drawn for v in line.y]
    across = axes.linear(xs, LEFT, width - RIGHT, most=9, tight=True, whole=whole)
    up = (axes.logarithmic if log else axes.linear)(ys, height - BOTTOM, TOP)
    behind = [
        tag("rect", x=across(a), y=TOP, width=max(across(b) - across(a), 0.0), height=height - TOP - BOTTOM)
        for a, b in shades
    ]
    inner = [tag("g", behind, class_="shade") if behind else None, frame(across, up, x_label, y_label)]
    for i, line in enumerate(drawn):
        inner += _line(line, across, up, i)
    values = _values(drawn, across, up, x_label)
    return figure(caption, inner, width, height, values, legend(drawn) if keys else Markup(""), note)


def _values(drawn: Sequence[Line], across: Axis, up: Axis, x_label: str) -> dict[str, object]:
    """Return the numbers of a chart of lines, for the script of the page."""
    return {
        "kind": "lines",
        "box": [across.begin, across.end, up.end, up.begin],
        "x": [across.low, across.high],
        "xLabel": x_label,
        "lines": [
            {"name": o.name, "x": list(o.x), "y": list(o.y), "color": _color(o, i), "limit": o.limit}
            for i, o in enumerate(drawn)
        ],
    }


def bars(
    caption: str,
    heights: Sequence[float],
    *,
    x_label: str,
    y_label: str = "",
    marked: Sequence[bool] = (),
    legends: tuple[str, str] = ("", ""),
    first: int = 1,
    width: int = 720,
    height: int = 200,
    note: str = "",
) -> Markup:
    """Return a chart of bars, one for each whole number from `first`.

    Parameters
    ----------
    marked : which bars stand out; `legends` says what the others and what these are.
    """
    count = len(heights)
    ends = [first - 0.5, first + count - 0.5]
    across = axes.linear(ends, LEFT, width - RIGHT, most=9, tight=True, whole=True)
    up = axes.linear([0.0, *heights], height - BOTTOM, TOP, most=5)
    one = (width - LEFT - RIGHT) / max(count, 1)
    gap = min(0.2 * one, 4.0)
    paths: dict[bool, list[str]] = {False: [], True: []}
    for i, value in enumerate(heights):
        if math.isfinite(value) and value > 0:
            x, y = LEFT + i * one + gap / 2, up(value)
            path = f"M{number(x)} {number(height - BOTTOM)}V{number(y)}h{number(one - gap)}V{number(height - BOTTOM)}z"
            paths[bool(marked) and marked[i]].append(path)
    inner = [frame(across, up, x_label, y_label)]
    inner += [tag("path", d="".join(paths[False]), class_="bar c0")]
    inner += [tag("path", d="".join(paths[True]), class_="bar bad")] if paths[True] else []
    values = {
        "kind": "bars",
        "box": [LEFT, width - RIGHT, TOP, height - BOTTOM],
        "x": [across.low, across.high],
        "first": first,
        "xLabel": x_label,
        "yLabel": y_label,
        "heights": list(heights),
        "marked": [i for i, m in enumerate(marked) if m],
        "words": list(legends),
    }
    keys = [_key("box c0", legends[0]) if legends[0] else None]
    keys += [_key("box bad", legends[1]) if paths[True] else None]
    return figure(caption, inner, width, height, values, tag("div", keys, class_="legend"), note)


def figure(
    caption: str, inner: Sequence[Markup | None], width: float, height: float, values: object, keys: Markup, note: str
) -> Markup:
    """Return a drawing with its caption, legend and numbers; the script of the page needs these to show values."""
    svg = tag(
        "svg",
        inner,
        tag("line", class_="cursor"),
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=caption,
        tabindex=0,
    )
    text = tag("figcaption", caption, tag("small", note) if note else None)
    return tag("figure", text, keys, svg, data(values), class_="chart")


def legend(drawn: Sequence[Line]) -> Markup:
    """Return the names of the lines with their colours; nothing for a single one."""
    if len(drawn) < 2 and not any(line.limit for line in drawn):
        return Markup("")
    keys = [
        _key(f"{'dash' if line.limit else 'line'} c{_color(line, i)}", line.name, _faded(line))
        for i, line in enumerate(drawn)
    ]
    return tag("div", keys, class_="legend")


def frame(across: Axis, up: Axis, x_label: str, y_label: str) -> Markup:
    """Return grid lines, ticks and labels; the label of the vertical axis stands above it, to be read easily."""
    left, right, bottom, top = across.begin, across.end, up.begin, up.end
    parts = [tag("text", up.label(y_label), x=4, y=top - 14, class_="label")]
    for value, text in up.ticks:
        y = up(value)
        parts += [tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid")]
        parts += [tag("text", text, x=left - 6, y=y + 4, class_="tick end")]
    for value, text in across.ticks:
        x = across(value)
        parts += [tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis")]
        parts += [tag("text", text, x=x, y=bottom + 19, class_="tick middle")]
    parts += [tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis")]
    parts += [tag("text", across.label(x_label), x=right, y=bottom + 35, class_="label end")]
    return tag("g", parts)


def thinned(line: Line, most: int = MOST_POINTS) -> Line:
    """Return the line with no more than about `most` points: of every piece its least and its largest value."""
    n = min(len(line.x), len(line.y))
    if n <= most:
        return line
    size = math.ceil(2 * n / most)
    kept: list[int] = []
    for begin in range(0, n, size):
        piece = [i for i in range(begin, min(begin + size, n)) if math.isfinite(line.y[i])] or [begin]
        kept += sorted({min(piece, key=line.y.__getitem__), max(piece, key=line.y.__getitem__)})
    kept = sorted({0, n - 1, *kept})
    return Line(
        line.name, [line.x[i] for i in kept], [line.y[i] for i in kept], line.limit, line.color, False, line.fade
    )


def _line(line: Line, across: Axis, up: Axis, place: int) -> list[Markup]:
    points: list[tuple[float, float] | None] = []
    for x, y in zip(line.x, line.y, strict=False):
        fine = math.isfinite(x) and math.isfinite(y) and (not up.log or y >= 0.0)
        points.append((across(x), up(y or up.low) if up.log else up(y)) if fine else None)
    path, pen = [], "M"
    for point in points:
        if point is not None:
            path.append(f"{pen}{number(point[0])} {number(point[1])}")
        pen = "M" if point is None else "L"
    color = f"c{_color(line, place)}"
    parts = [tag("path", d="".join(path), class_=f"{'limit' if line.limit else 'curve'} {color}", opacity=_faded(line))]
    alone = line.markers or sum(p is not None for p in points) == 1
    if alone:
        dots = [tag("circle", cx=p[0], cy=p[1], r=2.2) for p in points if p is not None]
        parts.append(tag("g", dots, class_=f"dots {color}"))
    return parts


def _color(line: Line, place: int) -> int:
    return (place if line.color is None else line.color) % COLORS


def _faded(line: Line) -> str | None:
    """Return the opacity of a line; None of one that does not fade."""
    return f"{0.15 + 0.85 * line.fade:.2f}" if line.fade < 1.0 else None


def _key(classes: str, name: str, opacity: str | None = None) -> Markup:
    style = None if opacity is None else f"opacity:{opacity}"
    return tag("span", tag("i", class_=classes, style=style, aria_hidden="true"), name, class_="key")
