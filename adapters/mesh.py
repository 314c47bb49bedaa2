"""Coupling meshes and the fields on them, as a participant sees them: whole tensors in its own units.

Packing into what preCICE carries and the conversion of units happen here, and nothing that is not finite passes, in
either direction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters import tensors
from adapters.signals import samples_of
from adapters.step import Step
from adapters.wiring import Channel, CouplingError, Wiring

type Array = NDArray[np.float64]
type Source = NDArray[Any] | Callable[[], ArrayLike]


class CouplingMesh:
    """The vertices that this participant has on one coupling mesh, and the fields it reads and writes there.

    Attributes
    ----------
    points : (n, dim) coordinates [m]; none before the start for a mesh that is received.
    ids : (n,) names of the vertices in preCICE; (n * k,) of a mesh of signals, see `adapters.signals`.
    direct : the mesh belongs to another participant, and its points are worked on as they are.
    samples : k of a mesh of signals, whose fields have values (n, k); 0 of all others.
    time : start of the step in progress [s].
    """

    def __init__(
        self,
        participant: Any,
        wiring: Wiring,
        name: str,
        vertices: Array,
        ids: NDArray[Any],
        *,
        direct: bool = False,
        signals: bool = False,
    ) -> None:
        self.participant = participant
        self.wiring = wiring
        self.name = name
        self.direct = direct
        self.signals = signals
        self._place(vertices, ids)
        self.open = False  # whether there is anything to read yet
        self.time = 0.0
        self.received: dict[str, Received] = {}
        self.sent: dict[str, Sent] = {}

    def read(self, name: str) -> Received:
        """Return the field `name`, which is refreshed before every step."""
        if name not in self.received:
            self.received[name] = Received(self, self.wiring.reading(self.name, name))
        return self.received[name]

    def write(self, name: str, source: Source) -> Sent:
        """Send the field `name` after every step, and at the start where the configuration asks for initial data.

        Parameters
        ----------
        source : an array (n, ...) that is changed in place, or a function without arguments that returns one.
        """
        self.sent[name] = Sent(self, self.wiring.writing(self.name, name), source)
        return self.sent[name]

    def connected(self) -> None:
        """Learn the points of a mesh that was received just now; on the others tell who follows what is sent."""
        self.open = True
        if self.direct:
            ids, vertices = self.participant.get_mesh_vertex_ids_and_coordinates(self.name)
            self._place(vertices, ids)
            return
        for field in self.sent.values():
            for changed in field.on_change:
                changed()

    def _place(self, vertices: Array, ids: NDArray[Any]) -> None:
        """Take the vertices (m, dim) that the mesh has."""
        self.vertices, self.ids, self.samples = vertices, ids, 0
        self.points = vertices
        if self.signals:
            self.samples = samples_of(vertices, self.name, self.wiring.horizon()[2])
            self.points = vertices[:: self.samples]

    @property
    def shape(self) -> tuple[int, ...]:
        """Over what the values of a field spread: (n,), of a mesh of signals (n, k)."""
        return (len(self.points), self.samples) if self.signals else (len(self.points),)

    def refresh(self, step: Step, remaining: float) -> None:
        """Read every field for a step, with `remaining` left in the window [s]."""
        self.time = step.t
        for field in self.received.values():
            field.refresh(step, remaining)

    def complete(self, time: float) -> None:
        """Read what a completed window ended with at `time` [s]; the fields keep their old values."""
        self.time = time
        for field in self.received.values():
            field.complete()

    def send(self, time: float, *, initial: bool = False) -> None:
        """Write every field as it is at `time` [s]; initial values only on a mesh of this participant's own."""
        if not (initial and self.direct):
            for field in self.sent.values():
                field.send(time)

    def save(self) -> dict[str, Any]:
        """Return what has been read and sent, as far as it may be looked at before it is read and sent again."""
        received = {name: (field._values, field._old, field._start) for name, field in self.received.items()}
        return {"time": self.time, "received": received, "sent": {n: field._values for n, field in self.sent.items()}}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on with what `save` returned, and tell those who follow it."""
        self.time = value["time"]
        for name, received in self.received.items():
            received._values, received._old, received._start = value["received"][name]
        for name, sent in self.sent.items():
            sent._values = value["sent"][name]
        follow = [f.on_change for f in self.received.values()] + [f.on_change for f in self.sent.values()]
        for changes in follow:
            for changed in changes:
                changed()

    def written(self) -> list[str]:
        """Return the names of the preCICE data that are written here."""
        return [name for field in self.sent.values() for name in field.channel.carriers]

    def check(self, data: str, values: Array, time: float, writer: str) -> None:
        """Raise CouplingError with the place if `values` (n, ...) are not all finite."""
        if np.isfinite(values).all():
            return
        wrong = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        first = int(np.argmax(wrong))
        kind = "NaN" if np.isnan(values[first]).any() else "infinite value"
        place = ", ".join(f"{x:g}" for x in self.vertices[first])
        others = f" and {wrong.sum() - 1} more" if wrong.sum() > 1 else ""
        raise CouplingError(
            f"{kind} in {data} at point {first} ({place}){others} of {self.name}, time {time:g} s, written by {writer}"
        )


class Received:
    """A field that comes from another participant; as an array it is its values at the end of the step.

    Attributes
    ----------
    on_change : functions that are called whenever it was refreshed.
    """

    def __init__(self, mesh: CouplingMesh, channel: Channel) -> None:
        self.mesh = mesh
        self.channel = channel
        self._values: Array | None = None
        self.on_change: list[Callable[[], None]] = []
        self._old: Array | None = None
        self._start: Array | None = None  # what stands for initial data that cannot be had
        self._late = channel.late

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    @property
    def values(self) -> Array:
        """(n, ...) at the end of the step, in the participant's unit; zero before the first step."""
        return np.zeros((*self.mesh.shape, *self.channel.shape)) if self._values is None else self._values

    @property
    def old(self) -> Array:
        """(n, ...) at the start of the step: without sub-steps that of the window, the same in all its iterations.

        A participant that receives the mesh cannot send initial data on it. Then the first value that arrives stands
        for the start of the first window, and the value at the end of that window for all times inside it.
        """
        if self.channel.relaxed:
            raise CouplingError(
                f"the start of {self.channel.name} on {self.mesh.name} is not known: {self.channel.writer} cannot send "
                "initial data on a mesh that it receives, and what arrives first is changed by the acceleration. Make "
                f"{self.channel.writer} the first participant of a serial scheme, or remove the acceleration"
            )
        if not self.mesh.open:
            return self.values
        if self._old is None:
            self._old = self._read(0.0)
        return self._old

    def at(self, time: float) -> Array:
        """Return the values (n, ...) at a time [s] inside the step, interpolated as the XML says."""
        return self.values if self._late else self._read(time - self.mesh.time)

    def refresh(self, step: Step, remaining: float) -> None:
        """Read for a step in a window of which `remaining` is left [s]."""
        self._late = self.channel.late and step.window == 1
        arrived = self._read(remaining if self._late else step.dt)
        if not self._late:
            self._old = self._read(0.0)
        elif step.substep > 0:
            self._old = self.values
        else:
            if step.iteration <= self.channel.arrival:
                self._start = arrived
            self._old = self._start
        self._set(arrived)

    def complete(self) -> None:
        """Take the values that the window has ended with."""
        self._set(self._read(0.0))

    def _set(self, values: Array) -> None:
        self._values = values
        for changed in self.on_change:
            changed()

    def _read(self, relative_time: float) -> Array:
        mesh, channel = self.mesh, self.channel
        wire = {name: self._read_one(name, relative_time) for name in channel.carriers}
        values = tensors.unpack(channel.name, channel.field, wire, channel.dimension, channel.carriers)
        mesh.check(channel.name, values, mesh.time + relative_time, channel.writer)
        return channel.conversion(values.reshape(*mesh.shape, *channel.shape))

    def _read_one(self, name: str, relative_time: float) -> Array:
        values: Array = self.mesh.participant.read_data(self.mesh.name, name, self.mesh.ids, relative_time)
        return values.reshape(len(self.mesh.ids), *self.channel.wire_shape)


class Sent:
    """A field that goes to other participants.

    Attributes
    ----------
    on_change : functions that are called whenever it was sent.
    """

    def __init__(self, mesh: CouplingMesh, channel: Channel, source: Source) -> None:
        self.mesh = mesh
        self.channel = channel
        self.source = source
        self.on_change: list[Callable[[], None]] = []
        self._values: Array | None = None

    @property
    def values(self) -> Array:
        """(n, ...) what was sent last; before the first time, what the source holds now."""
        return self._evaluate() if self._values is None else self._values

    def send(self, time: float) -> None:
        """Send what the source holds now, which is valid at `time` [s]."""
        mesh, channel = self.mesh, self.channel
        self._values = self._evaluate()
        flat = self._values.reshape(len(mesh.ids), *channel.shape)
        mesh.check(channel.name, flat, time, channel.writer)
        packed = tensors.pack(channel.name, channel.field, channel.conversion(flat), channel.carriers)
        for name, values in packed.items():
            mesh.participant.write_data(mesh.name, name, mesh.ids, values)
        for changed in self.on_change:
            changed()

    def _evaluate(self) -> Array:
        values = np.array(self.source() if callable(self.source) else self.source, dtype=np.float64)
        expected = (*self.mesh.shape, *self.channel.shape)
        if values.shape != expected:
            each = f"for each point and each of {self.mesh.samples} samples" if self.mesh.signals else "for each point"
            raise CouplingError(
                f"{self.channel.writer} gave {self.channel.name} on {self.mesh.name} as an array of shape "
                f"{values.shape}; expected {expected}: one value of shape {self.channel.shape} {each}"
            )
        return values
