"""What is wrong with a configuration: collected, told all at once, each with its place and its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ERROR, WARNING, HINT = "error", "warning", "hint"
SEVERITIES = (ERROR, WARNING, HINT)


@dataclass(frozen=True)
class Finding:
    """One mistake in one file.

    Attributes
    ----------
    file : the file it stands in, as the user would open it.
    line : line number from 1, or None where a file has no lines to speak of.
    key : the place inside the file, such as ``participants.Macro.run`` or ``<mesh name="Macro-Mesh">``.
    message : what is wrong, with the value that was found.
    expected : what was expected there instead; empty where the message says it.
    nearest : the nearest valid name, or None.
    severity : "error" stops a run; "warning" is most likely a mistake and does not; "hint" may well be meant.
    rule : name of the rule that was broken, such as ``read-data-is-delivered``; for programs.
    fix : what to do about it, as a sentence; empty where `nearest` or `expected` tell it.
    """

    file: str
    line: int | None
    key: str
    message: str
    expected: str = ""
    nearest: str | None = None
    severity: str = ERROR
    rule: str = ""
    fix: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        parts = [place, *([] if self.severity == ERROR else [self.severity]), *([self.key] if self.key else [])]
        text = ": ".join((*parts, self.message))
        if self.expected:
            text += f"; expected {self.expected}"
        if self.nearest is not None:
            text += f". Did you mean '{self.nearest}'?"
        if self.fix:
            text += f" {self.fix}" if text.endswith("?") else f". {self.fix}"
        return text

    @property
    def remedy(self) -> str:
        """What to do about it, as a sentence; empty where the message says all that is known."""
        if self.fix:
            return self.fix
        if self.nearest is not None:
            return f"Write '{self.nearest}'"
        return f"Make it {self.expected}" if self.expected else ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object; `fix` is the remedy."""
        return {**asdict(self), "fix": self.remedy}


class ConfigurationError(Exception):
    """A configuration that cannot be used; carries every finding, not only the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(f) for f in self.findings))


class Findings:
    """Collects the findings of one file while it is read; `rule` is what they are called unless they say otherwise."""

    def __init__(self, file: str | Path, rule: str = "") -> None:
        self.file = str(file)
        self.rule = rule
        self.found: list[Finding] = []

    def add(
        self,
        line: int | None,
        key: str,
        message: str,
        *,
        expected: str = "",
        got: str | None = None,
        candidates: Iterable[str] = (),
        severity: str = ERROR,
        rule: str = "",
        fix: str = "",
    ) -> None:
        """Note a mistake; `got` and `candidates` give the nearest name and, if `expected` is empty, the choice."""
        candidates = list(candidates)
        if candidates and not expected:
            expected = one_of(candidates)
        nearest_name = nearest(got, candidates) if got is not None else None
        found = Finding(self.file, line, key, message, expected, nearest_name, severity, rule or self.rule, fix)
        self.found.append(found)

    def raise_if_any(self) -> None:
        """Raise ConfigurationError with everything found so far, if there is anything."""
        if self.found:
            raise ConfigurationError(self.found)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return those that stop a run."""
    return [finding for finding in findings if finding.severity == ERROR]


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `name` was most likely meant to be, or None if none is near."""
    by_lower = {c.lower(): c for c in candidates}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def one_of(names: Iterable[str], most: int = 12) -> str:
    """Return "one of a, b, c", shortened where the list is long."""
    names = sorted(names)
    if len(names) == 1:
        return names[0]
    shown = ", ".join(names[:most])
    return f"one of {shown}" + (f" and {len(names) - most} more" if len(names) > most else "")
