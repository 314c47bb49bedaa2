"""Meshes with their data as files for ParaView: vtu and vtp (XML, binary), vtk (legacy, text) and csv."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded.config import ExportConfig
from scalebridge.embedded.meshes import Datum, Mesh
from scalebridge.embedded.waveform import Floats

_TYPES = {"edges": 3, "triangles": 5, "tetrahedra": 10}
_NAMES = {"float64": "Float64", "int64": "Int64", "uint8": "UInt8", "uint32": "UInt32"}


@dataclass
class Export:
    """One export of one mesh: a file at the start and after time windows, a series file that lists them."""

    me: str
    config: ExportConfig
    mesh: Mesh
    data: list[Datum]
    records: list[tuple[str, float]] = field(default_factory=list)

    def initial(self) -> None:
        if self.config.every_n_time_windows >= 1:
            self._write(0, 0.0)
            if self.config.update_series:
                self._write_series()

    def after_window(self, *, window: int, advances: int, complete: bool, final: bool, time: float) -> None:
        """Export if it is due."""
        if self.config.every_iteration:
            self._write(advances, time)
        elif complete:
            self._write(window, time)
        if final or (complete and self.config.update_series and not self.config.every_iteration):
            self._write_series()

    def _write(self, index: int, time: float) -> None:
        every = self.config.every_n_time_windows
        if not self.config.every_iteration and (every < 1 or index % every):
            return
        label = f"{'it' if self.config.every_iteration else 'dt'}{index}" if index else "init"
        name = f"{self.mesh.name}-{self.me}.{label}.{self.config.kind}"
        folder = Path(self.config.directory)
        folder.mkdir(parents=True, exist_ok=True)
        _WRITERS[self.config.kind](folder / name, self.mesh, point_data(self.data))
        self.records.append((name, time))

    def _write_series(self) -> None:
        if self.records and self.config.kind != "csv":
            files = [{"name": name, "time": time} for name, time in self.records]
            path = Path(self.config.directory) / f"{self.mesh.name}-{self.me}.{self.config.kind}.series"
            path.write_text(json.dumps({"file-series-version": "1.0", "files": files}))


def point_data(data: list[Datum]) -> dict[str, Floats]:
    """Return the latest values of data that have any, by name: (n, components), and gradients (n, 3) beside them."""
    found: dict[str, Floats] = {}
    for datum in data:
        if not datum.waveform.stamps:
            continue
        found[datum.name] = datum.waveform.last
        slopes = datum.waveform.slopes[-1]
        if datum.has_gradients and slopes is not None:
            ends = ["_gradient"] if datum.components == 1 else ["_dx", "_dy", "_dz"][: datum.components]
            for i, end in enumerate(ends):
                found[datum.name + end] = slopes[:, i, :]
    return found


def _three(values: Floats) -> Floats:
    """Return vectors with a third component, which VTK wants; scalars as they are."""
    n, components = values.shape
    return np.hstack([values, np.zeros((n, 3 - components))]) if components == 2 else values


def _array(name: str, values: NDArray[np.generic]) -> str:
    """Return a VTK data array: base64 of its length in bytes (8 bytes) and its bytes."""
    raw = np.ascontiguousarray(values)
    components = raw.shape[1] if raw.ndim == 2 else 1
    text = base64.b64encode(np.uint64(raw.nbytes).tobytes() + raw.tobytes()).decode()
    kind = _NAMES[raw.dtype.name]
    return (
        f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{components}" format="binary">'
        f"{text}</DataArray>\n"
    )


def _xml(kind: str, mesh: Mesh, counts: str, cells: str, data: dict[str, Floats]) -> str:
    order = "LittleEndian" if sys.byteorder == "little" else "BigEndian"
    arrays = _array("Rank", np.zeros(mesh.size, dtype=np.uint32))
    arrays += "".join(_array(name, _three(values)) for name, values in data.items())
    return (
        f'<?xml version="1.0"?>\n<VTKFile type="{kind}" version="1.0" byte_order="{order}" header_type="UInt64">\n'
        f'<{kind}>\n<Piece NumberOfPoints="{mesh.size}" {counts}>\n'
        f"<Points>\n{_array('Position', _three(mesh.vertices))}</Points>\n{cells}"
        f"<PointData>\n{arrays}</PointData>\n</Piece>\n</{kind}>\n</VTKFile>\n"
    )


def write_vtu(path: Path, mesh: Mesh, data: dict[str, Floats]) -> None:
    """Write an unstructured grid whose cells are the edges, triangles and tetrahedra."""
    groups = {kind: mesh.cells(kind) for kind in _TYPES}
    sizes = np.concatenate([np.full(len(c), c.shape[1], dtype=np.int64) for c in groups.values()])
    kinds = np.concatenate([np.full(len(c), _TYPES[kind], dtype=np.uint8) for kind, c in groups.items()])
    cells = (
        "<Cells>\n"
        + _array("connectivity", np.concatenate([c.reshape(-1) for c in groups.values()]))
        + _array("offsets", np.cumsum(sizes))
        + _array("types", kinds)
        + "</Cells>\n"
    )
    path.write_text(_xml("UnstructuredGrid", mesh, f'NumberOfCells="{len(kinds)}"', cells, data))


def write_vtp(path: Path, mesh: Mesh, data: dict[str, Floats]) -> None:
    """Write poly data: the edges as lines, the triangles as polygons."""
    cells = ""
    for tag, kind in (("Lines", "edges"), ("Polys", "triangles")):
        group = mesh.cells(kind)
        offsets = np.arange(1, len(group) + 1, dtype=np.int64) * group.shape[1]
        cells += f"<{tag}>\n{_array('connectivity', group.reshape(-1))}{_array('offsets', offsets)}</{tag}>\n"
    counts = f'NumberOfLines="{len(mesh.cells("edges"))}" NumberOfPolys="{len(mesh.cells("triangles"))}"'
    path.write_text(_xml("PolyData", mesh, counts, cells, data))


def write_vtk(path: Path, mesh: Mesh, data: dict[str, Floats]) -> None:
    """Write a legacy text file."""
    with path.open("w", encoding="utf-8") as file:
        file.write("# vtk DataFile Version 2.0\n\nASCII\n\nDATASET UNSTRUCTURED_GRID\n\n")
        file.write(f"POINTS {mesh.size} double\n\n")
        np.savetxt(file, _three(mesh.vertices), fmt="%.17g")
        groups = {kind: mesh.cells(kind) for kind in ("tetrahedra", "triangles", "edges")}
        count = sum(len(c) for c in groups.values())
        file.write(f"\nCELLS {count} {sum(c.size + len(c) for c in groups.values())}\n\n")
        for group in groups.values():
            np.savetxt(file, np.hstack([np.full((len(group), 1), group.shape[1]), group]), fmt="%d")
        file.write(f"\nCELL_TYPES {count}\n\n")
        for kind, group in groups.items():
            file.write(f"{_TYPES[kind]}\n" * len(group))
        file.write(f"\nPOINT_DATA {mesh.size}\n\nSCALARS Rank unsigned_int\nLOOKUP_TABLE default\n")
        file.write("0 " * mesh.size + "\n\n")
        for name, values in data.items():
            scalar = values.shape[1] == 1
            file.write(f"SCALARS {name} double\nLOOKUP_TABLE default\n" if scalar else f"VECTORS {name} double\n")
            np.savetxt(file, _three(values), fmt="%.17g")
            file.write("\n")


def write_csv(path: Path, mesh: Mesh, data: dict[str, Floats]) -> None:
    """Write a table with a line per vertex, columns separated by semicolons."""
    names = [f"Pos{axis}" for axis in "XYZ"[: mesh.dimensions]] + ["Rank"]
    blocks = [mesh.vertices, np.zeros((mesh.size, 1))]
    for name, values in data.items():
        components = values.shape[1]
        names.extend([name] if components == 1 else [name + axis for axis in "XYZ"[:components]])
        blocks.append(values)
    np.savetxt(path, np.hstack(blocks), fmt="%.17g", delimiter=";", header=";".join(names), comments="")


_WRITERS: dict[str, Callable[[Path, Mesh, dict[str, Floats]], None]] = {
    "vtu": write_vtu,
    "vtp": write_vtp,
    "vtk": write_vtk,
    "csv": write_csv,
}
