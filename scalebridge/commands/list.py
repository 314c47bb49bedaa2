"""scalebridge list: show the cases that can be named."""

from __future__ import annotations

import argparse
import sys

from scalebridge.cases import catalogue, reader
from scalebridge.commands import common
from scalebridge.findings import ConfigurationError, Finding


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser("list", help="show the cases", description="Show the cases under tutorials/.")
    parser.set_defaults(function=_list)


def _list(given: argparse.Namespace) -> int:
    broken: list[Finding] = []
    files = catalogue.files()
    if not files:
        print(f"there are no cases under {' or '.join(str(f) for f in catalogue.folders())}", file=sys.stderr)
    for name, file in files.items():
        try:
            case = reader.load(file)
        except ConfigurationError as error:
            broken += error.findings
            continue
        print(f"{name:24} {case.title}")
        for variant in case.variants:
            print(f"{'':24}   --variant {variant}")
    return common.complain(broken) if broken else 0
