"""What the rules look at: a preCICE configuration whose names refer to something, and what its participants tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scalebridge.cases.timescales import Separation
from scalebridge.embedded.config import Access, Configuration, ExchangeConfig, ParticipantConfig, SchemeConfig
from scalebridge.findings import ERROR, HINT, WARNING, Finding, nearest

MAKING_ACTIONS = ("summation", "python")  # these give their target a value; the others only scale it


@dataclass(frozen=True)
class View:
    """A configuration and its participants.

    Attributes
    ----------
    kinds : participant of ours -> "solver" or "micro".
    ranks : participant -> number of MPI ranks, where it is known.
    delays : participant -> shortest time [s] in which what it reads can act on what it writes, where it declares one.
    forward : participants that cannot go back to the start of a window.
    separations : how time windows compare with how fast things happen, where participants say it.
    """

    configuration: Configuration
    kinds: Mapping[str, str] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    delays: Mapping[str, float] = field(default_factory=dict)
    forward: Collection[str] = ()
    separations: Sequence[Separation] = ()

    # ---- saying what is wrong

    def error(self, line: int | None, key: str, message: str, **more: str) -> Finding:
        """Return a finding that stops a run; `more` are `expected`, `fix` and `nearest`."""
        return Finding(self.configuration.file, line, key, message, severity=ERROR, **more)

    def warning(self, line: int | None, key: str, message: str, **more: str) -> Finding:
        """Return a finding that is most likely a mistake."""
        return Finding(self.configuration.file, line, key, message, severity=WARNING, **more)

    def hint(self, line: int | None, key: str, message: str, **more: str) -> Finding:
        """Return a finding that may well be meant."""
        return Finding(self.configuration.file, line, key, message, severity=HINT, **more)

    # ---- who sends what to whom

    def participants(self) -> tuple[ParticipantConfig, ...]:
        """Return all participants."""
        return self.configuration.participants

    def exchanges(self) -> Iterator[tuple[SchemeConfig, ExchangeConfig]]:
        """Yield every exchange with its scheme."""
        for scheme in self.configuration.schemes:
            for exchange in scheme.exchanges:
                yield scheme, exchange

    def coming(self, reader: ParticipantConfig, data: str) -> list[ExchangeConfig]:
        """Return the exchanges that bring `data` to a participant, on whatever mesh."""
        return [e for _, e in self.exchanges() if e.receiver == reader.name and e.data == data]

    def going(self, writer: ParticipantConfig, data: str) -> list[ExchangeConfig]:
        """Return the exchanges that take `data` from a participant, on whatever mesh."""
        return [e for _, e in self.exchanges() if e.sender == writer.name and e.data == data]

    def brings(self, reader: ParticipantConfig, access: Access, exchange: ExchangeConfig) -> bool:
        """Say whether what an exchange brings arrives where the participant reads it, directly or mapped."""
        return exchange.data == access.data and exchange.mesh in {access.mesh, *read_mapped(reader, access.mesh)}

    def takes(self, writer: ParticipantConfig, access: Access, exchange: ExchangeConfig) -> bool:
        """Say whether an exchange takes what the participant writes, directly or mapped."""
        return exchange.data == access.data and exchange.mesh in {access.mesh, *write_mapped(writer, access.mesh)}

    def writers(self, data: str) -> list[tuple[ParticipantConfig, Access]]:
        """Return who writes `data`, and where."""
        return [(p, w) for p in self.participants() for w in p.writes if w.data == data]

    def readers(self, data: str) -> list[tuple[ParticipantConfig, Access]]:
        """Return who reads `data`, and where."""
        return [(p, r) for p in self.participants() for r in p.reads if r.data == data]

    def schemes_of(self, one: str, other: str) -> list[SchemeConfig]:
        """Return the coupling schemes of two participants."""
        return [s for s in self.configuration.schemes if {one, other} <= set(s.participants)]

    def is_late(self, exchange: ExchangeConfig) -> bool:
        """Say whether initial data are impossible, because the sender writes on a mesh that it receives."""
        sender = self.configuration.participant(exchange.sender)
        return any(w.key == exchange.key for w in sender.writes) and sender.received(exchange.mesh) is not None


def read_mapped(reader: ParticipantConfig, mesh: str) -> set[str]:
    """Return the meshes from which the participant maps to `mesh` to read there."""
    made = (m.config for m in reader.mappings)
    return {m.from_mesh for m in made if m.direction == "read" and m.to_mesh == mesh and m.from_mesh}


def write_mapped(writer: ParticipantConfig, mesh: str) -> set[str]:
    """Return the meshes to which the participant maps what it writes on `mesh`."""
    made = (m.config for m in writer.mappings)
    return {m.to_mesh for m in made if m.direction == "write" and m.from_mesh == mesh and m.to_mesh}


def is_made(participant: ParticipantConfig, data: str) -> bool:
    """Say whether an action of the participant gives `data` its values."""
    return any(a.target == data and a.kind in MAKING_ACTIONS for a in participant.actions)


def is_acted_on(participant: ParticipantConfig, data: str) -> bool:
    """Say whether an action of the participant uses `data`."""
    return any(data in a.sources for a in participant.actions)


def is_shown(participant: ParticipantConfig, mesh: str) -> bool:
    """Say whether the participant exports or watches what is on `mesh`."""
    watched = {*(w.mesh for w in participant.watch_points), *(w.mesh for w in participant.watch_integrals)}
    return mesh in watched or (bool(participant.exports) and participant.uses(mesh))


def meant(name: str, candidates: list[str]) -> dict[str, str]:
    """Return `nearest` for a finding, if a candidate is near."""
    near = nearest(name, [c for c in candidates if c != name])
    return {"nearest": near} if near else {}
