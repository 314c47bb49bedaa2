"""Where every participant of a run stands right now, from what it reports and from what preCICE logs."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scalebridge.embedded.config import Configuration
from scalebridge.progress import Progress, ProgressReader
from scalebridge.runs import history
from scalebridge.runs.failure import Ending
from scalebridge.runs.history import Iterations, ResidualReader, Residuals
from scalebridge.runs.status import Followed
from scalebridge.runs.usage import Meter, Usage

EXCHANGE_SECONDS = 2.0  # all partners of one that is in a call of the engine are so too: longer than that, they wait
_IDLE_LOAD = 0.05  # of one processor; a program that uses less than that does not compute
_BUSY = ("starting", "computing", "running")
_ENDED = ("done", "failed", "stopped")


@dataclass(frozen=True)
class Standing:
    """One participant at one moment.

    Attributes
    ----------
    state : in a word: starting, computing, waiting, exchanging, finishing, done, failed, stopped; of a program that
        reports nothing: running, or idle where it uses no processor.
    partners : whom it waits for, as far as that follows from the configuration and from what the others do.
    since : seconds since that state began, None where unknown.
    time, end : simulated time [s], None where unknown.
    window, windows, iteration : from 1; 0 or None where unknown.
    residuals : data -> (residual, limit) of the last iteration that was measured.
    fraction : how much of the simulation is done, from 0 to 1, None where unknown.
    left : estimated wall seconds to its end, None where unknown.
    busy : share of its time in which it computed, from 0 to 1, None where unknown.
    memory : resident memory [bytes], the sum of its processes, None where unknown.
    """

    name: str
    state: str
    time: float | None = None
    end: float | None = None
    window: int = 0
    windows: int | None = None
    iteration: int = 0
    residuals: dict[str, tuple[float, float]] = field(default_factory=dict)
    fraction: float | None = None
    left: float | None = None
    partners: tuple[str, ...] = ()
    since: float | None = None
    busy: float | None = None
    memory: int | None = None


class Monitor:
    """Follows one participant.

    Parameters
    ----------
    process : the process of the participant.
    progress : the file that a participant of ours reports to.
    folder : where the participant runs, and preCICE writes its logs.
    """

    def __init__(self, process: Followed, progress: Path, folder: Path, configuration: Configuration) -> None:
        self.process = process
        self.folder = folder
        self.ours = progress.with_name("handout.json").is_file()
        self._progress = ProgressReader(progress)
        self._convergence = folder / f"precice-{process.name}-convergence.log"
        self._residuals = ResidualReader(self._convergence)
        self._began = process.begun - time.monotonic() + time.time()
        self._fresh_from = self._began - 1.0  # file systems round
        self.limits = history.limits(configuration, process.name)
        self._end, self._windows = _extent(configuration, process.name)
        self._pace = _Pace()
        self.partners = partners(configuration, process.name)

    @property
    def progress(self) -> Progress | None:
        """The last event that the participant has reported."""
        for event in self._progress.poll():
            self._pace.see(self._fraction(event), self._when(event))
        latest = self._progress.latest
        if latest is not None:
            self._pace.see(self._fraction(latest), self._when(latest))
        return latest

    def standing(self, usage: Usage | None = None) -> Standing:
        """Return where the participant stands, by itself: it cannot know whom it waits for."""
        last, residuals = self.progress, self._latest_residuals()
        where = history.where(self.process.log) if last is None else None
        window = last.window if last else where.window if where else residuals.window if residuals else 0
        iteration = last.iteration if last else where.iteration if where else residuals.iteration if residuals else 0
        now = last.time if last else where.time if where else None
        end = last.end if last and last.end is not None else self._end
        windows = last.windows if last and last.windows is not None else self._windows
        fraction = _fraction(now, end, window, windows)
        if last is None:
            self._pace.see(fraction, time.time())
        if self.process.status == 0 or (last and last.event == "end"):
            fraction = 1.0
            now = end if last is None else now  # preCICE's last line says where the last window began
        state = self._state(last, usage)
        return Standing(
            name=self.process.name,
            state=state,
            time=now,
            end=end,
            window=window,
            windows=windows,
            iteration=iteration,
            residuals={
                n: (v, self.limits.get(n, math.nan)) for n, v in (residuals.values if residuals else {}).items()
            },
            fraction=fraction,
            left=self._pace.left(time.time()) if self.process.status is None else None,
            since=max(time.time() - self._when(last), 0.0) if last and state not in _ENDED else None,
            busy=self._busy(last),
            memory=usage.memory if usage and self.process.status is None else None,
        )

    def ending(self) -> Ending:
        """Return how the participant ended."""
        process, iterations = self.process, self.iterations()
        return Ending(
            name=process.name,
            status=process.status,
            ended=process.ended,
            stopped=process.stopped,
            log=process.log,
            progress=self.progress,
            windows=len(iterations.per_window) if iterations else None,
        )

    def iterations(self) -> Iterations | None:
        """Return the iterations of every time window, or None where this run has logged none."""
        log = self.folder / f"precice-{self.process.name}-iterations.log"
        return history.iterations(log) if self._fresh(log) else None

    def _fresh(self, log: Path) -> bool:
        """Return whether a log is of this run, not of an earlier one in the same folder."""
        try:
            return log.stat().st_mtime >= self._fresh_from
        except OSError:
            return False

    def _latest_residuals(self) -> Residuals | None:
        return self._residuals.latest() if self._fresh(self._convergence) else None

    def _state(self, last: Progress | None, usage: Usage | None) -> str:
        status = self.process.status
        if status is not None:
            return "stopped" if self.process.stopped else "done" if status == 0 else "failed"
        if last is not None:
            return {"wait": "waiting", "end": "finishing", "error": "failed"}.get(last.event, "computing")
        if self.ours:
            return "starting"
        return "idle" if usage and usage.load is not None and usage.load < _IDLE_LOAD else "running"

    def _when(self, event: Progress) -> float:
        """Return when an event happened, in seconds since 1970."""
        return (self._progress.begun if self._progress.begun is not None else self._began) + event.wall

    def _fraction(self, event: Progress) -> float | None:
        end = event.end if event.end is not None else self._end
        return _fraction(event.time, end, event.window, event.windows or self._windows) if event.window else None

    def _busy(self, last: Progress | None) -> float | None:
        if last is None or not last.window:
            return None
        total = last.solving + last.waiting + last.exchanging
        return last.solving / total if total else None


def standings(monitors: Sequence[Monitor], meter: Meter | None = None) -> list[Standing]:
    """Return where all participants stand, and who waits for whom."""
    roots = {m.process.name: m.process.pid for m in monitors if m.process.status is None}
    usage = meter.read(roots) if meter is not None else {}
    alone = {m.process.name: m.standing(usage.get(m.process.name)) for m in monitors}
    return _resolved(alone, {m.process.name: m.partners for m in monitors})


def _resolved(alone: Mapping[str, Standing], partners: Mapping[str, Sequence[str]]) -> list[Standing]:
    """Tell those that are in a call of the engine apart: waiting, for whom, or exchanging data.

    Who waits, waits for partners that compute; if none does, for one that itself waits for somebody who computes; if
    there is none either, data are on their way, unless that takes very long. A program that reports nothing and uses no
    processor may be computing elsewhere, so it counts after those that surely compute.
    """
    calling = {n for n, s in alone.items() if s.state in ("waiting", "idle")}
    busy = {n for n, s in alone.items() if s.state in _BUSY}
    target: dict[str, tuple[str, ...]] = {}
    for name in calling:
        target[name] = tuple(p for p in partners[name] if p in busy)
    while more := {
        name: found
        for name in calling
        if not target[name] and (found := tuple(p for p in partners[name] if target.get(p) and target[p] != (name,)))
    }:
        target |= more
    for name in calling - {n for n, found in target.items() if found}:
        target[name] = tuple(p for p in partners[name] if p in alone and alone[p].state == "idle" != alone[name].state)
    result = []
    for name, standing in alone.items():
        found = target.get(name, ())
        if standing.state == "waiting" and not found:
            if standing.since is not None and standing.since < EXCHANGE_SECONDS:
                standing = replace(standing, state="exchanging")
            else:
                found = tuple(p for p in partners[name] if p in alone and alone[p].state not in _ENDED)
        result.append(replace(standing, partners=found))
    return result


class _Pace:
    """How fast the simulation gets on, from the first time window on: what comes before takes its own time."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None

    def see(self, fraction: float | None, when: float) -> None:
        """Note how much was done at a time [s since 1970]."""
        if fraction is None:
            return
        if self._first is None or fraction < self._first[0]:
            self._first = self._last = (fraction, when)
        elif self._last is None or fraction > self._last[0]:
            self._last = (fraction, when)

    def left(self, now: float) -> float | None:
        """Return the seconds to the end, if it goes on as it did; None where nothing is known yet."""
        if self._first is None or self._last is None or self._last[0] <= self._first[0]:
            return None
        (begin, since), (fraction, at) = self._first, self._last
        return max((1.0 - fraction) * (at - since) / (fraction - begin) - (now - at), 0.0)


def partners(configuration: Configuration, name: str) -> tuple[str, ...]:
    """Return whom a participant exchanges data with; in a multi scheme all do so with its controller only."""
    found: list[str] = []
    for scheme in configuration.schemes_of(name):
        only = scheme.kind == "multi" and scheme.controller != name
        found += [scheme.controller] if only else scheme.participants
    return tuple(dict.fromkeys(n for n in found if n != name))


def _extent(configuration: Configuration, name: str) -> tuple[float | None, int | None]:
    """Return the time at which the participant's coupling ends and the number of windows, as far as they are known."""
    ends: list[float] = []
    counts: list[int] = []
    for scheme in configuration.schemes_of(name):
        size = scheme.time_window_size
        if scheme.max_time is not None:
            ends.append(scheme.max_time)
            if size:
                counts.append(math.ceil(scheme.max_time / size * (1.0 - 1e-12)))
        if scheme.max_time_windows is not None:
            counts.append(scheme.max_time_windows)
            if size:
                ends.append(size * scheme.max_time_windows)
    return min(ends, default=None), min(counts, default=None)


def _fraction(now: float | None, end: float | None, window: int, windows: int | None) -> float | None:
    if now is not None and end:
        return max(0.0, min(1.0, now / end))
    return max(0.0, min(1.0, (window - 1) / windows)) if window and windows else None
