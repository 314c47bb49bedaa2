"""What went into a run, `record.json`: every input with its SHA-256, versions, machine, command line.

It is written before anything starts, so that a run that crashes has it too, and completed at the end. What is needed
to run again is copied into `inputs/`, with the same relative paths.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalebridge.cases.inspection import Inspection
from scalebridge.findings import ConfigurationError, Finding
from scalebridge.runs import inputs, machine

FORMAT = 1
FILE_NAME = "record.json"
COPIES = "inputs"
MAX_COPY = 4 * 1024 * 1024  # bytes; larger files are recorded, not copied
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "PYTHONPATH")
_KEYS = ("case", "engine", "versions", "installed", "machine", "files", "packages", "ended")
_NAMES = ("name", "title", "file", "coupling", "scaling", "report", "variant", "variants", "overrides", "engine")


@dataclass(frozen=True)
class Change:
    """One thing that is not what it was: what, and short texts for what it was and is; "" where it was or is not."""

    what: str
    was: str
    now: str

    def __str__(self) -> str:
        if not self.was:
            return f"{self.what}: was not there, is {self.now}"
        return f"{self.what}: was {self.was}, is {self.now}" if self.now else f"{self.what}: was {self.was}, is gone"


def of(inspection: Inspection, case: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes into a run.

    Parameters
    ----------
    case : the case as it is run, everything spelled out (scalebridge.runs.folder.resolved).
    """
    installed = machine.installed()
    engine = inspection.engine
    return {
        "format": FORMAT,
        "case": dict(case),
        "seed": inspection.case.seed,
        "command": list(sys.argv),
        "directory": str(Path.cwd()),
        "engine": {"name": engine.name, "version": engine.version, "origin": engine.origin},
        "versions": machine.versions(installed),
        "installed": dict(installed),
        "machine": machine.describe(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "files": {name: inputs.described(path) for name, path in inputs.files(inspection).items()},
        "packages": {name: inputs.tree(path) for name, path in inputs.packages(inspection).items()},
        "begun": _now(),
        "ended": None,
    }


def begin(folder: Path, inspection: Inspection, case: Mapping[str, Any]) -> dict[str, Any]:
    """Write and return the record of a run that is about to start in `folder`; copy the files of its case there."""
    data = of(inspection, case)
    files = inputs.case_files(inspection)
    root = Path(os.path.commonpath([path.parent for path in files.values()]))
    for name, path in files.items():
        if data["files"][name]["bytes"] <= MAX_COPY and data["files"][name]["sha256"] != inputs.UNREADABLE:
            copy = Path(COPIES) / path.relative_to(root)
            (folder / copy).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / copy)
            data["files"][name]["copy"] = str(copy)
    _write(folder, data)
    return data


def resume(folder: Path, data: Mapping[str, Any], *, window: int, time: float) -> dict[str, Any]:
    """Write and return the record of a run that goes on after a time window, which ended at `time` [s]."""
    again = {"window": window, "time": time, "at": _now()}
    data = {**data, "resumed": [*data.get("resumed", []), again], "ended": None}
    _write(folder, data)
    return data


def complete(folder: Path, data: Mapping[str, Any], *, status: int, ended: str, wall: float) -> None:
    """Write the record again with how the run ended: exit status, in words, wall seconds, what changed meanwhile."""
    meanwhile = [name for name, entry in data["files"].items() if _digest(entry["path"]) != entry["sha256"]]
    end = {"status": status, "message": ended, "wall": wall, "at": _now(), "changed": meanwhile}
    _write(folder, {**data, "ended": end})


def load(folder: Path) -> dict[str, Any]:
    """Return the record of a run. Raises ConfigurationError, also where it is of a format that is not read."""
    path = folder / FILE_NAME
    if not folder.is_dir():
        raise _refused(folder, "there is no such run folder")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        older = (folder / "summary.json").is_file()
        hint = "it is a run of a version that kept none; run the case again" if older else "it is not a run folder"
        raise _refused(folder, f"has no {FILE_NAME}: {hint}") from None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise _refused(path, f"is not JSON: {error}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise _refused(path, f"is a record of format {found!r}, and only format {FORMAT} is read; run the case again")
    if missing := [key for key in _KEYS if key not in data]:
        raise _refused(path, f"is no whole record, it lacks {', '.join(missing)}")
    return data


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Return what of a record is no longer so: files, packages of ours, settings, engine, versions.

    A distribution that has been installed since is no change: the run did without it.
    """
    found = [
        Change(n, _short(then["files"].get(n)), _short(now["files"].get(n))) for n in _different(then, now, "files")
    ]
    for package in _different(then, now, "packages"):
        before, after = then["packages"].get(package, {}), now["packages"].get(package, {})
        for name in _different(before, after, "files"):
            old, new = (side.get("files", {}).get(name, "")[:12] for side in (before, after))
            found.append(Change(f"{package}/{name}", old, new))
    asked = [dict(_flat(_asked(record["case"]))) for record in (then, now)]
    for key in sorted(asked[0].keys() | asked[1].keys()):
        found.append(Change(key, *(json.dumps(side[key]) if key in side else "" for side in asked)))
    for what in ("name", "version"):
        found.append(Change(f"engine {what}", then["engine"][what], now["engine"][what]))
    found.append(Change("python", then["versions"]["python"], now["versions"]["python"]))
    found += [Change(f"package {n}", v, now["installed"].get(n, "")) for n, v in then["installed"].items()]
    return [change for change in found if change.was != change.now]


def surroundings(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Return how the machine differs; that may change the last digits of a result, and its time."""
    found = [
        Change(key, str(then["machine"].get(key, "")), str(now["machine"].get(key, "")))
        for key in ("system", "machine", "processor", "cores", "memory")
    ]
    for name in VARIABLES:
        found.append(Change(name, *(side.get("environment", {}).get(name, "") for side in (then, now))))
    return [change for change in found if change.was != change.now]


def _different(then: Mapping[str, Any], now: Mapping[str, Any], key: str) -> list[str]:
    """Return the names under `key` whose content is not the same."""
    before, after = then.get(key, {}), now.get(key, {})
    return [n for n in sorted(before.keys() | after.keys()) if _content(before.get(n)) != _content(after.get(n))]


def _content(entry: Any) -> Any:
    return entry["sha256"] if isinstance(entry, dict) else entry


def _short(entry: Mapping[str, Any] | None) -> str:
    return f"{entry['sha256'][:12]} ({entry['bytes']} bytes)" if entry else ""


def _asked(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a case asks for, without its names and paths; participants by name."""
    rest = {key: value for key, value in case.items() if key not in (*_NAMES, "participants")}
    return {**rest, **{p["name"]: {k: v for k, v in p.items() if k != "name"} for p in case["participants"]}}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings by their dotted path."""
    if isinstance(value, Mapping) and value:
        for name, entry in value.items():
            yield from _flat(entry, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _digest(path: str) -> str | None:
    try:
        return inputs.digest(Path(path))
    except OSError:
        return None


def _write(folder: Path, data: Mapping[str, Any]) -> None:
    """Write the record, whole or not at all."""
    partial = folder / f".{FILE_NAME}.part"
    partial.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / FILE_NAME)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _refused(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Finding(str(path), None, "", message)])
