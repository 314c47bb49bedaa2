"""Answers of a micro model at rest: under controls that are held until nothing that is seen of it changes any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, MicroError, MicroModel, State, Values, take
from adapters.strategies.columns import Columns
from adapters.strategies.protocol import taken
from adapters.strategies.tables.nodes import Floats

SMALL = 1e-3  # of what may be left: a change that needs no second look


@dataclass(frozen=True)
class Rest:
    """What rest is.

    Attributes
    ----------
    steps : so many at most; with 0 the model is looked at as it starts.
    dt : length of a step [s].
    tolerance : largest share of the size of an observable by which it may still change, ever.
    """

    steps: int
    dt: float
    tolerance: float


def relaxed(
    model: MicroModel, points: Array, controls: Mapping[str, Array], observables: Columns, rest: Rest, sizes: Floats
) -> tuple[Floats, int]:
    """Return what is seen at rest (n, k), and how many steps of one simulation that took.

    What is left of a change is foretold as if it went on falling as it does: from d now and e in the step before,
    d / (e / d - 1), so that short steps are not mistaken for rest.

    Parameters
    ----------
    points : (n, dim) [m].
    controls : (n, ...) by name.
    sizes : (o,) of the observables as far as known; what matters is the larger one of this and that of the row itself.

    Raises
    ------
    MicroError
        For rows that do not come to rest, or with NaN or infinity in an observable.
    """
    state = model.start(points, controls)
    if rest.steps == 0:
        return _seen(model, state, controls, 0.0, observables)[1], len(points)
    rows, solves = np.arange(len(points)), 0
    result = np.empty((len(points), len(observables.names)))
    own = np.broadcast_to(sizes, (len(points), len(sizes)))
    before: Floats | None = None
    last: Floats | None = None
    for _ in range(rest.steps):
        state, now = _seen(model, state, taken(controls, rows), rest.dt, observables)
        solves += len(rows)
        result[rows], own = now, np.maximum(own, norms(now, observables))
        change = None if before is None else norms(now - before, observables)
        moving = np.ones(len(rows), dtype=bool) if change is None else _moving(change, last, rest.tolerance * own)
        if not moving.any():
            return result, solves
        kept = np.flatnonzero(moving)
        rows, state, own, before = rows[kept], take(state, kept), own[kept], now[kept]
        last = None if change is None else change[kept]
    if last is None:
        return result, solves  # of a single step nothing can be said but what it gave
    share = last / np.where(own > 0, own, 1.0)
    worst = int(np.argmax(share.max(axis=1)))
    name = list(observables.fields)[int(np.argmax(share[worst]))]
    raise MicroError(
        rows,
        f"does not come to rest in {rest.steps} steps of {rest.dt:g} s: {name} still changes by "
        f"{100 * share[worst].max():.3g} % in a step; take more steps, longer ones, or no table of it",
    )


def norms(matrix: Floats, columns: Columns) -> Floats:
    """Return the Euclidean norm (n, o) of the columns of each field."""
    begins = np.flatnonzero(np.diff(columns.groups, prepend=-1))
    return np.asarray(np.sqrt(np.add.reduceat(matrix**2, begins, axis=1)))


def _moving(change: Floats, last: Floats | None, allowed: Floats) -> NDArray[np.bool_]:
    """Return which rows are not at rest, from the changes (n, o) in this step and in the one before."""
    still = change <= SMALL * allowed
    if last is not None:
        left = np.divide(change**2, last - change, out=np.full_like(change, np.inf), where=last > change)
        still |= left <= allowed
    return np.asarray(~still.all(axis=1))


def _seen(model: MicroModel, state: State, given: Values, dt: float, columns: Columns) -> tuple[State, Floats]:
    after, seen = model.solve(state, given, dt)
    matrix = columns.flatten(seen)
    if (wrong := ~np.isfinite(matrix)).any():
        name = columns.names[int(np.argmax(wrong.any(axis=0)))]
        raise MicroError(np.flatnonzero(wrong.any(axis=1)), f"NaN or infinity in {name}")
    return after, matrix
