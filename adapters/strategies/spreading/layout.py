"""Rows of nested arrays as rows of bytes, and back, so that a rank can send them in one message."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, State, apply, arrays
from adapters.wiring import CouplingError

type Ids = NDArray[np.int64]
type Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Column:
    """One array: where it is in the tree, its type, and its shape without the rows."""

    path: str
    kind: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Entries of a row."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """Bytes of a row."""
        return np.dtype(self.kind).itemsize * self.size


@dataclass(frozen=True)
class Layout:
    """What the rows of a tree of arrays are made of."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, tree: State, rows: int) -> Layout:
        """Return that of a tree of arrays (rows, ...).

        Raises
        ------
        CouplingError, ValueError
            If there are Python objects in it, which cannot be sent; if arrays have another number of rows.
        """
        found = []
        for path, array in arrays(tree):
            values = np.asarray(array)
            if values.dtype.hasobject:
                raise CouplingError(
                    f"distributed: {path} holds Python objects, which cannot go to other ranks: remove the strategy"
                )
            if len(values) != rows:
                raise ValueError(f"{path} has {len(values)} rows for {rows} micro simulations")
            found.append(Column(path, values.dtype.str, values.shape[1:]))
        return cls(tuple(found))

    @property
    def width(self) -> int:
        """Bytes of a row."""
        return sum(column.width for column in self.columns)

    def pack(self, tree: State, rows: Ids) -> Bytes:
        """Return the chosen rows (m,) of a tree as bytes (m, width)."""
        result, at = np.empty((len(rows), self.width), dtype=np.uint8), 0
        for column, (_, array) in zip(self.columns, arrays(tree), strict=True):
            if column.width:
                values = np.ascontiguousarray(np.asarray(array)[rows])
                result[:, at : at + column.width] = values.reshape(len(rows), column.size).view(np.uint8)
            at += column.width
        return result

    def unpack(self, packed: Bytes, like: State) -> State:
        """Return the tree of arrays (m, ...) that these bytes (m, width) are; it has the branches of `like`."""
        columns, at = iter(self.columns), 0

        def next_array(_: Array) -> Array:
            nonlocal at
            column = next(columns)
            values = np.empty((len(packed), column.size), dtype=column.kind)
            if column.width:
                values.view(np.uint8)[:] = packed[:, at : at + column.width]
            at += column.width
            return values.reshape(len(packed), *column.shape)

        return apply(next_array, like)


def swap(comm: Any, packed: Bytes, sent: Ids, result: Bytes, got: Ids) -> None:
    """Send each rank so many of the `packed` rows (m, width) as `sent` (ranks,) says; put what comes into `result`."""
    from mpi4py import MPI  # only a run on several ranks needs it

    row = MPI.BYTE.Create_contiguous(packed.shape[1]).Commit()

    def layout(counts: Ids) -> tuple[Ids, Ids]:
        return counts, np.concatenate([[0], np.cumsum(counts)[:-1]])

    try:
        comm.Alltoallv([packed, layout(sent), row], [result, layout(got), row])
    finally:
        row.Free()
