"""The command `scalebridge`: run, check, list, exec."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import scalebridge
from scalebridge import case as cases
from scalebridge import engines
from scalebridge.engines import EngineError
from scalebridge.findings import ConfigurationError, Finding, nearest, one_of
from scalebridge.inspection import Inspection, inspect
from scalebridge.run import CONFIGURATION, INTERRUPTED, Interrupted, Run, interruptible
from scalebridge.runfolder import RunFolder, RunFolderError, default
from scalebridge.watch import IDLE_SECONDS

NOT_FOUND = 127  # as a shell says it
EXIT_STATUS = """exit status:
  0    every participant ended well and every check passed
  1    the run ended well, but a check failed
  2    the case, the command line or the engine is not right; nothing was started
  3    a participant failed; the first line of the message names the first one
  4    a report script failed
  5    nobody computed anything for the time of --idle-limit
  130  stopped by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        with interruptible():
            status: int = given.function(given)
            return status
    except ConfigurationError as error:
        return _complain(error.findings)
    except (EngineError, RunFolderError) as error:
        print(f"scalebridge: {error}", file=sys.stderr)
        return CONFIGURATION
    except Interrupted as interruption:
        return INTERRUPTED + interruption.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scalebridge", description=scalebridge.__doc__)
    parser.add_argument("--version", action="version", version=f"scalebridge {scalebridge.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    engine = argparse.ArgumentParser(add_help=False)
    about = "what `import precice` means: the embedded engine, libprecice, or (auto) libprecice where it is installed"
    engine.add_argument("--engine", choices=engines.CHOICES, default="auto", help=about)

    which = argparse.ArgumentParser(add_help=False, parents=[engine])
    which.add_argument("case", metavar="CASE", help="a name shown by `scalebridge list`, a folder, or a case.yaml")
    which.add_argument("--variant", default="", metavar="NAME", help="one of the variants of the case")
    about = "change one value of the case, such as Micro.settings.cells=64; may be given many times"
    which.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides", help=about)

    raw = argparse.RawDescriptionHelpFormatter
    text = "Run a case: check it, start every participant, watch them, make the report."
    command = commands.add_parser(
        "run", parents=[which], help="run a case", description=text, epilog=EXIT_STATUS, formatter_class=raw
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the run (default: runs/CASE[-VARIANT]); a run that is there is moved to DIR.1, DIR.2, ...",
    )
    command.add_argument("--plain", action="store_true", help="plain lines instead of the live table")
    command.add_argument(
        "--idle-limit",
        type=_seconds,
        default=IDLE_SECONDS,
        metavar="SECONDS",
        help="end a run in which nobody computes for so long (default: %(default)g; 0 for never)",
    )
    command.set_defaults(function=_run)

    text = "Check case.yaml, the preCICE XML, the scaling XML and what the participants say of themselves; run nothing."
    command = commands.add_parser("check", parents=[which], help="check a case without running it", description=text)
    command.set_defaults(function=_check)

    command = commands.add_parser("list", help="show the cases", description="Show the cases under tutorials/.")
    command.set_defaults(function=_list)

    text = "Run any command with an engine as its module precice."
    command = commands.add_parser(
        "exec",
        parents=[engine],
        help="run a command on an engine",
        description=text,
        usage="scalebridge exec [--engine {auto,embedded,precice}] -- COMMAND ...",
    )
    command.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments, after --"
    )
    command.set_defaults(function=_exec)
    return parser


def _run(given: argparse.Namespace) -> int:
    inspection = _inspected(given)
    case = inspection.case
    print(f"scalebridge {scalebridge.__version__}: case {case.label}, {inspection.engine}", flush=True)
    folder = RunFolder(given.out or default(case), inspection)
    if folder.earlier is not None:
        print(f"the run that was in {folder.path} is now in {folder.earlier}", flush=True)
    try:
        return Run(folder, plain=given.plain, idle=given.idle_limit)()
    finally:
        folder.close()


def _check(given: argparse.Namespace) -> int:
    inspection = _inspected(given)
    print(f"case {inspection.case.label} is in order; {inspection.engine}")
    return 0


def _inspected(given: argparse.Namespace) -> Inspection:
    case, found = cases.read(_find(given.case), given.variant, given.overrides)
    if case is None:
        raise ConfigurationError(cases.placed(found))
    return inspect(case, given.engine, found)


def _list(given: argparse.Namespace) -> int:
    broken: list[Finding] = []
    files = _files()
    if not files:
        print(f"there are no cases under {' or '.join(str(f) for f in _folders())}", file=sys.stderr)
    for name, file in files.items():
        try:
            case = cases.load(file)
        except ConfigurationError as error:
            broken += error.findings
            continue
        print(f"{name:24} {case.title}")
        for variant in case.variants:
            print(f"{'':24}   --variant {variant}")
    return _complain(broken) if broken else 0


def _exec(given: argparse.Namespace) -> int:
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        print("scalebridge: exec needs a command: scalebridge exec -- python solver.py", file=sys.stderr)
        return CONFIGURATION
    engine = engines.choose(given.engine, command)
    print(f"scalebridge {scalebridge.__version__}: {engine}", file=sys.stderr, flush=True)
    try:
        os.execvpe(command[0], command, engine.environment(os.environ))  # noqa: S606  (what it is for)
    except OSError as error:
        print(f"scalebridge: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND


def _folders() -> list[Path]:
    here, ours = Path.cwd() / "tutorials", engines.ROOT / "tutorials"
    return [here] if here == ours else [here, ours]


def _files() -> dict[str, Path]:
    """Return name -> file of the cases that can be named; those in the working folder come first."""
    files: dict[str, Path] = {}
    for folder in _folders():
        for file in sorted(folder.glob(f"*/{cases.FILE_NAME}")):
            files.setdefault(file.parent.name, file)
    return files


def _find(name: str) -> Path:
    """Return the case file that `name` means. Raises ConfigurationError."""
    path = Path(name)
    if path.is_file() or (path / cases.FILE_NAME).is_file():
        return path
    files = _files()
    if name in files:
        return files[name]
    expected = one_of(files) if files else "a folder with a case.yaml, or such a file"
    raise ConfigurationError([Finding(name, None, "", "there is no such case", expected, nearest(name, files))])


def _complain(findings: Iterable[Finding]) -> int:
    for finding in findings:
        print(f"scalebridge: {replace(finding, file=_near(finding.file))}", file=sys.stderr)
    return CONFIGURATION


def _near(file: str) -> str:
    """Return a file below the working folder as seen from there."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 <= value < float("inf"):
        raise ValueError
    return value
