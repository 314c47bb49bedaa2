"""Watches a run until it ends, and ends it where one participant failed, hangs, or never comes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scalebridge.runs import failure
from scalebridge.runs.failure import Ending, Verdict
from scalebridge.runs.monitor import Monitor, standings
from scalebridge.runs.panel import Display
from scalebridge.runs.processes import Processes, processor_seconds
from scalebridge.runs.status import Recorder
from scalebridge.runs.usage import Meter

LINGER_SECONDS = 0.5  # for the partners of one that failed, to say what they have to say
ERROR_SECONDS = 2.0  # from reporting an error, or printing a traceback and idling, to the end of the process
IDLE_SECONDS = 600.0
IDLE_AFTER_END_SECONDS = 60.0
_IDLE_SHARE = 0.05  # of one core; waiting for a partner that never comes takes less
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `kind` is "well", "failed" or "idle"; `culprit` and `message` are empty where it ended well."""

    kind: str
    culprit: str = ""
    message: str = ""


class Watch:
    """Watches all participants of a run.

    Parameters
    ----------
    idle : seconds after which a run in which nobody computes is ended; 0 for never.
    folder : the folder of the run, for what others need to watch it too.
    """

    def __init__(
        self, processes: Processes, monitors: Sequence[Monitor], display: Display, idle: float, folder: Path
    ) -> None:
        self.processes = processes
        self.monitors = list(monitors)
        self.display = display
        self.begun = time.monotonic()
        self._meter = Meter()
        self._recorder = Recorder(folder)
        self._idle = _Idle(processes, idle)
        self._looked = self.begun
        self._errors: dict[str, float] = {}
        self._hung: set[str] = set()

    def run(self) -> Outcome:
        """Return when every participant has ended, by itself or because one of them failed."""
        self._record()
        while self.processes.running:
            ended = self.processes.wait(min(0.2, LINGER_SECONDS))
            if self.display.due():
                self.show()
            if ended:
                self._record()
            if any(p.status != 0 for p in ended):
                return self._failed()
            now = time.monotonic()
            if now - self._looked >= _LOOK_SECONDS:
                self._looked = now
                self._record()
                outcome = self._look(now)
                if outcome is not None:
                    return outcome
        endings = self.endings()
        return self._judged(failure.judge(endings)) if any(e.failed for e in endings) else Outcome("well")

    def show(self) -> None:
        """Show where everybody stands."""
        self.display.show(standings(self.monitors, self._meter), time.monotonic() - self.begun)

    def _record(self) -> None:
        """Leave in the folder of the run what those need who watch it from elsewhere."""
        roots = {m.process.name: m.process.pid for m in self.monitors if m.process.running}
        self._recorder.update([m.process for m in self.monitors], self._meter.read(roots))

    def endings(self) -> list[Ending]:
        """Return how every participant ended."""
        return [replace(m.ending(), hung=m.process.name in self._hung) for m in self.monitors]

    def _look(self, now: float) -> Outcome | None:
        """Look for what the end of a process does not tell."""
        for monitor in self.monitors:
            lingering = monitor.process.running and monitor.ending().reported
            if lingering and now - self._errors.setdefault(monitor.process.name, now) >= ERROR_SECONDS:
                return self._failed()  # it reported an error and hangs at its end
        gone = {m.process.name: m for m in self.monitors if not m.process.running}
        for monitor in self.monitors:
            missing = failure.waits_for(monitor.process.log, gone) if monitor.process.running else None
            if missing is not None:
                return self._judged(failure.never_came(missing, monitor.process.name, self._stopped()))
        idle = self._idle.seconds(now)
        if idle >= ERROR_SECONDS:
            self._hung = {m.process.name for m in self.monitors if m.process.running and failure.raised(m.process.log)}
            if self._hung:
                return self._failed()
        if 0.0 < self._idle.limit(bool(gone)) <= idle:
            message = failure.idle(self._idle.limit(bool(gone)), self._stopped())
            return Outcome("idle", "", message)
        return None

    def _failed(self) -> Outcome:
        deadline = time.monotonic() + LINGER_SECONDS
        while self.processes.running and time.monotonic() < deadline:
            self.processes.wait(0.1)
        return self._judged(failure.judge(self._stopped()))

    def _stopped(self) -> list[Ending]:
        self.processes.stop()
        self._record()
        return self.endings()

    def _judged(self, verdict: Verdict) -> Outcome:
        return Outcome("failed", verdict.culprit, verdict.message)


class _Idle:
    """Notices when nobody in a run has used the processor for a while; one that computes always has."""

    def __init__(self, processes: Processes, limit: float) -> None:
        self._processes = processes
        self._limit = limit
        self._since = time.monotonic()
        self._used = 0.0

    def limit(self, partner_gone: bool) -> float:
        """Return the seconds that are allowed; fewer where a participant has ended already."""
        return min(self._limit, IDLE_AFTER_END_SECONDS) if partner_gone else self._limit

    def seconds(self, now: float) -> float:
        """Return for how long nobody has computed; 0 where the system does not tell."""
        used = processor_seconds(self._processes.token)
        if used is None:
            return 0.0
        if used < self._used or used - self._used > _IDLE_SHARE * max(now - self._since, _LOOK_SECONDS):
            self._since, self._used = now, used
        return now - self._since
