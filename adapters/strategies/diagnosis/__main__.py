"""Which strategy is right for the micro model of a case? Started by `scalebridge diagnose` with what it hands out.

exit status:
  0    the diagnosis was made
  2    the case or an argument is not right
  3    the micro model could not be followed
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adapters import tensors
from adapters.failing import models
from adapters.micro import MicroModel
from adapters.scaling import config as scaling_config
from adapters.scaling.model import ScaledModel
from adapters.strategies import box as boxes
from adapters.strategies.diagnosis.answer import diagnose
from adapters.strategies.diagnosis.asking import ITERATIONS, asking
from adapters.strategies.diagnosis.responses import DiagnosisError
from adapters.wiring import CouplingError, Wiring
from scalebridge import settings as typed
from scalebridge.embedded import config as coupling_config
from scalebridge.findings import ConfigurationError
from scalebridge.handout import Handout
from scalebridge.interruption import Interrupted, interruptible

FILE_NAME = "diagnosis.json"
WELL, UNUSABLE, FAILED = 0, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    given = _parser().parse_args(arguments)
    try:
        with interruptible():
            return _diagnose(given)
    except ConfigurationError as error:
        for finding in error.findings:
            print(f"scalebridge: {finding}", file=sys.stderr)
    except DiagnosisError as error:
        print(f"scalebridge: {error}", file=sys.stderr)
        return FAILED
    except (CouplingError, models.ModelError) as error:
        print(f"scalebridge: {error}", file=sys.stderr)
    except Interrupted as interruption:
        print(f"scalebridge: {interruption}", file=sys.stderr)
        return interruption.status
    return UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m adapters.strategies.diagnosis",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--handout", metavar="FILE", type=Path, required=True, help="what the hub hands out")
    parser.add_argument("--model", metavar="NAME", required=True, help="class of the micro model")
    parser.add_argument("--box", metavar="NAME=LOW..HIGH", action="append", default=[], help="range of a control")
    parser.add_argument("--recorded", metavar="RUN", type=Path, help="a run whose controls are the box")
    parser.add_argument("--time", metavar="SECONDS", type=float, default=0.0, help="in which the box is crossed")
    parser.add_argument("--tolerance", metavar="SHARE", type=float, required=True, help="of the range of what is seen")
    parser.add_argument("--points", metavar="N", type=int, default=0, help="micro simulations of the run")
    parser.add_argument("--iterations", metavar="N", type=int, default=0, help="of each time window")
    return parser


def _diagnose(given: argparse.Namespace) -> int:
    handout = Handout.load(given.handout)
    model, wiring, dimensions = _model(handout, given.model)
    fields = {name: field for name, field in model.controls.items() if not field.optional}
    recorded = None
    if given.recorded is not None:
        box, recorded = boxes.recorded(given.recorded, handout.participant, fields)
    else:
        box = boxes.parse(given.box, fields, dimensions, "--box")
    asked = asking(
        box,
        recorded,
        horizon=wiring.horizon(),
        time=given.time,
        tolerance=given.tolerance,
        seed=handout.seed,
        dimensions=dimensions,
        points=given.points,
        iterations=given.iterations or (1 if wiring.explicit else ITERATIONS),
    )
    found = diagnose(model, asked, np.zeros(dimensions), f"{handout.participant}: {given.model} of {handout.module}")
    print("\n".join(found.lines()))
    file = Path(handout.output) / FILE_NAME
    file.write_text(json.dumps(_finite(found.to_json()), indent=2) + "\n", encoding="utf-8")
    print(f"output: {handout.output}", flush=True)
    return WELL


def _model(handout: Handout, name: str) -> tuple[MicroModel, Wiring, int]:
    """Return the micro model with its scaling maps, its place in the configuration, and the dimensions of its mesh."""
    kind = models.find(handout.module, name)
    configuration = coupling_config.load(handout.precice_config)
    own = configuration.participant(handout.participant)
    dimensions = {mesh.name: mesh.dimensions for mesh in configuration.meshes}[(*own.reads, *own.writes)[0].mesh]
    reads, writes = ({n for a in some for n in tensors.whole(a.data)} for some in (own.reads, own.writes))
    model: MicroModel = kind(typed.build(kind.Settings, handout.settings, plain=True), handout.seed)
    scaling = Path(handout.scaling) if handout.scaling else None
    if scaling is not None:
        model = ScaledModel(model, scaling_config.load(scaling).of(reads, writes), handout.seed)
    wiring = Wiring(Path(handout.precice_config), handout.participant, model.controls, model.observables, scaling)
    return model, wiring, dimensions


def _finite(value: object) -> object:
    """Return plain values with numbers that are not finite as texts."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main())
