"""A case: `case.yaml`, with a variant and settings of the command line applied, as a frozen object.

    case: phase-change
    title: Ice melting in brine on two scales
    coupling: ../../precice-config/phase-change.xml
    scaling: ../../precice-config/phase-change.scaling.xml
    seed: 1
    participants:
      Macro: {run: participants.macro.heat, settings: {length: 0.2 m}}
      Micro: {run: participants.micro.brine, strategy: concurrent, on-failure: [retry, neighbours]}
      Other: {command: ./solver --fast, directory: other, environment: {LEVEL: 2}}
    report: [plot.py]
    quantities: [Macro.heat-flux]
    variants:
      lever-rule: {Micro.run: participants.micro.lever_rule}

Paths are relative to the folder of the file. A program runs in its `directory:`, untouched; without one, in its folder
of the run, and words of its command that name files beside the case become absolute. Values of settings are not
judged here: what is right for them only the participant knows (scalebridge.cases.inspection asks it).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalebridge.fallbacks import Policy
from scalebridge.strategies import Strategy

FILE_NAME = "case.yaml"


@dataclass(frozen=True)
class Participant:
    """One participant of a case: a module of ours (`module`) or any program (`command`); the other one is empty.

    Attributes
    ----------
    settings : as given, for a module.
    strategy : the strategies around a micro model, outermost first, as given; see scalebridge.strategies.
    on_failure : what to do about micro simulations that fail, in order; see scalebridge.fallbacks.
    command, directory : what to run, already split into words, and where, for a program; None is the folder of the run.
    ranks : number of MPI ranks; 1 is started without MPI.
    environment : variables on top of those of the hub.
    launcher : of the MPI ranks; `start_after` a participant and `start_delay` [s], see scalebridge.cases.starting.
    line : where the participant begins in the file; `lines` the line of each key, of settings as `settings.NAME`.
        Line 0 is the command line.
    """

    name: str
    line: int
    module: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    strategy: tuple[Strategy, ...] = ()
    on_failure: tuple[Policy, ...] = ()
    command: tuple[str, ...] = ()
    directory: Path | None = None
    ranks: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    launcher: str = "auto"
    start_after: str = ""
    start_delay: float = 0.0
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A case as it will be run. Paths are absolute and exist; `lines` gives the line of each key of the file.

    `strict_convergence`: a time window that does not converge ends the run.
    `quantities`: what the case is computed for, PARTICIPANT.COLUMN of series: in these variants are compared first.
    """

    name: str
    title: str
    file: Path
    coupling: Path
    scaling: Path | None
    participants: tuple[Participant, ...]
    report: tuple[Path, ...]
    seed: int
    variant: str
    variants: tuple[str, ...]
    overrides: tuple[str, ...]
    lines: dict[str, int]
    strict_convergence: bool = False
    quantities: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the case file."""
        return self.file.parent

    @property
    def label(self) -> str:
        """CASE or CASE-VARIANT: the name of the folder of a run."""
        return f"{self.name}-{self.variant}" if self.variant else self.name
