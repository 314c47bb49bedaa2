"""What does it cost to couple a network of spiking neurons?

The tutorial `brain`, its variant `mean-field`: 10^4 neurons in Brian2, time windows of 1 ms. The same network under the
same input alone is one call over the whole time, in this process. Of the coupled run counts what its participant Column
does from the first window to the last: computing, exchanging, and waiting for Brain.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.pairs import ROOT, table
from scalebridge.settings import build

WINDOWS = (("1 ms", "brain-pair.xml"), ("0.2 ms", "brain-split.xml"))
SECONDS = 0.6  # biological, of the case
REPEATS = 3


def coupled(coupling: str) -> dict[str, float]:
    """Run the case with the time windows of an XML file; return what Column spent [s], and its settings."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "scalebridge", "run", "brain", "--variant", "mean-field", "--plain"]
        xml = ROOT / "precice-config" / coupling
        chosen = [f"coupling={xml}", f"scaling={xml.with_suffix('.scaling.xml')}", "report=null"]
        command += [word for change in chosen for word in ("--set", change)]
        subprocess.run([*command, "--out", str(out)], cwd=ROOT, check=True, capture_output=True)
        told = json.loads((out / "summary.json").read_text())["participants"]["Column"]
        return {name: told[name] for name in ("solving", "waiting", "exchanging", "settings")}


def alone(settings: dict[str, float]) -> float:
    """Return how long the same network takes under the same input without any window [s]."""
    from participants.neural.spiking import QuadraticNeurons

    model = QuadraticNeurons(build(QuadraticNeurons.Settings, {**settings, "raster": 0}, plain=True), 1)
    samples = np.arange(round(SECONDS / 1e-4)) * 0.1  # ms
    stimulus = np.where((samples >= 100) & (samples < 300), 3.0, 0.0)[None, :]
    state = model.start(np.array([[1.0, 0.0]]), {"stimulus": stimulus})
    model.solve(state, {"stimulus": stimulus[:, :10]}, 1e-3)  # makes the network
    began = time.perf_counter()
    model.solve(state, {"stimulus": stimulus}, SECONDS)
    return time.perf_counter() - began


def report() -> str:
    """Measure and return a table."""
    rows = []
    runs = {window: [coupled(xml) for _ in range(REPEATS)] for window, xml in WINDOWS}
    plain = min(alone(dict(runs["1 ms"][0]["settings"])) for _ in range(REPEATS))  # type: ignore[call-overload]
    rows.append(["alone", "", "", "", f"{plain:.2f} s", "", f"{plain / SECONDS:.1f} s"])
    for window, found in runs.items():
        best = min(found, key=lambda run: run["solving"] + run["exchanging"] + run["waiting"])
        parts = [best[name] for name in ("solving", "exchanging", "waiting")]
        total = sum(parts)
        cost = f"{100 * (total / plain - 1):.1f} %"
        rows.append([window, *(f"{part:.2f} s" for part in parts), f"{total:.2f} s", cost, f"{total / SECONDS:.1f} s"])
    columns = ["time window", "solving", "exchanging", "waiting", "sum", "cost of coupling", "per biological second"]
    title = f"10,000 quadratic integrate-and-fire neurons in Brian2, {1e3 * SECONDS:g} ms"
    return table(title, columns, rows)
