"""Runs a case: starts every participant, watches them, makes the report, and says how it went."""

from __future__ import annotations

import sys
import time

from scalebridge.cases import inspection as inspecting
from scalebridge.interruption import STATUS as INTERRUPTED
from scalebridge.interruption import Interrupted, shielded
from scalebridge.report import page
from scalebridge.runs import launch, panel, summary
from scalebridge.runs.failure import last_lines
from scalebridge.runs.folder import RunFolder
from scalebridge.runs.hang import Limits, Vigil
from scalebridge.runs.launch import Starter
from scalebridge.runs.monitor import Monitor
from scalebridge.runs.processes import Processes
from scalebridge.runs.watch import Outcome, Watch

WELL = 0
CHECK_FAILED = 1
CONFIGURATION = 2
PARTICIPANT_FAILED = 3
REPORT_FAILED = 4
HUNG = 5
NOT_CONVERGED = 6
_STATUS = {"well": WELL, "failed": PARTICIPANT_FAILED, "hung": HUNG, "diverged": NOT_CONVERGED}


class Run:
    """One run of a case that has been looked over.

    Parameters
    ----------
    plain : show plain lines even in a terminal.
    limits : how long the run may stand still.
    strict : whether a time window that does not converge ends the run; the case may ask for it too.
    """

    def __init__(
        self, folder: RunFolder, *, plain: bool = False, limits: Limits | None = None, strict: bool = False
    ) -> None:
        self.folder = folder
        self.inspection = folder.inspection
        self.case = folder.inspection.case
        self.plain = plain
        self.limits = limits or Limits()
        self.strict = strict or self.case.strict_convergence
        self.monitors: list[Monitor] = []
        self.begun = time.time()

    def __call__(self) -> int:
        """Run; return the exit status."""
        processes = Processes(self.folder.path)
        try:
            with processes:
                outcome = self._participants(processes)
                status = _STATUS[outcome.kind]
                ended = outcome.message or "well"
                if status == WELL:
                    problems = self._report(processes)
                    status, ended = (REPORT_FAILED, "\n".join(problems)) if problems else (status, ended)
        except Interrupted as interruption:
            processes.stop()  # should the signal have come in the middle of the first words of __exit__
            status, ended = interruption.status, str(interruption)
        with shielded():
            status = self._finish(status, ended)
        if status < INTERRUPTED:  # who stops a run does not want to wait
            self._page()
        return status

    def _participants(self, processes: Processes) -> Outcome:
        for line in launch.oversubscribed(self.folder):
            print(line, flush=True)
        starter = Starter(self.folder, processes)
        self.monitors = starter.monitors
        with panel.choose(self.plain) as display:
            watch = Watch(processes, starter, display, self.folder.path, self.limits, strict=self.strict)
            outcome = watch.run()
            watch.show()
        return outcome

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
            vigil = Vigil(processes.token, Limits(self.limits.idle))
            while process.running and (hang := vigil.look(time.monotonic(), [], complete=True)) is None:
                processes.wait(1.0)
            if process.running and hang is not None:
                processes.stop()
                problems.append(f"report {script} hangs: {hang.why}; its output: {log}")
            elif process.status != 0:
                said = "\n".join(f"  | {line}" for line in last_lines(log))
                problems.append(f"report {script} failed with exit status {process.status}; its output: {log}\n{said}")
        return problems

    def _finish(self, status: int, ended: str) -> int:
        """Write the record, tell what came out, and return the final exit status."""
        told, problems = summary.collect(self.folder)
        accounts, more = summary.failures(self.folder)
        strategies, still_more = summary.strategies(self.folder)
        problems += [*more, *still_more]
        if status == WELL and problems:
            status, ended = CHECK_FAILED, "\n".join(problems)
        elif status == WELL and any(not t.check.passed for t in told):
            status, ended = CHECK_FAILED, "a check failed"
        try:
            data = summary.write(
                self.folder, self.monitors, told, accounts, strategies, status=status, ended=ended, begun=self.begun
            )
        except OSError as error:  # such as a full disk, which may be why the run has failed
            print(f"scalebridge: {ended}", file=sys.stderr, flush=True)
            print(f"scalebridge: {self.folder.path}: no summary was written: {error.strerror}", file=sys.stderr)
            return status if status not in (WELL, CHECK_FAILED) else REPORT_FAILED
        if status in (WELL, CHECK_FAILED, REPORT_FAILED):
            print(summary.times(data))
            for participant, done in strategies.items():
                print("\n".join(done.lines(participant)))
            print(summary.table(told))
        print(f"output: {self.folder.path}", flush=True)
        for name, account in accounts.items():
            print("\n".join(account.lines(name, self.folder.output(name))), flush=True)
        if status != WELL:
            print(f"scalebridge: {ended}", file=sys.stderr, flush=True)
        return status

    def _page(self) -> None:
        """Write the page about the run. That one cannot be written is told, and changes nothing about the run."""
        try:
            print(f"report: {page.write(self.folder.path)}", flush=True)
        except OSError as error:
            print(f"scalebridge: {self.folder.path}: no report was written: {error.strerror}", file=sys.stderr)
