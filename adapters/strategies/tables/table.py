"""A table of a micro model, in a file: what it is of, over which box, its values, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.micro import MicroModel
from adapters.strategies import provenance
from adapters.strategies.tables.columns import Columns, misfits
from adapters.strategies.tables.cube import Cube
from adapters.strategies.tables.frontier import Frontier
from adapters.strategies.tables.nodes import Floats
from adapters.strategies.tables.rest import Rest
from adapters.strategies.tables.sparse import Basis, SparseGrid
from scalebridge import treefile
from scalebridge.fields import Field
from scalebridge.treefile import TreeFileError

KIND = "table of a micro model"
VERSION = 1
AGAIN = "Make it again with: scalebridge tabulate CASE"


class TableError(Exception):
    """A file that is no table."""


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
    cube : the controls, and the box of them.
    observables : its columns.
    grid : the interpolant, from the unit cube to the observables.
    values : (n, k) observables at the nodes.
    frontier : what its local errors follow from.
    errors : how good it is.
    rest : how each node was solved.
    sizes : (o,) of the observables, the largest that was seen.
    made : what it was made of and with: provenance of the model, settings, seed, versions, seconds, solves.
    """

    cube: Cube
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
        return self.grid(self.cube.unit(controls))

    def slopes(self, controls: Floats) -> Floats:
        """Return the derivatives (n, d, k) of the observables by the controls; zero by those that are held."""
        return np.asarray(self.grid.slopes(self.cube.unit(controls)) / self.cube.extent[:, None])

    def uncertainty(self, controls: Floats) -> Floats:
        """Return the estimated errors (n, o) at controls (n, d), in units of the observables; infinite outside."""
        factor = self.errors.calibration * self.errors.scales
        found = self.frontier.estimate(self.cube.unit(controls)) * factor
        return np.where(self.outside(controls).any(axis=1)[:, None], np.inf, found)

    def outside(self, controls: Floats) -> NDArray[np.bool_]:
        """Return which controls (n, d) are outside of the box."""
        return self.cube.outside(controls)

    def misfit(self, model: MicroModel) -> list[str]:
        """Return in words why this is no table of a model; empty where it is one."""
        found = misfits("control", self.cube.fields, model.controls)
        found += misfits("observable", self.observables.fields, model.observables)
        return found + provenance.differences(self.made["model"], provenance.of(model))

    def save(self, path: Path) -> None:
        """Write the table. Raises TreeFileError."""
        header = {
            "controls": {name: field.to_json() for name, field in self.cube.fields.items()},
            "dimensions": self.cube.dimensions,
            "observables": self.observables.to_json(),
            "rest": {"steps": self.rest.steps, "dt": self.rest.dt, "tolerance": self.rest.tolerance},
            "made": dict(self.made),
        }
        arrays = {
            "box": np.stack([self.cube.box.low, self.cube.box.high]),
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
        """Read a table. Raises TableError."""
        try:
            tree = treefile.load(path)
        except TreeFileError as error:
            raise TableError(str(error)) from None
        if not isinstance(tree, dict) or tree.get("kind") != KIND:
            raise TableError(f"{path}: is no table")
        if tree.get("version") != VERSION:
            raise TableError(f"{path}: is a table of version {tree.get('version')}; this scalebridge reads {VERSION}")
        try:
            return _table(tree)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise TableError(f"{path}: is a damaged table: {type(error).__name__}: {error}") from None


def _table(tree: Mapping[str, Any]) -> Table:
    fields = {str(name): Field.from_json(field) for name, field in tree["controls"].items()}
    cube = Cube.of(fields, int(tree["dimensions"]), *tree["box"])
    observables = Columns.from_json(tree["observables"])
    d, k, o, n = len(cube.names), len(observables.names), len(observables.fields), len(tree["nodes"])
    m = len(tree["frontier"])
    shapes = {"nodes": (n, d), "values": (n, k), "surplus": (n, k), "frontier": (m, d)}
    for name, shape in {**shapes, "foretold": (m, o), "sizes": (o,)}.items():
        if tree[name].shape != shape:
            raise ValueError(f"{name} has shape {tree[name].shape}, not {shape}")
    return Table(
        cube,
        observables,
        SparseGrid(Basis(tree["nodes"]), tree["surplus"]),
        tree["values"],
        Frontier(Basis(tree["frontier"]), tree["foretold"]),
        Errors(**tree["errors"]),
        Rest(**tree["rest"]),
        tree["sizes"],
        dict(tree["made"]),
    )
