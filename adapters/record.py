"""What a participant leaves behind about its run: where its time went, and one row of numbers for every window."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from adapters.wiring import CouplingError
from scalebridge import continuation


class Clock:
    """Cumulative wall seconds of one participant.

    Attributes
    ----------
    solving : between the steps that are handed out.
    waiting : blocked on partners. An engine that counts them itself has the attribute `seconds_waited`; of another
        engine all time inside `initialize` and `advance` is taken for waiting.
    exchanging : the rest of the time spent on reading, converting, writing and advancing.
    """

    def __init__(self, participant: Any) -> None:
        self.participant = participant
        self.solving = 0.0
        self._coupling = 0.0
        self._blocked = 0.0

    @property
    def waiting(self) -> float:
        return float(getattr(self.participant, "seconds_waited", self._blocked))

    @property
    def exchanging(self) -> float:
        return max(self._coupling - self.waiting, 0.0)

    def seconds(self) -> dict[str, float]:
        """Return all three by name, in one go: this is asked for in every step."""
        waiting = self.waiting
        return {"solving": self.solving, "waiting": waiting, "exchanging": max(self._coupling - waiting, 0.0)}

    @contextmanager
    def solve(self) -> Iterator[None]:
        """Count the time inside as solving."""
        begin = perf_counter()
        yield
        self.solving += perf_counter() - begin

    @contextmanager
    def couple(self) -> Iterator[None]:
        """Count the time inside as waiting or exchanging."""
        begin = perf_counter()
        yield
        self._coupling += perf_counter() - begin

    @contextmanager
    def block(self) -> Iterator[None]:
        """Mark the time inside `couple` that an engine may spend waiting."""
        begin = perf_counter()
        yield
        self._blocked += perf_counter() - begin


class Series:
    """The file series.csv: a column for the time, one for each name, a row for each completed window.

    Attributes
    ----------
    pending : the values of the window in progress.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pending: dict[str, float] = {}
        self._columns: list[str] = []
        self._file: TextIO | None = None

    def complete(self, time: float) -> None:
        """Write the row of the window that ended at `time` [s]; nothing if nothing was recorded."""
        if not self.pending:
            return
        row = {"time": time, **self.pending}
        self.pending = {}
        if self._file is None:
            self._columns = list(row)
            self._file = continuation.go_on(self.path, None)
            csv.writer(self._file).writerow(self._columns)
        if strange := [name for name in row if name not in self._columns]:
            raise CouplingError(
                f"{self.path.name} has the columns {', '.join(self._columns)}; "
                f"{', '.join(strange)} must be recorded from the first window on"
            )
        csv.writer(self._file).writerow([row.get(name, "") for name in self._columns])
        self._file.flush()

    def save(self) -> dict[str, Any]:
        """Return what has been written."""
        return {"columns": self._columns, "size": None if self._file is None else continuation.position(self._file)}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on behind what an earlier process had written when it saved."""
        self._columns = value["columns"]
        if value["size"] is not None:
            self._file = continuation.go_on(self.path, value["size"])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
