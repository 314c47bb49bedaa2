"""The waveforms of an implicit scheme as one long vector, and back: quasi-Newton waveform iteration.

Rueth, Uekermann, Mehl, Birken, Monge, Bungartz, "Quasi-Newton waveform iteration for partitioned surface-coupled
multiphysics applications", Int. J. Numer. Meth. Engng. 122 (2021) 5236-5257. With the reduced time grid only the last
sample of each primary data enters the least-squares system; all samples of all data take part in the update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scalebridge.embedded.acceleration import Floats, Iterate, Key
from scalebridge.embedded.tolerance import greater


class Unknowns:
    """Which samples of which data make up the vector; fixed in the first window and moved along with time.

    Attributes
    ----------
    slices : for each data, its part of the vector: times, vertices, components in C order.
    primary : for each primary data, its part that enters the least-squares system.
    """

    def __init__(self, iterates: Mapping[Key, Iterate], primary: Sequence[Key], reduced: bool, start: float) -> None:
        self._grids = {key: iterate.new.times for key, iterate in iterates.items()}
        self._primary_keys = primary
        self.slices: dict[Key, slice] = {}
        self.primary: list[slice] = []
        end = 0
        for key, iterate in iterates.items():
            size = iterate.new.last.size
            begin, end = end, end + size * len(self._after(key, start))
            self.slices[key] = slice(begin, end)
        for key in primary:
            part = self.slices[key]
            size = iterates[key].new.last.size
            self.primary.append(slice(part.stop - size, part.stop) if reduced else part)
        self._reduced = reduced
        self.size = end

    def move(self, iterates: Mapping[Key, Iterate]) -> None:
        """Move the time grids, linearly, into the window that the new waveforms span."""
        for key, grid in self._grids.items():
            times = iterates[key].new.times
            scale = (times[-1] - times[0]) / (grid[-1] - grid[0])
            moved = (grid - grid[0]) * scale + times[0]
            moved[-1] = times[-1]
            self._grids[key] = moved

    def new(self, iterates: Mapping[Key, Iterate], start: float) -> Floats:
        """Return the new values of all data, (size,)."""
        vector = np.empty(self.size)
        for key, part in self.slices.items():
            times = self._after(key, start)
            rows = vector[part].reshape(len(times), -1)
            for row, time in zip(rows, times, strict=True):
                row[:] = iterates[key].new.sample(time).ravel()
        return vector

    def residuals(self, iterates: Mapping[Key, Iterate], vector: Floats, start: float) -> list[Floats]:
        """Return new minus old values of the primary data, one part for each."""
        parts = []
        for key, part in zip(self._primary_keys, self.primary, strict=True):
            times = self._after(key, start)[-1:] if self._reduced else self._after(key, start)
            rows = vector[part].reshape(len(times), -1)
            old = [row - iterates[key].old.sample(time).ravel() for row, time in zip(rows, times, strict=True)]
            parts.append(np.concatenate(old))
        return parts

    def replace(self, iterates: Mapping[Key, Iterate], vector: Floats, start: float) -> None:
        """Set the new waveforms from the vector; samples up to `start` stay. Gradients are not accelerated."""
        for key, part in self.slices.items():
            waveform = iterates[key].new
            times = self._after(key, start)
            samples = vector[part].reshape(len(times), *waveform.last.shape)
            has_slopes = waveform.slopes[-1] is not None
            slopes = [waveform.sample_gradients(time) if has_slopes else None for time in times]
            waveform.trim_after(start)
            for time, sample, slope in zip(times, samples, slopes, strict=True):
                waveform.put(float(time), sample, slope)

    def _after(self, key: Key, start: float) -> list[float]:
        return [time for time in self._grids[key].tolist() if greater(time, start)]
