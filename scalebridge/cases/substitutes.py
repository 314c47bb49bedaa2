"""Other micro models that stand in for micro simulations that fail: what is asked of them before a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from scalebridge import settings
from scalebridge.cases.case import Participant
from scalebridge.cases.describe import Description
from scalebridge.cases.onfailure import KEY
from scalebridge.fallbacks import Policy
from scalebridge.findings import Finding, Findings

type Check = Callable[[str, Description], Sequence[Finding]]


@dataclass(frozen=True)
class Substitute:
    """One other model of one participant: the policy of this number names it."""

    participant: Participant
    number: int

    @property
    def policy(self) -> Policy:
        """What the case says."""
        return self.participant.on_failure[self.number]

    @property
    def module(self) -> str:
        """The module that has the model."""
        module: str = self.policy["model"]["run"]
        return module

    @property
    def place(self) -> tuple[int, str]:
        """Line and key in the case file."""
        line = self.participant.lines.get(f"{KEY}[{self.number}]", self.participant.line)
        return line, f"participants.{self.participant.name}.{KEY}"


def of(participants: Sequence[Participant]) -> list[Substitute]:
    """Return every other model that a case names."""
    return [Substitute(p, n) for p in participants for n, policy in enumerate(p.on_failure) if "model" in policy]


def resolve(
    participant: Participant, description: Description, answers: Mapping[str, Description], findings: Findings
) -> list[Policy]:
    """Return the policies of a participant, of other models with the class and all settings; note what is wrong.

    Parameters
    ----------
    answers : module -> what it said of itself.
    """
    if participant.on_failure and description.kind != "micro":
        line = participant.lines.get(KEY, participant.line)
        message = "only a participant with micro simulations can go on when some of them fail"
        findings.add(line, f"participants.{participant.name}.{KEY}", message)
        return []
    result = list(participant.on_failure)
    for substitute in of([participant]):
        other = answers.get(substitute.module)
        line, key = substitute.place
        if other is not None and (other.kind != "micro" or "model" not in other.raw):
            findings.add(line, key, f"'{other.module}' is no micro model, so it cannot stand in for one")
        elif other is not None:
            result[substitute.number] = {"model": _complete(substitute, other, findings)}
    return result


def fit(
    substitutes: Sequence[Substitute], answers: Mapping[str, Description], check: Check, findings: Findings
) -> None:
    """Note where another model could not take the place of the model of its participant.

    Parameters
    ----------
    check : finds what is wrong with a participant's name and the description of a model in its place.
    """
    for substitute in substitutes:
        other = answers.get(substitute.module)
        if other is None or other.kind != "micro":
            continue
        line, key = substitute.place
        for found in check(substitute.participant.name, other):
            message = f"'{other.module}' cannot stand in for '{substitute.participant.module}': {found.message}"
            findings.found.append(replace(found, file=findings.file, line=line, key=key, message=message))


def units(own: Description | None, other: Description) -> list[Finding]:
    """Return where a model has the same fields as `own` in another unit, which only a scaling file would convert."""
    if own is None:
        return []
    found = []
    for verb, mine, its in (("reads", own.inputs, other.inputs), ("writes", own.outputs, other.outputs)):
        for name, field in mine.items():
            if name in its and its[name].unit != field.unit:
                message = f"it {verb} '{name}' in '{its[name].unit}', not in '{field.unit}'"
                found.append(Finding("", None, "", message, fix="Use the same unit, or a scaling file"))
    return found


def _complete(substitute: Substitute, other: Description, findings: Findings) -> dict[str, object]:
    line, key = substitute.place
    given = substitute.policy["model"]["settings"]
    prefix = f"{KEY}[{substitute.number}].settings."
    lines = {k.removeprefix(prefix): n for k, n in substitute.participant.lines.items() if k.startswith(prefix)}
    checked = settings.check(other.settings, given, findings, key=f"{key}.model.settings", lines=lines, line=line)
    return {"run": substitute.module, "model": other.raw["model"], "settings": checked}
