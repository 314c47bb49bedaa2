"""scalebridge diagnose: which strategy is right for a micro model?"""

from __future__ import annotations

import argparse
from pathlib import Path

from scalebridge.commands import common, micro

MODULE = "adapters.strategies.diagnosis"
MARKER = "diagnosis.json"
DESCRIPTION = """Say which strategy is right for the micro model of a case, and why: whether what is seen of it depends
on the path of its controls, how long it remembers, and what a table would cost."""
EXIT_STATUS = """exit status:
  0    the diagnosis was made
  2    the case or an argument is not right
  3    the micro model could not be followed"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    about = "say which strategy is right for a micro model"
    parser = micro.parser(commands, "diagnose", about, DESCRIPTION, EXIT_STATUS)
    micro.add_box(parser)
    about = "take the controls that this run has seen, and how fast they have changed"
    parser.add_argument("--recorded", type=Path, metavar="RUN", help=about)
    about = "in which the controls cross their box (default: as recorded, else the length of the run)"
    parser.add_argument("--time", type=common.seconds, default=0.0, metavar="SECONDS", help=about)
    about = "error that is allowed, as a share of the range of what is seen (default: %(default)s)"
    parser.add_argument("--tolerance", type=common.share, default=0.01, metavar="SHARE", help=about)
    about = "micro simulations of the run (default: as recorded)"
    parser.add_argument("--points", type=common.count, default=0, metavar="N", help=about)
    about = "iterations of each time window (default: 1 if the coupling is explicit, else 5)"
    parser.add_argument("--iterations", type=common.count, default=0, metavar="N", help=about)
    about = "folder of the result (default: runs/diagnosis-CASE[-VARIANT])"
    parser.add_argument("--out", type=Path, metavar="DIR", help=about)
    parser.set_defaults(function=_diagnose)


def _diagnose(given: argparse.Namespace) -> int:
    arguments = ["--tolerance", repr(given.tolerance), "--time", repr(given.time)]
    arguments += ["--points", str(given.points), "--iterations", str(given.iterations)]
    arguments += [f"--box={text}" for text in given.box]
    arguments += [f"--recorded={given.recorded.absolute()}"] if given.recorded is not None else []
    return micro.study(given, MODULE, MARKER, "diagnosis", arguments, missing=True)
