"""Checks: numbers that a run compares with what they should be, and from where it is known what they should be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("absolute", "relative", "at-most", "between")


@dataclass(frozen=True)
class Check:
    """One comparison. Make it with `absolute`, `relative`, `at_most` or `between`.

    Attributes
    ----------
    name : what is compared.
    value : what the run gave.
    reference : what it should be; for "at-most" the limit, for "between" (low, high).
    tolerance : allowed distance from the reference, as a fraction of it for "relative"; for "at-most" and "between"
        how far beyond the limits is still round-off.
    kind : one of KINDS.
    source : where the reference comes from: a formula, a publication, a recorded run.
    unit : unit of value and reference, "1" for a pure number.
    """

    name: str
    value: float
    reference: float | tuple[float, float]
    tolerance: float
    kind: str
    source: str
    unit: str = "1"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a check is one of {', '.join(KINDS)}, not {self.kind!r}")
        if isinstance(self.reference, tuple) != (self.kind == "between"):
            raise ValueError(f"reference of a check of kind {self.kind!r} cannot be {self.reference!r}")
        if not self.tolerance >= 0.0:
            raise ValueError(f"tolerance of a check is at least 0, not {self.tolerance!r}")

    @property
    def passed(self) -> bool:
        """Whether the value is within the tolerance; never true of NaN or infinity."""
        if not math.isfinite(self.value):
            return False
        if isinstance(self.reference, tuple):
            low, high = self.reference
            return low - self.tolerance <= self.value <= high + self.tolerance
        if self.kind == "at-most":
            return self.value <= self.reference + self.tolerance
        scale = abs(self.reference) if self.kind == "relative" else 1.0
        return abs(self.value - self.reference) <= self.tolerance * scale

    def to_json(self) -> dict[str, Any]:
        """Return the check as a JSON object; NaN and infinities, which JSON lacks, become text."""
        reference = self.reference
        return {
            "name": self.name,
            "value": _number(self.value),
            "reference": [_number(r) for r in reference] if isinstance(reference, tuple) else _number(reference),
            "tolerance": _number(self.tolerance),
            "kind": self.kind,
            "source": self.source,
            "passed": self.passed,
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Check:
        """Return the check that `to_json` wrote. Raises ValueError where it is none or contradicts itself."""
        try:
            reference = data["reference"]
            check = cls(
                name=str(data["name"]),
                value=float(data["value"]),
                reference=(float(reference[0]), float(reference[1]))
                if isinstance(reference, list)
                else float(reference),
                tolerance=float(data["tolerance"]),
                kind=data["kind"],
                source=str(data["source"]),
                unit=str(data.get("unit", "1")),
            )
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"not a check: {type(error).__name__}: {error}") from None
        if data.get("passed", check.passed) is not check.passed:
            raise ValueError(f"check {check.name!r} says passed = {data['passed']}, its numbers say {check.passed}")
        return check

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        slack = f", give or take {self.tolerance:.3g}{unit}" if self.tolerance else ""
        if isinstance(self.reference, tuple):
            wanted = f"between {self.reference[0]:.6g} and {self.reference[1]:.6g}{unit}{slack}"
        elif self.kind == "at-most":
            wanted = f"at most {self.reference:.6g}{unit}{slack}"
        else:
            percent = f"{100 * self.tolerance:g} %" if self.kind == "relative" else f"{self.tolerance:g}{unit}"
            wanted = f"{self.reference:.6g}{unit} within {percent}"
        return f"{'passed' if self.passed else 'FAILED'}  {self.name}: {self.value:.6g}{unit}, should be {wanted}"


def absolute(name: str, value: float, reference: float, tolerance: float, *, source: str, unit: str = "1") -> Check:
    """Compare: |value - reference| <= tolerance."""
    return Check(name, float(value), float(reference), float(tolerance), "absolute", source, unit)


def relative(name: str, value: float, reference: float, tolerance: float, *, source: str, unit: str = "1") -> Check:
    """Compare: |value - reference| <= tolerance |reference|."""
    return Check(name, float(value), float(reference), float(tolerance), "relative", source, unit)


def at_most(name: str, value: float, limit: float, *, source: str, tolerance: float = 0.0, unit: str = "1") -> Check:
    """Compare: value <= limit + tolerance."""
    return Check(name, float(value), float(limit), float(tolerance), "at-most", source, unit)


def between(
    name: str, value: float, low: float, high: float, *, source: str, tolerance: float = 0.0, unit: str = "1"
) -> Check:
    """Compare: low - tolerance <= value <= high + tolerance."""
    return Check(name, float(value), (float(low), float(high)), float(tolerance), "between", source, unit)


def save(path: str | Path, checks: Iterable[Check]) -> None:
    """Write checks as a JSON list, making the folder if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([c.to_json() for c in checks], indent=2, allow_nan=False) + "\n", encoding="utf-8")


def load(path: str | Path) -> list[Check]:
    """Read checks from a JSON list. Raises ValueError, with the file in its message, where it is none."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
            raise ValueError("not a JSON list of objects")
        return [Check.from_json(entry) for entry in data]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
