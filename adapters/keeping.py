"""What is changed in place and has to come back when a time window is repeated."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Keepable(Protocol):
    """Something whose value can be saved and restored."""

    def save(self) -> Any:
        """Return the value; what changes later must not change what was returned."""
        ...

    def restore(self, value: Any) -> None:
        """Take back a value that `save` returned."""
        ...


class KeptArray:
    """Keeps an array by copying its values."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def save(self) -> NDArray[Any]:
        return self.array.copy()

    def restore(self, value: NDArray[Any]) -> None:
        self.array[...] = value


class KeptGenerator:
    """Keeps a random generator by copying its state."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def save(self) -> Any:
        return self.generator.bit_generator.state

    def restore(self, value: Any) -> None:
        self.generator.bit_generator.state = value


def keeper(thing: Any) -> Keepable:
    """Return what keeps `thing`: itself, or a keeper of an array, a DOLFINx function or a random generator."""
    if isinstance(thing, Keepable):
        return thing
    if isinstance(thing, np.random.Generator):
        return KeptGenerator(thing)
    array = getattr(
        getattr(thing, "x", None), "array", thing
    )  # the local values of a DOLFINx function, ghosts included
    if isinstance(array, np.ndarray):
        return KeptArray(array)
    raise TypeError(
        f"cannot keep a {type(thing).__name__}: expected an array, a DOLFINx function, "
        "a random generator, or an object with save() and restore(value)"
    )
