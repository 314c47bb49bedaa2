"""scalebridge watch: follow a run that goes on elsewhere."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import scalebridge
from scalebridge.checks import Check
from scalebridge.commands import common
from scalebridge.runs import panel, summary
from scalebridge.runs.attached import Attached, locate
from scalebridge.runs.summary import Told

CUT_OFF = 7
LOOK_SECONDS = 0.25
ABOUT = """exit status: that of the run (see scalebridge run --help), or
  2    there is no such run
  7    the run has been cut off: its hub is gone and has left no record
  130  stopped by Ctrl-C; the run goes on"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "watch",
        help="follow a run that goes on elsewhere",
        description="Show what the participants of a run are doing, until it ends; how it ended, if it has. "
        "It only reads, and any number may watch the same run.",
        epilog=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="folder of a run, or its name under runs/ (default: the newest there)"
    )
    parser.add_argument("--plain", action="store_true", help="plain lines instead of the live table")
    parser.set_defaults(function=_watch)


def _watch(given: argparse.Namespace) -> int:
    run = Attached(locate(given.run))
    print(f"scalebridge {scalebridge.__version__}: watching case {run.label} in {run.path}", flush=True)
    record, lost = run.summary(), ""
    with panel.choose(given.plain) as display:
        while record is None and not lost:
            if display.due():
                display.show(run.standings(), run.seconds)
            time.sleep(LOOK_SECONDS)
            record = run.summary()
            lost = run.cut_off()
        display.show(run.standings(), run.seconds)
    if record is None:
        print(f"scalebridge: {lost}", file=sys.stderr)
        return CUT_OFF
    return _tell(record)


def _tell(record: dict[str, Any]) -> int:
    """Say how the run has ended, as it did itself; return its exit status."""
    status = record.get("status")
    status = status if isinstance(status, int) and 0 <= status < 256 else 1
    try:
        times, table = summary.times(record), summary.table([_told(entry) for entry in record["checks"]])
        print(printable(times), printable(table), sep="\n")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        print(f"scalebridge: {summary.FILE_NAME} is not what a run writes: {printable(repr(error))}", file=sys.stderr)
    print(f"the run has ended with exit status {status}", flush=True)
    if status:
        print(f"scalebridge: {printable(str(record.get('ended', '')))}", file=sys.stderr, flush=True)
    return status


def _told(entry: dict[str, Any]) -> Told:
    return Told(str(entry["by"]), Check.from_json(entry))


def printable(text: str) -> str:
    """Return a text of a run without the signs by which it could steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
