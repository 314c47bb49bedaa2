"""The table of a sweep: a row for each point, with how it ended, what it took, last values of series, and checks."""

from __future__ import annotations

import csv
import fnmatch
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalebridge.compare import markdown, order
from scalebridge.compare.grid import Grid, Point
from scalebridge.compare.jobs import FINISHED
from scalebridge.compare.results import Results
from scalebridge.findings import ConfigurationError
from scalebridge.runs.run import CHECK_FAILED, CONFIGURATION, WELL

FILE_NAME = "sweep.json"
COSTS = ("wall [s]", "iterations")
ORDER = "order of "
_FORMAT = 1
_MOST_COLUMNS = 8


@dataclass
class Row:
    """One point.

    Attributes
    ----------
    status : exit status of its run, None where it was not run.
    reason : why it did not end well, in one line.
    costs, values, checks : numbers by the name of their column; a check as (value, whether it passed).
    """

    point: Point
    status: int | None
    reason: str = ""
    costs: dict[str, float | None] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    checks: dict[str, tuple[float, bool]] = field(default_factory=dict)

    @property
    def ended(self) -> str:
        """How it ended, in a word or two."""
        if self.status is None:
            return "not run"
        return {WELL: "well", CHECK_FAILED: "check FAILED", CONFIGURATION: "refused"}.get(self.status, "FAILED")


@dataclass(frozen=True)
class Ended:
    """How the run of a point ended: exit status, None where it was not run; why; whether it left anything."""

    status: int | None = None
    reason: str = "not run, or stopped"
    ran: bool = False


def row(point: Point, folder: Path, ended: Ended) -> Row:
    """Return the row of a point; where its run failed on the way, with what there is."""
    status, reason = ended.status, ended.reason
    if not ended.ran:
        return Row(point, status, reason)
    try:
        results = Results(folder, point.name)
    except ConfigurationError as error:
        return Row(point, status, reason or error.findings[0].message)
    cost = results.cost
    result = Row(point, status, reason, {"wall [s]": cost.wall, "iterations": cost.iterations})
    if status in FINISHED:
        for key, table in results.tables.items():
            result.values |= {f"{key}.{n}": float(v[-1]) for n, v in table.columns.items() if len(v)}
    result.checks = {name: (check.value, check.passed) for name, check in results.checks.items()}
    return result


class Sweep:
    """All points of a grid.

    Parameters
    ----------
    columns : patterns of the columns of series that are wanted, such as "Macro.*"; all where there is none.
    """

    def __init__(self, title: str, grid: Grid, rows: Sequence[Row], columns: Sequence[str] = ()) -> None:
        self.title = title
        self.grid = grid
        self.rows = list(rows)
        self.known = list(dict.fromkeys(name for r in rows for name in r.values))
        self.values = [n for n in self.known if not columns or any(fnmatch.fnmatchcase(n, p) for p in columns)]
        self.checks = list(dict.fromkeys(name for r in rows for name in r.checks))
        self.unknown = [p for p in columns if not any(fnmatch.fnmatchcase(n, p) for n in self.known)]
        self.orders = self._orders()

    @property
    def failed(self) -> list[Row]:
        """The points whose run did not go to its end, or was not run."""
        return [r for r in self.rows if r.status not in FINISHED]

    def write(self, folder: Path) -> str:
        """Write sweep.csv, sweep.md and sweep.json; return the text of the second."""
        with (folder / "sweep.csv").open("w", newline="", encoding="utf-8") as file:
            head, cells = self._cells(exact=True)
            csv.writer(file).writerows([head, *cells])
        text = self.markdown()
        (folder / "sweep.md").write_text(text, encoding="utf-8")
        (folder / FILE_NAME).write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        return text

    def markdown(self) -> str:
        """Return the table as Markdown, with why points failed and what the orders are."""
        fixed = [f"{axis.path}={axis.texts[0]}" for axis in self.grid.axes if not axis.varies]
        lines = [f"# {self.title}", "", *([f"With {', '.join(fixed)}.", ""] if fixed else [])]
        lines += markdown.table(*self._cells(exact=False))
        lines += ["", *self._checks()] if self.checks else []
        reasons = [f"- {r.point.name}: {r.reason}" for r in self.rows if r.reason and r.status != CHECK_FAILED]
        lines += ["", *reasons] if reasons else []
        if self.orders:
            axis = " ".join(self._refined())
            lines += ["", f"The order of convergence along {axis} is that of each value and the two before it."]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "format": _FORMAT,
            "title": self.title,
            "axes": {axis.path: list(axis.texts) for axis in self.grid.axes},
            "points": [
                {
                    "name": r.point.name,
                    "set": list(r.point.overrides),
                    "status": r.status,
                    "reason": r.reason,
                    "costs": r.costs,
                    "values": {n: _plain(v) for n, v in r.values.items() if n in self.values},
                    "checks": {n: {"value": _plain(v), "passed": p} for n, (v, p) in r.checks.items()},
                    "orders": {n: _plain(o[i]) for n, o in self.orders.items() if o[i] is not None},
                }
                for i, r in enumerate(self.rows)
            ],
        }

    def _cells(self, *, exact: bool) -> tuple[list[str], list[list[str]]]:
        """Return the names of all columns and the cells below, numbers with all digits or those for people."""

        def shown(value: float | None) -> str:
            return "" if value is None else repr(value) if exact else markdown.number(value)

        head = [*self.grid.labels, "ended", *COSTS]
        for name in self.values:
            head += [name, *([f"{ORDER}{name}"] if name in self.orders else [])]
        head += self.checks if exact else ["checks"] if self.checks else []
        cells = []
        for i, r in enumerate(self.rows):
            line = [*r.point.texts, r.ended, *(shown(r.costs.get(name)) for name in COSTS)]
            for name in self.values:
                line.append(shown(r.values.get(name)))
                if name in self.orders:
                    number = self.orders[name][i]
                    line.append(shown(number) if exact or number is None else f"{number:.2f}")
            if exact:
                line += [shown(r.checks[name][0]) if name in r.checks else "" for name in self.checks]
            elif self.checks:
                line.append(_counted(r))
            cells.append(line)
        return head, cells

    def _checks(self) -> list[str]:
        """Return the checks: their values at every point where these are few, else how far they reach."""
        if len(self.rows) <= _MOST_COLUMNS:
            lines = [[name, *(_checked(r.checks.get(name)) for r in self.rows)] for name in self.checks]
            return markdown.table(["check", *(r.point.name for r in self.rows)], lines)
        lines = []
        for name in self.checks:
            found = [(r.point.name, *r.checks[name]) for r in self.rows if name in r.checks]
            failed = [point for point, _, passed in found if not passed]
            values = [value for _, value, _ in found]
            lines.append([name, markdown.number(min(values)), markdown.number(max(values)), ", ".join(failed)])
        return markdown.table(["check", "least", "largest", "FAILED at"], lines)

    def _refined(self) -> dict[str, float]:
        """Return label -> factor of the axis along which an order can be seen; nothing where there are several."""
        found = {}
        for label, axis in zip(self.grid.labels, self.grid.varying, strict=True):
            numbers = axis.numbers
            factor = order.factor(numbers) if numbers else None
            if factor is not None:
                found[label] = factor
        return found if len(found) == 1 else {}

    def _orders(self) -> dict[str, list[float | None]]:
        """Return the observed order of each value for every row; nothing where no axis is refined by one factor."""
        result: dict[str, list[float | None]] = {}
        for label, factor in self._refined().items():
            along = self.grid.labels.index(label)
            for group in _groups(self.rows, along):
                for name in self.values:
                    numbers = order.observed([self.rows[i].values.get(name) for i in group], factor)
                    column = result.setdefault(name, [None] * len(self.rows))
                    for i, number in zip(group, numbers, strict=True):
                        column[i] = number
        return {name: column for name, column in result.items() if any(n is not None for n in column)}


def _counted(row: Row) -> str:
    failed = sum(not passed for _, passed in row.checks.values())
    return f"{failed} of {len(row.checks)} FAILED" if failed else f"{len(row.checks)} passed" if row.checks else ""


def _checked(check: tuple[float, bool] | None) -> str:
    return "" if check is None else markdown.number(check[0]) + ("" if check[1] else " FAILED")


def _groups(rows: Iterable[Row], along: int) -> list[list[int]]:
    """Return the rows, by their number, that differ on one axis only, each group in the order of that axis."""
    found: dict[tuple[str, ...], list[int]] = {}
    for i, each in enumerate(rows):
        rest = tuple(text for k, text in enumerate(each.point.texts) if k != along)
        found.setdefault(rest, []).append(i)
    return list(found.values())


def _plain(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)


def rows(points: Sequence[Point], folder: Path, ended: Mapping[str, Ended]) -> list[Row]:
    """Return the rows of all points; `ended` says by the name of the point how it ended."""
    return [row(point, folder / point.name, ended.get(point.name, Ended())) for point in points]
