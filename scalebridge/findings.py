"""What is wrong with a configuration: collected, told all at once, each with its place and its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


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
    """

    file: str
    line: int | None
    key: str
    message: str
    expected: str = ""
    nearest: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        text = f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.nearest is not None:
            text += f". Did you mean '{self.nearest}'?"
        return text


class ConfigurationError(Exception):
    """A configuration that cannot be used; carries every finding, not only the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(f) for f in self.findings))


class Findings:
    """Collects the findings of one file while it is read."""

    def __init__(self, file: str | Path) -> None:
        self.file = str(file)
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
    ) -> None:
        """Note a mistake; `got` and `candidates` give the nearest name and, if `expected` is empty, the choice."""
        candidates = list(candidates)
        if candidates and not expected:
            expected = one_of(candidates)
        nearest_name = nearest(got, candidates) if got is not None else None
        self.found.append(Finding(self.file, line, key, message, expected, nearest_name))

    def raise_if_any(self) -> None:
        """Raise ConfigurationError with everything found so far, if there is anything."""
        if self.found:
            raise ConfigurationError(self.found)


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
