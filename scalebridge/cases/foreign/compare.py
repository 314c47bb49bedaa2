"""Compares the names in an adapter's file with the preCICE configuration that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scalebridge.cases import paths
from scalebridge.cases.foreign.adapter import Adapter, Interface, Name
from scalebridge.embedded.config import Configuration, ParticipantConfig
from scalebridge.findings import WARNING, Findings


def compare(adapter: Adapter, configuration: Configuration, path: Path) -> None:
    """Add to the findings of an adapter what does not fit the configuration, which is the file `path`."""
    findings = adapter.findings
    _check_path(adapter, path, findings)
    if adapter.participant is None:
        return
    named = adapter.participant
    names = [p.name for p in configuration.participants]
    if named.text not in names:
        message = f"{path.name} has no participant '{named.text}'"
        findings.add(named.line, named.key, message, got=named.text, candidates=names, rule="adapter-participant")
        return
    participant = configuration.participant(named.text)
    for interface in adapter.interfaces:
        if _check_mesh(interface, participant, configuration, path, findings):
            for verb, given in (("read", interface.reads), ("write", interface.writes)):
                for name in given:
                    _check_data(name, verb, interface.mesh.text, participant, configuration, path, findings)
    sent = {e.data for s in configuration.schemes for e in s.exchanges if e.sender == participant.name}
    _check_complete(adapter, named, participant, sent, path, findings)


def _check_path(adapter: Adapter, path: Path, findings: Findings) -> None:
    """Note a path that leads to no file or to another configuration; it is relative to the folder of the file."""
    name = adapter.precice_config
    if name is None or "\0" in name.text:
        return
    folder = Path(adapter.file).parent
    # OpenFOAM's file lies in system/, and its solver runs in the folder above.
    places = [folder / name.text, folder.parent / name.text]
    found = next((p for p in places if paths.is_file(p)), None)
    if found is None:
        siblings = paths.files_in(path.parent, ".xml")
        expected, rule = f"'{_way(folder, path)}'", "adapter-path"
        message = f"there is no file '{name.text}'"
        got = Path(name.text).name if Path(name.text).name != path.name else None
        findings.add(name.line, name.key, message, expected=expected, got=got, candidates=siblings, rule=rule)
    elif paths.resolved(found) != paths.resolved(path):
        message = f"'{name.text}' is another configuration than {path.name}, which is checked here"
        findings.add(name.line, name.key, message, rule="adapter-path", severity=WARNING)


def _way(folder: Path, path: Path) -> str:
    up = len(paths.resolved(folder).parts) - len(paths.resolved(path.parent).parts)
    return "../" * max(up, 0) + path.name


def _check_mesh(
    interface: Interface, participant: ParticipantConfig, configuration: Configuration, path: Path, findings: Findings
) -> bool:
    """Note a mesh that the participant does not have; say whether it has it."""
    mesh, rule = interface.mesh, "adapter-mesh"
    if not participant.uses(mesh.text):
        used = [*participant.provides, *(r.name for r in participant.receives)]
        exists = any(m.name == mesh.text for m in configuration.meshes)
        message = f"{path.name} has no mesh '{mesh.text}'"
        if exists:
            message = f"{participant.name} neither provides nor receives mesh '{mesh.text}' in {path.name}"
        findings.add(mesh.line, mesh.key, message, got=mesh.text, candidates=used, rule=rule)
        return False
    received = participant.received(mesh.text)
    if interface.received is False and received is not None:
        message = f"{participant.name} receives mesh '{mesh.text}', but here it is one of its own"
        expected = f'"is_received": true, or <provide-mesh name="{mesh.text}" />'
        findings.add(mesh.line, mesh.key, message, expected=expected, rule=rule)
    if interface.received and received is None:
        message = f"{participant.name} provides mesh '{mesh.text}', but here it is received"
        expected = f'<receive-mesh name="{mesh.text}" from="..." api-access="true" /> in {path.name}'
        findings.add(mesh.line, mesh.key, message, expected=expected, rule=rule)
    if received is not None and not received.api_access and interface.received is not False:
        message = f"works on the points of mesh '{mesh.text}', which is received without api-access"
        fix = f'Add api-access="true" to line {received.line} of {path.name}'
        findings.add(mesh.line, mesh.key, message, rule=rule, fix=fix)
    return True


def _check_data(
    name: Name,
    verb: str,
    mesh: str,
    participant: ParticipantConfig,
    configuration: Configuration,
    path: Path,
    findings: Findings,
) -> None:
    accesses, others = participant.reads, participant.writes
    if verb == "write":
        accesses, others = others, accesses
    here = [a.data for a in accesses if a.mesh == mesh]
    rule = "adapter-data"
    if name.text not in here:
        message = f"{participant.name} does not {verb} '{name.text}' on {mesh} in {path.name}"
        turned = any(a.data == name.text and a.mesh == mesh for a in others)
        elsewhere = next((a.mesh for a in accesses if a.data == name.text), None)
        if turned:
            other = "write" if verb == "read" else "read"
            findings.add(name.line, name.key, message, rule=rule, fix=f"It {other}s it there: one of the two is wrong")
        elif elsewhere is not None:
            findings.add(name.line, name.key, message, rule=rule, fix=f"There it {verb}s it on {elsewhere}")
        else:
            tag = f'<{verb}-data name="{name.text}" mesh="{mesh}" />'
            findings.add(name.line, name.key, message, got=name.text, candidates=here, expected=tag, rule=rule)
        return
    vector = configuration.datum(name.text).vector
    if name.kind and vector != (name.kind == "vector"):
        told = "vector" if vector else "scalar"
        message = f"'{name.text}' is a <data:{told}> in {path.name}, but a {name.kind} here"
        findings.add(name.line, name.key, message, expected=told, rule=rule)


def _check_complete(
    adapter: Adapter, named: Name, participant: ParticipantConfig, sent: set[str], path: Path, findings: Findings
) -> None:
    """Note data that the configuration expects on a mesh of the file, and that the file does not name.

    Meshes that it does not name may have a file of their own, and what is not sent to anybody may be there to be shown.
    """
    meshes = {interface.mesh.text for interface in adapter.interfaces}
    writes = tuple(access for access in participant.writes if access.data in sent)
    for verb, accesses in (("write", writes), ("read", participant.reads)):
        told = _told(adapter.interfaces, verb)
        for access in accesses:
            if access.mesh not in meshes or (access.mesh, access.data) in told:
                continue
            consequence = "zeros would be sent" if verb == "write" else "what is sent to it is lost"
            message = (
                f"'{access.data}' on {access.mesh} is missing, which {participant.name} {verb}s in line {access.line} "
                f"of {path.name}: {consequence}"
            )
            fix = f"Add it here, or remove the <{verb}-data> there"
            findings.add(named.line, named.key, message, rule="adapter-data", severity=WARNING, fix=fix)


def _told(interfaces: Iterable[Interface], verb: str) -> set[tuple[str, str]]:
    return {(i.mesh.text, n.text) for i in interfaces for n in (i.reads if verb == "read" else i.writes)}
