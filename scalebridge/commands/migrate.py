"""scalebridge migrate: translate a file of the preCICE Micro Manager before 0.12."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scalebridge.cases.foreign import migration
from scalebridge.commands import common
from scalebridge.findings import ConfigurationError, Findings


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "migrate",
        help="translate a file of the preCICE Micro Manager before 0.12",
        description="Translate a JSON file of the preCICE Micro Manager before 0.12 into what 0.12 and scalebridge "
        "read. Prints it, and tells on the standard error what has another name, is dropped or means something else.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="such as micro-manager-config.json")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it to this file, which must not exist yet")
    parser.set_defaults(function=_migrate)


def _migrate(given: argparse.Namespace) -> int:
    done = migration.migrate(given.file)
    text = json.dumps(done.result, indent=2) + "\n"
    for note in done.notes:
        print(f"scalebridge: {common.near(str(given.file))}: {note}", file=sys.stderr)
    if given.output is None:
        print(text, end="")
        return 0
    findings = Findings(given.output)
    try:
        with given.output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        findings.add(None, "", "is there already: give --output another name")
    except OSError as error:
        findings.add(None, "", f"cannot be written: {error.strerror}")
    if findings.found:
        raise ConfigurationError(findings.found)
    return 0
