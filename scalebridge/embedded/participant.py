"""The public interface, as pyprecice 3.4 has it: the same calls, arguments, results and order of calls.

This file checks what is asked for and when; what happens is in `engine`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scalebridge import __version__
from scalebridge.embedded import arguments, config
from scalebridge.embedded.arguments import Ids, MisuseError
from scalebridge.embedded.connectivity_calls import ConnectivityCalls
from scalebridge.embedded.contexts import ReadContext, WriteContext
from scalebridge.embedded.engine import Engine
from scalebridge.embedded.log import Log
from scalebridge.embedded.meshes import Mesh
from scalebridge.embedded.ranks import RankedEngine
from scalebridge.embedded.requirements import meshes_with_connectivity
from scalebridge.embedded.scheme import INITIAL_DATA, READ_CHECKPOINT, WRITE_CHECKPOINT
from scalebridge.embedded.tolerance import at_most, equal
from scalebridge.embedded.waveform import Floats
from scalebridge.findings import ConfigurationError, nearest, one_of

_STATES = {
    "constructed": "it has been constructed, but initialize() has not been called",
    "initialized": "initialize() has been called",
    "finalized": "finalize() has been called",
}


class InvalidConfigurationError(ConfigurationError, MisuseError):
    """A configuration with mistakes, or with something that the embedded engine does not support."""


def get_version_information() -> bytes:
    """Return versions as text: the interface's, and the engine's."""
    return f"3.4.1;scalebridge embedded engine {__version__};".encode()


class Participant(ConnectivityCalls):
    """One program in a coupled simulation.

    Parameters
    ----------
    solver_name : the participant's name in the configuration.
    configuration_file_name : the XML file.
    solver_process_index, solver_process_size : rank and number of ranks.
    communicator : an mpi4py communicator, where the program runs on several ranks of something else than COMM_WORLD.
    """

    def __init__(
        self,
        solver_name: str | bytes,
        configuration_file_name: str | bytes,
        solver_process_index: int,
        solver_process_size: int,
        communicator: Any = None,
    ) -> None:
        self._state = "failed"
        self._name = arguments.name(solver_name, "the participant's name")
        file = arguments.name(configuration_file_name, "the configuration's file name")
        rank, size = solver_process_index, solver_process_size
        if size < 1 or not 0 <= rank < size:
            raise MisuseError(f"rank {rank} of {size} is not possible: ranks count from 0 to their number less one")
        configuration = _checked(file, self._name)
        log = Log(self._name, configuration.sinks if rank == 0 else ())
        if rank == 0:
            print(
                f"scalebridge embedded engine {__version__} (preCICE 3.4 interface) participant {self._name}, "
                f"configuration {file}",
                flush=True,
            )
        self._configuration = configuration
        self._engine: Engine | RankedEngine
        if size == 1:
            self._engine = Engine(configuration, self._name, log)
        else:
            self._engine = RankedEngine(configuration, self._name, log, rank, size, communicator)
        self._connected_meshes = meshes_with_connectivity(configuration)
        self._regions: dict[str, Floats] = {}
        self._sections: list[str] = []
        self._state = "constructed"

    def __del__(self) -> None:
        if getattr(self, "_state", "failed") in ("constructed", "initialized"):
            self._state = "finalized"
            self._engine.close()

    @property
    def seconds_waited(self) -> float:
        """Wall seconds that this participant has spent waiting for others."""
        return self._engine.seconds_waited

    # --- checks --------------------------------------------------------------------------------------------------

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
        key = self._data(mesh_name, data_name, call)
        if key not in self._engine.reads:
            problem = f'does not read data "{key[1]}" on mesh "{key[0]}"'
            raise self._misuse(call, problem, f'Add <read-data name="{key[1]}" mesh="{key[0]}" /> to it')
        return self._engine.reads[key]

    def _write_context(self, mesh_name: str | bytes, data_name: str | bytes, call: str) -> WriteContext:
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

    # --- steering ------------------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Meet the partners, exchange meshes and initial data."""
        self._need("initialize()", "constructed")
        self._no_open_sections("initialize()")
        if self._engine.missing(INITIAL_DATA):
            instead = "Call requires_initial_data() before, and write_data() where it says so"
            raise self._misuse("initialize()", "needs initial data", instead)
        self._need_regions()
        self._state = "failed"
        for mesh in self._engine.meshes.values():
            mesh.locked = True
        self._engine.initialize()
        self._state = "initialized"

    def advance(self, computed_timestep_length: float) -> None:
        """Tell that the program has made a step; exchange and map data when a time window ends."""
        self._need("advance()", "initialized")
        self._no_open_sections("advance()")
        dt = float(computed_timestep_length)
        if not self._engine.ongoing():
            instead = "Call it only while is_coupling_ongoing() is true"
            raise self._misuse("advance()", "is not possible any more: the coupling has ended", instead)
        if not math.isfinite(dt) or dt < 0.0 or equal(dt, 0.0):
            raise self._misuse("advance()", f"was called with the step {dt}", "A step has to be larger than 0")
        self._engine.advance(dt)

    def finalize(self) -> None:
        """End the coupling and close all connections."""
        self._need("finalize()", "constructed", "initialized")
        running = self._state == "initialized"
        self._state = "finalized"
        self._sections.clear()
        if running:
            self._engine.finalize()
        else:
            self._engine.close()

    # --- state ---------------------------------------------------------------------------------------------------

    def get_mesh_dimensions(self, mesh_name: str | bytes) -> int:
        """Return the number of space dimensions of a mesh."""
        return self._mesh(mesh_name, "get_mesh_dimensions()").dimensions

    def get_data_dimensions(self, mesh_name: str | bytes, data_name: str | bytes) -> int:
        """Return the number of components of a data: 1 for a scalar."""
        return self._engine.data[self._data(mesh_name, data_name, "get_data_dimensions()")].components

    def is_coupling_ongoing(self) -> bool:
        """Say whether there is still time to simulate."""
        self._need("is_coupling_ongoing()", "initialized")
        return self._engine.ongoing()

    def is_time_window_complete(self) -> bool:
        """Say whether the last advance completed a time window."""
        self._need("is_time_window_complete()", "initialized")
        return self._engine.complete()

    def get_max_time_step_size(self) -> float:
        """Return the largest step that may be made now."""
        self._need("get_max_time_step_size()", "initialized")
        return self._engine.max_step()

    def requires_initial_data(self) -> bool:
        """Say whether data have to be written before initialize()."""
        self._need("requires_initial_data()", "constructed")
        return self._engine.requires(INITIAL_DATA)

    def requires_writing_checkpoint(self) -> bool:
        """Say whether the program has to keep its state now."""
        self._need("requires_writing_checkpoint()", "initialized")
        return self._engine.requires(WRITE_CHECKPOINT)

    def requires_reading_checkpoint(self) -> bool:
        """Say whether the program has to go back to the state that it kept."""
        self._need("requires_reading_checkpoint()", "initialized")
        return self._engine.requires(READ_CHECKPOINT)

    # --- meshes (connectivity: see ConnectivityCalls) ------------------------------------------------------------

    def set_mesh_vertex(self, mesh_name: str | bytes, position: Any) -> int:
        """Add a vertex at `position` (dimensions,) and return its number."""
        mesh = self._modifiable(mesh_name, "set_mesh_vertex()")
        point = arguments.floats(position, "position", "set_mesh_vertex()")
        if point.shape != (mesh.dimensions,):
            raise arguments.ShapeError(
                f"position in set_mesh_vertex() has the shape {point.shape}, expected ({mesh.dimensions},)"
            )
        return int(mesh.add_vertices(point[None])[0])

    def set_mesh_vertices(self, mesh_name: str | bytes, positions: Any) -> Ids:
        """Add vertices at `positions` (n, dimensions) and return their numbers (n,)."""
        mesh = self._modifiable(mesh_name, "set_mesh_vertices()")
        return mesh.add_vertices(arguments.table(positions, mesh.dimensions, "positions", "set_mesh_vertices()"))

    def get_mesh_vertex_size(self, mesh_name: str | bytes) -> int:
        """Return the number of vertices of a mesh, for a received mesh those inside the access region."""
        mesh = self._mesh(mesh_name, "get_mesh_vertex_size()")
        if mesh.name not in self._engine.me.provides:
            self._need("get_mesh_vertex_size()", "initialized")
            return len(self._accessible_ids(mesh))
        return mesh.size

    def set_mesh_access_region(self, mesh_name: str | bytes, bounding_box: Any) -> None:
        """Restrict access to a received mesh to [x_min, x_max, y_min, y_max(, z_min, z_max)]."""
        call = "set_mesh_access_region()"
        mesh = self._accessible(mesh_name, call)
        self._need(call, "constructed")
        if mesh.name in self._regions:
            raise self._misuse(call, f'has been called for mesh "{mesh.name}"', "A region can be set only once")
        box = arguments.floats(bounding_box, "bounding_box", call)
        if box.shape != (2 * mesh.dimensions,):
            raise arguments.ShapeError(
                f"bounding_box in {call} has the shape {box.shape}, expected ({2 * mesh.dimensions},)"
            )
        sides = box.reshape(-1, 2)
        if (sides[:, 0] > sides[:, 1]).any():
            raise MisuseError(f"bounding_box in {call} has a minimum larger than its maximum: {box.tolist()}")
        self._regions[mesh.name] = sides

    def _need_regions(self) -> None:
        """Raise if a mesh is accessed whose region neither the program nor a mapping says, as libprecice does."""
        mapped = {m for c in self._engine.me.mappings for m in (c.config.from_mesh, c.config.to_mesh)}
        mapped -= {c.config.from_mesh or c.config.to_mesh for c in self._engine.me.mappings if c.config.is_just_in_time}
        for received in self._engine.me.receives:
            if received.api_access and received.name not in self._regions and received.name not in mapped:
                instead = "Call set_mesh_access_region() before"
                raise self._misuse("initialize()", f'needs an access region on mesh "{received.name}"', instead)

    def _accessible_ids(self, mesh: Mesh) -> Ids:
        everything = np.arange(mesh.size, dtype=np.int32)
        sides = self._regions.get(mesh.name)
        if sides is None:
            return everything
        inside = ((mesh.vertices >= sides[:, 0]) & (mesh.vertices <= sides[:, 1])).all(axis=1)
        return everything[inside]

    def get_mesh_vertex_ids_and_coordinates(self, mesh_name: str | bytes) -> tuple[Ids, Floats]:
        """Return the numbers (n,) and the positions (n, dimensions) of a received mesh's vertices in the region."""
        call = "get_mesh_vertex_ids_and_coordinates()"
        mesh = self._accessible(mesh_name, call)
        self._need(call, "initialized")
        ids = self._accessible_ids(mesh)
        return ids, mesh.vertices[ids]

    def reset_mesh(self, mesh_name: str | bytes) -> None:
        """Refuse: remeshing is left to libprecice."""
        self._mesh(mesh_name, "reset_mesh()")
        instead = "The embedded engine does not support remeshing; libprecice does"
        raise self._misuse("reset_mesh()", "is not supported", instead)

    # --- data ----------------------------------------------------------------------------------------------------

    def write_data(self, mesh_name: str | bytes, data_name: str | bytes, vertex_ids: Any, values: Any) -> None:
        """Write values (n,) or (n, components) at vertices (n,)."""
        self._need_writing("write_data()", "constructed", "initialized")
        context = self._write_context(mesh_name, data_name, "write_data()")
        datum = context.datum
        numbers = arguments.ids(vertex_ids, datum.mesh.size, "vertex_ids", "write_data()")
        given = arguments.values(values, datum.components, "values", "write_data()")
        if len(given) != len(numbers):
            raise arguments.ShapeError(
                f"write_data() was given {len(numbers)} vertex_ids but values for {len(given)} vertices"
            )
        if len(numbers):
            context.write(numbers, given)

    def read_data(
        self, mesh_name: str | bytes, data_name: str | bytes, vertex_ids: Any, relative_read_time: float
    ) -> Floats:
        """Return values (n,) or (n, components) at vertices (n,), `relative_read_time` after the present time."""
        self._need("read_data()", "initialized")
        self._check_read_time("read_data()", relative_read_time)
        context = self._read_context(mesh_name, data_name, "read_data()")
        datum = context.datum
        numbers = arguments.ids(vertex_ids, datum.mesh.size, "vertex_ids", "read_data()")
        if not len(numbers):
            return np.empty(0)
        self._check_samples(context, "read_data()")
        values = context.read(numbers, self._engine.time + relative_read_time)
        return values[:, 0] if datum.components == 1 else values

    def write_and_map_data(self, mesh_name: str | bytes, data_name: str | bytes, coordinates: Any, values: Any) -> None:
        """Write values (n,) or (n, components) at positions (n, dimensions), to be mapped just in time."""
        call = "write_and_map_data()"
        self._experimental(call)
        self._need_writing(call, "initialized")
        context = self._write_context(mesh_name, data_name, call)
        self._accessible(mesh_name, call)
        if context.just_in_time is None:
            mesh = context.datum.mesh.name
            instead = f'Add <mapping:... direction="write" to="{mesh}" constraint="conservative" /> without from'
            raise self._misuse(call, "needs a just-in-time mapping", instead)
        points = self._points(coordinates, context.datum.mesh, call)
        given = arguments.values(values, context.datum.components, "values", call)
        if len(given) != len(points):
            raise arguments.ShapeError(f"{call} was given {len(points)} coordinates but {len(given)} values")
        if len(points):
            context.write_at(points, given)

    def map_and_read_data(
        self, mesh_name: str | bytes, data_name: str | bytes, coordinates: Any, relative_read_time: float
    ) -> Floats:
        """Return values (n,) or (n, components) at positions (n, dimensions), mapped just in time."""
        call = "map_and_read_data()"
        self._experimental(call)
        self._need(call, "initialized")
        self._check_read_time(call, relative_read_time)
        context = self._read_context(mesh_name, data_name, call)
        self._accessible(mesh_name, call)
        if context.just_in_time is None:
            mesh = context.datum.mesh.name
            instead = f'Add <mapping:... direction="read" from="{mesh}" constraint="consistent" /> without to'
            raise self._misuse(call, "needs a just-in-time mapping", instead)
        points = self._points(coordinates, context.datum.mesh, call)
        if not len(points):
            return np.empty(0)
        self._check_samples(context, call)
        values = context.read_at(points, self._engine.time + relative_read_time)
        return values[:, 0] if context.datum.components == 1 else values

    def write_gradient_data(
        self, mesh_name: str | bytes, data_name: str | bytes, vertex_ids: Any, gradients: Any
    ) -> None:
        """Write gradients (n, components * dimensions): all components' derivatives by x, then by y, then by z."""
        call = "write_gradient_data()"
        self._experimental(call)
        self._need(call, "constructed", "initialized")
        context = self._write_context(mesh_name, data_name, call)
        datum = context.datum
        numbers = arguments.ids(vertex_ids, datum.mesh.size, "vertex_ids", call)
        dimensions = datum.mesh.dimensions
        given = arguments.table(gradients, dimensions * datum.components, "gradients", call)
        if len(given) != len(numbers):
            raise arguments.ShapeError(f"{call} was given {len(numbers)} vertex_ids but {len(given)} gradients")
        if datum.has_gradients and len(numbers):
            context.write_slopes(numbers, given.reshape(-1, datum.components, dimensions))

    def requires_gradient_data_for(self, mesh_name: str | bytes, data_name: str | bytes) -> bool:
        """Say whether a mapping needs gradients of a data that is written."""
        key = self._data(mesh_name, data_name, "requires_gradient_data_for()")
        return key in self._engine.writes and self._engine.data[key].has_gradients

    def _need_writing(self, call: str, *states: str) -> None:
        self._need(call, *states)
        if self._state == "initialized" and not self._engine.ongoing():
            instead = "Write before advance(), and only while is_coupling_ongoing() is true"
            raise self._misuse(call, "is not possible any more: the coupling has ended", instead)

    def _check_read_time(self, call: str, relative: float) -> None:
        left = self._engine.max_step()
        if not (relative >= 0.0 and at_most(relative, left)):
            instead = f"relative_read_time has to lie between 0 and get_max_time_step_size(), which is {left}"
            raise self._misuse(call, f"was called with relative_read_time = {relative}", instead)

    def _check_samples(self, context: ReadContext, call: str) -> None:
        if not context.datum.waveform.stamps:
            mesh, data = context.datum.key
            instead = f'Nothing brings it there: check the <exchange data="{data}" ... /> and the mappings'
            raise self._misuse(call, f'finds no values of data "{data}" on mesh "{mesh}"', instead)

    def _points(self, coordinates: Any, mesh: Mesh, call: str) -> Floats:
        points = arguments.table(coordinates, mesh.dimensions, "coordinates", call)
        if len(points) and not mesh.size:
            raise self._misuse(call, f'cannot use mesh "{mesh.name}"', "It has no vertices")
        sides = self._regions.get(mesh.name)
        if sides is not None and not ((points >= sides[:, 0]) & (points <= sides[:, 1])).all():
            raise self._misuse(call, "was given coordinates outside the access region", "Set a larger region")
        return points

    # --- profiling -----------------------------------------------------------------------------------------------

    def start_profiling_section(self, event_name: str | bytes) -> None:
        """Note the start of a section of the program; the embedded engine keeps no profile."""
        section = arguments.name(event_name, "event_name")
        if "/" in section:
            raise MisuseError(f'start_profiling_section("{section}"): the name may not contain "/"')
        self._sections.append(section)

    def stop_last_profiling_section(self) -> None:
        """Note the end of the section that was started last."""
        if not self._sections:
            raise self._misuse("stop_last_profiling_section()", "has no open section", "Start one before")
        self._sections.pop()

    def _no_open_sections(self, call: str) -> None:
        if self._sections:
            open_ones = ", ".join(self._sections)
            instead = "Call stop_last_profiling_section() before"
            raise self._misuse(call, f"was called inside profiling sections ({open_ones})", instead)


def _checked(file: str, me: str) -> config.Configuration:
    """Load the configuration and make sure that it can be run here, by this participant."""
    try:
        configuration = config.load(file)
        refused = config.refusals(configuration, me)
        if refused:
            raise ConfigurationError(refused)
    except ConfigurationError as error:
        raise InvalidConfigurationError(error.findings) from None
    names = [p.name for p in configuration.participants]
    if me not in names:
        hint = nearest(me, names)
        text = f'{file} has no participant "{me}"; expected {one_of(names)}'
        raise MisuseError(text + (f". Did you mean '{hint}'?" if hint else ""))
    return configuration


def _hint(name: str, known: list[str], where: str) -> str:
    if not known:
        return f"Add it with {where}"
    hint = nearest(name, known)
    return f"Known: {', '.join(known)}" + (f". Did you mean '{hint}'?" if hint else "")
