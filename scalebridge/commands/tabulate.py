"""scalebridge tabulate: a table that stands in for a micro model."""

from __future__ import annotations

import argparse
from pathlib import Path

from scalebridge.commands import common, micro

MODULE = "adapters.strategies.tables"
DESCRIPTION = """Solve the micro model of a case over a box of its controls, and keep what it shows in a table that the
strategy `tabulated` looks up. Nodes are added where they are needed, until the error is below the tolerance, as it is
estimated and as it is measured. What is not said here is taken from that strategy in the case, if it has it. If it is
interrupted, the same command goes on."""
EXIT_STATUS = """exit status:
  0    the table is as good as was asked for
  1    it is not, with as many nodes as it may have
  2    the case or an argument is not right
  3    the micro model could not be solved"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    about = "make a table that stands in for a micro model"
    parser = micro.parser(commands, "tabulate", about, DESCRIPTION, EXIT_STATUS)
    about = "file of the table (default: the one that the case names, else table.npz beside it)"
    parser.add_argument("--out", type=Path, metavar="FILE", help=about)
    micro.add_box(parser)
    about = "largest error, relative to the range of an observable"
    parser.add_argument("--tolerance", type=float, metavar="SHARE", help=about)
    parser.add_argument("--nodes", type=common.count, metavar="N", help="most nodes of the table")
    parser.add_argument("--steps", type=_whole, metavar="N", help="most steps until a node is at rest; 0 for none")
    parser.add_argument("--dt", metavar="TIME", help="length of these steps, such as '10 s'")
    parser.set_defaults(function=_tabulate)


def _tabulate(given: argparse.Namespace) -> int:
    chosen = {name: getattr(given, name) for name in ("box", "tolerance", "nodes", "steps", "dt")}
    return micro.make(given, MODULE, "tabulated", chosen)


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value
