"""What the embedded engine puts out: exported meshes, watch points and integrals, actions, log sinks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_server import REAL, Server, running

from scalebridge.embedded.config import LogSink
from scalebridge.embedded.log import Log, threshold

CONFIG = """<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > warning" /></log>
  <data:scalar name="Heat" />
  <data:vector name="Force" />
  <mesh name="Left-Mesh" dimensions="3"><use-data name="Heat" /><use-data name="Force" /></mesh>
  <mesh name="Right-Mesh" dimensions="3"><use-data name="Heat" /><use-data name="Force" /></mesh>
  <participant name="Left">
    <provide-mesh name="Left-Mesh" />
    <receive-mesh name="Right-Mesh" from="Right" />
    <write-data name="Force" mesh="Left-Mesh" />
    <read-data name="Heat" mesh="Left-Mesh" />
    <mapping:nearest-projection direction="read" from="Right-Mesh" to="Left-Mesh"
                                constraint="scaled-consistent-surface" />
    LEFT
  </participant>
  <participant name="Right">
    <provide-mesh name="Right-Mesh" />
    <receive-mesh name="Left-Mesh" from="Left" />
    <write-data name="Heat" mesh="Right-Mesh" />
    <read-data name="Force" mesh="Right-Mesh" />
    <mapping:nearest-neighbor direction="read" from="Left-Mesh" to="Right-Mesh" constraint="consistent" />
  </participant>
  <m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />
  <coupling-scheme:parallel-explicit>
    <participants first="Left" second="Right" />
    <max-time-windows value="4" />
    <time-window-size value="0.5" />
    <exchange data="Force" mesh="Left-Mesh" from="Left" to="Right" />
    <exchange data="Heat" mesh="Right-Mesh" from="Right" to="Left" />
  </coupling-scheme:parallel-explicit>
</precice-configuration>
"""

PROGRAM = """
import sys
import numpy as np
import precice
name, mine, read, write = sys.argv[1:]
p = precice.Participant(name, "case.xml", 0, 1)
x = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]])
ids = p.set_mesh_vertices(mine, x)
p.set_mesh_triangles(mine, [[0, 1, 2], [1, 3, 2]])
p.initialize()
window = 0
while p.is_coupling_ongoing():
    window += 1
    p.read_data(mine, read, ids, 0.0)
    scalar = window * (1.0 + x[:, 0])
    p.write_data(mine, write, ids, scalar if write == "Heat" else np.outer(scalar, [1.0, 2.0, 3.0]))
    p.advance(p.get_max_time_step_size())
p.finalize()
"""

PROGRAMS = {"Left": ["Left-Mesh", "Heat", "Force"], "Right": ["Right-Mesh", "Force", "Heat"]}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


def run(server: Server, folder: Path, left: str, config: str = CONFIG) -> str:
    """Run the case with `left` added to participant Left and return what Left printed."""
    (folder / "case.xml").write_text(config.replace("LEFT", left))
    (folder / "program.py").write_text(PROGRAM)
    ended = server.run(folder, {n: [folder / "program.py", n, *rest] for n, rest in PROGRAMS.items()})
    assert [e.status for e in ended.values()] == [0, 0], ended["Left"].output + ended["Right"].output
    return ended["Left"].output


def table(path: Path) -> tuple[list[str], np.ndarray]:
    lines = path.read_text().splitlines()
    return lines[0].split(), np.array([[float(v) for v in line.split()] for line in lines[1:]])


@pytest.mark.parametrize("kind", ["vtu", "vtp", "vtk"])
def test_exported_meshes_open_in_vtk(server: Server, tmp_path: Path, kind: str) -> None:
    pyvista = pytest.importorskip("pyvista")
    run(server, tmp_path, f'<export:{kind} directory="out" every-n-time-windows="2" />')
    files = sorted(f.name for f in (tmp_path / "out").iterdir())
    labels = ("dt2", "dt4", "init")
    expected = [f"{mesh}-Left.{label}.{kind}" for mesh in ("Left-Mesh", "Right-Mesh") for label in labels]
    assert files == sorted([*expected, f"Left-Mesh-Left.{kind}.series", f"Right-Mesh-Left.{kind}.series"])
    series = json.loads((tmp_path / "out" / f"Left-Mesh-Left.{kind}.series").read_text())
    assert [(f["name"].split(".")[1], f["time"]) for f in series["files"]] == [("init", 0), ("dt2", 1), ("dt4", 2)]
    mesh = pyvista.read(tmp_path / "out" / f"Left-Mesh-Left.dt4.{kind}")
    assert mesh.n_points == 4
    assert np.allclose(mesh.points[3], [1, 1, 0])
    assert mesh.n_cells == 2 + 5  # triangles and their edges
    assert np.allclose(mesh["Force"], np.outer([4, 8, 4, 8], [1, 2, 3]))
    assert np.allclose(mesh["Heat"].ravel(), [4, 8, 4, 8])


def test_csv_and_every_iteration(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path, '<export:csv directory="out" every-iteration="true" />')
    files = sorted(f.name for f in (tmp_path / "out").glob("Left-Mesh*"))
    assert files == [f"Left-Mesh-Left.{label}.csv" for label in ("init", "it1", "it2", "it3", "it4")]
    text = (tmp_path / "out" / "Left-Mesh-Left.it2.csv").read_text().splitlines()
    assert text[0] == "PosX;PosY;PosZ;Rank;Heat;ForceX;ForceY;ForceZ"
    assert [float(v) for v in text[2].split(";")] == [1, 0, 0, 0, 4, 4, 8, 12]


def test_series_is_updated(server: Server, tmp_path: Path) -> None:
    run(server, tmp_path, '<export:vtu update-series="true" every-n-time-windows="-1" /><export:vtu directory="b" />')
    assert not list(tmp_path.glob("*.vtu"))
    assert (tmp_path / "b" / "Left-Mesh-Left.vtu.series").exists()


def test_watch_point_and_integrals(server: Server, tmp_path: Path) -> None:
    """At the middle of a triangle, and over the unit square: the integral of 4 (1 + x) is 6, its nodal sum 24."""
    run(
        server,
        tmp_path,
        '<watch-point name="p" mesh="Left-Mesh" coordinate="0.5;0.25;0" />'
        '<watch-integral name="sum" mesh="Left-Mesh" scale-with-connectivity="false" />'
        '<watch-integral name="integral" mesh="Left-Mesh" scale-with-connectivity="true" />',
    )
    names, rows = table(tmp_path / "precice-Left-watchpoint-p.log")
    coordinate, force = [f"Coordinate{i}" for i in range(3)], [f"Force{i}" for i in range(3)]
    assert names == ["Time", *coordinate, "Heat", *force]
    assert np.allclose(rows[:, 0], [0, 0.5, 1, 1.5, 2])
    assert np.allclose(rows[-1], [2, 0.5, 0.25, 0, 6, 6, 12, 18])
    names, rows = table(tmp_path / "precice-Left-watchintegral-sum.log")
    assert names == ["Time", "Heat", *force, "SurfaceArea"]
    assert np.allclose(rows[-1], [2, 24, 24, 48, 72, 1])
    names, rows = table(tmp_path / "precice-Left-watchintegral-integral.log")
    assert np.allclose(rows[-1], [2, 6, 6, 12, 18, 1])


@pytest.mark.skipif(REAL, reason="this build of libprecice may lack Python actions")
def test_python_action(server: Server, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text("def performAction(time, target):\n    target *= 2.0\n")
    action = (
        '<action:python mesh="Left-Mesh" timing="read-mapping-post"><path name="." /><module name="double" />'
        '<target-data name="Heat" /></action:python><export:csv directory="out" />'
    )
    run(server, tmp_path, action)
    last = (tmp_path / "out" / "Left-Mesh-Left.dt4.csv").read_text().splitlines()[2].split(";")
    assert float(last[4]) == 16.0


@pytest.mark.skipif(REAL, reason="messages of the embedded engine")
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "<action:python>: there is no file double.py"),
        ({"double.py": "x = 1\n"}, "double.py defines no function performAction"),
    ],
)
def test_python_action_that_cannot_be_loaded(
    server: Server, tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    action = (
        '<action:python mesh="Left-Mesh" timing="read-mapping-post"><module name="double" />'
        '<target-data name="Heat" /></action:python>'
    )
    (tmp_path / "case.xml").write_text(CONFIG.replace("LEFT", action))
    (tmp_path / "program.py").write_text(PROGRAM)
    ended = server.run(tmp_path, {"Left": [tmp_path / "program.py", "Left", *PROGRAMS["Left"]]})["Left"]
    assert ended.status == 1
    assert message in ended.output


@pytest.mark.skipif(REAL, reason="messages of the embedded engine")
def test_summation_needs_the_same_components(server: Server, tmp_path: Path) -> None:
    action = (
        '<action:summation mesh="Left-Mesh" timing="read-mapping-post"><source-data name="Heat" />'
        '<target-data name="Force" /></action:summation>'
    )
    (tmp_path / "case.xml").write_text(CONFIG.replace("LEFT", action))
    (tmp_path / "program.py").write_text(PROGRAM)
    ended = server.run(tmp_path, {n: [tmp_path / "program.py", n, *rest] for n, rest in PROGRAMS.items()})
    assert 'data "Heat" has 1 components, but "Force" has 3' in ended["Left"].output


@pytest.mark.skipif(REAL, reason="messages of the embedded engine")
def test_log_sinks(server: Server, tmp_path: Path) -> None:
    assert len(run(server, tmp_path, "").splitlines()) == 1  # only the first line, at the severity of CONFIG
    lines = run(server, tmp_path, "", CONFIG.replace("> warning", ">= info")).splitlines()
    assert lines[1] == "precice (Left): time-window 1, t 0, Dt 0.5, max-dt 0.5"
    assert lines[-1] == "precice (Left): Reached end at: final time-window: 4, final time: 2"


def test_log_file_and_severities(tmp_path: Path) -> None:
    sinks = (LogSink("file", str(tmp_path / "all.log"), "%Severity% > debug"),)
    log = Log("Left", sinks)
    log.info("one")
    log.warning("two")
    log.close()
    assert (tmp_path / "all.log").read_text() == "precice (Left): one\nprecice (Left): WARNING: two\n"
    texts = ("%Severity% >= debug", "%Severity% > info", "%Rank% = 0", "(%Severity% > debug) and %Rank% = 0")
    assert [threshold(text) for text in texts] == [1, 3, 2, 2]
