"""scalebridge check: look a case over without running it."""

from __future__ import annotations

import argparse

from scalebridge.commands import common


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    text = "Check case.yaml, the preCICE XML, the scaling XML and what the participants say of themselves; run nothing."
    parser = commands.add_parser(
        "check", parents=[common.case_arguments()], help="check a case without running it", description=text
    )
    parser.set_defaults(function=_check)


def _check(given: argparse.Namespace) -> int:
    inspection = common.inspected(given)
    print(f"case {inspection.case.label} is in order; {inspection.engine}")
    return 0
