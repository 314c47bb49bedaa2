"""The public interface of the embedded engine: order of calls, arguments and results, and what happens when things
go wrong: participants that raise, are killed, never come, or read another configuration.

With the environment variable ENGINE=precice the tests of behaviour that pyprecice shares run on the real one.
"""

# ruff: noqa: E501 -- a call and its message per line read best as a table
from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_server import REAL, Ended, Server, running

only_embedded = pytest.mark.skipif(REAL, reason="the embedded engine promises more than libprecice here")

CONFIG = """<precice-configuration experimental="true">
  <log enabled="false" />
  <data:scalar name="Heat" />
  <data:vector name="Force" />
  <mesh name="Left-Mesh" dimensions="2"><use-data name="Heat" /><use-data name="Force" /></mesh>
  <participant name="Left">
    <provide-mesh name="Left-Mesh" />
    <write-data name="Force" mesh="Left-Mesh" />
    <read-data name="Heat" mesh="Left-Mesh" />
  </participant>
  <participant name="Right">
    <receive-mesh name="Left-Mesh" from="Left" api-access="true" />
    <write-data name="Heat" mesh="Left-Mesh" />
    <read-data name="Force" mesh="Left-Mesh" />
  </participant>
  <m2n:sockets acceptor="Left" connector="Right" exchange-directory="." />
  <coupling-scheme:serial-implicit>
    <participants first="Left" second="Right" />
    <max-time-windows value="2" />
    <time-window-size value="0.5" />
    <exchange data="Force" mesh="Left-Mesh" from="Left" to="Right" initialize="true" />
    <exchange data="Heat" mesh="Left-Mesh" from="Right" to="Left" />
    <max-iterations value="2" />
    <absolute-convergence-measure limit="1e-12" data="Heat" mesh="Left-Mesh" />
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""

LEFT = """
import json, sys, os, signal, time
import numpy as np
import precice
config = sys.argv[1] if len(sys.argv) > 1 else "case.xml"
p = precice.Participant("Left", config, 0, 1)
ids = p.set_mesh_vertices("Left-Mesh", [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
p.requires_initial_data()
p.write_data("Left-Mesh", "Force", ids, np.ones((3, 2)))
p.initialize()
while p.is_coupling_ongoing():
    p.requires_writing_checkpoint()
    p.read_data("Left-Mesh", "Heat", ids, 0.0)
    # HERE
    p.write_data("Left-Mesh", "Force", ids, np.ones((3, 2)))
    p.advance(p.get_max_time_step_size())
    p.requires_reading_checkpoint()
p.finalize()
"""

RIGHT = """
import sys, os, signal, time
import precice
config = sys.argv[1] if len(sys.argv) > 1 else "case.xml"
p = precice.Participant("Right", config, 0, 1)
p.set_mesh_access_region("Left-Mesh", [-1.0, 2.0, -1.0, 2.0])
p.initialize()
ids, x = p.get_mesh_vertex_ids_and_coordinates("Left-Mesh")
while p.is_coupling_ongoing():
    p.requires_writing_checkpoint()
    force = p.read_data("Left-Mesh", "Force", ids, p.get_max_time_step_size())
    # HERE
    p.write_data("Left-Mesh", "Heat", ids, force.sum(axis=1))
    p.advance(p.get_max_time_step_size())
    p.requires_reading_checkpoint()
p.finalize()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


def run(server: Server, folder: Path, left: str = LEFT, right: str = RIGHT, **more: Any) -> tuple[Ended, Ended]:
    """Run the two programs in `folder`."""
    (folder / "case.xml").write_text(CONFIG)
    (folder / "left.py").write_text(left)
    (folder / "right.py").write_text(right)
    programs = {"Left": [folder / "left.py"], "Right": [folder / "right.py"]}
    ended = server.run(folder, {**programs, **more.pop("programs", {})}, **more)
    return ended["Left"], ended["Right"]


# --- order of calls and arguments ------------------------------------------------------------------------------------

# Each line: what is tried (a Python expression), when, a class that the error belongs to (where pyprecice raises, the
# same), what the message contains. The state is part of every message about the order of calls.
BEFORE, DURING, END, AFTER = "before initialize()", "in the loop", "after the end", "after finalize()"
TRIED = [
    ("p.advance(0.5)", BEFORE, "RuntimeError", "advance() of participant Left is not possible yet (state: it has been const"),
    ("p.is_coupling_ongoing()", BEFORE, "RuntimeError", "Call initialize() before"),
    ("p.is_time_window_complete()", BEFORE, "RuntimeError", "is_time_window_complete() of participant Left is not possible"),
    ("p.get_max_time_step_size()", BEFORE, "RuntimeError", "is not possible yet"),
    ("p.requires_writing_checkpoint()", BEFORE, "RuntimeError", "is not possible yet"),
    ("p.requires_reading_checkpoint()", BEFORE, "RuntimeError", "is not possible yet"),
    ("p.read_data('Left-Mesh', 'Heat', ids, 0.0)", BEFORE, "RuntimeError", "is not possible yet"),
    ("p.initialize()", BEFORE, "RuntimeError", "needs initial data"),
    ("p.initialize()", DURING, "RuntimeError", "Call it before initialize()"),
    ("p.requires_initial_data()", DURING, "RuntimeError", "is not possible any more"),
    ("p.set_mesh_vertex('Left-Mesh', [0.0, 0.0])", DURING, "RuntimeError", "set_mesh_vertex() of participant Left is not possible any"),
    ("p.set_mesh_vertices('Left-Mesh', [[0.0, 0.0]])", DURING, "RuntimeError", "Call it before initialize()"),
    ("p.advance(0.0)", DURING, "RuntimeError", "was called with the step 0.0"),
    ("p.advance(-1.0)", DURING, "RuntimeError", "A step has to be larger than 0"),
    ("p.advance(float('inf'))", DURING, "RuntimeError", "was called with the step inf"),
    ("p.advance(float('nan'))", DURING, "RuntimeError", "was called with the step nan"),
    ("p.read_data('Left-Mesh', 'Heat', ids, 0.6)", DURING, "RuntimeError", "has to lie between 0 and get_max_time_step_size(), which is 0.5"),
    ("p.read_data('Left-Mesh', 'Heat', ids, -0.1)", DURING, "RuntimeError", "was called with relative_read_time = -0.1"),
    ("p.read_data('Left-Mesh', 'Force', ids, 0.0)", DURING, "RuntimeError", "Add <read-data name=\"Force\" mesh=\"Left-Mesh\" /> to it"),
    ("p.write_data('Left-Mesh', 'Heat', ids, np.ones(3))", DURING, "RuntimeError", "Add <write-data name=\"Heat\" mesh=\"Left-Mesh\" /> to it"),
    ("p.read_data('Left-Mesh', 'Heat', [0, 3], 0.0)", DURING, "RuntimeError", "vertex_ids[1] in read_data() is 3, which is not the number of a vertex"),
    ("p.write_data('Left-Mesh', 'Force', [-1], np.ones((1, 2)))", DURING, "RuntimeError", "vertex_ids[0] in write_data() is -1"),
    ("p.write_data('Left-Mesh', 'Force', ids, np.ones((2, 2)))", DURING, "AssertionError", "3 vertex_ids but values for 2 vertices"),
    ("p.write_data('Left-Mesh', 'Force', ids, np.ones((3, 3)))", DURING, "AssertionError", "shape (3, 3), but vector data has to come as (n, 2)"),
    ("p.write_data('Left-Mesh', 'Force', ids, np.ones(6))", DURING, "AssertionError", "has the shape (6,)"),
    ("p.write_data('Left-Mesh', 'Force', ids, 1.0)", DURING, "TypeError", "requires array_like input for values"),
    ("p.read_data('Left-Mesh', 'Heat', 0, 0.0)", DURING, "TypeError", "requires array_like input for vertex_ids"),
    ("p.read_data('Left-Mesh', 'Heat', [0.5], 0.0)", DURING, "TypeError", "has to be integers"),
    ("p.get_mesh_dimensions('Leftmesh')", DURING, "RuntimeError", "knows no mesh \"Leftmesh\""),
    ("p.get_mesh_dimensions('Leftmesh')", BEFORE, "RuntimeError", "Did you mean 'Left-Mesh'?"),
    ("p.get_data_dimensions('Left-Mesh', 'Heart')", DURING, "RuntimeError", "Did you mean 'Heat'?"),
    ("p.get_mesh_dimensions(3)", DURING, "TypeError", "mesh_name has to be a string, not int"),
    ("p.set_mesh_vertices('Left-Mesh', [[0.0, 0.0, 0.0]])", BEFORE, "AssertionError", "shape (1, 3), expected (n, 2)"),
    ("p.set_mesh_vertex('Left-Mesh', [0.0])", BEFORE, "AssertionError", "shape (1,), expected (2,)"),
    ("p.set_mesh_tetrahedron('Left-Mesh', 0, 1, 2, 2)", BEFORE, "RuntimeError", "tetrahedra need 3"),
    ("p.set_mesh_access_region('Left-Mesh', [0.0, 1.0, 0.0, 1.0])", BEFORE, "RuntimeError", "has no access to mesh \"Left-Mesh\""),
    ("p.get_mesh_vertex_ids_and_coordinates('Left-Mesh')", DURING, "RuntimeError", "api-access=\"true\""),
    ("p.map_and_read_data('Left-Mesh', 'Heat', [[0.0, 0.0]], 0.0)", DURING, "RuntimeError", "has no access to mesh"),
    ("p.write_and_map_data('Left-Mesh', 'Force', [[0.0, 0.0]], [[1.0, 1.0]])", DURING, "RuntimeError", "has no access to mesh"),
    ("p.write_gradient_data('Left-Mesh', 'Force', ids, np.ones((3, 2)))", DURING, "AssertionError", "shape (3, 2), expected (n, 4)"),
    ("p.reset_mesh('Left-Mesh')", DURING, "RuntimeError", "does not support remeshing; libprecice does"),
    ("p.start_profiling_section('a/b')", DURING, "RuntimeError", "may not contain \"/\""),
    ("p.stop_last_profiling_section()", DURING, "RuntimeError", "has no open section"),
    ("(p.start_profiling_section('solve'), p.advance(0.5))", DURING, "RuntimeError", "was called inside profiling sections (solve)"),
    ("p.advance(0.5)", END, "RuntimeError", "the coupling has ended"),
    ("p.write_data('Left-Mesh', 'Force', ids, np.ones((3, 2)))", END, "RuntimeError", "Write before advance()"),
    ("p.read_data('Left-Mesh', 'Heat', ids, 0.1)", END, "RuntimeError", "which is 0.0"),
    ("p.finalize()", AFTER, "RuntimeError", "Nothing can be called after finalize()"),
    ("p.is_coupling_ongoing()", AFTER, "RuntimeError", "finalize() has been called"),
    ("p.advance(0.5)", AFTER, "RuntimeError", "is not possible any more"),
    ("p.write_data('Left-Mesh', 'Force', ids, np.ones((3, 2)))", AFTER, "RuntimeError", "is not possible any more"),
]  # fmt: skip

TRY = """
import json
tried = json.load(open("tried.json"))
errors = {}
def attempt(when):
    for what, moment in tried:
        if moment == when:
            try:
                eval(what)
                errors[f"{what} {when}"] = ["nothing", ""]
            except Exception as error:
                kinds = [k.__name__ for k in type(error).__mro__]
                errors[f"{what} {when}"] = [kinds, str(error)]
            if "profiling" in what and "(solve" not in what and "p.advance" in what:
                p.stop_last_profiling_section()
"""


@pytest.fixture(scope="module")
def errors(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every call of TRIED raised."""
    folder = tmp_path_factory.mktemp("misuse")
    (folder / "tried.json").write_text(json.dumps([row[:2] for row in TRIED]))
    left = TRY + LEFT.replace("p.requires_initial_data()", f"attempt({BEFORE!r})\np.requires_initial_data()")
    left = left.replace("# HERE", f"if not any({DURING!r} in k for k in errors): attempt({DURING!r})")
    left = left.replace("p.finalize()", f"attempt({END!r})\np.finalize()\nattempt({AFTER!r})")
    left += "json.dump(errors, open('errors.json', 'w'))\n"
    first, second = run(server, folder, left)
    assert (first.status, second.status) == (0, 0), first.output + second.output
    return dict(json.loads((folder / "errors.json").read_text()))


@pytest.mark.skipif(REAL, reason="pyprecice 3.4.0 ends the process on many of these instead of raising")
@pytest.mark.parametrize(("what", "when", "kind", "message"), TRIED, ids=[f"{t[0]} {t[1]}" for t in TRIED])
def test_misuse(errors: dict[str, Any], what: str, when: str, kind: str, message: str) -> None:
    kinds, text = errors[f"{what} {when}"]
    assert kind in kinds, (kinds, text)
    assert message in text


def test_results_have_the_shapes_and_types_of_pyprecice(server: Server, tmp_path: Path) -> None:
    left = LEFT.replace(
        "# HERE",
        """
    def form(a): return [list(a.shape), str(a.dtype)]
    open("seen.json", "w").write(json.dumps({
        "ids": form(ids), "scalar": form(p.read_data("Left-Mesh", "Heat", ids, 0.0)),
        "some": form(p.read_data("Left-Mesh", "Heat", [1], 0.0)),
        "none": form(p.read_data("Left-Mesh", "Heat", [], 0.0)),
        "dimensions": [p.get_mesh_dimensions("Left-Mesh"), p.get_data_dimensions("Left-Mesh", "Heat"),
                       p.get_data_dimensions("Left-Mesh", "Force"), p.get_mesh_vertex_size("Left-Mesh")],
        "flags": [p.requires_mesh_connectivity_for("Left-Mesh"), p.requires_gradient_data_for("Left-Mesh", "Force")],
        "bytes": p.get_mesh_dimensions(b"Left-Mesh"),
        "version": type(precice.get_version_information()).__name__}))
    p.write_data("Left-Mesh", "Force", [], np.zeros((0, 2)))
    p.write_data("Left-Mesh", "Force", list(ids), [(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)])
    p.start_profiling_section("solve"); p.stop_last_profiling_section()""",
    )
    right = RIGHT.replace(
        "# HERE",
        """
    import json
    open("seen-right.json", "w").write(json.dumps({"ids": [list(ids.shape), str(ids.dtype)],
        "x": [list(x.shape), str(x.dtype)], "force": [list(force.shape), str(force.dtype)],
        "one": list(p.read_data("Left-Mesh", "Force", [2], 0.0).shape),
        "size": p.get_mesh_vertex_size("Left-Mesh")}))""",
    )
    first, second = run(server, tmp_path, left, right)
    assert (first.status, second.status) == (0, 0), first.output + second.output
    assert json.loads((tmp_path / "seen.json").read_text()) == {
        "ids": [[3], "int32"],
        "scalar": [[3], "float64"],
        "some": [[1], "float64"],
        "none": [[0], "float64"],
        "dimensions": [2, 1, 2, 3],
        "flags": [False, False],
        "bytes": 2,
        "version": "bytes",
    }
    assert json.loads((tmp_path / "seen-right.json").read_text()) == {
        "ids": [[3], "int32"],
        "x": [[3, 2], "float64"],
        "force": [[3, 2], "float64"],
        "one": [1, 2],
        "size": 3,
    }


def test_what_is_read_belongs_to_the_program(server: Server, tmp_path: Path) -> None:
    """Changing an array that was read or written changes nothing inside."""
    left = LEFT.replace(
        "# HERE",
        """
    force = np.ones((3, 2))
    p.write_data("Left-Mesh", "Force", ids, force)
    force[:] = 7.0
    heat = p.read_data("Left-Mesh", "Heat", ids, 0.0)
    before = heat.copy()
    heat[:] = 99.0
    assert (p.read_data("Left-Mesh", "Heat", ids, 0.0) == before).all()
    assert not (before == 14.0).any()""",
    ).replace('    p.write_data("Left-Mesh", "Force", ids, np.ones((3, 2)))\n    p.adv', "    p.adv")
    first, second = run(server, tmp_path, left)
    assert (first.status, second.status) == (0, 0), first.output + second.output


@only_embedded
def test_checkpoints_have_to_be_asked_for(server: Server, tmp_path: Path) -> None:
    left = LEFT.replace("p.requires_writing_checkpoint()", "pass")
    first, second = run(server, tmp_path, left)
    assert "writing a checkpoint is required: call requires_writing_checkpoint() before" in first.output
    left = LEFT.replace("p.requires_reading_checkpoint()", "pass")
    first, second = run(server, tmp_path, left)
    assert "reading a checkpoint is required: call requires_reading_checkpoint() before" in first.output
    assert first.status == 1
    assert second.status == 1


@only_embedded
def test_step_beyond_the_window(server: Server, tmp_path: Path) -> None:
    first, _ = run(server, tmp_path, LEFT.replace("p.advance(p.get_max_time_step_size())", "p.advance(0.6)"))
    assert "advance(0.6) goes beyond the end of the time window: the largest step allowed now is 0.5" in first.output


@only_embedded
def test_access_without_a_region(server: Server, tmp_path: Path) -> None:
    def output(right: str) -> str:
        (tmp_path / "case.xml").write_text(CONFIG)
        (tmp_path / "right.py").write_text(right)
        return server.run(tmp_path, {"Right": [tmp_path / "right.py"]})["Right"].output

    region = "[-1.0, 2.0, -1.0, 2.0]"
    call = f'p.set_mesh_access_region("Left-Mesh", {region})'
    assert 'needs an access region on mesh "Left-Mesh"' in output(RIGHT.replace(call, ""))
    assert "has the shape (2,), expected (4,)" in output(RIGHT.replace(region, "[0.0, 1.0]"))
    assert "has a minimum larger than its maximum" in output(RIGHT.replace(region, "[2.0, -1.0, -1.0, 2.0]"))
    assert "A region can be set only once" in output(RIGHT.replace(call, f"{call}\n{call}"))


@only_embedded
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Left", config', '"Lift", config', "has no participant \"Lift\"; expected one of Left, Right. Did you mean 'Left'?"),
        ('"Left", config, 0, 1', '"Left", config, 1, 1', "rank 1 of 1 is not possible"),
        ('"Left", config', '"Left", "nowhere.xml"', "nowhere.xml: cannot be read: No such file or directory"),
        ('"Left", config', '7, config', "the participant's name has to be a string, not int"),
    ],
)  # fmt: skip
def test_construction(server: Server, tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "case.xml").write_text(CONFIG)
    (tmp_path / "left.py").write_text(LEFT.replace(old, new))
    ended = server.run(tmp_path, {"Left": [tmp_path / "left.py"]})["Left"]
    assert ended.status == 1
    assert message in ended.output


@only_embedded
def test_first_line_and_what_is_refused(server: Server, tmp_path: Path) -> None:
    first, _ = run(server, tmp_path)
    assert first.output.splitlines() == [
        "scalebridge embedded engine 0.1.0 (preCICE 3.4 interface) participant Left, configuration case.xml"
    ]
    (tmp_path / "case.xml").write_text(CONFIG.replace("experimental", 'allow-remeshing="true" experimental'))
    refused = server.run(tmp_path, {"Left": [tmp_path / "left.py"]})["Left"]
    assert "allow-remeshing is not supported by the embedded engine; expected libprecice" in refused.output
    assert refused.status == 1


# --- when things go wrong --------------------------------------------------------------------------------------------


@only_embedded
def test_participant_that_raises(server: Server, tmp_path: Path) -> None:
    """It ends with its own traceback; its partner ends with an error that names it and says where it stood."""
    left = LEFT.replace("# HERE", 'if p.is_time_window_complete(): raise ValueError("no convergence in my solver")')
    first, second = run(server, tmp_path, left)
    assert first.status == 1
    assert first.output.rstrip().endswith("ValueError: no convergence in my solver")
    assert second.status == 1
    assert "participant Left ended (process " in second.output
    assert "while Right was waiting for its data in time window 2, iteration 1" in second.output
    assert max(first.seconds, second.seconds) < 5.0


@only_embedded
@pytest.mark.parametrize("who", ["Left", "Right"])
def test_killed_participant(server: Server, tmp_path: Path, who: str) -> None:
    """kill -9 of one ends the other at once, and nothing stays in shared memory or the temporary folder."""
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    programs = (LEFT.replace("# HERE", kill), RIGHT) if who == "Left" else (LEFT, RIGHT.replace("# HERE", kill))
    before = _left_behind()
    ended = dict(zip(("Left", "Right"), run(server, tmp_path, *programs), strict=True))
    other = ended["Right" if who == "Left" else "Left"]
    assert ended[who].status == -9
    assert other.status == 1
    assert f"participant {who} ended" in other.output
    assert other.seconds < 5.0
    assert _vanishes(_left_behind() - before)


def _left_behind() -> set[str]:
    places = [Path("/dev/shm"), Path(tempfile.gettempdir())]
    return {str(f) for place in places if place.is_dir() for f in place.iterdir() if "scalebridge" in f.name}


def _vanishes(files: set[str]) -> bool:
    """Say whether none of these files stays; those of other tests that run at the same time go when these end."""
    deadline = time.monotonic() + 60
    while files & _left_behind() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not files & _left_behind()


@only_embedded
def test_killed_while_large_data_are_in_shared_memory(server: Server, tmp_path: Path) -> None:
    """The same with arrays that do not fit into a message."""
    many = "np.random.default_rng(0).random((20000, 2))"
    left = LEFT.replace("[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]", many).replace("(3, 2)", "(20000, 2)")
    right = RIGHT.replace("# HERE", "if p.is_time_window_complete(): os.kill(os.getpid(), signal.SIGKILL)")
    before = _left_behind()
    first, second = run(server, tmp_path, left, right)
    assert (first.status, second.status) == (1, -9)
    assert "participant Right ended" in first.output
    assert _vanishes(_left_behind() - before)


@only_embedded
def test_partner_that_never_comes(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "case.xml").write_text(CONFIG)
    for name, text in (("Left", LEFT), ("Right", RIGHT)):
        limit = 'import os; os.environ["SCALEBRIDGE_WAIT_LIMIT"] = "0.3"\n'
        (tmp_path / "alone.py").write_text(limit + text)
        ended = server.run(tmp_path, {name: [tmp_path / "alone.py"]})[name]
        assert ended.status == 1
        other = "Right" if name == "Left" else "Left"
        assert (
            f"participant {name} waits for participant {other} (exchange directory .), which has not come"
            in ended.output
        )
        assert ended.seconds < 3.0
    (tmp_path / "alone.py").write_text('import os; os.environ["SCALEBRIDGE_WAIT_LIMIT"] = "soon"\n' + LEFT)
    ended = server.run(tmp_path, {"Left": [tmp_path / "alone.py"]})["Left"]
    assert "SCALEBRIDGE_WAIT_LIMIT=soon is not a number of seconds" in ended.output
    assert not (tmp_path / "precice-run").exists()


@only_embedded
def test_waiting_is_said_aloud(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scalebridge.embedded import rendezvous

    patience = rendezvous._Patience("Left", "Right", ".")
    now = [100.0]
    monkeypatch.setattr(rendezvous.time, "monotonic", lambda: now[0])
    for seconds in (0.0, 4.9, 5.1, 9.0, 10.1):
        now[0] = 100.0 + seconds
        patience.check()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2  # after 5 and after 10 seconds
    assert said[0].endswith(
        "participant Left waits for participant Right (exchange directory .), which has not come yet"
    )


@only_embedded
def test_different_configurations(server: Server, tmp_path: Path) -> None:
    (tmp_path / "other.xml").write_text(CONFIG.replace('<max-iterations value="2" />', '<max-iterations value="3" />'))
    first, second = run(server, tmp_path, programs={"Right": [tmp_path / "right.py", "other.xml"]})
    assert (first.status, second.status) == (1, 1)
    assert "have different configurations: schemes[0].max_iterations: 2 here, 3 there" in first.output
    assert "schemes[0].max_iterations: 3 here, 2 there (Right reads other.xml)" in second.output


@only_embedded
def test_rendezvous_from_different_folders(server: Server, tmp_path: Path) -> None:
    """The exchange directory is found from the folder of the configuration file too."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    move = "import os, sys; os.chdir({!r}); sys.argv.append('../case.xml')\n"
    first, second = run(
        server, tmp_path, move.format(str(tmp_path / "a")) + LEFT, move.format(str(tmp_path / "b")) + RIGHT
    )
    assert (first.status, second.status) == (0, 0), first.output + second.output
    assert [f.name for f in tmp_path.rglob("*") if "precice-run" in str(f)] == []


@only_embedded
def test_note_of_a_dead_process(server: Server, tmp_path: Path) -> None:
    """A note that an earlier, killed run has left does not keep anybody from meeting."""
    kill = "import threading, os, signal; threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()\n"
    (tmp_path / "case.xml").write_text(CONFIG)
    (tmp_path / "left.py").write_text(kill + LEFT)
    assert server.run(tmp_path, {"Left": [tmp_path / "left.py"]})["Left"].status == -9
    notes = list((tmp_path / "precice-run").iterdir())
    assert notes
    assert all((note.stat().st_mode & 0o777) == 0o600 for note in notes)
    late = "import time; time.sleep(0.3)\n"
    first, second = run(server, tmp_path, late + LEFT)
    assert (first.status, second.status) == (0, 0), first.output + second.output
    assert not (tmp_path / "precice-run").exists()


@only_embedded
def test_exchange_directory_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "case.xml").write_text(CONFIG.replace('exchange-directory="."', 'exchange-directory="file"'))
    (tmp_path / "left.py").write_text(LEFT)
    ended = server.run(tmp_path, {"Left": [tmp_path / "left.py"]})["Left"]
    assert 'cannot write to the exchange directory "file"' in ended.output


@only_embedded
def test_seconds_waited(server: Server, tmp_path: Path) -> None:
    left = LEFT.replace("p.finalize()", "print('waited', p.seconds_waited)\np.finalize()")
    right = RIGHT.replace("# HERE", "time.sleep(0.1)")
    first, _ = run(server, tmp_path, left, right)
    assert float(first.output.split()[-1]) > 0.25  # three iterations of 0.1 s


@only_embedded
def test_interface_is_that_of_pyprecice() -> None:
    """The same names and arguments (pyprecice 3.4.0, cyprecice.pyx)."""
    import inspect

    from scalebridge.embedded.participant import Participant

    arguments = {
        name: list(inspect.signature(member).parameters)[1:]
        for name, member in inspect.getmembers(Participant, inspect.isfunction)
        if not name.startswith("_")
    }
    one, mesh = ["mesh_name"], ["mesh_name", "data_name"]
    assert arguments == {
        "advance": ["computed_timestep_length"],
        "finalize": [],
        "get_data_dimensions": mesh,
        "get_max_time_step_size": [],
        "get_mesh_dimensions": one,
        "get_mesh_vertex_ids_and_coordinates": one,
        "get_mesh_vertex_size": one,
        "initialize": [],
        "is_coupling_ongoing": [],
        "is_time_window_complete": [],
        "map_and_read_data": [*mesh, "coordinates", "relative_read_time"],
        "read_data": [*mesh, "vertex_ids", "relative_read_time"],
        "requires_gradient_data_for": mesh,
        "requires_initial_data": [],
        "requires_mesh_connectivity_for": one,
        "requires_reading_checkpoint": [],
        "requires_writing_checkpoint": [],
        "save_state": [],  # an extension
        "reset_mesh": one,
        "set_mesh_access_region": [*one, "bounding_box"],
        "set_mesh_edge": [*one, "first_vertex_id", "second_vertex_id"],
        "set_mesh_edges": [*one, "vertices"],
        "set_mesh_quad": [*one, "first_vertex_id", "second_vertex_id", "third_vertex_id", "fourth_vertex_id"],
        "set_mesh_quads": [*one, "vertices"],
        "set_mesh_tetrahedra": [*one, "vertices"],
        "set_mesh_tetrahedron": [*one, "first_vertex_id", "second_vertex_id", "third_vertex_id", "fourth_vertex_id"],
        "set_mesh_triangle": [*one, "first_vertex_id", "second_vertex_id", "third_vertex_id"],
        "set_mesh_triangles": [*one, "vertices"],
        "set_mesh_vertex": [*one, "position"],
        "set_mesh_vertices": [*one, "positions"],
        "start_profiling_section": ["event_name"],
        "stop_last_profiling_section": [],
        "write_and_map_data": [*mesh, "coordinates", "values"],
        "write_data": [*mesh, "vertex_ids", "values"],
        "write_gradient_data": [*mesh, "vertex_ids", "gradients"],
    }
