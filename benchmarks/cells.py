"""How many cell problems are solved in a second, and what memory does one take?

A batch of square volumes, each with a disc of its own radius and place, given as a phase field, goes through the map:
from nothing (cold), and again after every disc has shrunk by a thousandth of the volume (warm), as in a coupled run.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.scaling.permeability import Permeability
from adapters.scaling.protocol import Upscale
from benchmarks.pairs import table
from scalebridge.fields import Field

# Cells along each axis of a volume: volumes in a batch.
BATCHES = {32: (1, 10, 100, 1000, 10_000), 64: (1, 10, 100, 1000), 128: (1, 10, 100)}
THREADS = (1, 2)
SHRINKAGE = 1e-3  # of the edge, between a cold and a warm solution
# Name of the map: how to make it for a number of threads.
MAPS: dict[str, Callable[[int], Upscale]] = {
    "permeability": lambda threads: Permeability(wall="phase-field", threads=threads),
}


def fluid(cells: int, volumes: int, shrunk: float = 0.0) -> NDArray[np.float64]:
    """Return phase fields (volumes, cells, cells), 1 in the fluid around a disc with a radius of 0.2 to 0.4."""
    rng = np.random.default_rng(1)
    radius, middle = rng.uniform(0.2, 0.4, volumes), rng.uniform(0.3, 0.7, (volumes, 2))
    x = (np.arange(cells) + 0.5) / cells
    away = np.abs(x - middle[..., None])
    away = np.minimum(away, 1 - away)
    distance = np.hypot(away[:, 0, :, None], away[:, 1, None, :]) - (radius - shrunk)[:, None, None]
    return np.asarray(1 / (1 + np.exp(-distance * cells / 1.5)))


def measure(name: str, cells: int, volumes: int, threads: int) -> tuple[float, float]:
    """Return volumes per second, cold and warm."""
    map_ = MAPS[name](threads)
    memory = map_.start(Field("1", per="grid"), volumes, (cells, cells))
    rates = []
    for values in (fluid(cells, volumes), fluid(cells, volumes, SHRINKAGE)):
        began = time.perf_counter()
        _, memory = map_.upscale(values, memory, (1.0, 1.0))
        rates.append(volumes / (time.perf_counter() - began))
    return rates[0], rates[1]


def memory_per_volume(name: str, cells: int = 32, few: int = 300, many: int = 600) -> tuple[float, float]:
    """Return the bytes that each further volume adds to the peak, and those of its state."""
    peaks, state = [], 0.0
    for volumes in (few, many):
        map_, values = MAPS[name](1), fluid(cells, volumes)
        memory: Any = map_.start(Field("1", per="grid"), volumes, (cells, cells))
        state = sum(array.nbytes for array in memory.values()) / volumes
        tracemalloc.start()
        map_.upscale(values, memory, (1.0, 1.0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return (peaks[1] - peaks[0]) / (many - few), state


def report() -> str:
    """Measure and return tables."""
    parts = []
    for name in MAPS:
        rows = []
        for cells, batches in BATCHES.items():
            for volumes in batches:
                row = [f"{cells} x {cells}", f"{volumes:,}"]
                for threads in THREADS:
                    row += [f"{rate:,.3g}" for rate in measure(name, cells, volumes, threads)]
                rows.append(row)
        columns = [
            "cells",
            "batch",
            *(f"{t} thread{'s' * (t > 1)}, {kind}" for t in THREADS for kind in ("cold", "warm")),
        ]
        parts.append(table(f"Volumes per second through `{name}`, double precision", columns, rows))
        added, state = memory_per_volume(name)
        parts.append(
            f"Memory of `{name}` per volume: {added / 1024:.0f} KiB beside a state of {state / 1024:.0f} KiB.\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(report())
