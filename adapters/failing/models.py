"""Micro models by name: the module that has one, and the name of its class."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

_PARTS = ("Settings", "controls", "observables", "start", "solve")


class ModelError(Exception):
    """There is no such micro model."""


def find(module: str, name: str) -> type[Any]:
    """Import `module` and return its micro model. Raises ModelError where there is none, or the import fails."""
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModelError(f"there is no module '{error.name}'") from None
    except Exception as error:
        raise ModelError(f"'{module}' cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(imported, name, None)
    if not isinstance(found, type) or found.__module__ != module:
        raise ModelError(f"'{module}' has no class '{name}'")
    if missing := [part for part in _PARTS if not hasattr(found, part)]:
        raise ModelError(f"'{name}' in '{module}' is no micro model: it has no {', '.join(missing)}")
    return found


def file(module: str) -> str | None:
    """Return the file of a module that could be imported, or None where there is none; imports its parents."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None else None
