"""Shows how a run goes: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from scalebridge.runs.monitor import Standing

LIVE_SECONDS = 0.25
PLAIN_SECONDS = 5.0


class Display(Protocol):
    """Something that shows standings, as a context."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None: ...
    def due(self) -> bool:
        """Return whether it is time to show something new."""
        ...

    def show(self, standings: Sequence[Standing], wall: float) -> None:
        """Show where the participants stand, `wall` seconds after the start."""
        ...


def choose(plain: bool) -> Display:
    """Return the live table where there is a terminal and nobody asked for plain lines."""
    return PlainLines() if plain or not sys.stdout.isatty() else LiveTable()


class PlainLines:
    """One line per participant, every few seconds and at the end."""

    def __init__(self, seconds: float = PLAIN_SECONDS) -> None:
        self._seconds = seconds
        self._last = time.monotonic() - seconds + min(seconds, 1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        return

    def due(self) -> bool:
        return time.monotonic() - self._last >= self._seconds

    def show(self, standings: Sequence[Standing], wall: float) -> None:
        self._last = time.monotonic()
        width = max((len(s.name) for s in standings), default=0)
        for standing in standings:
            print(f"{wall:7.1f} s  {standing.name:{width}}  {line(standing)}", flush=True)


class LiveTable:
    """A table that is redrawn in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(), auto_refresh=False)
        self._last = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._live.stop()

    def due(self) -> bool:
        return time.monotonic() - self._last >= LIVE_SECONDS

    def show(self, standings: Sequence[Standing], wall: float) -> None:
        from rich.table import Table
        from rich.text import Text

        self._last = time.monotonic()
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=True)
        table.add_column(duration(wall), style="bold", no_wrap=True)
        for header in ("time", "window", "iter.", "done", "left"):
            table.add_column(header, justify="right", no_wrap=True)
        table.add_column("residual (limit)", overflow="fold")
        table.add_column("state", overflow="fold")
        for standing in standings:
            style = {"done": "green", "failed": "bold red", "stopped": "yellow"}.get(standing.state, "")
            table.add_row(Text(standing.name), *(Text(text) for text in columns(standing)), style=style)
        self._live.update(table, refresh=True)


def columns(standing: Standing) -> list[str]:
    """Return time, window, iteration, share done, time left, residuals and state; "" where nothing is known."""
    s = standing
    return [
        "" if s.time is None else f"{s.time:g} s" if s.end is None else f"{s.time:g}/{s.end:g} s",
        "" if not s.window else f"{s.window}/{s.windows}" if s.windows else str(s.window),
        str(s.iteration or ""),
        "" if s.fraction is None else f"{100 * s.fraction:.0f}%",
        duration(s.left) if s.left is not None and s.left >= 1 else "",
        ", ".join(_residual(name, value, limit) for name, (value, limit) in s.residuals.items()),
        s.state,
    ]


def line(standing: Standing) -> str:
    """Return the same as one line that needs no header."""
    now, window, iteration, done, left, residuals, state = columns(standing)
    parts = [
        now and f"t {now}",
        window and f"window {window}",
        iteration and f"iteration {iteration}",
        residuals,
        done,
        left and f"{left} left",
        state,
    ]
    return "  ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Return "12 s", "3 min 20 s" or "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _residual(name: str, value: float, limit: float) -> str:
    return f"{name} {value:.1e}" + (f" ({limit:.0e})" if math.isfinite(limit) else "")
