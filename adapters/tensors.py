"""Named tensors <-> the scalars and vectors that preCICE carries.

A field of rank 2 travels as one scalar per component: ``Conductivity`` in 2-D as ``Conductivity-00``,
``Conductivity-01`` and ``Conductivity-11`` if it is symmetric (the upper triangle, row by row), else as all four.
A configuration may as well have ``K00``, all four components of a symmetric tensor, or those of its diagonal alone.
One of rank 4 travels as ``Tangent-0000``, ``Tangent-0001``, ... in the same way: 6 components in 2-D and 21 in 3-D if
it is symmetric. They are those of the tensor itself, so nothing has to be known of a notation with factors of 2.
A field of rank 1 is one ``data:vector``, one of rank 0 one ``data:scalar``, both under the field's own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalebridge.fields import Field, equals

Array = NDArray[np.float64]

# Largest |A - A^T| / |A| that passes for round-off; more would be lost without notice by sending the upper triangle.
SYMMETRY = 1e-8
# Largest entry beside the diagonal, relative to the largest of all, that passes for the error of a cell problem.
DIAGONAL = 1e-5


def shape(field: Field, dimension: int) -> tuple[int, ...]:
    """Return the shape of one value of `field`: (), (d,), (d, d) or (d, d, d, d)."""
    return (dimension,) * field.rank


def dimension_of(name: str, present: Iterable[str], default: int) -> int:
    """Return the number of dimensions of the tensor `name`, from the components that are `present`."""
    parts = components_of(name, present)
    return max((int(i) + 1 for data in parts for i in data[len(name) :].removeprefix("-")), default=default)


def components_of(name: str, present: Iterable[str]) -> set[str]:
    """Return those of the data `present` that look like components of the tensor `name`."""
    return {data for data in present if re.fullmatch(re.escape(name) + "-?[0-2][0-2]([0-2][0-2])?", data)}


def whole(data: str) -> set[str]:
    """Return the names under which data may be known: their own, and that of the tensor of which they are a part."""
    return {data, *(match[1] for match in [re.fullmatch(r"(.*[A-Za-z])-?[0-2][0-2]([0-2][0-2])?", data)] if match)}


def pack(
    name: str, field: Field, values: ArrayLike, carriers: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, Array]:
    """Split `values` into the arrays that preCICE carries.

    Parameters
    ----------
    values : (n,), (n, d), (n, d, d) or (n, d, d, d, d) for rank 0, 1, 2, 4; any unit, it is not changed.
    carriers : which data carry which component, where it is not the usual (`Field.carriers`).

    Returns
    -------
    dict : data name -> (n,) array, or (n, d) for rank 1.

    Raises
    ------
    ValueError
        If the shape does not fit the rank, a field declared symmetric is not, or one that travels as its diagonal has
        more than that.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 + field.rank or len(set(array.shape[1:])) > 1:
        expected = "(n,)" if field.rank == 0 else f"({', '.join(['n', *'d' * field.rank])})"
        raise ValueError(f"{name} has rank {field.rank}: expected an array of shape {expected}, got {array.shape}")
    if field.rank < 2:
        return {name: array}
    if field.symmetric:
        _require_symmetry(name, array)
    carriers = carriers or field.carriers(name, array.shape[1])
    if field.rank == 2 and all(i == j for i, j in carriers.values()):
        _require_diagonal(name, array)
    components = np.moveaxis(array, 0, -1)
    return {data: components[index].copy() for data, index in carriers.items()}


def unpack(
    name: str,
    field: Field,
    data: Mapping[str, ArrayLike],
    dimension: int,
    carriers: Mapping[str, tuple[int, ...]] | None = None,
) -> Array:
    """Join what preCICE carried: the inverse of `pack`.

    Parameters
    ----------
    data : data name -> (n,) array, or (n, d) for rank 1; other names in it are left alone.
    carriers : as for `pack`; components that do not travel are zero.

    Returns
    -------
    (n,), (n, d), (n, d, d) or (n, d, d, d, d) array.

    Raises
    ------
    ValueError
        If a component is missing, or the components differ in length.
    """
    wanted = carriers or field.carriers(name, dimension)
    if missing := [one for one in wanted if one not in data]:
        raise ValueError(f"{name} of rank {field.rank} in {dimension}-D needs {', '.join(missing)}")
    parts = [np.asarray(data[one], dtype=np.float64) for one in wanted]
    lengths = {one: len(part) for one, part in zip(wanted, parts, strict=True)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the components of {name} differ in length: {lengths}")
    if field.rank < 2:
        return parts[0]
    result = np.zeros((len(parts[0]), *shape(field, dimension)))
    components = np.moveaxis(result, 0, -1)
    for index, part in zip(wanted.values(), parts, strict=True):
        for same in equals(index) - set(wanted.values()) if field.symmetric else ():
            components[same] = part
        components[index] = part
    return result


def _require_diagonal(name: str, values: Array) -> None:
    """Raise ValueError if anything beside the diagonal would be lost."""
    beside = np.abs(values * (1 - np.eye(values.shape[1]))).max(axis=(1, 2), initial=0)
    lost = beside > DIAGONAL * np.abs(values).max(axis=(1, 2), initial=0)
    if lost.any():
        row = int(np.argmax(lost))
        raise ValueError(
            f"of {name} only the diagonal travels, but at row {row} it has more: {values[row].tolist()}; add its other "
            "components to the configuration"
        )


def _require_symmetry(name: str, values: Array) -> None:
    """Raise ValueError if a row of `values` is not symmetric; NaN passes, it is found with its place later."""
    axes = tuple(range(1, values.ndim))
    others = [(2, 1)] if values.ndim == 3 else [(2, 1, 3, 4), (1, 2, 4, 3), (3, 4, 1, 2)]
    differences = [np.abs(values - values.transpose(0, *other)).max(axis=axes, initial=0) for other in others]
    difference = np.max(differences, axis=0)
    allowed = SYMMETRY * np.abs(values).max(axis=axes, initial=0)
    if (wrong := difference > allowed).any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name} is declared symmetric, but its components at row {row} differ by {difference[row]:.3g}: "
            f"{values[row].tolist()}"
        )
