"""What the hub leaves in the folder of a run for those who watch it: RUN/status.json and RUN/usage.csv.

`status.json` says which processes there are, since when, and which of them have ended; it is replaced as a whole
whenever that changes. `usage.csv` gets memory and processor time of every participant, each second at first, less often
in a long run.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from scalebridge.runs.usage import Usage

FILE_NAME = "status.json"
USAGE_FILE = "usage.csv"
USAGE_HEADER = "time,participant,memory,cpu\n"  # seconds since 1970; bytes; seconds
_MOST_SAMPLES = 1000  # then half as often


class Followed(Protocol):
    """A process of a run, as far as it matters to those who watch: `begun` and `ended` by time.monotonic()."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def pid(self) -> int: ...
    @property
    def begun(self) -> float: ...
    @property
    def ended(self) -> float | None: ...
    @property
    def status(self) -> int | None: ...
    @property
    def stopped(self) -> bool: ...
    @property
    def running(self) -> bool: ...
    @property
    def cpu(self) -> float: ...
    @property
    def memory(self) -> int: ...


@dataclass(frozen=True)
class Seen:
    """A process that another program than this one has started, as RUN/status.json tells of it."""

    name: str
    log: Path
    pid: int
    begun: float
    ended: float | None = None
    status: int | None = None
    stopped: bool = False
    cpu: float = 0.0
    memory: int = 0

    @property
    def running(self) -> bool:
        """Whether it has not been seen to end."""
        return self.status is None


class Recorder:
    """Keeps the two files of a run up to date.

    Parameters
    ----------
    folder : the folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begun = time.time()
        self._known: object = None
        self._every = 1.0
        self._sampled = 0.0
        self._samples = 0

    def update(self, processes: Sequence[Followed], usage: Mapping[str, Usage]) -> None:
        """Write what has changed. A full disk must not end a run that only wants to be watched."""
        state = [(p.name, p.pid, p.status, p.stopped) for p in processes]
        try:
            if state != self._known:
                self._write(processes)
                self._known = state
            if usage and time.monotonic() - self._sampled >= self._every:
                self._sample(usage)
        except OSError:
            self._known = None  # tried again at the next update

    def _write(self, processes: Sequence[Followed]) -> None:
        offset = time.time() - time.monotonic()
        data = {
            "hub": {"pid": os.getpid(), "started": started(os.getpid()), "host": platform.node()},
            "begun": round(self._begun, 3),
            "participants": {
                p.name: {
                    "pid": p.pid,
                    "begun": round(p.begun + offset, 3),
                    "ended": None if p.ended is None else round(p.ended + offset, 3),
                    "status": p.status,
                    "stopped": p.stopped,
                }
                for p in processes
            },
        }
        draft = self.folder / f".{FILE_NAME}"
        draft.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        draft.replace(self.folder / FILE_NAME)

    def _sample(self, usage: Mapping[str, Usage]) -> None:
        self._sampled = time.monotonic()
        now = time.time()
        with (self.folder / USAGE_FILE).open("a", encoding="utf-8") as file:
            if not file.tell():
                file.write(USAGE_HEADER)
            file.writelines(f"{now:.1f},{name},{u.memory},{u.cpu:.2f}\n" for name, u in usage.items())
        self._samples += 1
        if self._samples >= _MOST_SAMPLES:
            self._samples, self._every = self._samples // 2, 2 * self._every


@dataclass(frozen=True)
class Status:
    """What RUN/status.json tells.

    Attributes
    ----------
    begun : when the hub began, in seconds since 1970.
    alive : whether the hub still runs; None where that cannot be known, as on another machine.
    processes : one for each participant that has been started.
    """

    begun: float
    alive: bool | None
    processes: tuple[Seen, ...]


def read(folder: Path) -> Status | None:
    """Return what the hub has said of a run, or None where it has said nothing that can be understood."""
    try:
        data = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        hub = data["hub"]
        offset = time.monotonic() - time.time()
        processes = tuple(_seen(folder, str(n), p, offset) for n, p in data["participants"].items())
        return Status(float(data["begun"]), _alive(hub), processes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _seen(folder: Path, name: str, data: Mapping[str, Any], offset: float) -> Seen:
    ended, status = data["ended"], data["status"]
    return Seen(
        name=name,
        log=folder / name / "output.log",
        pid=int(data["pid"]),
        begun=float(data["begun"]) + offset,
        ended=None if ended is None else float(ended) + offset,
        status=None if status is None else int(status),
        stopped=bool(data["stopped"]),
    )


def _alive(hub: Mapping[str, Any]) -> bool | None:
    if hub["host"] != platform.node() or hub["started"] is None:
        return None
    same: bool = started(int(hub["pid"])) == hub["started"]
    return same


def started(process: int) -> int | None:
    """Return when a process was started, in ticks since the machine was; None where there is none, or no /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
