"""Solves a micro model along paths, batch by batch; what is done stays done if it is interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.failing.attempt import Failure, Part, attempt, solving, starting
from adapters.failing.attempt import merge as merged
from adapters.micro import MicroModel
from scalebridge import treefile
from scalebridge.treefile import TreeFileError

Array = NDArray[np.float64]
type Values = dict[str, Array]

APART = 1e3  # m between the points of two paths: where a model is random it is so for each of them
MOST_LOST = 0.1  # share of paths that may fail


class SampleError(Exception):
    """The micro model cannot be solved along the paths."""


@dataclass(frozen=True)
class Sampled:
    """What a model gave.

    Attributes
    ----------
    values : controls and observables (paths, steps, ...) by name, in the units of the fields.
    dt : (steps,) [s].
    lost : why paths were lost, by number.
    """

    values: Values
    dt: Array
    lost: Mapping[int, str]

    @property
    def hash(self) -> str:
        """SHA-256 of the values: what they are, wherever they come from."""
        digest = hashlib.sha256()
        for name in sorted(self.values):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.values[name]).tobytes())
        return digest.hexdigest()


def solve(model: MicroModel, controls: Values, dt: Array, points: Array) -> tuple[Values, dict[int, str]]:
    """Return what a model shows along paths: observables (n, steps, ...) where all went well, and why others failed.

    Parameters
    ----------
    controls : (n, steps, ...); the first are those at the start.
    dt : (steps,) length of the step that leads there; that of the first does not matter.
    points : (n, dim) [m].
    """
    n = len(points)
    failed: dict[int, Failure] = {}
    now = {name: values[:, 0] for name, values in controls.items()}
    begun = attempt(starting(model, points, now), np.arange(n))
    failed |= begun.failed
    shown: list[Part] = []
    part = merged(begun.parts) if begun.parts else None
    for i, step in enumerate(dt.tolist()):
        if part is None:
            break
        driven = {name: values[part.rows, i] for name, values in controls.items()}
        tried = attempt(solving(model, part, driven, step if i else 0.0), part.rows)
        failed |= tried.failed
        part = merged(tried.parts) if tried.parts else None
        shown += [part] if part is not None else []
    if part is None:
        reason = next(iter(failed.values())).what if failed else "there are no paths"
        raise SampleError(f"the micro model can be solved along none of {n} paths: {reason}")
    kept = part.rows
    places = [np.searchsorted(one.rows, kept) for one in shown]
    seen = {
        name: np.stack(
            [np.asarray(one.observables[name], dtype=np.float64)[at] for one, at in zip(shown, places, strict=True)],
            axis=1,
        )
        for name in model.observables
    }
    return seen, {row: failure.what for row, failure in failed.items()}


def sample(
    model: MicroModel,
    controls: Values,
    dt: Array,
    dimensions: int,
    batch: int,
    store: Store,
    told: Callable[[int], None],
) -> Sampled:
    """Return what the model shows along all paths, in batches that are stored as they are done.

    Parameters
    ----------
    dimensions : of the points.
    told : called with the number of paths that are done.
    """
    paths = len(next(iter(controls.values())))
    parts: list[Values] = []
    lost: dict[int, str] = {}
    for begin in range(0, paths, batch):
        rows = np.arange(begin, min(begin + batch, paths))
        done = store.get(f"batch {begin}")
        if done is None:
            points = np.zeros((len(rows), dimensions))
            points[:, 0] = APART * rows
            given = {name: values[rows] for name, values in controls.items()}
            seen, failed = solve(model, given, dt, points)
            good = np.delete(np.arange(len(rows)), sorted(failed))
            values = {**{name: array[good] for name, array in given.items()}, **seen}
            done = {"values": values, "lost": {int(rows[row]): why for row, why in failed.items()}}
            store.put(f"batch {begin}", done)
        parts.append(done["values"])
        lost |= done["lost"]
        told(int(rows[-1]) + 1)
    if len(lost) > MOST_LOST * paths:
        first = min(lost)
        raise SampleError(f"the micro model fails on {len(lost)} of {paths} paths, the first is {first}: {lost[first]}")
    return Sampled({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, dt, lost)


class Store:
    """A file with what is done already, of one plan; one of another plan is replaced.

    Parameters
    ----------
    path : None keeps nothing.
    plan : whatever determines what is done, as plain values.
    """

    def __init__(self, path: Path | None, plan: Any) -> None:
        self.path, self.plan = path, plan
        self.done: dict[str, Any] = {}
        if path is not None and path.is_file():
            try:
                tree = treefile.load(path)
            except TreeFileError as error:
                raise SampleError(f"{error}; remove it, and all is sampled anew") from None
            if isinstance(tree, dict) and tree.get("plan") == plan:
                self.done = tree["done"]

    def get(self, name: str) -> Any:
        """Return what is done, or None."""
        return self.done.get(name)

    def put(self, name: str, value: Any) -> None:
        """Keep what is done."""
        self.done[name] = value
        if self.path is not None:
            treefile.save(self.path, {"plan": self.plan, "done": self.done})
