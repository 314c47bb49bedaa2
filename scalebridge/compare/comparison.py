"""Several runs in one table: how they ended, what they took, their checks, and how series and fields differ."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from scalebridge.compare import difference, markdown, picture
from scalebridge.compare.difference import Differences
from scalebridge.compare.results import Results
from scalebridge.findings import ConfigurationError

FILE_NAME = "compare.json"
_FORMAT = 1
_COSTS = {
    "wall time [s]": "wall",
    "processor time [s]": "cpu",
    "solving [s]": "solving",
    "micro solves, asked": "asked",
    "micro solves, made": "solved",
    "memory [MB]": "memory",
    "iterations": "iterations",
    "time windows": "windows",
    "windows not converged": "not_converged",
}


@dataclass(frozen=True)
class Side:
    """One of the runs: what to call it, exit status, why it did not end well, and what it left, if anything."""

    label: str
    status: int | None
    reason: str
    results: Results | None

    @classmethod
    def of(cls, path: Path, label: str, status: int | None = None, reason: str = "") -> Side:
        """Return the run in a folder; one that cannot be read is a side without results."""
        try:
            results = Results(path, label)
        except ConfigurationError as error:
            return cls(label, status, reason or error.findings[0].message, None)
        return cls(label, results.status, "" if results.status == 0 else results.ended, results)

    @property
    def ended(self) -> str:
        """In words how it ended."""
        return "well" if self.status == 0 else self.reason or "not run"


class Comparison:
    """Runs beside each other; all differences are from the first one that left results."""

    def __init__(self, title: str, sides: Sequence[Side]) -> None:
        self.title = title
        self.sides = list(sides)
        self.with_results = [s for s in self.sides if s.results is not None]

    @cached_property
    def differences(self) -> dict[str, Differences]:
        """How the series and fields of every other run differ from those of the first one."""
        if not self.with_results:
            return {}
        first, *others = (s.results for s in self.with_results if s.results is not None)
        return {other.label: difference.between(first, other) for other in others}

    @property
    def quantities(self) -> list[str]:
        """What the case is computed for, by the first run."""
        return next((s.results.quantities for s in self.with_results if s.results), [])

    @cached_property
    def errors(self) -> dict[str, dict[str, float]]:
        """Of every other run and quantity of the case, the largest difference in time over the largest value."""
        wanted = {quantity.replace(".", ": ", 1): quantity for quantity in self.quantities}
        return {
            label: {wanted[d.name]: d.relative for d in entry.found if d.name in wanted}
            for label, entry in self.differences.items()
        }

    @property
    def in_common(self) -> bool:
        """Whether at least two of the runs have a check, a series or a field in common."""
        names = [name for s in self.with_results if s.results for name in s.results.checks]
        return len(names) > len(set(names)) or any(d.found for d in self.differences.values())

    def write(self, folder: Path) -> str:
        """Write compare.md, compare.json and compare.png; return the text of the first."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        runs = [s.results for s in self.with_results if s.results]
        drawn = picture.draw(folder / "compare.png", self.title, runs, self.errors)
        text = self.markdown(folder, drawn=drawn)
        (folder / "compare.md").write_text(text, encoding="utf-8")
        (folder / FILE_NAME).write_text(json.dumps(self.to_json(folder), indent=2) + "\n", encoding="utf-8")
        return text

    def markdown(self, folder: Path, *, drawn: bool) -> str:
        """Return everything as Markdown, with links as seen from `folder`."""
        lines = [f"# {self.title}", "", *self._costs()]
        lines += [f"- {s.label}: {s.reason}" for s in self.sides if s.reason]
        lines += [*self._errors(), "", "## Checks", "", *self._checks()]
        lines += [line for label in self.differences for line in self._differences(label)]
        if not self.in_common:
            lines += ["", "These runs have nothing in common: no check, series or field of one name, times and points."]
        if drawn:
            lines += ["", "![The series of all runs, and what they took](compare.png)"]
        paths = [(s.label, os.path.relpath(s.results.path, folder)) for s in self.with_results if s.results]
        lines += ["", *(f"- {label}: [{path}]({path})" for label, path in paths)]
        return "\n".join(lines) + "\n"

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Return everything as a JSON object, with paths as seen from `folder`."""
        runs: dict[str, dict[str, Any]] = {}
        for side in self.sides:
            runs[side.label] = {"status": side.status, "reason": side.reason}
            if side.results is not None:
                runs[side.label] |= {
                    "folder": os.path.relpath(side.results.path, folder),
                    "cost": asdict(side.results.cost),
                    "checks": {name: c.to_json() for name, c in side.results.checks.items()},
                }
        different = {
            label: {"found": [d.to_json() for d in entry.found], "notes": [*entry.notes, *entry.problems]}
            for label, entry in self.differences.items()
        }
        reference = self.with_results[0].label if self.with_results else None
        return {
            "format": _FORMAT,
            "title": self.title,
            "runs": runs,
            "reference": reference,
            "in_common": self.in_common,
            "errors": {
                label: {name: e if math.isfinite(e) else str(e) for name, e in errors.items()}
                for label, errors in self.errors.items()
            },
            "differences": different,
        }

    def _costs(self) -> list[str]:
        labels = [s.label for s in self.sides]
        rows = [["ended", *("well" if s.status == 0 else _short(s) for s in self.sides)]]
        for name, key in _COSTS.items():
            values = [getattr(s.results.cost, key) if s.results else None for s in self.sides]
            if any(v is not None for v in values):
                rows.append([name, *(markdown.size(v) if key == "memory" else markdown.number(v, 4) for v in values)])
        return markdown.table(["", *labels], rows)

    def _errors(self) -> list[str]:
        """Return by how much the quantities of the case are off, beside each other."""
        if not self.quantities or len(self.with_results) < 2:
            return []
        reference = self.with_results[0].label
        lines = ["", "## Error of what matters", ""]
        lines += [f"Largest difference from {reference} in time, over the largest value.", ""]
        rows = []
        for name in self.quantities:
            values = [self.errors.get(s.label, {}).get(name) for s in self.sides]
            shown = ["-" if s.label == reference else _rounded(v) for s, v in zip(self.sides, values, strict=True)]
            rows.append([name, *shown])
        lines += markdown.table(["", *(s.label for s in self.sides)], rows)
        there = {name for errors in self.errors.values() for name in errors}
        missing = [
            f"- {name}: is no column of series that two runs have" for name in self.quantities if name not in there
        ]
        return [*lines, *([""] if missing else []), *missing]

    def _checks(self) -> list[str]:
        found = [s.results.checks if s.results else {} for s in self.sides]
        names = list(dict.fromkeys(name for checks in found for name in checks))
        if not names:
            return ["None of the runs made checks."]
        rows = []
        for name in names:
            checks = [c.get(name) for c in found]
            unit = next(c.unit for c in checks if c is not None)
            values = ["" if c is None else markdown.number(c.value) + ("" if c.passed else " FAILED") for c in checks]
            rows.append([name, unit, *values])
        return markdown.table(["check", "unit", *(s.label for s in self.sides)], rows)

    def _differences(self, label: str) -> list[str]:
        reference, entry = self.with_results[0].label, self.differences[label]
        lines = ["", f"## {label}: differences from {reference}", ""]
        rows = [
            [
                d.name,
                str(d.count),
                "0" if d.identical else f"{d.l2:.3g}",
                f"{d.relative:.3g}",
                f"{d.largest:.3g}",
                d.where,
            ]
            for d in entry.found
        ]
        if rows:
            lines += markdown.table(["quantity", "values", "relative L2", "relative max", "max", "where"], rows)
        notes = [f"- {note}" for note in (*entry.notes, *entry.problems)]
        if not rows:
            lines.append("No series or field of one name, at the same points and times, is in both.")
        lines += ["", *notes] if notes else []
        return lines


def _rounded(value: float | None) -> str:
    return "" if value is None else "0" if value == 0 else f"{value:.2g}"


def _short(side: Side) -> str:
    return {1: "check FAILED", 2: "refused", None: "not run"}.get(side.status, f"FAILED ({side.status})")
