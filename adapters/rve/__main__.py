"""How large does a micro volume have to be? Started by `scalebridge rve` with what it hands out.

exit status:
  0    a size that was tried is enough
  1    none is
  2    there are no such volumes, or an argument is not right
  3    a volume could not be solved
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters import alone
from adapters.rve import picture
from adapters.rve.answer import answer
from adapters.rve.asked import Asked, properties
from adapters.rve.medium import SizeError, VolumeError
from adapters.rve.table import FILE_NAME, TABLE, Study
from scalebridge.handout import Handout

ENOUGH = 0
NOT_ENOUGH = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = alone.parser("adapters.rve", __doc__)
    parser.add_argument("--tolerance", metavar="SHARE", type=float, required=True, help="relative")
    parser.add_argument("--sizes", metavar="N", type=int, nargs="+", required=True, help="edges, in those of the case")
    parser.add_argument("--resolutions", metavar="N", type=int, nargs="+", required=True, help="cells, in the same way")
    parser.add_argument("--realisations", metavar="N", type=int, required=True, help="volumes of each kind, at least 2")
    parser.add_argument("--data", metavar="NAME", action="append", default=[], help="only these data")
    parser.add_argument("--control", metavar="NAME=VALUE", action="append", default=[], help="value of a control")
    parser.add_argument("--time", metavar="SECONDS", type=float, default=0.0, help="how long they are held")
    parser.add_argument("--steps", metavar="N", type=int, default=1, help="equal steps in that time")
    given = parser.parse_args(arguments)
    return alone.run(lambda: _study(given), failure=VolumeError, refusals=(SizeError,))


def _forget(folder: Path) -> None:
    """Leave no earlier answer where there may be none this time."""
    for name in (TABLE, picture.FILE_NAME, FILE_NAME):
        if (folder / name).exists():
            (folder / name).unlink()
    (folder / FILE_NAME).touch()  # by which the hub knows the folder


def _study(given: argparse.Namespace) -> int:
    handout = Handout.load(given.handout)
    folder = Path(handout.output)
    _forget(folder)
    asked = Asked.of(handout, given.model, given.data, given.control, given.time, given.steps)
    keys = [(size, resolution) for size in sorted(set(given.sizes)) for resolution in sorted(set(given.resolutions))]
    volumes = {key: asked.medium.model(*key) for key in keys}  # what is wrong with any of them comes first
    grids = {key: tuple(getattr(model, "cell_shape", ())) for key, model in volumes.items()}
    print(f"{asked.medium.name}; {'; '.join(asked.told)}", flush=True)
    drawn = {}
    for i, key in enumerate(keys, 1):
        shown = " x ".join(map(str, grids[key]))
        print(
            f"[{i}/{len(keys)}] size {key[0]}, resolution {key[1]}: {given.realisations} volumes of {shown}", flush=True
        )
        drawn[key] = asked.medium.draw(*key, given.realisations, asked.conditions)
    found = properties(drawn, asked, len(grids[keys[0]]))
    edge = float(asked.medium.kind(asked.medium.settings, handout.seed).cell_size[0])
    case = f"{handout.case}-{handout.variant}" if handout.variant else handout.case
    study = Study(
        case,
        handout.participant,
        asked.medium.name,
        asked.told,
        given.tolerance,
        edge,
        grids,
        found,
        answer(found, given.tolerance, edge),
    )
    print("\n" + study.write(folder))
    picture.draw(folder / picture.FILE_NAME, study)
    print(f"output: {folder}", flush=True)
    return NOT_ENOUGH if study.answer.enough is None else ENOUGH


if __name__ == "__main__":
    sys.exit(main())
