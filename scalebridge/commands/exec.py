"""scalebridge exec: run any command with an engine as its module precice."""

from __future__ import annotations

import argparse
import os
import sys

import scalebridge
from scalebridge import engines
from scalebridge.commands import common
from scalebridge.runs.run import CONFIGURATION

NOT_FOUND = 127  # as a shell says it


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "exec",
        parents=[common.engine_arguments()],
        help="run a command on an engine",
        description="Run any command with an engine as its module precice.",
        usage="scalebridge exec [--engine {auto,embedded,precice}] -- COMMAND ...",
    )
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments, after --"
    )
    parser.set_defaults(function=_exec)


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
