"""Aitken's dynamic under-relaxation for vectors.

omega_k = - omega_(k-1)  r_(k-1) . (r_k - r_(k-1)) / |r_k - r_(k-1)|^2,   r = x_new - x_old at the end of the window.
Irons, Tuck, Int. J. Numer. Meth. Engng. 1 (1969) 275-277; Kuettler, Wall, Comput. Mech. 43 (2008) 61-72.
With several primary data their residuals are weighted by a preconditioner.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scalebridge.embedded.acceleration import Floats, Iterate, Key
from scalebridge.embedded.acceleration.constant import relax
from scalebridge.embedded.acceleration.preconditioner import create_preconditioner
from scalebridge.embedded.acceleration.settings import AccelerationConfig


class Aitken:
    """Relaxes all data by one factor, found anew in each iteration from the primary data."""

    def __init__(self, config: AccelerationConfig) -> None:
        self._primary = [(entry.mesh, entry.data) for entry in config.data]
        self._initial = config.relaxation_or_default
        self._factor = self._initial
        self._preconditioner = create_preconditioner(config)
        self._values: list[Floats] = [np.zeros(0) for _ in self._primary]
        self._residuals: list[Floats] = [np.zeros(0) for _ in self._primary]
        self._first = True

    def accelerate(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Find the factor and relax every waveform."""
        self._values = [iterates[key].new.sample(end).ravel() for key in self._primary]
        residuals = [
            x - iterates[key].old.sample(end).ravel() for key, x in zip(self._primary, self._values, strict=True)
        ]
        several = len(self._primary) > 1
        if several:
            self._preconditioner.update(False, self._values, residuals)
        if self._first:
            self._factor = np.sign(self._factor) * min(self._initial, abs(self._factor))
        else:
            weights = self._preconditioner.weights**2 if several else np.ones(1)
            deltas = [r - old for r, old in zip(residuals, self._residuals, strict=True)]
            above = sum(w * (old @ d) for w, old, d in zip(weights, self._residuals, deltas, strict=True))
            below = sum(w * (d @ d) for w, d in zip(weights, deltas, strict=True))
            with np.errstate(divide="ignore", invalid="ignore"):
                self._factor = -self._factor * float(np.divide(above, below))
        relax(self._factor, iterates, start)
        self._residuals = residuals
        self._first = False

    def window_complete(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Keep the factor as a bound for the first one of the next window."""
        self._first = True
        if len(self._primary) > 1:
            self._preconditioner.update(True, self._values, self._residuals)

    def log_entries(self) -> dict[str, int]:
        """Add no columns."""
        return {}
