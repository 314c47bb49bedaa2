"""Which neuron fired when in a run, as a table that grows window by window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER = "time [s],population,neuron\n"


def chosen(neurons: int, number: int) -> NDArray[np.int64]:
    """Return which neurons of a population to show: this number, evenly spaced, so that each kind has its share."""
    return np.linspace(0, neurons - 1, min(number, neurons)).round().astype(np.int64)


class Raster:
    """A .csv file with one line for each spike.

    Parameters
    ----------
    path : the file.
    begin : when the run begins [s]. Of a run that goes on, what had been written of its future is dropped.
    """

    def __init__(self, path: Path, begin: float) -> None:
        self.path = path.resolve()
        kept = ""
        if begin > 0 and self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]
            whole = (line for line in lines if line.endswith("\n"))
            kept = "".join(line for line in whole if float(line.partition(",")[0]) <= begin * (1 + 1e-12))
        self.path.write_text(HEADER + kept, encoding="utf-8")

    def add(self, population: NDArray[np.int64], neuron: NDArray[np.int64], time: NDArray[np.float64]) -> None:
        """Write the spikes of a window, in order of time."""
        rows = zip(time.tolist(), population.tolist(), neuron.tolist(), strict=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(f"{t:.12g},{p},{i}\n" for t, p, i in rows)
