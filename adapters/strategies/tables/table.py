"""A table of a micro model, in a file: what it is of, over which box, its values, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.micro import MicroModel
from adapters.strategies import provenance
from adapters.strategies.box import Box, required
from adapters.strategies.columns import Columns
from adapters.strategies.tables.frontier import Frontier
from adapters.strategies.tables.nodes import Floats
from adapters.strategies.tables.rest import Rest
from adapters.strategies.tables.sparse import Basis, SparseGrid
from scalebridge import treefile
from scalebridge.fields import Field

KIND = "table of a micro model"
VERSION = 1


@dataclass(frozen=True)
class Errors:
    """How good a table is: errors (o,) of the observables in their units, of tensors that of the worst component.

    Attributes
    ----------
    estimated : largest one that the surpluses tell of.
    measured, root_mean_square : at random points of which the table knows nothing.
    calibration : factor by which they have been larger than estimated, at least 1.
    scales : to which the tolerance is relative: the largest range of a component.
    """

    estimated: Floats
    measured: Floats
    root_mean_square: Floats
    calibration: Floats
    scales: Floats


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    box : of the controls; where the ends of a range are equal a control is held, and the table does not extend.
    observables : its columns.
    grid : the interpolant, from the unit cube to the observables.
    values : (n, k) observables at the nodes.
    frontier : what its local errors follow from.
    errors : how good it is.
    rest : how each node was solved.
    sizes : (o,) of the observables, the largest that was seen.
    made : what it was made of and with: provenance of the model, settings, seed, versions, seconds, solves.
    """

    box: Box
    observables: Columns
    grid: SparseGrid
    values: Floats
    frontier: Frontier
    errors: Errors
    rest: Rest
    sizes: Floats
    made: Mapping[str, Any]

    def __call__(self, controls: Floats) -> Floats:
        """Return the observables (n, k) at controls (n, d), which are inside of the box."""
        return self.grid(self.box.unit(controls))

    def slopes(self, controls: Floats) -> Floats:
        """Return the derivatives (n, d, k) of the observables by the controls; zero by those that are held."""
        return np.asarray(self.grid.slopes(self.box.unit(controls)) / self.box.extent[:, None])

    def uncertainty(self, controls: Floats) -> Floats:
        """Return the estimated errors (n, o) at controls (n, d), in units of the observables; infinite outside."""
        factor = self.errors.calibration * self.errors.scales
        found = self.frontier.estimate(self.box.unit(controls)) * factor
        return np.where(self.box.outside(controls).any(axis=1)[:, None], np.inf, found)

    def beyond(self, controls: Floats, component: int) -> str:
        """Return in words what one component of controls (d,) is, and where the box ends."""
        one, low, high = self.box.columns.components[component], self.box.low[component], self.box.high[component]
        reach = f"reaches from {low:.6g} to {high:.6g}{one.suffix}"
        if not high > low:
            reach = f"is for {low:.6g}{one.suffix} alone"
        return f"{one.name} = {controls[component]:.6g}{one.suffix} is outside of the table, which {reach}"

    def misfit(self, model: MicroModel) -> list[str]:
        """Return in words why this is no table of a model; empty where it is one."""
        found = provenance.misfits("control", self.box.columns.fields, required(model.controls))
        found += provenance.misfits("observable", self.observables.fields, model.observables)
        return found + provenance.differences(self.made["model"], provenance.of(model))

    def save(self, path: Path) -> None:
        """Write the table. Raises TreeFileError."""
        header = {
            "controls": {name: field.to_json() for name, field in self.box.columns.fields.items()},
            "dimensions": max(self.box.columns.dimensions.values()),
            "observables": self.observables.to_json(),
            "rest": {"steps": self.rest.steps, "dt": self.rest.dt, "tolerance": self.rest.tolerance},
            "made": dict(self.made),
        }
        arrays = {
            "box": np.stack([self.box.low, self.box.high]),
            "nodes": self.grid.nodes,
            "values": self.values,
            "surplus": self.grid.surplus,
            "frontier": self.frontier.nodes,
            "foretold": self.frontier.errors,
            "sizes": self.sizes,
            "errors": {name: getattr(self.errors, name) for name in Errors.__dataclass_fields__},
        }
        treefile.save(path, {"kind": KIND, "version": VERSION, **header, **arrays})

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read a table. Raises FileError."""
        return provenance.load(path, "table", ("kind", KIND), VERSION, _table)


def _table(tree: Mapping[str, Any]) -> Table:
    fields = {str(name): Field.from_json(field) for name, field in tree["controls"].items()}
    box = Box.of(fields, int(tree["dimensions"]), *tree["box"])
    observables = Columns.from_json(tree["observables"])
    d, k, o, n = len(box.columns.names), len(observables.names), len(observables.fields), len(tree["nodes"])
    m = len(tree["frontier"])
    shapes = {"nodes": (n, d), "values": (n, k), "surplus": (n, k), "frontier": (m, d)}
    for name, shape in {**shapes, "foretold": (m, o), "sizes": (o,)}.items():
        if tree[name].shape != shape:
            raise ValueError(f"{name} has shape {tree[name].shape}, not {shape}")
    return Table(
        box,
        observables,
        SparseGrid(Basis(tree["nodes"]), tree["surplus"]),
        tree["values"],
        Frontier(Basis(tree["frontier"]), tree["foretold"]),
        Errors(**tree["errors"]),
        Rest(**tree["rest"]),
        tree["sizes"],
        dict(tree["made"]),
    )
