"""What rows were driven by since their full state was last made, and how that state catches up.

A path is a group of arrays: "controls" by name (n, room, ...), "dt" (n, room) [s], "times" (n, room), how often that
step was made one after the other, and "length" (n,), how many entries count. A step that is like the one before it
takes no room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, MicroModel, State, Values, take
from adapters.strategies.protocol import of_rows, taken

ROOM = 4  # entries that are free when a time window begins, for windows that are divided into steps

type Rows = NDArray[np.int64]


def empty(controls: Values) -> State:
    """Return paths without a step; `controls` (n, ...) show their shapes."""
    n = len(next(iter(controls.values())))
    shapes = {name: (n, ROOM, *np.shape(values)[1:]) for name, values in controls.items()}
    return {
        "controls": {name: np.zeros(shape) for name, shape in shapes.items()},
        "dt": np.zeros((n, ROOM)),
        "times": np.zeros((n, ROOM), dtype=np.int64),
        "length": np.zeros(n, dtype=np.int64),
    }


def length(path: State) -> Rows:
    """Return the number of entries (n,)."""
    return cast(Rows, path["length"])


def pushed(path: State, controls: Values, dt: Array, rows: Rows) -> State:
    """Return the paths with one more step at the chosen rows; `controls` (n, ...) and `dt` (n,) [s] are of all rows."""
    if not rows.size:
        return path
    last, room = length(path)[rows] - 1, cast(Array, path["dt"]).shape[1]
    kept = _controls(path)
    same = (last >= 0) & (cast(Array, path["dt"])[rows, last] == dt[rows])
    for name, values in kept.items():
        equal = values[rows, last] == np.asarray(controls[name])[rows]
        same &= equal.reshape(len(rows), -1).all(axis=1)
    new = path if (last[~same] + 1).max(initial=0) < room else fitted(path, room)
    result: dict[str, Any] = {"controls": {name: values.copy() for name, values in _controls(new).items()}}
    result |= {name: cast(Array, new[name]).copy() for name in ("dt", "times", "length")}
    more, place = rows[~same], last[~same] + 1
    for name, values in result["controls"].items():
        values[more, place] = np.asarray(controls[name])[more]
    result["dt"][more, place] = dt[more]
    result["times"][rows[same], last[same]] += 1
    result["times"][more, place] = 1
    result["length"][more] += 1
    return result


def fitted(path: State, room: int = ROOM) -> State:
    """Return the paths with just so much room behind the longest of them."""
    width, wanted = cast(Array, path["dt"]).shape[1], int(length(path).max(initial=0)) + room
    if width == wanted:
        return path

    def fit(values: Array) -> Array:
        free = np.zeros((len(values), max(wanted - width, 0), *values.shape[2:]), dtype=values.dtype)
        return np.concatenate([values[:, :wanted], free], axis=1)

    controls = {name: fit(values) for name, values in _controls(path).items()}
    dt, times = (fit(cast(Array, path[name])) for name in ("dt", "times"))
    return {"controls": controls, "dt": dt, "times": times, "length": path["length"]}


def cleared(path: State, rows: Rows) -> State:
    """Return the paths with those of the chosen rows forgotten."""
    if not length(path)[rows].any():
        return path
    left = length(path).copy()
    left[rows] = 0
    return {**path, "length": left}


def replayed(
    model: MicroModel, state: State, path: State, note: Callable[[Rows, Values], None] | None = None
) -> tuple[State, int]:
    """Return the states (n rows) at the ends of their paths, and how many steps of rows were made.

    Steps at one place of their paths are made together where they are equally long. `note` is told which rows (m,) have
    made a step, and what is seen of them (m, ...).
    """
    count, made = length(path), 0
    for place in range(int(count.max(initial=0))):
        there = np.flatnonzero(count > place)
        times, dt = (cast(Array, path[name])[there, place] for name in ("times", "dt"))
        controls = {name: values[:, place] for name, values in _controls(path).items()}
        for size in np.unique(dt).tolist():
            for time in range(int(times[dt == size].max())):
                rows = there[(dt == size) & (times > time)]
                with of_rows(rows):
                    part, seen = model.solve(take(state, rows), taken(controls, rows), size)
                if note is not None:
                    note(rows, seen)
                state, made = placed(state, rows, part), made + len(rows)
    return state, made


def same(one: Any, other: Any) -> bool:
    """Say whether two states are the same to the last bit."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return bool(np.array_equal(one, other))


def placed(state: State, rows: Rows, part: State) -> State:
    """Return the state with the chosen rows replaced."""
    result: dict[str, State | Array] = {}
    for name, value in state.items():
        new = part[name]
        if isinstance(value, Mapping):
            result[name] = placed(value, rows, cast(State, new))
        else:
            values = np.array(value, dtype=np.result_type(value, cast(Array, new)))
            values[rows] = new
            result[name] = values
    return result


def _controls(path: State) -> dict[str, Array]:
    return cast(dict[str, Array], path["controls"])
