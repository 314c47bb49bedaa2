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
from scalebridge.fields import Field

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Component:
    """One component of a field: which, and what its column is called, such as Strain-01."""

    field: str
    index: tuple[int, ...]
    name: str
    unit: str

    @property
    def suffix(self) -> str:
        """What stands behind a number of it; nothing where it is a pure one."""
        return "" if self.unit == "1" else f" {self.unit}"


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
    def components(self) -> tuple[Component, ...]:
        """What the columns are; of a symmetric tensor those of its upper triangle."""
        return tuple(
            Component(name, index, data, field.unit)
            for name, field in self.fields.items()
            for data, index in _columns(name, field, self.dimensions.get(name, 0)).items()
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(component.name for component in self.components)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The number of the field of each column (k,)."""
        order = list(self.fields)
        return np.array([order.index(component.field) for component in self.components], dtype=np.int64)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one value of each field."""
        return {name: tensors.shape(field, self.dimensions.get(name, 0)) for name, field in self.fields.items()}

    def of(self, name: str) -> slice:
        """Return where the columns of a field are."""
        own = [row for row, component in enumerate(self.components) if component.field == name]
        return slice(own[0], own[-1] + 1)

    def flatten(self, values: Values) -> Array:
        """Return fields (n, ...) as a matrix (n, k). Raises ValueError where a shape is not that of the field."""
        found: list[Array] = []
        for name, field in self.fields.items():
            array = np.asarray(values[name], dtype=np.float64)
            if array.shape[1:] != self.shapes[name]:
                raise ValueError(f"{name} has shape {array.shape[1:]} at each point; expected {self.shapes[name]}")
            found += [part if part.ndim == 2 else part[:, None] for part in tensors.pack(name, field, array).values()]
        return np.concatenate(found, axis=1)

    def unflatten(self, matrix: Array) -> dict[str, Array]:
        """Return the fields (..., *shape) of a matrix (..., k)."""
        return {name: self.field(name, matrix[..., self.of(name)]) for name in self.fields}

    def field(self, name: str, matrix: Array) -> Array:
        """Return one field (..., *shape) of its own columns (..., k)."""
        field = self.fields[name]
        if field.rank < 2:
            return np.array(matrix if field.rank else matrix[..., 0])
        names, rows = self.names[self.of(name)], matrix.reshape(-1, matrix.shape[-1])
        whole = tensors.unpack(name, field, dict(zip(names, rows.T, strict=True)), self.dimensions[name])
        return whole.reshape(*matrix.shape[:-1], *self.shapes[name])

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


def _columns(name: str, field: Field, dimensions: int) -> dict[str, tuple[int, ...]]:
    """Return the names of the columns of a field, and which component each is."""
    if field.rank == 1:
        return {f"{name}-{i}": (i,) for i in range(dimensions)}
    return field.carriers(name, dimensions)
