"""When a run ends badly: which participant failed first, where, and why; the others only felt it.

The order of the ends is not enough. Who waits for a partner that has died ends within milliseconds too, and a
participant that raises may take longer over its own end than its partner over noticing it. So what they say counts:
one that complains of a partner that ended passes the blame on to that partner.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scalebridge.progress import Progress
from scalebridge.runs import ranks

LAST_LINES = 15
_TAIL = 64 * 1024
# The embedded engine's words for a partner that is gone, and those of libprecice and its sockets.
_ENDED = re.compile(r"participant (\S+) ended (?:\(process \d+\) )?while")
_NEVER_CAME = re.compile(r"waits for participant (\S+) \(exchange directory")
_CONNECTING = "Setting up primary communication to coupling partner"  # libprecice, before it has met its partners
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LOST = re.compile(
    r"using sockets\) failed|Connection (?:reset by peer|refused)|End of file|Broken pipe|"
    r"communication partner .* (?:closed|ended)|remote participant .* (?:closed|crashed|exited)",
    re.IGNORECASE,
)
# Words of an engine that begins and of launchers, which tell nothing about a reason.
_OURS = re.compile(
    r"scalebridge(?: embedded engine .* participant |: rank \d+ )|srun: |Abort\(|={20}|=   |YOUR APPLICATION "
)
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning)|ERROR)\b.*")


@dataclass(frozen=True)
class Ending:
    """How one participant ended, or that it had to be stopped.

    Attributes
    ----------
    status : exit status, -N for signal N.
    ended : when, in seconds of any clock common to all; None if it did not end by itself.
    stopped : whether the hub ended it.
    log : file with its output.
    progress : the last event that it reported, or None.
    hung : whether it raised an exception and then did not end.
    windows : number of complete time windows, known from the logs of preCICE; None where it has written none.
    ranks : number of a process -> its MPI rank, as far as they have been seen.
    """

    name: str
    status: int | None
    ended: float | None
    stopped: bool
    log: Path
    progress: Progress | None
    hung: bool = False
    windows: int | None = None
    ranks: Mapping[int, int] = field(default_factory=dict)

    @property
    def reported(self) -> bool:
        """Whether it said itself that it failed."""
        return self.progress is not None and self.progress.event == "error"

    @property
    def failed(self) -> bool:
        """Whether it failed by itself."""
        return self.reported or self.hung or (not self.stopped and self.status != 0)


@dataclass(frozen=True)
class Verdict:
    """Who failed first, and the whole message, the culprit in its first line."""

    culprit: str
    message: str


def judge(endings: Sequence[Ending]) -> Verdict:
    """Find who failed first. `endings` holds every participant, at least one of which failed."""
    by_name = {e.name: e for e in endings}
    failures = sorted((e for e in endings if e.failed), key=_when)
    culprit = failures[0]
    seen = {culprit.name}
    while (name := complaint(culprit, by_name)) is not None:
        if name in seen:  # they accuse each other
            culprit = failures[0]
            break
        culprit = by_name[name]
        seen.add(name)
    others = [e for e in endings if e is not culprit]
    return Verdict(culprit.name, _message(culprit, others, by_name))


def never_came(missing: str, waiting: str, endings: Sequence[Ending]) -> Verdict:
    """Say that one participant ended well without having met another, which waits for it."""
    by_name = {e.name: e for e in endings}
    culprit = by_name[missing]
    others = [e for e in endings if e is not culprit]
    why = f"it ended with exit status {culprit.status} without having met {waiting}, which waits for it"
    return Verdict(missing, _message(culprit, others, by_name, why))


def hang(culprit: str, why: str, waiting: Sequence[str], endings: Sequence[Ending]) -> str:
    """Say that nobody got further, and who kept the others waiting: `culprit`, "" where that cannot be told."""
    if culprit:
        ending = next(e for e in endings if e.name == culprit)
        others = f", while {_listed(waiting)} {'waits' if len(waiting) == 1 else 'wait'} for it" if waiting else ""
        text = [f"{culprit} hangs{place(ending)}: {why}{others}"]
    else:
        names = _listed([e.name for e in endings if e.stopped])
        text = [f"{names} hang: {why}; they wait for each other, or do nothing"]
    for ending in sorted(endings, key=lambda e: e.name != culprit):
        state = "was stopped" if ending.stopped else f"had ended with exit status {ending.status}"
        text += [f"{ending.name} {state}{place(ending)}; its output: {ending.log}", *_quoted(ending, 5)]
    return "\n".join(text)


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def complaint(ending: Ending, by_name: dict[str, Ending]) -> str | None:
    """Return the partner that a participant says is gone; where it does not say which, the only one it can be.

    The embedded engine knows: a socket closes when its owner ends, or leaves the coupling. libprecice only sees a
    connection that broke, which is the fault of a partner only if that has ended by itself.
    """
    if ending.progress is not None and ending.reported:
        text = ending.progress.message
    elif (ending.status or 0) <= 0 and not (ending.hung or ending.stopped):
        return None  # killed, or ended well: its last words tell nothing about its end
    else:
        text = "\n".join(last_lines(ending.log))
    match = _ENDED.search(text)
    if match is not None:
        return match.group(1) if match.group(1) in by_name else None
    gone = [name for name, e in by_name.items() if name != ending.name and _suspicious(e)]
    return gone[0] if _LOST.search(text) and len(gone) == 1 else None


def waits_for(log: Path, gone: Collection[str]) -> str | None:
    """Return which of those that are gone somebody has not met yet, judging from the last line of its output."""
    line = "\n".join(last_lines(log, 1))
    match = _NEVER_CAME.search(line)
    if match is not None:
        return match.group(1) if match.group(1) in gone else None
    return next(iter(gone)) if _CONNECTING in line and len(gone) == 1 else None


def waits_for_anybody(log: Path) -> bool:
    """Return whether a program is about to meet a partner, judging from the last line of its output."""
    line = "\n".join(last_lines(log, 1))
    return _NEVER_CAME.search(line) is not None or _CONNECTING in line


def raised(log: Path) -> bool:
    """Return whether the last thing that a Python program printed is the traceback of an exception."""
    lines = last_lines(log, 200)
    return bool(lines and _EXCEPTION.match(lines[-1])) and any(line.startswith("Traceback (most") for line in lines)


def last_lines(log: Path, count: int = LAST_LINES) -> list[str]:
    """Return the last lines of a file that are not empty; none where there is no file."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            text = _COLOUR.sub("", file.read().decode("utf-8", "replace"))
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]


def reason(ending: Ending) -> str:
    """Return in words why a participant ended."""
    if ending.reported and ending.progress is not None:
        return (
            ending.progress.message.strip().splitlines()[0]
            if ending.progress.message.strip()
            else "it reported an error"
        )
    if ending.hung:
        return f"{_said(ending)} (and then it did not end by itself)"
    if ending.stopped or ending.status is None:
        return "it had left the coupling before that was over, was still running and had to be stopped"
    first = ranks.first("\n".join(last_lines(ending.log, 100)), ending.ranks)
    if first is not None:
        how = [first.how] if first.told else [part for part in (first.how, _said(ending)) if part]
        return f"rank {first.rank}: {': '.join(how)}"
    if ending.status < 0:
        return ranks.killed(-ending.status)
    if ending.status == 0:
        return "it ended with exit status 0 before the coupling was over"
    hint = f", as after signal {ending.status - 128}" if ending.status > 128 else ""
    return f"exit status {ending.status}{hint}: {_said(ending)}"


def place(ending: Ending) -> str:
    """Return where in the simulation a participant was, such as " in time window 3, iteration 2 (t = 0.5 s)"."""
    last = ending.progress
    if last is None:
        return "" if ending.windows is None else f" after {ending.windows} complete time windows"
    if not last.window:
        return " before its first time window"
    iteration = f", iteration {last.iteration}" if last.iteration else ""
    return f" in time window {last.window}{iteration} (t = {last.time:g} s)"


def _when(ending: Ending) -> float:
    return ending.ended if ending.ended is not None else float("inf")


def _suspicious(ending: Ending) -> bool:
    """Whether a participant may be what its partner complains of: it ended by itself, or said that it failed."""
    return ending.reported or ending.hung or not ending.stopped


def _message(culprit: Ending, others: Sequence[Ending], by_name: dict[str, Ending], why: str = "") -> str:
    text = [f"{culprit.name} failed first{place(culprit)}: {why or reason(culprit)}", f"  its output: {culprit.log}"]
    text += _quoted(culprit)
    for other in others:
        partner = complaint(other, by_name) if other.failed else None
        if partner is not None:
            text.append(f"{other.name} lost its partner{place(other)}; its output: {other.log}")
        elif other.failed:
            text.append(f"{other.name} failed too{place(other)}: {reason(other)}; its output: {other.log}")
            text += _quoted(other, 5)
        elif other.stopped:
            text.append(f"{other.name} was stopped{place(other)}; its output: {other.log}")
        else:
            text.append(f"{other.name} ended well; its output: {other.log}")
    return "\n".join(text)


def _said(ending: Ending) -> str:
    """Return the line that tells most about why a program ended: the exception, else its last one."""
    lines = [line for line in last_lines(ending.log) if not _OURS.match(line)]
    return next(
        (line for line in reversed(lines) if _EXCEPTION.match(line)), lines[-1] if lines else "it said nothing"
    ).strip()


def _quoted(ending: Ending, count: int = LAST_LINES) -> list[str]:
    return [f"  | {line}" for line in last_lines(ending.log, count)] or ["  | (it printed nothing)"]
