"""The coupling of a case as a drawing: a column for each participant, a row for each exchange and each mapping.

Columns and rows never cross, so names do not overlap whether there are two participants or twelve, and the rows can
stand in the order in which data travel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scalebridge.embedded.config import Configuration, ConfiguredMapping, ParticipantConfig, SchemeConfig
from scalebridge.report.html import Markup, tag

MONO = 6.7  # width of a letter of 11 px in a font of equal widths [pixels]
SANS = 7.9  # mean width of a bold letter of 14 px
LINE = 15.0
NARROWEST, WIDEST = 80.0, 236.0  # columns
FEW = 4  # participants; more are drawn closer together, with less about each
PAGE = 1088.0  # width of the page
MESHES = 6  # shown of a participant
MARGIN = 14.0
SMALL, LARGE = 850.0, 1.25  # a drawing that is narrower than this many pixels is shown larger
_PACKED = re.compile(r"^(.*)-(\d\d)$")


@dataclass(frozen=True)
class Row:
    """One row: an arrow from column `begin` to column `end`, or where both are the same, a mapping in it."""

    begin: int
    end: int
    lines: tuple[str, ...]
    color: int


@dataclass(frozen=True)
class Columns:
    """Where the columns are: the place of their middles, and their width [pixels]."""

    middles: tuple[float, ...]
    width: float

    @property
    def total(self) -> float:
        """The width of the drawing."""
        return self.middles[-1] + self.width / 2 + MARGIN


def draw(configuration: Configuration, programs: Mapping[str, str]) -> Markup:
    """Return the drawing.

    Parameters
    ----------
    programs : what runs as each participant, by name.
    """
    participants = configuration.participants
    columns = _columns(participants, programs)
    names = [p.name for p in participants]
    heads, top = _heads(participants, programs, columns)
    bands: list[Markup] = []
    rest: list[Markup] = []
    y = top + 26.0
    shown: set[tuple[str, int]] = set()
    for scheme in configuration.schemes:
        begin = y
        title, y = _title(scheme, columns, y)
        body: list[Markup] = []
        for row in _rows(configuration, scheme, names, shown):
            drawn, y = _draw(row, columns, y)
            body += drawn
        y += 10.0
        size = {"x": MARGIN / 2, "y": begin, "width": columns.total - MARGIN, "height": y - begin}
        bands.append(tag("rect", **size, rx=8, class_="band"))
        rest += [title, *body]
        y += 14.0
    lifelines = [tag("line", x1=x, x2=x, y1=top, y2=y - 8, class_="life") for x in columns.middles]
    svg = tag(
        "svg",
        tag("defs", [_head(i) for i in range(8)]),
        bands,
        lifelines,
        heads,
        rest,
        viewBox=f"0 0 {columns.total:.0f} {y:.0f}",
        width=columns.total * (LARGE if columns.total < SMALL else 1.0),
        role="img",
        aria_label="Coupling graph: " + "; ".join(_sentences(configuration)),
        class_="graph",
    )
    return tag("div", svg, class_="scroll", tabindex=0, role="group", aria_label="Coupling graph, scrollable")


def _head(color: int) -> Markup:
    """Return the head of arrows of one colour."""
    size: dict[str, str | float] = {"refX": 8.5, "refY": 4.5, "markerWidth": 9, "markerHeight": 9}
    path = tag("path", d="M0 0L9 4.5L0 9z")
    style = f"fill c{color}"
    return tag("marker", path, id=f"head{color}", class_=style, markerUnits="userSpaceOnUse", orient="auto", **size)


def _columns(participants: Sequence[ParticipantConfig], programs: Mapping[str, str]) -> Columns:
    count = len(participants)
    if count > FEW:  # as many as fit on a page
        pitch = max(PAGE / count, NARROWEST + 8.0)
        width = min(pitch - 8.0, 150.0)
    else:
        widths = [NARROWEST]
        for one in participants:
            widths.append(len(one.name) * SANS + 24)
            widths += [len(text) * MONO + 30 for text in (programs.get(one.name, ""), *_meshes(one)[:MESHES])]
        width = min(max(widths), WIDEST)
        pitch = width + {1: 0.0, 2: 260.0, 3: 150.0}.get(count, 60.0)
    return Columns(tuple(MARGIN + width / 2 + i * pitch for i in range(count)), width)


def _heads(
    participants: Sequence[ParticipantConfig], programs: Mapping[str, str], columns: Columns
) -> tuple[list[Markup], float]:
    """Return the box of every participant with its meshes, and where the boxes end."""
    few = len(participants) <= FEW
    first = 52.0 if few else 36.0
    most = max(min(len(_meshes(p)), MESHES + 1) for p in participants)
    height = first + 22.0 * most
    parts = []
    for i, (one, x) in enumerate(zip(participants, columns.middles, strict=True)):
        left = x - columns.width / 2
        program = programs.get(one.name, "")
        room, style = columns.width - 12, "name middle" if few else "name small middle"
        parts += [
            tag("rect", tag("title", f"{one.name}: {program}"), x=left, y=MARGIN, width=columns.width, height=height,
                rx=8, class_="box"),
            tag("rect", x=left, y=MARGIN, width=columns.width, height=5, rx=2.5, class_=f"fill c{i % 8}"),
            _text(one.name, x, MARGIN + 25, room, SANS if few else SANS - 1.2, style),
        ]  # fmt: skip
        if few:
            parts.append(_text(program, x, MARGIN + 42, room, MONO, "code dim middle"))
        parts += _pills(one, x, MARGIN + first, columns.width)
    return parts, MARGIN + height


def _pills(one: ParticipantConfig, x: float, top: float, width: float) -> list[Markup]:
    """Return the meshes of a participant, those that it receives dashed; of very many the first."""
    meshes = _meshes(one)
    parts = []
    for k, mesh in enumerate(meshes[:MESHES]):
        y = top + 22 * k
        own = mesh in one.provides
        about = tag("title", f"{mesh}, {'provided' if own else 'received'} by {one.name}")
        pill = tag("rect", x=x - width / 2 + 6, y=y, width=width - 12, height=18, rx=9, class_="own" if own else "got")
        shown = tag("text", cut(mesh, int((width - 22) / MONO)), x=x, y=y + 13, class_="code middle")
        parts.append(tag("g", about, pill, shown))
    if left := meshes[MESHES:]:
        more = tag("text", tag("title", ", ".join(left)), f"and {len(left)} more", x=x, y=top + 22 * MESHES + 13,
                   class_="code dim middle")  # fmt: skip
        parts.append(more)
    return parts


def _title(scheme: SchemeConfig, columns: Columns, y: float) -> tuple[Markup, float]:
    """Return what a scheme is, wrapped to the drawing, and where it ends."""
    letters = max(int((columns.total - 3 * MARGIN) / 5.6), 20)
    lines = _wrapped(describe(scheme), letters, " · ")
    texts = [tag("text", t, x=MARGIN + 4, y=y + 18 + i * LINE, class_="scheme") for i, t in enumerate(lines)]
    return tag("g", texts), y + 18 + len(lines) * LINE


def describe(scheme: SchemeConfig) -> str:
    """Return a coupling scheme in words."""
    serial = f"{scheme.participants[0]}, then {scheme.participants[1]}" if scheme.serial else "all at once"
    if scheme.kind == "multi":
        serial = f"all at once, {scheme.controller} in control"
    parts = [f"{scheme.kind}: {serial}"]
    size = scheme.time_window_size
    parts.append(f"time windows of {size:g} s" if size else f"{scheme.participants[0]} sets the time windows")
    if scheme.max_time is not None:
        parts.append(f"until {scheme.max_time:g} s")
    if scheme.max_time_windows is not None:
        parts.append(f"{scheme.max_time_windows} windows")
    if scheme.implicit:
        most = f"up to {scheme.max_iterations}" if scheme.max_iterations is not None else "any number of"
        parts.append(f"{most} iterations")
        parts.append(scheme.acceleration.kind if scheme.acceleration else "no acceleration")
    return " · ".join(parts)


def _rows(
    configuration: Configuration, scheme: SchemeConfig, names: Sequence[str], shown: set[tuple[str, int]]
) -> Iterable[Row]:
    """Return the exchanges of a scheme, those of one direction and mesh together, with their mappings around them."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for e in scheme.exchanges:
        groups.setdefault((e.sender, e.receiver, e.mesh), []).append(e.data)
    order = {name: i for i, name in enumerate(scheme.participants)}
    for (sender, receiver, mesh), data in sorted(groups.items(), key=lambda g: order.get(g[0][0], 0)):
        begin, end = names.index(sender), names.index(receiver)
        for mapping in _mappings(configuration, sender, "write", mesh, shown):
            yield Row(begin, begin, mapping, begin % 8)
        yield Row(begin, end, (*packed(data), f"on {mesh}"), begin % 8)
        for mapping in _mappings(configuration, receiver, "read", mesh, shown):
            yield Row(end, end, mapping, end % 8)


def _mappings(
    configuration: Configuration, name: str, direction: str, mesh: str, shown: set[tuple[str, int]]
) -> Iterable[tuple[str, ...]]:
    """Return the mappings to (before it is sent) or from (after it has come) a mesh, each only once."""
    for i, one in enumerate(configuration.participant(name).mappings):
        config = one.config
        near = config.to_mesh if direction == "write" else config.from_mesh
        if config.direction == direction and near in (mesh, None) and (name, i) not in shown:
            shown.add((name, i))
            yield _mapping(one)


def _mapping(one: ConfiguredMapping) -> tuple[str, ...]:
    config = one.config
    places = f"{config.from_mesh or 'any point'} → {config.to_mesh or 'any point'}"
    return f"{config.kind}, {config.constraint}", places


def packed(data: Sequence[str]) -> tuple[str, ...]:
    """Return names of data, the components of a tensor as one: Conductivity-{00, 01, 11}."""
    tensors: dict[str, list[str]] = {}
    result: list[str] = []
    for name in data:
        match = _PACKED.match(name)
        if match is None:
            result.append(name)
        elif match[1] in tensors:
            tensors[match[1]].append(match[2])
        else:
            tensors[match[1]] = [match[2]]
            result.append(f"\0{match[1]}")
    return tuple(
        name if name[:1] != "\0" else _tensor(name[1:], tensors[name[1:]]) for name in result
    )  # fmt: skip


def _tensor(name: str, components: Sequence[str]) -> str:
    return f"{name}-{components[0]}" if len(components) == 1 else f"{name}-{{{', '.join(components)}}}"


def _draw(row: Row, columns: Columns, y: float) -> tuple[list[Markup], float]:
    if row.begin == row.end:
        return _draw_mapping(row, columns, y)
    a, b = columns.middles[row.begin], columns.middles[row.end]
    room = max(abs(b - a) - 30.0, 120.0)
    *data, mesh = row.lines
    lines = [*_joined(data, int(room / MONO)), mesh]
    widest = max(len(line) for line in lines) * MONO
    middle = min(max((a + b) / 2, MARGIN + widest / 2), columns.total - MARGIN - widest / 2)
    y += 8
    texts = []
    for i, line in enumerate(lines):
        style = "code halo middle" + (" dim" if i == len(lines) - 1 else "")
        texts.append(tag("text", line, x=middle, y=y + (i + 1) * LINE, class_=style))
    y += len(lines) * LINE + 9
    side = math.copysign(5.0, b - a)
    arrow = tag(
        "line", x1=a + side, x2=b - side, y1=y, y2=y, class_=f"arrow c{row.color}", marker_end=f"url(#head{row.color})"
    )
    dot = tag("circle", cx=a, cy=y, r=3.5, class_=f"fill c{row.color}")
    return [*texts, arrow, dot], y + 6


def _draw_mapping(row: Row, columns: Columns, y: float) -> tuple[list[Markup], float]:
    x = columns.middles[row.begin]
    letters = max(int((columns.total - 2 * MARGIN - 24) / MONO), 10)
    several = row.lines if len(columns.middles) <= FEW else (": ".join(row.lines),)
    lines = [cut(line, letters) for line in several]
    width = max(len(line) for line in lines) * MONO + 22
    height = len(lines) * LINE + 8
    middle = min(max(x, MARGIN + width / 2), columns.total - MARGIN - width / 2)
    y += 9
    box = tag("rect", x=middle - width / 2, y=y, width=width, height=height, rx=7, class_=f"mapping c{row.color}")
    texts = [
        tag("text", line, x=middle, y=y + (i + 1) * LINE - 1, class_="code middle" + (" dim" if i else ""))
        for i, line in enumerate(lines)
    ]
    return [box, *texts], y + height + 2


def _joined(names: Sequence[str], letters: int) -> list[str]:
    """Return names separated by commas in lines of no more than so many letters, where a name is not longer itself."""
    lines: list[str] = []
    for i, name in enumerate(names):
        text = name + ("," if i < len(names) - 1 else "")
        if lines and len(lines[-1]) + 1 + len(text) <= letters:
            lines[-1] += " " + text
        else:
            lines.append(text)
    return lines


def _wrapped(text: str, letters: int, between: str) -> list[str]:
    lines = [""]
    for word in text.split(between):
        if lines[-1] and len(lines[-1]) + len(word) + len(between) > letters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]}{between}{word}" if lines[-1] else word
    return lines


def _text(text: str, x: float, y: float, room: float, letter: float, style: str) -> Markup:
    """Return a text, cut to the room there is; the whole of it is shown when it is pointed at."""
    shown = cut(text, int(room / letter))
    return tag("text", tag("title", text) if shown != text else None, shown, x=x, y=y, class_=style)


def cut(text: str, letters: int) -> str:
    """Return a text of at most so many letters, with its middle left out: the ends tell names apart."""
    if len(text) <= letters:
        return text
    keep = max(letters - 1, 2)
    return f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"


def _meshes(one: ParticipantConfig) -> tuple[str, ...]:
    return (*one.provides, *(r.name for r in one.receives))


def _sentences(configuration: Configuration) -> Iterable[str]:
    """Return the same for those who cannot see it."""
    for scheme in configuration.schemes:
        for e in scheme.exchanges:
            yield f"{e.sender} sends {e.data} on {e.mesh} to {e.receiver}"
