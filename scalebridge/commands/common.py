"""What several commands share: their arguments, looking a case over, and telling what is wrong with it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scalebridge import engines
from scalebridge.cases import catalogue, reader
from scalebridge.cases.inspection import Inspection, inspect
from scalebridge.findings import WARNING, ConfigurationError, Finding
from scalebridge.runs.run import CONFIGURATION

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def engine_arguments() -> argparse.ArgumentParser:
    """Return the arguments of every command that needs an engine."""
    parser = argparse.ArgumentParser(add_help=False)
    about = "what `import precice` means: the embedded engine, libprecice, or (auto) libprecice where it is installed"
    parser.add_argument("--engine", choices=engines.CHOICES, default="auto", help=about)
    return parser


def case_arguments(*, optional: bool = False) -> argparse.ArgumentParser:
    """Return the arguments of every command that works on a case; `optional` where it may work on something else."""
    parser = argparse.ArgumentParser(add_help=False, parents=[engine_arguments()])
    about = "a name shown by `scalebridge list`, a folder, or a case.yaml"
    parser.add_argument("case", metavar="CASE", nargs="?" if optional else None, help=about)
    parser.add_argument("--variant", default="", metavar="NAME", help="one of the variants of the case")
    about = "change one value of the case, such as Micro.settings.cells=64; may be given many times"
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides", help=about)
    return parser


def inspected(given: argparse.Namespace, *, missing: bool = False) -> Inspection:
    """Return the case of the command line, looked over, and tell what it warns of. Raises ConfigurationError.

    `missing` says that files which strategies name need not be there yet.
    """
    case, found = reader.read(catalogue.find(given.case), given.variant, given.overrides)
    if case is None:
        raise ConfigurationError(reader.placed(found))
    inspection = inspect(case, given.engine, found, missing=missing)
    complain(finding for finding in inspection.findings if finding.severity == WARNING)
    return inspection


def complain(findings: Iterable[Finding]) -> int:
    """Print what is wrong; return the exit status that says so."""
    for finding in findings:
        print(f"scalebridge: {replace(finding, file=near(finding.file))}", file=sys.stderr)
    return CONFIGURATION


def near(file: str) -> str:
    """Return a file below the working folder as seen from there."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file


def count(text: str) -> int:
    """Return a command-line argument as a number of one or more."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def share(text: str) -> float:
    """Return a command-line argument as a positive finite number."""
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise ValueError
    return value


def seconds(text: str) -> float:
    """Return a command-line argument as a time of zero or more seconds."""
    value = float(text)
    if not 0.0 <= value < float("inf"):
        raise ValueError
    return value
