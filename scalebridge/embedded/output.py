"""What a participant puts out: exported meshes, watch points, watch integrals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.embedded import mapping
from scalebridge.embedded.config import Key, ParticipantConfig, WatchIntegralConfig, WatchPointConfig
from scalebridge.embedded.export import Export
from scalebridge.embedded.mapping import MeshGeometry
from scalebridge.embedded.mapping.settings import MappingConfig
from scalebridge.embedded.meshes import Datum, Mesh
from scalebridge.embedded.tables import Table, columns
from scalebridge.embedded.waveform import Floats


class WatchPoint:
    """Data at one point of a mesh in time: at its projection, or interpolated in the cell that it lies in."""

    def __init__(self, me: str, config: WatchPointConfig, mesh: Mesh, data: list[Datum], size: int | None) -> None:
        self._mesh = mesh
        self._data = data
        self._point = np.array([config.coordinate])
        self._operator: mapping.Operator | None = None
        self._table = Table(f"precice-{me}-watchpoint-{config.name}.log", size)
        names = ["Time", *columns("Coordinate", mesh.dimensions)]
        self._table.header([*names, *(c for d in data for c in columns(d.name, d.components))])

    def initialize(self) -> None:
        if self._mesh.size:
            kind = "linear-cell-interpolation" if self._mesh.has_cells() else "nearest-neighbor"
            config = MappingConfig(kind, "read", self._mesh.name, "watch point", "consistent")
            target = MeshGeometry(self._point, name="watch point")
            self._operator = mapping.prepare(config, self._mesh.geometry(), target)

    def write(self, time: float) -> None:
        if self._operator is None:
            return
        row = [time, *self._operator.apply(self._mesh.vertices)[0]]
        for datum in self._data:
            row.extend(self._operator.apply(datum.waveform.sample(time))[0])
        self._table.write([float(v) for v in row])

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._table.size

    def close(self) -> None:
        self._table.close()


class WatchIntegral:
    """Sums of data over a mesh in time, or integrals where the mesh has connectivity and scaling is asked for."""

    def __init__(self, me: str, config: WatchIntegralConfig, mesh: Mesh, data: list[Datum], size: int | None) -> None:
        self._scaled = config.scale_with_connectivity
        self._mesh = mesh
        self._data = data
        self._table = Table(f"precice-{me}-watchintegral-{config.name}.log", size)
        self._table.header(["Time", *(c for d in data for c in columns(d.name, d.components))])
        self._cells = np.empty((0, 2), dtype=np.int64)
        self._sizes: Floats = np.empty(0)

    def initialize(self) -> None:
        if not len(self._mesh.cells("edges")):
            return
        self._table.header(["SurfaceArea"])
        self._cells = self._mesh.cells("edges" if self._mesh.dimensions == 2 else "triangles")
        corners = self._mesh.vertices[self._cells]
        if self._mesh.dimensions == 2:
            self._sizes = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
        else:
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            self._sizes = 0.5 * np.linalg.norm(normals, axis=1)

    def write(self, time: float) -> None:
        row = [time]
        connected = len(self._mesh.cells("edges")) > 0
        for datum in self._data:
            values = datum.waveform.sample(time)
            if connected and self._scaled:
                row.extend(self._sizes @ values[self._cells].mean(axis=1))
            else:
                row.extend(values.sum(axis=0))
        if connected:
            row.append(self._sizes.sum())
        self._table.write([float(v) for v in row])

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._table.size

    def close(self) -> None:
        self._table.close()


class Output:
    """All that one participant puts out.

    Parameters
    ----------
    memory : what `memory` returned in an earlier process, whose files are gone on with.
    """

    def __init__(
        self,
        me: ParticipantConfig,
        meshes: Mapping[str, Mesh],
        data: Mapping[Key, Datum],
        memory: Mapping[str, Any] | None = None,
    ) -> None:
        def on(mesh: str) -> list[Datum]:
            return [d for key, d in data.items() if key[0] == mesh]

        self.exports = [Export(me.name, config, meshes[name], on(name)) for config in me.exports for name in meshes]
        count = len(me.watch_points) + len(me.watch_integrals)
        sizes = iter(memory["watches"] if memory else [None] * count)
        self.watches: list[WatchPoint | WatchIntegral] = [
            *(WatchPoint(me.name, w, meshes[w.mesh], on(w.mesh), next(sizes)) for w in me.watch_points),
            *(WatchIntegral(me.name, w, meshes[w.mesh], on(w.mesh), next(sizes)) for w in me.watch_integrals),
        ]
        for export, records in zip(self.exports, memory["exports"] if memory else (), strict=memory is not None):
            export.records = records

    def memory(self) -> dict[str, Any]:
        """Return what has been put out so far."""
        return {"watches": [w.size for w in self.watches], "exports": [e.records for e in self.exports]}

    def initialize(self) -> None:
        """Look at the meshes, which are complete now."""
        for watch in self.watches:
            watch.initialize()

    def initial(self) -> None:
        """Put out the initial data."""
        for export in self.exports:
            export.initial()
        for watch in self.watches:
            watch.write(0.0)

    def after_window(self, *, window: int, advances: int, complete: bool, final: bool, time: float) -> None:
        """Put out what an advance to the end of a time window brought."""
        for export in self.exports:
            export.after_window(window=window, advances=advances, complete=complete, final=final, time=time)
        if complete:
            for watch in self.watches:
                watch.write(time)

    def close(self) -> None:
        for watch in self.watches:
            watch.close()
