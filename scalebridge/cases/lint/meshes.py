"""Rules about meshes and the mappings between them."""

from __future__ import annotations

from collections.abc import Iterator

from scalebridge.cases.lint.view import View, is_shown
from scalebridge.embedded.config import ParticipantConfig
from scalebridge.findings import Finding


def meshes_are_provided_once(view: View) -> Iterator[Finding]:
    """Every mesh is provided by one participant."""
    for mesh in view.configuration.meshes:
        providers = [p.name for p in view.participants() if mesh.name in p.provides]
        key = f'<mesh name="{mesh.name}">'
        if not providers and not any(p.received(mesh.name) for p in view.participants()):
            fix = f'Add <provide-mesh name="{mesh.name}" /> to a participant, or remove the mesh'
            yield view.warning(mesh.line, key, "nobody provides it", fix=fix)
        if len(providers) > 1:
            message = f"{' and '.join(providers)} provide it: each has vertices of its own under one name"
            fix = "Give each participant a mesh of its own, or let all but one receive it"
            yield view.warning(mesh.line, key, message, fix=fix)


def provided_meshes_are_used(view: View) -> Iterator[Finding]:
    """A mesh that is provided is read from, written to, mapped, watched, or received by somebody."""
    for participant in view.participants():
        for mesh in participant.provides:
            received = any(p.received(mesh) for p in view.participants() if p is not participant)
            if not received and not _works_on(participant, mesh):
                message = f"provides {mesh}, which nobody receives, and on which it neither reads nor writes"
                yield view.warning(
                    participant.line,
                    f'<participant name="{participant.name}">',
                    message,
                    fix=f'Remove <provide-mesh name="{mesh}" />, or use the mesh',
                )


def received_meshes_are_used(view: View) -> Iterator[Finding]:
    """A mesh that is received is read from, written to, mapped, or carries data that are exchanged."""
    for participant in view.participants():
        for received in participant.receives:
            sent = any(
                participant.name in (e.sender, e.receiver) and e.mesh == received.name for _, e in view.exchanges()
            )
            if sent or _works_on(participant, received.name):
                continue
            key = f'<receive-mesh name="{received.name}" from="{received.provider}">'
            message = f"{participant.name} receives it but uses it for nothing"
            fix = "Remove it, or add a <mapping:...> from or to it"
            if received.api_access:  # a program may want to know the points alone
                yield view.hint(received.line, key, message, fix="Remove it if the points alone are of no use")
            else:
                yield view.warning(received.line, key, message, fix=fix)


def _works_on(participant: ParticipantConfig, mesh: str) -> bool:
    accessed = any(a.mesh == mesh for a in (*participant.reads, *participant.writes))
    mapped = any(mesh in (m.config.from_mesh, m.config.to_mesh) for m in participant.mappings)
    acted = any(a.mesh == mesh for a in participant.actions)
    return accessed or mapped or acted or is_shown(participant, mesh)


def mappings_fit_ranks(view: View) -> Iterator[Finding]:
    """On several ranks a mapping is read-consistent or write-conservative: preCICE has no other there."""
    for participant in view.participants():
        if view.ranks.get(participant.name, 1) == 1:
            continue
        for mapping in participant.mappings:
            made = mapping.config
            if (made.direction, made.constraint) in (("read", "consistent"), ("write", "conservative")):
                continue
            message = (
                f"a {made.direction} mapping that is {made.constraint} is not possible on the "
                f"{view.ranks[participant.name]} ranks of {participant.name}"
            )
            other = "read and consistent, or write and conservative"
            fix = "Move the mapping to the other participant with the other direction, or run on one rank"
            yield view.error(mapping.line, f"<mapping:{made.kind}>", message, expected=other, fix=fix)


RULES = (meshes_are_provided_once, provided_meshes_are_used, received_meshes_are_used, mappings_fit_ranks)
