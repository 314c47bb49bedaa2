"""Data as a coupling scheme sees it: which way it goes, what it was in the previous iteration, how it travels."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from scalebridge.embedded.config import Key
from scalebridge.embedded.meshes import Datum
from scalebridge.embedded.waveform import Floats, Waveform

_HEAD = struct.Struct("<?d")
_COUNT = struct.Struct("<I")


@dataclass
class CouplingData:
    """One data of one exchange.

    Attributes
    ----------
    datum : the data on its mesh, with the waveform that mappings and the API work on.
    sends : whether this participant sends it (else it receives it).
    previous : its waveform at the end of the previous iteration.
    """

    datum: Datum
    sends: bool
    initialize: bool
    substeps: bool
    previous: Waveform = field(default_factory=lambda: Waveform(0))

    @property
    def key(self) -> Key:
        return self.datum.key

    @property
    def waveform(self) -> Waveform:
        return self.datum.waveform

    def store_iteration(self) -> None:
        self.previous = self.waveform.copy()

    def move_to_next_window(self) -> None:
        """Begin the next window with the latest sample of this one."""
        self.waveform.keep_last()

    def initialize_with_zero(self, time: float) -> None:
        self.waveform.put(time, *self.datum.zeros())


def encode(data: Sequence[CouplingData], converged: bool, window: float) -> tuple[bytes, list[Floats]]:
    """Return the head and the arrays of a message with the waveforms (or last samples) of `data`."""
    head = [_HEAD.pack(converged, window)]
    arrays: list[Floats] = []
    for d in data:
        w = d.waveform
        first = 0 if d.substeps else len(w.stamps) - 1
        head.append(_COUNT.pack(len(w.stamps) - first))
        if d.substeps:
            arrays.append(w.times)
        arrays.extend(w.samples[first:])
        if d.datum.has_gradients:
            arrays.extend(d.datum.slopes_or_zero(s) for s in w.slopes[first:])
    return b"".join(head), arrays


def decode_head(head: bytes) -> tuple[bool, float]:
    """Return whether the sender has converged, and its time window size."""
    converged, window = _HEAD.unpack_from(head)
    return converged, window


def decode_data(head: bytes, floats: Floats, data: Sequence[CouplingData], time: float) -> None:
    """Put what was received into the waveforms of `data`; last samples go to `time`."""
    position = 0
    for i, d in enumerate(data):
        (k,) = _COUNT.unpack_from(head, _HEAD.size + i * _COUNT.size)
        times = [time]
        if d.substeps:
            times = floats[position : position + k].tolist()
            position += k
            d.waveform.clear()
        else:
            d.waveform.trim_after(time)  # the first iteration's, where the end of time cuts the window short
        samples, position = _take(floats, position, k, d.datum.shape)
        slopes: Sequence[Floats | None] = [None] * k
        if d.datum.has_gradients:
            slopes, position = _take(floats, position, k, d.datum.slopes_shape)
        for t, sample, slope in zip(times, samples, slopes, strict=True):
            d.waveform.put(t, sample, slope)


def _take(floats: Floats, position: int, count: int, shape: tuple[int, ...]) -> tuple[list[Floats], int]:
    """Return `count` arrays of a shape from `position` on, and the position after them."""
    size = prod(shape)
    ends = range(position + size, position + (count + 1) * size, size) if size else [position] * count
    return [floats[end - size : end].reshape(shape) for end in ends], position + count * size
