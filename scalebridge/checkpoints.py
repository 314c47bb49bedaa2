"""Checkpoints of a whole run: a file of every process for one time window, valid together or not at all.

    RUN/checkpoints/plan.json              what belongs to a checkpoint of this run
    RUN/checkpoints/000004/Macro.npz       one file of each process (scalebridge.treefile), written whole or not at all
                           Micro.0.npz
                           Micro.1.npz

Each process writes its own file at the end of a window and then removes its own ones that are no longer needed, so
that nobody has to wait for anybody. A window counts when all its files are there and tell of the same moment of the
same run; the newest such window is where the run can go on, and the one before it is kept in case that one is damaged.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scalebridge import treefile
from scalebridge.treefile import TreeFileError

FOLDER = "checkpoints"
PLAN = "plan.json"
KEPT = 2
_HEADER = ("run", "participant", "rank", "window", "time", "inputs")


class CheckpointError(Exception):
    """A checkpoint that cannot be written, or that cannot be used."""


@dataclass(frozen=True)
class Plan:
    """What the hub and all participants of a run agree on.

    Attributes
    ----------
    run : what tells this run from any other one.
    every : how many time windows lie from one checkpoint to the next.
    ranks : number of processes of each participant.
    inputs : hash of all inputs of the run.
    resume : the window after which the run goes on; 0 where it begins at its start.
    """

    run: str
    every: int
    ranks: dict[str, int]
    inputs: str
    resume: int = 0

    def save(self, folder: Path) -> None:
        """Write the plan, whole or not at all, to the folder of the checkpoints."""
        folder.mkdir(mode=0o700, exist_ok=True)
        partial = folder / f".{PLAN}.part"
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        partial.replace(folder / PLAN)

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Read the plan. Raises CheckpointError where there is none, or none that can be read."""
        path = folder / PLAN
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise CheckpointError(
                f"{folder.parent} was run without --checkpoint-every: it has no {path.name}"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from None

    def files(self) -> Iterator[tuple[str, int, str]]:
        """Yield participant, rank and file name of every process."""
        for name, ranks in self.ranks.items():
            for rank in range(ranks):
                yield name, rank, f"{name}.npz" if ranks == 1 else f"{name}.{rank}.npz"

    def file(self, name: str, rank: int) -> str:
        """Return the file name of one process."""
        return next(file for who, number, file in self.files() if (who, number) == (name, rank))


@dataclass(frozen=True)
class Checkpoint:
    """A window whose checkpoint is complete, and its time [s]."""

    window: int
    time: float


def write(folder: Path, plan: Plan, name: str, rank: int, *, window: int, time: float, body: Any) -> None:
    """Write the file of one process, and remove those of its files that are no longer needed.

    Raises
    ------
    CheckpointError
        If `body` holds what no file can hold, or the file cannot be written.
    """
    file = plan.file(name, rank)
    path = _of(folder, window) / file
    header = {"run": plan.run, "participant": name, "rank": rank, "window": window, "time": time, "inputs": plan.inputs}
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        treefile.save(path, {**header, "body": body})
    except (OSError, TreeFileError) as error:
        raise CheckpointError(f"the checkpoint after time window {window} cannot be written: {error}") from None
    needed = [w for w in windows(folder) if _whole(folder, plan, w)][:KEPT]
    for old in windows(folder):
        if len(needed) == KEPT and old < needed[-1]:
            remove(folder, old, file)


def read(folder: Path, plan: Plan, name: str, rank: int) -> tuple[float, Any]:
    """Return what one process wrote of the window after which the run goes on, and its time [s], first."""
    path = _of(folder, plan.resume) / plan.file(name, rank)
    tree = _loaded(path, plan, name, rank, plan.resume, bodies=True)
    return float(tree["time"]), tree["body"]


def newest(folder: Path, plan: Plan) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest checkpoint that can be used, and why those after it cannot."""
    problems: list[str] = []
    for window in windows(folder):
        try:
            times = [
                float(_loaded(_of(folder, window) / file, plan, name, rank, window)["time"])
                for name, rank, file in plan.files()
            ]
        except CheckpointError as error:
            problems.append(str(error))
            continue
        if all(math.isclose(time, times[0], rel_tol=1e-9, abs_tol=1e-300) for time in times):
            return Checkpoint(window, times[0]), problems
        problems.append(f"{_of(folder, window)}: its files are of different times")
    return None, problems


def windows(folder: Path) -> list[int]:
    """Return the windows of which there are files, the newest first."""
    return sorted((int(p.name) for p in folder.iterdir() if p.name.isdecimal() and p.is_dir()), reverse=True)


def remove(folder: Path, window: int, file: str) -> None:
    """Remove a file of a window, and its folder with the last one."""
    (_of(folder, window) / file).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others still have files there, or have removed it already
        _of(folder, window).rmdir()


def _of(folder: Path, window: int) -> Path:
    return folder / f"{window:06d}"


def _whole(folder: Path, plan: Plan, window: int) -> bool:
    return all((_of(folder, window) / file).is_file() for _, _, file in plan.files())


def _loaded(path: Path, plan: Plan, name: str, rank: int, window: int, *, bodies: bool = False) -> dict[str, Any]:
    """Return a file's content, without its arrays if `bodies` is not set; make sure that it is the one wanted."""
    if not path.is_file():
        raise CheckpointError(f"{path}: is missing")
    try:
        tree = treefile.load(path, arrays=bodies)
    except TreeFileError as error:
        raise CheckpointError(str(error)) from None
    if not isinstance(tree, dict) or any(key not in tree for key in (*_HEADER, "body")):
        raise CheckpointError(f"{path}: is no file of a checkpoint")
    wanted = {"run": plan.run, "participant": name, "rank": rank, "window": window, "inputs": plan.inputs}
    for key, value in wanted.items():
        if tree[key] != value:
            raise CheckpointError(f"{path}: is of another {key}: {tree[key]}, and {value} is wanted")
    return tree
