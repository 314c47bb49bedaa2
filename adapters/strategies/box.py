"""The box of controls that a micro model meets: a range for each component, given or seen in a recorded run.

Temperature=250 K..273 K      a range
Strain=-0.01..0.01            all components of a tensor; Strain=0.01 says the same
Strain-01=0                   one of them, which stays what it is
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters import snapshots
from adapters.snapshots import SnapshotError
from adapters.strategies.columns import Array, Columns
from adapters.wiring import CouplingError
from scalebridge.fields import Field
from scalebridge.findings import Findings
from scalebridge.units import UnitError, convert

FLAT = 1e-9  # a range that is a smaller share of the values is none
ROUND_OFF = 1e-9  # of a range, or of a value that stays: so far beyond the end is still inside


class BoxError(CouplingError):
    """There is no box of controls where it was looked for."""


@dataclass(frozen=True)
class Recorded:
    """What a run has seen.

    Attributes
    ----------
    points, times : how many points, and snapshots in time.
    rate : (m,) how fast each component has changed at most from one snapshot to the next [1/s].
    alike : share of the points that have been within 1 % of the box of another one in all snapshots.
    begun : (m,) components in the first snapshot, the mean of all points.
    """

    points: int
    times: int
    rate: Array
    alike: float
    begun: Array | None = None


@dataclass(frozen=True)
class Box:
    """A range for each component of the controls.

    Attributes
    ----------
    columns : the controls, and their m components.
    low, high : (m,) in the units of the controls; equal where a component stays what it is.
    """

    columns: Columns
    low: Array
    high: Array

    @classmethod
    def of(cls, fields: Mapping[str, Field], dimensions: int, low: Array, high: Array) -> Box:
        """Return the box with these ends (m,). Raises ValueError where they do not fit the fields; BoxError."""
        columns = columns_of(fields, dimensions)
        shape = (len(columns.components),)
        if low.shape != shape or high.shape != shape or not (low <= high).all():
            raise ValueError(f"the ends of a box of {shape[0]} components are {low.tolist()}, {high.tolist()}")
        return cls(columns, low, high)

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Whether a component varies (m,)."""
        return np.asarray(self.high - self.low > FLAT * np.maximum(np.abs(self.low), np.abs(self.high)))

    @property
    def free(self) -> NDArray[np.int64]:
        """The components that vary."""
        return np.flatnonzero(self.varies)

    @property
    def extent(self) -> Array:
        """Its edges (m,), 1 where a component does not vary."""
        return np.where(self.varies, self.high - self.low, 1.0)

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

    def unit(self, values: Array) -> Array:
        """Return components (n, m) as points of the unit cube, from outside the nearest of its surface."""
        return np.clip(np.where(self.varies, (values - self.low) / self.extent, 0.5), 0.0, 1.0)

    def at(self, points: Array) -> Array:
        """Return the components (n, m) at points of the unit cube; on its surface exactly the ends of the ranges."""
        inner = np.where(self.varies, self.low + points * self.extent, self.low)
        return np.where(self.varies & (points == 1.0), self.high, inner)

    def outside(self, values: Array) -> NDArray[np.bool_]:
        """Return which components (n, m) are outside, NaN as well."""
        size = np.where(self.varies, self.extent, np.maximum(np.abs(self.low), np.abs(self.high)))
        return ~((values >= self.low - ROUND_OFF * size) & (values <= self.high + ROUND_OFF * size))

    def told(self) -> list[str]:
        """Return the box in words, a line for each component."""
        lines = []
        for one, low, high in zip(self.columns.components, self.low, self.high, strict=True):
            end = f" to {high:.4g}{one.suffix}" if high > low else ""
            lines.append(f"{one.name}: {low:.4g}{one.suffix}{end}")
        return lines


def required(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return the controls that have to be given."""
    return {name: field for name, field in fields.items() if not field.optional}


def columns_of(fields: Mapping[str, Field], dimensions: int) -> Columns:
    """Return the columns of the controls that have to be given. Raises BoxError for signals."""
    given = required(fields)
    for name, field in given.items():
        if field.per != "point":
            raise BoxError(f"{name} is a signal over the time window: there is no box of such controls")
    return Columns(given, dict.fromkeys(given, dimensions))


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
    columns = columns_of(fields, dimensions)
    low, high = np.full((2, len(columns.components)), np.nan)
    units = {name: field.unit for name, field in columns.fields.items()}
    units |= {component.name: component.unit for component in columns.components}
    for name, ends in ranges(texts, units, "control", findings):
        own = [i for i, component in enumerate(columns.components) if name in (component.field, component.name)]
        low[own], high[own] = ends
    for control in dict.fromkeys(one.field for one, x in zip(columns.components, low, strict=True) if np.isnan(x)):
        if not any(finding.message.startswith(f"{control}:") for finding in findings.found):
            unit = "" if units[control] == "1" else f", in a unit like '{units[control]}'"
            findings.add(None, "", f"'{control}' has no range", expected=f"{control}=LOW..HIGH{unit}")
    findings.raise_if_any()
    return Box(columns, low, high)


def ranges(
    texts: Iterable[str], units: Mapping[str, str], what: str, findings: Findings, *, both: bool = False
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield name and ends of each range that a text gives; what is wrong with the others is added to the findings.

    Parameters
    ----------
    units : of all that may have a range.
    what : what these are.
    both : both ends have to be given; else ``NAME=HIGH`` is a range about zero.
    """
    for text in texts:
        name, equal, value = (part.strip() for part in text.partition("="))
        if equal and name not in units:
            findings.add(None, "", f"'{name}' is no {what}", got=name, candidates=units)
        elif not equal or (both and ".." not in value):
            findings.add(None, "", f"'{text}' has no range", expected="NAME=LOW..HIGH")
        elif (ends := _ends(value, units[name], name, findings)) is not None:
            yield name, ends


def recorded(run: Path, participant: str, fields: Mapping[str, Field]) -> tuple[Box, Recorded]:
    """Return the box of controls that a participant has seen in a run, by its snapshots, and more about it.

    Raises BoxError if the run has no snapshots of them.
    """
    try:
        times, seen = snapshots.read(run, participant, list(fields))
    except SnapshotError as error:
        raise BoxError(str(error)) from None
    ranks = [(name, field.rank) for name, field in fields.items() if field.rank]
    dimensions = seen[ranks[0][0]].shape[-1] if ranks else 1
    columns = columns_of(fields, dimensions)
    count = range(len(times))
    values = np.stack([columns.flatten({n: v[i] for n, v in seen.items()}) for i in count])  # (times, points, m)
    box = Box(columns, values.min(axis=(0, 1)), values.max(axis=(0, 1)))
    length = np.diff(times)
    moved = np.abs(np.diff(values, axis=0)).max(axis=1, initial=0.0)[length > 0] / length[length > 0, None]
    rate = moved.max(axis=0, initial=0.0)
    return box, Recorded(values.shape[1], len(times), rate, _alike(values, box), values[0].mean(axis=0))


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
