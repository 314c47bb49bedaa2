"""Shows how a run goes: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from scalebridge.monitor import Standing

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
            parts = [text for _, text in cells(standing) if text]
            print(f"{wall:7.1f} s  {standing.name:{width}}  {'  '.join(parts)}", flush=True)


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
        table = Table(title=f"{duration(wall)} since the start", title_justify="left", expand=False)
        table.add_column("participant", style="bold")
        rows = [cells(s) for s in standings]
        for header, _ in rows[0] if rows else ():
            table.add_column(header, overflow="fold")
        for standing, row in zip(standings, rows, strict=True):
            style = {"done": "green", "failed": "bold red", "stopped": "yellow"}.get(standing.state, "")
            table.add_row(Text(standing.name), *(Text(text) for _, text in row), style=style)
        self._live.update(table, refresh=True)


def cells(standing: Standing) -> list[tuple[str, str]]:
    """Return (header, text) of everything worth telling about a participant; a text is empty where nothing is known."""
    s = standing
    now = "" if s.time is None else f"t {s.time:g} s" if s.end is None else f"t {s.time:g} of {s.end:g} s"
    window = "" if not s.window else f"window {s.window}" + (f" of {s.windows}" if s.windows else "")
    return [
        ("time", now),
        ("window", window),
        ("iteration", f"iteration {s.iteration}" if s.iteration else ""),
        ("residuals (limit)", ", ".join(_residual(n, v, limit) for n, (v, limit) in s.residuals.items())),
        ("done", "" if s.fraction is None else f"{100 * s.fraction:.0f}%"),
        ("left", "" if s.left is None else f"{duration(s.left)} left" if s.left >= 1 else ""),
        ("state", s.state),
    ]


def duration(seconds: float) -> str:
    """Return "12 s", "3 min 20 s" or "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _residual(name: str, value: float, limit: float) -> str:
    return f"{name} {value:.1e}" + (f" ({limit:.0e})" if math.isfinite(limit) else "")
