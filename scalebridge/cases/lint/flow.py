"""Rules about the way of data: who writes them, over which exchange and mapping they travel, and who reads them."""

from __future__ import annotations

from collections.abc import Iterator

from scalebridge.cases.lint.view import View, is_acted_on, is_made, is_shown, meant, read_mapped
from scalebridge.embedded.config import Access, ExchangeConfig, ParticipantConfig
from scalebridge.findings import Finding


def data_are_used(view: View) -> Iterator[Finding]:
    """Data that are declared are on a mesh, and somebody writes, reads or exchanges them."""
    meshes = view.configuration.meshes
    touched = {a.data for p in view.participants() for a in (*p.reads, *p.writes)}
    touched |= {d for p in view.participants() for a in p.actions for d in (*a.sources, a.target) if d}
    touched |= {e.data for _, e in view.exchanges()}
    for data in view.configuration.data:
        key = f'<data:{"vector" if data.vector else "scalar"} name="{data.name}">'
        if not any(data.name in mesh.data for mesh in meshes):
            yield view.warning(data.line, key, "no mesh uses it", fix="Remove it, or add a <use-data> to a mesh")
        elif data.name not in touched:
            message = "nobody writes, reads or exchanges it"
            yield view.warning(data.line, key, message, fix="Remove it, or let participants write and read it")


def read_data_are_delivered(view: View) -> Iterator[Finding]:
    """What a participant reads is written by another one, exchanged, and arrives on the mesh it is read on."""
    for reader in view.participants():
        for access in reader.reads:
            coming = view.coming(reader, access.data)
            if not any(view.brings(reader, access, e) for e in coming) and not is_made(reader, access.data):
                yield _undelivered(view, reader, access, coming)


def _undelivered(view: View, reader: ParticipantConfig, access: Access, coming: list[ExchangeConfig]) -> Finding:
    key = f'<read-data name="{access.data}" mesh="{access.mesh}">'
    if coming:
        mesh = coming[0].mesh
        message = f"{reader.name} reads it on {access.mesh}, but it arrives on {mesh}, and nothing maps it from there"
        fix = f'Read it with mesh="{mesh}"' if mesh in reader.provides else _mapping(reader, "read", mesh, access.mesh)
        return view.error(access.line, key, message, fix=fix)
    writers = [(p, w) for p, w in view.writers(access.data) if p is not reader]
    if not writers:
        written = {w.data for p in view.participants() if p is not reader for w in p.writes}
        unread = sorted(d for d in written if not view.coming(reader, d) and d not in {r.data for r in reader.reads})
        message = f"{reader.name} reads it, but nobody writes it"
        fix = f"Let a participant write {access.data}, or remove the <read-data>"
        return view.error(access.line, key, message, fix=fix, **meant(access.data, unread))
    writer, written_on = writers[0]
    message = f"{reader.name} reads it and {writer.name} writes it, but it is not exchanged"
    mesh = _meeting_mesh(reader, access.mesh, writer, written_on.mesh)
    tag = f'<exchange data="{access.data}" mesh="{mesh}" from="{writer.name}" to="{reader.name}" />'
    schemes = view.schemes_of(reader.name, writer.name)
    where = "the coupling scheme" if schemes else "a coupling scheme"
    return view.error(access.line, key, message, fix=f"Add {tag} to {where} of {writer.name} and {reader.name}")


def _meeting_mesh(reader: ParticipantConfig, read_on: str, writer: ParticipantConfig, written_on: str) -> str:
    """Return the mesh on which data can travel from one participant to the other, as the configuration is."""
    known = [m for m in (*sorted(read_mapped(reader, read_on)), read_on) if writer.uses(m)]
    return known[0] if known else written_on


def _mapping(participant: ParticipantConfig, direction: str, source: str, target: str) -> str:
    constraint = "consistent" if direction == "read" else "conservative"
    attributes = f'direction="{direction}" from="{source}" to="{target}" constraint="{constraint}"'
    return f"Add a mapping such as <mapping:nearest-neighbor {attributes} /> to {participant.name}"


def written_data_are_taken(view: View) -> Iterator[Finding]:
    """What a participant writes leaves it by an exchange, on that mesh or mapped to another, or is shown."""
    for writer in view.participants():
        for access in writer.writes:
            going = view.going(writer, access.data)
            if any(view.takes(writer, access, e) for e in going) or is_acted_on(writer, access.data):
                continue
            key = f'<write-data name="{access.data}" mesh="{access.mesh}">'
            if going:
                mesh = going[0].mesh
                message = (
                    f"{writer.name} writes it on {access.mesh}, but it is sent on {mesh}, and nothing maps it there: "
                    "zeros would be sent"
                )
                own = mesh in writer.provides
                fix = f'Write it with mesh="{mesh}"' if own else _mapping(writer, "write", access.mesh, mesh)
                others = [w for w in writer.writes if w is not access and view.takes(writer, w, going[0])]
                yield (view.warning if others else view.error)(access.line, key, message, fix=fix)
            elif not is_shown(writer, access.mesh) and not _read_elsewhere(view, writer, access):
                message = f"{writer.name} writes it, but it is never exchanged, exported or watched"
                yield view.warning(access.line, key, message, fix="Remove it, or add an <exchange> to somebody")


def _read_elsewhere(view: View, writer: ParticipantConfig, access: Access) -> bool:
    """Say whether somebody waits for the data in vain, which `read_data_are_delivered` tells."""
    return any(p is not writer and not view.coming(p, access.data) for p, _ in view.readers(access.data))


def exchanged_data_are_written(view: View) -> Iterator[Finding]:
    """What is exchanged is written by its sender; zeros would be sent otherwise."""
    for _, exchange in view.exchanges():
        sender = view.configuration.participant(exchange.sender)
        receiver = view.configuration.participant(exchange.receiver)
        if is_made(sender, exchange.data) or any(w.data == exchange.data for w in sender.writes):
            continue  # if it is written on a mesh from where it does not leave, `written_data_are_taken` tells
        key = f'<exchange data="{exchange.data}" mesh="{exchange.mesh}">'
        message = f"{sender.name} does not write it: zeros would be sent"
        mesh = exchange.mesh if exchange.mesh in sender.provides or _accesses(sender, exchange.mesh) else "..."
        fix = f'Add <write-data name="{exchange.data}" mesh="{mesh}" /> to {sender.name}, or remove the <exchange>'
        turned = any(w.data == exchange.data for w in receiver.writes)
        if turned:
            fix = f'{receiver.name} writes it: make it from="{receiver.name}" to="{sender.name}"'
        read = any(view.brings(receiver, r, exchange) for r in receiver.reads)
        yield (view.error if read or turned else view.warning)(exchange.line, key, message, fix=fix)


def exchanged_data_are_read(view: View) -> Iterator[Finding]:
    """What is exchanged is read by its receiver, or used by one of its actions."""
    for _, exchange in view.exchanges():
        receiver = view.configuration.participant(exchange.receiver)
        if is_acted_on(receiver, exchange.data) or any(r.data == exchange.data for r in receiver.reads):
            continue  # if it is read on a mesh where it does not arrive, `read_data_are_delivered` tells
        if any(w.data == exchange.data for w in receiver.writes):
            continue  # turned round, which `exchanged_data_are_written` tells
        key = f'<exchange data="{exchange.data}" mesh="{exchange.mesh}">'
        message = f"{receiver.name} receives it but does not read it"
        wanted = [r.data for r in receiver.reads if not view.coming(receiver, r.data)]
        fix = f"Add a <read-data> to {receiver.name}, or remove the <exchange>"
        shown = is_shown(receiver, exchange.mesh)
        tell = view.hint if shown else view.warning
        yield tell(exchange.line, key, message, fix=fix, **meant(exchange.data, wanted))


def _accesses(participant: ParticipantConfig, mesh: str) -> bool:
    received = participant.received(mesh)
    return received is not None and received.api_access


RULES = (
    data_are_used,
    read_data_are_delivered,
    written_data_are_taken,
    exchanged_data_are_written,
    exchanged_data_are_read,
)
