"""scalebridge replay: solve a micro simulation again that failed in a run, alone."""

from __future__ import annotations

import argparse
import os
import sys

from scalebridge import engines
from scalebridge.commands import common

MODULE = "adapters.failing.replay"  # a process of its own: the hub imports no adapter and no model


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "replay",
        help="solve a micro simulation again that failed in a run",
        description="Solve a micro simulation again that failed in a run, alone, from its crash capsule.",
        add_help=False,
        prefix_chars="\0",  # all that follows, options too, is for the process that does it
    )
    parser.add_argument("arguments", nargs="*")
    parser.set_defaults(function=_replay)


def _replay(given: argparse.Namespace) -> int:
    command = [sys.executable, "-P", "-m", MODULE, *given.arguments]
    sys.stdout.flush()
    os.execve(command[0], command, engines.embedded().environment(os.environ))  # noqa: S606  (it takes our place)
