"""Tabulates the micro model of a case. Started by `scalebridge tabulate` with what it hands out.

exit status:
  0    the table is as good as was asked for
  1    it is not, with as many nodes as it may have
  2    there can be no such table, or an argument is not right
  3    the micro model could not be solved
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters import alone
from adapters.strategies.meter import Meter
from adapters.strategies.tables.journal import JournalError
from adapters.strategies.tables.making import Making
from adapters.strategies.tables.sampling import SampleError
from adapters.strategies.tables.table import Table
from adapters.strategies.tabulated import TableSettings
from scalebridge import settings as typed
from scalebridge.handout import Handout
from scalebridge.treefile import TreeFileError

MET = 0
NOT_MET = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = alone.parser("adapters.strategies.tables", __doc__)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="what is written")
    given = parser.parse_args(arguments)
    refusals = (JournalError, TreeFileError)
    return alone.run(lambda: _tabulate(given), failure=SampleError, refusals=refusals, kept=alone.GOES_ON)


def _tabulate(given: argparse.Namespace) -> int:
    handout = Handout.load(given.handout)
    ((_, settings),) = handout.strategy[0].items()
    making = Making.of(handout, given.model, typed.build(TableSettings, settings, plain=True))
    print("\n".join(making.told()), flush=True)
    with Meter() as meter:
        table, journal = making.make(given.out.with_name(f"{given.out.name}.part"), meter.show)
    table.save(given.out)
    journal.remove()
    if journal.found:
        print(f"went on from {journal.found} that were solved before")
    print("\n".join(_told(table)))
    print(f"output: {given.out}", flush=True)
    return MET if table.made["tolerance met"] else NOT_MET


def _told(table: Table) -> list[str]:
    """Return in words what was made."""
    made, errors, names = table.made, table.errors, list(table.observables.fields)
    lines = [f"{len(table.grid.nodes)} nodes; {made['solves']} solves in {made['seconds']:.3g} s"]
    if not made["tolerance met"]:
        lines.append(f"the tolerance of {made['tolerance']:g} is not met with {made['nodes']} nodes at most")
    width = max(len(name) for name in (*names, "observable"))
    lines.append(f"{'observable':{width}}  range     error: measured  estimated  [unit]")
    for row, name in enumerate(names):
        unit = table.observables.fields[name].unit
        lines.append(
            f"{name:{width}}  {errors.scales[row]:<9.3g} {errors.measured[row]:<16.3g} "
            f"{errors.estimated[row]:<10.3g} [{unit}]"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
