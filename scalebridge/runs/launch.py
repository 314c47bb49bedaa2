"""Starts the participants of a run: command, folder, environment and threads of each, one after the other if asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scalebridge.cases import inspection as inspecting
from scalebridge.cases import starting
from scalebridge.cases.case import Participant
from scalebridge.runs.folder import RunFolder
from scalebridge.runs.machine import cores
from scalebridge.runs.monitor import Monitor
from scalebridge.runs.processes import Processes

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Of the MPI job that the hub itself may be part of; those of a participant are for its own launcher to set.
_MPI = ("PMI_", "PMIX_", "OMPI_COMM_WORLD_", "MPI_LOCAL")


class StartError(Exception):
    """A participant could not be started; `name` is its name."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Launch:
    """All that it takes to start one participant."""

    participant: Participant
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


class Starter:
    """Starts participants when it is their turn.

    Attributes
    ----------
    monitors : of those that have been started.
    ranks : participant -> number of its MPI ranks, of those that have more than one.
    """

    def __init__(self, folder: RunFolder, processes: Processes) -> None:
        self.folder = folder
        self.processes = processes
        self.configuration = folder.inspection.configuration
        self.monitors: list[Monitor] = []
        self._launches = {launch.participant.name: launch for launch in launches(folder)}
        self.ranks = {name: n for name, launch in self._launches.items() if (n := launch.participant.ranks) > 1}
        self._begun: float | None = None

    @property
    def waiting(self) -> list[str]:
        """The names of those that have not been started, in order."""
        started = {m.process.name for m in self.monitors}
        return [name for name in self._launches if name not in started]

    def start(self, now: float) -> bool:
        """Start whose turn it is at a time [s of time.monotonic()]; return whether there was one. Raises StartError."""
        self._begun = now if self._begun is None else self._begun
        times = {m.process.name: m.process.begun for m in self.monitors}
        before = len(self.monitors)
        for name in self.waiting:
            participant = self._launches[name].participant
            since = times.get(participant.start_after) if participant.start_after else self._begun
            if since is not None and now >= since + participant.start_delay:
                self._start(self._launches[name])
                times[name] = now
        started = len(self.monitors) > before
        return (started and bool(self.waiting) and self.start(now)) or started

    def _start(self, launch: Launch) -> None:
        name = launch.participant.name
        try:
            process = self.processes.start(
                name,
                launch.command,
                folder=launch.folder,
                environment=launch.environment,
                log=self.folder.log(name),
            )
        except OSError as error:
            raise StartError(name, f"{name} could not be started: {launch.command[0]}: {error.strerror}") from None
        self.monitors.append(Monitor(process, self.folder.progress(name), launch.folder, self.configuration))


def launches(folder: RunFolder) -> list[Launch]:
    """Return what it takes to start each participant of a run, in the order of the case."""
    case = folder.inspection.case
    each = threads(folder)
    ranks = sum(p.ranks for p in case.participants)
    found = []
    for participant in case.participants:
        environment = _environment(folder, participant, each)
        start = starting.launching(participant, environment, each, ranks)
        words = [*start, *_command(folder, participant)]
        found.append(Launch(participant, tuple(words), _working_folder(folder, participant), environment))
    return found


def threads(folder: RunFolder) -> int:
    """Return how many threads each rank may use: in serial schemes the participants take turns at the cores."""
    ranks = [p.ranks for p in folder.inspection.case.participants]
    turns = all(scheme.serial for scheme in folder.inspection.configuration.schemes)
    return max(1, cores() // (max(ranks) if turns else sum(ranks)))


def oversubscribed(folder: RunFolder) -> list[str]:
    """Return a line for each participant that was given more threads than there are cores: by whoever set them."""
    lines = []
    for launch in launches(folder):
        given = launch.environment["OMP_NUM_THREADS"].split(",")[0]
        ranks = launch.participant.ranks
        if given.isdigit() and ranks * int(given) > max(cores(), ranks):
            text = f"{ranks} ranks of {given} threads" if ranks > 1 else f"{given} threads"
            lines.append(f"{launch.participant.name} has {text} on {cores()} cores: OMP_NUM_THREADS was set to {given}")
    return lines


def _working_folder(folder: RunFolder, participant: Participant) -> Path:
    return participant.directory or folder.output(participant.name)


def _command(folder: RunFolder, participant: Participant) -> list[str]:
    if participant.command:
        return _words(folder.inspection.case.folder, participant)
    handout = folder.output(participant.name) / "handout.json"
    return [sys.executable, "-P", "-m", participant.module, "--handout", str(handout)]


def _words(folder: Path, participant: Participant) -> list[str]:
    """Return the command of a program; without a folder of its own, words that name files beside the case do so."""
    if participant.directory is not None:
        return list(participant.command)
    beside = [folder / word for word in participant.command]
    words = [str(p) if p.is_file() else w for p, w in zip(beside, participant.command, strict=True)]
    return [str(beside[0]) if "/" in words[0] else words[0], *words[1:]]


def _environment(folder: RunFolder, participant: Participant, each: int) -> dict[str, str]:
    engine = folder.inspection.engine
    inherited = inspecting.environment(folder.inspection.case, engine)
    result = {name: value for name, value in inherited.items() if not name.startswith(_MPI)}
    result["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), result.get("PATH", os.defpath)])
    result["PYTHONUNBUFFERED"] = "1"
    for variable in THREAD_VARIABLES:
        result.setdefault(variable, str(each))
    if engine.name == "embedded" and participant.ranks > 1:
        result.setdefault("UCX_TLS", "self,sm")  # one machine: ranks of MPICH need not listen on its network
    result.update(
        SCALEBRIDGE_PARTICIPANT=participant.name,
        SCALEBRIDGE_CONFIG=str(folder.coupling),
        SCALEBRIDGE_RUN=str(folder.path),
        SCALEBRIDGE_OUTPUT=str(folder.output(participant.name)),
    )
    return result | participant.environment
