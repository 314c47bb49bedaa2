"""Notices that a run hangs, and finds out who keeps the others waiting.

Three things are looked for. A process that was stopped (SIGSTOP, Ctrl-Z, a debugger) and stays so. A run in which
nobody uses the processor: waiting for a partner that will never come takes none, computing does. And, where the user
sets a limit, a run in which somebody computes but nobody gets any further.

Who is to blame is found by elimination: who is in a call of the coupling, or sleeps until a socket brings something,
waits for somebody else; who is left is the culprit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scalebridge.runs import census, failure
from scalebridge.runs.census import Member
from scalebridge.runs.monitor import Monitor

IDLE_SECONDS = 600.0
IDLE_AFTER_END_SECONDS = 60.0
_IDLE_SHARE = 0.05  # of one core; waiting for a partner that never comes takes less
_LOOK_SECONDS = 1.0
_SELDOM = 20  # times that a process wakes up between two looks


@dataclass(frozen=True)
class Limits:
    """How long a run may stand still [s]; 0 for ever.

    Attributes
    ----------
    idle : nobody computes, or a process is stopped.
    hang : nobody gets further, whether somebody computes or not.
    """

    idle: float = IDLE_SECONDS
    hang: float = 0.0


@dataclass(frozen=True)
class Hang:
    """A run that hangs.

    Attributes
    ----------
    culprit : the participant that keeps the others waiting, "" where none can be told.
    why : in words, what it does or does not.
    waiting : those that wait for it.
    """

    culprit: str
    why: str
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Stopped:
    """A process that a signal or a debugger keeps from running, and since when."""

    since: float
    member: Member

    def hang(self, running: Sequence[str]) -> Hang:
        member = self.member
        which = f"process {member.process}" if member.rank is None else f"rank {member.rank} (process {member.process})"
        how = "by a debugger" if member.state == "t" else "by a signal, such as SIGSTOP or Ctrl-Z"
        others = tuple(name for name in running if name != member.participant)
        return Hang(member.participant, f"{which} was stopped {how}, and has not gone on", others)


class Vigil:
    """Looks at a run once in a while.

    Parameters
    ----------
    token : what its processes carry.
    """

    def __init__(self, token: str, limits: Limits) -> None:
        self.token = token
        self.limits = limits
        self._idle = _Idle()
        self._stopped: dict[int, float] = {}
        self._progress: dict[str, object] = {}
        self._progressed = time.monotonic()

    def look(self, now: float, monitors: Sequence[Monitor], *, complete: bool) -> Hang | None:
        """Say that the run hangs, if it does.

        Parameters
        ----------
        now : time.monotonic().
        complete : whether all participants have been started.
        """
        found = census.members(self.token)
        self._idle.see(now, found)
        self._see_progress(now, monitors)
        if not complete:
            self._idle.since = self._progressed = now
        running = [m for m in monitors if m.process.running]
        idle, hang = self.idle_limit(len(running) < len(monitors)), self.limits.hang
        stopped = self._stopped_one(now, found)
        if stopped is not None and 0.0 < (idle or hang) <= now - stopped.since:
            return stopped.hang([m.process.name for m in running])
        if 0.0 < idle <= self.idle_seconds(now):
            phrase = f"computed anything for {idle:g} s (--idle-limit)"
        elif 0.0 < hang <= now - self._progressed:
            phrase = f"come any further for {hang:g} s (--hang-limit)"
        else:
            return None
        if stopped is not None:
            return stopped.hang([m.process.name for m in running])
        return self._blame(running, found, phrase)

    def idle_limit(self, partner_gone: bool) -> float:
        """Return the seconds without computation that are allowed; fewer where a participant has ended already."""
        return min(self.limits.idle, IDLE_AFTER_END_SECONDS) if partner_gone else self.limits.idle

    def idle_seconds(self, now: float) -> float:
        """Return for how long nobody has computed."""
        return now - self._idle.since

    def _see_progress(self, now: float, monitors: Sequence[Monitor]) -> None:
        marks: dict[str, object] = {m.process.name: (m.process.status, _mark(m)) for m in monitors}
        if marks != self._progress:
            self._progress, self._progressed = marks, now

    def _stopped_one(self, now: float, found: Sequence[Member]) -> _Stopped | None:
        """Return the process that has been stopped for longest."""
        stopped = [m for m in found if m.stopped and m.participant]
        self._stopped = {m.process: self._stopped.get(m.process, now) for m in stopped}
        return min((_Stopped(self._stopped[m.process], m) for m in stopped), key=lambda s: s.since, default=None)

    def _blame(self, running: Sequence[Monitor], found: Sequence[Member], phrase: str) -> Hang:
        """Find the one that does not wait for anybody; where several do not, or none, it cannot be told."""
        waits = {m.process.name: self._waits(m, found) for m in running}
        suspects = [name for name, waiting in waits.items() if waiting is False]
        suspects = suspects or [name for name, waiting in waits.items() if waiting is None]
        if len(suspects) != 1:
            return Hang("", f"nobody has {phrase}")
        culprit = suspects[0]
        others = tuple(name for name in waits if name != culprit)
        rank = self._sleeper([m for m in found if m.participant == culprit and m.rank is not None])
        return Hang(culprit, f"{'it' if rank is None else f'rank {rank}'} has not {phrase}", others)

    def _waits(self, monitor: Monitor, found: Sequence[Member]) -> bool | None:
        """Return whether a participant waits for a partner, or None where nothing tells."""
        mine = [m for m in found if m.participant == monitor.process.name]
        ranks = [m for m in mine if m.rank is not None]
        if any(self._idle.busy(m) for m in ranks or mine):
            return False
        last = monitor.progress
        if last is not None and last.event in ("step", "window", "start", "wait"):
            return last.event == "wait"
        if failure.waits_for_anybody(monitor.process.log):
            return True
        # Launchers sit and wait for their ranks by way of sockets; of the ranks, the first talks to the partners.
        answers = [census.waits_for_a_socket(m.process) for m in ranks or mine]
        if any(answers):
            return True
        return None if None in answers or not answers else False

    def _sleeper(self, ranks: Sequence[Member]) -> int | None:
        """Return the rank that sleeps while the others wait for it, if there is exactly one.

        Ranks that wait for another one look for it all the time, or let others have the processor only to look again.
        """
        asleep = {m.rank for m in ranks if self._idle.asleep(m)}
        return asleep.pop() if len(asleep) == 1 < len({m.rank for m in ranks}) else None


class _Idle:
    """Notices since when no process of a run has used the processor to speak of.

    Attributes
    ----------
    since : time.monotonic() from which on nobody has computed.
    """

    def __init__(self) -> None:
        self.since = time.monotonic()
        self._marks: dict[int, tuple[float, float]] = {}
        self._loads: dict[int, float] = {}
        self._before: dict[int, tuple[float, float]] = {}
        self._switches: dict[int, tuple[int, int]] = {}

    def see(self, now: float, found: Sequence[Member]) -> None:
        """Note what each process has used up to now."""
        self._loads = {}
        for member in found:
            begun, used = self._before.get(member.process, (now - _LOOK_SECONDS, member.seconds))
            self._loads[member.process] = (member.seconds - used) / max(now - begun, 0.1)
        self._before = {m.process: (now, m.seconds) for m in found}
        self._switches = {m.process: (self._switches.get(m.process, (0, 0))[1], m.switches) for m in found}
        marks = {m.process: self._marks.get(m.process, (now, m.seconds)) for m in found}
        for member in found:
            begun, used = marks[member.process]
            if member.seconds - used > _IDLE_SHARE * max(now - begun, _LOOK_SECONDS):
                self.since = now
        if self.since == now or marks.keys() != self._marks.keys():
            marks = {m.process: (now, m.seconds) for m in found}
            self.since = now
        self._marks = marks

    def asleep(self, member: Member) -> bool:
        """Return whether a process has hardly woken up since the look before."""
        before, now = self._switches.get(member.process, (0, 0))
        return member.state in "SD" and not self.busy(member) and now - before <= _SELDOM

    def busy(self, member: Member) -> bool:
        """Return whether a process has computed since the look before."""
        return self._loads.get(member.process, 0.0) > _IDLE_SHARE


def _mark(monitor: Monitor) -> object:
    """Return something that changes whenever a participant gets further."""
    last = monitor.progress
    if last is not None:
        return last
    names = [f"precice-{monitor.process.name}-{log}.log" for log in ("iterations", "convergence")]
    return tuple(_size(path) for path in [*(monitor.folder / name for name in names), monitor.process.log])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
