"""How many cell problems are solved in a second, what memory does one take, how long do two windows of a case take?

A batch of square volumes, each with a disc of its own radius and place, given as a phase field, goes through a map:
from nothing (cold), and again after every disc has shrunk by a thousandth of the volume (warm), as in a coupled run. A
step of Allen-Cahn moves the phase itself; the second begins where the first ends. Everything in double precision.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.scaling.homogenisation import EffectiveTensor
from adapters.scaling.permeability import Permeability
from adapters.scaling.protocol import Upscale
from benchmarks.pairs import ROOT, seconds, table
from participants.micro import allen_cahn
from scalebridge.fields import Field

type Pair = tuple[float, float]  # seconds for a whole batch, cold and warm

BATCHES = (1, 10, 100, 1000, 10_000)
CELLS = (32, 64, 128)
THREADS = (1, 2)
MOST_CELLS = 11_000_000  # grid cells of a batch; more than that does not fit into the memory of a small machine
LIMIT = 30.0  # seconds that a batch may take, foretold from the one before; larger ones are left out
ENOUGH = 0.5  # seconds; batches that take less are measured three times, and the shortest counts
SHRINKAGE = 1e-3  # of the edge, between a cold and a warm solution
WIDTH = 6  # of the interface, in grid cells
# Name of the map: how to make it for a number of threads.
MAPS: dict[str, Callable[[int], Upscale]] = {
    "effective-tensor": lambda threads: EffectiveTensor(faces="arithmetic", tolerance=1e-7, threads=threads),
    "permeability": lambda threads: Permeability(wall="phase-field", threads=threads),
}
CASE = "two-scale-heat-conduction"
WINDOWS = 2


def fluid(cells: int, volumes: int, shrunk: float = 0.0) -> NDArray[np.float64]:
    """Return phase fields (volumes, cells, cells), 1 in the fluid around a disc with a radius of 0.2 to 0.4."""
    rng = np.random.default_rng(1)
    radius, middle = rng.uniform(0.2, 0.4, volumes), rng.uniform(0.3, 0.7, (volumes, 2))
    x = (np.arange(cells) + 0.5) / cells
    away = np.abs(x - middle[..., None])
    away = np.minimum(away, 1 - away)
    distance = np.hypot(away[:, 0, :, None], away[:, 1, None, :]) - (radius - shrunk)[:, None, None]
    return np.asarray(0.5 * (1 + np.tanh(2 * distance * cells / WIDTH)))


def upscaling(name: str, cells: int, volumes: int, threads: int) -> Pair:
    """Return how long a map takes."""
    map_ = MAPS[name](threads)
    memory = map_.start(Field("1", per="grid"), volumes, (cells, cells))
    taken = []
    for values in (fluid(cells, volumes), fluid(cells, volumes, SHRINKAGE)):
        began = time.perf_counter()
        _, memory = map_.upscale(values, memory, (1.0, 1.0))
        taken.append(time.perf_counter() - began)
    return taken[0], taken[1]


def stepping(cells: int, volumes: int, threads: int) -> Pair:
    """Return how long two steps of Allen-Cahn take, as in the case: 0.01 s at the concentration of equilibrium."""
    phase, speed = fluid(cells, volumes), np.zeros(volumes)
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        phase = allen_cahn.step(
            phase, speed, 0.01, size=1.0, width=WIDTH / cells, gamma=0.05, tolerance=1e-9, threads=threads
        )
        taken.append(time.perf_counter() - began)
    return taken[0], taken[1]


def rates(work: Callable[[int, int, int], Pair]) -> list[list[str]]:
    """Return rows with volumes per second of `work(cells, volumes, threads)`, a dash where it would take too long."""
    rows = []
    for cells in CELLS:
        told = dict.fromkeys(THREADS, 0.0)  # seconds that a volume takes
        for volumes in BATCHES:
            row = [f"{cells} x {cells}", f"{volumes:,}"]
            for threads in THREADS:
                if volumes * cells**2 > MOST_CELLS or volumes * told[threads] > LIMIT:
                    row += ["-", "-"]
                    continue
                best = work(cells, volumes, threads)
                for _ in range(2 if sum(best) < ENOUGH else 0):
                    again = work(cells, volumes, threads)
                    best = min(best[0], again[0]), min(best[1], again[1])
                told[threads] = sum(best) / volumes
                row += [f"{volumes / one:,.3g}" if volumes / one < 1000 else f"{volumes / one:,.0f}" for one in best]
            if row[2:].count("-") < len(row) - 2:
                rows.append(row)
    return rows


def windows() -> Mapping[str, float]:
    """Run the first time windows of the case in a folder of its own; return seconds by what took them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in (f"tutorials/{CASE}/case.yaml", f"precice-config/{CASE}.xml", f"precice-config/{CASE}.scaling.xml"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            text = (ROOT / file).read_text(encoding="utf-8")
            text = text.replace('<max-time value="0.25" />', f'<max-time-windows value="{WINDOWS}" />')
            (folder / file).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "scalebridge", "run", str(folder / "tutorials" / CASE), "--engine", "embedded"]
        command += [
            "--set",
            "report=null",
            "--set",
            "Micro.settings.snapshots=0",
            "--out",
            str(folder / "run"),
            "--plain",
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))
    micro = summary["participants"]["Micro"]
    return {
        "wall": summary["wall"],
        "solving": micro["solving"],
        "iteration": micro["solving"] / sum(micro["iterations"]),
    }


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
    columns = ["grid", "batch"]
    columns += [f"{t} thread{'s' * (t > 1)}, {kind}" for t in THREADS for kind in ("cold", "warm")]
    parts = []
    for name in MAPS:
        rows = rates(lambda *how, name=name: upscaling(name, *how))
        parts.append(table(f"Volumes per second through `{name}`", columns, rows))
        added, state = memory_per_volume(name)
        parts.append(f"Memory for one volume more: {added / 1024:.0f} KiB beside a state of {state / 1024:.0f} KiB.\n")
    columns = [c.replace("cold", "first").replace("warm", "second") for c in columns]
    parts.append(table("Volumes per second through a step of Allen-Cahn", columns, rates(stepping)))
    taken = windows()
    parts.append(
        f"The first {WINDOWS} windows of `{CASE}` (48 cells of 48 x 48, two threads): {seconds(taken['wall'])} from "
        f"start to end with all processes, {seconds(taken['solving'])} of it in the cells, "
        f"{seconds(taken['iteration'])} in each iteration.\n"
    )
    return "\n".join(parts)
