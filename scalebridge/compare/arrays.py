"""Files of numbers that a run leaves behind, read as named arrays: .npz, .npy, tables of text, VTK's XML formats."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.compare import vtk

type Array = NDArray[Any]

_NOTHING = np.empty(1)


class UnreadableError(Exception):
    """A file is not what its name says, or in a form that is not read."""


@dataclass(frozen=True)
class Arrays:
    """The content of one file.

    Attributes
    ----------
    values : name -> array; the first axis is that of points, cells or rows where the array has one.
    time : simulated time [s], None where the file does not say.
    places : name -> (n, d) coordinates of the rows of that array, where the file tells [m].
    geometry : arrays that have to agree before values are compared point by point.
    """

    values: dict[str, Array]
    time: float | None = None
    places: dict[str, Array] = field(default_factory=dict)
    geometry: dict[str, Array] = field(default_factory=dict)


def read(path: Path) -> Arrays:
    """Read a file by its suffix. Raises UnreadableError."""
    try:
        return _READERS[path.suffix](path)
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadableError(f"{path}: cannot be read: {error}") from None


def readable(path: Path) -> bool:
    """Return whether files of this kind are read."""
    return path.suffix in _READERS


def table(path: Path) -> dict[str, Array]:
    """Return the columns of a table of numbers with one line of names, by name; an empty cell is NaN.

    Columns are separated by commas, by semicolons (preCICE's exports) or by spaces (preCICE's logs). Of a line that
    is just being written, or was when the program died, nothing is taken. Raises ValueError where a cell is no number.
    """
    text = path.read_text(encoding="utf-8")
    head, _, body = text.partition("\n")
    if not head.strip():
        return {}
    separator = next((s for s in (";", ",") if s in head), None)
    rows = [line.split() for line in body.splitlines()] if separator is None else _csv(body, separator)
    names = head.split() if separator is None else next(iter(_csv(head, separator)))
    if len(set(names)) != len(names):
        raise ValueError("two columns have one name")
    whole = [row for row in rows if len(row) == len(names)]
    if strange := [row for row in rows[:-1] if row and len(row) != len(names)]:
        raise ValueError(f"a line has {len(strange[0])} columns, the first one {len(names)}")
    values = np.array([[float(cell or "nan") for cell in row] for row in whole]).reshape(len(whole), len(names))
    return {name.strip(): values[:, i] for i, name in enumerate(names)}


def _csv(text: str, separator: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines(), delimiter=separator))


def _table(path: Path) -> Arrays:
    columns = table(path)
    axes = [columns.pop(name) for name in ("PosX", "PosY", "PosZ") if name in columns]
    columns.pop("Rank", None)
    if not axes:
        return Arrays(columns)
    places = np.stack(axes, axis=1)
    return Arrays(columns, None, dict.fromkeys(columns, places), {"points": places})


def _npz(path: Path) -> Arrays:
    """Read a snapshot: what is called `points` (n, d), `volumes` (m,) and `time` says where and when the rest is."""
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:  # else it stays open
        values = {name: file[name] for name in file.files}
    time = values.pop("time") if values.get("time", _NOTHING).ndim == 0 else None
    geometry = {name: values.pop(name) for name in ("points", "volumes") if name in values}
    places: dict[str, Array] = {}
    if "points" in geometry:
        everywhere = geometry["points"]
        chosen = everywhere[geometry["volumes"]] if "volumes" in geometry else everywhere
        for name, array in values.items():
            where = chosen if name.startswith("fields/") else everywhere
            if array.ndim and len(array) == len(where):
                places[name] = where
    return Arrays(values, None if time is None else float(time), places, geometry)


def _npy(path: Path) -> Arrays:
    return Arrays({"array": np.load(path, allow_pickle=False)})


def _vtk(path: Path) -> Arrays:
    data = vtk.read(path)
    places = dict.fromkeys(data.at_points, data.points) if data.points is not None else {}
    return Arrays(data.values, None, places, data.geometry)


_READERS = {
    ".npz": _npz,
    ".npy": _npy,
    ".csv": _table,
    ".vtu": _vtk,
    ".vtp": _vtk,
    ".vti": _vtk,
    ".vts": _vtk,
    ".vtr": _vtk,
}
