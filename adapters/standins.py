"""A participant that only describes itself does without the libraries it computes with: stand-ins take their place.

Importing DOLFINx takes longer than everything else that `scalebridge check` does. The package of such participants says

    standins.when_describing("dolfinx", "ufl", "mpi4py")

and with --describe or --delay on the command line these and all that is in them are imported as empty names: good for
imports, annotations and base classes, for nothing else. A library that is not installed is missed as ever; one that is
installed but broken shows only when the participant runs.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

FLAGS = {"--describe", "--delay"}


def when_describing(*libraries: str) -> None:
    """Let stand-ins take the place of libraries that are installed, if this process only describes a participant."""
    if FLAGS & set(sys.argv[1:]):
        install(*libraries)


def install(*libraries: str) -> None:
    """Let stand-ins take the place of libraries that are installed, from now on."""
    there = {name for name in libraries if name not in sys.modules and importlib.util.find_spec(name) is not None}
    sys.meta_path.insert(0, _Finder(there))


class _Name(type):
    """Type of the names in a stand-in: each is a class, whose attributes, calls and items are such names again."""

    def __getattr__(cls, name: str) -> _Name:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {})

    def __call__(cls, *args: Any, **more: Any) -> Any:
        return _Name(cls.__name__, (), {})

    def __getitem__(cls, item: Any) -> _Name:
        return cls

    def __or__(cls, other: Any) -> Any:
        return cls

    def __ror__(cls, other: Any) -> Any:
        return cls


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> _Name:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a stand-in for every library it was told, and for every module inside of one."""

    def __init__(self, libraries: set[str]) -> None:
        self.libraries = libraries

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.libraries:
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it empty."""
