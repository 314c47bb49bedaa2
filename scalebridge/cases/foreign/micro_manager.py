"""The JSON file of the preCICE Micro Manager, as of its version 0.12.

What scalebridge does not do is refused or ignored by name. The Micro Manager itself passes over keys and values that it
does not know without a word: here they are errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalebridge.cases.foreign import jsonfile
from scalebridge.cases.foreign import micro_manager_keys as keys
from scalebridge.cases.foreign.micro_manager_keys import Key
from scalebridge.cases.yamlfile import Node
from scalebridge.findings import WARNING, ConfigurationError, Finding, Findings, errors

RULE = "micro-manager"
# what names may look like in 0.12, and in words
NAMES = {
    "participant_name": (r"[A-Z][a-zA-Z0-9-]*", "a name such as Micro-Manager"),
    "mesh_name": (
        r"[A-Z][a-zA-Z0-9]*(-[A-Z][a-zA-Z0-9]*)*-Mesh(-[A-Z][a-zA-Z0-9]*)*",
        "a name such as Macro-Mesh, with -Mesh in it",
    ),
    "name": (r"[A-Z][a-zA-Z0-9]*(-[A-Za-z0-9]+)*", "a name such as Heat-Flux"),
}
_MODULE = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*", re.ASCII)


@dataclass(frozen=True)
class MicroManagerFile:
    """What scalebridge takes from such a file.

    Attributes
    ----------
    file : the file itself.
    participant, mesh : names in the preCICE configuration.
    precice_config : the preCICE configuration.
    reads, writes : names of the data, in the order of the file.
    module : name of the Python module with the class.
    micro_dt : longest step [s].
    bounds : (2 dim,) least and largest coordinate of every axis [m].
    output_every : after how many time windows `output()` is called.
    output_directory : where files go, relative to the working folder; "" for that folder itself.
    adaptive : whether adaptivity was asked for, which makes the Micro Manager write Active-State and Active-Steps.
    warnings : what of the file is ignored.
    """

    file: Path
    participant: str
    precice_config: Path
    mesh: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    module: str
    micro_dt: float
    bounds: tuple[float, ...]
    output_every: int = 1
    output_directory: str = ""
    adaptive: bool = False
    warnings: tuple[Finding, ...] = ()


def load(path: Path) -> MicroManagerFile:
    """Read a file of the Micro Manager 0.12. Raises ConfigurationError with everything that is wrong with it."""
    path = Path(path)
    root = jsonfile.read(path)
    findings = Findings(path, RULE)
    if is_old(root):
        fix = f"Translate it: scalebridge migrate {path.name}"
        findings.add(root.line, "", "is a file of the Micro Manager before 0.12", fix=fix)
        raise ConfigurationError(findings.found)
    check(root, findings)
    if errors(findings.found):
        raise ConfigurationError(findings.found)
    return _taken(path, root.plain(), tuple(findings.found))


def is_old(root: Node) -> bool:
    """Say whether a file is one of the Micro Manager before 0.12."""
    entries = root.mapping or {}
    return "micro_manager" not in entries and any(key in entries for key in keys.OLD)


def check(root: Node, findings: Findings) -> None:
    """Note everything that is wrong with a file, and everything of it that is ignored."""
    _object(root, keys.FILE, "", findings)
    if errors(findings.found):
        return
    entries = root.mapping or {}
    interfaces = entries["interfaces"].items or []
    if len(interfaces) != 1:
        findings.add(entries["interfaces"].line, "interfaces", f"has {len(interfaces)} entries", expected="one")
    for interface in interfaces[:1]:
        _data(interface, findings)
    _values(entries["micro_manager"], findings)


def name_misfit(key: str, name: str) -> str:
    """Return what version 0.12 wants instead of a name, "" where it takes it; `key` is one of NAMES."""
    pattern, wanted = NAMES[key]
    return "" if re.fullmatch(pattern, name, re.ASCII) else wanted


def module_of(text: str) -> str:
    """Return the name of the module that a path such as ``python/micro.py`` stands for; "" where it stands for none."""
    parts = [part for part in re.split(r"[/\\]", text.removesuffix(".py")) if part != "."]
    name = ".".join(parts)
    return name if _MODULE.fullmatch(name) else ""


def _object(node: Node, known: Mapping[str, Key], place: str, findings: Findings) -> None:
    entries = node.mapping
    if entries is None:
        findings.add(node.line, place.rstrip("."), "is not an object", expected=_of(known))
        return
    for name, value in entries.items():
        if name in known:
            _entry(name, value, known[name], place, node.keys[name], findings)
        else:
            message = "no such key: the Micro Manager would ignore it"
            findings.add(node.keys[name], place + name, message, got=name, candidates=known)
    for name, key in known.items():
        if key.required and name not in entries:
            findings.add(node.line, place + name, "is missing", expected=_expected(key))


def _entry(name: str, node: Node, key: Key, place: str, line: int, findings: Findings) -> None:
    where, value = place + name, node.plain()
    if not _is(key.kind, value):
        findings.add(line, where, f"{_shown(value)} is not {key.kind}", expected=_expected(key))
        return
    if key.choices and value not in key.choices:
        findings.add(line, where, f"{_shown(value)} is not a choice", got=str(value), candidates=key.choices)
        return
    for number, item in enumerate(node.items or []):
        if key.items and not _is(key.items, item.plain()):
            findings.add(item.line, f"{where}[{number}]", f"{_shown(item.plain())} is not {key.items}")
        elif key.inside is not None:
            _object(item, key.inside, f"{where}[{number}].", findings)
    if node.mapping is not None and key.inside is not None:
        _object(node, key.inside, f"{where}.", findings)
    if value in key.harmless or key.use == keys.USED:
        return
    if key.use == keys.REFUSED:
        findings.add(line, where, f"{_shown(value)} is not supported: {key.why}", fix=key.fix)
    else:
        findings.add(line, where, f"is ignored: {key.why}", severity=WARNING)


def _data(interface: Node, findings: Findings) -> None:
    entries = interface.mapping or {}
    if not any(entries[key].items for key in ("read_data", "write_data") if key in entries):
        findings.add(
            interface.line, "interfaces[0]", "neither reads nor writes data", expected="read_data or write_data"
        )
    for key in ("read_data", "write_data"):
        seen: set[str] = set()
        for number, item in enumerate(entries[key].items or [] if key in entries else []):
            name = item.plain()["name"]
            if name in seen:
                findings.add(item.line, f"interfaces[0].{key}[{number}].name", f"'{name}' stands here twice")
            seen.add(name)


def _values(manager: Node, findings: Findings) -> None:
    entries = manager.mapping or {}
    names, simulation = entries["micro_file_names"], entries["simulation_params"].mapping or {}
    place = "micro_manager."
    if not names.items:
        findings.add(names.line, f"{place}micro_file_names", "names no file", expected='a list such as ["micro"]')
    for number, item in enumerate(names.items or []):
        where = f"{place}micro_file_names[{number}]"
        if not module_of(str(item.value)):
            expected = "a module, or the path of one below the working folder, such as python/micro.py"
            findings.add(item.line, where, f"'{item.value}' is no Python module", expected=expected)
        elif number:
            findings.add(item.line, where, "is ignored: the first model runs at all points", severity=WARNING)
    place += "simulation_params."
    if not simulation["micro_dt"].plain() > 0:
        findings.add(simulation["micro_dt"].line, f"{place}micro_dt", "is not above 0")
    every = simulation.get("micro_output_n")
    if every is not None and every.plain() < 1:
        findings.add(every.line, f"{place}micro_output_n", "is not 1 or more")
    bounds = simulation["macro_domain_bounds"]
    ends = bounds.plain()
    if len(ends) not in (4, 6) or any(low >= high for low, high in zip(ends[::2], ends[1::2], strict=False)):
        expected = "[x_min, x_max, y_min, y_max] or six numbers, each minimum below its maximum"
        findings.add(bounds.line, f"{place}macro_domain_bounds", f"{ends} are no bounds", expected=expected)


def _taken(path: Path, plain: dict[str, Any], warnings: tuple[Finding, ...]) -> MicroManagerFile:
    interface, manager = plain["interfaces"][0], plain["micro_manager"]
    simulation = manager["simulation_params"]
    return MicroManagerFile(
        file=path,
        participant=plain["participant_name"],
        precice_config=path.parent / plain["precice_config_file_path"],
        mesh=interface["mesh_name"],
        reads=tuple(entry["name"] for entry in interface.get("read_data", ())),
        writes=tuple(entry["name"] for entry in interface.get("write_data", ())),
        module=module_of(manager["micro_file_names"][0]),
        micro_dt=float(simulation["micro_dt"]),
        bounds=tuple(float(end) for end in simulation["macro_domain_bounds"]),
        output_every=simulation.get("micro_output_n", 1),
        output_directory=manager.get("output_directory", ""),
        adaptive=bool(simulation.get("adaptivity", False) and "adaptivity_settings" in simulation),
        warnings=warnings,
    )


def _is(kind: str, value: Any) -> bool:
    if kind == keys.NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == keys.COUNT:
        return isinstance(value, int) and not isinstance(value, bool)
    types = {keys.TEXT: str, keys.FLAG: bool, keys.OBJECT: dict, keys.LIST: list}
    return isinstance(value, types[kind])


def _expected(key: Key) -> str:
    if key.choices:
        return "one of " + ", ".join(key.choices)
    if not key.items:
        return key.kind
    plural = {keys.TEXT: "texts", keys.NUMBER: "numbers", keys.COUNT: "whole numbers", keys.FLAG: "true or false"}
    return f"a list of {plural.get(key.items, 'objects')}"


def _of(known: Mapping[str, Key]) -> str:
    return "an object with " + ", ".join(name for name, key in known.items() if key.required)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
