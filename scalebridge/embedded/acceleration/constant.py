"""Constant under-relaxation: x <- omega x_new + (1 - omega) x_old, at every sample of the window."""

from __future__ import annotations

from collections.abc import Mapping

from scalebridge.embedded.acceleration import Floats, Iterate, Key
from scalebridge.embedded.acceleration.settings import AccelerationConfig
from scalebridge.embedded.tolerance import greater


class ConstantRelaxation:
    """Relaxes all data by one factor."""

    def __init__(self, config: AccelerationConfig) -> None:
        self.factor = config.relaxation_or_default

    def accelerate(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Relax every waveform."""
        relax(self.factor, iterates, start)

    def window_complete(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Nothing to learn."""

    def log_entries(self) -> dict[str, int]:
        """Add no columns."""
        return {}


def relax(factor: float, iterates: Mapping[Key, Iterate], start: float) -> None:
    """Relax the samples after `start` towards the old waveform by a factor; gradients likewise."""
    for iterate in iterates.values():
        new, old = iterate.new, iterate.old
        for time, values, slopes in zip(new.stamps[:], new.samples[:], new.slopes[:], strict=True):
            if not greater(time, start):
                continue
            if slopes is not None:
                slopes = _mix(factor, slopes, old.sample_gradients(time))
            new.put(time, _mix(factor, values, old.sample(time)), slopes)


def _mix(factor: float, new: Floats, old: Floats) -> Floats:
    mixed = factor * new
    mixed += (1.0 - factor) * old
    return mixed
