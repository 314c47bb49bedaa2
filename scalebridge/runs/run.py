"""Runs a case: starts every participant, watches them, makes the report, and says how it went."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from scalebridge.cases import inspection as inspecting
from scalebridge.cases.case import Participant
from scalebridge.interruption import Interrupted, shielded
from scalebridge.runs import panel, summary
from scalebridge.runs.failure import last_lines
from scalebridge.runs.folder import RunFolder
from scalebridge.runs.monitor import Monitor
from scalebridge.runs.processes import Process, Processes
from scalebridge.runs.watch import IDLE_SECONDS, Outcome, Watch

WELL = 0
CHECK_FAILED = 1
CONFIGURATION = 2
PARTICIPANT_FAILED = 3
REPORT_FAILED = 4
IDLE = 5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Run:
    """One run of a case that has been looked over.

    Parameters
    ----------
    plain : show plain lines even in a terminal.
    idle : seconds without any computation after which the run is ended; 0 for never.
    """

    def __init__(self, folder: RunFolder, *, plain: bool = False, idle: float = IDLE_SECONDS) -> None:
        self.folder = folder
        self.inspection = folder.inspection
        self.case = folder.inspection.case
        self.plain = plain
        self.idle = idle
        self.monitors: list[Monitor] = []
        self.begun = time.time()

    def __call__(self) -> int:
        """Run; return the exit status."""
        processes = Processes()
        try:
            with processes:
                outcome = self._participants(processes)
                status = {"well": WELL, "failed": PARTICIPANT_FAILED, "idle": IDLE}[outcome.kind]
                ended = outcome.message or "well"
                if status == WELL:
                    problems = self._report(processes)
                    status, ended = (REPORT_FAILED, "\n".join(problems)) if problems else (status, ended)
        except Interrupted as interruption:
            processes.stop()  # should the signal have come in the middle of the first words of __exit__
            status, ended = interruption.status, str(interruption)
        with shielded():
            return self._finish(status, ended)

    def _participants(self, processes: Processes) -> Outcome:
        threads = self._threads()
        for participant in self.case.participants:
            try:
                process = self._start(processes, participant, threads)
            except OSError as error:
                message = f"{participant.name} could not be started: {self._command(participant)[0]}: {error.strerror}"
                return Outcome("failed", participant.name, message)
            folder = self._working_folder(participant)
            progress = self.folder.progress(participant.name)
            self.monitors.append(Monitor(process, progress, folder, self.inspection.configuration))
        with panel.choose(self.plain) as display:
            watch = Watch(processes, self.monitors, display, self.idle, self.folder.path)
            outcome = watch.run()
            watch.show()
        return outcome

    def _threads(self) -> int:
        """Return how many threads each rank may use: in serial schemes the participants take turns at the cores."""
        ranks = [p.ranks for p in self.case.participants]
        turns = all(scheme.serial for scheme in self.inspection.configuration.schemes)
        return max(1, summary.cores() // (max(ranks) if turns else sum(ranks)))

    def _start(self, processes: Processes, participant: Participant, threads: int) -> Process:
        return processes.start(
            participant.name,
            self._command(participant),
            folder=self._working_folder(participant),
            environment=self._environment(participant, threads),
            log=self.folder.log(participant.name),
        )

    def _working_folder(self, participant: Participant) -> Path:
        return participant.directory or self.folder.output(participant.name)

    def _command(self, participant: Participant) -> list[str]:
        if participant.command:
            command = self._words(participant)
        else:
            handout = self.folder.output(participant.name) / "handout.json"
            command = [sys.executable, "-P", "-m", participant.module, "--handout", str(handout)]
        if participant.ranks > 1:
            command = [str(inspecting.mpiexec()), "-n", str(participant.ranks), *command]
        return command

    def _words(self, participant: Participant) -> list[str]:
        """Return the command of a program; without a folder of its own, words that name files beside the case do so."""
        if participant.directory is not None:
            return list(participant.command)
        beside = [self.case.folder / word for word in participant.command]
        words = [str(p) if p.is_file() else w for p, w in zip(beside, participant.command, strict=True)]
        return [str(beside[0]) if "/" in words[0] else words[0], *words[1:]]

    def _environment(self, participant: Participant, threads: int) -> dict[str, str]:
        result = inspecting.environment(self.case, self.inspection.engine)
        result["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), result.get("PATH", os.defpath)])
        result["PYTHONUNBUFFERED"] = "1"
        for variable in THREAD_VARIABLES:
            result.setdefault(variable, str(threads))
        result.update(
            SCALEBRIDGE_PARTICIPANT=participant.name,
            SCALEBRIDGE_CONFIG=str(self.folder.coupling),
            SCALEBRIDGE_RUN=str(self.folder.path),
            SCALEBRIDGE_OUTPUT=str(self.folder.output(participant.name)),
        )
        return result | participant.environment

    def _report(self, processes: Processes) -> list[str]:
        """Run the report scripts, each to its end; return what is wrong."""
        problems = []
        environment = inspecting.environment(self.case, self.inspection.engine)
        environment.setdefault("MPLBACKEND", "Agg")
        for script in self.case.report:
            log = self.folder.path / "report" / f"{script.stem}.log"
            log.parent.mkdir(exist_ok=True)
            print(f"report: {script.name}", flush=True)
            process = processes.start(
                script.name,
                [sys.executable, str(script), str(self.folder.path)],
                folder=self.folder.path,
                environment=environment,
                log=log,
            )
            while process.running:
                processes.wait(0.5)
            if process.status != 0:
                said = "\n".join(f"  | {line}" for line in last_lines(log))
                problems.append(f"report {script} failed with exit status {process.status}; its output: {log}\n{said}")
        return problems

    def _finish(self, status: int, ended: str) -> int:
        """Write the record, tell what came out, and return the final exit status."""
        told, problems = summary.collect(self.folder)
        if status == WELL and problems:
            status, ended = CHECK_FAILED, "\n".join(problems)
        elif status == WELL and any(not t.check.passed for t in told):
            status, ended = CHECK_FAILED, "a check failed"
        try:
            data = summary.write(self.folder, self.monitors, told, status=status, ended=ended, begun=self.begun)
        except OSError as error:  # such as a full disk, which may be why the run has failed
            print(f"scalebridge: {ended}", file=sys.stderr, flush=True)
            print(f"scalebridge: {self.folder.path}: no summary was written: {error.strerror}", file=sys.stderr)
            return status if status not in (WELL, CHECK_FAILED) else REPORT_FAILED
        if status in (WELL, CHECK_FAILED, REPORT_FAILED):
            print(summary.times(data))
            print(summary.table(told))
        print(f"output: {self.folder.path}", flush=True)
        if status != WELL:
            print(f"scalebridge: {ended}", file=sys.stderr, flush=True)
        return status
