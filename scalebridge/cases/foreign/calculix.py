"""The `config.yml` of the CalculiX adapter: its participants with their meshes and data."""

from __future__ import annotations

from scalebridge.cases.foreign.adapter import Adapter, Interface, Name
from scalebridge.cases.yamlfile import Node
from scalebridge.findings import WARNING, Findings

MESH_KEYS = ("nodes-mesh", "faces-mesh", "nodes-mesh-with-connectivity", "elements-mesh", "mesh")
KEYS = (*MESH_KEYS, "patch", "location", "read-data", "write-data")


def is_adapter(root: Node) -> bool:
    """Say whether a YAML file is one of the CalculiX adapter."""
    return {"participants", "precice-config-file"} <= set(root.mapping or ())


def read(root: Node, file: str) -> list[Adapter]:
    """Return what a file says that `is_adapter`, one adapter for each participant."""
    entries = root.mapping or {}
    found = []
    participants = entries["participants"]
    for name, node in (participants.mapping or {}).items():
        findings = Findings(file, "adapter-file")
        place = f"participants.{name}"
        interfaces = (node.mapping or {}).get("interfaces")
        if interfaces is None or interfaces.items is None:
            findings.add(node.line, f"{place}.interfaces", "is missing or no list")
        made = [
            interface
            for number, item in enumerate((interfaces.items if interfaces else None) or [])
            if (interface := _interface(item, f"{place}.interfaces[{number}]", findings))
        ]
        config = entries["precice-config-file"]
        path = Name(config.value, config.line, "precice-config-file") if isinstance(config.value, str) else None
        called = Name(name, participants.keys[name], place)
        found.append(Adapter(file, "the CalculiX adapter", called, path, tuple(made), findings))
    return found


def _interface(node: Node, place: str, findings: Findings) -> Interface | None:
    entries = node.mapping or {}
    for key in entries:
        if key not in KEYS:
            findings.add(node.keys[key], f"{place}.{key}", "no such key", got=key, candidates=KEYS, severity=WARNING)
    mesh = next((k for k in MESH_KEYS if k in entries), "")
    if not mesh or not isinstance(entries[mesh].value, str):
        findings.add(node.line, place, "has no mesh", expected="nodes-mesh: NAME, or faces-mesh: NAME")
        return None
    reads, writes = (_names(entries.get(k), f"{place}.{k}", findings) for k in ("read-data", "write-data"))
    return Interface(Name(str(entries[mesh].value), entries[mesh].line, f"{place}.{mesh}"), reads, writes, False)


def _names(node: Node | None, key: str, findings: Findings) -> tuple[Name, ...]:
    if node is None:
        return ()
    items = node.items if node.items is not None else [node]
    if any(not isinstance(item.value, str) for item in items):
        findings.add(node.line, key, "is not a list of names", expected="[NAME, ...]")
    return tuple(Name(item.value, item.line, key) for item in items if isinstance(item.value, str))
