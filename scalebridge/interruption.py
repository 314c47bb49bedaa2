"""Signals that ask for an end: Ctrl-C, SIGTERM, SIGHUP. They never end in a traceback, whenever they come.

Until `interruptible` is entered such a signal ends this process at once: nothing has been started yet. Inside, it
raises Interrupted, in `shielded` passages only when they are over. Signals that this process was started to ignore (by
nohup, or in the background of a script) stay ignored. Imports next to nothing, so that it comes before what takes long.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STATUS = 128  # plus the number of the signal: the exit status, as a shell says it


type Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Interrupted(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def __str__(self) -> str:
        return told(self.number)

    @property
    def status(self) -> int:
        """The exit status that says so."""
        return STATUS + self.number


class _State:
    """How many shielded passages are open, and the signal that came meanwhile; None if none has."""

    def __init__(self) -> None:
        self.shields = 0
        self.pending: int | None = None


_state = _State()


def told(number: int) -> str:
    """Return in words that a signal came."""
    return f"stopped by signal {number} ({signal.Signals(number).name})"


def install() -> None:
    """Let the signals end this process at once with one line; the first thing that the program does."""
    for number in _heeded():
        signal.signal(number, _leave)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the signals into Interrupted; once one has come, further ones are ignored, to the end of the process."""
    before = {number: signal.signal(number, _interrupt) for number in _heeded()}
    try:
        yield
    except Interrupted:
        raise
    except BaseException:
        _restore(before)
        raise
    else:
        _restore(before)


@contextmanager
def shielded() -> Iterator[None]:
    """Keep the signals back until the passage is over; it has to be short."""
    _state.shields += 1
    try:
        yield
    finally:
        _state.shields -= 1
        if _state.shields == 0 and _state.pending is not None:
            number, _state.pending = _state.pending, None
            raise Interrupted(number)


def _heeded() -> list[signal.Signals]:
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, f"scalebridge: {told(number)}\n".encode())
    os._exit(STATUS + number)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if _state.shields:
        _state.pending = number
    else:
        raise Interrupted(number)


def _restore(before: Mapping[signal.Signals, Handler]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
