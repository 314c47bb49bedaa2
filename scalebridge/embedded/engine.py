"""One participant's coupling, without the checks of the public interface: meshes, data, mappings, schemes, output.

`initialize` and `advance` are the course of events of preCICE; whoever wants to understand the engine starts here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from scalebridge.embedded import schemes
from scalebridge.embedded.actions import Action
from scalebridge.embedded.actions import create as create_action
from scalebridge.embedded.compositional import Composition
from scalebridge.embedded.config import Configuration
from scalebridge.embedded.contexts import run_mappings
from scalebridge.embedded.fields import Fields
from scalebridge.embedded.log import Log
from scalebridge.embedded.mesh_exchange import exchange_meshes
from scalebridge.embedded.meshes import CORNERS, Mesh
from scalebridge.embedded.output import Output
from scalebridge.embedded.rendezvous import Rendezvous
from scalebridge.embedded.transport import Channel


class EngineError(RuntimeError):
    """The coupling cannot go on with what an earlier process remembered."""


class Engine(Fields):
    """The coupling of one participant in one process.

    Parameters
    ----------
    memory : what `memory` returned in an earlier process, from which to go on; None begins anew.
    """

    def __init__(
        self, configuration: Configuration, me: str, log: Log, memory: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(configuration, me)
        self.log = log
        self.actions: list[Action] = [create_action(a, self.meshes, self.data) for a in self.me.actions]
        self.coupling = Composition([schemes.create(s, me, self.data, log) for s in configuration.schemes_of(me)])
        self._received_again = self.coupling.received_again()
        self._needs_substeps = self.coupling.requires_substeps()
        self.output = Output(self.me, self.meshes, self.data, memory and memory["output"])
        self.channels: dict[str, Channel] = {}
        self._advances = 0
        self._earlier = memory
        if memory is not None:
            self._recall(memory)
        self._look_around()

    # --- what the program may ask --------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Keep where the coupling stands, as programs ask more often than it changes."""
        self.time = self.coupling.time
        self.ongoing = self.coupling.ongoing()
        self.complete = self.coupling.complete()
        self.max_step = self.coupling.max_step() if self.ongoing else 0.0

    @property
    def seconds_waited(self) -> float:
        """Wall seconds spent waiting for partners."""
        return sum(c.seconds_waited for c in self.channels.values())

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
        if self._earlier is not None:
            self._go_on(self._earlier)
            return
        for context in self.writes.values():
            context.store(0.0)
        run_mappings(self.writes.values(), None, skip_zero=True)
        self._act("write-mapping-post")
        self.coupling.initialize()
        run_mappings(self.reads.values(), None, skip_zero=True)
        self._act("read-mapping-post")
        self._look_around()
        self.output.initial()
        self._say_state()

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
        keep = at_window_end or self._needs_substeps
        for write in self.writes.values():
            if keep:
                write.store(reached)
            else:
                write.discard()
        if at_window_end:
            run_mappings(self.writes.values(), self.coupling.window_start, skip_zero=False)
            self._act("write-mapping-post")
        self.coupling.advance()
        self._look_around()
        if at_window_end:
            self._after_window()
        self._say_state()

    def _after_window(self) -> None:
        if self.complete:
            start = self.coupling.window_start
            for datum in self.data.values():
                datum.waveform.trim_before(start)
        else:
            for write in self.writes.values():
                write.trim_after(self.time)
        for read in self.reads.values():
            read.prepare_for(self._received_again, self.time, complete=self.complete)
        run_mappings(self.reads.values(), None, skip_zero=False)
        self._act("read-mapping-post")
        for read in self.reads.values():
            read.forget_coefficients()
        self.output.after_window(
            window=self.coupling.windows - 1,
            advances=self._advances,
            complete=self.complete,
            final=not self.ongoing,
            time=self.time,
        )

    def _say_state(self) -> None:
        if self.log.shows_info:
            self.log.info(self.coupling.state())

    def _act(self, timing: str) -> None:
        for action in self.actions:
            if action.timing == timing:
                action.perform()

    # --- going on in another process -----------------------------------------------------------------------------

    def resting(self) -> bool:
        """Say whether a window has just ended in every coupling scheme, and another one will begin."""
        return self.ongoing and self.coupling.all_complete()

    def memory(self) -> dict[str, Any]:
        """Return what has to be known to go on from the end of a complete window."""
        return {
            "advances": self._advances,
            "coupling": self.coupling.memory(),
            "data": {key: datum.waveform for key, datum in self.data.items()},
            "meshes": {name: _digest(mesh) for name, mesh in self.meshes.items()},
            "output": self.output.memory(),
        }

    def _recall(self, memory: Mapping[str, Any]) -> None:
        self._advances = memory["advances"]
        self.coupling.recall(memory["coupling"])
        for key, waveform in memory["data"].items():
            self.data[key].waveform = waveform

    def _go_on(self, memory: Mapping[str, Any]) -> None:
        """Make sure that the meshes, which are complete now, are what they were."""
        for name, mesh in self.meshes.items():
            if memory["meshes"][name] != _digest(mesh):
                raise EngineError(f'mesh "{name}" is not what it was when the state of {self.me.name} was saved')
        for write in self.writes.values():
            write.discard()

    def finalize(self) -> None:
        """Say good-bye to the partners."""
        if self.configuration.wait_in_finalize:
            doing = "waiting for it in finalize()"
            for channel in self.channels.values():
                channel.send(b"ping", doing=doing)
            for channel in self.channels.values():
                channel.receive(lambda: doing)
        self.close()

    def close(self) -> None:
        """Close all connections and files."""
        for channel in self.channels.values():
            channel.close()
        self.coupling.close()
        self.output.close()
        self.log.close()


def _digest(mesh: Mesh) -> str:
    """Return what tells a mesh from another one."""
    parts = [mesh.vertices, *(mesh.cells(kind) for kind in CORNERS)]
    return hashlib.sha256(b"".join(f"{p.shape}".encode() + p.tobytes() for p in parts)).hexdigest()
