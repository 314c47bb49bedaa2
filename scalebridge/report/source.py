"""What a page is made from: the folder of a run, read as the untrusted text that it is.

Nothing here fails because a file is missing, is cut short, or holds what it should not: such a file counts as absent.
What is shown as text or as a picture is read only if it lies in the folder of the run, links resolved.
"""

from __future__ import annotations

import csv
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge import fallbacks
from scalebridge.checks import Check
from scalebridge.embedded.config import Configuration
from scalebridge.fallbacks import Account
from scalebridge.findings import ConfigurationError
from scalebridge.progress import Progress, read_history
from scalebridge.runs import history, status
from scalebridge.runs.attached import Attached, Described
from scalebridge.runs.failure import last_lines
from scalebridge.runs.history import Convergence, Iterations
from scalebridge.strategies import FILE_NAME as FILE_OF_STRATEGIES
from scalebridge.strategies import Account as Strategies

type Array = NDArray[np.float64]
LOG_LINES = 60
MOST_JSON = 20_000_000  # bytes of a file that is read as a whole
MOST_SERIES = 100_000_000
NO_RESULTS = ("inputs", "checks", "report")  # folders of a run that are not of participants
_SLACK = 2.0  # seconds by which clocks of file systems are off


@dataclass(frozen=True)
class Series:
    """One series.csv: times (n,) [s], and columns (n,) by name."""

    participant: str
    time: Array
    columns: dict[str, Array]


@dataclass(frozen=True)
class Worked:
    """What a participant did with its time: cumulative seconds at moments since the start of the run.

    Attributes
    ----------
    moments : (n,) seconds, not decreasing.
    seconds : name -> (n,) seconds spent so far: solving, waiting, exchanging, or processor for a program that does not
        report.
    """

    moments: Array
    seconds: dict[str, Array]


@dataclass
class Member:
    """One participant of the run.

    Attributes
    ----------
    entry : what summary.json, else case.json, holds of it.
    begun, ended : seconds since the start of the run, None where unknown.
    last : its last event, None for a program that does not report.
    """

    name: str
    folder: Path
    entry: dict[str, Any]
    begun: float | None = None
    ended: float | None = None
    last: Progress | None = None
    worked: Worked | None = None
    iterations: Iterations | None = None
    convergence: Convergence | None = None
    memory: tuple[Array, Array] | None = None
    log: list[str] = field(default_factory=list)

    @property
    def status(self) -> int | None:
        """Exit status, None where unknown."""
        value = self.entry.get("status")
        return value if isinstance(value, int) else None

    def number(self, key: str) -> float | None:
        """Return a finite number of its entry, or None."""
        return finite(self.entry.get(key))


class Source:
    """A run to be reported.

    Attributes
    ----------
    case, summary, record : case.json, summary.json (None while the run goes on) and record.json (None if absent).
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.attached = Attached(self.path)
        self.case = self.attached.case
        self.summary = self.attached.summary()
        found = self.json(self.path / "record.json")
        self.record: dict[str, Any] | None = found if isinstance(found, dict) else None
        self.told = status.read(self.path)

    @cached_property
    def configuration(self) -> Configuration | None:
        """The preCICE configuration, None where it cannot be read."""
        try:
            return self.attached.configuration
        except ConfigurationError:
            return None

    @cached_property
    def members(self) -> list[Member]:
        """The participants, in the order of the case."""
        return [self._member(one) for one in self.attached.participants]

    @cached_property
    def wall(self) -> float:
        """Seconds from the start of the run to the end of what is known of it."""
        told = finite((self.summary or {}).get("wall"))
        ends = [m.ended for m in self.members if m.ended is not None]
        ends += [float(m.worked.moments[-1]) for m in self.members if m.worked is not None]
        return max([0.0, *ends]) or told or 0.0

    @cached_property
    def checks(self) -> list[tuple[str, Check]]:
        """The checks and who made each."""
        entries = (self.summary or {}).get("checks")
        result = []
        for entry in entries if isinstance(entries, list) else []:
            try:
                result.append((str(entry["by"]), Check.from_json(entry)))
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
        return result

    @cached_property
    def series(self) -> list[Series]:
        """What the participants recorded at the end of every window."""
        read = [(m.name, self._series(self.path / m.name / "series.csv")) for m in self.members]
        return [Series(name, time, columns) for name, (time, columns) in read if len(time)]

    def files(self, pattern: str) -> list[Path]:
        """Return the files of the run that match a pattern and do not lead out of it."""
        return [file for file in sorted(self.path.glob(pattern)) if self.holds(file)]

    def account(self, name: str) -> list[str]:
        """Return what a participant did about micro simulations that failed, as lines for people."""
        file = self.path / name / fallbacks.FILE_NAME
        try:
            account = Account.load(file) if self.holds(file) else None
            return account.lines(name, self.path / name) if account is not None else []
        except (ValueError, TypeError, IndexError, RecursionError):
            return []

    def strategies(self, name: str) -> Strategies | None:
        """Return what the strategies of a participant did; None where it has none, or nothing can be read of them."""
        file = self.path / name / FILE_OF_STRATEGIES
        try:
            return Strategies.load(file) if self.holds(file) else None
        except (ValueError, IndexError, RecursionError):
            return None

    def results(self, suffixes: Sequence[str]) -> list[Path]:
        """Return all files of participants with one of these suffixes, relative to the run; links are left out."""
        found = []
        for folder, folders, names in os.walk(self.path):
            here = Path(folder)
            folders[:] = sorted(f for f in folders if not (here == self.path and f in NO_RESULTS))
            found += [here / n for n in names if here != self.path and n.endswith(tuple(suffixes))]
        return sorted(file.relative_to(self.path) for file in found if not file.is_symlink())

    def holds(self, file: Path) -> bool:
        """Whether this is a file in the folder of the run, also after following links."""
        try:
            return file.is_file() and file.resolve().is_relative_to(self.path.resolve())
        except OSError:
            return False

    def json(self, file: Path) -> Any:
        """Return the content of a JSON file, None where there is none."""
        try:
            if not self.holds(file) or file.stat().st_size > MOST_JSON:
                return None
            return json.loads(file.read_text(encoding="utf-8", errors="replace"))
        except (OSError, ValueError, RecursionError):
            return None

    # ---- participants

    def _member(self, one: Described) -> Member:
        entries = (self.summary or {}).get("participants")
        entry = entries.get(one.name) if isinstance(entries, dict) else None
        if not isinstance(entry, dict):
            entry = next(p for p in self.case["participants"] if p["name"] == one.name)
        member = Member(one.name, one.folder, entry)
        origin = self._origin
        process = next((p for p in self.told.processes if p.name == one.name), None) if self.told else None
        if process is not None and self.told is not None and origin is not None:
            since = _since_1970(process.begun)
            member.begun = since - origin
            member.ended = None if process.ended is None else _since_1970(process.ended) - origin
            if member.status is None:
                member.entry = {**member.entry, "status": process.status}
        log = self.path / one.name / "output.log"
        member.log = last_lines(log, LOG_LINES) if self.holds(log) else []
        self._logs(member)
        self._progress(member)
        return member

    @cached_property
    def _origin(self) -> float | None:
        """When the run began, in seconds since 1970: when its first process did."""
        if self.told is None:
            return None
        return min([self.told.begun, *(_since_1970(p.begun) for p in self.told.processes)])

    def _logs(self, member: Member) -> None:
        """Read what preCICE logged, unless it is of another run in the same folder."""
        iterations, convergence = (
            member.folder / f"precice-{member.name}-{w}.log" for w in ("iterations", "convergence")
        )
        if self._of_this_run(iterations, member):
            member.iterations = history.iterations(iterations)
        if self._of_this_run(convergence, member):
            member.convergence = history.convergence(convergence)

    def _of_this_run(self, file: Path, member: Member) -> bool:
        """Whether a log is of this run: in its folder, or else written while the participant ran."""
        try:
            changed, size = file.stat().st_mtime, file.stat().st_size
        except OSError:
            return False
        if size > MOST_SERIES:
            return False
        if self.holds(file):
            return True
        if self._origin is None or member.begun is None:
            return False
        end = math.inf if member.ended is None else self._origin + member.ended + _SLACK
        return self._origin + member.begun - _SLACK <= changed <= end

    def _progress(self, member: Member) -> None:
        """Read what a participant reported, else what the hub saw of its processor time."""
        file = self.path / member.name / "progress.jsonl"
        if self.holds(file) and file.stat().st_size <= MOST_SERIES:
            events = read_history(file)
            begun = next((e.begun for e in events if e.begun is not None), None)
            if begun is not None:
                member.last = next((e for e in events if e.event == "error"), events[-1])
                member.worked = _worked(events, begun if self._origin is None else self._origin, member)
        samples = self._usage.get(member.name)
        if samples is not None:
            moments, memory, cpu = samples
            member.memory = (moments, memory)
            if member.worked is None and len(moments) > 1:
                begun = member.begun if member.begun is not None else float(moments[0])
                moments, cpu = np.insert(moments, 0, min(begun, moments[0])), np.insert(cpu, 0, 0.0)
                member.worked = Worked(moments, {"processor": cpu})

    @cached_property
    def _usage(self) -> dict[str, tuple[Array, Array, Array]]:
        """The samples of the hub: seconds since the start, memory [bytes], processor seconds, by participant."""
        file = self.path / status.USAGE_FILE
        rows: dict[str, list[tuple[float, float, float]]] = {}
        if self._origin is None or not self.holds(file) or file.stat().st_size > MOST_SERIES:
            return {}
        for row in _rows(file):
            numbers = [finite(v) for v in (row.get("time"), row.get("memory"), row.get("cpu"))]
            when, memory, cpu = numbers
            if when is None or when < self._origin - _SLACK:  # a run that goes on: of its earlier part
                continue
            if memory is not None and cpu is not None:
                rows.setdefault(str(row.get("participant")), []).append((when - self._origin, memory, cpu))
        found = {}
        for name, entries in rows.items():
            table = np.array(sorted(entries))
            found[name] = (table[:, 0], table[:, 1], np.maximum.accumulate(table[:, 2]))
        return found

    def _series(self, file: Path) -> tuple[Array, dict[str, Array]]:
        """Return the times and the columns of numbers of a table."""
        if not self.holds(file) or file.stat().st_size > MOST_SERIES:
            return np.empty(0), {}
        rows = list(_rows(file))
        names = [n for n in (rows[0] if rows else {}) if n is not None]
        columns = {n: np.array([_float(row.get(n)) for row in rows]) for n in names}
        time = columns.pop("time", np.arange(1.0, len(rows) + 1.0))
        return time, {n: c for n, c in columns.items() if np.isfinite(c).any()}


def _since_1970(monotonic: float) -> float:
    """Return a moment by time.monotonic() in seconds since 1970."""
    return monotonic - time.monotonic() + time.time()


def finite(value: object) -> float | None:
    """Return a number, or a text that is one, if it is finite, else None."""
    number = _float(value)
    return number if math.isfinite(number) else None


def _float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(newline="", encoding="utf-8", errors="replace") as stream:
            yield from csv.DictReader(stream)
    except (OSError, csv.Error):
        return


def _worked(events: list[Progress], origin: float, member: Member) -> Worked | None:
    """Return the times of the events of one participant; a run that went on later appends to the same file."""
    moments: list[float] = []
    table: list[Array] = []
    base = np.zeros(3)
    begun, latest = 0.0, np.zeros(3)
    for event in events:
        now = np.array([event.solving, event.waiting, event.exchanging])
        if event.begun is not None and (event.event != "error" or not moments):  # other ranks report errors too
            begun, base = event.begun - origin, base + latest
            moments.append(begun)
            table.append(base.copy())
        latest = now
        moments.append(begun + event.wall)
        table.append(base + now)
    if len(moments) < 2:
        return None
    order = np.maximum.accumulate(np.array(moments))
    columns = np.maximum.accumulate(np.array(table), axis=0)
    if member.begun is None:
        member.begun = float(order[0])
    return Worked(order, {n: columns[:, i] for i, n in enumerate(("solving", "waiting", "exchanging"))})
