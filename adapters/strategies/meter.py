"""A bar that shows how far something is in a terminal, and a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

SECONDS = 0.2  # between two pictures of the bar
PLAIN_SECONDS = 5.0
WIDTH = 30


class Meter:
    """Shows on `stream` how much of what is done; as a context, it ends its line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self._what, self._begun, self._shown = "", 0.0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end_line()

    def show(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` parts of `what` are done."""
        now = time.monotonic()
        if what != self._what:
            self._end_line()
            self._what, self._begun, self._shown = what, now, 0.0
        if now - self._shown < (SECONDS if self.live else PLAIN_SECONDS) and done < total:
            return
        self._shown = now
        share = done / total if total else 1.0
        left = (now - self._begun) * (1 / share - 1) if share else 0.0
        rest = f", {left:.0f} s left" if 0 < share < 1 else ""
        if self.live:
            filled = "█" * round(WIDTH * share)
            self.stream.write(f"\r\x1b[K{what}  {filled:░<{WIDTH}} {100 * share:3.0f} %{rest}")
        else:
            self.stream.write(f"{what}: {100 * share:.0f} %{rest}\n")
        self.stream.flush()

    def _end_line(self) -> None:
        if self.live and self._what:
            self.stream.write("\n")
            self.stream.flush()
