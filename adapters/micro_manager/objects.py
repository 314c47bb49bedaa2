"""The objects of a class written for the Micro Manager, one for each micro simulation, and their states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.micro_manager import loading


class Objects:
    """One object for each micro simulation of this process.

    An object is told to `set_state` only where it is not in that state already.

    Attributes
    ----------
    kind : the class.
    """

    def __init__(self, kind: type[Any]) -> None:
        self.kind = kind
        self._known: dict[int, Any] = {}
        self._stands: dict[int, int] = {}  # the serial number of the state that an object is in

    def begin(self, number: int, data: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Make the object with a number anew; return it, and what its `initialize` returned."""
        self.forget(number)
        simulation, seen = self.made(number, data)
        self._known[number] = simulation
        return simulation, seen

    def made(self, number: int, data: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Return another object, of which nothing is remembered, and what its `initialize` returned."""
        simulation = self.kind(number)
        if not loading.initializes(simulation):
            return simulation, {}
        seen = _initialized(simulation, dict(data))
        if seen is not None and not isinstance(seen, Mapping):
            raise TypeError(f"{self.kind.__name__}.initialize returned a {type(seen).__name__}; expected a dict")
        return simulation, dict(seen or {})

    def at(self, number: int, serial: int, state: Any, data: Mapping[str, Any]) -> Any:
        """Return an object in a state; one that is not there is made and initialised with `data` first.

        Parameters
        ----------
        state : called for the state where the object is not in it.
        """
        simulation = self._known.get(number)
        if simulation is None:
            simulation, _ = self.begin(number, data)
        if self._stands.get(number) != serial:
            self._stands.pop(number, None)
            simulation.set_state(state())
            self._stands[number] = serial
        return simulation

    def stands(self, number: int, serial: int | None) -> None:
        """Note in which state an object is now; None where that is not known."""
        if serial is None:
            self._stands.pop(number, None)
        else:
            self._stands[number] = serial

    def forget(self, number: int) -> None:
        """Give an object up."""
        self._stands.pop(number, None)
        release(self._known.pop(number, None))


def release(simulation: Any) -> None:
    """Let an object give its resources back."""
    if callable(destroy := getattr(simulation, "destroy", None)):
        destroy()


def _initialized(simulation: Any, data: dict[str, Any]) -> Any:
    number = loading.arguments(simulation.initialize)
    if number is not None:
        return simulation.initialize(data) if number else simulation.initialize()
    try:
        return simulation.initialize()
    except TypeError:  # compiled, and it takes the data
        return simulation.initialize(data)
