"""Time windows that did not converge, where the user says that this is an error: which, by how much, in which data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scalebridge.embedded.config import Configuration
from scalebridge.embedded.convergence import Measure
from scalebridge.runs import history
from scalebridge.runs.history import Convergence
from scalebridge.runs.monitor import Monitor

UNLOGGED = "absolute-or-relative"  # a measure of which preCICE logs nothing but zeros


def first(monitors: Sequence[Monitor], configuration: Configuration) -> str | None:
    """Return in words which time window was the first that did not converge, or None where all have so far.

    The iterations log says 0 of every window that took the most iterations allowed, also where the last one converged.
    So it is the residuals that count; only the participant that measures logs them.
    """
    logs = {m.process.name: history.convergence(_file(m)) for m in monitors}
    measured = any(log is not None for log in logs.values())
    found: list[tuple[int, str]] = []
    for monitor in monitors:
        log, iterations = logs[monitor.process.name], monitor.iterations()
        if iterations is None or (measured and log is None):
            continue
        for window, converged in enumerate(iterations.converged, start=1):
            problem = "" if converged else _above(monitor, configuration, log, window)
            if problem is not None and not converged:
                count = iterations.per_window[window - 1]
                text = f"time window {window} did not converge in {count} iterations (--strict-convergence)"
                found.append((window, f"{text}{problem}"))
                break
    return min(found)[1] if found else None


def _above(monitor: Monitor, configuration: Configuration, log: Convergence | None, window: int) -> str | None:
    """Return in words which residuals were above their limits at the end of a window; None where it did converge."""
    measures = [m for s in configuration.schemes_of(monitor.process.name) for m in s.measures]
    if log is None or window not in log.windows or any(m.kind == UNLOGGED for m in measures):
        return ""
    row = max(i for i, w in enumerate(log.windows) if w == window)
    values = {name: column[row] for name, column in log.residuals.items()}
    above = {name: value for name, value in values.items() if not value <= monitor.limits.get(name, -1.0)}
    enough = {history.labels([Measure(m).column])[0] for m in measures if m.suffices}
    if not above or enough & (values.keys() - above.keys()):
        return None
    return f": {_text(above, monitor.limits)}, as {monitor.process.name} measured"


def _text(above: Mapping[str, float], limits: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {value:.1e} (limit {limits[name]:g})" if name in limits else name for name, value in above.items()
    )


def _file(monitor: Monitor) -> Path:
    return monitor.folder / f"precice-{monitor.process.name}-convergence.log"
