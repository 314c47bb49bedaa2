"""The calls of the interface that connect vertices to edges, triangles, quads and tetrahedra."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded import arguments
from scalebridge.embedded.arguments import MisuseError
from scalebridge.embedded.checks import Checks
from scalebridge.embedded.waveform import Floats

Corners = NDArray[np.int64]


class ConnectivityCalls(Checks):
    """Mixed into Participant; what nobody needs is not kept."""

    _connected_meshes: set[str]

    def requires_mesh_connectivity_for(self, mesh_name: str | bytes) -> bool:
        """Say whether edges, triangles and tetrahedra of a mesh are needed by anybody."""
        return self._mesh(mesh_name, "requires_mesh_connectivity_for()").name in self._connected_meshes

    def _add(self, mesh_name: str | bytes, kind: str, vertices: Any, count: int, call: str) -> None:
        mesh = self._modifiable(mesh_name, call)
        if kind == "tetrahedra" and mesh.dimensions != 3:
            raise MisuseError(f'{call}: mesh "{mesh.name}" has 2 dimensions, tetrahedra need 3')
        cells = arguments.corners(vertices, count, mesh.size, call)
        if mesh.name in self._connected_meshes and len(cells):
            mesh.add_cells(kind, cells)

    def set_mesh_edge(self, mesh_name: str | bytes, first_vertex_id: int, second_vertex_id: int) -> None:
        """Connect two vertices."""
        self._add(mesh_name, "edges", [[first_vertex_id, second_vertex_id]], 2, "set_mesh_edge()")

    def set_mesh_edges(self, mesh_name: str | bytes, vertices: Any) -> None:
        """Connect pairs of vertices (n, 2)."""
        self._add(mesh_name, "edges", vertices, 2, "set_mesh_edges()")

    def set_mesh_triangle(
        self, mesh_name: str | bytes, first_vertex_id: int, second_vertex_id: int, third_vertex_id: int
    ) -> None:
        """Make a triangle of three vertices."""
        corners = [[first_vertex_id, second_vertex_id, third_vertex_id]]
        self._add(mesh_name, "triangles", corners, 3, "set_mesh_triangle()")

    def set_mesh_triangles(self, mesh_name: str | bytes, vertices: Any) -> None:
        """Make triangles of vertices (n, 3)."""
        self._add(mesh_name, "triangles", vertices, 3, "set_mesh_triangles()")

    def set_mesh_quad(
        self,
        mesh_name: str | bytes,
        first_vertex_id: int,
        second_vertex_id: int,
        third_vertex_id: int,
        fourth_vertex_id: int,
    ) -> None:
        """Make two triangles of the four vertices of a convex quadrilateral."""
        corners = [[first_vertex_id, second_vertex_id, third_vertex_id, fourth_vertex_id]]
        self._add_quads(mesh_name, corners, "set_mesh_quad()")

    def set_mesh_quads(self, mesh_name: str | bytes, vertices: Any) -> None:
        """Make two triangles of each convex quadrilateral (n, 4)."""
        self._add_quads(mesh_name, vertices, "set_mesh_quads()")

    def _add_quads(self, mesh_name: str | bytes, vertices: Any, call: str) -> None:
        mesh = self._modifiable(mesh_name, call)
        quads = arguments.corners(vertices, 4, mesh.size, call)
        if mesh.name in self._connected_meshes and len(quads):
            mesh.add_cells("triangles", split_quads(quads, mesh.vertices, call))

    def set_mesh_tetrahedron(
        self,
        mesh_name: str | bytes,
        first_vertex_id: int,
        second_vertex_id: int,
        third_vertex_id: int,
        fourth_vertex_id: int,
    ) -> None:
        """Make a tetrahedron of four vertices."""
        corners = [[first_vertex_id, second_vertex_id, third_vertex_id, fourth_vertex_id]]
        self._add(mesh_name, "tetrahedra", corners, 4, "set_mesh_tetrahedron()")

    def set_mesh_tetrahedra(self, mesh_name: str | bytes, vertices: Any) -> None:
        """Make tetrahedra of vertices (n, 4)."""
        self._add(mesh_name, "tetrahedra", vertices, 4, "set_mesh_tetrahedra()")


def split_quads(quads: Corners, vertices: Floats, call: str) -> Corners:
    """Split quadrilaterals (n, 4) along their shorter diagonal into triangles (2 n, 3).

    The corners may come in any order: a quadrilateral is brought into the order in which it is convex.
    """
    ordered = quads.copy()
    done = np.zeros(len(quads), dtype=bool)
    for order in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2)):
        turned = quads[:, order]
        fits = _convex(vertices[turned]) & ~done
        ordered[fits] = turned[fits]
        done |= fits
    if not done.all():
        bad = int(np.flatnonzero(~done)[0])
        raise MisuseError(f"{call}: quad {bad} with the vertices {quads[bad].tolist()} is not convex")
    a, b, c, d = (ordered[:, i] for i in range(4))
    first = np.linalg.norm(vertices[a] - vertices[c], axis=1) <= np.linalg.norm(vertices[b] - vertices[d], axis=1)
    halves = np.where(first[:, None, None], _halves(a, c, b, d), _halves(b, d, a, c))
    return halves.reshape(-1, 3)


def _halves(p: Corners, q: Corners, r: Corners, s: Corners) -> Corners:
    """Return the triangles on both sides of the diagonal from p to q, (n, 2, 3)."""
    return np.stack([np.stack([p, q, r], axis=1), np.stack([p, q, s], axis=1)], axis=1)


def _convex(corners: Floats) -> NDArray[np.bool_]:
    """Say whether quadrilaterals (n, 4, dimensions) turn the same way at every corner."""
    flat = corners.shape[2] == 2
    points = np.pad(corners, ((0, 0), (0, 0), (0, 1))) if flat else corners
    edges = np.roll(points, -1, axis=1) - points
    turns = np.cross(edges, np.roll(edges, -1, axis=1))
    same = np.einsum("nik,nk->ni", turns, turns[:, 0])
    return np.asarray((same > 0.0).all(axis=1))
