"""What preCICE (or the embedded engine) logs of iterations: `precice-NAME-iterations.log`, `-convergence.log`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_TAIL = 4096
_COMPLETE = re.compile(rb"\d\.\d{8}e[+-]\d{2,3}\s*$")


@dataclass(frozen=True)
class Iterations:
    """The iterations of every complete time window, and how many windows did not converge."""

    per_window: tuple[int, ...]
    not_converged: int


def iterations(path: Path) -> Iterations | None:
    """Read an iterations log; None where there is none (an explicit scheme writes none)."""
    rows = _rows(path)
    if not rows:
        return None
    header, *lines = rows
    try:
        count, converged = header.index("Iterations"), header.index("Convergence")
        return Iterations(tuple(int(row[count]) for row in lines), sum(1 for row in lines if row[converged] != "1"))
    except (ValueError, IndexError):
        return None


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
            values = {_short(n): float(v) for n, v in zip(self._names[2:], row[2:], strict=True)}
            return Residuals(int(row[0]), int(row[1]), values)
        except (OSError, ValueError, IndexError):
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
