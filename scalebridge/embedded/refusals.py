"""What preCICE can do and the embedded engine cannot, each refused by name before anything starts."""

from __future__ import annotations

from typing import Protocol

from scalebridge.embedded.config import Configuration, ParticipantConfig
from scalebridge.embedded.mapping import settings
from scalebridge.findings import Finding

_REMEDY = "libprecice (see the README of the embedded engine)"


def find(configuration: Configuration, participant: str | None = None) -> list[Finding]:
    """Return a finding for everything that is not supported; with `participant`, only what concerns that one."""
    found: list[Finding] = []

    def refuse(line: int | None, place: str, what: str) -> None:
        message = f"{what} is not supported by the embedded engine"
        found.append(Finding(configuration.file, line, place, message, _REMEDY))

    if configuration.allow_remeshing:
        refuse(None, "<precice-configuration>", "allow-remeshing")
    for member in configuration.participants:
        if participant in (None, member.name):
            _refuse_participant(member, refuse)
    return found


class _Refuse(Protocol):
    def __call__(self, line: int | None, place: str, what: str) -> None: ...


def _refuse_participant(member: ParticipantConfig, refuse: _Refuse) -> None:
    for mapping in member.mappings:
        place = f"<mapping:{mapping.config.kind}>"
        if mapping.config.kind not in settings.KINDS:
            refuse(mapping.line, place, f"the mapping {mapping.config.kind}")
        if mapping.executor != "cpu":
            refuse(mapping.line, place, f"the executor {mapping.executor}")
    for action in member.actions:
        if action.kind == "recorder":
            refuse(action.line, "<action:recorder>", "the action recorder")
