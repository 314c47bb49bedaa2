"""scalebridge list: show the cases that can be named."""

from __future__ import annotations

import argparse
import sys

from scalebridge.cases import catalogue, reader
from scalebridge.cases.case import FILE_NAME
from scalebridge.commands import common
from scalebridge.findings import ConfigurationError, Finding

NONE = """There are no cases here; looked for {places}.
The tutorials come with scalebridge's repository: list them from inside a clone of it. A case of your own needs no
place in a list: scalebridge run FOLDER, where the folder holds its case.yaml."""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser("list", help="show the cases", description="Show the cases under tutorials/.")
    parser.set_defaults(function=_list)


def _list(given: argparse.Namespace) -> int:
    broken: list[Finding] = []
    files = catalogue.files()
    if not files:
        print(NONE.format(places=" and ".join(f"{f}/*/{FILE_NAME}" for f in catalogue.folders())), file=sys.stderr)
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
