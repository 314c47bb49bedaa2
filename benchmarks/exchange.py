"""How long does the coupling itself take, and how much memory?

Two processes exchange 1, 10^4 and 10^6 values each way in every time window, explicit and implicit (two iterations a
window), and do nothing else. Measured is the time from one advance() to the next in the first participant of a serial
scheme, so both participants are in it, each with reading and writing.
"""

from __future__ import annotations

import statistics

from benchmarks.pairs import run, seconds, table

SIZES = {1: 2000, 10_000: 1000, 1_000_000: 30}  # values: time windows
REPEATS = 3

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
    points = np.random.default_rng(0).random((n, 2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ids = p.set_mesh_vertices("M", points)
else:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
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
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
json.dump([float(np.median(times)), after / 1024, (after - before) / 1024], open(name + ".json", "w"))
"""


def measure(engine: str, kind: str, values: int) -> tuple[float, float, float]:
    """Return the smallest median of seconds per advance in some runs, and the peak and added memory in MiB."""
    more = '<max-iterations value="2" />' if kind == "implicit" else ""
    config = CONFIG.format(kind=kind, windows=SIZES[values], more=more)
    results = [run(engine, config, PROGRAM, values) for _ in range(REPEATS)]
    time = min(r["One"][0] for r in results)
    peak = statistics.median(max(r["One"][1], r["Two"][1]) for r in results)
    added = statistics.median(max(r["One"][2], r["Two"][2]) for r in results)
    return time, peak, added


def report(engines: list[str]) -> str:
    """Measure and return a table."""
    rows = []
    for kind in ("explicit", "implicit"):
        for values in SIZES:
            results = [measure(engine, kind, values) for engine in engines]
            rows.append([f"{values:,}", kind, *(seconds(r[0]) for r in results), *(f"{r[1]:.0f} MiB" for r in results)])
    columns = ["values each way", "scheme", *engines, *(f"peak memory {e}" for e in engines)]
    return table("Time per advance of two coupled processes", columns, rows)
