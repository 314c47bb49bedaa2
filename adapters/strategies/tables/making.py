"""Makes the table that a case asks for: from the handout to the file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy

import scalebridge
from adapters import tensors
from adapters.alone import Alone
from adapters.micro import MicroModel
from adapters.strategies import box as ranges
from adapters.strategies import provenance
from adapters.strategies.box import Box
from adapters.strategies.columns import Columns
from adapters.strategies.tables import refinement
from adapters.strategies.tables.journal import Journal
from adapters.strategies.tables.nodes import Floats
from adapters.strategies.tables.refinement import Wanted
from adapters.strategies.tables.rest import Rest
from adapters.strategies.tables.sampling import Sampler
from adapters.strategies.tables.slopes import parse
from adapters.strategies.tables.table import Errors, Table
from adapters.strategies.tabulated import TableSettings
from scalebridge.findings import Findings
from scalebridge.handout import Handout

REST = 1e-3  # of the tolerance of the table: how far from rest a node may be


@dataclass(frozen=True)
class Making:
    """A table to be made.

    Attributes
    ----------
    model : with its scaling maps.
    box, observables : what is looked up, and what is found.
    point : (dim,) [m] where the micro simulations are.
    """

    model: MicroModel
    box: Box
    observables: Columns
    rest: Rest
    settings: TableSettings
    seed: int
    point: Floats

    @classmethod
    def of(cls, handout: Handout, name: str, settings: TableSettings) -> Making:
        """Return what the case asks for. Raises ConfigurationError, ModelError, BoxError."""
        alone = Alone.of(handout, name)
        model = alone.model
        findings = Findings("scalebridge tabulate")
        for one, field in (*model.controls.items(), *model.observables.items()):
            if field.per != "point":
                findings.add(None, one, f"is per {field.per}", expected="values at points, as a table has them")
        dt = settings.dt or alone.window
        if settings.steps and not dt:
            findings.add(None, "dt", "is not given, and the case does not say how long its time windows are")
        findings.raise_if_any()
        names = (*model.controls, *model.observables)
        sizes = {n: tensors.dimension_of(n, alone.data, alone.dimensions) for n in names}
        dimensions = max(sizes[n] for n in model.controls)
        box = ranges.parse(settings.box, model.controls, dimensions, "the box")
        columns = Columns(dict(model.observables), {n: sizes[n] for n in model.observables})
        rest = Rest(settings.steps, dt, REST * settings.tolerance)
        return cls(model, box, columns, rest, settings, handout.seed, np.zeros(alone.dimensions))

    def told(self) -> list[str]:
        """Return in words what is to be made."""
        rest = (
            f"at rest after at most {self.rest.steps} steps of {self.rest.dt:g} s"
            if self.rest.steps
            else "as it starts"
        )
        return [f"{provenance.of(self.model)['model']}, {rest}; seed {self.seed}", *self.box.told()]

    def make(self, part: Path | None, told: Callable[[str, int, int], None]) -> tuple[Table, Journal]:
        """Return the table, and the journal of its solves, which is kept in the file `part` meanwhile.

        Raises SampleError, JournalError, TreeFileError.
        """
        s, begun = self.settings, time.time()
        model = provenance.of(self.model)
        plan = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(s).items() if name in DECIDE}
        plan |= {"model": model, "seed": self.seed, "dt": self.rest.dt, "point": self.point.tolist()}
        journal = Journal(part, plan, (len(self.box.columns.names), len(self.observables.names)))
        sampler = Sampler(self.model, self.box, self.observables, self.rest, self.point, s.batch, journal, told)
        derived = [parse(text, self.box, self.observables).name for text in s.slopes]
        count = np.array([name not in derived for name in self.observables.fields])
        wanted = Wanted(s.tolerance, s.nodes, s.held_out, self.seed, self.observables.groups, self.box.varies, count)
        try:
            found = refinement.run(sampler, wanted)
        finally:
            journal.save()
        errors = Errors(
            found.estimated * found.scales,
            found.measured * found.scales,
            found.root_mean_square * found.scales,
            found.calibration,
            found.scales,
        )
        made = {**plan, "tolerance met": found.met, "solves": journal.solves, "seconds": journal.seconds}
        made |= {"began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun)), "versions": _versions()}
        table = Table(
            self.box,
            self.observables,
            found.grid,
            found.values,
            found.frontier,
            errors,
            self.rest,
            sampler.sizes,
            made,
        )
        return table, journal


DECIDE = ("box", "slopes", "tolerance", "nodes", "held_out", "steps", "batch")
"""Settings that decide what is asked of the model."""


def _versions() -> dict[str, str]:
    python = sys.version.split()[0]
    return {
        "scalebridge": scalebridge.__version__,
        "python": python,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
