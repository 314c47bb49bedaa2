"""The meshes of a participant and the data on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded.config import Configuration, DataConfig, Key, MeshConfig
from scalebridge.embedded.mapping import MeshGeometry
from scalebridge.embedded.waveform import Floats, Waveform

Integers = NDArray[np.int64]
CORNERS = {"edges": 2, "triangles": 3, "tetrahedra": 4}


class Mesh:
    """Vertices and what connects them, by vertex number; filled by the program or received from its provider."""

    def __init__(self, config: MeshConfig) -> None:
        self.name = config.name
        self.dimensions = config.dimensions
        self.data = config.data
        self.locked = False
        self._parts: list[Floats] = []
        self._size = 0
        self._numbers = np.arange(0, dtype=np.int32)
        self._cells: dict[str, list[Integers]] = {kind: [] for kind in CORNERS}

    @property
    def size(self) -> int:
        """The number of vertices."""
        return self._size

    @property
    def vertices(self) -> Floats:
        """The vertices, (n, dimensions)."""
        if len(self._parts) != 1:
            self._parts = [np.concatenate([np.empty((0, self.dimensions)), *self._parts])]
        return self._parts[0]

    @property
    def numbers(self) -> NDArray[np.int32]:
        """The numbers of all vertices in order, (n,)."""
        if len(self._numbers) != self._size:
            self._numbers = np.arange(self._size, dtype=np.int32)
        return self._numbers

    def add_vertices(self, positions: Floats) -> NDArray[np.int32]:
        """Append vertices (m, dimensions) and return their numbers."""
        first = self._size
        self._parts.append(np.array(positions, dtype=np.float64))
        self._size += len(positions)
        return np.arange(first, self._size, dtype=np.int32)

    def add_cells(self, kind: str, corners: Integers) -> None:
        """Append edges, triangles or tetrahedra, (m, corners)."""
        self._cells[kind].append(np.asarray(corners, dtype=np.int64).reshape(-1, CORNERS[kind]))

    def cells(self, kind: str) -> Integers:
        """Return the edges, triangles or tetrahedra, (m, corners), as they were set."""
        return np.concatenate([np.empty((0, CORNERS[kind]), dtype=np.int64), *self._cells[kind]])

    def has_cells(self) -> bool:
        return any(self._cells.values())

    def preprocess(self) -> None:
        """Make the connectivity complete: edges of triangles, faces of tetrahedra, no duplicates."""
        if not self.has_cells():
            return
        from scalebridge.embedded.mapping import connectivity

        whole = connectivity.complete(self.geometry())
        for kind in CORNERS:
            self._cells[kind] = [getattr(whole, kind)]

    def geometry(self) -> MeshGeometry:
        """Return the mesh as mappings see it."""
        return MeshGeometry(
            self.vertices, self.cells("edges"), self.cells("triangles"), self.cells("tetrahedra"), self.name
        )


class Datum:
    """One data on one mesh: its waveform, and what is fixed about it."""

    def __init__(self, mesh: Mesh, config: DataConfig) -> None:
        self.mesh = mesh
        self.name = config.name
        self.components = config.components(mesh.dimensions)
        self.waveform = Waveform(config.waveform_degree)
        self.has_gradients = False
        bounds = (config.lower[: self.components], config.upper[: self.components])
        self.lower, self.upper = (tuple(b if np.isfinite(b) else None for b in side) for side in bounds)

    @property
    def key(self) -> Key:
        return self.mesh.name, self.name

    @property
    def shape(self) -> tuple[int, int]:
        return self.mesh.size, self.components

    @property
    def slopes_shape(self) -> tuple[int, int, int]:
        return self.mesh.size, self.components, self.mesh.dimensions

    def zeros(self) -> tuple[Floats, Floats | None]:
        """Return values and gradients that are zero."""
        return np.zeros(self.shape), np.zeros(self.slopes_shape) if self.has_gradients else None

    def slopes_or_zero(self, slopes: Floats | None) -> Floats:
        return np.zeros(self.slopes_shape) if slopes is None else slopes


def data_of(configuration: Configuration, meshes: dict[str, Mesh]) -> dict[Key, Datum]:
    """Return all data on `meshes`, in the order of the file."""
    return {
        (mesh, data): Datum(meshes[mesh], configuration.datum(data))
        for mesh, data in configuration.data_keys()
        if mesh in meshes
    }
