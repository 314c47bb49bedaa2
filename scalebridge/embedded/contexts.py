"""What a participant writes and reads, and the mappings in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.embedded import mapping
from scalebridge.embedded.arguments import Ids
from scalebridge.embedded.config import Key
from scalebridge.embedded.mapping.settings import MappingConfig
from scalebridge.embedded.meshes import Datum, Mesh
from scalebridge.embedded.tolerance import ZERO, at_most
from scalebridge.embedded.waveform import Floats


class PreparedMapping:
    """A mapping between two meshes, set up when it is first used."""

    def __init__(self, config: MappingConfig, source: Mesh, target: Mesh) -> None:
        self.config = config
        self.source = source
        self.target = target
        self._operator: mapping.Operator | None = None

    def apply(self, values: Floats, slopes: Floats | None) -> Floats:
        """Map values (n_source, components) to (n_target, components)."""
        if self._operator is None:
            self._operator = mapping.prepare(self.config, self.source.geometry(), self.target.geometry())
        return self._operator.apply(values, slopes)


@dataclass
class MappedData:
    """One data that a mapping maps: from `source` to `target`."""

    mapping: PreparedMapping
    source: Datum
    target: Datum

    def run(self, after: float | None = None, *, skip_zero: bool = False) -> None:
        """Map all samples later than `after` that the target does not have yet.

        With `skip_zero`, samples that are zero are not mapped but give zero, as at the start of a simulation.
        """
        if not self.source.waveform.stamps:
            mesh, data = self.source.key
            raise mapping.MappingError(
                f'data "{data}" on mesh "{mesh}" has no values to map to mesh "{self.target.mesh.name}": it needs an '
                f'<exchange data="{data}" mesh="{mesh}" ... /> to this participant, or an action that makes it'
            )
        wave = self.source.waveform
        for time, values, slopes in zip(wave.stamps, wave.samples, wave.slopes, strict=True):
            if (after is not None and at_most(time, after)) or self.target.waveform.has(time):
                continue
            if skip_zero and float(np.linalg.norm(values)) < ZERO:
                self.target.waveform.put(time, np.zeros(self.target.shape))
            else:
                self.target.waveform.put(time, self.mapping.apply(values, slopes))


@dataclass
class WriteContext:
    """Data that the program writes: a buffer until the next advance, and the mappings to other meshes."""

    datum: Datum
    mapped: list[MappedData] = field(default_factory=list)
    just_in_time: MappingConfig | None = None
    _buffer: Floats | None = None
    _slopes: Floats | None = None
    _writer: mapping.PointWriter | None = None
    _collected: Any = None

    @property
    def pending(self) -> bool:
        """Whether anything has been written since the last advance."""
        return not (self._buffer is None and self._slopes is None and self._collected is None)

    def write(self, ids: Ids | slice, values: Floats) -> None:
        """Put values (m, components) at vertices (m,) into the buffer."""
        if self._buffer is None and isinstance(ids, slice):
            self._buffer = values.copy()
            return
        if self._buffer is None:
            self._buffer = np.zeros(self.datum.shape)
        self._buffer = _grown(self._buffer, self.datum.mesh.size)
        self._buffer[ids] = values

    def write_slopes(self, ids: Ids | slice, slopes: Floats) -> None:
        """Put gradients (m, components, dimensions) into the buffer."""
        if self._slopes is None:
            self._slopes = np.zeros(self.datum.slopes_shape)
        self._slopes = _grown(self._slopes, self.datum.mesh.size)
        self._slopes[ids] = slopes

    def write_at(self, points: Floats, values: Floats) -> None:
        """Map values (m, components) given at points (m, dimensions) to the mesh, just in time."""
        assert self.just_in_time is not None
        if self._writer is None:
            self._writer = mapping.prepare_writer(self.just_in_time, self.datum.mesh.geometry())
        if self._collected is None:
            self._collected = self._writer.start(self.datum.components)
        self._writer.add(points, values, self._collected)

    def take(self) -> tuple[Floats, Floats | None]:
        """Return what was written since the last time and empty the buffer; what was not written is zero."""
        values, slopes = self._buffer, self._slopes
        self._buffer = self._slopes = None
        values = np.zeros(self.datum.shape) if values is None else _grown(values, self.datum.mesh.size)
        if self._collected is not None and self._writer is not None:
            values = values + self._writer.finish(self._collected)
            self._collected = None
        if self.datum.has_gradients:
            slopes = self.datum.slopes_or_zero(slopes)
        return values, slopes

    def store(self, time: float) -> None:
        """Make what was written the sample at `time`."""
        self.datum.waveform.put(time, *self.take())

    def discard(self) -> None:
        self._buffer = self._slopes = self._collected = None

    def trim_after(self, time: float) -> None:
        """Forget what was written and mapped after `time`, as the window is repeated."""
        self.datum.waveform.trim_after(time)
        for m in self.mapped:
            m.target.waveform.trim_after(time)


@dataclass
class ReadContext:
    """Data that the program reads, and the mappings that bring it to the mesh."""

    datum: Datum
    mapped: list[MappedData] = field(default_factory=list)
    just_in_time: MappingConfig | None = None
    _reader: mapping.PointReader | None = None
    _coefficients: tuple[float, Any] | None = None

    def read(self, ids: Ids | slice, time: float) -> Floats:
        """Return the values (m, components) at vertices (m,) and `time`, as a new array."""
        values = self.datum.waveform.sample(time)
        return values[ids].copy() if isinstance(ids, slice) else values[ids]

    def read_at(self, points: Floats, time: float) -> Floats:
        """Return the values (m, components) at points (m, dimensions) and `time`, mapped just in time."""
        assert self.just_in_time is not None
        if self._reader is None:
            self._reader = mapping.prepare_reader(self.just_in_time, self.datum.mesh.geometry())
        if self._coefficients is None or self._coefficients[0] != time:
            self._coefficients = time, self._reader.coefficients(self.datum.waveform.sample(time))
        return self._reader.evaluate(points, self._coefficients[1])

    def prepare_for(self, received: dict[Key, bool], time: float, *, complete: bool) -> None:
        """Forget mapped samples that will be mapped anew from what the coupling scheme received again."""
        for m in self.mapped:
            if m.source.key not in received:
                continue
            if not complete:
                m.target.waveform.trim_after(time)
            elif received[m.source.key]:
                m.target.waveform.keep_last()
            else:
                m.target.waveform.clear()

    def forget_coefficients(self) -> None:
        self._coefficients = None


def _grown(values: Floats, size: int) -> Floats:
    """Return `values` with zeros for vertices that were added meanwhile."""
    if len(values) == size:
        return values
    return np.concatenate([values, np.zeros((size - len(values), *values.shape[1:]))])


def run_mappings(contexts: Iterable[WriteContext | ReadContext], after: float | None, *, skip_zero: bool) -> None:
    """Run all mappings of the given contexts."""
    for context in contexts:
        for mapped in context.mapped:
            mapped.run(after, skip_zero=skip_zero)
