"""Changes to a case that a variant or `--set` asks for: `Micro.settings.cells = 64`.

A place is a dotted path that begins with the name of a participant or with a key of the file (`coupling`). The value
replaces what stands there, whole; `null` takes it away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from scalebridge.cases import yamlfile
from scalebridge.cases.yamlfile import Node
from scalebridge.findings import ConfigurationError, Findings

CHANGEABLE = ("title", "coupling", "scaling", "seed", "strict-convergence", "report")
COMMAND_LINE = 0  # the line of what came by --set


@dataclass(frozen=True)
class Change:
    """One change: the dotted path, the new value, and the line where it is asked for."""

    path: str
    value: Node
    line: int


def from_variant(variant: Node) -> list[Change]:
    """Return the changes of a variant, a mapping of dotted paths to values."""
    return [Change(path, value, variant.keys[path]) for path, value in (variant.mapping or {}).items()]


def from_command_line(arguments: Iterable[str], findings: Findings) -> list[Change]:
    """Return the changes that `PATH=VALUE` arguments ask for; VALUE is YAML."""
    changes = []
    for argument in arguments:
        path, equals, text = argument.partition("=")
        if not equals or not path.strip():
            findings.add(
                COMMAND_LINE, argument, "is not of the form PATH=VALUE", expected="as in Micro.settings.cells=64"
            )
            continue
        try:
            value = yamlfile.parse(text, "--set")
        except ConfigurationError as error:
            findings.add(COMMAND_LINE, path, f"the value {error.findings[0].message}")
            continue
        changes.append(Change(path.strip(), _moved(value), COMMAND_LINE))
    return changes


def apply(root: Node, changes: Iterable[Change], findings: Findings) -> Node:
    """Return the file with the changes made; a path that leads nowhere is added to `findings`."""
    for change in changes:
        parts = change.path.split(".")
        participants = (root.mapping or {}).get("participants")
        names = list((participants.mapping if participants else None) or {})
        if len(parts) > 1 and parts[0] in names:
            parts = ["participants", *parts]
        elif parts[0] not in CHANGEABLE:
            message = f"'{parts[0]}' is neither a participant nor a key that can be changed"
            if parts[0] in names:
                findings.add(change.line, change.path, "is a whole participant", expected=f"as in {parts[0]}.run")
            else:
                findings.add(change.line, change.path, message, got=parts[0], candidates=[*names, *CHANGEABLE])
            continue
        changed = _with(root, parts, change)
        if changed is None or not all(parts):
            findings.add(change.line, change.path, "leads into a value that is no mapping")
        else:
            root = changed
    return root


def _with(node: Node, parts: list[str], change: Change) -> Node | None:
    """Return `node` with the value at the path `parts` replaced, or None where the path leads into a plain value."""
    if not parts:
        return change.value
    if node.mapping is None:
        return None
    entries, keys = dict(node.mapping), dict(node.keys)
    head, *rest = parts
    if not rest and change.value.value is None:
        entries.pop(head, None)
        keys.pop(head, None)
        return replace(node, value=entries, keys=keys)
    inner = _with(entries.get(head, Node({}, change.line, {})), rest, change)
    if inner is None:
        return None
    entries[head] = inner
    keys[head] = change.line if not rest else keys.get(head, change.line)
    return replace(node, value=entries, keys=keys)


def _moved(node: Node) -> Node:
    """Return the node with every line being the command line's."""
    value = node.value
    if isinstance(value, dict):
        value = {key: _moved(entry) for key, entry in value.items()}
    elif isinstance(value, list):
        value = [_moved(entry) for entry in value]
    return Node(value, COMMAND_LINE, dict.fromkeys(node.keys, COMMAND_LINE))
