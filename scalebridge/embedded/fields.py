"""The meshes and data of one participant: what it provides and receives, reads and writes, and the mappings."""

from __future__ import annotations

from scalebridge.embedded.config import Configuration, Key
from scalebridge.embedded.contexts import MappedData, PreparedMapping, ReadContext, WriteContext
from scalebridge.embedded.meshes import Mesh, data_of
from scalebridge.embedded.requirements import gradient_keys


class Fields:
    """Meshes and data of one participant.

    Attributes
    ----------
    meshes : those that the participant provides or receives.
    data : everything on these meshes, by (mesh, data), in the order of the file.
    writes, reads : what the program writes and reads.
    """

    def __init__(self, configuration: Configuration, me: str) -> None:
        self.configuration = configuration
        self.me = configuration.participant(me)
        names = (*self.me.provides, *(r.name for r in self.me.receives))
        self.meshes = {name: Mesh(configuration.mesh(name)) for name in names}
        self.data = data_of(configuration, self.meshes)
        for key in gradient_keys(configuration):
            if key in self.data:
                self.data[key].has_gradients = True
        self.writes = {a.key: WriteContext(self.data[a.key]) for a in self.me.writes}
        self.reads = {a.key: ReadContext(self.data[a.key]) for a in self.me.reads}
        self._connect_mappings()

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
