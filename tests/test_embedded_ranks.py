"""A participant on several MPI ranks: the same results as on one, whatever it does.

libprecice has its own tests on ranks, and needs an intra-comm tag where it was built without MPI: not tested here.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from engine_server import REAL, engine_environment

pytestmark = [
    pytest.mark.skipif(REAL, reason="tests of the embedded engine on ranks"),
    pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="mpi4py is not installed"),
]

RANKED = """
import json, sys
import numpy as np
name, size = sys.argv[1], int(sys.argv[2])
rank = 0
if size > 1:
    from mpi4py import MPI
    rank = MPI.COMM_WORLD.rank
import precice
p = precice.Participant(name, "case.xml", rank, size)
n = 7 if name == "Left" else 5
x = np.stack([np.linspace(0, 1, n), np.linspace(0, 1, n) ** 2], axis=1)
mine = np.array_split(np.arange(n), size)[rank]
mesh = name + "-Mesh"
ids = p.set_mesh_vertices(mesh, x[mine])
if p.requires_initial_data():
    p.write_data(mesh, "Beta", ids, x[mine, 0] + 1)
p.initialize()
t, rows = 0.0, []
while p.is_coupling_ongoing():
    if p.requires_writing_checkpoint():
        saved = t
    dt = min(p.get_max_time_step_size(), 0.25)
    mean = p.read_data(mesh, "Beta" if name == "Left" else "Alpha", ids, dt)
    t += dt
    if name == "Left":
        a = np.stack([np.tanh(mean + t) + x[mine, 0], np.sin(mean) * x[mine, 1]], axis=1)
        p.write_data(mesh, "Alpha", ids, a)
    else:
        p.write_data(mesh, "Beta", ids, 0.3 * np.cos(mean.sum(axis=1) + x[mine, 0] * t))
    p.advance(dt)
    rows.append([t, bool(p.is_time_window_complete()), mean.ravel().tolist()])
    if p.requires_reading_checkpoint():
        t = saved
p.finalize()
json.dump(rows, open(f"{name}-{rank}.json", "w"))
"""

RANKED_CONFIG = """<precice-configuration>
  <log enabled="false" />
  <data:vector name="Alpha" waveform-degree="2" />
  <data:scalar name="Beta" />
  <mesh name="Left-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <mesh name="Right-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <participant name="Left">
    <provide-mesh name="Left-Mesh" />
    <receive-mesh name="Right-Mesh" from="Right" />
    <write-data name="Alpha" mesh="Left-Mesh" />
    <read-data name="Beta" mesh="Left-Mesh" />
    <mapping:nearest-neighbor from="Right-Mesh" to="Left-Mesh" direction="read" constraint="consistent" />
  </participant>
  <participant name="Right">
    <provide-mesh name="Right-Mesh" />
    <receive-mesh name="Left-Mesh" from="Left" />
    <write-data name="Beta" mesh="Right-Mesh" />
    <read-data name="Alpha" mesh="Right-Mesh" />
    <mapping:nearest-neighbor from="Left-Mesh" to="Right-Mesh" direction="read" constraint="consistent" />
  </participant>
  <m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />
  <coupling-scheme:serial-implicit>
    <participants first="Left" second="Right" />
    <max-time-windows value="3" />
    <time-window-size value="0.5" />
    <exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />
    <exchange data="Beta" mesh="Right-Mesh" from="Right" to="Left" initialize="true" />
    <max-iterations value="30" />
    <relative-convergence-measure limit="1e-6" data="Beta" mesh="Right-Mesh" />
    <acceleration:aitken><data name="Beta" mesh="Right-Mesh" /></acceleration:aitken>
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""


DIRECT_CONFIG = """<precice-configuration experimental="true">
  <log enabled="false" />
  <data:scalar name="Alpha" />
  <data:vector name="Beta" />
  <data:scalar name="Gamma" />
  <data:scalar name="Delta" />
  <mesh name="Left-Mesh" dimensions="2"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <mesh name="Point-Mesh" dimensions="2"><use-data name="Gamma" /><use-data name="Delta" /></mesh>
  <participant name="Left">
    <provide-mesh name="Left-Mesh" />
    <provide-mesh name="Point-Mesh" />
    <write-data name="Alpha" mesh="Left-Mesh" />
    <read-data name="Beta" mesh="Left-Mesh" />
    <write-data name="Gamma" mesh="Point-Mesh" />
    <read-data name="Delta" mesh="Point-Mesh" />
  </participant>
  <participant name="Right">
    <receive-mesh name="Left-Mesh" from="Left" api-access="true" />
    <receive-mesh name="Point-Mesh" from="Left" api-access="true" />
    <write-data name="Beta" mesh="Left-Mesh" />
    <read-data name="Alpha" mesh="Left-Mesh" />
    <write-data name="Delta" mesh="Point-Mesh" />
    <read-data name="Gamma" mesh="Point-Mesh" />
    {maps}
  </participant>
  <m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />
  <coupling-scheme:parallel-implicit>
    <participants first="Left" second="Right" />
    <max-time-windows value="3" />
    <time-window-size value="0.5" />
    <exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right" />
    <exchange data="Gamma" mesh="Point-Mesh" from="Left" to="Right" />
    <exchange data="Beta" mesh="Left-Mesh" from="Right" to="Left" />
    <exchange data="Delta" mesh="Point-Mesh" from="Right" to="Left" />
    <max-iterations value="4" />
    <absolute-convergence-measure limit="1e-9" data="Delta" mesh="Point-Mesh" />
  </coupling-scheme:parallel-implicit>
</precice-configuration>
"""

# Right sees the part of the mesh between its bounds, and has a part of 12 points to read and write at just in time.
DIRECT = """
import json, sys
import numpy as np
name, size = sys.argv[1], int(sys.argv[2])
rank = 0
if size > 1:
    from mpi4py import MPI
    rank = MPI.COMM_WORLD.rank
import precice
p = precice.Participant(name, "case.xml", rank, size)
n = 10
x = np.stack([np.linspace(0, 1, n), np.sin(np.arange(n))], axis=1)
points = np.stack([np.linspace(0.03, 0.97, 12), np.cos(2.0 * np.arange(12))], axis=1)
if name == "Left":
    mine = np.array_split(np.arange(n), size)[rank]
    ids = p.set_mesh_vertices("Left-Mesh", x[mine])
    grid = p.set_mesh_vertices("Point-Mesh", x[mine] + 0.01)
else:
    mine = np.array_split(np.arange(12), size)[rank]
    bounds = np.linspace(-0.05, 1.05, size + 1)
    p.set_mesh_access_region("Left-Mesh", [bounds[rank], bounds[rank + 1], -2, 2])
    p.set_mesh_access_region("Point-Mesh", [-1, 2, -2, 2])
p.initialize()
if name == "Right":
    ids, where = p.get_mesh_vertex_ids_and_coordinates("Left-Mesh")
    assert p.get_mesh_vertex_size("Left-Mesh") == len(ids)
    assert np.allclose(where, x[ids])
rows, t, count = [], 0.0, 0
while p.is_coupling_ongoing():
    if p.requires_writing_checkpoint():
        saved = t
    dt = min(p.get_max_time_step_size(), 0.25)
    t += dt
    if name == "Left":
        beta, delta = p.read_data("Left-Mesh", "Beta", ids, dt), p.read_data("Point-Mesh", "Delta", grid, dt)
        seen = np.concatenate([beta, delta[:, None]], axis=1)
        p.write_data("Left-Mesh", "Alpha", ids, np.tanh(beta.sum(axis=1)) + t * x[mine, 0])
        p.write_data("Point-Mesh", "Gamma", grid, np.cos(delta) + t * x[mine, 1])
        rows.append([t, p.is_time_window_complete(), seen.ravel().tolist()])
    else:
        alpha = p.read_data("Left-Mesh", "Alpha", ids, dt)
        gamma = p.map_and_read_data("Point-Mesh", "Gamma", points[mine], dt)
        p.write_data("Left-Mesh", "Beta", ids, np.stack([alpha - t, 0.1 * alpha**2], axis=1).reshape(-1, 2))
        p.write_and_map_data("Point-Mesh", "Delta", points[mine], 0.3 * gamma + t)
        rows.append([t, p.is_time_window_complete(), gamma.tolist()])
    p.advance(dt)
    if p.requires_reading_checkpoint():
        t = saved
p.finalize()
json.dump(rows, open(f"{name}-{rank}.json", "w"))
"""


def start(folder: Path, program: str, name: str, size: int) -> subprocess.Popen[str]:
    """Start one participant on so many ranks; what it prints can be read in the end."""
    (folder / f"{name}.py").write_text(program)
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    command = [sys.executable, f"{name}.py", name, str(size)]
    if size > 1:
        command = [str(mpiexec), "-n", str(size), *command]
    environment = {**engine_environment(), "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(folder: Path, config: str, programs: Sequence[str], sizes: Sequence[int]) -> list[tuple[int, str]]:
    """Run Left and Right on so many ranks each and return exit status and output of both."""
    (folder / "case.xml").write_text(config)
    pairs = zip(("Left", "Right"), programs, sizes, strict=True)
    processes = [start(folder, program, name, size) for name, program, size in pairs]
    outputs = [p.communicate(timeout=60)[0] for p in processes]
    return [(p.returncode, output) for p, output in zip(processes, outputs, strict=True)]


def seen(folder: Path, config: str, program: str, *sizes: int) -> dict[str, list[list[object]]]:
    """Return what each participant saw in each step, the ranks' parts put together."""
    folder.mkdir()
    ended = run(folder, config, (program, program), sizes)
    assert [status for status, _ in ended] == [0, 0], ended
    whole: dict[str, list[list[object]]] = {}
    for name, size in zip(("Left", "Right"), sizes, strict=True):
        parts = [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in range(size)]
        whole[name] = [[*rows[0][:2], [v for row in rows for v in row[2]]] for rows in zip(*parts, strict=True)]
    return whole


def assert_equal(alone: dict[str, list[list[object]]], several: dict[str, list[list[object]]]) -> None:
    for name in ("Left", "Right"):
        assert len(several[name]) == len(alone[name]) > 6
        for a, b in zip(alone[name], several[name], strict=True):
            assert a[:2] == b[:2]
            assert np.allclose(a[2], b[2], rtol=1e-13, atol=1e-13)


def test_results_do_not_depend_on_the_number_of_ranks(tmp_path: Path) -> None:
    alone = seen(tmp_path / "1-1", RANKED_CONFIG, RANKED, 1, 1)
    for left, right in ((2, 1), (1, 3), (3, 2)):
        assert_equal(alone, seen(tmp_path / f"{left}-{right}", RANKED_CONFIG, RANKED, left, right))


RBF = "<basis-function:compact-polynomial-c4 support-radius='0.9' /></mapping:rbf>"
NEAREST = (
    '<mapping:nearest-neighbor direction="read" from="Point-Mesh" constraint="consistent" />'
    '<mapping:nearest-neighbor direction="write" to="Point-Mesh" constraint="conservative" />'
)
RADIAL = (
    f'<mapping:rbf direction="read" from="Point-Mesh" constraint="consistent">{RBF}'
    f'<mapping:rbf direction="write" to="Point-Mesh" constraint="conservative">{RBF}'
)


@pytest.mark.parametrize("maps", [NEAREST, RADIAL], ids=["nearest-neighbor", "rbf"])
def test_access_and_just_in_time_mapping_on_ranks(tmp_path: Path, maps: str) -> None:
    """Ranks read and write parts of a received mesh, and map at points of their own; conserved sums are of all."""
    config = DIRECT_CONFIG.format(maps=maps)
    alone = seen(tmp_path / "1-1", config, DIRECT, 1, 1)
    for left, right in ((1, 2), (2, 3)):
        assert_equal(alone, seen(tmp_path / f"{left}-{right}", config, DIRECT, left, right))


FAILING = RANKED.replace(
    "    dt = min", "    if rank == RANK and len(rows) == 2: raise ValueError('mine')\n    dt = min"
)


@pytest.mark.parametrize("rank", [0, 1])
def test_error_on_one_rank_ends_all_and_the_partner(tmp_path: Path, rank: int) -> None:
    """With its own traceback on one side, and an error that names the participant on the other."""
    ended = run(tmp_path, RANKED_CONFIG, (FAILING.replace("RANK", str(rank)), RANKED), (2, 1))
    assert all(status != 0 for status, _ in ended)
    assert "ValueError: mine" in ended[0][1]
    assert "participant Left ended (process " in ended[1][1]


def test_partner_of_ranks_that_raises(tmp_path: Path) -> None:
    """All ranks end when the participant that they are coupled to has ended."""
    ended = run(tmp_path, RANKED_CONFIG, (RANKED, FAILING.replace("RANK", "0")), (3, 1))
    assert all(status != 0 for status, _ in ended)
    assert "ValueError: mine" in ended[1][1]
    assert "participant Right ended (process " in ended[0][1]


def test_ranks_that_disagree(tmp_path: Path) -> None:
    different = RANKED.replace("p.advance(dt)", "p.advance(dt if rank == 0 else 0.1)")
    ended = run(tmp_path, RANKED_CONFIG, (different, RANKED), (2, 1))
    assert all(status != 0 for status, _ in ended)
    assert "advance() was called with 0.25 on rank 0 but with 0.1 on rank 1" in ended[0][1]
