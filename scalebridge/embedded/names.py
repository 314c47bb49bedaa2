"""Names in a configuration: where each is defined, and whether what refers to one comes after that."""

from __future__ import annotations

from collections.abc import Iterable

from scalebridge.findings import Findings


class Names:
    """Names of one kind with the line of their definition; looks them up and notes what is wrong."""

    def __init__(self, what: str, defined: Iterable[tuple[str, int]], findings: Findings) -> None:
        self.what = what
        self.lines: dict[str, int] = {}
        self.findings = findings
        for name, line in defined:
            if name in self.lines:
                findings.add(
                    line, f'<{what} name="{name}">', f"is already defined in line {self.lines[name]}", rule="name"
                )
            else:
                self.lines[name] = line

    def has(self, name: str, line: int, place: str) -> bool:
        """Say whether `name` is defined before `line`, and note a mistake if not."""
        if not name:  # it was missing, which is already noted
            return False
        if name not in self.lines:
            message = f'there is no {self.what} "{name}"'
            if self.lines:
                self.findings.add(line, place, message, got=name, candidates=self.lines, rule="name")
            else:
                self.findings.add(line, place, message, expected=f"<{self.what}> to be defined", rule="name")
            return False
        if self.lines[name] > line:
            message = f'{self.what} "{name}" is defined only in line {self.lines[name]}'
            self.findings.add(line, place, message, expected="the definition before its first use")
        return True
