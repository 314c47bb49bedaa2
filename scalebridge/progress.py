"""Progress of a participant: what it does and how far it is, told by files that others may read while it runs.

Two files stand side by side. `progress.jsonl` is the history: an event a line, thinned to about 20 a second, so that a
long run of small steps does not fill the disk. `progress.now` is the moment: the last event of all, also those that the
history leaves out, as a few numbers that are overwritten in place through shared memory. That costs less than a
millionth of a second, and tells in the middle of a long call that it is waiting, and since when.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
import time as clock
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

EVENTS = ("start", "step", "wait", "window", "end", "error")
BURST = 20
PER_SECOND = 20.0
MANY = 10_000  # events; with more, fewer come a second, so that days of small steps fit into tens of megabytes
_MOMENT = struct.Struct(
    "<8s2d2q5dq"
)  # what changes all the time, then begun, end, solving, waiting, exchanging, windows
_HEAD = struct.Struct("<8s2d2q")  # event, wall, time, window, iteration
_CODES = {event: event.encode().ljust(8) for event in EVENTS}
FREQUENT = ("step", "wait", "window")
_NAMES = {code: event for event, code in _CODES.items()}


@dataclass(frozen=True)
class Progress:
    """One event.

    Attributes
    ----------
    event : one of EVENTS: the coupling has begun, a step is about to be solved, a call that may wait for partners has
        begun, a window is complete, ended well, failed.
    time, end : simulated time now and at the end [s of the simulation]; `end` is None where it is not known.
    window, windows : number of the current time window from 1, and how many there will be, or None.
    iteration : number of the current iteration of this window, from 1.
    wall : seconds since the participant began.
    begun : when that was, in seconds since 1970; None where the file does not tell.
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
    begun: float | None = None
    solving: float = 0.0
    waiting: float = 0.0
    exchanging: float = 0.0
    message: str = ""


def moment(history: str | Path) -> Path:
    """Return the file of the moment that stands beside a history."""
    return Path(history).with_suffix(".now")


class ProgressWriter:
    """Appends events to a history, each at once readable by others, and keeps the moment.

    No more than about 20 events a second are written to the history, after a burst of 20, and fewer when there are very
    many. What comes faster is left out, except "start", "end" and "error". Every rank may append an "error"; the moment
    is kept by the one that tells more.
    """

    def __init__(self, path: str | Path) -> None:
        self._file: IO[str] = Path(path).open("a", encoding="utf-8")  # noqa: SIM115  (lives as long as the writer)
        self._path = Path(path)
        self._moment: mmap.mmap | None = None
        self._begun = self._last = clock.perf_counter()
        self._since = clock.time()
        self._told = False
        self._written = 0
        self._open = -math.inf  # nothing that comes faster than allowed is written before
        self._full = -math.inf  # when the allowance will be full again
        self._numbers: dict[str, Any] = {}
        self._place: tuple[float, int, int] | None = None  # if a brief event has come since

    def write(self, event: str, **numbers: Any) -> None:
        """Note one event; `numbers` are the attributes of `Progress`, without `event`, `wall` and `begun`.

        Those that an "error" does not give are what they were in the event before it.
        """
        if event not in _CODES:
            raise ValueError(f"an event is one of {', '.join(EVENTS)}, not {event!r}")
        if event == "error":
            place = {} if self._place is None else dict(zip(("time", "window", "iteration"), self._place, strict=True))
            numbers = self._numbers | place | numbers
        elif self._moment is None and not self._numbers:
            self._moment = _mapped(moment(self._path))
        self._numbers, self._place = numbers, None
        now = clock.perf_counter()
        self._keep(event, now - self._begun, numbers)
        if now < self._open and event in FREQUENT:
            return
        pause = max(self._written, MANY) / (PER_SECOND * MANY)
        self._full = max(self._full, now) + pause
        self._open = self._full - BURST * pause
        entry = {"event": event, "wall": now - self._begun, **numbers}
        if not self._told:
            self._told = True
            entry["begun"] = self._since
        self._file.write(json.dumps({k: round(v, 6) if k in _SECONDS else v for k, v in entry.items()}) + "\n")
        self._file.flush()
        self._written += 1

    def note(self, **numbers: Any) -> None:
        """Take the numbers for an "error" that may come, and tell nothing, as that is left to another rank."""
        self._numbers = numbers

    def brief(self, event: str, time: float, window: int, iteration: int) -> bool:
        """Note an event that comes too fast for the history, as `write` does, but in a millionth of a second.

        Return whether that was so; otherwise nothing has been noted, and `write` has to be called.
        """
        now = clock.perf_counter()
        if now >= self._open or self._moment is None:
            return False
        _HEAD.pack_into(self._moment, 0, _CODES[event], now - self._begun, time, window, iteration)
        self._place = time, window, iteration
        return True

    def _keep(self, event: str, wall: float, numbers: dict[str, Any]) -> None:
        if self._moment is None:
            return
        get = numbers.get
        end, windows = get("end"), get("windows")
        _MOMENT.pack_into(
            self._moment,
            0,
            _CODES[event],
            wall,
            get("time", 0.0),
            get("window", 0),
            get("iteration", 0),
            self._since,
            math.nan if end is None else end,
            get("solving", 0.0),
            get("waiting", 0.0),
            get("exchanging", 0.0),
            -1 if windows is None else windows,
        )

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._moment is not None:
            self._moment.close()
            self._moment = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


_SECONDS = ("wall", "begun", "solving", "waiting", "exchanging")


class ProgressReader:
    """Follows the files of a participant while they grow; they need not exist yet.

    Attributes
    ----------
    latest : the last event of all, also one that the history leaves out; None where there is none.
    begun : when the participant began, in seconds since 1970, as far as it has been told.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._moment = moment(path)
        self._position = 0
        self._rest = b""
        self.latest: Progress | None = None
        self.begun: float | None = None

    def poll(self) -> list[Progress]:
        """Return the events that have been appended since the last call; keeps the last of all in `latest`.

        A line that is no event (a program that is not ours may write the file) is passed over.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except OSError:
            data = b""
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = [e for e in (_parse(line) for line in lines) if e is not None]
        for event in events:
            begins = event.begun is not None
            self.begun = event.begun if begins else self.begun
            if begins or self.latest is None or self.latest.event != "error":  # other ranks may go on for a moment
                self.latest = event
        if self.latest is None or self.latest.event != "error":
            self._look()
        return events

    def _look(self) -> None:
        """Take the moment for the latest event where it is later than the history."""
        now = read_moment(self._moment)
        if now is None or now.begun is None or now.event == "error":  # the history tells what failed, in a moment
            return
        known = -math.inf if self.latest is None else (self.begun or now.begun) + self.latest.wall
        if now.begun + now.wall > known + 2e-6:  # the history is rounded
            self.begun = now.begun
            self.latest = now


def read_history(path: Path, most: int = 20_000) -> list[Progress]:
    """Return the events of a whole history; none where there is none.

    Of more than `most` lines only so many are taken, evenly spaced, which loses nothing of what adds up; but some in
    the middle all in a row, and all that say when something began or ended.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    if len(lines) > most:
        every, middle = -(-len(lines) // most), len(lines) // 2
        rare = [i for i, line in enumerate(lines) if line.startswith(b'{"event": "e') or b'"begun"' in line]
        kept = {*range(0, len(lines), every), *range(middle - 100, middle + 100), *rare[:most], len(lines) - 2}
        lines = [lines[i] for i in sorted(kept)]
    return [event for event in (_parse(line) for line in lines) if event is not None]


def read_moment(path: Path) -> Progress | None:
    """Return what a `progress.now` tells, or None where it tells nothing."""
    try:
        data = path.read_bytes()
        if data != path.read_bytes():  # it was just being written
            data = path.read_bytes()
    except OSError:
        return None
    if len(data) != _MOMENT.size:
        return None
    code, wall, time, window, iteration, begun, end, solving, waiting, exchanging, windows = _MOMENT.unpack(data)
    if code not in _NAMES or not all(map(math.isfinite, (wall, begun, time, solving, waiting, exchanging))):
        return None
    return Progress(
        event=_NAMES[code],
        time=time,
        end=end if math.isfinite(end) else None,
        window=window,
        windows=windows if windows >= 0 else None,
        iteration=iteration,
        wall=wall,
        begun=begun,
        solving=solving,
        waiting=waiting,
        exchanging=exchanging,
    )


def _mapped(path: Path) -> mmap.mmap | None:
    """Return the file of the moment as memory; None on a file system that cannot share it: only the history tells."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except OSError:
        return None
    try:
        os.write(descriptor, bytes(_MOMENT.size))  # a full disk is noticed here, and not by a signal later
        return mmap.mmap(descriptor, _MOMENT.size)
    except OSError:
        return None
    finally:
        os.close(descriptor)


_NUMBER = frozenset({int, float})
_TYPES: dict[str, frozenset[type]] = {
    "message": frozenset({str}),
    "event": frozenset({str}),
    "window": frozenset({int}),
    "iteration": frozenset({int}),
    "windows": frozenset({int, type(None)}),
    "end": _NUMBER | {type(None)},
    "begun": _NUMBER | {type(None)},
}


def _parse(line: bytes) -> Progress | None:
    """Return the event in a line, or None where it is none, as a whole and in every number."""
    try:
        data = json.loads(line)
        if not isinstance(data, dict) or data.get("event") not in EVENTS:
            return None
        for key, value in data.items():
            kind = type(value)
            if kind not in _TYPES.get(key, _NUMBER) or (kind is float and not math.isfinite(value)):
                return None
        return Progress(**data)
    except (ValueError, TypeError, RecursionError):
        return None
