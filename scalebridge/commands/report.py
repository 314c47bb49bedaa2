"""scalebridge report: one page about a run."""

from __future__ import annotations

import argparse
import sys

from scalebridge.commands import common
from scalebridge.report import page
from scalebridge.runs.attached import locate
from scalebridge.runs.run import REPORT_FAILED


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "report",
        help="write a page about a run",
        description="Write RUN/report.html: one page with how the run ended, checks, coupling, convergence, who waited "
        "for whom, results and versions. It needs no network and no other file.",
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="folder of a run, or its name under runs/ (default: the newest there)"
    )
    parser.set_defaults(function=_report)


def _report(given: argparse.Namespace) -> int:
    run = locate(given.run)
    try:
        print(page.write(run))
    except OSError as error:
        print(f"scalebridge: {run / page.FILE_NAME} cannot be written: {error.strerror}", file=sys.stderr)
        return REPORT_FAILED
    return 0
