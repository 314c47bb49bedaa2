"""scalebridge sweep: a case at all combinations of some settings, in one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scalebridge.cases import catalogue
from scalebridge.cases.inspection import Inspection
from scalebridge.commands import common
from scalebridge.compare import grid, jobs, outfolder
from scalebridge.compare.grid import Grid, Point
from scalebridge.compare.inspections import Inspections
from scalebridge.compare.jobs import Job
from scalebridge.compare.results import Results
from scalebridge.compare.sweep import FILE_NAME, Ended, Sweep, rows
from scalebridge.findings import ConfigurationError, Finding, nearest, one_of
from scalebridge.interruption import STATUS as INTERRUPTED
from scalebridge.interruption import Interrupted
from scalebridge.runs.folder import DEFAULT
from scalebridge.runs.machine import cores
from scalebridge.runs.run import CHECK_FAILED, PARTICIPANT_FAILED, WELL

DESCRIPTION = """Run a case at all combinations of the values of some settings, each in a folder of its own, and tell in
one table the last values of series, the checks, and the observed order of convergence. Give it again to go on: points
that ended well, and whose inputs have not changed, are kept."""
EPILOG = """values:
  --set Macro.settings.elements=10,20,40    three values; coarse to fine, to see the order
  --set 'Micro.settings.size=1 mm, 2 mm'    each is YAML, as for `scalebridge run`; quote what has a comma in it
  --set 'Micro.settings.sizes=[[1, 2], [3, 4]]'   two values that are lists
  --set Micro.settings.cells=16             one value, for all points

exit status:
  0    all points ended well and every check passed
  1    all points went to their end, but a check failed, or a column of --column is none
  2    the case, a setting or the folder is not right; nothing was started
  else that of the first point that failed; the table is there all the same"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "sweep",
        parents=[common.engine_arguments()],
        help="run a case over a grid of settings",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("case", metavar="CASE", help="a name shown by `scalebridge list`, a folder, or a case.yaml")
    parser.add_argument("--variant", default="", metavar="NAME", help="one of the variants of the case")
    about = "the values of one setting; given for each setting that varies"
    parser.add_argument("--set", action="append", default=[], metavar="PATH=A,B,...", dest="axes", help=about)
    about = (
        "columns of series to tell, such as Macro.energy_inflow or 'Macro.*' (default: all); may be given many times"
    )
    parser.add_argument("--column", action="append", default=[], metavar="NAME", dest="columns", help=about)
    about = "how many points to run at once, as far as there are cores for them (default: 1)"
    parser.add_argument("--jobs", type=_jobs, default=1, metavar="N", help=about)
    parser.add_argument("--stop", action="store_true", help="start no further point after one that failed")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the sweep (default: runs/sweep-CASE[-VARIANT])"
    )
    parser.set_defaults(function=_sweep)


def _jobs(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _sweep(given: argparse.Namespace) -> int:
    if not given.axes:
        expected = "--set PATH=A,B,... as in --set Macro.settings.elements=10,20,40"
        raise ConfigurationError([Finding("sweep", None, "", "nothing varies", expected)])
    the_grid = grid.parse(given.axes)
    points = the_grid.points()
    inspect = Inspections(catalogue.find(given.case), given.engine)
    inspections = inspect.all({point.name: (given.variant, point.overrides) for point in points})
    first = inspections[points[0].name]
    out = outfolder.take(given.out or Path(DEFAULT) / f"sweep-{first.case.label}", FILE_NAME)
    print(f"{first.case.label}: {len(points)} points, {first.engine}", flush=True)
    ended: dict[str, Ended] = {}
    todo = [_job(given, inspect.file, first, point, out) for point in points]
    todo = [job for job in todo if not _kept(job, inspections[job.name], ended)]
    at_once, threads = min(jobs.room(inspection, given.jobs) for inspection in inspections.values())
    if at_once < given.jobs:
        print(f"{at_once} at once: each run keeps some of the {cores()} cores busy", flush=True)
    tell = partial(_tell, f"Sweep of {first.case.label}", the_grid, points, given.columns, out)
    try:
        for done in jobs.execute(todo, at_once=at_once, threads=threads if at_once > 1 else 0, stop=given.stop):
            ended[done.job.name] = Ended(done.status, done.reason, done.ran)
            how = done.reason or "well"
            print(f"[{len(ended)}/{len(points)}] {done.job.name}: {how} ({done.wall:.1f} s)", flush=True)
    except Interrupted:
        tell(ended)
        raise
    return tell(ended)


def _job(given: argparse.Namespace, file: Path, first: Inspection, point: Point, out: Path) -> Job:
    arguments = [str(file), "--engine", first.engine.name, "--variant", given.variant]
    arguments += [word for override in point.overrides for word in ("--set", override)]
    return Job(point.name, tuple(arguments), out / point.name, out / f"{point.name}.log")


def _kept(job: Job, inspection: Inspection, ended: dict[str, Ended]) -> bool:
    """Return whether the point has been run already; then note how it ended."""
    good, why = jobs.kept(job.folder, inspection)
    if good:
        results = Results(job.folder)
        ended[job.name] = Ended(results.status, "" if results.status == WELL else results.ended, ran=True)
    if good or why:
        print(f"{job.name}: " + ("kept" if good else f"run again: {why}"), flush=True)
    return good


def _tell(
    title: str, the_grid: Grid, points: Sequence[Point], columns: Sequence[str], out: Path, ended: dict[str, Ended]
) -> int:
    """Write and print the table; return the exit status."""
    sweep = Sweep(title, the_grid, rows(points, out, ended), columns)
    print("\n" + sweep.write(out))
    print(f"output: {out}", flush=True)
    for pattern in sweep.unknown:
        near = nearest(pattern, sweep.known)
        expected = one_of(sweep.known) if sweep.known else "none: there are no series"
        print(f"scalebridge: {Finding('--column', None, pattern, 'is no column', expected, near)}", file=sys.stderr)
    for row in sweep.failed:
        status = row.status or PARTICIPANT_FAILED
        return status if status > 0 else INTERRUPTED - status
    checked = all(row.status == WELL for row in sweep.rows)
    return WELL if checked and not sweep.unknown else CHECK_FAILED
