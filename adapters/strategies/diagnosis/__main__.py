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

from adapters import alone
from adapters.strategies import box as boxes
from adapters.strategies.diagnosis.answer import diagnose
from adapters.strategies.diagnosis.asking import ITERATIONS, asking
from adapters.strategies.diagnosis.responses import DiagnosisError
from scalebridge.handout import Handout

FILE_NAME = "diagnosis.json"
MADE = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = alone.parser("adapters.strategies.diagnosis", __doc__)
    parser.add_argument("--box", metavar="NAME=LOW..HIGH", action="append", default=[], help="range of a control")
    parser.add_argument("--recorded", metavar="RUN", type=Path, help="a run whose controls are the box")
    parser.add_argument("--time", metavar="SECONDS", type=float, default=0.0, help="in which the box is crossed")
    parser.add_argument("--tolerance", metavar="SHARE", type=float, required=True, help="of the range of what is seen")
    parser.add_argument("--points", metavar="N", type=int, default=0, help="micro simulations of the run")
    parser.add_argument("--iterations", metavar="N", type=int, default=0, help="of each time window")
    given = parser.parse_args(arguments)
    return alone.run(lambda: _diagnose(given), failure=DiagnosisError)


def _diagnose(given: argparse.Namespace) -> int:
    handout = Handout.load(given.handout)
    micro = alone.Alone.of(handout, given.model)
    model, wiring, dimensions = micro.model, micro.wiring, micro.dimensions
    fields = boxes.required(model.controls)
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
    return MADE


def _finite(value: object) -> object:
    """Return plain values with numbers that are not finite as texts."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main())
