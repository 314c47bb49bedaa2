"""What every call of the interface checks: is it possible now, and does what it names exist?

Wherever something is wrong, the message says what was called, in what state the participant is, and what to do instead.
"""

from __future__ import annotations

from scalebridge.embedded import arguments
from scalebridge.embedded.arguments import MisuseError
from scalebridge.embedded.config import Configuration
from scalebridge.embedded.contexts import ReadContext, WriteContext
from scalebridge.embedded.engine import Engine
from scalebridge.embedded.meshes import Mesh
from scalebridge.embedded.ranks import RankedEngine
from scalebridge.embedded.waveform import Floats
from scalebridge.findings import nearest

_STATES = {
    "constructed": "it has been constructed, but initialize() has not been called",
    "initialized": "initialize() has been called",
    "finalized": "finalize() has been called",
}


class Checks:
    """A participant as its calls see it.

    Attributes
    ----------
    _state : a key of `_STATES`, or "failed".
    _regions : the access regions that were set, (dimensions, 2) each, by mesh.
    """

    _name: str
    _state: str
    _configuration: Configuration
    _engine: Engine | RankedEngine
    _regions: dict[str, Floats]

    def _misuse(self, call: str, problem: str, instead: str) -> MisuseError:
        state = _STATES.get(self._state, self._state)
        return MisuseError(f"{call} of participant {self._name} {problem} (state: {state}). {instead}")

    def _need(self, call: str, *states: str) -> None:
        if self._state in states:
            return
        if self._state == "finalized":
            raise self._misuse(call, "is not possible any more", "Nothing can be called after finalize()")
        if self._state == "constructed":
            raise self._misuse(call, "is not possible yet", "Call initialize() before")
        raise self._misuse(call, "is not possible any more", "Call it before initialize()")

    def _mesh(self, mesh_name: str | bytes, call: str) -> Mesh:
        mesh = arguments.name(mesh_name, "mesh_name")
        known = self._engine.meshes
        if mesh not in known:
            problem = f'knows no mesh "{mesh}"'
            raise self._misuse(call, problem, _hint(mesh, list(known), "<provide-mesh> or <receive-mesh>"))
        return known[mesh]

    def _modifiable(self, mesh_name: str | bytes, call: str) -> Mesh:
        mesh = self._mesh(mesh_name, call)
        if mesh.name not in self._engine.me.provides:
            problem = f'cannot change mesh "{mesh.name}", which is received'
            raise self._misuse(call, problem, f'Only a mesh with <provide-mesh name="{mesh.name}" /> can be changed')
        self._need(call, "constructed")
        return mesh

    def _data(self, mesh_name: str | bytes, data_name: str | bytes, call: str) -> tuple[str, str]:
        mesh = self._mesh(mesh_name, call)
        data = arguments.name(data_name, "data_name")
        if data not in mesh.data:
            problem = f'knows no data "{data}" on mesh "{mesh.name}"'
            raise self._misuse(call, problem, _hint(data, list(mesh.data), f'<mesh name="{mesh.name}">'))
        return mesh.name, data

    def _read_context(self, mesh_name: str | bytes, data_name: str | bytes, call: str) -> ReadContext:
        context = self._engine.reads.get((mesh_name, data_name))  # type: ignore[arg-type]
        if context is not None:
            return context
        key = self._data(mesh_name, data_name, call)
        if key not in self._engine.reads:
            problem = f'does not read data "{key[1]}" on mesh "{key[0]}"'
            raise self._misuse(call, problem, f'Add <read-data name="{key[1]}" mesh="{key[0]}" /> to it')
        return self._engine.reads[key]

    def _write_context(self, mesh_name: str | bytes, data_name: str | bytes, call: str) -> WriteContext:
        context = self._engine.writes.get((mesh_name, data_name))  # type: ignore[arg-type]
        if context is not None:
            return context
        key = self._data(mesh_name, data_name, call)
        if key not in self._engine.writes:
            problem = f'does not write data "{key[1]}" on mesh "{key[0]}"'
            raise self._misuse(call, problem, f'Add <write-data name="{key[1]}" mesh="{key[0]}" /> to it')
        return self._engine.writes[key]

    def _accessible(self, mesh_name: str | bytes, call: str) -> Mesh:
        mesh = self._mesh(mesh_name, call)
        received = self._engine.me.received(mesh.name)
        if received is None or not received.api_access:
            problem = f'has no access to mesh "{mesh.name}"'
            instead = f'It has to be received with <receive-mesh name="{mesh.name}" from="..." api-access="true" />'
            raise self._misuse(call, problem, instead)
        return mesh

    def _experimental(self, call: str) -> None:
        if not self._configuration.experimental:
            instead = 'Allow experimental calls with <precice-configuration experimental="true">'
            raise self._misuse(call, "is experimental", instead)


def _hint(name: str, known: list[str], where: str) -> str:
    if not known:
        return f"Add it with {where}"
    hint = nearest(name, known)
    return f"Known: {', '.join(known)}" + (f". Did you mean '{hint}'?" if hint else "")
