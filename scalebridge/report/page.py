"""A page from its sections: one file of HTML with its style sheet, its script and its numbers in it.

The page may load nothing, and it says so itself: its security policy forbids all addresses, and every script but ours,
whose hash it names. So even a text from a run that slipped through unescaped could not run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import scalebridge
from scalebridge.cases.timescales import Separation
from scalebridge.report import convergence, details, graph, overview, pictures, results, timeline
from scalebridge.report.html import Markup, join, raw, tag
from scalebridge.report.source import Source
from scalebridge.runs.monitor import partners

FILE_NAME = "report.html"
GAP = 2.0  # seconds; what a participant reported so long before the start is of an earlier part of the run


@dataclass(frozen=True)
class Section:
    """A section of a page: its name for links, its title, and what is in it; `style` is "grid", "cards" or ""."""

    name: str
    title: str
    body: Sequence[Markup | None]
    style: str = ""


def write(run: Path) -> Path:
    """Make RUN/report.html from what is in the folder of a run; return the file.

    Raises RunFolderError where the folder is not that of a run, OSError where the file cannot be written.
    """
    file = run / FILE_NAME
    draft = run / f".{FILE_NAME}"
    text = page(Source(run))
    draft.unlink(missing_ok=True)
    with draft.open("x", encoding="utf-8") as stream:  # never through a link
        stream.write(text)
    draft.replace(file)
    return file


def page(source: Source) -> str:
    """Return the page of a run."""
    title = f"{overview.label(source)}: {overview.verdict(source)[0]}"
    sections = [
        Section("checks", "Checks", [overview.checks(source)]),
        Section("pictures", "Pictures", pictures.section(source), "grid"),
        Section("coupling", "Coupling", [_graph(source), *_separations(source)]),
        Section("convergence", "Convergence", convergence.section(source), "grid"),
        Section("strategies", "Strategies", details.strategies(source), "cards"),
        Section("time", "Who computed, who waited", _time(source)),
        Section("series", "Results in time", results.series(source), "grid"),
        Section("snapshots", "Snapshots", results.snapshots(source), "grid"),
        Section("participants", "Participants", details.participants(source), "cards"),
        Section("files", "Files", [results.files(source)]),
        Section("record", "Record", details.record(source), "cards"),
        Section("output", "Output", details.logs(source)),
    ]
    return document(title, overview.header(source), sections)


def document(title: str, header: Markup, sections: Sequence[Section]) -> str:
    """Return a whole page; sections without content are left out."""
    style, script = _own("style.css"), _own("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    shown = [s for s in sections if any(s.body)]
    links = [tag("li", tag("a", s.title, href=f"#{s.name}")) for s in shown]
    button = tag("button", "◐", id="theme", type="button", title="light or dark", aria_label="light or dark")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", raw(style)),
    )
    body = tag(
        "body",
        tag("a", "to the content", href="#content", class_="skip"),
        tag("nav", tag("ul", links), button, aria_label="sections"),
        tag("main", header, [_section(s) for s in shown], id="content"),
        tag("footer", f"scalebridge {scalebridge.__version__}"),
        tag("div", id="tip", role="status", aria_live="polite", hidden=True),
        tag("dialog", id="large", aria_label="picture"),
        tag("script", raw(script)),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _section(section: Section) -> Markup:
    body = tag("div", section.body, class_=section.style) if section.style else join(section.body)
    return tag("section", tag("h2", section.title), body, id=section.name)


def _graph(source: Source) -> Markup | None:
    if source.configuration is None:
        return None
    return graph.draw(source.configuration, {m.name: details.program(m.entry) for m in source.members})


def _separations(source: Source) -> list[Markup]:
    """Return how the time windows compare with how fast things happen, where participants say it."""
    found = []
    scales = (source.summary or {}).get("time_scales")
    for told in scales if isinstance(scales, list) else ():
        with suppress(TypeError, KeyError, ValueError, ArithmeticError):  # not what a run has written
            found.append(tag("p", str(Separation.from_json(told))))
    return found


def _time(source: Source) -> list[Markup | None]:
    members = source.members
    if source.wall <= 0.0 or not any(m.begun is not None or m.worked is not None for m in members):
        return []
    found = timeline.lanes(members, 0.0, source.wall)
    note = "height is the share of each moment" if any("solving" in lane.shares for lane in found) else ""
    failed = overview.culprit(source)
    went_on = any(m.worked is not None and m.worked.moments[0] < -GAP for m in members)
    title = "The run since it went on" if went_on else "The whole run"
    parts: list[Markup | None] = [timeline.draw(title, found, 0.0, source.wall, failed, note)]
    near = timeline.closeup(members, source.wall)
    if near is not None:
        close = timeline.lanes(members, *near)
        parts.append(timeline.draw("A close look at its middle", close, *near, failed))
    coupled = {m.name: partners(source.configuration, m.name) for m in members} if source.configuration else {}
    waited = timeline.waits(found, coupled, source.wall / timeline.BINS)
    parts += [timeline.table(waited, members), results.memory(source)]
    return parts


@cache
def _own(name: str) -> str:
    """Return a file that lies beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
