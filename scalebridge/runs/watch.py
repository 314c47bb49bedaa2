"""Watches a run until it ends, and ends it where one participant failed, hangs, does not converge, or never comes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from scalebridge.runs import census, divergence, failure
from scalebridge.runs.failure import Ending, Verdict
from scalebridge.runs.hang import Hang, Limits, Vigil
from scalebridge.runs.launch import Starter, StartError
from scalebridge.runs.monitor import Monitor, standings
from scalebridge.runs.panel import Display
from scalebridge.runs.processes import Processes
from scalebridge.runs.status import Recorder
from scalebridge.runs.usage import Meter

LINGER_SECONDS = 0.5  # for the partners of one that failed, to say what they have to say
ERROR_SECONDS = 2.0  # from reporting an error, or printing a traceback and idling, to the end of the process
_LOOK_SECONDS = 1.0
_RANK_SECONDS = 60.0  # in which ranks are looked for often, until all have been seen


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `kind` is "well", "failed", "hung" or "diverged"; the rest is empty where it ended well."""

    kind: str
    culprit: str = ""
    message: str = ""


class Watch:
    """Watches all participants of a run, from the start of the first to the end of the last.

    Parameters
    ----------
    folder : the folder of the run, for what others need to watch it too.
    strict : whether a time window that does not converge ends the run.
    """

    def __init__(
        self,
        processes: Processes,
        starter: Starter,
        display: Display,
        folder: Path,
        limits: Limits,
        *,
        strict: bool = False,
    ) -> None:
        self.processes = processes
        self.starter = starter
        self.display = display
        self.begun = time.monotonic()
        self.strict = strict
        self._meter = Meter()
        self._recorder = Recorder(folder)
        self._vigil = Vigil(processes.token, limits)
        self._looked = self.begun
        self._errors: dict[str, float] = {}
        self._hung: set[str] = set()
        self._ranks: dict[str, dict[int, int]] = {}

    @property
    def monitors(self) -> list[Monitor]:
        """Of the participants that have been started."""
        return self.starter.monitors

    def run(self) -> Outcome:
        """Start the participants; return when all have ended, by themselves or because one of them failed."""
        try:
            outcome = self._follow()
        except StartError as error:
            self._stopped()
            return Outcome("failed", error.name, str(error))
        self._record()
        return outcome

    def _follow(self) -> Outcome:
        while self.starter.waiting or self.processes.running:
            if self.starter.waiting and self.starter.start(time.monotonic()):
                self._record()
            ended = self.processes.wait(0.2)
            if self.display.due():
                self.show()
            if ended:
                self._record()
            if any(p.status != 0 for p in ended):
                return self._failed()
            now = time.monotonic()
            if now - self.begun < _RANK_SECONDS:
                self._see_ranks()
            if now - self._looked >= _LOOK_SECONDS:
                self._looked = now
                self._record()
                outcome = self._look(now)
                if outcome is not None:
                    return outcome
        endings = self.endings()
        if any(e.failed for e in endings):
            return self._judged(failure.judge(endings))
        return self._diverged() or Outcome("well")

    def show(self) -> None:
        """Show where everybody stands."""
        self.display.show(standings(self.monitors, self._meter), time.monotonic() - self.begun)

    def endings(self) -> list[Ending]:
        """Return how every participant ended."""
        return [
            replace(m.ending(), hung=m.process.name in self._hung, ranks=self._ranks.get(m.process.name, {}))
            for m in self.monitors
        ]

    def _record(self) -> None:
        """Leave in the folder of the run what those need who watch it from elsewhere."""
        roots = {m.process.name: m.process.pid for m in self.monitors if m.process.running}
        self._recorder.update([m.process for m in self.monitors], self._meter.read(roots))

    def _see_ranks(self) -> None:
        """Note which process is which rank, until all have been seen."""
        if all(len(self._ranks.get(name, {})) >= count for name, count in self.starter.ranks.items()):
            return
        for process, (name, rank) in census.ranks(census.members(self.processes.token)).items():
            if name in self.starter.ranks:
                self._ranks.setdefault(name, {})[process] = rank

    def _look(self, now: float) -> Outcome | None:
        """Look for what the end of a process does not tell."""
        for monitor in self.monitors:
            lingering = monitor.process.running and monitor.ending().reported
            if lingering and now - self._errors.setdefault(monitor.process.name, now) >= ERROR_SECONDS:
                return self._failed()  # it reported an error and hangs at its end
        gone = {m.process.name for m in self.monitors if not m.process.running}
        for monitor in self.monitors:
            missing = failure.waits_for(monitor.process.log, gone) if monitor.process.running else None
            if missing is not None:
                return self._judged(failure.never_came(missing, monitor.process.name, self._stopped()))
        hang = self._vigil.look(now, self.monitors, complete=not self.starter.waiting)
        if self._vigil.idle_seconds(now) >= ERROR_SECONDS:
            self._hung = {m.process.name for m in self.monitors if m.process.running and failure.raised(m.process.log)}
            if self._hung:
                return self._failed()
        return self._diverged() if hang is None else self._hangs(hang)

    def _failed(self) -> Outcome:
        begun = time.monotonic()
        while self.processes.running and time.monotonic() - begun < LINGER_SECONDS:
            self.processes.wait(0.1)
        while self._accused() and time.monotonic() - begun < ERROR_SECONDS:  # its launcher takes its time
            self.processes.wait(0.1)
        return self._judged(failure.judge(self._stopped()))

    def _accused(self) -> bool:
        """Return whether somebody complains of the end of a participant that has not been seen to end."""
        by_name = {e.name: e for e in self.endings()}
        running = {p.name for p in self.processes.running}
        return any(failure.complaint(e, by_name) in running for e in by_name.values() if e.failed)

    def _hangs(self, hang: Hang) -> Outcome:
        return Outcome("hung", hang.culprit, failure.hang(hang.culprit, hang.why, hang.waiting, self._stopped()))

    def _diverged(self) -> Outcome | None:
        problem = divergence.first(self.monitors, self.starter.configuration) if self.strict else None
        if problem is None:
            return None
        self._stopped()
        return Outcome("diverged", "", problem)

    def _stopped(self) -> list[Ending]:
        self.processes.stop()
        self._record()
        return self.endings()

    def _judged(self, verdict: Verdict) -> Outcome:
        message = verdict.message
        for name in self.starter.waiting:
            message += f"\n{name} had not been started yet"
        return Outcome("failed", verdict.culprit, message)
