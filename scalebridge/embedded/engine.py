"""One participant's coupling, without the checks of the public interface: meshes, data, mappings, schemes, output.

`initialize` and `advance` are the course of events of preCICE; whoever wants to understand the engine starts here.
"""

from __future__ import annotations

from scalebridge.embedded import schemes
from scalebridge.embedded.actions import Action
from scalebridge.embedded.actions import create as create_action
from scalebridge.embedded.compositional import Composition
from scalebridge.embedded.config import Configuration, Key
from scalebridge.embedded.contexts import MappedData, PreparedMapping, ReadContext, WriteContext, run_mappings
from scalebridge.embedded.log import Log
from scalebridge.embedded.mesh_exchange import exchange_meshes
from scalebridge.embedded.meshes import Mesh, data_of
from scalebridge.embedded.output import Output
from scalebridge.embedded.rendezvous import Rendezvous
from scalebridge.embedded.requirements import gradient_keys
from scalebridge.embedded.transport import Channel


class Engine:
    """The coupling of one participant.

    Attributes
    ----------
    meshes : those that the participant provides or receives.
    writes, reads : what the program writes and reads, by (mesh, data).
    """

    def __init__(self, configuration: Configuration, me: str, log: Log) -> None:
        self.configuration = configuration
        self.me = configuration.participant(me)
        self.log = log
        names = (*self.me.provides, *(r.name for r in self.me.receives))
        self.meshes = {name: Mesh(configuration.mesh(name)) for name in names}
        self.data = data_of(configuration, self.meshes)
        for key in gradient_keys(configuration):
            if key in self.data:
                self.data[key].has_gradients = True
        self.writes = {a.key: WriteContext(self.data[a.key]) for a in self.me.writes}
        self.reads = {a.key: ReadContext(self.data[a.key]) for a in self.me.reads}
        self._connect_mappings()
        self.actions: list[Action] = [create_action(a, self.meshes, self.data) for a in self.me.actions]
        self.coupling = Composition([schemes.create(s, me, self.data, log) for s in configuration.schemes_of(me)])
        self.output = Output(self.me, self.meshes, self.data)
        self.channels: dict[str, Channel] = {}
        self._advances = 0

    def _connect_mappings(self) -> None:
        for configured in self.me.mappings:
            config = configured.config
            if config.from_mesh is None or config.to_mesh is None:
                contexts = self.reads if config.direction == "read" else self.writes
                for (mesh, _), context in contexts.items():
                    if mesh in (config.from_mesh, config.to_mesh):
                        context.just_in_time = config
                continue
            prepared = PreparedMapping(config, self.meshes[config.from_mesh], self.meshes[config.to_mesh])
            self._attach(prepared, self.reads if config.direction == "read" else self.writes)

    def _attach(self, prepared: PreparedMapping, contexts: dict[Key, ReadContext] | dict[Key, WriteContext]) -> None:
        """Add a mapping to every data that it maps."""
        mine = prepared.target.name if prepared.config.direction == "read" else prepared.source.name
        for (mesh, name), context in contexts.items():
            source, target = (prepared.source.name, name), (prepared.target.name, name)
            if mesh == mine and source in self.data and target in self.data:
                context.mapped.append(MappedData(prepared, self.data[source], self.data[target]))

    # --- what the program may ask --------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        return self.coupling.time

    @property
    def seconds_waited(self) -> float:
        return sum(c.seconds_waited for c in self.channels.values())

    def ongoing(self) -> bool:
        return self.coupling.ongoing()

    def complete(self) -> bool:
        return self.coupling.complete()

    def max_step(self) -> float:
        return self.coupling.max_step()

    def requires(self, action: str) -> bool:
        return self.coupling.requires(action)

    def missing(self, action: str) -> bool:
        return self.coupling.missing(action)

    # --- the course of events ------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Meet the partners, exchange meshes and initial data."""
        for name in self.me.provides:
            self.meshes[name].preprocess()
        self._connect()
        exchange_meshes(self.configuration, self.me, self.meshes, self.channels)
        self.output.initialize()
        for context in self.writes.values():
            context.store(0.0)
        run_mappings(self.writes.values(), None, skip_zero=True)
        self._act("write-mapping-post")
        self.coupling.initialize()
        run_mappings(self.reads.values(), None, skip_zero=True)
        self._act("read-mapping-post")
        self.output.initial()
        self.log.info(self.coupling.state())

    def _connect(self) -> None:
        meetings: dict[str, Rendezvous] = {}
        try:
            for connection in self.configuration.connections:
                if self.me.name in (connection.acceptor, connection.connector):
                    meeting = Rendezvous(self.configuration, connection, self.me.name)
                    meetings[meeting.partner] = meeting
                    meeting.open()
            for partner in sorted(meetings):
                self.channels[partner] = meetings[partner].meet()
        finally:
            for meeting in meetings.values():
                meeting.close()
        for scheme in self.coupling.schemes:
            scheme.channels = {p: self.channels[p] for p in scheme.partners if p in self.channels}

    def advance(self, dt: float) -> None:
        """Take what was written in a step of size `dt`, exchange data if a window ends, bring what is to be read."""
        self._advances += 1
        at_window_end = self.coupling.add_time(dt)
        reached = self.coupling.time
        received = self.coupling.received_again()
        for write in self.writes.values():
            if at_window_end or self.coupling.requires_substeps():
                write.store(reached)
            else:
                write.discard()
        if at_window_end:
            run_mappings(self.writes.values(), self.coupling.window_start, skip_zero=False)
            self._act("write-mapping-post")
        self.coupling.advance()
        if at_window_end:
            self._after_window(received)
        self.log.info(self.coupling.state())

    def _after_window(self, received: dict[Key, bool]) -> None:
        now, complete = self.coupling.time, self.coupling.complete()
        if complete:
            for datum in self.data.values():
                datum.waveform.trim_before(self.coupling.window_start)
        else:
            for write in self.writes.values():
                write.trim_after(now)
        for read in self.reads.values():
            read.prepare_for(received, now, complete=complete)
        run_mappings(self.reads.values(), None, skip_zero=False)
        self._act("read-mapping-post")
        for read in self.reads.values():
            read.forget_coefficients()
        self.output.after_window(
            window=self.coupling.windows - 1,
            advances=self._advances,
            complete=complete,
            final=not self.coupling.ongoing(),
            time=now,
        )

    def _act(self, timing: str) -> None:
        for action in self.actions:
            if action.timing == timing:
                action.perform()

    def finalize(self) -> None:
        """Say good-bye to the partners."""
        if self.configuration.wait_in_finalize:
            for channel in self.channels.values():
                channel.send(b"ping")
            for channel in self.channels.values():
                channel.doing = "waiting for it in finalize()"
                channel.receive()
        self.close()

    def close(self) -> None:
        """Close all connections and files."""
        for channel in self.channels.values():
            channel.close()
        self.coupling.close()
        self.output.close()
        self.log.close()
