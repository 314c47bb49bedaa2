"""States of single objects as one state of the batch, and back.

An object's `get_state()` may return anything. What is alike in all of them (mappings, lists, arrays of one shape,
numbers, text) becomes arrays with a leading axis, and can be saved. Anything else is kept as it is, in an array of
objects: that does for repeating a time window, but no file can hold it.

Each value is a mapping from what it is to what it holds, ``{"dict": {"u": {"array": (n, ...)}, "x": ...}}``,
so no object is needed to say what a saved state was made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.micro import State

type Form = Any  # what is alike: kinds, keys, shapes and types, to be compared

OBJECTS = "objects"
KINDS = "biufcUSmM"  # of arrays that a file can hold
# a float may be Python's or NumPy's, which one becomes as soon as it meets the other, and comes back as NumPy's
NUMBERS: dict[str, type] = {"bool": bool, "int": int, "float": np.float64, "complex": complex, "str": str}
SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {"list": list, "tuple": tuple}


def form(values: Sequence[Any]) -> Form | None:
    """Return what is alike in n values, or None where something is not, or cannot be told."""
    first, kind = values[0], _kind(values[0])
    if any(_kind(value) is not kind for value in values):
        return None
    if first is None:
        return "none"
    if kind in NUMBERS.values():
        return kind.__name__ if _fits(values) else None
    if isinstance(first, np.ndarray | np.generic):
        shape, dtype = np.shape(first), first.dtype
        same = dtype.kind in KINDS and all(np.shape(v) == shape and v.dtype == dtype for v in values)
        return (kind.__name__, shape, dtype.str) if same else None
    if kind is dict:
        return _form_of_mappings(values)
    if kind in (list, tuple):
        same = all(len(value) == len(first) for value in values)
        parts = [form(items) for items in zip(*values, strict=True)] if same else [None]
        return None if None in parts else (kind.__name__, tuple(parts))
    return None


def stack(values: Sequence[Any], alike: bool = True) -> State:
    """Return n values as arrays with n rows; as objects where they are not `alike`."""
    if not alike:
        objects = np.empty(len(values), dtype=object)
        for row, value in enumerate(values):
            objects[row] = value
        return {OBJECTS: objects}
    first = values[0]
    if first is None:
        return {"none": np.zeros(len(values), dtype=bool)}
    if isinstance(first, np.ndarray):
        return {"array": np.stack(values)}
    if isinstance(first, float):
        return {"float": np.array(values, dtype=np.float64)}
    if isinstance(first, np.generic):
        return {"scalar": np.array(values, dtype=first.dtype)}
    if isinstance(first, dict):
        return {"dict": {key: stack([value[key] for value in values]) for key in first}}
    if isinstance(first, list | tuple):
        return {type(first).__name__: {str(i): stack(items) for i, items in enumerate(zip(*values, strict=True))}}
    return {type(first).__name__: np.array(values)}


def unstack(state: State, row: int) -> Any:
    """Return the value of one row; arrays are copies, which an object may change."""
    ((kind, content),) = state.items()
    if kind in ("dict", *SEQUENCES):
        inside: Any = content
        parts = {key: unstack(part, row) for key, part in inside.items()}
        return parts if kind == "dict" else SEQUENCES[kind](list(parts.values()))
    values: NDArray[Any] = np.asarray(content)
    if kind in NUMBERS:
        return NUMBERS[kind](values[row])
    if kind == "none":
        return None
    return values[row].copy() if kind == "array" else values[row]


def _kind(value: Any) -> type:
    return np.float64 if type(value) is float else type(value)


def _form_of_mappings(values: Sequence[dict[Any, Any]]) -> Form | None:
    first = values[0]
    if not all(isinstance(key, str) for key in first) or any(value.keys() != first.keys() for value in values):
        return None
    parts = {key: form([value[key] for value in values]) for key in first}
    return None if None in parts.values() else ("dict", tuple(parts.items()))


def _fits(values: Sequence[Any]) -> bool:
    """Say whether arrays hold these numbers or texts without a loss."""
    if isinstance(values[0], str):
        return not any(value.endswith("\0") for value in values)
    return type(values[0]) is not int or all(abs(value) < 2**63 for value in values)
