"""How the fields of one participant travel according to the preCICE configuration and the scaling file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from adapters import tensors
from scalebridge import xmlfile
from scalebridge.embedded import config
from scalebridge.fields import Field
from scalebridge.findings import nearest
from scalebridge.units import Conversion, converter


class CouplingError(RuntimeError):
    """A coupled run that cannot go on; the message says who, which data, where, and what to do."""


@dataclass(frozen=True)
class Channel:
    """How one field travels on one mesh.

    Attributes
    ----------
    name, field : the field in the participant's own terms.
    dimension : number of space dimensions of a tensor or vector.
    carriers : names of the preCICE data that carry the field, and the component that each does.
    conversion : from the unit on the wire to the participant's (reading), or the other way (writing).
    writer : the participant that writes it.
    initial : a value for the start of the first window is sent.
    late : no such value can be sent, because the writer receives the mesh.
    arrival : the iteration of the first window in which the first value arrives, where none is sent for the start.
    relaxed : that first value is one that the scheme's acceleration has changed.
    """

    name: str
    field: Field
    dimension: int
    carriers: Mapping[str, tuple[int, ...]]
    conversion: Conversion
    writer: str
    initial: bool = False
    late: bool = False
    arrival: int = 1
    relaxed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value at one point: (), (d,), (d, d) or (d, d, d, d)."""
        return tensors.shape(self.field, self.dimension)

    @property
    def wire_shape(self) -> tuple[int, ...]:
        """Shape of the value at one point of each of the preCICE data: () or (d,)."""
        return self.shape if self.field.rank == 1 else ()


class Wiring:
    """The place of one participant in a coupled case.

    Parameters
    ----------
    path : preCICE configuration.
    name : name of the participant.
    reads, writes : its fields by name of the data.
    scaling : scaling file that gives the units on the wire, or None where every unit is the participant's own.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        reads: Mapping[str, Field],
        writes: Mapping[str, Field],
        scaling: Path | None = None,
    ) -> None:
        self.config = config.load(path)
        self.file = path.name
        self.name = name
        self.reads = reads
        self.writes = writes
        self.units = _wire_units(scaling) if scaling else {}
        names = [p.name for p in self.config.participants]
        if name not in names:
            raise CouplingError(f"{self.file} has no participant {name!r}{_hint(name, names)}")
        self.participant = self.config.participant(name)

    @property
    def introduction(self) -> Literal["gives", "takes"] | None:
        """Whether this participant writes or reads, in an implicit scheme, data that cannot be initialised."""
        late = [
            exchange
            for scheme in self.config.schemes_of(self.name)
            if scheme.implicit
            for exchange in scheme.exchanges
            if self.name in (exchange.sender, exchange.receiver) and self._late(exchange)
        ]
        if not late:
            return None
        return "gives" if any(exchange.sender == self.name for exchange in late) else "takes"

    @property
    def explicit(self) -> bool:
        """Whether no window is iterated: what is sent at the end of one is received at the start of the next."""
        return not any(scheme.implicit for scheme in self.config.schemes_of(self.name))

    @property
    def left_by_iterations(self) -> float:
        """The largest relative change of data that the iterations of a window may leave; 0 where none is limited."""
        measures = [m for scheme in self.config.schemes_of(self.name) for m in scheme.measures]
        return max((m.limit for m in measures if m.kind == "relative"), default=0.0)

    def require_provided(self, mesh: str) -> None:
        """Raise CouplingError unless the participant provides `mesh`."""
        if mesh not in self.participant.provides:
            hint = _hint(mesh, self.participant.provides)
            raise CouplingError(f'{self.file}: {self.name} has no <provide-mesh name="{mesh}" />{hint}')

    def require_access(self, mesh: str) -> None:
        """Raise CouplingError unless the participant receives `mesh` with api-access."""
        received = self.participant.received(mesh)
        if received is None:
            hint = _hint(mesh, [r.name for r in self.participant.receives])
            raise CouplingError(f'{self.file}: {self.name} has no <receive-mesh name="{mesh}" ... />{hint}')
        if not received.api_access:
            raise CouplingError(
                f"{self.file}:{received.line}: {self.name} works on the points of {mesh} itself: "
                f'<receive-mesh name="{mesh}" ... /> needs api-access="true"'
            )

    def reading(self, mesh: str, name: str) -> Channel:
        """Return how the participant reads the field `name` on `mesh`."""
        field = self._declared(name, self.reads, "reads")
        dimension, carriers = self._carriers(mesh, name, field, "read")
        exchange = self._exchange(next(iter(carriers)), mesh)
        scheme = next(s for s in self.config.schemes_of(self.name) if exchange in s.exchanges)
        ahead = scheme.serial and scheme.participants[0] == exchange.sender
        late = self._late(exchange)
        return Channel(
            name,
            field,
            dimension,
            carriers,
            converter(self.units.get(name, field.unit), field.unit),
            exchange.sender,
            initial=exchange.initialize,
            late=late,
            arrival=1 if ahead else 2,
            relaxed=late and scheme.acceleration is not None and not ahead,
        )

    def writing(self, mesh: str, name: str) -> Channel:
        """Return how the participant writes the field `name` on `mesh`."""
        field = self._declared(name, self.writes, "writes")
        dimension, carriers = self._carriers(mesh, name, field, "write")
        conversion = converter(field.unit, self.units.get(name, field.unit))
        return Channel(name, field, dimension, carriers, conversion, self.name)

    def require_written(self, written: Iterable[tuple[str, str]]) -> None:
        """Raise CouplingError if the configuration expects data that nobody writes: preCICE would send zeros.

        `written` are the (mesh, data) for which there is a source.
        """
        known = set(written)
        missing = [a for a in self.participant.writes if a.key not in known]
        if missing:
            told = "; ".join(f"line {a.line}: {a.data} on {a.mesh}" for a in missing)
            raise CouplingError(
                f"{self.file} says that {self.name} writes data that it has no values for ({told}): "
                "zeros would be sent. Remove the <write-data ... /> or write the data"
            )

    def horizon(self) -> tuple[float, int | None, float | None]:
        """Return the end of the run [s] (infinite if open), its number of windows, and their size [s], where known."""
        end, windows, size = math.inf, None, None
        for scheme in self.config.schemes_of(self.name):
            size = scheme.time_window_size or size
            if scheme.max_time is not None:
                end = min(end, scheme.max_time)
            if scheme.max_time_windows is not None and size:
                end = min(end, scheme.max_time_windows * size)
            elif scheme.max_time_windows is not None:
                windows = scheme.max_time_windows
        if size and math.isfinite(end):
            windows = math.ceil(end / size - 1e-9)
        return end, windows, size

    def _declared(self, name: str, fields: Mapping[str, Field], verb: str) -> Field:
        if name not in fields:
            raise CouplingError(f"{self.name} {verb} {name!r}, which it does not declare{_hint(name, fields)}")
        return fields[name]

    def _carriers(self, mesh: str, name: str, field: Field, verb: str) -> tuple[int, dict[str, tuple[int, ...]]]:
        """Return the number of dimensions of a tensor and its components, from the data that there are for it."""
        accesses = self.participant.reads if verb == "read" else self.participant.writes
        there = [a.data for a in accesses if a.mesh == mesh]
        dimension = self.config.mesh(mesh).dimensions
        if field.rank >= 2:
            dimension = tensors.dimension_of(name, there, dimension)
        wanted = field.carriers(name, dimension, there)
        missing = [data for data in wanted if data not in there]
        if missing:
            tags = ", ".join(f'<{verb}-data name="{data}" mesh="{mesh}" />' for data in missing)
            raise CouplingError(
                f"{self.file}: {self.name} {verb}s {name} on {mesh}, but has no {tags}{_hint(missing[0], there)}"
            )
        if field.rank >= 2 and (strange := sorted(tensors.components_of(name, there).difference(wanted))):
            raise CouplingError(
                f"{self.file}: {self.name} {verb}s {name} on {mesh} as a symmetric tensor of {', '.join(wanted)}: "
                f"remove {', '.join(strange)}"
            )
        self._require_kind(name, field)
        return dimension, wanted

    def _require_kind(self, name: str, field: Field) -> None:
        """Raise CouplingError if a vector is declared where a scalar travels, or the other way round."""
        datum = self.config.datum(name) if field.rank < 2 else None
        if datum is not None and datum.vector != (field.rank == 1):
            found, wanted = ("vector", "scalar") if datum.vector else ("scalar", "vector")
            raise CouplingError(f"{self.file}:{datum.line}: {name} is a data:{found}; {self.name} has it as a {wanted}")

    def _late(self, exchange: config.ExchangeConfig) -> bool:
        """Whether the sender cannot send initial values, because it writes on a mesh that it receives itself."""
        sender = self.config.participant(exchange.sender)
        return any(a.key == exchange.key for a in sender.writes) and sender.received(exchange.mesh) is not None

    def _exchange(self, data: str, mesh: str) -> config.ExchangeConfig:
        """Return the exchange that brings `data`, on `mesh` or, where it is mapped, on another one."""
        coming = [e for s in self.config.schemes_of(self.name) for e in s.exchanges if e.receiver == self.name]
        coming = sorted((e for e in coming if e.data == data), key=lambda e: e.mesh != mesh)
        if not coming:
            raise CouplingError(
                f'{self.file}: nobody sends {data}: there is no <exchange data="{data}" to="{self.name}" />'
            )
        return coming[0]


def _wire_units(path: Path) -> dict[str, str]:
    elements = xmlfile.read(path).all("downscale", "upscale")
    return {e.attributes["data"]: e.attributes["unit"] for e in elements if {"data", "unit"} <= e.attributes.keys()}


def _hint(name: str, candidates: Iterable[str]) -> str:
    meant = nearest(name, candidates)
    return f". Did you mean {meant!r}?" if meant else ""
