"""The calls of the interface that write and read data."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalebridge.embedded import arguments
from scalebridge.embedded.checks import Checks
from scalebridge.embedded.contexts import ReadContext
from scalebridge.embedded.meshes import Mesh
from scalebridge.embedded.tolerance import at_most
from scalebridge.embedded.waveform import Floats


class DataCalls(Checks):
    """Mixed into Participant."""

    def get_data_dimensions(self, mesh_name: str | bytes, data_name: str | bytes) -> int:
        """Return the number of components of a data: 1 for a scalar."""
        return self._engine.data[self._data(mesh_name, data_name, "get_data_dimensions()")].components

    def write_data(self, mesh_name: str | bytes, data_name: str | bytes, vertex_ids: Any, values: Any) -> None:
        """Write values (n,) or (n, components) at vertices (n,)."""
        self._need_writing("write_data()", "constructed", "initialized")
        context = self._write_context(mesh_name, data_name, "write_data()")
        datum = context.datum
        numbers, count = arguments.which(vertex_ids, datum.mesh.numbers, "vertex_ids", "write_data()")
        given = arguments.values(values, datum.components, "values", "write_data()")
        if len(given) != count:
            raise arguments.ShapeError(
                f"write_data() was given {count} vertex_ids but values for {len(given)} vertices"
            )
        if count:
            context.write(numbers, given)

    def read_data(
        self, mesh_name: str | bytes, data_name: str | bytes, vertex_ids: Any, relative_read_time: float
    ) -> Floats:
        """Return values (n,) or (n, components) at vertices (n,), `relative_read_time` after the present time."""
        self._need("read_data()", "initialized")
        self._check_read_time("read_data()", relative_read_time)
        context = self._read_context(mesh_name, data_name, "read_data()")
        datum = context.datum
        numbers, count = arguments.which(vertex_ids, datum.mesh.numbers, "vertex_ids", "read_data()")
        if not count:
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
        numbers, count = arguments.which(vertex_ids, datum.mesh.numbers, "vertex_ids", call)
        dimensions = datum.mesh.dimensions
        given = arguments.table(gradients, dimensions * datum.components, "gradients", call)
        if len(given) != count:
            raise arguments.ShapeError(f"{call} was given {count} vertex_ids but {len(given)} gradients")
        if datum.has_gradients and count:
            context.write_slopes(numbers, given.reshape(-1, datum.components, dimensions))

    def requires_gradient_data_for(self, mesh_name: str | bytes, data_name: str | bytes) -> bool:
        """Say whether a mapping needs gradients of a data that is written."""
        key = self._data(mesh_name, data_name, "requires_gradient_data_for()")
        return key in self._engine.writes and self._engine.data[key].has_gradients

    def _need_writing(self, call: str, *states: str) -> None:
        self._need(call, *states)
        if self._state == "initialized" and not self._engine.ongoing:
            instead = "Write before advance(), and only while is_coupling_ongoing() is true"
            raise self._misuse(call, "is not possible any more: the coupling has ended", instead)

    def _check_read_time(self, call: str, relative: float) -> None:
        left = self._engine.max_step
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
