"""Do the names in a configuration refer to something, and can the data flow as described?"""

from __future__ import annotations

from itertools import combinations

from scalebridge.embedded.config import (
    Access,
    Configuration,
    ConfiguredMapping,
    ExchangeConfig,
    Key,
    ParticipantConfig,
    SchemeConfig,
)
from scalebridge.embedded.names import Names
from scalebridge.embedded.reader import UNKNOWN_DIMENSIONS
from scalebridge.findings import Findings


class _Checker:
    def __init__(self, configuration: Configuration, findings: Findings) -> None:
        self.all = configuration
        self.findings = findings
        self.data = Names("data", [(d.name, d.line) for d in configuration.data], findings)
        self.meshes = Names("mesh", [(m.name, m.line) for m in configuration.meshes], findings)
        self.participants = Names("participant", [(p.name, p.line) for p in configuration.participants], findings)

    def has_data(self, key: Key, line: int, place: str) -> bool:
        """Say whether a mesh exists and carries a data, and note a mistake if not."""
        mesh, data = key
        if not self.meshes.has(mesh, line, place) or not data:
            return False
        carried = self.all.mesh(mesh).data
        if data not in carried:
            message = f'mesh "{mesh}" does not use data "{data}"'
            if data in self.data.lines:
                add = f'<use-data name="{data}" /> in <mesh name="{mesh}">'
                self.findings.add(line, place, message, expected=add, rule="name")
            else:
                self.findings.add(line, place, message, got=data, candidates=carried, rule="name")
            return False
        return data in self.data.lines

    # --- meshes, participants and connections --------------------------------------------------------------------

    def check_meshes(self) -> None:
        for mesh in self.all.meshes:
            place = f'<mesh name="{mesh.name}">'
            for data in dict.fromkeys(mesh.data):
                self.data.has(data, mesh.line, place)
                if mesh.data.count(data) > 1:
                    self.findings.add(mesh.line, place, f'uses data "{data}" twice')

    def check_participant(self, participant: ParticipantConfig) -> None:
        place = f'<participant name="{participant.name}">'
        used: set[str] = set()
        for name, line in [
            *((mesh, participant.line) for mesh in participant.provides),
            *((r.name, r.line) for r in participant.receives),
        ]:
            if self.meshes.has(name, max(line, participant.line), place) and name in used:
                self.findings.add(line, place, f'mesh "{name}" is provided or received twice')
            used.add(name)
        for received in participant.receives:
            self._check_received(participant, received.name, received.provider, received.line)
        seen: set[Key] = set()
        for verb, accesses in (("write-data", participant.writes), ("read-data", participant.reads)):
            for access in accesses:
                self._check_access(participant, verb, access, seen)
        for mapping in participant.mappings:
            self._check_mapping(participant, mapping)
        self._check_mappings_together(participant)
        self._check_additions(participant)

    def _check_received(self, participant: ParticipantConfig, mesh: str, provider: str, line: int) -> None:
        place = f'<receive-mesh name="{mesh}">'
        if provider and provider not in self.participants.lines:
            message = f'there is no participant "{provider}"'
            self.findings.add(line, place, message, got=provider, candidates=self.participants.lines, rule="name")
            return
        if provider == participant.name:
            self.findings.add(
                line, place, "is received from itself", expected=f'<provide-mesh name="{mesh}" />', rule="name"
            )
            return
        if provider and mesh in self.meshes.lines:
            if mesh not in self.all.participant(provider).provides:
                message = f'participant "{provider}" does not provide mesh "{mesh}"'
                self.findings.add(line, place, message, expected="the participant that provides it", rule="name")
            if self.all.connection(participant.name, provider) is None:
                message = f'there is no <m2n:...> between "{participant.name}" and "{provider}"'
                self.findings.add(line, place, message)

    def _check_access(self, participant: ParticipantConfig, verb: str, access: Access, seen: set[Key]) -> None:
        place = f'<{verb} name="{access.data}" mesh="{access.mesh}">'
        if not self.has_data(access.key, access.line, place):
            return
        received = participant.received(access.mesh)
        if not participant.uses(access.mesh):
            message = f'participant "{participant.name}" neither provides nor receives mesh "{access.mesh}"'
            self.findings.add(access.line, place, message, got=access.mesh, candidates=_used(participant), rule="name")
        elif received is not None and not received.api_access:
            expected = f'api-access="true" in <receive-mesh name="{access.mesh}">, or a provided mesh and a mapping'
            self.findings.add(access.line, place, "the mesh is received without api-access", expected=expected)
        if access.key in seen:
            self.findings.add(access.line, place, "a participant reads or writes a data of a mesh only once")
        seen.add(access.key)

    # --- mappings ------------------------------------------------------------------------------------------------

    def _check_mapping(self, participant: ParticipantConfig, mapping: ConfiguredMapping) -> None:
        made, line = mapping.config, mapping.line
        place = f"<mapping:{made.kind}>"
        reading = made.direction == "read"
        known = [self.meshes.has(m, line, place) for m in (made.from_mesh, made.to_mesh) if m is not None]
        if not all(known) or (made.from_mesh is None and made.to_mesh is None):
            return
        mine, theirs = (made.to_mesh, made.from_mesh) if reading else (made.from_mesh, made.to_mesh)
        if mine is not None and mine not in participant.provides:
            message = f'a {made.direction} mapping {"to" if reading else "from"} mesh "{mine}", which is not provided'
            self.findings.add(line, place, message, expected=f'<provide-mesh name="{mine}" />', rule="name")
        if theirs is not None:
            received = participant.received(theirs)
            message = f'a {made.direction} mapping {"from" if reading else "to"} mesh "{theirs}", which is not received'
            if received is None:
                self.findings.add(
                    line, place, message, expected=f'<receive-mesh name="{theirs}" from="..." />', rule="name"
                )
            elif mine is None and not received.api_access:
                expected = f'api-access="true" in <receive-mesh name="{theirs}">'
                self.findings.add(line, place, "a just-in-time mapping needs access to the mesh", expected=expected)
        ends = [m for m in (made.from_mesh, made.to_mesh) if m is not None]
        if len({self.all.mesh(m).dimensions for m in ends} - {UNKNOWN_DIMENSIONS}) > 1:
            self.findings.add(line, place, "the two meshes have different dimensions")
        elif not self._mapped_data(participant, mapping):
            verb = "read-data" if reading else "write-data"
            message = "maps nothing"
            self.findings.add(line, place, message, expected=f"a <{verb}> with data that both meshes use")

    def _mapped_data(self, participant: ParticipantConfig, mapping: ConfiguredMapping) -> set[str]:
        """Return the names of the data that a mapping maps."""
        made = mapping.config
        reading = made.direction == "read"
        mine = made.to_mesh if reading else made.from_mesh
        theirs = made.from_mesh if reading else made.to_mesh
        accesses = participant.reads if reading else participant.writes
        carried = self.all.mesh(theirs).data if theirs is not None else ()
        mesh = mine if mine is not None else theirs
        return {a.data for a in accesses if a.mesh == mesh and a.data in carried}

    def _check_mappings_together(self, participant: ParticipantConfig) -> None:
        for first, second in combinations(participant.mappings, 2):
            one, two = first.config, second.config
            place = f"<mapping:{two.kind}>"
            if (one.from_mesh, one.to_mesh) == (two.from_mesh, two.to_mesh):
                self.findings.add(second.line, place, "maps between the same meshes as another mapping")
                continue
            if one.to_mesh is None or one.to_mesh != two.to_mesh or one.direction != two.direction:
                continue
            if not {one.to_mesh, one.from_mesh, two.from_mesh} - {None} <= set(self.meshes.lines):
                continue
            twice = self._mapped_data(participant, first) & self._mapped_data(participant, second)
            if twice or (one.direction == "write" and None in (one.from_mesh, two.from_mesh)):
                what = ", ".join(sorted(twice)) or "data"
                self.findings.add(second.line, place, f'a second mapping of {what} to mesh "{one.to_mesh}"')

    # --- actions, exports and watches ----------------------------------------------------------------------------

    def _check_additions(self, participant: ParticipantConfig) -> None:
        for action in participant.actions:
            place = f"<action:{action.kind}>"
            if self.meshes.has(action.mesh, action.line, place):
                if not participant.uses(action.mesh):
                    message = f'mesh "{action.mesh}" is neither provided nor received'
                    self.findings.add(
                        action.line, place, message, got=action.mesh, candidates=_used(participant), rule="name"
                    )
                for data in (*action.sources, *((action.target,) if action.target is not None else ())):
                    self.has_data((action.mesh, data), action.line, place)
        for point in participant.watch_points:
            place = f'<watch-point name="{point.name}">'
            if self._is_provided(participant, point.mesh, point.line, place):
                dimensions = self.all.mesh(point.mesh).dimensions
                if point.coordinate and dimensions and len(point.coordinate) != dimensions:
                    message = f"the coordinate has {len(point.coordinate)} components"
                    self.findings.add(point.line, place, message, expected=f"{dimensions}, as the mesh has")
        for integral in participant.watch_integrals:
            self._is_provided(participant, integral.mesh, integral.line, f'<watch-integral name="{integral.name}">')

    def _is_provided(self, participant: ParticipantConfig, mesh: str, line: int, place: str) -> bool:
        if not self.meshes.has(mesh, line, place):
            return False
        if mesh in participant.provides:
            return True
        message = f'participant "{participant.name}" does not provide mesh "{mesh}"'
        self.findings.add(line, place, message, got=mesh, candidates=participant.provides, rule="name")
        return False

    def check_connections(self) -> None:
        seen: set[frozenset[str]] = set()
        for connection in self.all.connections:
            place = f"<m2n:{connection.kind}>"
            ends = (connection.acceptor, connection.connector)
            for end in ends:
                if end and end not in self.participants.lines:
                    message = f'there is no participant "{end}"'
                    self.findings.add(
                        connection.line, place, message, got=end, candidates=self.participants.lines, rule="name"
                    )
            if ends[0] and ends[0] == ends[1]:
                self.findings.add(connection.line, place, "acceptor and connector are the same participant")
            elif frozenset(ends) in seen:
                message = f'"{ends[0]}" and "{ends[1]}" are connected twice'
                self.findings.add(connection.line, place, message)
            seen.add(frozenset(ends))

    # --- coupling schemes ----------------------------------------------------------------------------------------

    def check_scheme(self, scheme: SchemeConfig) -> None:
        place = f"<coupling-scheme:{scheme.kind}>"
        add = self.findings.add
        known = [self.participants.has(name, scheme.line, place) for name in scheme.participants]
        if scheme.max_time is None and scheme.max_time_windows is None:
            add(scheme.line, place, "never ends", expected="<max-time> or <max-time-windows>")
        if all(known) and len(set(scheme.participants)) < len(scheme.participants):
            add(scheme.line, place, "a participant occurs twice")
        elif all(known) and len(scheme.participants) > 1:
            self._check_reachable(scheme, place)
        seen: set[tuple[str, ...]] = set()
        for exchange in scheme.exchanges:
            self._check_exchange(scheme, exchange, seen)
        if scheme.implicit:
            self._check_implicit(scheme, place)

    def _check_reachable(self, scheme: SchemeConfig, place: str) -> None:
        for name in scheme.participants:
            if name != scheme.controller and scheme.controller in self.participants.lines:
                connection = self.all.connection(name, scheme.controller)
                if connection is None:
                    message = f'there is no <m2n:...> between "{name}" and "{scheme.controller}"'
                    self.findings.add(scheme.line, place, message)
                elif connection.line > scheme.line:
                    message = f"the <m2n:{connection.kind}> it needs is defined only in line {connection.line}"
                    self.findings.add(scheme.line, place, message, expected="the definition before its first use")

    def _check_exchange(self, scheme: SchemeConfig, exchange: ExchangeConfig, seen: set[tuple[str, ...]]) -> None:
        place = f'<exchange data="{exchange.data}" mesh="{exchange.mesh}">'
        add, line = self.findings.add, exchange.line
        sound = self.has_data(exchange.key, line, place)
        for name in (exchange.sender, exchange.receiver):
            if name and name not in scheme.participants:
                message = f'"{name}" is not a participant of this scheme'
                add(line, place, message, got=name, candidates=scheme.participants, rule="name")
                sound = False
            elif sound and name in self.participants.lines and not self.all.participant(name).uses(exchange.mesh):
                add(
                    line,
                    place,
                    f'participant "{name}" neither provides nor receives mesh "{exchange.mesh}"',
                    rule="name",
                )
                sound = False
        if exchange.sender and exchange.sender == exchange.receiver:
            add(line, place, f'goes from "{exchange.sender}" to itself')
            sound = False
        identity = (exchange.data, exchange.mesh, exchange.sender, exchange.receiver)
        if identity in seen:
            add(line, place, "the same exchange stands here twice")
        seen.add(identity)
        if sound and set(identity[2:]) <= set(self.participants.lines):
            self._check_flow(scheme, exchange, place)

    def _check_flow(self, scheme: SchemeConfig, exchange: ExchangeConfig, place: str) -> None:
        add, line = self.findings.add, exchange.line
        sender = self.all.participant(exchange.sender)
        receiver = self.all.participant(exchange.receiver)
        if exchange.initialize and scheme.kind != "multi" and _accesses(sender, exchange.mesh):
            message = "data that is written to a received mesh cannot be initialised"
            add(line, place, message, expected='initialize="false"')
        if self.all.connection(sender.name, receiver.name) is None:
            add(line, place, f'there is no <m2n:...> between "{sender.name}" and "{receiver.name}"')
        both_ways = [e for e in scheme.exchanges if e.key == exchange.key and e.sender == exchange.receiver]
        if both_ways:
            add(line, place, f'participant "{exchange.receiver}" both sends and receives this data')
        reader = next((r for r in receiver.reads if r.data == exchange.data), None)
        if reader is not None and reader.mesh in self.meshes.lines and scheme.kind != "multi":
            degree = self.all.datum(exchange.data).waveform_degree
            if degree == 0 and exchange.substeps:
                message = "waveform-degree 0 has no use for sub-steps"
                add(line, place, message, expected='substeps="false"')
            if degree >= 2 and not exchange.substeps:
                message = f"waveform-degree {degree} needs sub-steps"
                add(line, place, message, expected='substeps="true"')

    def _check_implicit(self, scheme: SchemeConfig, place: str) -> None:
        add = self.findings.add
        for name in scheme.participants:
            if name and all(e.sender != name for e in scheme.exchanges):
                message = f'participant "{name}" sends nothing, so there is nothing to iterate on'
                add(scheme.line, place, message, expected="an explicit scheme for one-way coupling")
        if scheme.max_iterations is None and not scheme.measures:
            add(scheme.line, place, "would iterate for ever", expected="<max-iterations> or a convergence measure")
        if scheme.max_iterations is not None and 0 < scheme.max_iterations < scheme.min_iterations:
            add(scheme.line, place, "min-iterations is larger than max-iterations")
        for measure in scheme.measures:
            where = f"<{measure.kind}-convergence-measure>"
            if self.has_data(measure.key, measure.line, where):
                self._check_exchanged(scheme, measure.key, measure.line, where)
            if measure.strict and scheme.max_iterations is None:
                add(measure.line, where, "strict has no meaning without <max-iterations>")
        if scheme.acceleration is None:
            return
        where, line = f"<acceleration:{scheme.acceleration.kind}>", scheme.acceleration_line
        for entry in scheme.acceleration.data:
            key = (entry.mesh, entry.data)
            if self.has_data(key, line, where) and self._check_exchanged(scheme, key, line, where):
                senders = {e.sender for e in scheme.exchanges if e.key == key}
                if scheme.serial and scheme.controller not in senders:
                    message = f'data "{entry.data}" comes from the first participant'
                    add(line, where, message, expected="data that the second participant sends, or a parallel scheme")

    def _check_exchanged(self, scheme: SchemeConfig, key: Key, line: int, place: str) -> bool:
        mine = [e for e in scheme.exchanges if scheme.controller in (e.sender, e.receiver)]
        if any(e.key == key for e in mine):
            return True
        mesh, data = key
        message = f'data "{data}" on mesh "{mesh}" is not exchanged with "{scheme.controller}" in this scheme'
        candidates = [f"{e.data} on {e.mesh}" for e in mine]
        self.findings.add(line, place, message, got=f"{data} on {mesh}", candidates=candidates)
        return False

    def check_schemes_together(self) -> None:
        for participant in self.all.participants:
            place = f'<participant name="{participant.name}">'
            schemes = self.all.schemes_of(participant.name)
            if not schemes:
                self.findings.add(participant.line, place, "takes part in no coupling scheme")
            implicit = [s for s in schemes if s.implicit]
            if len(implicit) > 1:
                message = f'participant "{participant.name}" is in two implicit schemes'
                second = implicit[1]
                self.findings.add(
                    second.line, f"<coupling-scheme:{second.kind}>", message, expected="one <coupling-scheme:multi>"
                )


def _used(participant: ParticipantConfig) -> list[str]:
    return [*participant.provides, *(r.name for r in participant.receives)]


def _accesses(participant: ParticipantConfig, mesh: str) -> bool:
    received = participant.received(mesh)
    return received is not None and received.api_access


def check(configuration: Configuration, findings: Findings) -> None:
    """Add to `findings` whatever in a configuration refers to nothing or cannot work."""
    findings.rule = "flow"
    checker = _Checker(configuration, findings)
    checker.check_meshes()
    if configuration.allow_remeshing and not configuration.experimental:
        findings.add(1, "<precice-configuration>", "allow-remeshing is experimental", expected='experimental="true"')
    for participant in configuration.participants:
        checker.check_participant(participant)
        for mapping in participant.mappings:
            kind = mapping.config.kind
            if (kind.endswith("multiscale") or kind == "coarse-graining") and not configuration.experimental:
                expected = '<precice-configuration experimental="true">'
                findings.add(mapping.line, f"<mapping:{kind}>", "is experimental", expected=expected)
    if len(configuration.participants) == 1:
        findings.add(1, "<precice-configuration>", "has only one participant", expected="at least two")
    checker.check_connections()
    for scheme in configuration.schemes:
        checker.check_scheme(scheme)
    checker.check_schemes_together()
