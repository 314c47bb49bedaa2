"""Finds the class in the module that a file of the Micro Manager names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from adapters.wiring import CouplingError

CLASSES = ("MicroSimulation", *(f"MicroSimulation{number}" for number in range(10)))
NEEDED = ("solve", "get_state", "set_state")


class MicroSimulationInterface:
    """What classes for the Micro Manager 0.11 and later inherit from, where the Micro Manager is not installed."""

    def initialize(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Return what can be seen at the start; a class that has none does not override it."""

    def output(self) -> None:
        """Write files; a class that writes none does not override it."""

    def requires_initialize(self) -> bool:
        """Say whether the class has an `initialize`."""
        return type(self).initialize is not MicroSimulationInterface.initialize

    def requires_output(self) -> bool:
        """Say whether the class has an `output`."""
        return type(self).output is not MicroSimulationInterface.output

    def destroy(self) -> None:
        """Give resources back."""

    @property
    def name(self) -> str:
        """Name of the class."""
        return type(self).__name__


def load(module: str, folder: Path) -> type[Any]:
    """Import `module`, which may lie in `folder` or in the working folder, and return its class.

    Raises
    ------
    CouplingError
        If there is no such module or class, or the class lacks a method.
    """
    for place in (str(Path.cwd()), str(folder.resolve())):
        if place not in sys.path:
            sys.path.append(place)
    _provide_interface()
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise CouplingError(
                f"the micro simulation '{module}' needs a module '{error.name}', which is not there"
            ) from error
        raise CouplingError(
            f"there is no module '{module}' with micro simulations in {folder.resolve()} or {os.getcwd()}, or installed"
        ) from None
    found: type[Any] | None = next((getattr(imported, name) for name in CLASSES if hasattr(imported, name)), None)
    if found is None:
        raise CouplingError(f"'{module}' ({imported.__file__}) has no class MicroSimulation")
    if missing := [name for name in NEEDED if not callable(getattr(found, name, None))]:
        raise CouplingError(
            f"{found.__name__} in '{module}' has no {' and no '.join(missing)}; it needs {', '.join(NEEDED)}"
        )
    return found


def initializes(simulation: Any) -> bool:
    """Say whether an object has an `initialize` of its own."""
    return _has(simulation, "initialize")


def writes(simulation: Any) -> bool:
    """Say whether an object has an `output` of its own."""
    return _has(simulation, "output")


def arguments(method: Any) -> int | None:
    """Return how many arguments a method takes at most, None where that cannot be told, as of compiled ones."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return None
    return _count(parameters)


def _count(parameters: Iterable[inspect.Parameter]) -> int:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(1 for p in parameters if p.kind in positional or p.kind is inspect.Parameter.VAR_POSITIONAL)


def _has(simulation: Any, method: str) -> bool:
    asked = getattr(simulation, f"requires_{method}", None)
    return bool(asked()) if callable(asked) else callable(getattr(simulation, method, None))


def _provide_interface() -> None:
    """Let `from micro_manager import MicroSimulationInterface` work where the Micro Manager is not installed."""
    if "micro_manager" in sys.modules or importlib.util.find_spec("micro_manager") is not None:
        return
    module = ModuleType("micro_manager", "The part of the Micro Manager that micro simulations import.")
    module.__dict__["MicroSimulationInterface"] = MicroSimulationInterface
    sys.modules["micro_manager"] = module
