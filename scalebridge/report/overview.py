"""The top of a page: what ran, how it ended, what was checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalebridge.checks import Check
from scalebridge.interruption import STATUS as INTERRUPTED
from scalebridge.report.axes import short
from scalebridge.report.html import Markup, tag
from scalebridge.report.source import Source, finite
from scalebridge.runs.panel import duration
from scalebridge.runs.usage import bytes_text

WELL, CHECK_FAILED = 0, 1  # exit statuses of a run
WORDS = {3: "a participant failed", 4: "a report script failed", 5: "hung", 6: "did not converge"}


def verdict(source: Source) -> tuple[str, str]:
    """Return how the run ended in a few words, and its kind: good, warn or bad."""
    summary = source.summary
    if summary is None:
        alive = source.told is not None and source.told.alive
        return ("still running", "warn") if alive else ("cut off", "bad")
    status = summary.get("status")
    if status == WELL and all(check.passed for _, check in source.checks):
        return ("all checks passed" if source.checks else "ended well"), "good"
    if status in (WELL, CHECK_FAILED):
        return "a check failed", "bad"
    if isinstance(status, int) and status > INTERRUPTED:
        return "stopped", "warn"
    return WORDS.get(status, "failed") if isinstance(status, int) else "failed", "bad"


def header(source: Source) -> Markup:
    """Return title, verdict and what ran where."""
    words, kind = verdict(source)
    case = source.case
    told = source.summary or {}
    engine = told.get("engine") or (source.record or {}).get("engine")
    facts = [label(source)]
    if isinstance(engine, dict):
        facts.append(f"engine {engine.get('version', '')}")
    facts.append(str(told.get("begun", "") or (source.record or {}).get("begun", "")).replace("T", " "))
    machine = told.get("platform") or (source.record or {}).get("machine")
    if isinstance(machine, dict):
        facts.append(f"{machine.get('system', '')}, {machine.get('cores', '?')} cores")
    return tag(
        "header",
        tag(
            "div",
            tag("h1", str(case.get("title") or label(source))),
            tag("span", words, class_=f"badge {kind}"),
            class_="title",
        ),
        tag("p", [tag("span", fact) for fact in facts if fact], class_="facts"),
        _failure(source, words, kind),
        _tiles(source),
        _accounts(source),
    )


def label(source: Source) -> str:
    """Return CASE or CASE-VARIANT."""
    return source.attached.label


def culprit(source: Source) -> str:
    """Return the participant that failed first, "" where none did or nobody knows."""
    message = str((source.summary or {}).get("ended", ""))
    first = message.partition(" failed first")[0] if " failed first" in message else ""
    return first if any(m.name == first for m in source.members) else ""


def _failure(source: Source, words: str, kind: str) -> Markup | None:
    """Return the message of a run that did not end well: its first line large, the rest as it was said."""
    summary = source.summary
    if summary is None:
        text = "This run goes on; the page shows what there was when it was made."
        if kind == "bad":
            text = "The hub was killed, or the machine went down: nothing was recorded of the end of this run."
        return tag("div", tag("p", text), class_=f"callout {kind}", role="alert")
    message = str(summary.get("ended", ""))
    if summary.get("status") == WELL or not message.strip():
        return None
    first, _, rest = message.strip().partition("\n")
    details = tag("pre", rest, tabindex=0) if rest else None
    status = tag("small", f"exit status {summary.get('status')}")
    return tag("div", tag("p", tag("strong", first), status), details, class_=f"callout {kind}", role="alert")


def _accounts(source: Source) -> Markup | None:
    """Return what participants did about micro simulations that failed; None where none did."""
    lines = [line for m in source.members for line in (source.account(m.name))]
    return tag("div", tag("pre", "\n".join(lines), tabindex=0), class_="callout warn after") if lines else None


def _tiles(source: Source) -> Markup:
    """Return the few numbers that one asks for first."""
    tiles = []
    wall = finite((source.summary or {}).get("wall")) or source.wall
    tiles.append((duration(wall) if wall >= 10 else f"{wall:.1f} s", "wall time"))
    if source.checks:
        passed = sum(check.passed for _, check in source.checks)
        tiles.append((f"{passed} of {len(source.checks)}", "checks passed"))
    tiles.append((str(len(source.members)), "participants"))
    windows = max([len(m.iterations.per_window) for m in source.members if m.iterations], default=0)
    counted = [m.iterations for m in source.members if m.iterations and m.iterations.per_window]
    last = max([m.last.window for m in source.members if m.last], default=0)
    if windows or last:
        tiles.append((str(windows or last), "time windows"))
    if counted:
        longest = max(counted, key=lambda i: len(i.per_window))
        mean = sum(longest.per_window) / len(longest.per_window)
        tiles.append((f"{mean:.1f}", "iterations per window"))
        if longest.not_converged:
            tiles.append((str(longest.not_converged), "windows not converged"))
    memory = sum(m.number("memory") or 0.0 for m in source.members)
    if memory:
        tiles.append((bytes_text(memory), "peak memory, sum"))
    return tag("div", [tag("div", tag("b", v), tag("span", n), class_="tile") for v, n in tiles], class_="tiles")


def checks(source: Source) -> Markup | None:
    """Return the checks as a table, failed ones first; None where none were made."""
    if not source.checks:
        return None
    head = tag(
        "tr", [tag("th", text, scope="col") for text in ("", "check", "value", "", "should be", "reference from", "by")]
    )
    ordered = sorted(source.checks, key=lambda entry: entry[1].passed)
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", [_check(by, check) for by, check in ordered]), class_="checks"),
        class_="scroll",
        tabindex=0,
    )


def _check(by: str, check: Check) -> Markup:
    mark = tag("span", "✓" if check.passed else "✗", class_="mark", title="passed" if check.passed else "FAILED")
    unit = "" if check.unit == "1" else f" {check.unit}"
    return tag(
        "tr",
        tag("td", mark),
        tag("th", check.name, scope="row"),
        tag("td", short(check.value) + unit, class_="number"),
        tag("td", _gauge(check)),
        tag("td", wanted(check)),
        tag("td", check.source, class_="dim"),
        tag("td", by, class_="dim"),
        class_="good" if check.passed else "bad",
    )


def wanted(check: Check) -> str:
    """Return in words what a check asks for."""
    unit = "" if check.unit == "1" else f" {check.unit}"
    slack = f" ± {short(check.tolerance)}" if check.tolerance else ""
    if isinstance(check.reference, tuple):
        low, high = check.reference
        return f"{short(low)} … {short(high)}{slack}{unit}"
    if check.kind == "at-most":
        return f"≤ {short(check.reference)}{slack}{unit}"
    slack = f" ± {100 * check.tolerance:g} %" if check.kind == "relative" else slack
    return f"{short(check.reference)}{slack}{unit}"


def _gauge(check: Check) -> Markup | None:
    """Return a small picture of where the value lies in what is allowed; None where that has no two ends."""
    low, high = allowed(check)
    value = finite(check.value)
    if low is None or high is None or not high > low or value is None:
        return None
    place = 20.0 + 60.0 * (value - low) / (high - low)
    return tag(
        "svg",
        tag("rect", x=20, y=5, width=60, height=4, rx=2, class_="allowed"),
        tag("circle", cx=min(max(place, 4.0), 96.0), cy=7, r=4, class_="value"),
        viewBox="0 0 100 14",
        class_="gauge",
        role="img",
        aria_label=f"{100 * (value - low) / (high - low):.0f} % of the way through the allowed range",
    )


def allowed(check: Check) -> tuple[float | None, float | None]:
    """Return the ends of what a check allows; None where there is none."""
    if isinstance(check.reference, tuple):
        return check.reference[0] - check.tolerance, check.reference[1] + check.tolerance
    if check.kind == "at-most":
        return None, check.reference + check.tolerance
    slack = check.tolerance * (abs(check.reference) if check.kind == "relative" else 1.0)
    return check.reference - slack, check.reference + slack


def definitions(entries: Sequence[tuple[str, Any]]) -> Markup:
    """Return names and values as a list."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in entries])
