"""A preCICE configuration as frozen dataclasses: `load(path)` reads, checks and returns one.

Everything that preCICE 3.4 accepts is represented, also what the embedded engine does not support (`refusals` names
that). All mistakes of a file come in one ConfigurationError.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalebridge import xmlfile
from scalebridge.embedded.acceleration.settings import AccelerationConfig
from scalebridge.embedded.mapping.settings import MappingConfig
from scalebridge.findings import ConfigurationError, Finding, Findings

Key = tuple[str, str]  # (mesh, data)


@dataclass(frozen=True)
class DataConfig:
    """`<data:scalar>` or `<data:vector>`; bounds per component, infinite where there is none."""

    name: str
    vector: bool
    waveform_degree: int
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    line: int = field(compare=False)

    def components(self, dimensions: int) -> int:
        """Return the number of components on a mesh of `dimensions` dimensions."""
        return dimensions if self.vector else 1


@dataclass(frozen=True)
class MeshConfig:
    """`<mesh>` with the names of its data in order."""

    name: str
    dimensions: int
    data: tuple[str, ...]
    line: int = field(compare=False)


@dataclass(frozen=True)
class ReceivedMesh:
    """`<receive-mesh>`; `provider` is the participant named by `from`."""

    name: str
    provider: str
    api_access: bool
    geometric_filter: str
    safety_factor: float
    line: int = field(compare=False)


@dataclass(frozen=True)
class Access:
    """`<read-data>` or `<write-data>`: one data on one mesh."""

    mesh: str
    data: str
    line: int = field(compare=False)

    @property
    def key(self) -> Key:
        return self.mesh, self.data


@dataclass(frozen=True)
class ConfiguredMapping:
    """`<mapping:KIND>` of a participant; `executor` is what runs radial-basis mappings, cpu unless said otherwise."""

    config: MappingConfig
    executor: str
    line: int = field(compare=False)


@dataclass(frozen=True)
class ActionConfig:
    """`<action:KIND>`; `timing` is write-mapping-post or read-mapping-post."""

    kind: str
    mesh: str
    timing: str
    sources: tuple[str, ...]
    target: str | None
    module: str
    path: str
    line: int = field(compare=False)


@dataclass(frozen=True)
class ExportConfig:
    """`<export:KIND>` with KIND vtk, vtu, vtp or csv."""

    kind: str
    directory: str
    every_n_time_windows: int
    every_iteration: bool
    update_series: bool
    line: int = field(compare=False)


@dataclass(frozen=True)
class WatchPointConfig:
    """`<watch-point>`."""

    name: str
    mesh: str
    coordinate: tuple[float, ...]
    line: int = field(compare=False)


@dataclass(frozen=True)
class WatchIntegralConfig:
    """`<watch-integral>`."""

    name: str
    mesh: str
    scale_with_connectivity: bool
    line: int = field(compare=False)


@dataclass(frozen=True)
class ParticipantConfig:
    """`<participant>`: what one program provides, receives, reads, writes, maps and puts out."""

    name: str
    provides: tuple[str, ...]
    receives: tuple[ReceivedMesh, ...]
    writes: tuple[Access, ...]
    reads: tuple[Access, ...]
    mappings: tuple[ConfiguredMapping, ...]
    actions: tuple[ActionConfig, ...]
    exports: tuple[ExportConfig, ...]
    watch_points: tuple[WatchPointConfig, ...]
    watch_integrals: tuple[WatchIntegralConfig, ...]
    line: int = field(compare=False)

    def uses(self, mesh: str) -> bool:
        """Say whether the participant provides or receives `mesh`."""
        return mesh in self.provides or self.received(mesh) is not None

    def received(self, mesh: str) -> ReceivedMesh | None:
        """Return how `mesh` is received, or None if it is not."""
        return next((r for r in self.receives if r.name == mesh), None)


@dataclass(frozen=True)
class ConnectionConfig:
    """`<m2n:KIND>`: the connection of two participants."""

    kind: str
    acceptor: str
    connector: str
    exchange_directory: str
    line: int = field(compare=False)


@dataclass(frozen=True)
class ExchangeConfig:
    """`<exchange>`; `sender` and `receiver` are the attributes `from` and `to`."""

    data: str
    mesh: str
    sender: str
    receiver: str
    initialize: bool
    substeps: bool
    line: int = field(compare=False)

    @property
    def key(self) -> Key:
        return self.mesh, self.data


@dataclass(frozen=True)
class MeasureConfig:
    """A convergence measure; `kind` is absolute, relative, residual-relative or absolute-or-relative.

    `limit` is the only limit of the first three; the last has `limit` (absolute) and `relative_limit`.
    """

    kind: str
    data: str
    mesh: str
    limit: float
    relative_limit: float
    suffices: bool
    strict: bool
    line: int = field(compare=False)

    @property
    def key(self) -> Key:
        return self.mesh, self.data


@dataclass(frozen=True)
class SchemeConfig:
    """`<coupling-scheme:KIND>`.

    Attributes
    ----------
    participants : in order; the first two are `first` and `second` except in a multi scheme.
    controller : the participant that accelerates and decides: the second one, or the one with `control`.
    time_window_size : None where the first participant sets it (`method="first-participant"`).
    max_iterations : None where there is no limit.
    """

    kind: str
    participants: tuple[str, ...]
    controller: str
    max_time: float | None
    max_time_windows: int | None
    time_window_size: float | None
    exchanges: tuple[ExchangeConfig, ...]
    min_iterations: int
    max_iterations: int | None
    measures: tuple[MeasureConfig, ...]
    acceleration: AccelerationConfig | None
    acceleration_line: int = field(compare=False)
    line: int = field(compare=False)

    @property
    def implicit(self) -> bool:
        return self.kind in ("serial-implicit", "parallel-implicit", "multi")

    @property
    def serial(self) -> bool:
        return self.kind.startswith("serial")


@dataclass(frozen=True)
class LogSink:
    """`<sink>` of `<log>`."""

    type: str
    output: str
    filter: str


@dataclass(frozen=True)
class Configuration:
    """A whole configuration file, in the order of the file."""

    file: str = field(compare=False)
    experimental: bool
    allow_remeshing: bool
    wait_in_finalize: bool
    sinks: tuple[LogSink, ...] | None = field(compare=False)
    profiling: str = field(compare=False)
    data: tuple[DataConfig, ...]
    meshes: tuple[MeshConfig, ...]
    connections: tuple[ConnectionConfig, ...]
    participants: tuple[ParticipantConfig, ...]
    schemes: tuple[SchemeConfig, ...]

    def mesh(self, name: str) -> MeshConfig:
        """Return the mesh `name`; KeyError if there is none."""
        return _named(self.meshes, name)

    def datum(self, name: str) -> DataConfig:
        """Return the data `name`; KeyError if there is none."""
        return _named(self.data, name)

    def participant(self, name: str) -> ParticipantConfig:
        """Return the participant `name`; KeyError if there is none."""
        return _named(self.participants, name)

    def components(self, mesh: str, data: str) -> int:
        """Return the number of components of `data` on `mesh`: 1 for a scalar, the mesh's dimensions for a vector."""
        return self.datum(data).components(self.mesh(mesh).dimensions)

    def data_keys(self) -> tuple[Key, ...]:
        """Return every (mesh, data) in the order of the file, which is the order in which preCICE treats data."""
        return tuple((m.name, d) for m in self.meshes for d in m.data)

    def connection(self, one: str, other: str) -> ConnectionConfig | None:
        """Return the connection between two participants, or None."""
        return next((c for c in self.connections if {c.acceptor, c.connector} == {one, other}), None)

    def schemes_of(self, participant: str) -> tuple[SchemeConfig, ...]:
        """Return the coupling schemes that a participant takes part in."""
        return tuple(s for s in self.schemes if participant in s.participants)

    def canonical(self) -> str:
        """Return what two participants must agree on as text: all but lines, logging and the file's name."""
        return json.dumps(_plain(self), sort_keys=True, separators=(",", ":"))


def _named[T: (MeshConfig, DataConfig, ParticipantConfig)](things: tuple[T, ...], name: str) -> T:
    for thing in things:
        if thing.name == name:
            return thing
    raise KeyError(name)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def load(path: str | Path) -> Configuration:
    """Read and check the preCICE configuration `path`.

    Raises
    ------
    ConfigurationError
        With every mistake in the file: unknown tags, attributes and values, missing ones, names that are not defined,
        data flow that cannot work.
    """
    configuration, found = read(path)
    if found or configuration is None:
        raise ConfigurationError(found)
    return configuration


def read(path: str | Path) -> tuple[Configuration | None, list[Finding]]:
    """Read a configuration as `load` does, but return the mistakes, and as much of the configuration as was understood.

    The rules of the findings tell how far to trust it: after "xml" there is none; after "schema" or "name" parts may be
    missing or refer to nothing; after "value" and "flow" it has everything that the file has.
    """
    from scalebridge.embedded import elements, order, reader, references, schema

    findings = Findings(str(path), "schema")
    try:
        root = xmlfile.read(path)
    except ConfigurationError as error:
        return None, list(error.findings)
    if root.tag != schema.CONFIGURATION.name:
        message = f"the outermost tag is <{root.tag}>"
        findings.add(root.line, f"<{root.tag}>", message, expected=f"<{schema.CONFIGURATION.name}>")
        return None, findings.found
    node = elements.read(root, schema.CONFIGURATION, findings)
    findings.rule = "value"
    configuration = reader.build(node, str(path), findings)
    references.check(configuration, findings)
    order.check(configuration, findings)
    findings.found.sort(key=lambda f: f.line or 0)
    return configuration, findings.found


def refusals(configuration: Configuration, participant: str | None = None) -> list[Finding]:
    """Return what in a valid configuration the embedded engine does not support, each by name.

    With `participant` given, only what concerns that participant and what concerns everybody.
    """
    from scalebridge.embedded import refusals as module

    return module.find(configuration, participant)
