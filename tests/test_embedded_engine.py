"""Whole engine, known answers: waveforms, quasi-Newton, schemes that have to stop, quadrilaterals, actions by area.

With the environment variable ENGINE=precice the tests of behaviour that libprecice shares run on the real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_server import REAL, Ended, Server, running

only_embedded = pytest.mark.skipif(REAL, reason="messages of the embedded engine")

CONFIG = """<precice-configuration{root}>
  <log enabled="false" /><profiling mode="off" />
  <data:{kind} name="Alpha"{data} />
  <data:scalar name="Beta" />
  <mesh name="Left-Mesh" dimensions="{dimensions}"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <mesh name="Right-Mesh" dimensions="{dimensions}"><use-data name="Alpha" /><use-data name="Beta" /></mesh>
  <participant name="Left">
    <provide-mesh name="Left-Mesh" />
    <receive-mesh name="Right-Mesh" from="Right" />
    <write-data name="Alpha" mesh="Left-Mesh" />
    <read-data name="Beta" mesh="Left-Mesh" />
    <mapping:nearest-neighbor from="Right-Mesh" to="Left-Mesh" direction="read" constraint="consistent" />
    {action}
  </participant>
  <participant name="Right">
    <provide-mesh name="Right-Mesh" />
    <receive-mesh name="Left-Mesh" from="Left" />
    <write-data name="Beta" mesh="Right-Mesh" />
    <read-data name="Alpha" mesh="Right-Mesh" />
    <mapping:{mapping} from="Left-Mesh" to="Right-Mesh" direction="read" constraint="consistent" />
  </participant>
  <m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />
  <coupling-scheme:{scheme}>
    <participants first="Left" second="Right" />
    <max-time-windows value="{windows}" />
    <time-window-size {size} />
    <exchange data="Alpha" mesh="Left-Mesh" from="Left" to="Right"{exchange} />
    <exchange data="Beta" mesh="Right-Mesh" from="Right" to="Left"{exchange} />
    {more}
  </coupling-scheme:{scheme}>
</precice-configuration>
"""
DEFAULTS = {
    "root": "",
    "kind": "scalar",
    "data": "",
    "dimensions": "2",
    "action": "",
    "mapping": "nearest-neighbor",
    "scheme": "serial-explicit",
    "windows": "2",
    "size": 'value="0.5"',
    "exchange": "",
    "more": "",
}

START = """
import json, os, sys, time
import numpy as np
import precice
name = {name!r}
p = precice.Participant(name, "case.xml", 0, 1)
mesh = name + "-Mesh"
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


def run(server: Server, folder: Path, left: str, right: str, **config: str) -> tuple[Ended, Ended]:
    """Run two programs that begin with START."""
    (folder / "case.xml").write_text(CONFIG.format(**{**DEFAULTS, **config}))
    (folder / "left.py").write_text(START.format(name="Left") + left)
    (folder / "right.py").write_text(START.format(name="Right") + right)
    ended = server.run(folder, {"Left": [folder / "left.py"], "Right": [folder / "right.py"]})
    return ended["Left"], ended["Right"]


def fine(ended: tuple[Ended, Ended]) -> None:
    assert [e.status for e in ended] == [0, 0], ended[0].output + ended[1].output


# --- waveforms -----------------------------------------------------------------------------------------------------

WRITES_POWERS = """
degree = int(open("degree").read())
ids = p.set_mesh_vertices(mesh, [[0.0, 0.0], [1.0, 0.0]])
p.requires_initial_data()
t = 0.0
p.write_data(mesh, "Alpha", ids, [2.0 - t ** degree, 1.0 + 3.0 * t ** degree])
p.initialize()
steps = [0.1, 0.15, 0.05, 0.2]
while p.is_coupling_ongoing():
    dt = steps.pop(0)
    steps.append(dt)
    t += dt
    p.write_data(mesh, "Alpha", ids, [2.0 - t ** degree, 1.0 + 3.0 * t ** degree])
    p.advance(dt)
p.finalize()
"""

READS_POWERS = """
degree = int(open("degree").read())
ids = p.set_mesh_vertices(mesh, [[0.0, 0.1], [1.0, 0.1]])
p.requires_initial_data()
p.write_data(mesh, "Beta", ids, np.zeros(2))
p.initialize()
t, worst = 0.0, 0.0
while p.is_coupling_ongoing():
    dt = p.get_max_time_step_size()
    for at in np.linspace(0.0, dt, 23):
        seen = p.read_data(mesh, "Alpha", ids, at)
        exact = [2.0 - (t + at) ** degree, 1.0 + 3.0 * (t + at) ** degree]
        worst = max(worst, np.abs(seen - exact).max())
    p.write_data(mesh, "Beta", ids, np.zeros(2))
    p.advance(dt)
    t += dt
p.finalize()
open("worst", "w").write(str(worst))
"""


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_waveform_is_exact_for_polynomials_of_its_degree(server: Server, tmp_path: Path, degree: int) -> None:
    """Four unequal steps in each window, read at 23 places of it by the second of two serial participants."""
    worst = []
    for power in (degree, degree + 1):
        (tmp_path / "degree").write_text(str(power))
        exchange = ' substeps="true" initialize="true"'
        fine(run(server, tmp_path, WRITES_POWERS, READS_POWERS, data=f' waveform-degree="{degree}"', exchange=exchange))
        worst.append(float((tmp_path / "worst").read_text()))
    assert worst[0] < 1e-13
    assert worst[1] > 1e-4


# --- quasi-Newton --------------------------------------------------------------------------------------------------

LINEAR = """
n, parts = 4, json.load(open("linear.json"))
a, b = (np.array(part) for part in parts[name])
ids = p.set_mesh_vertices(mesh, np.stack([np.arange(n), np.zeros(n)], axis=1))
p.initialize()
mine, theirs = ("Alpha", "Beta") if name == "Left" else ("Beta", "Alpha")
seen = []
while p.is_coupling_ongoing():
    p.requires_writing_checkpoint()
    seen.append(p.read_data(mesh, theirs, ids, 1.0).tolist())
    p.write_data(mesh, mine, ids, a @ np.array(seen[-1]) + b)
    p.advance(1.0)
    p.requires_reading_checkpoint()
p.finalize()
json.dump(seen, open(name + ".json", "w"))
"""
FILTER = '<filter type="QR1" limit="1e-14" />'
IQN = '{data}<preconditioner type="constant" /><initial-relaxation value="0.5" /><max-used-iterations value="30" />'
BETA, ALPHA = '<data name="Beta" mesh="Right-Mesh" />', '<data name="Alpha" mesh="Left-Mesh" />'
IMVJ_RESTART = '<imvj-restart-mode type="no-restart" />'


@pytest.mark.parametrize("kind", ["IQN-ILS", "IQN-IMVJ"])
@pytest.mark.parametrize(("scheme", "unknowns"), [("serial-implicit", 4), ("parallel-implicit", 8)])
def test_quasi_newton_solves_a_linear_problem_of_n_unknowns_in_n_plus_1_iterations(
    server: Server, tmp_path: Path, scheme: str, unknowns: int, kind: str
) -> None:
    """y = A x + a, x = B y + b: after n + 1 evaluations the next iterate is the solution.

    (Haelterman et al., The quasi-Newton least squares method, SIAM J. Numer. Anal. 47, 2347-2368, 2009: n + 1.)
    """
    if REAL and kind == "IQN-IMVJ":
        pytest.skip("IQN-IMVJ of libprecice needs a build with MPI, which is not known here")
    random = np.random.default_rng(5)
    parts = {name: (random.normal(size=(4, 4)), random.normal(size=4)) for name in ("Left", "Right")}
    (tmp_path / "linear.json").write_text(json.dumps({k: [a.tolist(), b.tolist()] for k, (a, b) in parts.items()}))
    data = BETA if scheme == "serial-implicit" else ALPHA + BETA
    restart = IMVJ_RESTART if kind == "IQN-IMVJ" else ""
    fine(
        run(
            server,
            tmp_path,
            LINEAR,
            LINEAR,
            scheme=scheme,
            windows="1",
            size='value="1.0"',
            more=f'<max-iterations value="{unknowns + 2}" />'
            '<absolute-convergence-measure limit="1e-13" data="Beta" mesh="Right-Mesh" />'
            f"<acceleration:{kind}>{IQN.format(data=data)}{FILTER}{restart}</acceleration:{kind}>",
        )
    )
    (a, c), (b, d) = parts["Left"], parts["Right"]
    x = np.linalg.solve(np.eye(4) - b @ a, b @ c + d)  # what Left reads in the end
    seen = np.array(json.loads((tmp_path / "Left.json").read_text()))
    errors = np.linalg.norm(seen - x, axis=1) / np.linalg.norm(x)
    assert errors[unknowns + 1] < 1e-9  # read in iteration n + 2: what came out of n + 1
    assert errors[unknowns] > 1e-4


# --- schemes that have to stop ---------------------------------------------------------------------------------------

LOOP = """
ids = p.set_mesh_vertices(mesh, [[0.0, 0.0], [1.0, 0.0]])
p.initialize()
mine, theirs = ("Alpha", "Beta") if name == "Left" else ("Beta", "Alpha")
count = 0
while p.is_coupling_ongoing():
    p.requires_writing_checkpoint()
    count += 1
    p.read_data(mesh, theirs, ids, 0.0)
    p.write_data(mesh, mine, ids, np.full(2, 0.1 * count))
    dt = p.get_max_time_step_size()
    p.advance(dt)
    p.requires_reading_checkpoint()
p.finalize()
"""
MEASURE = '<absolute-convergence-measure limit="1e-9" data="Beta" mesh="Right-Mesh"{} />'


@only_embedded
def test_strict_measure_that_is_not_met_ends_the_run(server: Server, tmp_path: Path) -> None:
    strict = '<max-iterations value="3" />' + MEASURE.format(' strict="true"')
    first, second = run(server, tmp_path, LOOP, LOOP, scheme="serial-implicit", more=strict)
    assert 0 not in (first.status, second.status)
    message = 'the strict convergence measure of data "Beta" has not converged within 3 iterations in time window 1'
    assert message in second.output
    assert "participant Right ended" in first.output
    lenient = '<max-iterations value="3" />' + MEASURE.format("")
    fine(run(server, tmp_path, LOOP, LOOP, scheme="serial-implicit", more=lenient))


GAINS = """
ids = p.set_mesh_vertices(mesh, [[0.0, 0.0]])
p.initialize()
t = 0.0
while p.is_coupling_ongoing():
    p.requires_writing_checkpoint()
    dt = p.get_max_time_step_size()
    if name == "Left":
        p.write_data(mesh, "Alpha", ids, 1.0 + t + dt + 0.3 * p.read_data(mesh, "Beta", ids, dt))
    else:
        alpha = p.read_data(mesh, "Alpha", ids, dt)
        p.write_data(mesh, "Beta", ids, 0.5 * alpha)
    p.advance(dt)
    t += 0.0 if p.requires_reading_checkpoint() else dt
p.finalize()
if name == "Right":
    print("alpha", alpha[0])
"""


@only_embedded
def test_without_substeps_the_second_sees_each_iteration_of_a_window_that_is_cut_short(
    server: Server, tmp_path: Path
) -> None:
    """alpha = 1 + t + 0.3 beta, beta = alpha / 2 at the end t = 0.7 of a window of 0.5 that began at 0.5."""
    more = f'<max-time value="0.7" /><max-iterations value="50" />{MEASURE.format("")}'
    ended = run(server, tmp_path, GAINS, GAINS, scheme="serial-implicit", exchange=' substeps="false"', more=more)
    fine(ended)
    assert float(ended[1].output.split("alpha ")[-1]) == pytest.approx(1.7 / 0.85, abs=1e-8)


@only_embedded
def test_first_participant_may_not_change_the_size_of_a_repeated_window(server: Server, tmp_path: Path) -> None:
    left = LOOP.replace("dt = p.get_max_time_step_size()", "dt = 0.5 if count != 2 else 0.4")
    config = {
        "scheme": "serial-implicit",
        "size": 'method="first-participant"',
        "more": '<max-iterations value="3" />' + MEASURE.format(""),
    }
    first, second = run(server, tmp_path, left, LOOP, **config)
    assert 0 not in (first.status, second.status)
    assert "participant Left repeated time window 1 with the size 0.4 instead of 0.5" in second.output
    fine(run(server, tmp_path, LOOP.replace("dt = p.get_max_time_step_size()", "dt = 0.5"), LOOP, **config))


@only_embedded
def test_exit_status_of_a_program_is_its_own(server: Server, tmp_path: Path) -> None:
    first, second = run(server, tmp_path, LOOP.replace("    count += 1", "    count += 1; sys.exit(7)"), LOOP)
    assert first.status == 7
    assert second.status != 0
    assert max(first.seconds, second.seconds) < 10.0


FINALIZE = "began = time.perf_counter()\np.finalize()\nopen(name, 'w').write(str(time.perf_counter() - began))"


def test_participants_wait_for_each_other_in_finalize(server: Server, tmp_path: Path) -> None:
    left = LOOP.replace("p.finalize()", FINALIZE)
    right = LOOP.replace("p.finalize()", "time.sleep(0.4)\np.finalize()")
    fine(run(server, tmp_path, left, right, root=' wait-in-finalize="true"'))
    assert float((tmp_path / "Left").read_text()) > 0.3
    fine(run(server, tmp_path, left, right))
    if not REAL:
        assert float((tmp_path / "Left").read_text()) < 0.3


@only_embedded
def test_partner_that_ends_instead_of_finalizing(server: Server, tmp_path: Path) -> None:
    right = LOOP.replace("p.finalize()", "os._exit(3)")
    first, second = run(server, tmp_path, LOOP, right, root=' wait-in-finalize="true"')
    assert (first.status, second.status) == (1, 3)
    assert "participant Right ended (process " in first.output
    assert "while Left was waiting for it in finalize()" in first.output


# --- meshes ----------------------------------------------------------------------------------------------------------

# Two quadrilaterals; the shorter diagonals are 0-2 of the first and 5-3 of the second (whose corners come crosswise).
CORNERS = [[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 2, 0], [4, 3, 0], [3, 0, 0]]
QUADS = (
    """
x = np.array(json.load(open("corners.json")), dtype=float)
ids = p.set_mesh_vertices(mesh, x)
assert p.requires_mesh_connectivity_for(mesh)
p.set_mesh_quad(mesh, ids[0], ids[2], ids[1], ids[3])
p.set_mesh_quads(mesh, [[ids[1], ids[2], ids[4], ids[5]]])
p.initialize()
while p.is_coupling_ongoing():
    p.write_data(mesh, "Alpha", ids, VALUES)
    p.advance(p.get_max_time_step_size())
p.finalize()
""",
    """
x = np.array(json.load(open("points.json")), dtype=float)
ids = p.set_mesh_vertices(mesh, x)
p.initialize()
p.advance(p.get_max_time_step_size())
json.dump(p.read_data(mesh, "Alpha", ids, 0.0).tolist(), open("seen.json", "w"))
while p.is_coupling_ongoing():
    p.advance(p.get_max_time_step_size())
p.finalize()
""",
)


def test_quadrilaterals_become_triangles_along_their_shorter_diagonal(server: Server, tmp_path: Path) -> None:
    """Nodal values interpolated on the triangles 0-1-2, 0-2-3, and 1-2-5, 2-4-5, by hand."""
    values = [1.0, 5.0, 2.0, 7.0, 11.0, 3.0]
    points = [[1.2, 0.4, 0.0], [0.5, 1.0, 0.0], [2.25, 0.5, 0.0], [3.0, 1.5, 0.0]]
    (tmp_path / "corners.json").write_text(json.dumps(CORNERS))
    (tmp_path / "points.json").write_text(json.dumps(points))
    left = QUADS[0].replace("VALUES", str(values))
    fine(run(server, tmp_path, left, QUADS[1], dimensions="3", mapping="nearest-projection"))
    expected = []
    for point, triangle in zip(points, [(0, 1, 2), (0, 2, 3), (1, 2, 5), (2, 4, 5)], strict=True):
        corners = np.array([[*CORNERS[i][:2], 1.0] for i in triangle]).T
        weights = np.linalg.solve(corners, [*point[:2], 1.0])
        assert (weights > 0.0).all()
        expected.append(weights @ [values[i] for i in triangle])
    assert json.loads((tmp_path / "seen.json").read_text()) == pytest.approx(expected, abs=1e-12)


@only_embedded
@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("p.set_mesh_quads(mesh, [[0, 1, 2, 3]])", "quad 0 with the vertices [0, 1, 2, 3] is not convex"),
        ("p.set_mesh_quad(mesh, 0, 1, 2, 2)", "cell 0 has a vertex twice: [0, 1, 2, 2]"),
        ("p.set_mesh_quads(mesh, [[0, 1, 2]])", "vertices in set_mesh_quads() has the shape (1, 3), expected (n, 4)"),
        ("p.set_mesh_triangle(mesh, 0, 1, 9)", "which is not the number of a vertex: the mesh has 4"),
    ],
)
def test_cells_that_are_not_possible(server: Server, tmp_path: Path, call: str, message: str) -> None:
    left = f"p.set_mesh_vertices(mesh, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, 0.0]])\n{call}\n"
    (tmp_path / "case.xml").write_text(
        CONFIG.format(**{**DEFAULTS, "dimensions": "3", "mapping": "nearest-projection"})
    )
    (tmp_path / "left.py").write_text(START.format(name="Left") + left)
    ended = server.run(tmp_path, {"Left": [tmp_path / "left.py"]})["Left"]
    assert ended.status == 1
    assert message in ended.output


@only_embedded
@pytest.mark.parametrize(("dimensions", "cells"), [("2", "edges"), ("3", "triangles")])
def test_action_by_area_needs_connectivity(server: Server, tmp_path: Path, dimensions: str, cells: str) -> None:
    action = (
        '<action:multiply-by-area timing="write-mapping-post" mesh="Left-Mesh"><target-data name="Alpha" />'
        "</action:multiply-by-area>"
    )
    points = f"np.eye(2, {dimensions})"
    loop = LOOP.replace("[[0.0, 0.0], [1.0, 0.0]]", points)
    first, second = run(server, tmp_path, loop, loop, dimensions=dimensions, action=action)
    assert 0 not in (first.status, second.status)
    assert f'needs {cells}, but mesh "Left-Mesh" has none: call set_mesh_{cells}()' in first.output
