"""scalebridge train: a law that stands in for a micro model."""

from __future__ import annotations

import argparse
from pathlib import Path

from scalebridge.commands import common, micro

MODULE = "adapters.strategies.learned"
FORMS = ("auto", "potential", "internal", "monotone")
NUMBERS = {
    "paths": "random paths; of recorded runs, points at most",
    "steps": "steps of each path",
    "members": "laws in the ensemble",
    "iterations": "iterations to fit each of them",
    "elements": "elements that flow, of an internal form",
    "ramps": "ramps of a monotone law",
}
DESCRIPTION = """Train a law that stands in for the micro model of a case, on random paths of its controls through a box
or on runs that were recorded. The physics is built in, and its error is measured on paths that it has not seen. What is
not said here is taken from the strategy `surrogate` in the case, if it has it. If it is interrupted, the same command
goes on."""
EXIT_STATUS = """exit status:
  0    a law was trained
  2    the case or an argument is not right, or no form fits
  3    the micro model could not be solved"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    about = "train a law that stands in for a micro model"
    parser = micro.parser(commands, "train", about, DESCRIPTION, EXIT_STATUS)
    about = "file of the law (default: the one that the case names, else surrogate.npz beside it)"
    parser.add_argument("--out", type=Path, metavar="FILE", help=about)
    about = "form of the law (auto: what fits the fields and whether the model remembers)"
    parser.add_argument("--form", choices=FORMS, help=about)
    micro.add_box(parser)
    about = "learn from the snapshots of this run instead of sampling; many times"
    parser.add_argument("--recorded", action="append", default=[], type=Path, metavar="RUN", help=about)
    about = "what a scalar can be at least and at most, for a monotone law (default: as sampled); many times"
    parser.add_argument("--bounds", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)
    for name, about in NUMBERS.items():
        parser.add_argument(f"--{name}", type=common.count, metavar="N", help=about)
    parser.set_defaults(function=_train)


def _train(given: argparse.Namespace) -> int:
    chosen = {name: getattr(given, name) for name in ("form", "box", "bounds", *NUMBERS)}
    recorded = [f"--recorded={run.absolute()}" for run in given.recorded]
    return micro.make(given, MODULE, "surrogate", chosen, recorded)
