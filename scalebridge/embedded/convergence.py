"""Has the iteration of a time window converged? The four measures of preCICE."""

from __future__ import annotations

import math

import numpy as np

from scalebridge.embedded.config import MeasureConfig
from scalebridge.embedded.waveform import Floats

_ABBREVIATIONS = {
    "absolute": "Abs",
    "relative": "Rel",
    "residual-relative": "Drop",
    "absolute-or-relative": "AbsOrRel",
}


class Measure:
    """The two-norm of the change H(x) - x of one data in one iteration, against a limit."""

    def __init__(self, config: MeasureConfig) -> None:
        self.config = config
        self.column = f"Res{_ABBREVIATIONS[config.kind]}({config.mesh}:{config.data})"
        self.change = 0.0
        self.norm = 0.0
        self._first_change: float | None = None

    def new_window(self) -> None:
        """Forget the first change of the window."""
        self._first_change = None

    def measure(self, old: Floats, new: Floats) -> bool:
        """Compare the last samples of two iterations and say whether this measure has converged."""
        self.change = float(np.linalg.norm(new - old))
        self.norm = float(np.linalg.norm(new))
        if self._first_change is None:
            self._first_change = self.change
        limit = self.config.limit
        match self.config.kind:
            case "absolute":
                return self.change <= limit
            case "relative":
                return self.change <= self.norm * limit
            case "residual-relative":
                return self.change < self._first_change * limit
            case _:
                return self.change <= self.norm * self.config.relative_limit or self.change <= limit

    @property
    def logged(self) -> float:
        """What the convergence log shows: the change, or the change in relation to what it is measured against."""
        match self.config.kind:
            case "absolute":
                return self.change
            case "relative":
                base = self.norm
            case "residual-relative":
                base = self._first_change if self._first_change is not None else 0.0
            case _:
                return 0.0  # as preCICE logs it
        return math.inf if abs(base) <= 1e-14 else self.change / base
