"""How often a field is in memory: at most twice in each process, once as a sample in time and once for the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_server import REAL, Server, running

pytestmark = [
    pytest.mark.skipif(REAL, reason="memory of the embedded engine"),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc"),
]
VALUES = 1_000_000
WRITTEN = 1  # field that the program has written and that nobody has seen yet
SLACK = 0.75  # fields; for the numbers of vertices, and what comes and goes

CONFIG = """<precice-configuration>
  <log enabled="false" /><profiling mode="off" />
  <data:scalar name="A" /><data:scalar name="B" />
  <mesh name="M" dimensions="2"><use-data name="A" /><use-data name="B" /></mesh>
  <participant name="One"><provide-mesh name="M" />
    <write-data name="A" mesh="M" /><read-data name="B" mesh="M" /></participant>
  <participant name="Two"><receive-mesh name="M" from="One" api-access="true" />
    <write-data name="B" mesh="M" /><read-data name="A" mesh="M" /></participant>
  <m2n:sockets acceptor="One" connector="Two" />
  <coupling-scheme:{scheme}>
    <participants first="One" second="Two" />
    <max-time-windows value="4" /><time-window-size value="1" />
    <exchange data="A" mesh="M" from="One" to="Two" /><exchange data="B" mesh="M" from="Two" to="One" />
    {more}
  </coupling-scheme:{scheme}>
</precice-configuration>
"""

PROGRAM = """
import resource, sys, time
import numpy as np
import precice
name, n = sys.argv[1], int(sys.argv[2])

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

p = precice.Participant(name, "case.xml", 0, 1)
if name == "One":
    ids = p.set_mesh_vertices("M", np.random.default_rng(0).random((n, 2)))
else:
    p.set_mesh_access_region("M", [-1, 2, -1, 2])
p.initialize()
if name == "Two":
    ids, _ = p.get_mesh_vertex_ids_and_coordinates("M")
mine, theirs = ("A", "B") if name == "One" else ("B", "A")
time.sleep(1.0)  # the partner has taken the mesh by then; a message that waits to be taken is one more
values, seen, sizes = np.ones(n), np.ones(n), [resident()]
count = 0
while p.is_coupling_ongoing():
    p.requires_writing_checkpoint()
    count += 1
    seen = p.read_data("M", theirs, ids, 1.0)
    values[:] = count
    p.write_data("M", mine, ids, values)
    sizes.append(resident())
    p.advance(1.0)
    sizes.append(resident())
    p.requires_reading_checkpoint()
print("fields", (max(sizes) - sizes[0]) / values.nbytes)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


# How many samples in time there are of each of the two fields: in an implicit scheme the start of the window, and its
# end in this iteration and in the last one.
@pytest.mark.parametrize(
    ("scheme", "samples"),
    [("serial-explicit", 1), ("parallel-explicit", 1), ("serial-implicit", 3), ("parallel-implicit", 3)],
)
def test_each_field_is_in_memory_twice_at_most(server: Server, tmp_path: Path, scheme: str, samples: int) -> None:
    more = '<max-iterations value="3" /><acceleration:constant><relaxation value="0.5" /></acceleration:constant>'
    more += '<absolute-convergence-measure limit="1e-9" data="B" mesh="M" />'
    config = CONFIG.format(scheme=scheme, more=more if samples > 1 else "")
    (tmp_path / "case.xml").write_text(config)
    (tmp_path / "program.py").write_text(PROGRAM)
    ended = server.run(tmp_path, {name: [tmp_path / "program.py", name, VALUES] for name in ("One", "Two")})
    for name, end in ended.items():
        assert end.status == 0, end.output
        assert float(end.output.split("fields ")[-1]) < 2 * 2 * samples + WRITTEN + SLACK, name
