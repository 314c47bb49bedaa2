"""Values of a participant as trees that a file can hold (scalebridge.treefile), and back.

Besides what the file takes: dataclasses, named tuples, arrays of other libraries, and random generators of NumPy. Their
classes are not taken from the file but from a value of the same kind that the participant has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
_KIND = "\0kind"  # marks a mapping that stands for something else


class NotATree(Exception):
    """A value that cannot be saved, or not be made again."""


def tree(value: Any, place: str) -> Any:
    """Return `value` as a tree. Raises NotATree with the place of what cannot be saved."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes):
        return value
    if isinstance(value, np.generic):
        return value
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str | int)]:
            raise NotATree(f"{place}: a mapping with a key of type {type(wrong[0]).__name__}; expected text")
        return {key: tree(item, f"{place}/{key}") for key, item in value.items()}
    if isinstance(value, np.random.Generator):
        return _marked("Generator", value.bit_generator.state)
    if (parts := _parts(value)) is not None:
        return _marked(kind.__qualname__, {name: tree(part, f"{place}/{name}") for name, part in parts.items()})
    if kind in (list, tuple):
        return kind(tree(item, f"{place}/{i}") for i, item in enumerate(value))
    if hasattr(value, "__array__") and np.asarray(value).dtype != object:
        return np.asarray(value)
    if isinstance(value, np.ndarray):
        held = type(value.flat[0]).__name__ if value.size else "nothing"
        raise NotATree(
            f"{place} holds objects ({held}) that no file can hold, or that are not alike in all micro simulations; "
            "expected arrays of one shape, numbers, text, or mappings, lists and tuples of them"
        )
    raise NotATree(
        f"{place} is a {kind.__name__}; expected arrays, numbers, text, None, or mappings, lists, tuples and "
        "dataclasses of them. What is changed in place goes into keep= as an object with save() and restore(value)"
    )


def value(tree: Any, like: Any, place: str) -> Any:
    """Return what `tree` was made of.

    Parameters
    ----------
    like : a value of the same kind, from which dataclasses and the like are made; may be anything where there are none.
    """
    if isinstance(tree, Mapping):
        if _KIND in tree:
            return _made(tree[_KIND], tree["content"], like, place)
        group = like if isinstance(like, Mapping) else {}
        return {key: value(item, group.get(key), f"{place}/{key}") for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        inside = like if isinstance(like, list | tuple) and len(like) == len(tree) else [None] * len(tree)
        return type(tree)(
            value(item, one, f"{place}/{i}") for i, (item, one) in enumerate(zip(tree, inside, strict=True))
        )
    return tree


def _parts(value: Any) -> dict[str, Any] | None:
    """Return the fields of a dataclass or of a named tuple."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    names = getattr(value, "_fields", None)
    return dict(zip(names, value, strict=True)) if isinstance(value, tuple) and names else None


def _marked(kind: str, content: Any) -> dict[str, Any]:
    return {_KIND: kind, "content": content}


def _made(kind: str, content: Any, like: Any, place: str) -> Any:
    """Return a value of the class of `like`, which has to be the one that was saved."""
    if kind == "Generator":
        name = content["bit_generator"]
        if name not in GENERATORS:
            raise NotATree(f"{place}: no such random generator: {name}; expected one of {', '.join(GENERATORS)}")
        generator = np.random.Generator(getattr(np.random, name)())
        generator.bit_generator.state = content
        return generator
    own = _parts(like)
    if own is None or type(like).__qualname__ != kind:
        raise NotATree(f"{place} was a {kind} and begins as a {type(like).__name__}: start with one of the same kind")
    parts = {name: value(item, own.get(name), f"{place}/{name}") for name, item in content.items()}
    if parts.keys() != own.keys():
        raise NotATree(f"{place}: {kind} had the fields {', '.join(parts)} and has {', '.join(own)}")
    return type(like)(**parts)
