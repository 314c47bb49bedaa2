"""What a run computed: series in time, profiles and micro volumes from snapshots, files for other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from scalebridge.report import charts, pictures
from scalebridge.report.axes import short
from scalebridge.report.charts import Line
from scalebridge.report.html import Markup, tag
from scalebridge.report.source import Array, Series, Source

COLLECTIONS = (".pvd", ".series")
KINDS = (*COLLECTIONS, ".vtu", ".pvtu", ".vti", ".vtk", ".vtp", ".npz", ".h5", ".xdmf", ".csv")
MOST_COLUMNS = 16  # of one series
MOST_TIMES = 13
MOST_VOLUMES = 12
PROFILES = 5
MOST_UNPACKED = 400_000_000  # bytes of all snapshots that are looked at
MOST_POINTS = 20_000


def series(source: Source) -> list[Markup]:
    """Return a chart for every column of every series."""
    parts = []
    for one in source.series:
        shown = list(one.columns.items())[:MOST_COLUMNS]
        parts += [_column(one, name, values) for name, values in shown]
        if left := list(one.columns)[MOST_COLUMNS:]:
            text = f"{one.participant}/series.csv has {len(left)} more columns: {', '.join(left)}"
            parts.append(tag("p", text, class_="dim"))
    return parts


def _column(one: Series, name: str, values: Array) -> Markup:
    line = Line(name, one.time.tolist(), values.tolist(), markers=len(values) <= 40)
    title = name.replace("_", " ")
    return charts.lines(title, [line], x_label="time [s]", width=520, height=230, note=f"{one.participant}/series.csv")


@dataclass(frozen=True)
class Shot:
    """One snapshot: its time [s] and its arrays of numbers by name."""

    time: float
    arrays: dict[str, Array]


def snapshots(source: Source) -> list[Markup]:
    """Return profiles and pictures of micro volumes for every participant that kept snapshots."""
    parts: list[Markup] = []
    for member in source.members:
        files = source.files(f"{member.name}/snapshots/*.npz")
        largest = max((pictures.unpacked(f) for f in files), default=0)
        few = min(MOST_TIMES, MOST_UNPACKED // max(largest, 1))
        shots = [s for s in (_shot(f) for f in _spread(files, few)) if s is not None]
        if shots:
            parts += _profiles(member.name, shots)
            parts += _volumes(member.name, shots)
    return parts


def _shot(file: Path) -> Shot | None:
    arrays = pictures.load(file)
    numbers = {n: np.asarray(a, dtype=np.float64) for n, a in arrays.items() if a.dtype.kind in "fiub"}
    time = numbers.pop("time", np.array(np.nan))
    return Shot(float(time), numbers) if numbers and time.ndim == 0 and np.isfinite(time) else None


def _spread[T](things: Sequence[T], most: int) -> list[T]:
    """Return no more than `most` of the things, evenly spaced, with the first and the last."""
    if len(things) <= most:
        return list(things)
    if most < 2:
        return list(things[len(things) - most :])
    return [things[i] for i in np.linspace(0, len(things) - 1, most).round().astype(int)]


def _profiles(name: str, shots: Sequence[Shot]) -> list[Markup]:
    """Return each quantity along the direction in which the points extend most, at some times."""
    points = shots[0].arrays.get("points")
    if points is None or points.ndim != 2 or not 1 < len(points) <= MOST_POINTS:
        return []
    axis = int(np.argmax(np.ptp(points, axis=0)))
    place = np.round(points[:, axis], 12)
    where, inverse = np.unique(place, return_inverse=True)
    if len(where) < 2:
        return []
    parts = []
    chosen = _spread(shots, PROFILES)
    for quantity in (n for n in shots[-1].arrays if "/" not in n and n not in ("points", "volumes")):
        lines = []
        for k, shot in enumerate(chosen):
            values = _scalar(shot.arrays.get(quantity), len(points))
            if values is not None:
                mean = np.bincount(inverse, values) / np.bincount(inverse)
                fade = (k + 1) / len(chosen)
                lines.append(Line(f"t = {short(shot.time)} s", where.tolist(), mean.tolist(), color=0, fade=fade))
        if len(lines) > 1:
            tensor = np.ndim(shots[-1].arrays[quantity]) > 1
            first = "00" if np.ndim(shots[-1].arrays[quantity]) > 2 else "0"
            title = f"{quantity}, component {first}" if tensor else quantity
            label = f"{'xyz'[axis] if axis < 3 else axis} [m]"
            note = f"{name}/snapshots" + (", mean over points with the same place" if len(where) < len(place) else "")
            parts.append(charts.lines(title, lines, x_label=label, width=520, height=250, note=note))
    return parts


def _scalar(values: Array | None, count: int) -> Array | None:
    """Return one number for each point: the values, or their first component."""
    if values is None or values.ndim < 1 or len(values) != count:
        return None
    flat = values.reshape(count, -1)
    return flat[:, 0] if flat.shape[1] and np.isfinite(flat[:, 0]).all() else None


def _volumes(name: str, shots: Sequence[Shot]) -> list[Markup]:
    """Return, for each field of the micro volumes, a row of volumes at each time; a slider chooses the time."""
    parts = []
    for field in (n for n in shots[-1].arrays if n.startswith("fields/")):
        stacks = [(s.time, _images(s.arrays.get(field))) for s in shots]
        found = [(time, images) for time, images in stacks if images is not None]
        finite = [images[np.isfinite(images)] for _, images in found]
        if not found or not any(f.size for f in finite):
            continue
        low, high = min(f.min() for f in finite if f.size), max(f.max() for f in finite if f.size)
        frames = []
        for i, (time, images) in enumerate(found):
            data = pictures.png(pictures.colors(pictures.side_by_side(images), float(low), float(high)))
            image = tag(
                "img", src=pictures.uri(data), alt=f"{field[7:]} of micro volumes at {short(time)} s", class_="cells"
            )
            last = "frame" if i in (0, len(found) // 2, len(found) - 1) else "frame extra"
            frames.append(tag("div", tag("span", f"t = {short(time)} s"), image, class_=last))
        caption = tag("figcaption", field[7:].replace("-", " "), tag("small", f"{name}: {_which(shots[-1])}"))
        bar = pictures.colorbar(short(float(low)), short(float(high)))
        parts.append(tag("figure", caption, bar, tag("div", frames, class_="frames"), class_="volumes wide"))
    return parts


def _images(field: Array | None) -> Array | None:
    """Return images (m, h, w), y upwards, of evenly spaced volumes of a field (n, *cells, ...); None if it has none."""
    if field is None or field.ndim < 3 or not len(field):
        return None
    images = field
    while images.ndim > 3 and images.shape[-1] > 3:  # a third dimension: its middle
        images = images[..., images.shape[-1] // 2]
    while images.ndim > 3:  # components: the first
        images = images[..., 0]
    if max(images.shape[1:]) > 512:
        return None
    chosen = _spread(list(range(len(images))), MOST_VOLUMES)
    return np.ascontiguousarray(images[chosen].swapaxes(1, 2)[:, ::-1])


def _which(shot: Shot) -> str:
    """Return which volumes are shown."""
    field = next(a for n, a in shot.arrays.items() if n.startswith("fields/"))
    volumes = _spread(list(range(len(field))), MOST_VOLUMES)
    numbers = shot.arrays.get("volumes")
    points = shot.arrays.get("points")
    if numbers is None or points is None or len(numbers) != len(field) or points.ndim != 2:
        return f"volumes {', '.join(str(v) for v in volumes)}"
    rows = numbers.astype(int)
    if not len(points) or rows.min() < 0 or rows.max() >= len(points):
        return f"volumes {', '.join(str(v) for v in volumes)}"
    axis = int(np.argmax(np.ptp(points, axis=0)))
    first, last = points[rows[volumes[0]], axis], points[rows[volumes[-1]], axis]
    direction = "xyz"[axis] if axis < 3 else f"coordinate {axis}"
    return f"{len(volumes)} volumes from {direction} = {short(float(first))} m to {short(float(last))} m"


def memory(source: Source) -> Markup | None:
    """Return the memory of each participant over the time of the run, None where nobody looked twice."""
    lines = [
        Line(m.name, m.memory[0].tolist(), (m.memory[1] / 1e6).tolist())
        for m in source.members
        if m.memory is not None and len(m.memory[0]) > 2
    ]
    if not lines:
        return None
    note = "resident memory of all its processes"
    chart = charts.lines(
        "Memory", lines, x_label="time since the start [s]", y_label="MB", width=1080, height=220, note=note
    )
    return tag("div", chart, class_="wide")


def files(source: Source) -> Markup | None:
    """Return links to what other programs open: ParaView collections, and how many files of each kind there are."""
    found = source.results(KINDS)
    counts = Counter((path.parent.as_posix(), path.suffix) for path in found if path.suffix not in COLLECTIONS)
    rows = [
        tag("li", tag("a", path.as_posix(), href=quote(path.as_posix())), " for ParaView")
        for path in found
        if path.suffix in COLLECTIONS
    ]
    rows += [
        tag("li", tag("a", f"{folder}/", href=quote(f"./{folder}/")), f" {n} {'file' if n == 1 else 'files'} {suffix}")
        for (folder, suffix), n in sorted(counts.items())
    ]
    return tag("ul", rows, class_="files") if rows else None
