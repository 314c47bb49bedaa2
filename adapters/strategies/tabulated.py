"""A table in place of the micro model: solved beforehand over a box of controls, looked up in a run.

`scalebridge tabulate CASE` makes the file. Each node of it is solved to rest, so a table knows no history: it is right
as far as the micro model comes to rest within a time window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, MicroError, MicroModel, State, Values
from adapters.strategies.protocol import Around, Context, Report, of_rows, taken
from adapters.strategies.refusal import refusal
from adapters.wiring import CouplingError
from scalebridge.checks import Check
from scalebridge.settings import setting

if TYPE_CHECKING:
    from adapters.strategies.tables.slopes import Slope
    from adapters.strategies.tables.table import Table

AGAIN = "Make it again with: scalebridge tabulate CASE"


@dataclass(frozen=True)
class TableSettings:
    """Which table, what to do where it ends, and how `scalebridge tabulate` makes it."""

    file: str = setting("table.npz", "what `scalebridge tabulate` has made", file=True)
    outside: str = setting("error", "who answers a question outside of the box", choices=("error", "model"))
    slopes: tuple[str, ...] = setting(
        [], "observables that are taken to be derivatives of the interpolant of others: 'NAME = NAME / CONTROL'"
    )
    box: tuple[str, ...] = setting([], "ranges of the controls: 'NAME=LOW..HIGH', or 'NAME=HIGH' about zero")
    tolerance: float = setting(1e-3, "largest error, relative to the range of an observable", above=0, maximum=1)
    steps: int = setting(100, "most steps until a node is at rest; 0 to take it as it starts", minimum=0)
    dt: float = setting("0 s", "length of these steps; 0 for that of the time windows of the case", minimum=0)
    nodes: int = setting(10000, "most nodes of the table", minimum=1)
    held_out: int = setting(100, "random points at which its error is measured", minimum=1)
    batch: int = setting(1000, "most micro simulations that are solved at a time", minimum=1)


class Tabulated(Around):
    """A table.

    State: "points" (n, dim) [m], "observed" (n, k) columns of what was shown last, "outside" (n,) steps that ended
    outside of the box.
    """

    name: ClassVar[str] = "tabulated"
    Settings: ClassVar[type[TableSettings]] = TableSettings

    def __init__(self, model: MicroModel, settings: TableSettings, context: Context) -> None:
        super().__init__(model, context)
        self.settings = settings
        self.table = _loaded(model, settings, context)
        self.slopes = _slopes(self.table, settings)

    def start(self, points: Array, controls: Values) -> State:
        """Return the state of n rows at `points` (n, dim) [m] under the controls at the start."""
        place = np.asarray(points, dtype=np.float64)
        observed, _ = self._looked_up(place, controls)
        return {"points": place, "observed": observed, "outside": np.zeros(len(place), dtype=np.int64)}

    def solve(self, state: State, controls: Values, dt: float) -> tuple[State, dict[str, Array]]:
        """Look up what the model shows at rest under the controls; with dt = 0 show the state as it is."""
        if dt > 0:
            points = cast(Array, state["points"])
            observed, outside = self._looked_up(points, controls)
            state = {"points": points, "observed": observed, "outside": cast(Array, state["outside"]) + outside}
        return state, self.table.observables.unflatten(cast(Array, state["observed"]))

    def uncertainty(self, state: State, controls: Values, dt: float = 0.0) -> dict[str, Array]:
        """Return the estimated errors (n,) of the observables under the controls, each in its unit.

        Of tensors it is that of the worst component. It comes from the surpluses near by, and where errors have been
        measured to be larger than that it is larger by as much. Outside of the box it is infinite. It says nothing of
        what a table cannot know: history.
        """
        errors = self.table.uncertainty(self._components(controls))
        return dict(zip(self.table.observables.fields, errors.T, strict=True))

    @property
    def sizes(self) -> dict[str, float]:
        """How large the observables are at most in the table."""
        return dict(zip(self.table.observables.fields, self.table.sizes.tolist(), strict=True))

    def inner(self, state: State) -> State | None:
        """Return None: no state of the micro model is kept."""
        return None

    def audit(self, before: State, after: State) -> list[Check]:
        """Return no checks: the micro model was not solved in this step."""
        return []

    def report(self, state: State) -> Report:
        """Return how good the table is, and how often it was left."""
        errors, found = self.table.errors, dict[str, float | int | str]()
        found["nodes"] = len(self.table.grid.nodes)
        for row, (name, field) in enumerate(self.table.observables.fields.items()):
            found[f"measured error of {name} [{field.unit}]"] = float(errors.measured[row])
            found[f"estimated error of {name} [{field.unit}]"] = float(errors.estimated[row])
        found["steps outside of the box"] = int(self.context.total(float(cast(Array, state["outside"]).sum())))
        return found

    def _components(self, controls: Values) -> Array:
        """Return the components (n, d) of controls. Raises CouplingError where they have other dimensions."""
        given = {name: np.asarray(controls[name], dtype=np.float64) for name in self.controls}
        for name, shape in self.table.box.columns.shapes.items():
            if given[name].shape[1:] != shape:
                raise CouplingError(
                    f"tabulated: {name} has shape {given[name].shape[1:]} at each point, in the table {shape}"
                )
        return self.table.box.columns.flatten(given)

    def _looked_up(self, points: Array, controls: Values) -> tuple[Array, NDArray[np.bool_]]:
        """Return the observables (n, k), and which rows are outside of the box."""
        driven = self._components(controls)
        beyond = self.table.box.outside(driven)
        outside = beyond.any(axis=1)
        if outside.any() and self.settings.outside == "error":
            raise MicroError(np.flatnonzero(outside), self._beyond(points, driven, beyond))
        found = self.table(np.where(outside[:, None], self.table.box.low, driven))
        if self.slopes:
            derivatives = self.table.slopes(np.where(outside[:, None], self.table.box.low, driven))
            for slope in self.slopes:
                found[:, slope.columns] = slope(derivatives)
        if outside.any():
            rows = np.flatnonzero(outside)
            found[rows] = self._solved(points, controls, rows)
        return found, outside

    def _solved(self, points: Array, controls: Values, rows: NDArray[np.int64]) -> Array:
        """Return what the full model shows (m, k), solved as the nodes of the table were."""
        from adapters.strategies.tables import rest

        table = self.table
        with of_rows(rows):
            given = taken({name: controls[name] for name in self.controls}, rows)
            return rest.relaxed(self.model, points[rows], given, table.observables, table.rest, table.sizes)[0]

    def _beyond(self, points: Array, driven: Array, beyond: NDArray[np.bool_]) -> str:
        """Return what is outside, of which box and where."""
        row = int(np.argmax(beyond.any(axis=1)))
        told = self.table.beyond(driven[row], int(np.argmax(beyond[row])))
        place = ", ".join(f"{x:.6g}" for x in points[row])
        return f"{told}, at ({place}) m; make a larger one, or let the full model answer with outside: model"


def _loaded(model: MicroModel, settings: TableSettings, context: Context) -> Table:
    """Return the table of the file. Raises SettingError where it is none, or is not one of the model."""
    from adapters.strategies.provenance import FileError  # a description does without these
    from adapters.strategies.tables.table import Table

    path = context.file(settings.file)
    try:
        table = Table.load(path)
    except FileError as error:
        raise refusal("tabulated", "file", str(error), fix=AGAIN) from error
    if wrong := table.misfit(model):
        raise refusal("tabulated", "file", f"{path} does not fit the case: {'; '.join(wrong)}", fix=AGAIN)
    return table


def _slopes(table: Table, settings: TableSettings) -> tuple[Slope, ...]:
    from adapters.strategies.tables.slopes import parse

    return tuple(parse(text, table.box, table.observables) for text in settings.slopes)
