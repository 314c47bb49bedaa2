"""Trains a law that stands in for the micro model of a case. Started by `scalebridge train` with what it hands out.

exit status:
  0    a law was trained
  2    no form fits, or an argument is not right
  3    the micro model could not be solved
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from adapters import alone
from adapters.strategies.learned.asked import Asked
from adapters.strategies.learned.calibration import fewest
from adapters.strategies.learned.roles import RoleError
from adapters.strategies.learned.samples import SampleError
from adapters.strategies.learned.trained import Trained
from adapters.strategies.learned.training import TrainingError, Wanted, train
from adapters.strategies.meter import Meter
from adapters.strategies.surrogate import SurrogateSettings
from scalebridge import settings as typed
from scalebridge.handout import Handout
from scalebridge.treefile import TreeFileError

TRAINED = 0
CONFIDENCE = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = alone.parser("adapters.strategies.learned", __doc__)
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="what is written")
    parser.add_argument("--recorded", metavar="RUN", type=Path, action="append", default=[], help="folder of a run")
    given = parser.parse_args(arguments)
    refusals = (RoleError, TrainingError, TreeFileError)
    return alone.run(lambda: _train(given), failure=SampleError, refusals=refusals, kept=alone.GOES_ON)


def _train(given: argparse.Namespace) -> int:
    handout = Handout.load(given.handout)
    ((_, values),) = handout.strategy[0].items()
    settings = typed.build(SurrogateSettings, values, plain=True)
    asked = Asked.of(handout, given.model, settings, bool(given.recorded))
    same = [f.name for f in dataclasses.fields(Wanted) if f.name not in ("dt", "bounds", "seed")]
    chosen = {name: getattr(settings, name) for name in same}
    wanted = Wanted(**chosen, dt=asked.dt, bounds=asked.bounds, seed=handout.seed)
    work = given.out.with_name(f"{given.out.stem}.samples.npz")
    runs = [(run, handout.participant) for run in given.recorded]
    begun = time.perf_counter()
    print(f"{asked.told}; seed {handout.seed}", flush=True)
    with Meter() as meter:
        law = train(asked.model, asked.space, asked.box, wanted, meter.show, work, runs)
    law.save(given.out)
    print("\n".join(_told(law)))
    print(f"took {time.perf_counter() - begun:.0f} s; samples are kept in {work}\noutput: {given.out}", flush=True)
    return TRAINED


def _told(law: Trained) -> list[str]:
    """Return in words what was made."""
    paths = min(len(c.scores) for c in law.calibrations.values())
    lines = [f"form: {law.name}; ensemble of {law.members}"]
    if law.name == "monotone" and law.about["history"] > 0.01:
        lines.append(
            f"warning: the way to the same controls changes what the micro model shows by "
            f"{100 * law.about['history']:.3g} %, and a monotone law has no memory"
        )
    width = max(len(name) for name in law.observables)
    lines += [f"{'observable':{width}}  error on paths not seen (root mean square, relative)"]
    lines += [f"{name:{width}}  {error:.3g}" for name, error in law.held_out.items()]
    if paths < fewest(CONFIDENCE):
        lines.append(
            f"warning: {paths} paths to calibrate with; an estimate with {100 * CONFIDENCE:g} % needs "
            f"{fewest(CONFIDENCE)}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
