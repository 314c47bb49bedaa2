"""A run beside the same run again: what went in, and what came out, value by value."""

from __future__ import annotations

import fnmatch
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalebridge.checks import Check
from scalebridge.compare import arrays, difference, markdown
from scalebridge.compare.difference import Difference
from scalebridge.compare.results import Results
from scalebridge.runs import inputs

FILE_NAME = "verify.json"
FOLDER = "verify"
# What says when and where it ran and not what came out; checks, watch points and iterations are compared as numbers.
_TOLD = (
    "handout.json",
    "progress.*",
    "checks.json",
    "*.log",
    "*.out",
    "*.err",
    "capsules/*",
    "precice-profiling/*",
    "precice-run/*",
)


@dataclass(frozen=True)
class CheckDifference:
    """A check in both runs; `relative` to the largest of value, reference and tolerance."""

    name: str
    was: Check
    now: Check

    @property
    def relative(self) -> float:
        """How far the values are apart."""
        if self.was.value == self.now.value or (math.isnan(self.was.value) and math.isnan(self.now.value)):
            return 0.0
        reference = self.was.reference if isinstance(self.was.reference, tuple) else (self.was.reference,)
        scale = max(abs(x) for x in (self.was.value, self.was.tolerance, *reference) if math.isfinite(x))
        apart = abs(self.now.value - self.was.value)
        return apart / scale if scale > 0.0 and math.isfinite(apart) else math.inf


@dataclass
class Verification:
    """How a run and its repetition agree.

    Attributes
    ----------
    tolerance : largest relative difference that is allowed: of a quantity from its largest value in the run.
    found, checks : quantities and checks that both have.
    wrong : in words what else does not agree.
    equal_files : number of files of other kinds that are equal byte by byte.
    """

    tolerance: float
    found: list[Difference] = field(default_factory=list)
    checks: list[CheckDifference] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    equal_files: int = 0

    @property
    def empty(self) -> bool:
        """Whether there was nothing to compare, so that nothing is known."""
        return not (self.found or self.checks or self.equal_files or self.wrong)

    @property
    def identical(self) -> bool:
        """Whether everything is equal bit for bit."""
        return (
            not self.empty
            and not self.wrong
            and all(d.identical for d in self.found)
            and all(c.relative == 0.0 for c in self.checks)
        )

    @property
    def passed(self) -> bool:
        """Whether everything is equal within the tolerance."""
        beyond = [d for d in self.found if d.relative > self.tolerance]
        return not (self.empty or self.wrong or beyond or [c for c in self.checks if c.relative > self.tolerance])

    @property
    def largest(self) -> float:
        """The largest relative difference of a quantity or check."""
        return max([*(d.relative for d in self.found), *(c.relative for c in self.checks)], default=0.0)

    def lines(self) -> list[str]:
        """Return what is to be told, as Markdown."""
        rows = [
            [d.name, str(d.count), f"{d.l2:.3g}", f"{d.relative:.3g}", f"{d.largest:.3g}", d.where]
            for d in self.found
            if not d.identical
        ]
        lines = (
            markdown.table(["quantity", "values", "relative L2", "relative max", "max", "where"], rows) if rows else []
        )
        rows = [
            [c.name, f"{c.was.value:.17g}", f"{c.now.value:.17g}", f"{c.relative:.3g}"]
            for c in self.checks
            if c.relative
        ]
        lines += ["", *markdown.table(["check", "was", "is", "relative"], rows)] if rows else []
        lines += ["", *(f"- {text}" for text in self.wrong)] if self.wrong else []
        return [*lines, "", self._verdict()] if lines else [self._verdict()]

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "passed": self.passed,
            "identical": self.identical,
            "tolerance": self.tolerance,
            "largest": self.largest if math.isfinite(self.largest) else str(self.largest),
            "found": [d.to_json() for d in self.found],
            "checks": [{"name": c.name, "was": c.was.to_json(), "now": c.now.to_json()} for c in self.checks],
            "wrong": self.wrong,
            "equal_files": self.equal_files,
        }

    def _verdict(self) -> str:
        if self.empty:
            return "NOT known to be the same: the run left no series, fields, checks or files that could be compared"
        values = f"{sum(d.count for d in self.found)} values of {len(self.found)} quantities"
        what = f"{values}, {len(self.checks)} checks, {self.equal_files} other files"
        if self.identical:
            return f"the same bit for bit: {what}"
        if self.passed:
            return f"the same within {self.tolerance:g}: {what}; the largest relative difference is {self.largest:.3g}"
        apart = f"the largest relative difference is {self.largest:.3g}, allowed is {self.tolerance:g}"
        more = f"; {len(self.wrong)} things that are no numbers differ" if self.wrong else ""
        return f"NOT the same: {what}; {apart}{more}"


def compare(was: Results, now: Results, tolerance: float, ignored: Sequence[str] = ()) -> Verification:
    """Compare a run with its repetition.

    Parameters
    ----------
    tolerance : largest relative difference that is allowed.
    ignored : patterns of files that are not to be compared, such as "Fluid/*.foam".
    """
    result = Verification(tolerance)
    differences = difference.between(was, now, twice=True)
    result.found = differences.found
    result.wrong += differences.notes
    _ended(was, now, result)
    for name in sorted(was.checks.keys() | now.checks.keys()):
        if name in was.checks and name in now.checks:
            result.checks.append(CheckDifference(name, was.checks[name], now.checks[name]))
        else:
            result.wrong.append(f"check {name}: only in {'the run' if name in was.checks else 'its repetition'}")
    _files(was, now, ignored, result)
    return result


def write(folder: Path, result: Verification, changes: Sequence[str]) -> None:
    """Write verify.md and verify.json into the folder of the repetition; `changes` says what of the inputs changed."""
    lines = ["# Verification", "", *(f"- {change}" for change in changes), "", *result.lines()]
    (folder / "verify.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = {"changes": list(changes), **result.to_json()}
    (folder / FILE_NAME).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def _ended(was: Results, now: Results, result: Verification) -> None:
    """Compare how the runs ended, and their iterations."""
    if was.status != now.status:
        result.wrong.append(f"exit status: was {was.status}, is {now.status} ({now.ended})")
    for name, entry in was.participants.items():
        again = now.participants.get(name, {})
        for key in ("status", "windows", "iterations", "windows_not_converged"):
            if entry.get(key) != again.get(key):
                result.wrong.append(f"{name}: {key}: was {_counted(entry.get(key))}, is {_counted(again.get(key))}")


def _counted(value: Any) -> str:
    return f"{sum(value)} in {len(value)} windows" if isinstance(value, list) else str(value)


def _files(was: Results, now: Results, ignored: Sequence[str], result: Verification) -> None:
    """Compare byte by byte the files that are not read as arrays."""
    sides = []
    for run in (was, now):
        names = {str(p.relative_to(run.path)): p for p in run.files()}
        sides.append(
            {name: p for name, p in names.items() if not _matches(name, _TOLD) and not _matches(name, ignored)}
        )
    read = {name for name, path in sides[0].items() if arrays.readable(path)} - was.unread - now.unread
    for name in sorted((sides[0].keys() | sides[1].keys()) - read):
        if name not in sides[1] or name not in sides[0]:
            result.wrong.append(f"{name}: only in {'the run' if name in sides[0] else 'its repetition'}")
        elif inputs.digest(sides[0][name]) != inputs.digest(sides[1][name]):
            result.wrong.append(f"{name}: not equal byte by byte; files of this kind are not read")
        else:
            result.equal_files += 1
    result.wrong = [w for i, w in enumerate(result.wrong) if w not in result.wrong[:i]]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a path in the run, or the end of it, fits a pattern."""
    return any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"*/{pattern}") for pattern in patterns)
