"""The inputs of a run: the files of its case, the programs that it starts, the packages whose code takes part."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from scalebridge.cases import inspection as inspecting
from scalebridge.cases import starting
from scalebridge.cases.case import Case, Participant
from scalebridge.cases.inspection import Inspection

OURS = ("scalebridge", "adapters")
UNREADABLE = "unreadable"


def files(inspection: Inspection) -> dict[str, Path]:
    """Return the files that go in by name: those of the case relative to its folder, programs elsewhere by path."""
    case, found = inspection.case, case_files(inspection)
    known = set(found.values())
    for participant in case.participants:
        for _, path in _programs(case, participant):
            found.update({} if path in known else {str(path): path})
    return found


def case_files(inspection: Inspection) -> dict[str, Path]:
    """Return the case file, the XML, scripts, files that are named, and Python and JSON files beside the case."""
    case = inspection.case
    paths = [case.file, case.coupling, *([case.scaling] if case.scaling else []), *case.report]
    paths += [path for kind in ("*.py", "*.json") for path in sorted(case.folder.glob(kind))]
    paths += [path for each in case.participants for word, path in _programs(case, each) if word]
    paths += [path for several in inspection.files.values() for path in several]
    return {os.path.relpath(path, case.folder): path for path in paths if path.is_file()}


def packages(inspection: Inspection) -> dict[str, Path]:
    """Return where the packages are whose code takes part: ours, and those that hold the participants."""
    case = inspection.case
    modules = [p.module.partition(".")[0] for p in case.participants if p.module]
    search = [*inspecting.environment(case, inspection.engine).get("PYTHONPATH", "").split(os.pathsep), *sys.path]
    found = {}
    for name in dict.fromkeys([*(OURS if modules else OURS[:1]), *modules]):
        spec = PathFinder.find_spec(name, [p for p in search if p])
        if spec is None:
            continue  # it ran on --describe, so it is no plain package; its own program knows where from
        locations = list(spec.submodule_search_locations or ())
        if not locations and spec.origin and Path(spec.origin).parent != case.folder:
            locations = [spec.origin]  # one file that is not beside the case
        found.update({name if i == 0 else f"{name} ({i + 1})": Path(where) for i, where in enumerate(locations)})
    return found


def tree(path: Path) -> dict[str, Any]:
    """Return a package by its content: one hash of everything, and the hash of each file by its name in it.

    The hash is that of the lines `NAME NUL SHA256 LF`, sorted by name; what Python compiled is left out.
    """
    root = path.parent if path.is_file() else path
    content = {str(file.relative_to(root)): digest(file) for file in _walk(path)}
    lines = "".join(f"{name}\0{value}\n" for name, value in sorted(content.items()))
    return {"path": str(path), "sha256": hashlib.sha256(lines.encode()).hexdigest(), "files": content}


def described(path: Path) -> dict[str, Any]:
    """Return a file by its content: path, SHA-256, size in bytes."""
    return {"path": str(path), "sha256": digest(path), "bytes": path.stat().st_size}


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; UNREADABLE of one that may be run and not read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        return UNREADABLE


def _programs(case: Case, participant: Participant) -> Iterator[tuple[str, Path]]:
    """Yield the words of a command that name files by a relative path, with the files.

    The program itself, where it is found along the PATH or by an absolute path, and the launcher of MPI ranks come
    without a word.
    """
    if participant.ranks > 1 and (launcher := starting.launcher(participant, os.environ)[1]) is not None:
        yield "", launcher
    folder = participant.directory or case.folder
    for number, word in enumerate(participant.command):
        path = folder / word
        if path.is_file():
            yield "" if Path(word).is_absolute() else word, Path(os.path.normpath(path))
        elif number == 0 and "/" not in word:
            search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
            found = shutil.which(word, path=participant.environment.get("PATH", search))
            if found is not None:
                yield "", Path(os.path.normpath(found))


def _walk(path: Path) -> Iterator[Path]:
    """Yield the files below a folder, or the file itself."""
    if path.is_file():
        yield path
    for where, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if f != "__pycache__" and not f.startswith("."))
        yield from (Path(where, n) for n in sorted(names) if not n.endswith(".pyc") and Path(where, n).is_file())
