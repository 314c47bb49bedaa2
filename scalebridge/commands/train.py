"""scalebridge train: a law that stands in for a micro model."""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scalebridge import engines, settings
from scalebridge.cases import catalogue, reader
from scalebridge.cases.inspection import Inspection, environment
from scalebridge.commands import common, micro
from scalebridge.findings import ConfigurationError, Finding, Findings

MODULE = "adapters.strategies.learned"  # a process of its own: the hub imports no adapter and no model
NAME = "surrogate"
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
    about = "form of the law (auto: what fits the fields and whether the model remembers)"
    parser.add_argument("--form", choices=FORMS, help=about)
    about = "range of a control, such as Strain=0.01 for -0.01 to 0.01, or 'Temperature=-20 degC..2 degC'; many times"
    parser.add_argument("--box", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)
    about = "learn from the snapshots of this run instead of sampling; many times"
    parser.add_argument("--recorded", action="append", default=[], type=Path, metavar="RUN", help=about)
    about = "what a scalar can be at least and at most, for a monotone law (default: as sampled); many times"
    parser.add_argument("--bounds", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)
    for name, about in NUMBERS.items():
        parser.add_argument(f"--{name}", type=common.count, metavar="N", help=about)
    parser.set_defaults(function=_train)


def _train(given: argparse.Namespace) -> int:
    inspection, layers = _inspected(given)
    name = micro.participant(inspection, given.participant)
    chosen = _settings(inspection, name, layers.get(name, {}), given)
    out = (given.out or inspection.case.folder / chosen["file"]).absolute()
    if not out.parent.is_dir():
        raise ConfigurationError([Finding("--out", None, "", f"there is no folder {out.parent}")])
    with tempfile.TemporaryDirectory(prefix="scalebridge-") as folder:
        handout = Path(folder) / "handout.json"
        told = micro.handout(inspection, name, out.parent)
        dataclasses.replace(told, strategy=[{NAME: chosen}]).save(handout)
        command = [sys.executable, "-P", "-m", MODULE, "--handout", str(handout), "--out", str(out)]
        command += ["--model", inspection.descriptions[name].raw["model"]]
        command += [f"--recorded={run.absolute()}" for run in given.recorded]
        sys.stdout.flush()
        return subprocess.run(command, env=environment(inspection.case, engines.embedded()), check=False).returncode


def _inspected(given: argparse.Namespace) -> tuple[Inspection, dict[str, dict[str, Any]]]:
    """Return the case without strategies, as the law may not be there yet; and what it says of surrogates, as given.

    Raises ConfigurationError.
    """
    case, found = reader.read(catalogue.find(given.case), given.variant, given.overrides)
    if case is None:
        raise ConfigurationError(reader.placed(found))
    layers = {p.name: layer[NAME] for p in case.participants for layer in p.strategy if NAME in layer}
    given.overrides = [*given.overrides, *(f"{p.name}.strategy=concurrent" for p in case.participants if p.strategy)]
    return common.inspected(given), layers


def _settings(inspection: Inspection, name: str, layer: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """Return all settings of the strategy, from the case and the command line. Raises ConfigurationError."""
    named = {key: getattr(given, key) for key in ("form", "box", "bounds", *NUMBERS)}
    asked = {key: value for key, value in named.items() if value not in (None, [])}
    findings = Findings(inspection.case.file, "strategy")
    schema = inspection.descriptions[name].strategies[NAME]
    chosen = settings.check(schema, {**layer, **asked}, findings, key=f"participants.{name}.strategy.{NAME}")
    findings.raise_if_any()
    return chosen
