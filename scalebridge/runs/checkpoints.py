"""Checkpoints as the hub sees them: which cases can have them, what a run gets for them, and the run that goes on.

A run goes on from the copies of its inputs that lie in its folder. What has changed since in them is refused, as it
would be another run; what has changed around them (the code, a library, the machine) is told, as the result may then
differ in its last digits or in more.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scalebridge import checkpoints
from scalebridge.cases import reader
from scalebridge.cases.inspection import Inspection, inspect
from scalebridge.checkpoints import FOLDER, Checkpoint, CheckpointError, Plan
from scalebridge.embedded.config import Configuration
from scalebridge.findings import ConfigurationError, Finding, Findings
from scalebridge.handout import Handout
from scalebridge.progress import moment
from scalebridge.runs import inputs, place, record
from scalebridge.runs.folder import RunFolder, resolved
from scalebridge.runs.record import Change

OPTION = "--checkpoint-every"
LOST = (
    "libprecice cannot save its memory: the checkpoints of this run hold what the participants own (their states, "
    "checks and series), but not the acceleration history, the waveforms of the last window and the state of the "
    "coupling schemes. --resume cannot go on from them; on the embedded engine it can (--engine embedded)"
)
ENDED_WELL = (0, 1, 4)  # also with a check or a report that failed


def problems(inspection: Inspection) -> list[Finding]:
    """Return what keeps a case from having checkpoints."""
    case, findings = inspection.case, Findings(inspection.case.file)
    for participant in case.participants:
        if participant.command:
            message = f"{participant.name} is a program of its own, which cannot be asked for its state"
            key = f"participants.{participant.name}.command"
            expected = f"participants with `run:`, or no {OPTION}"
            findings.add(participant.lines.get("command", participant.line), key, message, expected=expected)
    return [*findings.found, *_windows(inspection.configuration)]


def _windows(configuration: Configuration) -> list[Finding]:
    """All participants have to end the same windows at the same times."""
    found = Findings(configuration.file)
    first, *others = configuration.schemes
    for scheme in others:
        if scheme.time_window_size is None or scheme.time_window_size != first.time_window_size:
            pairs = " and ".join(", ".join(s.participants) for s in (first, scheme))
            sizes = " and ".join("a size of their own" if s is None else f"{s:g}" for s in _sizes(first, scheme))
            message = f"{pairs} couple in time windows of different lengths ({sizes}), which do not end together"
            expected = f"one <time-window-size> in all coupling schemes, or no {OPTION}"
            found.add(scheme.line, f"<coupling-scheme:{scheme.kind}>", message, expected=expected)
    return found.found


def _sizes(*schemes: Any) -> list[float | None]:
    return [scheme.time_window_size for scheme in schemes]


def begin(folder: RunFolder, every: int) -> None:
    """Let the participants of a run that has not begun write checkpoints."""
    case = folder.inspection.case
    ranks = {p.name: p.ranks for p in case.participants}
    what = json.dumps([folder.record["case"], {n: e["sha256"] for n, e in folder.record["files"].items()}])
    plan = Plan(secrets.token_hex(8), every, ranks, hashlib.sha256(what.encode()).hexdigest())
    plan.save(folder.path / FOLDER)
    for name in folder.inspection.descriptions:
        path = folder.output(name) / "handout.json"
        replace(Handout.load(path), checkpoints=str(folder.path / FOLDER)).save(path)


def hint(folder: RunFolder) -> str:
    """Return how a run that has ended early can go on; "" where it cannot."""
    try:
        plan = Plan.load(folder.path / FOLDER)
        found, _ = checkpoints.newest(folder.path / FOLDER, plan)
    except CheckpointError:
        return ""
    if found is None or folder.inspection.engine.name != "embedded":
        return ""
    return f"to go on after time window {found.window}: scalebridge run --resume {folder.path}"


class ResumedFolder(RunFolder):
    """The folder of a run that goes on.

    Attributes
    ----------
    checkpoint : from where it goes on.
    warnings : what the user has to know of it, a line each.
    """

    def __init__(self, path: Path, every: int | None = None) -> None:
        self.path = path.absolute()
        self.earlier = None
        self.record = record.load(self.path)
        self._lock = place.lock(self.path)
        try:
            self._plan = Plan.load(self.path / FOLDER)
            _require_resumable(self.path, self.record)
            found, broken = checkpoints.newest(self.path / FOLDER, self._plan)
            if found is None:
                told = "".join(f"\n  {line}" for line in broken)
                raise CheckpointError(f"{self.path} has no complete checkpoint to go on from; run it again{told}")
            self.checkpoint: Checkpoint = found
            self.inspection = _inspection(self.path, self.record)
            self.warnings = [f"{line}; the checkpoint before it is used" for line in broken]
            self.warnings += _compared(self.path, self.record, self.inspection)
            case = self.inspection.case
            self.coupling = self.path / case.coupling.name
            self.scaling = self.path / case.scaling.name if case.scaling else None
            self._go_back(self._plan.every if every is None else every)
        except BaseException:
            os.close(self._lock)
            raise

    def _go_back(self, every: int) -> None:
        """Bring the folder to where it was when the checkpoint was written, as far as the participants do not do it."""
        plan = replace(self._plan, every=every, resume=self.checkpoint.window)
        for window in checkpoints.windows(self.path / FOLDER):
            if window > self.checkpoint.window:
                for _, _, file in plan.files():
                    checkpoints.remove(self.path / FOLDER, window, file)
        plan.save(self.path / FOLDER)
        for name in self.inspection.descriptions:  # the folder may have been moved
            handout = replace(self._handout(name), checkpoints=str(self.path / FOLDER))
            handout.save(self.output(name) / "handout.json")
        for participant in self.inspection.case.participants:
            progress = self.progress(participant.name)
            for told in (self.log(participant.name), progress, moment(progress)):
                _set_aside(told)
        at = self.checkpoint
        self.record = record.resume(self.path, self.record, window=at.window, time=at.time)


def _require_resumable(path: Path, recorded: Mapping[str, Any]) -> None:
    ended = recorded["ended"]
    if ended is not None and ended["status"] in ENDED_WELL:
        raise CheckpointError(f"there is nothing to resume: the run in {path} has come to its end")
    if recorded["engine"]["name"] != "embedded":
        raise CheckpointError(
            f"the run in {path} was made with libprecice, whose memory was not saved; it cannot go on, run it again"
        )


def _inspection(path: Path, recorded: Mapping[str, Any]) -> Inspection:
    """Look the case over again, as it was copied into the folder of the run."""
    case = recorded["case"]
    copies = {entry["path"]: entry.get("copy") for entry in recorded["files"].values()}
    copy = copies.get(case["file"])
    if copy is None or not (path / copy).is_file():
        raise CheckpointError(f"{path} has no copy of {case['file']}, from which the run would go on; run it again")
    found, findings = reader.read(path / copy, case["variant"], case["overrides"])
    if found is None:
        raise ConfigurationError(reader.placed(findings))
    return inspect(found, recorded["engine"]["name"], findings, build=None)


def _compared(path: Path, recorded: Mapping[str, Any], inspection: Inspection) -> list[str]:
    """Return what has changed around the inputs of a run. Raises ConfigurationError if they have changed themselves."""
    now = record.of(inspection, resolved(inspection))
    files = {name for name, entry in recorded["files"].items() if "copy" in entry}
    around, inside = _Sorted(files).sort(record.changes(recorded, now))
    case = inspection.case
    for source in (case.coupling, case.scaling):
        if source is not None and inputs.digest(source) != _digest(path / source.name):
            inside.append(Change(source.name, "the file that the run began with", "another one"))
    if inside:
        what = "is not what the run began with; a run can only go on unchanged"
        raise ConfigurationError(Finding(str(path), None, change.what, f"{what}: {_told(change)}") for change in inside)
    originals = [entry["path"] for name, entry in recorded["files"].items() if name in files]
    stale = [p for p in originals if _digest(Path(p)) not in (None, *_recorded(recorded, p))]
    lines = [f"{p} has changed since the run began; the run goes on with its own copy" for p in stale]
    around += record.surroundings(recorded, now)
    if around:
        shown = "".join(f"\n  {change}" for change in around[:12])
        more = f"\n  and {len(around) - 12} more" if len(around) > 12 else ""
        lines.append(f"not all is as it was, so the result may not be the same to the last bit:{shown}{more}")
    return lines


@dataclass(frozen=True)
class _Sorted:
    """Tells changes of the inputs from those around them."""

    files: set[str]

    def sort(self, changes: Iterable[Change]) -> tuple[list[Change], list[Change]]:
        around: list[Change] = []
        inside: list[Change] = []
        for change in changes:
            (inside if self._is_input(change.what) else around).append(change)
        return around, inside

    def _is_input(self, what: str) -> bool:
        return what in self.files or not ("/" in what or what.startswith("package ") or what in _AROUND)


_AROUND = ("python", "name", "version")  # of the engine, which is embedded


def _told(change: Change) -> str:
    return str(change).removeprefix(f"{change.what}: ")


def _recorded(recorded: Mapping[str, Any], path: str) -> list[str]:
    return [entry["sha256"] for entry in recorded["files"].values() if entry["path"] == path]


def _digest(path: Path) -> str | None:
    try:
        return inputs.digest(path)
    except OSError:
        return None


def _set_aside(file: Path) -> None:
    """Keep what a process has told of itself before: output.log becomes output.log.1, or .2, ..."""
    if not file.exists():
        return
    number = 1
    while (aside := file.with_name(f"{file.name}.{number}")).exists():
        number += 1
    file.rename(aside)
