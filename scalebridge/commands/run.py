"""scalebridge run: check a case, start every participant, watch them, make the report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import scalebridge
from scalebridge.checkpoints import CheckpointError
from scalebridge.commands import common
from scalebridge.findings import ConfigurationError
from scalebridge.runs import checkpoints
from scalebridge.runs.folder import RunFolder, default
from scalebridge.runs.hang import IDLE_SECONDS, Limits
from scalebridge.runs.run import CONFIGURATION, Run

EXIT_STATUS = """exit status:
  0    every participant ended well and every check passed
  1    the run ended well, but a check failed
  2    the case, the command line or the engine is not right; nothing was started
  3    a participant failed; the first line of the message names the first one
  4    a report script failed
  5    the run hung: nobody computed for the time of --idle-limit, or got further for that of --hang-limit
  6    a time window did not converge (--strict-convergence)
  130  stopped by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "run",
        parents=[common.case_arguments(optional=True)],
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
        help="end a run in which nobody computes for so long, or a process is stopped (default: %(default)g; 0: never)",
    )
    parser.add_argument(
        "--hang-limit",
        type=common.seconds,
        default=0.0,
        metavar="SECONDS",
        help="end a run in which no participant gets any further for so long, though one computes (default: never)",
    )
    parser.add_argument(
        "--strict-convergence",
        action="store_true",
        help="end a run when a time window does not converge (also `strict-convergence: true` in the case)",
    )
    parser.add_argument(
        "--checkpoint-every",
        type=common.count,
        metavar="N",
        help="save the whole run after every N time windows, so that it can go on should it end early",
    )
    parser.add_argument(
        "--resume", type=Path, metavar="RUN", help="let the run in this folder go on from its last checkpoint"
    )
    parser.set_defaults(function=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        folder = _resumed(given) if given.resume is not None else _begun(given)
    except CheckpointError as error:
        print(f"scalebridge: {error}", file=sys.stderr)
        return CONFIGURATION
    try:
        status = Run(
            folder,
            plain=given.plain,
            limits=Limits(given.idle_limit, given.hang_limit),
            strict=given.strict_convergence,
        )()
        if status not in checkpoints.ENDED_WELL and (hint := checkpoints.hint(folder)):
            print(f"scalebridge: {hint}", file=sys.stderr, flush=True)
        return status
    finally:
        folder.close()


def _begun(given: argparse.Namespace) -> RunFolder:
    """Return the folder of a new run."""
    if given.case is None:
        raise CheckpointError("run needs a CASE, or --resume RUN")
    inspection = common.inspected(given)
    case = inspection.case
    if given.checkpoint_every is not None and (found := checkpoints.problems(inspection)):
        raise ConfigurationError(found)
    print(f"scalebridge {scalebridge.__version__}: case {case.label}, {inspection.engine}", flush=True)
    folder = RunFolder(given.out or default(case), inspection)
    if folder.earlier is not None:
        print(f"the run that was in {folder.path} is now in {folder.earlier}", flush=True)
    if given.checkpoint_every is not None:
        checkpoints.begin(folder, given.checkpoint_every)
        if inspection.engine.name != "embedded":
            print(f"scalebridge: {checkpoints.LOST}", file=sys.stderr, flush=True)
    return folder


def _resumed(given: argparse.Namespace) -> RunFolder:
    """Return the folder of a run that goes on."""
    chosen = {"CASE": given.case, "--variant": given.variant, "--set": given.overrides, "--out": given.out}
    chosen["--engine"] = given.engine != "auto"
    if wrong := [name for name, value in chosen.items() if value]:
        raise CheckpointError(f"--resume goes on with a run as it was begun: {' and '.join(wrong)} cannot be given too")
    folder = checkpoints.ResumedFolder(given.resume, given.checkpoint_every)
    case, found = folder.inspection.case, folder.checkpoint
    print(f"scalebridge {scalebridge.__version__}: case {case.label}, {folder.inspection.engine}", flush=True)
    print(f"the run in {folder.path} goes on after time window {found.window} (t = {found.time:g} s)", flush=True)
    for warning in folder.warnings:
        print(f"scalebridge: {warning}", file=sys.stderr, flush=True)
    return folder
