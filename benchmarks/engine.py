"""How long does the coupling itself take?   python benchmarks/engine.py [embedded|precice ...]

Two processes exchange 1, 10^4 and 10^6 values each way in every time window, explicit and implicit (two iterations a
window), and do nothing else. Printed is the median time between two calls of advance() in the first participant, with
reading and writing, and the largest memory of a process. `precice` is measured where the module can be imported by the
interpreter named in the environment variable PRECICE_PYTHON (else this one).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = {1: 2000, 10_000: 1000, 1_000_000: 30}  # values: time windows

CONFIG = """<precice-configuration>
  <log enabled="false" /><profiling mode="off" />
  <data:scalar name="A" /><data:scalar name="B" />
  <mesh name="M" dimensions="2"><use-data name="A" /><use-data name="B" /></mesh>
  <participant name="One"><provide-mesh name="M" />
    <write-data name="A" mesh="M" /><read-data name="B" mesh="M" /></participant>
  <participant name="Two"><receive-mesh name="M" from="One" api-access="true" />
    <write-data name="B" mesh="M" /><read-data name="A" mesh="M" /></participant>
  <m2n:sockets acceptor="One" connector="Two" />
  <coupling-scheme:serial-{kind}>
    <participants first="One" second="Two" />
    <max-time-windows value="{windows}" /><time-window-size value="1" />
    <exchange data="A" mesh="M" from="One" to="Two" substeps="false" />
    <exchange data="B" mesh="M" from="Two" to="One" substeps="false" />
    {more}
  </coupling-scheme:serial-{kind}>
</precice-configuration>
"""

PROGRAM = """
import json, resource, sys, time
import numpy as np
import precice
name, n = sys.argv[1], int(sys.argv[2])
p = precice.Participant(name, "case.xml", 0, 1)
if name == "One":
    ids = p.set_mesh_vertices("M", np.random.default_rng(0).random((n, 2)))
else:
    p.set_mesh_access_region("M", [-1, 2, -1, 2])
p.initialize()
if name == "Two":
    ids, _ = p.get_mesh_vertex_ids_and_coordinates("M")
values, times = np.ones(n), []
mine, theirs = ("A", "B") if name == "One" else ("B", "A")
while p.is_coupling_ongoing():
    began = time.perf_counter()
    p.requires_writing_checkpoint()
    p.read_data("M", theirs, ids, 0.0)
    p.write_data("M", mine, ids, values)
    p.advance(1.0)
    p.requires_reading_checkpoint()
    times.append(time.perf_counter() - began)
p.finalize()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
json.dump([float(np.median(times)), memory], open(name + ".json", "w"))
"""


def measure(engine: str, kind: str, values: int, windows: int) -> tuple[float, float]:
    """Return the median seconds per advance and the larger memory of the two processes in MiB."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    python = sys.executable
    if engine == "embedded":
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "scalebridge" / "embedded" / "module"), str(ROOT)])
    else:
        python = os.environ.get("PRECICE_PYTHON", sys.executable)
    more = '<max-iterations value="2" />' if kind == "implicit" else ""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "case.xml").write_text(CONFIG.format(kind=kind, windows=windows, more=more))
        processes = [
            subprocess.Popen(
                [python, "-c", PROGRAM, name, str(values)], cwd=folder, env=environment, stdout=subprocess.DEVNULL
            )
            for name in ("One", "Two")
        ]
        statuses = [p.wait(600) for p in processes]
        if any(statuses):
            raise SystemExit(f"{engine}, {kind}, {values} values: a process failed")
        seconds, memory = zip(*(json.loads(Path(folder, f"{n}.json").read_text()) for n in ("One", "Two")), strict=True)
    return seconds[0], max(memory)


def main(engines: list[str]) -> None:
    print("| values each way | scheme | " + " | ".join(f"{e} [ms]" for e in engines) + " | memory [MiB] |")
    print("|---|---|" + "---|" * (len(engines) + 1))
    for kind in ("explicit", "implicit"):
        for values, windows in SIZES.items():
            results = [measure(engine, kind, values, windows) for engine in engines]
            times = " | ".join(f"{1e3 * seconds:.3f}" for seconds, _ in results)
            print(f"| {values} | {kind} | {times} | {', '.join(f'{m:.0f}' for _, m in results)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["embedded"])
