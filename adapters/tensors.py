"""Named tensors <-> the scalars and vectors that preCICE carries.

A field of rank 2 travels as one scalar per component: ``Conductivity`` in 2-D as ``Conductivity-00``,
``Conductivity-01`` and ``Conductivity-11`` if it is symmetric (the upper triangle, row by row), else as all four.
A field of rank 1 is one ``data:vector``, one of rank 0 one ``data:scalar``, both under the field's own name.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.fields import Field

Array = NDArray[np.float64]

# Largest |A - A^T| / |A| that passes for round-off; more would be lost without notice by sending the upper triangle.
SYMMETRY = 1e-8


def shape(field: Field, dimension: int) -> tuple[int, ...]:
    """Return the shape of one value of `field`: (), (d,) or (d, d)."""
    return (dimension,) * field.rank


def components(field: Field, dimension: int) -> tuple[tuple[int, int], ...]:
    """Return the indices (i, j) of a tensor that travel, in the order of their names."""
    return tuple((i, j) for i in range(dimension) for j in range(i if field.symmetric else 0, dimension))


def names(name: str, field: Field, dimension: int) -> tuple[str, ...]:
    """Return the names of the preCICE data that carry `field` under the name `name`.

    Parameters
    ----------
    name : name of the whole, such as ``Conductivity``.
    field : its rank and symmetry.
    dimension : number of space dimensions d of a tensor, that of the micro volume.
    """
    return field.data_names(name, dimension)


def pack(name: str, field: Field, values: ArrayLike) -> dict[str, Array]:
    """Split `values` into the arrays that preCICE carries.

    Parameters
    ----------
    values : (n,), (n, d) or (n, d, d) for rank 0, 1, 2; any unit, it is not changed.

    Returns
    -------
    dict : data name -> (n,) array, or (n, d) for rank 1.

    Raises
    ------
    ValueError
        If the shape does not fit the rank, or a field declared symmetric is not.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 + field.rank or len(set(array.shape[1:])) > 1:
        expected = ("(n,)", "(n, d)", "(n, d, d)")[field.rank]
        raise ValueError(f"{name} has rank {field.rank}: expected an array of shape {expected}, got {array.shape}")
    if field.rank < 2:
        return {name: array}
    if field.symmetric:
        _require_symmetry(name, array)
    dimension = array.shape[1]
    indices = components(field, dimension)
    return {data: array[:, i, j].copy() for data, (i, j) in zip(names(name, field, dimension), indices, strict=True)}


def unpack(name: str, field: Field, data: Mapping[str, ArrayLike], dimension: int) -> Array:
    """Join what preCICE carried: the inverse of `pack`.

    Parameters
    ----------
    data : data name -> (n,) array, or (n, d) for rank 1; other names in it are left alone.

    Returns
    -------
    (n,), (n, d) or (n, d, d) array.

    Raises
    ------
    ValueError
        If a component is missing, or the components differ in length.
    """
    wanted = names(name, field, dimension)
    if missing := [one for one in wanted if one not in data]:
        raise ValueError(f"{name} of rank {field.rank} in {dimension}-D needs {', '.join(missing)}")
    parts = [np.asarray(data[one], dtype=np.float64) for one in wanted]
    lengths = {one: len(part) for one, part in zip(wanted, parts, strict=True)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the components of {name} differ in length: {lengths}")
    if field.rank < 2:
        return parts[0]
    result = np.empty((len(parts[0]), dimension, dimension))
    for (i, j), part in zip(components(field, dimension), parts, strict=True):
        result[:, i, j] = part
        if field.symmetric:
            result[:, j, i] = part
    return result


def _require_symmetry(name: str, values: Array) -> None:
    """Raise ValueError if a row of `values` is not symmetric; NaN passes, it is found with its place later."""
    difference = np.abs(values - values.transpose(0, 2, 1)).max(axis=(1, 2), initial=0)
    allowed = SYMMETRY * np.abs(values).max(axis=(1, 2), initial=0)
    if (wrong := difference > allowed).any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name} is declared symmetric, but its components at row {row} differ by {difference[row]:.3g}: "
            f"{values[row].tolist()}"
        )
