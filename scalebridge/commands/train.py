"""scalebridge train: a law that stands in for a micro model."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from scalebridge import engines
from scalebridge.cases import catalogue, reader
from scalebridge.cases.inspection import Inspection, environment
from scalebridge.commands import common, micro
from scalebridge.findings import ConfigurationError, Finding

MODULE = "adapters.strategies.learned"  # a process of its own: the hub imports no adapter and no model
NAME = "surrogate"
FILE_NAME = "surrogate.npz"
FORMS = ("auto", "potential", "internal", "monotone")
DESCRIPTION = """Train a law that stands in for the micro model of a case, on random paths of its controls through a box or
on runs that were recorded. The physics is built in, and its error is measured on paths that it has not seen."""
EXIT_STATUS = """exit status:
  0    a law was trained
  2    the case or an argument is not right, or no form fits
  3    the micro model could not be solved"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "train",
        parents=[common.case_arguments()],
        help="train a law that stands in for a micro model",
        description=DESCRIPTION,
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    micro.add_argument(parser)
    about = "file of the law (default: the one that the case names, else surrogate.npz beside it)"
    parser.add_argument("--out", type=Path, metavar="FILE", help=about)
    about = "form of the law (default: auto, what fits the fields and whether the model remembers)"
    parser.add_argument("--form", choices=FORMS, default="auto", help=about)
    about = "range of a control, such as Strain=0.01 for -0.01 to 0.01, or 'Temperature=-20 degC..2 degC'; many times"
    parser.add_argument("--box", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)
    about = "learn from the snapshots of this run instead of sampling; many times"
    parser.add_argument("--recorded", action="append", default=[], type=Path, metavar="RUN", help=about)
    about = "what a scalar can be at least and at most, for a monotone law (default: as sampled); many times"
    parser.add_argument("--bounds", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)
    for name, value, about in (
        ("paths", 160, "random paths; of recorded runs, points at most"),
        ("steps", 24, "steps of each path"),
        ("members", 4, "laws in the ensemble"),
        ("iterations", 400, "iterations to fit each of them"),
        ("elements", 12, "elements that flow, of an internal form"),
        ("ramps", 24, "ramps of a monotone law"),
    ):
        parser.add_argument(f"--{name}", type=common.count, default=value, metavar="N", help=f"{about} ({value})")
    about = "units in each hidden layer of an energy (default: 16 of a potential, 0 of an internal form: quadratic)"
    parser.add_argument("--width", type=_whole, metavar="N", help=about)
    parser.add_argument("--isotropic", action="store_true", help="the medium is: only invariants matter")
    parser.add_argument("--not-convex", action="store_true", help="let the energy have any shape")
    parser.set_defaults(function=_train)


def _train(given: argparse.Namespace) -> int:
    inspection, named = inspected(given)
    name = micro.participant(inspection, given.participant)
    out = (given.out or inspection.case.folder / named.get(name, FILE_NAME)).absolute()
    if not out.parent.is_dir():
        raise ConfigurationError([Finding("--out", None, "", f"there is no folder {out.parent}")])
    with tempfile.TemporaryDirectory(prefix="scalebridge-") as folder:
        handout = Path(folder) / "handout.json"
        micro.handout(inspection, name, out.parent).save(handout)
        command = _command(given, inspection.descriptions[name].raw["model"], handout, out)
        sys.stdout.flush()
        return subprocess.run(command, env=environment(inspection.case, engines.embedded()), check=False).returncode


def _command(given: argparse.Namespace, model: str, handout: Path, out: Path) -> list[str]:
    command = [sys.executable, "-P", "-m", MODULE, "--handout", str(handout), "--out", str(out), "--form", given.form]
    command += ["--model", model]
    command += [f"--box={text}" for text in given.box] + [f"--bounds={text}" for text in given.bounds]
    command += [f"--recorded={run.absolute()}" for run in given.recorded]
    for number in ("paths", "steps", "members", "iterations", "elements", "ramps"):
        command += [f"--{number}", str(getattr(given, number))]
    command += ["--width", str(given.width)] if given.width is not None else []
    return command + ["--isotropic"] * given.isotropic + ["--not-convex"] * given.not_convex


def inspected(given: argparse.Namespace) -> tuple[Inspection, dict[str, str]]:
    """Return the case without strategies, as the files that they name may not be there yet; and these files.

    Raises ConfigurationError.
    """
    case, found = reader.read(catalogue.find(given.case), given.variant, given.overrides)
    if case is None:
        raise ConfigurationError(reader.placed(found))
    named: dict[str, str] = {}
    for one in case.participants:
        for layer in one.strategy:
            file = layer.get(NAME, {}).get("file")
            if isinstance(file, str):
                named[one.name] = file
    given.overrides = [*given.overrides, *(f"{p.name}.strategy=concurrent" for p in case.participants if p.strategy)]
    return common.inspected(given), named


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value
