"""What commands share that look at a micro model alone: which participant, and what its process is handed out."""

from __future__ import annotations

import argparse
from pathlib import Path

from scalebridge.cases.inspection import Inspection
from scalebridge.findings import ConfigurationError, Finding, nearest, one_of
from scalebridge.handout import Handout


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Let a command be told which participant is meant."""
    about = "the micro participant; needed where the case has several"
    parser.add_argument("--participant", metavar="NAME", default="", help=about)


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
    case = inspection.case
    return Handout(
        case=case.name,
        variant=case.variant,
        participant=name,
        module=next(p.module for p in case.participants if p.name == name),
        precice_config=str(case.coupling),
        scaling=str(case.scaling) if case.scaling else None,
        settings=inspection.settings[name],
        folder=str(case.folder),
        run=str(out),
        output=str(out),
        progress=str(out / "progress.jsonl"),
        seed=case.seed,
    )
