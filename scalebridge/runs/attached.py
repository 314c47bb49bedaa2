"""A run that another program has started, seen from its folder alone: to watch it, or to look at it when it is over."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scalebridge.embedded import config
from scalebridge.embedded.config import Configuration
from scalebridge.findings import nearest
from scalebridge.runs import status, summary
from scalebridge.runs.folder import DEFAULT
from scalebridge.runs.monitor import Monitor, Standing, standings
from scalebridge.runs.place import CASE_FILE, RunFolderError
from scalebridge.runs.status import Seen, Status
from scalebridge.runs.usage import Meter

GRACE_SECONDS = 3.0  # from the end of the hub to its summary, and from the start of a run to its first status
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def locate(given: str | None) -> Path:
    """Return the folder of a run: a path, the name of a folder under runs/, or the newest one there.

    Raises RunFolderError where there is none.
    """
    found = sorted(Path(DEFAULT).glob(f"*/{CASE_FILE}"), key=lambda file: file.stat().st_mtime)
    if given is None:
        if not found:
            raise RunFolderError(f"there is no run under {Path(DEFAULT).absolute()}: give the folder of one")
        return found[-1].parent.absolute()
    for path in (Path(given), Path(DEFAULT) / given):
        if (path / CASE_FILE).is_file():
            return path.absolute()
    hint = nearest(given, [file.parent.name for file in found])
    text = f"{given} is not the folder of a run, nor the name of one under {DEFAULT}/"
    raise RunFolderError(text + (f". Did you mean '{hint}'?" if hint else ""))


@dataclass(frozen=True)
class Described:
    """What case.json tells of a participant: its name, its folder of preCICE's logs, and whether it is ours."""

    name: str
    folder: Path


class Attached:
    """A run that is looked at.

    Attributes
    ----------
    path : the folder of the run.
    case : what its case.json holds; participants whose names are no names are left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.case = _case(path)
        self.participants = [
            Described(p["name"], Path(p["directory"]) if isinstance(p.get("directory"), str) else path / p["name"])
            for p in self.case["participants"]
        ]
        self._configuration: Configuration | None = None
        self._monitors: dict[str, Monitor] = {}
        self._meter = Meter()
        self._since = time.monotonic()

    @property
    def label(self) -> str:
        """CASE or CASE-VARIANT."""
        name, variant = str(self.case.get("name", "")), str(self.case.get("variant", ""))
        return f"{name}-{variant}" if variant else name

    @property
    def configuration(self) -> Configuration:
        """The copy of the preCICE XML in the folder of the run. Raises ConfigurationError where it cannot be read."""
        if self._configuration is None:
            self._configuration = config.load(self.path / Path(str(self.case.get("coupling", ""))).name)
        return self._configuration

    def standings(self) -> list[Standing]:
        """Return where all stand; those that have not been started are not there."""
        told = status.read(self.path)
        processes = {p.name: p for p in self._ended(told)} if told else {}
        local = told is not None and told.alive is True
        for one in self.participants:
            if one.name in processes:
                self._monitor(one, processes[one.name])
        shown = [self._monitors[p.name] for p in self.participants if p.name in self._monitors]
        return standings(shown, self._meter if local else None)

    @property
    def seconds(self) -> float:
        """Wall seconds since the run began, to its end where it has ended."""
        told, record = status.read(self.path), self.summary()
        if record is not None and isinstance(record.get("wall"), int | float):
            return float(record["wall"])
        return max(time.time() - told.begun, 0.0) if told else 0.0

    def summary(self) -> dict[str, Any] | None:
        """Return the record of the end; None while the run goes on, also where it goes on after an earlier end."""
        file = self.path / summary.FILE_NAME
        data = _json(file)
        if not isinstance(data, dict):
            return None
        told = status.read(self.path)
        return None if told and told.alive and file.stat().st_mtime < told.begun else data

    def cut_off(self) -> str:
        """Return why nothing more will come of a run that has no record of its end; "" where it may go on."""
        told = status.read(self.path)
        if time.monotonic() - self._since < GRACE_SECONDS or self.summary() is not None:
            return ""
        if told is None:
            age = time.time() - (self.path / CASE_FILE).stat().st_mtime
            return "" if age < 10 * GRACE_SECONDS else "no participant was ever started, and no summary was written"
        return "" if told.alive is not False else "the hub is gone and has written no summary: it was killed"

    def _ended(self, told: Status) -> Iterable[Seen]:
        """Return the processes; those whose end the hub did not live to tell have been stopped."""
        record = self.summary()
        entries = record.get("participants") if record is not None else None
        for process in told.processes:
            entry = entries.get(process.name) if isinstance(entries, dict) else None
            code = entry.get("status") if isinstance(entry, dict) else None
            if process.status is None and (record is not None or told.alive is False):
                yield replace(process, status=code if isinstance(code, int) else -signal.SIGKILL, stopped=True)
            else:
                yield process

    def _monitor(self, one: Described, process: Seen) -> None:
        """Follow a process; a new one of the same name (the run goes on) is followed anew."""
        known = self._monitors.get(one.name)
        if known is None or known.process.pid != process.pid:
            progress = self.path / one.name / "progress.jsonl"
            self._monitors[one.name] = Monitor(process, progress, one.folder, self.configuration)
        else:
            known.process = process


def _case(path: Path) -> dict[str, Any]:
    data = _json(path / CASE_FILE)
    if not isinstance(data, dict) or not isinstance(data.get("participants"), list):
        raise RunFolderError(f"{path / CASE_FILE} is not the record of a case")
    named = [p for p in data["participants"] if isinstance(p, dict) and _NAME.fullmatch(str(p.get("name", "")))]
    return data | {"participants": named}


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return None
