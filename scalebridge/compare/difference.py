"""How the series and fields of two runs differ, value by value. Nothing is interpolated.

Rows of series and files of fields belong together where their times agree (to 1e-9 of the last time), files without a
time where their names do; values where they have one name, one shape, and stand at the same points. With the values v
of the one run and r of the other, the reference, over all points i and common times k,

    relative L2 = sqrt(sum |v - r|^2 / sum |r|^2),    largest = max |v - r|,    relative = max |v - r| / max |r|

Points count alike, whatever the size of their cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.compare.arrays import Array, Arrays, UnreadableError
from scalebridge.compare.results import Results, Snapshot, Table

_SAME_TIME = 1e-9
_SAME_PLACE = 1e-9  # of the extent of the points


@dataclass(frozen=True)
class Difference:
    """How one quantity differs.

    Attributes
    ----------
    count : number of values that were compared.
    identical : whether all of them are equal bit for bit.
    l2, largest, relative : the norms above; `largest` is in the unit of the quantity.
    where : where the largest difference is; empty where there is none.
    """

    name: str
    count: int
    identical: bool
    l2: float
    largest: float
    relative: float
    where: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object; infinities, which JSON lacks, become text."""
        numbers = {key: getattr(self, key) for key in ("l2", "largest", "relative")}
        plain = {key: value if math.isfinite(value) else str(value) for key, value in numbers.items()}
        return {"name": self.name, "count": self.count, "identical": self.identical, **plain, "where": self.where}


@dataclass
class Differences:
    """How two runs differ.

    Attributes
    ----------
    found : the quantities that both have.
    notes : in words what only one of them has, or what stands elsewhere in the other.
    problems : files that could not be read.
    """

    found: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def between(reference: Results, other: Results, *, twice: bool = False) -> Differences:
    """Compare the series and the fields of two runs.

    Parameters
    ----------
    twice : compare also images (.vti) of what is in a .npz beside them.
    """
    result = Differences()
    _series(reference, other, result)
    _fields(reference, other, result, twice=twice)
    result.problems += [p for run in (reference, other) for p in run.problems]
    return result


class Sum:
    """Adds up how two sequences of arrays differ."""

    def __init__(self) -> None:
        self.count = 0
        self.identical = True
        self.largest = 0.0
        self.where = ""
        self._squares = 0.0
        self._reference = 0.0
        self._most = 0.0

    def add(self, reference: Array, other: Array, place: Callable[[tuple[int, ...]], str]) -> None:
        """Compare two arrays of one shape; `place` says in words where an index is."""
        self.count += reference.size
        if reference.size == 0:
            return
        self.identical &= reference.dtype == other.dtype and reference.tobytes() == other.tobytes()
        kind = np.complex128 if "c" in (reference.dtype.kind, other.dtype.kind) else np.float64
        r, v = np.asarray(reference, dtype=kind), np.asarray(other, dtype=kind)
        with np.errstate(invalid="ignore", over="ignore"):
            d = np.abs(v - r)
            d[(r == v) | (np.isnan(r) & np.isnan(v))] = 0.0
            d[np.isnan(d)] = np.inf  # a number in one run alone
            size = np.where(np.isfinite(r), np.abs(r), 0.0)
            self._squares += float(np.sum(d**2))
            self._reference += float(np.sum(size**2))
        self._most = max(self._most, float(size.max()))
        if d.max() > self.largest:
            self.largest = float(d.max())
            self.where = place(tuple(int(i) for i in np.unravel_index(int(d.argmax()), d.shape)))

    def difference(self, name: str) -> Difference:
        """Return the norms of all that was added."""
        l2 = math.sqrt(_ratio(self._squares, self._reference))
        relative = _ratio(self.largest, self._most)
        return Difference(name, self.count, self.identical, l2, self.largest, relative, self.where)


def _ratio(a: float, b: float) -> float:
    return 0.0 if a == 0.0 else a / b if b > 0.0 and math.isfinite(a) else math.inf


# --- series ------------------------------------------------------------------------------------------------------


def _series(reference: Results, other: Results, result: Differences) -> None:
    _alone(reference, other, reference.tables, other.tables, result)
    for key in [k for k in reference.tables if k in other.tables]:
        old, new = reference.tables[key], other.tables[key]
        pairs = common(old.time, new.time)
        if not len(pairs):
            result.notes.append(f"{key}: no common times")
            continue
        if len(pairs) < max(len(old.time), len(new.time)):
            counts = f"{len(old.time)} in {reference.label}, {len(new.time)} in {other.label}"
            result.notes.append(f"{key}: compared at the {len(pairs)} common times ({counts})")
        was, now = ({f"{key}: {name}": values for name, values in t.columns.items()} for t in (old, new))
        if not np.array_equal(old.time[pairs[:, 0]], new.time[pairs[:, 1]]):
            was, now = {f"{key}: time": old.time, **was}, {f"{key}: time": new.time, **now}
        _alone(reference, other, was, now, result)
        for name in [n for n in was if n in now]:
            result.found.append(_column(name, old, was[name][pairs[:, 0]], now[name][pairs[:, 1]], pairs))


def _column(name: str, table: Table, old: Array, new: Array, pairs: Array) -> Difference:
    total = Sum()
    total.add(old, new, lambda i: f"time {table.time[pairs[i[0], 0]]:g}")
    return total.difference(name)


def common(old: Array, new: Array) -> Array:
    """Return (n, 2) the indices of the times that are in both; each is used once, in order."""
    if len(old) == len(new) and np.array_equal(old, new):
        return np.stack([np.arange(len(old))] * 2, axis=1)
    if not len(old) or not len(new):
        return np.empty((0, 2), dtype=int)
    first = [np.unique(times, return_index=True)[1] for times in (old, new)]
    a, b = old[first[0]], new[first[1]]
    tolerance = _SAME_TIME * max(abs(a).max(), abs(b).max())
    at = np.searchsorted(b, a - tolerance)
    near = (at < len(b)) & (np.abs(b[np.minimum(at, len(b) - 1)] - a) <= tolerance)
    return np.stack([first[0][near], first[1][at[near]]], axis=1)


# --- fields ------------------------------------------------------------------------------------------------------


def _fields(reference: Results, other: Results, result: Differences, *, twice: bool) -> None:
    was, now = (run.snapshots if twice else _once(run.snapshots) for run in (reference, other))
    _alone(reference, other, was, now, result)
    for key in [k for k in was if k in now]:
        pairs = _pairs(was[key], now[key])
        if len(pairs) < max(len(was[key]), len(now[key])):
            counts = f"{len(was[key])} in {reference.label}, {len(now[key])} in {other.label}"
            result.notes.append(f"{key}: compared at the {len(pairs)} common times ({counts})")
        sums: dict[str, Sum] = {}
        for old, new in pairs:
            try:
                _add(key, old, new, sums, result)
            except UnreadableError as error:
                result.problems.append(str(error))
                reference.unread.add(old.name)
                other.unread.add(new.name)
        result.found += [total.difference(name) for name, total in sums.items()]


def _once(groups: Mapping[str, list[Snapshot]]) -> dict[str, list[Snapshot]]:
    """Return the groups without the images of what is in a .npz beside them."""
    return {k: g for k, g in groups.items() if not (k.endswith(".vti") and f"{k[:-4]}.npz" in groups)}


def _pairs(old: Sequence[Snapshot], new: Sequence[Snapshot]) -> list[tuple[Snapshot, Snapshot]]:
    """Return the files that belong together: by time where all have one, else by name."""
    times = [[_time(s) for s in group] for group in (old, new)]
    if any(t is None for group in times for t in group):
        names = {s.name: s for s in new}
        return [(s, names[s.name]) for s in old if s.name in names]
    found = common(*(np.array(group, dtype=float) for group in times))
    return [(old[i], new[j]) for i, j in found.tolist()]


def _time(snapshot: Snapshot) -> float | None:
    if snapshot.time is not None or snapshot.path.suffix != ".npz":
        return snapshot.time
    try:
        return snapshot.read().time
    except UnreadableError:
        return None  # told when its values are asked for


def _add(key: str, old: Snapshot, new: Snapshot, sums: dict[str, Sum], result: Differences) -> None:
    """Compare two files."""
    a, b = old.read(), new.read()
    time = old.time if old.time is not None else a.time
    when = old.name if time is None else f"time {time:g}"
    if why := _elsewhere(a, b):
        _note(result, f"{key}: not compared, {why}")
        return
    for name in sorted(a.values.keys() ^ b.values.keys()):
        _note(result, f"{key}: {name} is in one of the runs only")
    for name in [n for n in a.geometry if not np.array_equal(a.geometry[n], b.geometry[n])]:
        total = sums.setdefault(f"{key}: {name}", Sum())
        total.add(a.geometry[name], b.geometry[name], lambda i: f"{when}, {_place(i, None)}")
    for name in [n for n in a.values if n in b.values]:
        x, y = a.values[name], b.values[name]
        if x.shape != y.shape:
            _note(result, f"{key}: {name} has other shapes, {x.shape} and {y.shape}")
        elif "U" in (x.dtype.kind, y.dtype.kind) or "S" in (x.dtype.kind, y.dtype.kind):
            _note(result, f"{key}: {name} is text" + ("" if np.array_equal(x, y) else ", and not the same"))
        else:
            where = a.places.get(name)
            total = sums.setdefault(f"{key}: {name}", Sum())
            total.add(x, y, lambda i, where=where: f"{when}, {_place(i, where)}")  # type: ignore[misc]


def _place(index: tuple[int, ...], where: Array | None) -> str:
    if not index:
        return "the only value"
    text = f"row {index[0]}" + (f" {list(index[1:])}" if len(index) > 1 else "")
    if where is None:
        return text
    return f"{text} at ({', '.join(f'{x:g}' for x in where[index[0]])})"


def _elsewhere(a: Arrays, b: Arrays) -> str:
    """Return in words why the values of two files do not stand at the same points; empty where they do."""
    for name in sorted(a.geometry.keys() | b.geometry.keys()):
        x, y = a.geometry.get(name), b.geometry.get(name)
        if x is None or y is None:
            return f"{name} is in one of the runs only"
        if x.shape != y.shape:
            return f"other {name.lower()}: {len(x)} and {len(y)}"
        extent = float(np.ptp(x)) if x.size else 0.0
        if not np.allclose(x, y, rtol=0.0, atol=_SAME_PLACE * extent):
            return f"other {name.lower()}"
    return ""


def _alone(
    reference: Results, other: Results, old: Mapping[str, Any], new: Mapping[str, Any], result: Differences
) -> None:
    """Note the names that are in one of two mappings only."""
    for name in sorted(old.keys() - new.keys()):
        result.notes.append(f"{name}: only in {reference.label}")
    for name in sorted(new.keys() - old.keys()):
        result.notes.append(f"{name}: only in {other.label}")


def _note(result: Differences, text: str) -> None:
    if text not in result.notes:
        result.notes.append(text)
