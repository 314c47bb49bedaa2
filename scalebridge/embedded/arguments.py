"""Checks of what a program passes to the interface: shapes, types, vertex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded.waveform import Floats

Ids = NDArray[np.int32]
EVERYTHING = slice(None)


class MisuseError(RuntimeError):
    """A call that is not possible with these arguments or in this state."""


class ShapeError(MisuseError, AssertionError):
    """An argument of the wrong shape; pyprecice raises AssertionError for it."""


def name(value: Any, what: str) -> str:
    """Return a mesh or data name as text; bytes are taken too, as in pyprecice."""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError(f"{what} has to be a string, not {type(value).__name__}")
    return value


def _array_like(value: Any, what: str, call: str) -> None:
    if not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        raise TypeError(
            f"{call} requires array_like input for {what}, but was provided the following input type: {type(value)}"
        )


def floats(value: Any, what: str, call: str) -> Floats:
    """Return an array-like argument as floats."""
    _array_like(value, what, call)
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} in {call} has to be numbers: {error}") from None


def table(value: Any, columns: int, what: str, call: str) -> Floats:
    """Return an array-like argument as floats of shape (n, columns)."""
    array = floats(value, what, call)
    if not len(array):
        return np.empty((0, columns))
    if array.ndim != 2 or array.shape[1] != columns:
        raise ShapeError(f"{what} in {call} has the shape {array.shape}, expected (n, {columns})")
    return array


def values(value: Any, components: int, what: str, call: str) -> Floats:
    """Return values of data as floats (n, components); scalars may come as (n,) or (n, 1)."""
    array = floats(value, what, call)
    if not array.size:
        return np.empty((0, components))
    if components == 1:
        return array.reshape(-1, 1)
    if array.ndim != 2 or array.shape[1] != components:
        raise ShapeError(
            f"{what} in {call} has the shape {array.shape}, but vector data has to come as (n, {components})"
        )
    return array


def ids(value: Any, size: int, what: str, call: str) -> Ids:
    """Return vertex numbers, each of which is below `size`."""
    _array_like(value, what, call)
    array = np.asarray(value)
    if not array.size:
        return np.empty(0, dtype=np.int32)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what} in {call} has to be integers, as set_mesh_vertices() returns them")
    flat = array.reshape(-1)
    low, high = int(flat.min()), int(flat.max())
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        place = int(np.flatnonzero(flat == wrong)[0])
        raise MisuseError(
            f"{what}[{place}] in {call} is {wrong}, which is not the number of a vertex: the mesh has {size}. Use the "
            "numbers that set_mesh_vertices() or get_mesh_vertex_ids_and_coordinates() return"
        )
    return flat


def which(value: Any, numbers: Ids, what: str, call: str) -> tuple[Ids | slice, int]:
    """Return vertex numbers as an index into data, and how many they are; `numbers` are all of the mesh in order.

    All vertices in order, which is what most programs pass, become a slice: nothing has to be looked up then.
    """
    plain = isinstance(value, np.ndarray) and value.shape == numbers.shape and value.dtype.kind in "iu"
    if plain and np.count_nonzero(value == numbers) == len(numbers):
        return EVERYTHING, len(numbers)
    given = ids(value, len(numbers), what, call)
    return given, len(given)


def corners(value: Any, count: int, size: int, call: str) -> NDArray[np.int64]:
    """Return the vertex numbers of cells with `count` corners each, (m, count)."""
    _array_like(value, "vertices", call)
    array = np.asarray(value)
    if not array.size:
        return np.empty((0, count), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != count:
        raise ShapeError(f"vertices in {call} has the shape {array.shape}, expected (n, {count})")
    cells = ids(array, size, "vertices", call).reshape(-1, count).astype(np.int64)
    ordered = np.sort(cells, axis=1)
    repeated = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if len(repeated) and count > 2:
        raise MisuseError(f"{call}: cell {repeated[0]} has a vertex twice: {cells[repeated[0]].tolist()}")
    return cells
