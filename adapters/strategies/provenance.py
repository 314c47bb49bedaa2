"""What a table or a trained law was made of: the micro model, its settings and its maps, to compare with a run's."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any

from adapters.micro import MicroModel, innermost
from adapters.scaling.model import ScaledModel

# settings that do not change what is computed
BESIDE = frozenset({"threads", "snapshots", "volumes", "state_tolerance", "config"})


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
