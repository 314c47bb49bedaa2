"""scalebridge run: check a case, start every participant, watch them, make the report."""

from __future__ import annotations

import argparse
from pathlib import Path

import scalebridge
from scalebridge.commands import common
from scalebridge.runs.folder import RunFolder, default
from scalebridge.runs.run import Run
from scalebridge.runs.watch import IDLE_SECONDS

EXIT_STATUS = """exit status:
  0    every participant ended well and every check passed
  1    the run ended well, but a check failed
  2    the case, the command line or the engine is not right; nothing was started
  3    a participant failed; the first line of the message names the first one
  4    a report script failed
  5    nobody computed anything for the time of --idle-limit
  130  stopped by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "run",
        parents=[common.case_arguments()],
        help="run a case",
        description="Run a case: check it, start every participant, watch them, make the report.",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the run (default: runs/CASE[-VARIANT]); a run that is there is moved to DIR.1, DIR.2, ...",
    )
    parser.add_argument("--plain", action="store_true", help="plain lines instead of the live table")
    parser.add_argument(
        "--idle-limit",
        type=common.seconds,
        default=IDLE_SECONDS,
        metavar="SECONDS",
        help="end a run in which nobody computes for so long (default: %(default)g; 0 for never)",
    )
    parser.set_defaults(function=_run)


def _run(given: argparse.Namespace) -> int:
    inspection = common.inspected(given)
    case = inspection.case
    print(f"scalebridge {scalebridge.__version__}: case {case.label}, {inspection.engine}", flush=True)
    folder = RunFolder(given.out or default(case), inspection)
    if folder.earlier is not None:
        print(f"the run that was in {folder.path} is now in {folder.earlier}", flush=True)
    try:
        return Run(folder, plain=given.plain, idle=given.idle_limit)()
    finally:
        folder.close()
