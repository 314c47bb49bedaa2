"""scalebridge rve: how large does a micro volume have to be?"""

from __future__ import annotations

import argparse
from pathlib import Path

from scalebridge.commands import common, micro

MODULE = "adapters.rve"
MARKER = "rve.json"
DESCRIPTION = """Say how large a micro volume has to be: solve many volumes of several sizes and resolutions, without a
macro side, and tell the mean of what they are worth, its error, its bias and its scatter; in rve.md, .json and .png."""
EXIT_STATUS = """exit status:
  0    a size that was tried is enough for the tolerance
  1    none is
  2    the case or an argument is not right, or there are no such volumes
  3    a volume could not be solved"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    about = "say how large a micro volume has to be"
    parser = micro.parser(commands, "rve", about, DESCRIPTION, EXIT_STATUS)
    about = "largest relative error of what the macro side gets (default: %(default)s)"
    parser.add_argument("--tolerance", type=common.share, default=0.02, metavar="SHARE", help=about)
    about = "edges of the volumes, in that of the case (default: 1,2,4)"
    parser.add_argument("--sizes", type=_several, default=(1, 2, 4), metavar="A,B,...", help=about)
    about = "cells along each length, in those of the case (default: 1,2)"
    parser.add_argument("--resolutions", type=_counts, default=(1, 2), metavar="A,B,...", help=about)
    about = "volumes of each size and resolution (default: %(default)s)"
    parser.add_argument("--realisations", type=_plural, default=16, metavar="N", help=about)
    about = "which of the data that the micro side gives (default: all); may be given many times"
    parser.add_argument("--data", action="append", default=[], metavar="NAME", help=about)
    about = "value of a control, such as 'Temperature=-5 degC' (default: what the model refers to); many times"
    parser.add_argument("--control", action="append", default=[], metavar="NAME=VALUE", help=about)
    about = "how long the controls are held before the volumes are looked at (default: not at all)"
    parser.add_argument("--time", type=common.seconds, default=0.0, metavar="SECONDS", help=about)
    parser.add_argument("--steps", type=common.count, default=1, metavar="N", help="equal steps in that time")
    about = "folder of the result (default: runs/rve-CASE[-VARIANT])"
    parser.add_argument("--out", type=Path, metavar="DIR", help=about)
    parser.set_defaults(function=_rve)


def _rve(given: argparse.Namespace) -> int:
    arguments = ["--tolerance", repr(given.tolerance)]
    arguments += ["--sizes", *map(str, given.sizes), "--resolutions", *map(str, given.resolutions)]
    arguments += ["--realisations", str(given.realisations), "--time", repr(given.time), "--steps", str(given.steps)]
    arguments += [f"--data={data}" for data in given.data] + [f"--control={control}" for control in given.control]
    return micro.study(given, MODULE, MARKER, "rve", arguments)


def _plural(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError("there is no scatter of fewer than 2 realisations")
    return value


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({common.count(part) for part in text.split(",")}))


def _several(text: str) -> tuple[int, ...]:
    values = _counts(text)
    if len(values) < 2:
        raise argparse.ArgumentTypeError("the bias shows in at least 2 sizes")
    return values
