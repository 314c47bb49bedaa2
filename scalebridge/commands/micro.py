"""What commands share that look at a micro model alone: their arguments, which participant, and the process they start.

It is a process of its own: the hub imports no adapter and no model.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scalebridge import engines, settings
from scalebridge.cases import catalogue, reader, stack
from scalebridge.cases.inspection import Inspection, environment
from scalebridge.commands import common
from scalebridge.compare import outfolder
from scalebridge.findings import ConfigurationError, Finding, Findings, nearest, one_of
from scalebridge.handout import Handout
from scalebridge.runs.folder import DEFAULT


def parser(commands: common.Commands, name: str, about: str, description: str, status: str) -> argparse.ArgumentParser:
    """Return what reads the arguments of a command, with those that they all have: the case and the participant."""
    result = commands.add_parser(
        name,
        parents=[common.case_arguments()],
        help=about,
        description=description,
        epilog=status,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    about = "the micro participant; needed where the case has several"
    result.add_argument("--participant", metavar="NAME", default="", help=about)
    return result


def add_box(parser: argparse.ArgumentParser) -> None:
    """Let a command be told the box of controls."""
    about = "range of a control, such as Strain=0.01 for -0.01 to 0.01, or 'Temperature=-20 degC..2 degC'; many times"
    parser.add_argument("--box", action="append", default=[], metavar="NAME=LOW..HIGH", help=about)


def study(
    given: argparse.Namespace, module: str, marker: str, prefix: str, arguments: Sequence[str], *, missing: bool = False
) -> int:
    """Let a program take our place that looks at the micro model and writes into a folder. Raises ConfigurationError.

    Parameters
    ----------
    marker : the file by which the folder is known.
    prefix : of its name, where none is given.
    arguments : of the program.
    missing : whether files that strategies name may be missing.
    """
    inspection = common.inspected(given, missing=missing)
    name = participant(inspection, given.participant)
    out = outfolder.take(given.out or Path(DEFAULT) / f"{prefix}-{inspection.case.label}", marker)
    handout(inspection, name, out).save(out / "handout.json")
    command = [*_command(module, inspection, name, out / "handout.json"), *arguments]
    sys.stdout.flush()
    os.execve(command[0], command, environment(inspection.case, engines.embedded()))  # noqa: S606  (it takes our place)


def make(
    given: argparse.Namespace, module: str, strategy: str, chosen: Mapping[str, Any], arguments: Sequence[str] = ()
) -> int:
    """Run a program that makes the file of a strategy; return its exit status. Raises ConfigurationError.

    Parameters
    ----------
    chosen : settings of the strategy from the command line, None or empty where they are those of the case.
    arguments : of the program.
    """
    inspection, layers = _without_strategies(given, strategy)
    name = participant(inspection, given.participant)
    asked = {key: value for key, value in chosen.items() if value not in (None, [])}
    findings = Findings(inspection.case.file, "strategy")
    schema, key = inspection.descriptions[name].strategies[strategy], f"participants.{name}.strategy.{strategy}"
    values = settings.check(schema, {**layers.get(name, {}), **asked}, findings, key=key)
    findings.raise_if_any()
    out = (given.out or inspection.case.folder / values["file"]).absolute()
    if not out.parent.is_dir():
        raise ConfigurationError([Finding("--out", None, "", f"there is no folder {out.parent}")])
    with tempfile.TemporaryDirectory(prefix="scalebridge-") as folder:
        file = Path(folder) / "handout.json"
        dataclasses.replace(handout(inspection, name, out.parent), strategy=[{strategy: values}]).save(file)
        command = [*_command(module, inspection, name, file), "--out", str(out), *arguments]
        sys.stdout.flush()
        return subprocess.run(command, env=environment(inspection.case, engines.embedded()), check=False).returncode


def _without_strategies(given: argparse.Namespace, strategy: str) -> tuple[Inspection, dict[str, dict[str, Any]]]:
    """Return the case without strategies, as their files may not be there yet; and what it says of one, as given.

    Raises ConfigurationError.
    """
    case, found = reader.read(catalogue.find(given.case), given.variant, given.overrides)
    if case is None:
        raise ConfigurationError(reader.placed(found))
    layers = {p.name: layer[strategy] for p in case.participants for layer in p.strategy if strategy in layer}
    given.overrides = [*given.overrides, *(f"{p.name}.strategy=concurrent" for p in case.participants if p.strategy)]
    return common.inspected(given), layers


def _command(module: str, inspection: Inspection, name: str, file: Path) -> list[str]:
    """Return the command of a program, and the arguments that they all have."""
    command = [sys.executable, "-P", "-m", module, "--handout", str(file)]
    return [*command, "--model", inspection.descriptions[name].raw["model"]]


def participant(inspection: Inspection, asked: str) -> str:
    """Return the name of the micro participant. Raises ConfigurationError."""
    file = str(inspection.case.file)
    micro = [name for name, told in inspection.descriptions.items() if told.kind == "micro"]
    names = [p.name for p in inspection.case.participants]
    if not micro:
        message = "has no micro participant, whose model could be looked at alone"
        raise ConfigurationError([Finding(file, None, "participants", message)])
    if asked:
        if asked in micro:
            return asked
        message = f"'{asked}' is no micro participant" if asked in names else f"there is no participant '{asked}'"
        raise ConfigurationError([_refused(message, asked, micro)])
    if len(micro) > 1:
        raise ConfigurationError([_refused("there are several micro participants", "", micro)])
    return micro[0]


def _refused(message: str, asked: str, micro: list[str]) -> Finding:
    """Return what is wrong with the choice of a micro participant."""
    return Finding("--participant", None, "", message, one_of(micro), nearest(asked, micro) if asked else None)


def handout(inspection: Inspection, name: str, out: Path) -> Handout:
    """Return what the process needs to know of the case; the inputs stay where they are, as nothing writes there."""
    return stack.handout(inspection.case, name, inspection.settings[name], out)
