"""What a run left behind: how it ended, its checks, its costs, its series and its fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scalebridge.checks import Check
from scalebridge.compare import arrays, vtk
from scalebridge.compare.arrays import Array, Arrays
from scalebridge.findings import ConfigurationError, Finding
from scalebridge.runs import record

EXPORTS = "precice-exports"  # a folder of results beside those of the participants
TIME = ("time", "Time", "TimeWindow")
_WATCH = re.compile(r"precice-(?P<who>.+)-watch(?:point|integral)-(?P<name>.+)\.log")
_NUMBER = re.compile(r"[-_.]?(?:dt|it)?(?:\d+|init)$|[-_.](?:dt|it)\d+$")


@dataclass(frozen=True)
class Table:
    """A series in time: the file, its times (n,) and its other columns (n,) by name."""

    file: str
    time: Array
    columns: dict[str, Array]


@dataclass(frozen=True)
class Snapshot:
    """A file with fields at one time, which is None where nothing tells it; `name` is its path in the run."""

    path: Path
    name: str
    time: float | None

    def read(self) -> Arrays:
        """Return what is in it. Raises UnreadableError."""
        return arrays.read(self.path)


@dataclass(frozen=True)
class Cost:
    """What a run took; None if unknown.

    Wall and processor seconds, those in which participants were solving, memory [bytes], iterations and time windows;
    `asked` and `solved` micro simulations times steps, where there are strategies.
    """

    wall: float | None
    cpu: float | None
    solving: float | None
    memory: int | None
    iterations: int | None
    windows: int | None
    not_converged: int | None
    asked: int | None
    solved: int | None


class Results:
    """A run that has ended, well or badly. Large files are not read before they are asked for.

    Parameters
    ----------
    label : what to call it beside others.

    Attributes
    ----------
    problems : what could not be read, in words.
    unread : names of the files of numbers that turned out not to be readable.
    """

    def __init__(self, path: Path, label: str = "") -> None:
        self.path = path.absolute()
        self.label = label or path.name
        self.record: dict[str, Any] = record.load(path)
        if self.record["ended"] is None:
            message = "this run has not ended: it goes on, or the hub was killed before it could say how it ended"
            raise ConfigurationError([Finding(str(path), None, "", message)])
        self.summary = _summary(path)
        self.problems: list[str] = []
        self.unread: set[str] = set()

    @property
    def status(self) -> int:
        """Exit status of the run."""
        return int(self.summary["status"])

    @property
    def ended(self) -> str:
        """In words how it ended; one line."""
        return str(self.summary["ended"]).splitlines()[0] if self.summary["ended"] else ""

    @property
    def participants(self) -> dict[str, dict[str, Any]]:
        """What every participant was asked to do, and did."""
        found: dict[str, dict[str, Any]] = self.summary["participants"]
        return found

    @property
    def quantities(self) -> list[str]:
        """What the case is computed for, PARTICIPANT.COLUMN."""
        return list(self.record["case"].get("quantities", ()))

    @cached_property
    def checks(self) -> dict[str, Check]:
        """The checks by name, with who made them."""
        return {f"{entry['name']} [{entry['by']}]": Check.from_json(entry) for entry in self.summary["checks"]}

    @cached_property
    def cost(self) -> Cost:
        """What it took. Of memory the sum of the peaks, of iterations those of the participant with the most."""
        entries = [e for e in self.participants.values() if "wall" in e]
        works = [account["work"] for account in self.summary.get("strategies", {}).values()]
        counts = max((e["iterations"] for e in entries if "iterations" in e), key=sum, default=None)
        return Cost(
            wall=self.summary["wall"],
            cpu=sum(e["cpu"] for e in entries) if entries else None,
            solving=sum(e.get("solving", 0.0) for e in entries) if entries else None,
            memory=sum(e["memory"] for e in entries) if entries else None,
            iterations=None if counts is None else sum(counts),
            windows=None if counts is None else len(counts),
            not_converged=max(
                (e["windows_not_converged"] for e in entries if "windows_not_converged" in e), default=None
            ),
            asked=sum(work["asked"] for work in works) if works else None,
            solved=sum(work["solved"] for work in works) if works else None,
        )

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The series by name: PARTICIPANT for its series.csv, PARTICIPANT/FILE for others, watch points by name."""
        found = {}
        for path in self.files():
            if path.suffix == ".csv":
                name = path.relative_to(self.path).with_suffix("")
                key = str(name.parent if name.name == "series" else name)
            elif match := _WATCH.fullmatch(path.name):
                key = f"{match['who']}/{match['name']}"
            else:
                continue
            table = self._table(path)
            if table is not None:
                found[key] = table
        return found

    @cached_property
    def snapshots(self) -> dict[str, list[Snapshot]]:
        """The files with fields, those that differ by a number only in one list, in the order of their names."""
        times = self._times
        found: dict[str, list[Snapshot]] = {}
        for path in self.files():
            if arrays.readable(path) and not self._is_table(path):
                name = str(path.relative_to(self.path))
                group = str(Path(name).parent / _NUMBER.sub("", Path(name).stem)) + path.suffix
                found.setdefault(group, []).append(Snapshot(path, name, times.get(path)))
        return found

    def files(self) -> Iterator[Path]:
        """Yield the files that participants left in the run folder, in the order of their names."""
        for name in sorted([*self.participants, EXPORTS]):
            yield from (p for p in sorted((self.path / name).rglob("*")) if p.is_file() and not p.is_symlink())

    @cached_property
    def _times(self) -> dict[Path, float]:
        try:
            return vtk.times(self.path)
        except (OSError, ValueError, LookupError) as error:
            self.problems.append(f"{self.label}: times of fields: {error}")
            return {}

    def _is_table(self, path: Path) -> bool:
        if path.suffix != ".csv":
            return False
        with path.open(encoding="utf-8", errors="replace") as file:
            return not file.readline().startswith("PosX")

    def _table(self, path: Path) -> Table | None:
        if path.suffix == ".csv" and not self._is_table(path):
            return None
        name = str(path.relative_to(self.path))
        try:
            columns = arrays.table(path)
        except (OSError, ValueError) as error:
            self.problems.append(f"{self.label}: {name}: {error}")
            self.unread.add(name)
            return None
        time = next((columns.pop(t) for t in TIME if t in columns), None)
        if time is None:
            self.problems.append(f"{self.label}: {name}: has no column of times ({', '.join(TIME)})")
            self.unread.add(name)
            return None
        return Table(name, time, columns)


def _summary(path: Path) -> dict[str, Any]:
    file = path / "summary.json"
    try:
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        missing = [k for k in ("status", "ended", "wall", "participants", "checks") if k not in data]
    except OSError as error:
        raise ConfigurationError([Finding(str(file), None, "", f"cannot be read: {error.strerror}")]) from None
    except ValueError as error:
        raise ConfigurationError([Finding(str(file), None, "", f"is not JSON: {error}")]) from None
    if missing:
        message = f"is no whole summary, it lacks {', '.join(missing)}"
        raise ConfigurationError([Finding(str(file), None, "", message)])
    return data
