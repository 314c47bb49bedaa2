"""scalebridge diagnose: which strategy is right for a micro model?"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

from scalebridge import engines
from scalebridge.cases.inspection import environment
from scalebridge.commands import common, micro
from scalebridge.compare import outfolder
from scalebridge.runs.folder import DEFAULT

MODULE = "adapters.strategies.diagnosis"  # a process of its own: the hub imports no adapter and no model
MARKER = "diagnosis.json"
DESCRIPTION = """Say which strategy is right for the micro model of a case, and why: whether what is seen of it depends
on the path of its controls, how long it remembers, and what a table would cost."""
EXIT_STATUS = """exit status:
  0    the diagnosis was made
  2    the case or an argument is not right
  3    the micro model could not be followed"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "diagnose",
        parents=[common.case_arguments()],
        help="say which strategy is right for a micro model",
        description=DESCRIPTION,
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    micro.add_argument(parser)
    about = "range of a control, such as Strain=0.01 for -0.01 to 0.01, or 'Temperature=-20 degC..2 degC'; many times"
    parser.add_argument("--box", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)
    about = "take the controls that this run has seen, and how fast they have changed"
    parser.add_argument("--recorded", type=Path, metavar="RUN", help=about)
    about = "in which the controls cross their box (default: as recorded, else the length of the run)"
    parser.add_argument("--time", type=common.seconds, default=0.0, metavar="SECONDS", help=about)
    about = "error that is allowed, as a share of the range of what is seen (default: %(default)s)"
    parser.add_argument("--tolerance", type=_share, default=0.01, metavar="SHARE", help=about)
    about = "micro simulations of the run (default: as recorded)"
    parser.add_argument("--points", type=common.count, default=0, metavar="N", help=about)
    about = "iterations of each time window (default: 1 if the coupling is explicit, else 5)"
    parser.add_argument("--iterations", type=common.count, default=0, metavar="N", help=about)
    about = "folder of the result (default: runs/diagnosis-CASE[-VARIANT])"
    parser.add_argument("--out", type=Path, metavar="DIR", help=about)
    parser.set_defaults(function=_diagnose)


def _diagnose(given: argparse.Namespace) -> int:
    inspection = common.inspected(given, missing=True)
    name = micro.participant(inspection, given.participant)
    out = outfolder.take(given.out or Path(DEFAULT) / f"diagnosis-{inspection.case.label}", MARKER)
    handout = out / "handout.json"
    micro.handout(inspection, name, out).save(handout)
    command = [sys.executable, "-P", "-m", MODULE, "--handout", str(handout)]
    command += ["--model", inspection.descriptions[name].raw["model"], "--tolerance", repr(given.tolerance)]
    command += ["--time", repr(given.time), "--points", str(given.points), "--iterations", str(given.iterations)]
    command += [f"--box={text}" for text in given.box]
    command += [f"--recorded={given.recorded.absolute()}"] if given.recorded is not None else []
    sys.stdout.flush()
    os.execve(command[0], command, environment(inspection.case, engines.embedded()))  # noqa: S606  (it takes our place)


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value
