"""What preCICE (or the embedded engine) tells of a run: its logs of iterations and of convergence, and its lines."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from scalebridge.embedded.config import Configuration
from scalebridge.embedded.convergence import Measure

_TAIL = 4096
_COMPLETE = re.compile(rb"\d\.\d{8}e[+-]\d{2,3}\s*$")
_WHERE = re.compile(r"(?:it (\d+)[^,\n]*, )?time-window (\d+)(?: \(max: \d+\))?, t ([-+0-9.eE]+)")


@dataclass(frozen=True)
class Iterations:
    """The iterations of every complete time window, and how many windows did not converge.

    Attributes
    ----------
    converged : of each window, whether it did.
    """

    per_window: tuple[int, ...]
    not_converged: int
    converged: tuple[bool, ...] = ()


def iterations(path: Path) -> Iterations | None:
    """Read an iterations log; None where there is none (an explicit scheme writes none)."""
    rows = _rows(path)
    if not rows:
        return None
    header, *lines = rows
    try:
        count, mark = header.index("Iterations"), header.index("Convergence")
        converged = tuple(row[mark] == "1" for row in lines)
        return Iterations(tuple(int(row[count]) for row in lines), converged.count(False), converged)
    except (ValueError, IndexError):
        return None


@dataclass(frozen=True)
class Convergence:
    """A whole convergence log: for each iteration its window, its number in it, and the residuals by column."""

    windows: tuple[int, ...]
    iterations: tuple[int, ...]
    residuals: dict[str, tuple[float, ...]]


def convergence(path: Path) -> Convergence | None:
    """Read a convergence log; None where there is none. A line that is being written is left out."""
    rows = _rows(path)
    if not rows:
        return None
    header, *lines = rows
    try:
        whole = [row for row in lines if len(row) == len(header)]
        numbers = [(int(row[0]), int(row[1]), [float(v) for v in row[2:]]) for row in whole]
    except (ValueError, IndexError):
        return None
    names = labels(header[2:])
    columns = {name: tuple(n[2][i] for n in numbers) for i, name in enumerate(names)}
    return Convergence(tuple(n[0] for n in numbers), tuple(n[1] for n in numbers), columns)


@dataclass(frozen=True)
class Residuals:
    """The last line of a convergence log: window, iteration, and measure -> residual."""

    window: int
    iteration: int
    values: dict[str, float]


class ResidualReader:
    """Follows a convergence log; reads its head once and its tail every time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] | None = None

    def latest(self) -> Residuals | None:
        """Return what the last complete line says, or None where there is none yet."""
        try:
            with self._path.open("rb") as file:
                if self._names is None:
                    head = file.readline()
                    if not head.endswith(b"\n"):
                        return None
                    self._names = head.decode("utf-8", "replace").split()
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL))
                lines = file.read().split(b"\n")
            # The newline comes in front of the next line; the last one may be complete or just being written.
            row = (lines[-1] if _COMPLETE.search(lines[-1]) else lines[-2]).split()
            if len(row) != len(self._names):
                return None
            values = dict(zip(labels(self._names[2:]), (float(v) for v in row[2:]), strict=True))
            return Residuals(int(row[0]), int(row[1]), values)
        except (OSError, ValueError, IndexError):
            return None


def labels(columns: list[str]) -> list[str]:
    """Return "Alpha" for "ResRel(Left-Mesh:Alpha)", with kind and mesh where the data alone is not unique."""
    data = [_short(c) for c in columns]
    return [
        name if data.count(name) == 1 else f"{name} ({c.partition('(')[0]}, {c.partition('(')[2].rpartition(':')[0]})"
        for name, c in zip(data, columns, strict=True)
    ]


def limits(configuration: Configuration, name: str) -> dict[str, float]:
    """Return the limit of every convergence measure of a participant's schemes, by the label of its column."""
    measures = [m for s in configuration.schemes_of(name) for m in s.measures]
    columns = [Measure(m).column for m in measures]
    return {label: m.limit for label, m in zip(labels(columns), measures, strict=True) if math.isfinite(m.limit)}


@dataclass(frozen=True)
class Where:
    """Where preCICE says that a participant stands: iteration (0 in an explicit scheme), window, and time [s]."""

    iteration: int
    window: int
    time: float


def where(log: Path) -> Where | None:
    """Return what the last line of preCICE in the output of a program says of where it stands, if it says so."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 2 * _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    match = None
    for match in _WHERE.finditer(text):  # noqa: B007  (the last one)
        continue
    try:
        return None if match is None else Where(int(match[1] or 0), int(match[2]), float(match[3]))
    except ValueError:
        return None


def _rows(path: Path) -> list[list[str]]:
    try:
        return [
            line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
    except OSError:
        return []


def _short(column: str) -> str:
    """Return "Alpha" for "ResRel(Left-Mesh:Alpha)"."""
    return column.partition("(")[2].rpartition(")")[0].rpartition(":")[2] or column
