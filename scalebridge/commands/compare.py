"""scalebridge compare: variants of a case, or runs that are there, beside each other."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scalebridge.cases import catalogue, reader
from scalebridge.cases.inspection import Inspection
from scalebridge.commands import common
from scalebridge.compare import jobs, outfolder
from scalebridge.compare.comparison import FILE_NAME, Comparison, Side
from scalebridge.compare.inspections import Inspections
from scalebridge.compare.jobs import Done, Job
from scalebridge.compare.results import Results
from scalebridge.findings import ConfigurationError, Finding, nearest
from scalebridge.interruption import Interrupted
from scalebridge.runs import record
from scalebridge.runs.folder import DEFAULT
from scalebridge.runs.run import CHECK_FAILED, WELL

BASE = "base"
_MOST_NAME = 100
DESCRIPTION = """Compare variants of a case, which are run one after the other, or runs that are there: checks side by
side, differences of series and fields from the first one, what they took; in compare.md, .json and .png."""
EXIT_STATUS = """exit status:
  0    all runs ended well and every check passed; of runs that were there: they were compared
  1    a check failed, or the runs have nothing in common
  2    the case, a variant or a run folder is not right; nothing was started
  else that of the first run that failed; the table is there all the same"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "compare",
        parents=[common.engine_arguments()],
        help="compare variants of a case, or runs",
        description=DESCRIPTION,
        epilog=EXIT_STATUS,
        usage="scalebridge compare CASE [--variants a,b] [--set PATH=VALUE] ... | RUN RUN ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="+", metavar="CASE|RUN", help="a case as for `scalebridge run`, or run folders")
    about = f"names with commas between; '{BASE}' is the case itself (default: the case itself and all its variants)"
    parser.add_argument("--variants", metavar="a,b", help=about)
    about = "change one value in all variants, such as Macro.settings.elements=40; may be given many times"
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides", help=about)
    about = "folder of the comparison (default: runs/compare-CASE)"
    parser.add_argument("--out", type=Path, metavar="DIR", help=about)
    about = "keep runs that are there, where they ended well and nothing that goes into them has changed"
    parser.add_argument("--reuse", action="store_true", help=about)
    parser.set_defaults(function=_compare)


def _compare(given: argparse.Namespace) -> int:
    if len(given.what) > 1 or _is_run(Path(given.what[0])):
        return _runs(given)
    inspections = _inspected(given)
    first = next(iter(inspections.values())).case
    out = outfolder.take(given.out or Path(DEFAULT) / f"compare-{first.name}", FILE_NAME)
    todo = {label: _job(given, out, label, i) for label, i in inspections.items()}
    for label, inspection in inspections.items() if given.reuse else ():
        good, why = jobs.kept(out / label, inspection)
        if good:
            del todo[label]
        print(f"{label}: " + ("kept" if good else f"run again: {why}" if why else "to be run"), flush=True)
    return _run(first.name, list(inspections), todo, out)


def _run(name: str, labels: list[str], todo: dict[str, Job], out: Path) -> int:
    """Run what is to be run, then tell; also where that is interrupted."""
    ended: dict[str, Done] = {}
    try:
        for done in jobs.execute(list(todo.values())):
            ended[done.job.name] = done
            print(f"{done.job.name}: {done.reason or 'well'} ({done.wall:.1f} s)", flush=True)
    except Interrupted:
        _tell(name, labels, todo, ended, out)
        raise
    return _tell(name, labels, todo, ended, out)


def _tell(name: str, labels: list[str], todo: dict[str, Job], ended: dict[str, Done], out: Path) -> int:
    sides = []
    for label in labels:
        if label in ended and not ended[label].ran:
            sides.append(Side(label, ended[label].status, ended[label].reason, None))
        elif label in ended:
            sides.append(Side.of(out / label, label, ended[label].status, ended[label].reason))
        elif label in todo:
            sides.append(Side(label, None, "not run, or stopped", None))
        else:
            sides.append(Side.of(out / label, label))
    comparison = Comparison(f"{name}: {', '.join(labels)}", sides)
    _print(comparison, out)
    failed = [s.status for s in sides if s.status not in jobs.FINISHED and s.status is not None]
    if failed:
        return failed[0] if failed[0] > 0 else 128 - failed[0]
    return WELL if comparison.in_common and all(s.status == WELL for s in sides) else CHECK_FAILED


def _runs(given: argparse.Namespace) -> int:
    """Compare runs that are there."""
    if given.variants is not None or given.overrides:
        message = "says what to run, but run folders are compared, which have been run"
        option = "--variants" if given.variants is not None else "--set"
        raise ConfigurationError(
            [Finding(option, None, "", message, "a case instead of run folders, or no such option")]
        )
    paths = [Path(name) for name in given.what]
    if len(paths) == 1:
        raise ConfigurationError(
            [Finding(given.what[0], None, "", "is a run", "a second run folder to compare it with")]
        )
    findings = [f for path in paths for f in _unusable(path)]
    if findings:
        raise ConfigurationError(findings)
    labels = [p.resolve().name for p in paths]
    labels = [n if labels.count(n) == 1 else str(p) for n, p in zip(labels, paths, strict=True)]
    name = "compare-" + "-and-".join(p.resolve().name for p in paths)
    out = outfolder.take(given.out or Path(DEFAULT) / name[:_MOST_NAME], FILE_NAME)
    comparison = Comparison(", ".join(labels), [Side.of(p, n) for p, n in zip(paths, labels, strict=True)])
    _print(comparison, out)
    return WELL if comparison.in_common else CHECK_FAILED


def _print(comparison: Comparison, out: Path) -> None:
    print("\n" + comparison.write(out))
    print(f"output: {out}", flush=True)
    if not comparison.in_common:
        print("scalebridge: these runs have nothing in common: no check, series or field", file=sys.stderr)


def _unusable(path: Path) -> list[Finding]:
    """Return what is wrong with a run folder."""
    if not path.is_dir():
        beside = [p.name for p in path.parent.iterdir() if _is_run(p)] if path.parent.is_dir() else []
        near = nearest(path.name, beside)
        return [Finding(str(path), None, "", "there is no such run folder", nearest=near and str(path.parent / near))]
    try:
        Results(path)
    except ConfigurationError as error:
        return list(error.findings)
    return []


def _is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in (record.FILE_NAME, "summary.json"))


def _inspected(given: argparse.Namespace) -> dict[str, Inspection]:
    """Return label -> what was found, for all variants. Raises ConfigurationError with the mistakes of all."""
    file = catalogue.find(given.what[0])
    case, found = reader.read(file)
    if case is None:
        raise ConfigurationError(reader.placed(found))
    names = _names(given.variants, case.variants)
    asked = {label: (variant, given.overrides) for label, variant in names.items()}
    return Inspections(file, given.engine).all(asked)


def _names(given: str | None, variants: tuple[str, ...]) -> dict[str, str]:
    """Return label -> variant, "" for the case itself."""
    base = BASE if BASE not in variants else "case"
    if given is None:
        asked = ["", *variants]
    else:
        asked = ["" if name.strip() in ("", base) else name.strip() for name in given.split(",")]
    if len(asked) < 2:
        expected = f"at least two, such as {base},{variants[0] if variants else 'NAME'}"
        message = f"'{asked[0] or base}' alone has nothing to be compared with"
        raise ConfigurationError([Finding("--variants", None, "", message, expected)])
    if twice := sorted({name for name in asked if asked.count(name) > 1}):
        message = f"'{twice[0] or base}' stands there twice"
        raise ConfigurationError([Finding("--variants", None, "", message)])
    return {name or base: name for name in asked}


def _job(given: argparse.Namespace, out: Path, label: str, inspection: Inspection) -> Job:
    arguments = [given.what[0], "--engine", inspection.engine.name, "--variant", inspection.case.variant]
    arguments += [word for override in given.overrides for word in ("--set", override)]
    return Job(label, tuple(arguments), out / label, out / f"{label}.log")
