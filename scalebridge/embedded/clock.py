"""Time within a simulation and its windows, summed without losing digits."""

from __future__ import annotations

import math

from scalebridge.embedded.tolerance import equal


class Sum:
    """A sum that keeps what rounding would lose (Kahan, Further remarks on reducing truncation errors, 1965)."""

    __slots__ = ("_lost", "value")

    def __init__(self, value: float = 0.0) -> None:
        self.value = value
        self._lost = 0.0

    def add(self, term: float) -> None:
        corrected = term - self._lost
        total = self.value + corrected
        self._lost = (total - self.value) - corrected
        self.value = total

    def plus(self, *terms: float) -> float:
        """Return what the sum would be with these terms added."""
        value, lost = self.value, self._lost
        for term in terms:
            corrected = term - lost
            total = value + corrected
            lost = (total - value) - corrected
            value = total
        return value


class Clock:
    """Where in time a participant is: the start of the window, the progress in it, the end of all."""

    def __init__(self, end: float | None) -> None:
        self.end = end
        self._start = Sum()
        self._progress = Sum()

    @property
    def window_start(self) -> float:
        return self._start.value

    @property
    def window_progress(self) -> float:
        return self._progress.value

    @property
    def time(self) -> float:
        return self._start.plus(self._progress.value)

    def progress_by(self, dt: float) -> None:
        self._progress.add(dt)

    def reset_progress(self) -> None:
        self._progress = Sum()

    def complete_window(self, size: float) -> None:
        """Move the window start; the exact size is used unless the end of time cut the window short."""
        progress = self._progress.value
        self._start.add(size if equal(progress, size) else progress)
        self.reset_progress()

    def until_end(self) -> float:
        """Return the time left, or the largest number where there is no end."""
        if self.end is None:
            return 1.7976931348623157e308
        return -self._start.plus(self._progress.value, -self.end)

    def until_window_end(self, size: float) -> float:
        """Return the time left in a window of this size, which the end of time may cut short."""
        left = -self._progress.plus(-size)
        return left if self.end is None else min(left, self.until_end())

    def at_window_end(self, size: float) -> bool:
        return equal(self.until_window_end(size), 0.0)

    def at_end(self) -> bool:
        return self.end is not None and equal(self.until_end(), 0.0)

    def ahead(self, dt: float) -> float:
        """Return the time after a further `dt`."""
        progress = self._progress.plus(dt) if math.isfinite(dt) else dt
        return self._start.plus(progress)
