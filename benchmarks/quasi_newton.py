"""How long does a step of IQN-ILS with 50 columns take, on 10^6 unknowns?

A linear fixed point whose iteration does not converge in 52 iterations; measured is advance() of the participant that
accelerates in the last of them, with the exchange of 10^6 values each way.
"""

from __future__ import annotations

from benchmarks.pairs import PairError, run, seconds, table

COLUMNS, UNKNOWNS = 50, 1_000_000

CONFIG = """<precice-configuration>
  <log enabled="false" /><profiling mode="off" />
  <data:scalar name="A" /><data:scalar name="B" />
  <mesh name="M" dimensions="2"><use-data name="A" /><use-data name="B" /></mesh>
  <participant name="One"><provide-mesh name="M" />
    <write-data name="A" mesh="M" /><read-data name="B" mesh="M" /></participant>
  <participant name="Two"><receive-mesh name="M" from="One" api-access="true" />
    <write-data name="B" mesh="M" /><read-data name="A" mesh="M" /></participant>
  <m2n:sockets acceptor="One" connector="Two" />
  <coupling-scheme:serial-implicit>
    <participants first="One" second="Two" />
    <max-time-windows value="1" /><time-window-size value="1" />
    <exchange data="A" mesh="M" from="One" to="Two" substeps="false" />
    <exchange data="B" mesh="M" from="Two" to="One" substeps="false" />
    <max-iterations value="{iterations}" />
    <absolute-convergence-measure limit="1e-13" data="B" mesh="M" />
    <acceleration:IQN-ILS>
      <data name="B" mesh="M" /><preconditioner type="residual-sum" /><filter type="QR1" limit="1e-14" />
      <initial-relaxation value="0.1" /><max-used-iterations value="{columns}" />
    </acceleration:IQN-ILS>
  </coupling-scheme:serial-implicit>
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
mine, theirs = ("A", "B") if name == "One" else ("B", "A")
gains = np.linspace(-0.9, 0.9, n) if name == "Two" else 1.0
times = []
while p.is_coupling_ongoing():
    p.requires_writing_checkpoint()
    p.write_data("M", mine, ids, gains * np.tanh(p.read_data("M", theirs, ids, 0.0)) + 1.0)
    began = time.perf_counter()
    p.advance(1.0)
    times.append(time.perf_counter() - began)
    p.requires_reading_checkpoint()
p.finalize()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
json.dump([float(np.median(times[-4:-1])), memory], open(name + ".json", "w"))
"""


def report(engines: list[str]) -> str:
    """Measure and return a table."""
    rows = []
    config = CONFIG.format(columns=COLUMNS, iterations=COLUMNS + 4)
    for engine in engines:
        try:
            result = run(engine, config, PROGRAM, UNKNOWNS)["Two"]
        except PairError as error:
            rows.append([engine, f"failed: {str(error).splitlines()[-1]}", ""])
        else:
            rows.append([engine, seconds(result[0]), f"{result[1]:.0f} MiB"])
    return table(f"IQN-ILS with {COLUMNS} columns, {UNKNOWNS:,} unknowns", ["engine", "advance", "peak memory"], rows)
