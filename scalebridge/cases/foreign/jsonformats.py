"""The JSON files of preCICE's adapters: the common schema, FEniCS and FEniCSx, the Micro Manager, the FMI runner.

Most of these ignore keys that they do not know, so a misspelt one passes unseen: here it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scalebridge.cases.foreign.adapter import Adapter, Interface, Name
from scalebridge.cases.yamlfile import Node
from scalebridge.findings import WARNING, Findings

MICRO_MANAGER = "Micro-Manager"  # what it calls itself where the file says nothing
CONFIG_KEYS = ("precice_config_file_path", "precice_config_file_name", "config_file_name")
COUPLING_KEYS = (
    "participant_name", *CONFIG_KEYS, "macro_mesh_name", "mesh_name", "micro_dt", "parameter_file_name",
    "read_data", "write_data", "read_data_name", "write_data_name", "read_data_names", "write_data_names",
)  # fmt: skip
INTERFACE_KEYS = (
    "mesh_name", "coupling_mesh_name", "patches", "location", "location_type", "is_received", "interpolation_type",
    "read_data", "write_data", "read_data_name", "write_data_name", "read_data_names", "write_data_names",
)  # fmt: skip
DATA_KEYS = ("name", "solver_name", "operation", "flip-normal", "type")
SIMULATION_KEYS = (
    "macro_domain_bounds", "micro_dt", "decomposition", "decomposition_type", "adaptivity", "adaptivity_settings",
    "interpolate_crash", "load_balancing", "load_balancing_settings", "fmu_file_name", "output_file_name", "output",
    "fmu_read_data_names", "fmu_write_data_names", "fmu_instance_name", "model_adaptivity", "model_adaptivity_settings",
    "tasking", "minimum_access_region_size",
)  # fmt: skip
DIRECTIONS = (("read", "reads"), ("write", "writes"))


def is_adapter(root: Node) -> bool:
    """Say whether a JSON file is one of an adapter."""
    keys = set(root.mapping or ())
    return bool(keys & {"participant_name", "coupling_params", "interface", "interfaces", *CONFIG_KEYS})


def read(root: Node, file: str) -> Adapter:
    """Return what a JSON file says that `is_adapter`; what is wrong with it is in the adapter's findings."""
    entries, findings = root.mapping or {}, Findings(file, "adapter-file")
    coupling = entries.get("coupling_params")
    if coupling is not None:
        return _coupled(root, coupling, file, findings)
    known = ("participant_name", *CONFIG_KEYS, "interface", "interfaces")
    for key in entries:  # the schema lets solvers put what is their own into an object
        if key not in known and entries[key].mapping is None:
            findings.add(root.keys[key], key, "no such key", got=key, candidates=known, severity=WARNING)
    interfaces = list(_interfaces(entries, root, findings))
    kind = "the adapter schema" if "precice_config_file_path" in entries else "the FEniCS and FEniCSx adapters"
    return Adapter(
        file,
        "the Micro Manager" if "micro_manager" in entries else kind,
        _required(entries, root, "participant_name", findings),
        _config(entries, root, "", findings),
        tuple(interfaces),
        findings,
    )


def _coupled(root: Node, coupling: Node, file: str, findings: Findings) -> Adapter:
    """Return what the files of the Micro Manager (up to 0.11) and of the FMI runner say."""
    entries = coupling.mapping or {}
    if coupling.mapping is None:
        findings.add(coupling.line, "coupling_params", "is not an object")
    place = "coupling_params."
    _known(coupling, place, COUPLING_KEYS, findings)
    simulation = (root.mapping or {}).get("simulation_params")
    if simulation is not None and simulation.mapping is not None:
        _known(simulation, "simulation_params.", SIMULATION_KEYS, findings)
    micro = "macro_mesh_name" in entries or "micro_file_name" in (root.mapping or {})
    key = "macro_mesh_name" if micro else "mesh_name"
    mesh = _required(entries, coupling, key, findings, place)
    made = [_interface(coupling, mesh, place, findings, received=True if micro else None)] if mesh else []
    participant = _text(entries.get("participant_name"), f"{place}participant_name", findings)
    if participant is None and micro:
        participant = Name(MICRO_MANAGER, coupling.line, "coupling_params")
    elif participant is None and "participant_name" not in entries:
        findings.add(coupling.line, f"{place}participant_name", "is missing")
    config = _config(entries, coupling, place, findings)
    return Adapter(file, "the Micro Manager" if micro else "the FMI runner", participant, config, tuple(made), findings)


def _interfaces(entries: dict[str, Node], root: Node, findings: Findings) -> Iterator[Interface]:
    if (one := entries.get("interface")) is not None:
        mesh = _required(one.mapping or {}, one, "coupling_mesh_name", findings, "interface.")
        if mesh is not None:
            _known(one, "interface.", INTERFACE_KEYS, findings)
            yield _interface(one, mesh, "interface.", findings)
    several = entries.get("interfaces")
    if several is None:
        if one is None:
            findings.add(root.line, "interfaces", "is missing", expected='[{"mesh_name": ...}, ...]')
        return
    for number, node in enumerate(several.items or []):
        place = f"interfaces[{number}]."
        _known(node, place, INTERFACE_KEYS, findings)
        mesh = _required(node.mapping or {}, node, "mesh_name", findings, place)
        if mesh is not None:
            yield _interface(node, mesh, place, findings)
    for name, node in (several.mapping or {}).items():
        place = f"interfaces.{name}."
        _known(node, place, INTERFACE_KEYS, findings)
        yield _interface(node, Name(name, several.keys[name], place.rstrip(".")), place, findings)
    if several.items is None and several.mapping is None:
        findings.add(several.line, "interfaces", "is not a list", expected='[{"mesh_name": ...}, ...]')


def _interface(node: Node, mesh: Name, place: str, findings: Findings, received: bool | None = None) -> Interface:
    entries = node.mapping or {}
    told = entries.get("is_received")
    if told is not None and not isinstance(told.value, bool):
        findings.add(told.line, f"{place}is_received", "is not true or false")
    elif told is not None:
        received = bool(told.value)
    names: dict[str, tuple[Name, ...]] = {}
    for verb, group in DIRECTIONS:
        found: list[Name] = []
        for key in (f"{verb}_data", f"{verb}_data_name", f"{verb}_data_names"):
            if key in entries:
                found += _data(entries[key], place + key, findings)
        for first, second in ((a, b) for i, b in enumerate(found) for a in found[:i] if a.text == b.text):
            findings.add(second.line, second.key, f"'{second.text}' stands here twice, first in line {first.line}")
        names[group] = tuple(found)
    return Interface(mesh, names["reads"], names["writes"], received)


def _data(node: Node, key: str, findings: Findings) -> list[Name]:
    """Return names of data: one text, a list of texts or of objects with a name, an object, {NAME: KIND}."""
    if node.items is not None:
        return [name for number, item in enumerate(node.items) for name in _data(item, f"{key}[{number}]", findings)]
    entries = node.mapping
    if entries is None:
        name = _text(node, key, findings)
        return [name] if name else []
    if "name" in entries:
        _known(node, f"{key}.", DATA_KEYS, findings)
        name = _text(entries["name"], f"{key}.name", findings)
        kind = _kind(entries.get("type"), f"{key}.type", findings)
        return [Name(name.text, name.line, name.key, kind)] if name else []
    return [Name(n, node.keys[n], f"{key}.{n}", _kind(entries[n], f"{key}.{n}", findings)) for n in entries]


def _kind(node: Node | None, key: str, findings: Findings) -> str:
    if node is None:
        return ""
    if node.value not in ("scalar", "vector"):
        findings.add(node.line, key, "is no kind of data", got=str(node.plain()), candidates=("scalar", "vector"))
        return ""
    return str(node.value)


def _config(entries: dict[str, Node], node: Node, place: str, findings: Findings) -> Name | None:
    given = [key for key in CONFIG_KEYS if key in entries]
    if not given:
        findings.add(node.line, f"{place}{CONFIG_KEYS[0]}", "is missing", expected="the path of the preCICE XML")
        return None
    return _text(entries[given[0]], place + given[0], findings)


def _required(entries: dict[str, Node], node: Node, key: str, findings: Findings, place: str = "") -> Name | None:
    if key not in entries:
        findings.add(node.line, place + key, "is missing")
        return None
    return _text(entries[key], place + key, findings)


def _text(node: Node | None, key: str, findings: Findings) -> Name | None:
    if node is None:
        return None
    if not isinstance(node.value, str) or not node.value:
        findings.add(node.line, key, "is not a text")
        return None
    return Name(node.value, node.line, key)


def _known(node: Node, place: str, names: Iterable[str], findings: Findings) -> None:
    for key in node.mapping or {}:
        if key not in names:
            message = "no such key: it would be ignored"
            findings.add(node.keys[key], place + key, message, got=key, candidates=names, severity=WARNING)
