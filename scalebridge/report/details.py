"""The end of a page: each participant with its settings, what a run recorded of itself, what everybody printed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from scalebridge.report.axes import short
from scalebridge.report.html import Markup, tag
from scalebridge.report.overview import definitions
from scalebridge.report.source import Member, Source
from scalebridge.runs.panel import duration
from scalebridge.runs.usage import bytes_text
from scalebridge.strategies import Told, shown

MOST_FILES = 200


def program(entry: Mapping[str, Any]) -> str:
    """Return what runs as a participant: its module, or its command."""
    command = entry.get("command")
    if isinstance(command, list) and command:
        return shlex.join(str(word) for word in command)
    return str(entry.get("module") or "")


def participants(source: Source) -> list[Markup]:
    """Return a card for each participant."""
    return [_card(m) for m in source.members]


def _card(member: Member) -> Markup:
    entry = member.entry
    facts: list[tuple[str, Any]] = [("exit status", _status(member))]
    wall = member.number("wall")
    if wall is None and member.begun is not None and member.ended is not None:
        wall = member.ended - member.begun
    if wall is not None:
        facts.append(("wall time", duration(wall) if wall >= 10 else f"{wall:.2f} s"))
    for key, name in (
        ("cpu", "processor time"),
        ("solving", "computing"),
        ("waiting", "waiting"),
        ("exchanging", "exchanging"),
    ):
        value = member.number(key)
        if value is not None:
            share = f" ({100 * value / wall:.0f} %)" if wall else ""
            facts.append((name, f"{value:.2f} s{share}"))
    if (memory := member.number("memory")) is not None:
        facts.append(("peak memory", bytes_text(memory)))
    if member.iterations is not None and member.iterations.per_window:
        count = member.iterations
        facts.append(("iterations", f"{sum(count.per_window)} in {len(count.per_window)} windows"))
        if count.not_converged:
            facts.append(("not converged", f"{count.not_converged} windows"))
    if member.last is not None and member.last.window:
        facts.append(("last seen", f"window {member.last.window}, t = {short(member.last.time)} s"))
    ranks = member.number("ranks")
    if ranks is not None and ranks > 1:
        facts.append(("MPI ranks", f"{ranks:.0f}"))
    for key in ("strategy", "directory", "environment"):
        value = entry.get(key)
        if value:
            facts.append((key, tag("code", _plain(value))))
    bad = "card bad" if member.status not in (0, None) and not entry.get("stopped") else "card"
    return tag(
        "article",
        tag("h3", member.name),
        tag("p", tag("code", program(entry)), class_="program"),
        definitions(facts),
        _settings(entry),
        class_=bad,
    )


def strategies(source: Source) -> list[Markup]:
    """Return a card for each participant that has strategies: what they left to the full model, what they tell."""
    parts = []
    for member in source.members:
        if (account := source.strategies(member.name)) is None:
            continue
        work = account.work
        share = f" ({short(100 * work.solved / work.asked)} %)" if work.asked else ""
        facts: list[tuple[str, Any]] = [
            ("solves asked for", f"{work.asked:,}"),
            ("of the full model", f"{work.solved:,}{share}"),
            ("time", f"{work.seconds:.2f} s, {work.full:.2f} s in the full model"),
        ]
        cards = [[tag("h4", layer.name), definitions(_reported(layer.report))] for layer in account.layers]
        parts.append(
            tag("article", tag("h3", f"{member.name}: {account.name}"), definitions(facts), cards, class_="card")
        )
    return parts


def _reported(report: Mapping[str, Told]) -> list[tuple[str, Any]]:
    return [(name, shown(value)) for name, value in report.items()]


def _status(member: Member) -> str:
    if member.entry.get("stopped"):
        return f"{member.status} (was stopped)"
    return "unknown" if member.status is None else str(member.status)


def _settings(entry: Mapping[str, Any]) -> Markup | None:
    settings, units = entry.get("settings"), entry.get("units")
    if not isinstance(settings, dict) or not settings:
        return None
    units = units if isinstance(units, dict) else {}
    rows = [
        tag(
            "tr",
            tag("th", name, scope="row"),
            tag("td", f"{_plain(value)} {units.get(name, '')}".strip(), class_="number"),
        )
        for name, value in settings.items()
    ]
    return tag(
        "details", tag("summary", f"{len(rows)} settings"), tag("table", tag("tbody", rows)), open=len(rows) <= 12
    )


def record(source: Source) -> list[Markup]:
    """Return versions, machine, seed, command line, and the hashes of what went in."""
    told = source.summary or {}
    kept = source.record or {}
    parts = []
    machine = told.get("platform") or kept.get("machine")
    engine = told.get("engine") or kept.get("engine")
    facts: list[tuple[str, Any]] = []
    command = kept.get("command")
    if isinstance(command, list):
        facts.append(("command", tag("code", shlex.join(str(word) for word in command))))
    facts += [
        (key, _plain(told.get(key, kept.get(key))))
        for key in ("begun", "seed")
        if told.get(key, kept.get(key)) is not None
    ]
    overrides = told.get("overrides")
    if isinstance(overrides, list) and overrides:
        facts.append(("--set", [tag("code", str(o), class_="item") for o in overrides]))
    facts.append(("folder", tag("code", str(source.path))))
    parts.append(_box("Run", facts))
    for title, mapping in (
        ("Engine", engine),
        ("Machine", machine),
        ("Versions", told.get("versions") or kept.get("versions")),
    ):
        if isinstance(mapping, dict) and mapping:
            parts.append(_box(title, [(str(k), _plain(v)) for k, v in mapping.items()]))
    files = kept.get("files")
    if isinstance(files, dict) and files:
        rows = [(str(name), tag("code", _plain(value))) for name, value in list(files.items())[:MOST_FILES]]
        parts.append(
            tag(
                "details",
                tag("summary", f"{len(files)} input files with their hashes"),
                definitions(rows),
                class_="hashes",
            )
        )
    return parts


def _box(title: str, facts: list[tuple[str, Any]]) -> Markup:
    return tag("article", tag("h3", title), definitions(facts), class_="card")


def logs(source: Source) -> list[Markup]:
    """Return the last lines of every participant; open where it failed."""
    parts = []
    for member in source.members:
        text = "\n".join(member.log) or "(it printed nothing)"
        failed = member.status not in (0, None) and not member.entry.get("stopped")
        parts.append(
            tag(
                "details",
                tag("summary", f"{member.name}: the last lines of its output"),
                tag("pre", text, tabindex=0),
                open=bool(failed),
            )
        )
    return parts


def _plain(value: Any) -> str:
    """Return a value of a JSON file in a line."""
    if isinstance(value, float):
        return short(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(entry) for entry in value)
    return str(value)
