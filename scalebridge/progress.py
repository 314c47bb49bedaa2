"""Progress of a participant: events that it appends to a file and that the hub reads while it runs."""

from __future__ import annotations

import json
import time as clock
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

EVENTS = ("start", "step", "window", "end", "error")
BURST = 20
PER_SECOND = 20.0


@dataclass(frozen=True)
class Progress:
    """One event.

    Attributes
    ----------
    event : one of EVENTS: begun, a step is about to be solved, a window is complete, ended well, failed.
    time, end : simulated time now and at the end [s of the simulation]; `end` is None where it is not known.
    window, windows : number of the current time window from 1, and how many there will be, or None.
    iteration : number of the current iteration of this window, from 1.
    wall : seconds since the participant began.
    solving, waiting, exchanging : seconds spent so far in its own solver, blocked on partners, moving data.
    message : what failed, of an "error".
    """

    event: str
    time: float = 0.0
    end: float | None = None
    window: int = 0
    windows: int | None = None
    iteration: int = 0
    wall: float = 0.0
    solving: float = 0.0
    waiting: float = 0.0
    exchanging: float = 0.0
    message: str = ""


class ProgressWriter:
    """Appends events to a file, each at once readable by others.

    No more than about 20 events a second are written, after a burst of 20: what comes faster is left out, except
    "start", "end" and "error".
    """

    def __init__(self, path: str | Path) -> None:
        self._file: IO[str] = Path(path).open("a", encoding="utf-8")  # noqa: SIM115  (lives as long as the writer)
        self._begun = self._last = clock.perf_counter()
        self._allowance = float(BURST)
        self._numbers: dict[str, Any] = {}

    def write(self, event: str, **numbers: Any) -> None:
        """Append one event; `numbers` are the attributes of `Progress`, without `event` and `wall`.

        Those that an "error" does not give are what they were in the event before it.
        """
        if event not in EVENTS:
            raise ValueError(f"an event is one of {', '.join(EVENTS)}, not {event!r}")
        numbers = self._numbers | numbers if event == "error" else numbers
        self._numbers = numbers
        now = clock.perf_counter()
        self._allowance = min(BURST, self._allowance + (now - self._last) * PER_SECOND)
        self._last = now
        if event in ("step", "window"):
            if self._allowance < 1.0:
                return
            self._allowance -= 1.0
        entry = Progress(event=event, wall=now - self._begun, **numbers)
        self._file.write(json.dumps(asdict(entry)) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class ProgressReader:
    """Follows a file of events while it grows; the file need not exist yet."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._position = 0
        self._rest = b""
        self.latest: Progress | None = None

    def poll(self) -> list[Progress]:
        """Return the events that have been appended since the last call; keeps the last one in `latest`.

        A line that is no event (a program that is not ours may write the file) is passed over.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return []
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = [e for e in (_parse(line) for line in lines) if e is not None]
        if events:
            self.latest = events[-1]
        return events


def _parse(line: bytes) -> Progress | None:
    try:
        data = json.loads(line)
        return Progress(**data) if isinstance(data, dict) and data.get("event") in EVENTS else None
    except (ValueError, TypeError):
        return None
