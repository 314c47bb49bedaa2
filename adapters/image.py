"""Fields on regular grids as VTK image files, and series of files in time, for ParaView and pyvista."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

COMPONENTS = (1, 3, 9)  # what VTK takes for a scalar, a vector and a tensor


def save(path: Path, fields: Mapping[str, NDArray[Any]], spacing: Sequence[float]) -> None:
    """Write cell data on a regular grid as a .vti file.

    Parameters
    ----------
    fields : name -> array (nx[, ny[, nz]]), with one or two more axes for the components of vectors or tensors.
    spacing : edge lengths of a cell along the axes of the grid [m].
    """
    axes = len(spacing)
    shape = next(iter(fields.values())).shape[:axes]
    extent = " ".join(f"0 {n}" for n in (*shape, 1, 1)[:3])
    sizes = " ".join(f"{s:.17g}" for s in (*spacing, spacing[0], spacing[0])[:3])
    lines = [
        '<?xml version="1.0"?>',
        '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
        f'<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{sizes}"><Piece Extent="{extent}"><CellData>',
        *(_data_array(name, np.asarray(values), axes) for name, values in fields.items()),
        "</CellData></Piece></ImageData></VTKFile>",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def save_series(path: Path, files: Sequence[tuple[float, str]]) -> None:
    """Write a .pvd file that gives each file, named relative to it, its time [s]."""
    entries = [f'<DataSet timestep="{time:.17g}" file={quoteattr(file)} />' for time, file in files]
    head = '<VTKFile type="Collection" version="1.0" byte_order="LittleEndian"><Collection>'
    lines = ['<?xml version="1.0"?>', head, *entries, "</Collection></VTKFile>"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def side_by_side(values: NDArray[Any]) -> NDArray[Any]:
    """Put volumes (n, nx, ...) next to each other along x: (n * nx, ...)."""
    return values.reshape(-1, *values.shape[2:])


def _data_array(name: str, values: NDArray[Any], axes: int) -> str:
    """Return one array as XML, with x running fastest, vectors and tensors filled up to three dimensions."""
    d = values.shape[-1] if values.ndim > axes else 1
    rank = values.ndim - axes
    full = np.zeros((*values.shape[:axes], *(3,) * rank))
    corner: tuple[Any, ...] = (..., *(slice(d),) * rank)
    full[corner] = values
    ordered = full.transpose(*reversed(range(axes)), *range(axes, full.ndim))
    data = np.ascontiguousarray(ordered, dtype="<f8").tobytes()
    coded = base64.b64encode(len(data).to_bytes(8, "little") + data).decode("ascii")
    attributes = f'type="Float64" Name={quoteattr(name)} NumberOfComponents="{COMPONENTS[rank]}" format="binary"'
    return f"<DataArray {attributes}>{coded}</DataArray>"
