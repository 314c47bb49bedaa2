"""scalebridge verify: whether a run can be repeated, and gives the same."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from scalebridge.cases.inspection import Inspection
from scalebridge.commands import common
from scalebridge.compare import jobs, verification
from scalebridge.compare.jobs import Job
from scalebridge.compare.results import Results
from scalebridge.findings import ConfigurationError, Finding
from scalebridge.runs import inputs, record
from scalebridge.runs.folder import resolved

DIFFERENT = 1
_MOST_TOLD = 20
DESCRIPTION = """Look whether everything that went into a run is still as its record says, tell each difference, run it
again in RUN/verify, and compare checks, iterations, series and fields value by value."""
EXIT_STATUS = """exit status:
  0    the repetition gives the same within the tolerance; with --no-run: nothing has changed
  1    it does not, or left nothing to compare; with --no-run: something has changed
  2    the run or its case is not right; nothing was started
  else that of the repetition, which failed"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "verify",
        help="repeat a run and compare",
        description=DESCRIPTION,
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run that went to its end")
    about = "largest relative difference allowed in each quantity and check (default: 0, the same numbers)"
    parser.add_argument("--tolerance", type=common.seconds, default=0.0, metavar="X", help=about)
    parser.add_argument("--no-run", action="store_true", help="only look whether the inputs are still the same")
    about = "run the copies of the case that the run kept in RUN/inputs, not the files where they were"
    parser.add_argument("--copies", action="store_true", help=about)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the repetition (default: RUN/verify)")
    about = "files that are not to be compared, such as 'Fluid/*.foam'; may be given many times"
    parser.add_argument("--ignore", action="append", default=[], metavar="PATTERN", help=about)
    parser.set_defaults(function=_verify)


def _verify(given: argparse.Namespace) -> int:
    was = Results(given.run)
    if was.status not in jobs.FINISHED:
        message = (
            f"this run ended with exit status {was.status} ({was.ended}); only one that went to its end is repeated"
        )
        raise ConfigurationError([Finding(str(given.run), None, "", message)])
    file = _case_file(given, was)
    inspection = _inspected(was.record, file)
    now = record.of(inspection, resolved(inspection))
    changes = record.changes(was.record, now)
    surroundings = record.surroundings(was.record, now)
    told = [*(str(change) for change in changes), *(f"machine: {change}" for change in surroundings)]
    told += [f"while it ran: {name} was changed" for name in was.record["ended"]["changed"]]
    print(f"inputs of {given.run}: " + (f"{len(changes)} changes" if changes else _as_recorded(was.record)))
    print("".join(f"- {text}\n" for text in told[:_MOST_TOLD]), end="")
    if len(told) > _MOST_TOLD:
        print(f"- and {len(told) - _MOST_TOLD} more", flush=True)
    if given.no_run:
        return DIFFERENT if changes else 0
    return _repeat(given, was, file, inspection, told)


def _repeat(given: argparse.Namespace, was: Results, file: Path, inspection: Inspection, told: list[str]) -> int:
    for participant in inspection.case.participants:
        if participant.directory is not None:
            print(
                f"{participant.name} works in {participant.directory}; what it leaves there is not compared", flush=True
            )
    out = (given.out or given.run / verification.FOLDER).absolute()
    case = was.record["case"]
    arguments = [str(file), "--engine", case["engine"], "--variant", case["variant"]]
    arguments += [word for override in case["overrides"] for word in ("--set", override)]
    if not os.access(_there(out.parent), os.W_OK):
        raise ConfigurationError([Finding(str(out), None, "", "cannot be made", "a folder of yours with --out")])
    (done,) = jobs.execute([Job(verification.FOLDER, tuple(arguments), out, out.with_name(f"{out.name}.log"))])
    print(f"repeated in {out}: {done.reason or 'well'} ({done.wall:.1f} s)", flush=True)
    if done.status not in jobs.FINISHED:
        return done.status if done.status > 0 else 128 - done.status
    result = verification.compare(was, Results(out), given.tolerance, given.ignore)
    verification.write(out, result, told)
    print("\n".join(result.lines()), flush=True)
    return 0 if result.passed else DIFFERENT


def _case_file(given: argparse.Namespace, was: Results) -> Path:
    """Return the case file to run: where it was, or the copy. Raises ConfigurationError where it is gone."""
    file = Path(was.record["case"]["file"])
    copy = was.record["files"].get(file.name, {}).get("copy")
    if given.copies:
        if copy is None or not (given.run / copy).is_file():
            raise ConfigurationError([Finding(str(given.run), None, "", "keeps no copy of its case")])
        return Path(given.run / copy).absolute()
    if not file.is_file():
        expected = "the case where it was, or --copies to run the copy that the run keeps"
        raise ConfigurationError([Finding(str(file), None, "", "the case of this run is gone", expected)])
    return file


def _inspected(then: dict[str, Any], file: Path) -> Inspection:
    """Return the case looked over; where it is not right any more, tell also which of its files have changed."""
    case = then["case"]
    asked = argparse.Namespace(
        case=str(file), variant=case["variant"], overrides=case["overrides"], engine=case["engine"]
    )
    try:
        return common.inspected(asked)
    except ConfigurationError as error:
        changed = [Finding(e["path"], None, "", "is not as it was in this run") for e in _changed(then)]
        raise ConfigurationError([*error.findings, *changed]) from None


def _changed(then: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the files of a record that are gone or changed."""
    paths = [(entry, Path(entry["path"])) for entry in then["files"].values()]
    return [entry for entry, path in paths if not path.is_file() or inputs.digest(path) != entry["sha256"]]


def _as_recorded(then: dict[str, Any]) -> str:
    count = len(then["files"]) + sum(len(package["files"]) for package in then["packages"].values())
    return f"all {count} files, the settings, the engine and the versions are as recorded"


def _there(path: Path) -> Path:
    """Return the folder, or the nearest one above that is there."""
    return path if path.is_dir() or path == path.parent else _there(path.parent)
