"""What a table or a trained law was made of, read from its file, to compare with the model and the fields of a run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.micro import MicroModel, innermost
from adapters.scaling.model import ScaledModel
from scalebridge import treefile
from scalebridge.fields import Field
from scalebridge.treefile import TreeFileError

# settings that do not change what is computed
BESIDE = frozenset({"threads", "snapshots", "volumes", "state_tolerance", "config"})


class FileError(Exception):
    """A file that is not what it is taken for; says why."""


def load[T](path: Path, what: str, mark: tuple[str, str], version: int, build: Callable[[Mapping[str, Any]], T]) -> T:
    """Read a table or a trained law. Raises FileError.

    Parameters
    ----------
    what : it is.
    mark : key and value by which its tree is known.
    build : makes it of its tree.
    """
    try:
        tree = treefile.load(path)
    except TreeFileError as error:
        raise FileError(str(error)) from None
    if not isinstance(tree, dict) or tree.get(mark[0]) != mark[1]:
        raise FileError(f"{path}: is no {what}")
    if tree.get("version") != version:
        raise FileError(f"{path}: is a {what} of version {tree.get('version')}; this scalebridge reads {version}")
    try:
        return build(tree)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise FileError(f"{path}: is a damaged {what}: {type(error).__name__}: {error}") from None


def misfits(what: str, own: Mapping[str, Field], others: Mapping[str, Field]) -> list[str]:
    """Return in words how the fields of a file differ from those of a case; empty where they do not.

    what : what they are, "control" or "observable".
    """
    found = []
    for name in sorted({*own, *others}):
        if name not in others:
            found.append(f"{what} {name} of the file is none of the case, which has {', '.join(others) or 'none'}")
        elif name not in own:
            found.append(f"{what} {name} of the case is none of the file, which has {', '.join(own) or 'none'}")
        elif (file := _kind(own[name])) != (case := _kind(others[name])):
            found.append(f"{what} {name} is a {file} in the file, a {case} in the case")
    return found


def _kind(field: Field) -> str:
    symmetric = "symmetric " if field.rank > 1 and field.symmetric else ""
    return f"{symmetric}{field.kind} [{field.unit}]" + ("" if field.per == "point" else f" per {field.per}")


def of(model: MicroModel) -> dict[str, Any]:
    """Return what a model is: module and class, settings, maps, and a hash of all that."""
    plain = innermost(model)
    settings = getattr(plain, "settings", None)
    data: dict[str, Any] = {"model": _name(type(plain)), "settings": {}, "maps": _maps(model)}
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        given = {**dataclasses.asdict(settings), **getattr(plain, "made_of", {})}
        data["settings"] = json.loads(json.dumps({k: v for k, v in given.items() if k not in BESIDE}, default=str))
    text = json.dumps(data, sort_keys=True)
    return {**data, "hash": hashlib.sha256(text.encode()).hexdigest()}


def differences(made: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words what is not as it was; empty where nothing is."""
    if made["hash"] == now["hash"]:
        return []
    found = [] if made["model"] == now["model"] else [f"it is of {made['model']}, the case has {now['model']}"]
    old, new = made["settings"], now["settings"]
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            found.append(f"{name} was {_shown(old, name)}, the case has {_shown(new, name)}")
    if made["maps"] != now["maps"]:
        found.append("the scaling maps are others: " + "; ".join(_changed(made["maps"], now["maps"])))
    return found or ["its hash does not fit what it says"]


def _name(kind: type[Any]) -> str:
    module = kind.__module__
    if module == "__main__":  # of a participant that runs
        spec = sys.modules["__main__"].__spec__
        module = spec.name if spec is not None else module
    return f"{module}:{kind.__qualname__}"


def _maps(model: Any) -> list[str]:
    while model is not None and not isinstance(model, ScaledModel):
        model = getattr(model, "model", None)
    if model is None:
        return []
    entries = [*model.scaling.down, *model.scaling.up]
    return sorted(f"{e.data} [{e.unit}] {e.field} {e.map.name} {_parameters(e.map)}" for e in entries)


def _parameters(one: Any) -> str:
    given = dataclasses.asdict(one) if dataclasses.is_dataclass(one) and not isinstance(one, type) else {}
    return json.dumps(given, sort_keys=True, default=str)


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return str(settings[name]) if name in settings else "not there"


def _changed(old: list[str], new: list[str]) -> list[str]:
    return [f"was '{line}'" for line in old if line not in new] + [f"is '{line}'" for line in new if line not in old]
