"""The calls of the interface about vertices and access to received meshes."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalebridge.embedded import arguments
from scalebridge.embedded.arguments import Ids, MisuseError
from scalebridge.embedded.checks import Checks
from scalebridge.embedded.meshes import Mesh
from scalebridge.embedded.waveform import Floats


class MeshCalls(Checks):
    """Mixed into Participant; for edges, triangles and so on see ConnectivityCalls."""

    def get_mesh_dimensions(self, mesh_name: str | bytes) -> int:
        """Return the number of space dimensions of a mesh."""
        return self._mesh(mesh_name, "get_mesh_dimensions()").dimensions

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
