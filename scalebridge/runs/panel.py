"""Shows how a run goes: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from scalebridge.runs.monitor import Standing
from scalebridge.runs.usage import bytes_text

if TYPE_CHECKING:
    from rich.text import Text

LIVE_SECONDS = 0.25
PLAIN_SECONDS = 5.0
LONG_SECONDS = 5.0  # from then on it is said how long somebody has been in a state
STATE_WIDTH, NARROW_STATE_WIDTH = 26, 18
HEADERS = ("time", "window", "iter.", "done", "left", "busy", "memory")
LEAST_WIDTHS = {"time": 100, "busy": 100, "memory": 72}  # of terminals in which a column is shown
BESIDE_WIDTH = 130  # of terminals in which residuals stand beside the rest, not below
SHOWN = 3  # names of partners
STYLES = {
    "done": "green",
    "failed": "bold red",
    "stopped": "yellow",
    "computing": "cyan",
    "waiting": "dim",
    "idle": "dim",
}


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
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        self._last = time.monotonic()
        width = self._live.console.width
        left_out = {h for h, least in LEAST_WIDTHS.items() if width < least}
        beside = width >= BESIDE_WIDTH
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=True)
        table.add_column(duration(wall), style="bold", no_wrap=True)
        # so wide that the table does not jump
        table.add_column("state", min_width=STATE_WIDTH if beside else NARROW_STATE_WIDTH, overflow="fold")
        for header in HEADERS:
            if header not in left_out:
                table.add_column(header, justify="right", no_wrap=True)
        if beside:
            table.add_column("residual / limit", overflow="fold")
        below = []
        for standing in standings:
            name, state, *numbers = (standing.name, *columns(standing))
            cells = [Text(text) for h, text in zip(HEADERS, numbers[:-1], strict=True) if h not in left_out]
            style = STYLES.get(standing.state, "")
            table.add_row(Text(name), Text(state, style=style), *cells, *([_colored(standing)] if beside else []))
            if standing.residuals and not beside:
                below.append(Text.assemble((f"{name}  ", "dim"), _colored(standing)))
        self._live.update(Group(table, *below), refresh=True)


def columns(standing: Standing) -> list[str]:
    """Return state, time, window, iteration, share done, time left, share computing, memory and residuals.

    What is not known is "".
    """
    s = standing
    return [
        state_text(s),
        "" if s.time is None else f"{s.time:g} s" if s.end is None else f"{s.time:g}/{s.end:g} s",
        "" if not s.window else f"{s.window}/{s.windows}" if s.windows else str(s.window),
        str(s.iteration or ""),
        "" if s.fraction is None else f"{100 * s.fraction:.0f}%",
        duration(s.left) if s.left is not None and s.left >= 1 else "",
        "" if s.busy is None else f"{100 * s.busy:.0f}%",
        "" if s.memory is None else bytes_text(s.memory),
        ", ".join(_residual(name, value, limit) for name, (value, limit) in s.residuals.items()),
    ]


def state_text(standing: Standing) -> str:
    """Return the state in words, with whom it waits for, and for how long where that is long."""
    names = " and ".join(standing.partners) if len(standing.partners) <= SHOWN else f"{len(standing.partners)} others"
    text = standing.state
    if names:
        text = f"waiting for {names}" if text == "waiting" else f"{text}, waits for {names}?"
    long = standing.since is not None and standing.since >= LONG_SECONDS and standing.state not in ("done", "failed")
    return f"{text}, {duration(standing.since or 0.0)}" if long else text


def line(standing: Standing) -> str:
    """Return the same as one line that needs no header."""
    state, now, window, iteration, done, left, busy, memory, residuals = columns(standing)
    parts = [
        now and f"t {now}",
        window and f"window {window}",
        iteration and f"iteration {iteration}",
        residuals,
        done,
        left and f"{left} left",
        busy and f"busy {busy}",
        memory,
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


def _colored(standing: Standing) -> Text:
    """Return the residuals, green where they are within their limits."""
    from rich.text import Text

    text = Text()
    for i, (name, (value, limit)) in enumerate(standing.residuals.items()):
        bound = f" / {limit:.0e}" if math.isfinite(limit) else ""
        text.append(", " if i else "").append(f"{name} ")
        text.append(f"{value:.1e}", style="green" if value <= limit else "").append(bound, style="dim")
    return text
