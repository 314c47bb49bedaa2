"""Fields as the columns of a matrix: scalars, the components of vectors, and the independent components of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters import tensors
from adapters.micro import Values
from adapters.strategies.tables.nodes import Floats
from scalebridge.fields import Field


@dataclass(frozen=True)
class Columns:
    """Fields side by side.

    Attributes
    ----------
    fields : by name, in order.
    dimensions : of the vectors and tensors among them, by name.
    """

    fields: Mapping[str, Field]
    dimensions: Mapping[str, int]

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The names of the columns of each field, such as Strain-00, Strain-01 and Strain-11."""
        return {name: self._parts(name, field) for name, field in self.fields.items()}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(part for parts in self.parts.values() for part in parts)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The unit of each column."""
        return tuple(self.fields[name].unit for name, parts in self.parts.items() for _ in parts)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The number of the field of each column (k,)."""
        return np.repeat(np.arange(len(self.parts)), [len(parts) for parts in self.parts.values()])

    def of(self, name: str) -> slice:
        """Return where the columns of a field are."""
        begin = self.names.index(self.parts[name][0])
        return slice(begin, begin + len(self.parts[name]))

    def flatten(self, values: Values) -> Floats:
        """Return fields (n, ...) as a matrix (n, k). Raises ValueError where a shape is not that of the field."""
        found: list[Floats] = []
        for name, field in self.fields.items():
            array = np.asarray(values[name], dtype=np.float64)
            wanted = tensors.shape(field, self.dimensions.get(name, 0))
            if array.shape[1:] != wanted:
                raise ValueError(f"{name} has shape {array.shape[1:]} at each point; expected {wanted}")
            if field.rank < 2:
                found.append(array.reshape(len(array), -1))
            else:
                found += [part[:, None] for part in tensors.pack(name, field, array).values()]
        return np.concatenate(found, axis=1)

    def unflatten(self, matrix: Floats) -> dict[str, Floats]:
        """Return the fields (n, ...) of a matrix (n, k)."""
        return {name: self.field(name, matrix[:, self.of(name)]) for name in self.fields}

    def field(self, name: str, matrix: Floats) -> Floats:
        """Return one field (n, ...) of its own columns (n, k)."""
        field = self.fields[name]
        if field.rank == 0:
            return np.ascontiguousarray(matrix[:, 0])
        if field.rank == 1:
            return np.ascontiguousarray(matrix)
        own = dict(zip(self.parts[name], matrix.T, strict=True))
        return tensors.unpack(name, field, own, self.dimensions[name])

    def index(self, name: str) -> list[tuple[int, ...]]:
        """Return which component of the field each of its columns is."""
        field = self.fields[name]
        if field.rank < 2:
            return [()] if field.rank == 0 else [(i,) for i in range(self.dimensions[name])]
        return list(field.carriers(name, self.dimensions[name]).values())

    def to_json(self) -> list[dict[str, Any]]:
        """Return the fields as plain values."""
        return [
            {"name": name, "field": field.to_json(), "dimensions": self.dimensions.get(name, 0)}
            for name, field in self.fields.items()
        ]

    @classmethod
    def from_json(cls, data: Any) -> Columns:
        """Return what `to_json` gave. Raises KeyError, TypeError or ValueError where it is nothing of the kind."""
        return cls(
            {str(one["name"]): Field.from_json(one["field"]) for one in data},
            {str(one["name"]): int(one["dimensions"]) for one in data},
        )

    def _parts(self, name: str, field: Field) -> tuple[str, ...]:
        if field.rank == 0:
            return (name,)
        dimensions = self.dimensions[name]
        if field.rank == 1:
            return tuple(f"{name}-{i}" for i in range(dimensions))
        return field.data_names(name, dimensions)


def misfits(what: str, own: Mapping[str, Field], others: Mapping[str, Field]) -> list[str]:
    """Return in words how the fields of a table differ from those of a case; empty where they do not.

    what : what they are, "control" or "observable".
    """
    found = []
    for name in sorted({*own, *others}):
        if name not in others:
            found.append(f"{what} {name} of the table is none of the case, which has {', '.join(others) or 'none'}")
        elif name not in own:
            found.append(f"{what} {name} of the case is none of the table, which has {', '.join(own) or 'none'}")
        else:
            table, case = own[name], others[name]
            if table.unit != case.unit:
                found.append(f"{what} {name} is in {table.unit} in the table, in {case.unit} in the case")
            if (table.rank, table.symmetric) != (case.rank, case.symmetric):
                found.append(f"{what} {name} is a {_kind(table)} in the table, a {_kind(case)} in the case")
    return found


def _kind(field: Field) -> str:
    return f"symmetric {field.kind}" if field.rank > 1 and field.symmetric else field.kind
