"""Who computed, and who waited for whom, over the time of a run: one lane for each participant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.report import axes
from scalebridge.report.axes import short
from scalebridge.report.charts import figure
from scalebridge.report.graph import cut
from scalebridge.report.html import Markup, number, tag
from scalebridge.report.source import Array, Member, Worked

BINS = 450
WIDTH = 1080
LANE, PITCH = 26, 36
LEFT, RIGHT, TOP, BOTTOM = 150, 16, 8, 40
KINDS = ("solving", "exchanging", "waiting", "other", "processor", "idle")
WORDS = {
    "solving": "computing",
    "exchanging": "exchanging data",
    "waiting": "waiting",
    "other": "starting, ending, writing",
    "processor": "using the processor (a program that reports nothing)",
    "idle": "not using it: waiting, most likely",
}


@dataclass(frozen=True)
class Lane:
    """One participant: shares of each interval (bins,) by kind; they sum to at most one."""

    name: str
    shares: dict[str, Array]


def lanes(members: Sequence[Member], begin: float, end: float, bins: int = BINS) -> list[Lane]:
    """Return what each participant did in each of `bins` equal intervals from `begin` to `end` [s since the start]."""
    edges = np.linspace(begin, end, bins + 1)
    return [Lane(m.name, _shares(m, edges)) for m in members]


def _shares(member: Member, edges: Array) -> dict[str, Array]:
    width = np.diff(edges)
    first = member.begun if member.begun is not None else edges[0]
    last = member.ended if member.ended is not None else edges[-1]
    there = np.clip(np.minimum(edges[1:], last) - np.maximum(edges[:-1], first), 0.0, None) / width
    if member.worked is None:
        return {"other": there}
    shares = {name: np.diff(_at(member.worked, name, edges)) / width for name in member.worked.seconds}
    if "processor" in shares:
        used = np.clip(shares["processor"], 0.0, there)
        return {"processor": used, "idle": there - used}
    total = sum(shares.values(), np.zeros(len(width)))
    too_much = np.maximum(total / np.maximum(there, 1e-12), 1.0)
    shares = {name: share / too_much for name, share in shares.items()}
    return shares | {"other": np.clip(there - sum(shares.values(), np.zeros(len(width))), 0.0, 1.0)}


def _at(worked: Worked, name: str, moments: Array) -> Array:
    """Return the seconds spent until each moment, in between as if evenly."""
    result: Array = np.interp(moments, worked.moments, worked.seconds[name], left=0.0)
    return result


def waits(found: Sequence[Lane], partners: Mapping[str, Sequence[str]], seconds: float) -> dict[str, dict[str, float]]:
    """Return for how long each participant waited for each of its partners [s].

    Who waits in an interval waits for those of its partners that were busy then, in proportion; where none was, for all
    of them alike.

    Parameters
    ----------
    seconds : length of one interval.
    """
    by_name = {lane.name: lane for lane in found}
    result: dict[str, dict[str, float]] = {}
    for lane in found:
        waiting = lane.shares.get("waiting")
        near = [by_name[p] for p in partners.get(lane.name, ()) if p in by_name]
        if waiting is None or not near:
            continue
        busy = np.array(
            [sum((p.shares[k] for k in p.shares if k not in ("waiting", "idle")), np.zeros(len(waiting))) for p in near]
        )
        total = busy.sum(axis=0)
        weights = np.where(total > 1e-9, busy / np.maximum(total, 1e-9), 1.0 / len(near))
        result[lane.name] = {
            p.name: float((waiting * w).sum() * seconds) for p, w in zip(near, weights, strict=True)
        }  # fmt: skip
    return result


def draw(caption: str, found: Sequence[Lane], begin: float, end: float, failed: str = "", note: str = "") -> Markup:
    """Return the drawing of lanes.

    Parameters
    ----------
    failed : the participant whose lane is marked as that which failed first.
    """
    unit, size = _unit(end)
    across = axes.linear([begin / size, end / size], LEFT, WIDTH - RIGHT, most=10, tight=True)
    height = TOP + PITCH * len(found) + BOTTOM
    parts = []
    for i, lane in enumerate(found):
        y = TOP + PITCH * i
        parts += _lane(lane, y, bad=lane.name == failed)
    bottom = TOP + PITCH * len(found)
    for value, text in across.ticks:
        x = across(value)
        parts.append(tag("line", x1=x, x2=x, y1=TOP, y2=bottom, class_="grid"))
        parts.append(tag("text", text, x=x, y=bottom + 16, class_="tick middle"))
    label = across.label(f"time since the start [{unit}]")
    parts.append(tag("text", label, x=WIDTH - RIGHT, y=bottom + 33, class_="label end"))
    used = [k for k in KINDS if any(k in lane.shares and lane.shares[k].max(initial=0.0) > 0 for lane in found)]
    keys = [tag("span", tag("i", class_=f"box {k}", aria_hidden="true"), WORDS[k], class_="key") for k in used]
    values = {
        "kind": "lanes",
        "box": [LEFT, WIDTH - RIGHT, TOP, bottom],
        "x": [begin / size, end / size],
        "xLabel": unit,
        "top": TOP,
        "pitch": PITCH,
        "lanes": [
            {"name": lane.name, "shares": {WORDS[k]: [round(float(v), 3) for v in s] for k, s in lane.shares.items()}}
            for lane in found
        ],
    }
    drawn = figure(caption, parts, WIDTH, height, values, tag("div", keys, class_="legend"), note)
    return tag("div", drawn, class_="wide")


def _lane(lane: Lane, y: float, *, bad: bool) -> list[Markup]:
    """Return one lane: in each interval the kinds stand on one another, as high as their share."""
    name = cut(lane.name, 18)
    title = tag("title", lane.name) if name != lane.name else None
    style = "lane end" + (" bad" if bad else "")
    parts = [tag("text", title, ("✗ " if bad else "") + name, x=LEFT - 10, y=y + 18, class_=style)]
    parts.append(tag("rect", x=LEFT, y=y, width=WIDTH - LEFT - RIGHT, height=LANE, class_="lane"))
    count = len(next(iter(lane.shares.values())))
    step = (WIDTH - LEFT - RIGHT) / count
    floor = np.zeros(count)
    for kind in KINDS:
        if kind in lane.shares:
            share = lane.shares[kind]
            parts.append(tag("path", d=_area(floor, floor + share, y, step), class_=f"kind {kind}"))
            floor = floor + share
    return parts


def _area(low: Array, high: Array, y: float, step: float) -> str:
    """Return the path of bars from `low` to `high`, bars of the same kind next to each other as one."""
    pieces = []
    begin = 0
    for i in range(1, len(low) + 1):
        same = i < len(low) and abs(low[i] - low[begin]) < 2e-3 and abs(high[i] - high[begin]) < 2e-3
        if same:
            continue
        if high[begin] - low[begin] > 2e-3:
            x, w = LEFT + begin * step, (i - begin) * step
            top, bottom = y + LANE * (1 - min(high[begin], 1.0)), y + LANE * (1 - low[begin])
            pieces.append(f"M{number(x)} {number(bottom)}V{number(top)}h{number(w)}V{number(bottom)}z")
        begin = i
    return "".join(pieces)


def table(found: dict[str, dict[str, float]], members: Sequence[Member]) -> Markup | None:
    """Return who waited for whom as a table, or None where nobody can say."""
    if not found:
        return None
    columns = [m.name for m in members if any(m.name in row for row in found.values())]
    head = tag("tr", tag("td"), [tag("th", c, scope="col", class_="number") for c in columns])
    rows = []
    most = max((v for row in found.values() for v in row.values()), default=0.0) or 1.0
    for name, row in found.items():
        cells = []
        for column in columns:
            value = row.get(column)
            shade = None if value is None else f"--share:{value / most:.2f}"
            cells.append(
                tag("td", "" if value is None else f"{short(round(value, 2))} s", class_="number heat", style=shade)
            )
        rows.append(tag("tr", tag("th", name, scope="row"), cells))
    text = "Seconds for which the participant of a row waited for that of a column"
    caption = tag("caption", text, tag("small", "waited for is who was busy meanwhile"))
    matrix = tag("table", caption, tag("thead", head), tag("tbody", rows), class_="matrix")
    return tag("div", matrix, class_="scroll", tabindex=0)


def closeup(members: Sequence[Member], end: float) -> tuple[float, float] | None:
    """Return a short piece of the run in which single steps can be told apart, or None where the whole run is short."""
    counted = [m.worked for m in members if m.worked is not None and "solving" in m.worked.seconds]
    moments = max((w.moments for w in counted), key=len, default=None)
    if moments is None or len(moments) < 3 * BINS / 10:
        return None
    middle = len(moments) // 2
    begin, finish = float(moments[max(middle - 20, 0)]), float(moments[min(middle + 20, len(moments) - 1)])
    return (begin, finish) if 0.0 < finish - begin < 0.4 * end else None


def _unit(seconds: float) -> tuple[str, float]:
    return ("s", 1.0) if seconds < 300 else ("min", 60.0) if seconds < 4 * 3600 else ("h", 3600.0)
