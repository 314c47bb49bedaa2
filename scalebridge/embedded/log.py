"""What the engine says while it runs, to the sinks that the configuration names."""

from __future__ import annotations

import re
import sys
from typing import TextIO

from scalebridge import continuation
from scalebridge.embedded.config import LogSink

_LEVELS = ("trace", "debug", "info", "warning", "error")
_INFO, _WARNING = 2, 3
_THRESHOLD = re.compile(r"%Severity%\s*(>=|>|=)\s*(\w+)")


def threshold(text: str) -> int:
    """Return the lowest level that a sink's filter lets through, as far as it speaks of `%Severity%`."""
    found = _THRESHOLD.search(text)
    if not found or found[2] not in _LEVELS:
        return _INFO
    return _LEVELS.index(found[2]) + (1 if found[1] == ">" else 0)


class Log:
    """Lines for people: `info` for the course of the coupling, `warning` for what is probably a mistake.

    Parameters
    ----------
    sizes : what `sizes` returned in an earlier process, whose files are gone on with; None begins anew.
    """

    def __init__(self, me: str, sinks: tuple[LogSink, ...] | None, sizes: list[int] | None = None) -> None:
        self._me = me
        self._files: list[TextIO] = []
        self._sizes = sizes
        if sinks is None:
            self._outputs: list[tuple[int, TextIO]] = [(_INFO, sys.stdout)]
        else:
            self._outputs = [(threshold(sink.filter), self._open(sink)) for sink in sinks]
        self.shows_info = any(level <= _INFO for level, _ in self._outputs)

    def _open(self, sink: LogSink) -> TextIO:
        if sink.type == "stream":
            return sys.stderr if sink.output == "stderr" else sys.stdout
        size = None if self._sizes is None else self._sizes[len(self._files)]
        self._files.append(continuation.go_on(sink.output, size))
        return self._files[-1]

    def _say(self, level: int, text: str) -> None:
        for least, output in self._outputs:
            if level >= least:
                print(f"precice ({self._me}): {text}", file=output, flush=True)

    def info(self, text: str) -> None:
        if self.shows_info:
            self._say(_INFO, text)

    def warning(self, text: str) -> None:
        self._say(_WARNING, f"WARNING: {text}")

    def sizes(self) -> list[int]:
        """Return the bytes written so far to each file."""
        return [continuation.position(file) for file in self._files]

    def close(self) -> None:
        for file in self._files:
            file.close()
