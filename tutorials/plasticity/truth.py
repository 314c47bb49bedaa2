"""Solve every cell along the strains that it has had, and tell how wrong answers were.   python truth.py RUN

That costs as much as one iteration of each window with all cells. The run itself solves a random share and bounds the
rest; here its bound is held against the true error, the mean over cells and windows, relative to the largest value.
"""

import json
import sys
from pathlib import Path

import energies
import numpy as np

from participants.micro.elastoplastic import Elastoplastic
from scalebridge import settings
from scalebridge.handout import Handout


def main(run):
    true, told = errors(run), bounds(run)
    print(f"{'':12}  true error  {'bound':>10}  bound / true")
    for name, error in true.items():
        rest = f"{told[name]:10.3g}  {told[name] / error:12.3g}" if name in told and error else ""
        print(f"{name:12}  {error:10.3g}  {rest}")


def errors(run):
    """Return the true errors of the run by observable."""
    handout = Handout.load(run / "Micro" / "handout.json")
    cells = Elastoplastic(settings.build(Elastoplastic.Settings, handout.settings, plain=True), handout.seed)
    rows, shots = energies.read(run)
    if len(shots) != len(rows) + 1:
        raise SystemExit("the strains of all windows are needed, see Micro.settings.snapshots")
    state = cells.start(shots[0]["points"], {"strain": shots[0]["Strain"]})
    sums, largest = {"Stress": 0.0, "Dissipation": 0.0}, {"Stress": 0.0, "Dissipation": 0.0}
    for shot in shots[1:]:
        state, seen = cells.solve(state, {"strain": shot["Strain"]}, 1.0)
        for name in sums:
            exact = seen[name.lower()].reshape(len(shot["points"]), -1)
            wrong = np.linalg.norm(shot[name].reshape(exact.shape) - exact, axis=1)
            sums[name] += wrong.mean() / (len(shots) - 1)
            largest[name] = max(largest[name], np.linalg.norm(exact, axis=1).max())
    return {name: sums[name] / largest[name] for name in sums}


def bounds(run):
    """Return the bounds that an adaptive run has told, by observable."""
    account = json.loads((run / "Micro" / "strategy.json").read_text())
    told = {name: value for layer in account["layers"] for name, value in layer["report"].items()}
    return {name: told[key] for name in ("Stress", "Dissipation") if (key := f"bound of the error of {name}") in told}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
