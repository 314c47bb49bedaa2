"""A participant of ours that leaves results: dx/dt = -x from t = 0 to 1, a series, snapshots, a check; it also couples.

Its method is explicit Euler, of first order, Heun, of second, or broken, which raises after half of the time.
"""

import json
import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalebridge import checks, settings
from scalebridge.handout import Handout
from scalebridge.settings import setting

ROWS = 4


@dataclass(frozen=True)
class Settings:
    steps: int = setting(4, "number of time steps, a multiple of 4", minimum=4)
    method: str = setting("euler", "method", choices=("euler", "heun", "broken"))
    limit: float = setting("1", "largest error allowed")


def solve(made):
    """Yield t and x(t) at ROWS times, for the initial values 1, 2 and 3."""
    x, dt = np.array([1.0, 2.0, 3.0]), 1.0 / made.steps
    factor = 1 - dt + (dt**2 / 2 if made.method == "heun" else 0.0)
    for row in range(1, ROWS + 1):
        if made.method == "broken" and row > ROWS // 2:
            raise ArithmeticError("the step is too long")
        for _ in range(made.steps // ROWS):
            x = x * factor
        yield row / ROWS, x


def main(handout):
    made = settings.build(Settings, handout.settings, plain=True)
    output = Path(handout.output)
    (output / "snapshots").mkdir()
    with (output / "series.csv").open("w") as series:
        series.write("time,first,total\n")
        for t, x in solve(made):
            series.write(f"{t},{float(x[0])!r},{float(x.sum())!r}\n")
            points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
            np.savez(output / "snapshots" / f"{round(t * ROWS):06d}.npz", time=np.array(t), points=points, x=x)
    sys.argv = ["partner.py", "none", "0"]
    runpy.run_path(str(Path(__file__).parents[1] / "hub" / "partner.py"))
    error = abs(float(x[0]) - float(np.exp(-1.0)))
    found = [checks.at_most("error", error, made.limit, source="x(1) = exp(-1)")]
    (output / "checks.json").write_text(json.dumps([c.to_json() for c in found]))


if __name__ == "__main__":
    if sys.argv[1] == "--describe":
        fields = {"reads": {"Beta": {"unit": "K"}}, "writes": {"Alpha": {"unit": "K"}}}
        told = {"module": "decay", "title": "Decay", "kind": "solver", "settings": settings.schema(Settings), **fields}
        print(json.dumps(told))
    else:
        main(Handout.load(os.path.abspath(sys.argv[2])))
