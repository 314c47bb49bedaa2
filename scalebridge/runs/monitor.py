"""Where every participant of a run stands right now, from what it reports and from what preCICE logs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from scalebridge.runs import history
from scalebridge.embedded.config import Configuration
from scalebridge.runs.failure import Ending
from scalebridge.runs.history import Iterations, ResidualReader, Residuals
from scalebridge.runs.processes import Process
from scalebridge.progress import Progress, ProgressReader


@dataclass(frozen=True)
class Standing:
    """One participant at one moment.

    Attributes
    ----------
    state : in a word or two.
    time, end : simulated time [s], None where unknown.
    window, windows, iteration : from 1; 0 or None where unknown.
    residuals : data -> (residual, limit) of the last iteration that was measured.
    fraction : how much of the simulation is done, from 0 to 1, None where unknown.
    left : estimated wall seconds to its end, None where unknown.
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


class Monitor:
    """Follows one participant.

    Parameters
    ----------
    process : the process of the participant.
    progress : the file that a participant of ours reports to.
    folder : where the participant runs, and preCICE writes its logs.
    """

    def __init__(self, process: Process, progress: Path, folder: Path, configuration: Configuration) -> None:
        self.process = process
        self.folder = folder
        self._progress = ProgressReader(progress)
        self._convergence = folder / f"precice-{process.name}-convergence.log"
        self._residuals = ResidualReader(self._convergence)
        self._begun = time.time() - 1.0  # file systems round
        schemes = configuration.schemes_of(process.name)
        self._limits = {m.data: m.limit for s in schemes for m in s.measures}
        self._end, self._windows = _extent(configuration, process.name)

    @property
    def progress(self) -> Progress | None:
        """The last event that the participant has reported."""
        self._progress.poll()
        return self._progress.latest

    def standing(self) -> Standing:
        """Return where the participant stands."""
        last, residuals = self.progress, self._latest_residuals()
        window = last.window if last else residuals.window if residuals else 0
        iteration = last.iteration if last else residuals.iteration if residuals else 0
        end = last.end if last and last.end is not None else self._end
        windows = last.windows if last and last.windows is not None else self._windows
        fraction = _fraction(last.time if last else None, end, window, windows)
        if self.process.status == 0 or (last and last.event == "end"):
            fraction = 1.0
        return Standing(
            name=self.process.name,
            state=self._state(last),
            time=last.time if last else None,
            end=end,
            window=window,
            windows=windows,
            iteration=iteration,
            residuals={
                n: (v, self._limits.get(n, math.nan)) for n, v in (residuals.values if residuals else {}).items()
            },
            fraction=fraction,
            left=self._left(fraction),
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
            return log.stat().st_mtime >= self._begun
        except OSError:
            return False

    def _latest_residuals(self) -> Residuals | None:
        return self._residuals.latest() if self._fresh(self._convergence) else None

    def _state(self, last: Progress | None) -> str:
        status = self.process.status
        if status is not None:
            return "stopped" if self.process.stopped else "done" if status == 0 else "failed"
        if last is None or last.event == "start":
            return "starting" if last else "running"
        if last.event in ("end", "error"):
            return "finishing" if last.event == "end" else "failed"
        busy = {"solving": last.solving, "waiting": last.waiting, "exchanging": last.exchanging}
        total = sum(busy.values())
        return (
            ", ".join(f"{100 * s / total:.0f}% {n}" for n, s in busy.items() if s >= 0.01 * total)
            if total
            else "running"
        )

    def _left(self, fraction: float | None) -> float | None:
        if fraction is None or not 0.0 < fraction <= 1.0 or self.process.status is not None:
            return None
        return (time.monotonic() - self.process.begun) * (1.0 / fraction - 1.0)


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
