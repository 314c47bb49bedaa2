"""What the programs share that look at a micro model alone: their arguments, the model of a case, and how they end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from adapters import tensors
from adapters.failing import models
from adapters.micro import MicroModel
from adapters.scaling import config as scaling_config
from adapters.scaling.config import Scaling
from adapters.scaling.model import ScaledModel
from adapters.wiring import CouplingError, Wiring
from scalebridge import settings as typed
from scalebridge.embedded import config as coupling_config
from scalebridge.embedded.config import Configuration
from scalebridge.findings import ConfigurationError
from scalebridge.handout import Handout
from scalebridge.interruption import Interrupted, interruptible

UNUSABLE, FAILED = 2, 3
GOES_ON = "; what is done is kept, go on with the same command"


@dataclass(frozen=True)
class Alone:
    """The micro model of a case.

    Attributes
    ----------
    kind : class of the micro model.
    scaling : its maps; None where its fields are the coupling data.
    configuration : of the coupling.
    """

    handout: Handout
    kind: type[Any]
    settings: Any
    scaling: Scaling | None
    configuration: Configuration

    @classmethod
    def of(cls, handout: Handout, name: str) -> Alone:
        """Return the micro model, whose class has this name. Raises ConfigurationError, ModelError."""
        kind = models.find(handout.module, name)
        settings = typed.build(kind.Settings, handout.settings, plain=True)
        configuration = coupling_config.load(handout.precice_config)
        own = configuration.participant(handout.participant)
        reads, writes = ({n for a in some for n in tensors.whole(a.data)} for some in (own.reads, own.writes))
        scaling = scaling_config.load(handout.scaling).of(reads, writes) if handout.scaling else None
        return cls(handout, kind, settings, scaling, configuration)

    @property
    def name(self) -> str:
        """The model, for people."""
        return f"{self.kind.__name__} of {self.kind.__module__}"

    @cached_property
    def model(self) -> MicroModel:
        """The model with its maps. Raises ConfigurationError."""
        plain: MicroModel = self.kind(self.settings, self.handout.seed)
        return self.scaled(plain)

    def scaled(self, plain: MicroModel) -> MicroModel:
        """Return any micro model with the maps of the case. Raises ConfigurationError."""
        return plain if self.scaling is None else ScaledModel(plain, self.scaling, self.handout.seed)

    @property
    def data(self) -> set[str]:
        """The names of the coupling data."""
        own = self.configuration.participant(self.handout.participant)
        return {access.data for access in (*own.reads, *own.writes)}

    @property
    def dimensions(self) -> int:
        """Dimensions of the mesh whose points it is solved at."""
        own = self.configuration.participant(self.handout.participant)
        return self.configuration.mesh((*own.reads, *own.writes)[0].mesh).dimensions

    @property
    def window(self) -> float:
        """Length of the time windows [s], 0 where the case does not say it."""
        sizes = [scheme.time_window_size for scheme in self.configuration.schemes_of(self.handout.participant)]
        return next((size for size in sizes if size), 0.0)

    @property
    def wiring(self) -> Wiring:
        """Its place in the coupling. Raises CouplingError."""
        handout, scaling = self.handout, Path(self.handout.scaling) if self.handout.scaling else None
        fields = self.model.controls, self.model.observables
        return Wiring(Path(handout.precice_config), handout.participant, *fields, scaling)


def parser(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return what reads the arguments of a program: the module that it is started as, and what it says of itself."""
    result = argparse.ArgumentParser(
        prog=f"python -m {module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--handout", metavar="FILE", type=Path, required=True, help="what the hub hands out")
    result.add_argument("--model", metavar="NAME", required=True, help="class of the micro model")
    return result


def run(
    work: Callable[[], int],
    *,
    failure: type[Exception],
    refusals: tuple[type[Exception], ...] = (),
    kept: str = "",
) -> int:
    """Do what a program is for, and return its exit status; what goes wrong is told in lines, not in a traceback.

    Parameters
    ----------
    failure : the micro model could not be solved.
    refusals : what else can be wrong with what is asked.
    kept : what a program says that can go on after an interruption.
    """
    refused: tuple[type[Exception], ...] = (models.ModelError, CouplingError, *refusals)
    try:
        with interruptible():
            return work()
    except ConfigurationError as error:
        for finding in error.findings:
            print(f"scalebridge: {finding}", file=sys.stderr)
    except failure as error:
        print(f"scalebridge: {error}", file=sys.stderr)
        return FAILED
    except refused as error:
        print(f"scalebridge: {error}", file=sys.stderr)
    except Interrupted as interruption:
        print(f"scalebridge: {interruption}{kept}", file=sys.stderr)
        return interruption.status
    return UNUSABLE
