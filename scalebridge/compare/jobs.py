"""Several runs of `scalebridge run`, each a process of its own, one after the other or some at once."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalebridge.cases.inspection import Inspection
from scalebridge.engines import ROOT
from scalebridge.findings import ConfigurationError
from scalebridge.runs import machine, record
from scalebridge.runs.folder import resolved
from scalebridge.runs.launch import THREAD_VARIABLES
from scalebridge.runs.processes import Process, Processes
from scalebridge.runs.run import CHECK_FAILED, WELL

FINISHED = (WELL, CHECK_FAILED)  # the run went to its end, whatever its checks say
CRASHED = 70  # EX_SOFTWARE of sysexits.h
_GRACE = 4.5  # seconds for a hub to stop its participants and write its summary
_MOST_REASON = 300


@dataclass(frozen=True)
class Job:
    """One run: what to call it, the arguments of `scalebridge run`, its folder, the file for what it prints."""

    name: str
    arguments: tuple[str, ...]
    folder: Path
    log: Path


@dataclass(frozen=True)
class Done:
    """How a run ended.

    Attributes
    ----------
    status : exit status of the hub; CRASHED where that ended without having run anything, and without a reason.
    wall : seconds.
    reason : why it did not end well, in one line.
    ran : whether what is in the folder now is of this run.
    """

    job: Job
    status: int
    wall: float
    reason: str
    ran: bool


def execute(jobs: Sequence[Job], *, at_once: int = 1, threads: int = 0, stop: bool = False) -> Iterator[Done]:
    """Run jobs and yield each as it ends; where the loop is left early, or interrupted, stop those that run.

    Parameters
    ----------
    at_once : how many at most run at the same time.
    threads : how many threads each process may use; 0 leaves that to each run.
    stop : start no other run after one that did not go to its end.
    """
    if not jobs:
        return
    environment = _environment(threads)
    waiting = list(jobs)
    running: dict[str, Job] = {}
    before: dict[str, int | None] = {}
    with Processes(jobs[0].folder.parent) as processes:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    job = waiting.pop(0)
                    running[job.name] = job
                    before[job.name] = _identity(job.folder)
                    _start(processes, job, environment)
                for process in processes.wait(1.0):
                    job = running.pop(process.name)
                    done = _done(job, process, ran=_identity(job.folder) not in (None, before[job.name]))
                    if stop and done.status not in FINISHED:
                        waiting.clear()
                    yield done
        finally:
            if running:
                processes.stop(_GRACE)


def kept(folder: Path, inspection: Inspection) -> tuple[bool, str]:
    """Return whether a run in `folder` went to its end with what goes in now, and if it is there and did not, why."""
    if not folder.is_dir():
        return False, ""
    try:
        then = record.load(folder)
    except ConfigurationError as error:
        return False, error.findings[0].message
    if then["ended"] is None or then["ended"]["status"] not in FINISHED:
        return False, "it did not end well"
    if then["ended"]["changed"]:
        return False, f"while it ran, {then['ended']['changed'][0]} was changed"
    if not (folder / "summary.json").is_file():
        return False, "its summary is gone"
    changes = record.changes(then, record.of(inspection, resolved(inspection)))
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    return (False, f"{changes[0]}{more}") if changes else (True, "")


def room(inspection: Inspection, wanted: int) -> tuple[int, int]:
    """Return how many runs of a case there is room for on this machine, `wanted` at most, and threads for each rank."""
    ranks = [p.ranks for p in inspection.case.participants]
    turns = all(scheme.serial for scheme in inspection.configuration.schemes)
    busy = max(ranks) if turns else sum(ranks)  # in serial schemes the participants take turns at the cores
    at_once = max(1, min(wanted, machine.cores() // busy))
    return at_once, max(1, machine.cores() // (at_once * busy))


def _start(processes: Processes, job: Job, environment: dict[str, str]) -> None:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    processes.start(job.name, _command(job), folder=Path.cwd(), environment=environment, log=job.log)


def _command(job: Job) -> list[str]:
    return [sys.executable, "-P", "-m", "scalebridge", "run", *job.arguments, "--plain", "--out", str(job.folder)]


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of the hubs: this one, with us importable."""
    result = dict(os.environ)
    if "site-packages" not in ROOT.parts:
        path = result.get("PYTHONPATH", "")
        result["PYTHONPATH"] = os.pathsep.join([p for p in (path, str(ROOT)) if p])
    for variable in THREAD_VARIABLES if threads else ():
        result.setdefault(variable, str(threads))
    return result


def _identity(folder: Path) -> int | None:
    """Return what tells a folder from one that stood in its place before and was moved aside."""
    try:
        return folder.stat().st_ino
    except OSError:
        return None


def _done(job: Job, process: Process, *, ran: bool) -> Done:
    status = process.status if process.status is not None else -1
    if not ran and status in FINISHED:
        status = CRASHED
    wall = round((process.ended or time.monotonic()) - process.begun, 3)
    return Done(job, status, wall, "" if status == WELL else _reason(job, ran=ran), ran)


def _reason(job: Job, *, ran: bool) -> str:
    """Return why a run did not end well, in one line: from its summary, else from what it printed."""
    try:
        if ran:
            summary = json.loads((job.folder / "summary.json").read_text(encoding="utf-8"))
            return str(summary["ended"]).splitlines()[0][:_MOST_REASON]
    except (OSError, ValueError, LookupError):
        pass  # it did not come to write one
    lines = job.log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.startswith("scalebridge: ")] or [line for line in lines if line.strip()][-1:]
    more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    return (said[0].removeprefix("scalebridge: ")[:_MOST_REASON] + more) if said else "it said nothing"
