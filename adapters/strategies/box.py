"""The box of controls that a micro model meets: a range for each component, given or seen in a recorded run.

Temperature=250 K..273 K      a range
Strain=-0.01..0.01            all components of a tensor
Strain-01=0                   one of them, which stays what it is
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.wiring import CouplingError
from scalebridge.fields import Field, equals
from scalebridge.findings import Findings
from scalebridge.units import UnitError, convert

type Array = NDArray[np.float64]

FLAT = 1e-9  # a range that is a smaller share of the values is none


class BoxError(CouplingError):
    """There is no box of controls where it was looked for."""


@dataclass(frozen=True)
class Axis:
    """One component of a control: which, and the name of the data that carries it."""

    control: str
    index: tuple[int, ...]
    name: str
    unit: str


@dataclass(frozen=True)
class Recorded:
    """What a run has seen.

    Attributes
    ----------
    points, times : how many points, and snapshots in time.
    rate : (m,) how fast each component has changed at most from one snapshot to the next [1/s].
    alike : share of the points that have been within 1 % of the box of another one in all snapshots.
    """

    points: int
    times: int
    rate: Array
    alike: float


@dataclass(frozen=True)
class Box:
    """A range for each component of the controls; of a symmetric tensor, for those of its upper triangle.

    Attributes
    ----------
    axes : the m components, in the order of the controls.
    low, high : (m,) in the units of the controls; equal where a component stays what it is.
    shapes : of the value of each control.
    """

    axes: tuple[Axis, ...]
    low: Array
    high: Array
    shapes: dict[str, tuple[int, ...]]

    @property
    def free(self) -> NDArray[np.int64]:
        """The components that vary."""
        size = np.maximum(np.abs(self.low), np.abs(self.high))
        return np.flatnonzero(self.high - self.low > FLAT * size)

    @property
    def centre(self) -> Array:
        """Its middle (m,)."""
        return 0.5 * (self.low + self.high)

    @property
    def half(self) -> Array:
        """Half of its edges (m,)."""
        return 0.5 * (self.high - self.low)

    @property
    def rest(self) -> Array:
        """Where a path begins (m,): at 0 in the components that hold it, else in the middle."""
        return np.where((self.low <= 0) & (self.high >= 0), 0.0, self.centre)

    def controls(self, values: Array) -> dict[str, Array]:
        """Return the controls (..., *shape) by name for values (..., m) of the components."""
        result = {name: np.zeros((*values.shape[:-1], *shape)) for name, shape in self.shapes.items()}
        for column, axis in enumerate(self.axes):
            for index in equals(axis.index) if _is_symmetric(self, axis) else {axis.index}:
                at: Any = (..., *index)
                result[axis.control][at] = values[..., column]
        return result

    def values(self, controls: Mapping[str, Array]) -> Array:
        """Return the components (..., m) of controls (..., *shape)."""
        places: list[Any] = [(..., *axis.index) for axis in self.axes]
        return np.stack([controls[a.control][at] for a, at in zip(self.axes, places, strict=True)], axis=-1)

    def told(self) -> list[str]:
        """Return the box in words, a line for each component."""
        lines = []
        for axis, low, high in zip(self.axes, self.low, self.high, strict=True):
            unit = "" if axis.unit == "1" else f" {axis.unit}"
            lines.append(f"{axis.name}: {low:.4g}{unit}" + (f" to {high:.4g}{unit}" if high > low else ""))
        return lines


def of_fields(fields: Mapping[str, Field], dimensions: int) -> Box:
    """Return a box without extent at 0 for the controls that have to be given. Raises BoxError for signals."""
    axes: list[Axis] = []
    fields = {name: field for name, field in fields.items() if not field.optional}
    for name, field in fields.items():
        if field.per != "point":
            raise BoxError(f"{name} is a signal over the time window: there is no box of such controls")
        carriers = field.carriers(name, dimensions)
        if field.rank == 1:
            carriers = {f"{name}-{i}": (i,) for i in range(dimensions)}
        axes += [Axis(name, index, data, field.unit) for data, index in carriers.items()]
    nothing = np.zeros(len(axes))
    return Box(tuple(axes), nothing, nothing, {name: (dimensions,) * field.rank for name, field in fields.items()})


def parse(texts: Iterable[str], fields: Mapping[str, Field], dimensions: int, place: str) -> Box:
    """Return the box that texts such as ``Temperature=250 K..273 K`` say.

    Parameters
    ----------
    fields : of the controls.
    place : what to call where the texts come from.

    Raises
    ------
    ConfigurationError
        With everything that is wrong with them, and every control that is left out.
    """
    findings = Findings(place)
    box = of_fields(fields, dimensions)
    low, high = np.full(len(box.axes), np.nan), np.full(len(box.axes), np.nan)
    names = [*fields, *(axis.name for axis in box.axes if axis.name not in fields)]
    for text in texts:
        name, equal, value = (part.strip() for part in text.partition("="))
        columns = [i for i, axis in enumerate(box.axes) if name in (axis.control, axis.name)]
        if not equal:
            findings.add(None, "", f"'{text}' has no range", expected="NAME=LOW..HIGH")
        elif not columns:
            findings.add(None, "", f"'{name}' is no control", got=name, candidates=names)
        elif (ends := _ends(value, box.axes[columns[0]].unit, name, findings)) is not None:
            low[columns], high[columns] = ends
    for control in dict.fromkeys(a.control for a, x in zip(box.axes, low, strict=True) if np.isnan(x)):
        if not any(finding.message.startswith(f"{control}:") for finding in findings.found):
            unit = "" if fields[control].unit == "1" else f", in a unit like '{fields[control].unit}'"
            findings.add(None, "", f"'{control}' has no range", expected=f"{control}=LOW..HIGH{unit}")
    findings.raise_if_any()
    return Box(box.axes, low, high, box.shapes)


def recorded(run: Path, participant: str, fields: Mapping[str, Field]) -> tuple[Box, Recorded]:
    """Return the box of controls that a participant has seen in a run, by its snapshots, and more about it.

    Raises BoxError if the run has no snapshots of them.
    """
    files = sorted((run / participant / "snapshots").glob("*.npz"))
    if not files:
        raise BoxError(
            f"{run}: has no snapshots of {participant}, so there is nothing to tell which controls it has seen"
        )
    times, seen = [], []
    for file in files:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                if missing := [name for name in fields if name not in arrays]:
                    raise BoxError(f"{file}: has no {', '.join(missing)}: it is of another case")
                times.append(float(arrays["time"]))
                seen.append({name: np.asarray(arrays[name], dtype=np.float64) for name in fields})
        except (OSError, ValueError, KeyError) as error:
            raise BoxError(f"{file}: is no snapshot: {error}") from None
    ranks = [(name, field.rank) for name, field in fields.items() if field.rank]
    dimensions = np.shape(seen[0][ranks[0][0]])[-1] if ranks else 1
    empty = of_fields(fields, dimensions)
    values = np.stack([empty.values(one) for one in seen])  # (times, points, m)
    box = Box(empty.axes, values.min(axis=(0, 1)), values.max(axis=(0, 1)), empty.shapes)
    length = np.diff(times)
    moved = np.abs(np.diff(values, axis=0)).max(axis=1, initial=0.0)[length > 0] / length[length > 0, None]
    rate = moved.max(axis=0, initial=0.0)
    return box, Recorded(values.shape[1], len(files), rate, _alike(values, box))


def participant_in(run: Path, fields: Mapping[str, Field]) -> str:
    """Return the participant of a run whose snapshots have all of these controls. Raises BoxError."""
    for file in sorted(run.glob("*/snapshots/000000.npz")):
        with np.load(file, allow_pickle=False) as arrays:
            if all(name in arrays for name in fields):
                return file.parent.parent.name
    raise BoxError(f"{run}: has no snapshots of {', '.join(fields)}: it is no run, or one of another case")


def _alike(values: Array, box: Box) -> float:
    """Return the share of points whose whole history is in one cell of a grid with another one's: 1 % of the box."""
    free = box.free
    if not free.size:
        return 1.0
    cells = np.floor((values[..., free] - box.low[free]) / (0.02 * box.half[free])).astype(np.int64)
    histories = np.moveaxis(cells, 1, 0).reshape(values.shape[1], -1)
    _, count = np.unique(histories, axis=0, return_counts=True)
    return float(1.0 - len(count) / len(histories))


def _ends(text: str, unit: str, name: str, findings: Findings) -> tuple[float, float] | None:
    parts: Sequence[str] = re.split(r"\s*\.\.\s*", text)
    try:
        ends = [convert(part, unit) for part in parts]
    except UnitError as error:
        findings.add(None, "", f"{name}: {error}", expected=f"LOW..HIGH in a unit like '{unit}'")
        return None
    low, high = ends if len(ends) == 2 else (-ends[0], ends[0])
    if len(ends) > 2 or low > high:
        findings.add(None, "", f"{name}: '{text}' is no range", expected="LOW..HIGH, the lower end first")
        return None
    return low, high


def _is_symmetric(box: Box, axis: Axis) -> bool:
    """Say whether the other triangle of a tensor has no axes of its own."""
    if len(axis.index) != 2:
        return False
    i, j = axis.index
    return i != j and not any(other.control == axis.control and other.index == (j, i) for other in box.axes)
