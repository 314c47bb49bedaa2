"""The command `scalebridge`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import scalebridge
from scalebridge.commands import (
    check,
    common,
    compare,
    diagnose,
    exec,
    list,
    migrate,
    replay,
    report,
    run,
    rve,
    sweep,
    tabulate,
    train,
    verify,
    watch,
)
from scalebridge.engines import EngineError
from scalebridge.findings import ConfigurationError
from scalebridge.interruption import Interrupted, interruptible
from scalebridge.runs.folder import RunFolderError
from scalebridge.runs.run import CONFIGURATION

COMMANDS = (
    run,
    watch,
    report,
    check,
    list,
    compare,
    sweep,
    rve,
    diagnose,
    tabulate,
    train,
    verify,
    replay,
    migrate,
    exec,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="scalebridge", description=scalebridge.__doc__)
    parser.add_argument("--version", action="version", version=f"scalebridge {scalebridge.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    given = parser.parse_args(arguments)
    try:
        with interruptible():
            status: int = given.function(given)
            return status
    except ConfigurationError as error:
        return common.complain(error.findings)
    except (EngineError, RunFolderError) as error:
        print(f"scalebridge: {error}", file=sys.stderr)
        return CONFIGURATION
    except Interrupted as interruption:
        print(f"scalebridge: {interruption}", file=sys.stderr)
        return interruption.status
