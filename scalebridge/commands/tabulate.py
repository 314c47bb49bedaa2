"""scalebridge tabulate: a table that stands in for a micro model."""

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

MODULE = "adapters.strategies.tables"  # a process of its own: the hub imports no adapter and no model
NAME = "tabulated"
DESCRIPTION = """Solve the micro model of a case over a box of its controls, and keep what it shows in a table that the
strategy `tabulated` looks up. Nodes are added where they are needed, until the error is below the tolerance, as it is
estimated and as it is measured. What is not said here is taken from that strategy in the case, if it has it. If it is
interrupted, the same command goes on."""
EXIT_STATUS = """exit status:
  0    the table is as good as was asked for
  1    it is not, with as many nodes as it may have
  2    the case or an argument is not right
  3    the micro model could not be solved"""


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    parser = commands.add_parser(
        "tabulate",
        parents=[common.case_arguments()],
        help="make a table that stands in for a micro model",
        description=DESCRIPTION,
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    micro.add_argument(parser)
    about = "file of the table (default: the one that the case names, else table.npz beside it)"
    parser.add_argument("--out", type=Path, metavar="FILE", help=about)
    about = "range of a control, such as Strain=0.01 for -0.01 to 0.01, or 'Temperature=-20 degC..2 degC'; many times"
    parser.add_argument("--box", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)
    about = "largest error, relative to the range of an observable"
    parser.add_argument("--tolerance", type=float, metavar="SHARE", help=about)
    parser.add_argument("--nodes", type=common.count, metavar="N", help="most nodes of the table")
    parser.add_argument("--steps", type=_whole, metavar="N", help="most steps until a node is at rest; 0 for none")
    parser.add_argument("--dt", metavar="TIME", help="length of these steps, such as '10 s'")
    parser.set_defaults(function=_tabulate)


def _tabulate(given: argparse.Namespace) -> int:
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
        sys.stdout.flush()
        return subprocess.run(command, env=environment(inspection.case, engines.embedded()), check=False).returncode


def _inspected(given: argparse.Namespace) -> tuple[Inspection, dict[str, dict[str, Any]]]:
    """Return the case without strategies, as the table may not be there yet; and what it says of tables, as given.

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
    named = {"box": given.box, "tolerance": given.tolerance, "nodes": given.nodes, "steps": given.steps, "dt": given.dt}
    asked = {key: value for key, value in named.items() if value not in (None, [])}
    findings = Findings(inspection.case.file, "strategy")
    schema = inspection.descriptions[name].strategies[NAME]
    chosen = settings.check(schema, {**layer, **asked}, findings, key=f"participants.{name}.strategy.{NAME}")
    findings.raise_if_any()
    return chosen


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value
