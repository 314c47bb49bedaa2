"""The embedded engine goes on in another process as if there had been none: bit for bit, to the last file."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_server import HERE, REAL, REFERENCE, Ended, Server, running
from test_embedded_engine import CONFIG, DEFAULTS, START

from scalebridge import continuation
from scalebridge.continuation import ContinuationError
from scalebridge.embedded import config, memory, schemes
from scalebridge.embedded.fields import Fields
from scalebridge.embedded.log import Log
from scalebridge.embedded.memory import MemoryTreeError

pytestmark = pytest.mark.skipif(REAL, reason="libprecice cannot save its state")
CASES = sorted((REFERENCE / "cases").glob("*.json"))
ALIKE = re.compile(  # cases in which no more is remembered than in others
    r"rbf-|measure-|nearest-(?!neighbor-gradient)|vector-(?!iqn)|linear-|scaled-|waveform-degree-[012]|axial-|.*-value-|"
    r".*-sum-serial|just-in-time-[cn]|action-[dm]|.*-max-time|api-access-[er]|iqn-ils-(c|d|residual-p)|constant-|radial-|"
    r".*-m(in|ax)-iterations|four-serial|three-serial|.*-qr1|substeps-constant|parallel-explicit$|serial-explicit$"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


def run(server: Server, case_file: Path, folder: Path, save: int, resume: int) -> dict[str, str]:
    """Run a case; return the traces after the window `save` or `resume`, and all logs and exports."""
    names = list(json.loads(case_file.read_text())["participants"])
    script = HERE / "resumed_participant.py"
    programs = {n: [script, case_file, n, f"{n}.json", save, resume] for n in names}
    ended = server.run(folder, programs)
    assert all(e.status == 0 for e in ended.values()), "\n".join(f"--- {n}\n{e.output}" for n, e in ended.items())
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and f.suffix not in (".npz", ".out")]
    return {str(f.relative_to(folder)): f.read_text() for f in files}


@pytest.mark.parametrize("case_file", [c for c in CASES if not ALIKE.match(c.stem)], ids=lambda c: c.stem)
def test_a_coupling_goes_on_bit_for_bit(server: Server, case_file: Path, tmp_path: Path) -> None:
    text = json.loads(case_file.read_text())["config"]
    window = 2 if re.search(r'max-time-windows value="[3-9]"', text) else 1
    for name in re.findall(r'<participant name="(\w+)"', text):
        export = f'<export:vtu directory="exports" /></participant><!-- {name} -->'
        text = text.replace("</participant>\n", f"{export}\n", 1)
    (tmp_path / "precice-config.xml").write_text(text)
    expected = run(server, case_file, tmp_path, window, 0)
    assert all(json.loads(expected[f"{n}.json"]) for n in json.loads(case_file.read_text())["participants"])
    for file in tmp_path.rglob("*"):  # what the first one has left of the windows after that
        late = re.search(r"dt(\d+)", file.name)
        if file.suffix == ".series" or (late and int(late[1]) > window):
            file.unlink()
        elif file.suffix == ".log":
            file.write_text(file.read_text() + "\n half a li")
    assert run(server, case_file, tmp_path, 0, window) == expected


RIGHT = """
ids = p.set_mesh_vertices(mesh, [[0.0, 0.0]])
p.initialize()
while p.is_coupling_ongoing():
    p.advance(p.get_max_time_step_size())
p.finalize()
"""


def test_a_state_is_saved_at_the_end_of_a_window_and_of_nothing_else(server: Server, tmp_path: Path) -> None:
    left = """
    def told():
        try:
            p.save_state()
            print("saved")
        except RuntimeError as error:
            print(error)
    told()
    ids = p.set_mesh_vertices(mesh, [[0.0, 0.0]])
    p.initialize()
    told()
    p.advance(0.25)
    told()
    p.advance(0.25)
    told()
    p.write_data(mesh, "Alpha", ids, [1.0])
    told()
    p.advance(0.5)
    told()
    p.finalize()
    """
    ended = programs(server, tmp_path, textwrap.dedent(left), RIGHT)
    when = "Call it when a time window has ended in all coupling schemes, and before the coupling ends"
    now = f"save_state() of participant Left is not possible now (state: initialize() has been called). {when}"
    assert ended[0].output.splitlines()[1:] == [
        "save_state() of participant Left is not possible yet (state: it has been constructed, but initialize() has "
        "not been called). Call initialize() before",
        now,
        now,
        "saved",
        "save_state() of participant Left was called after write_data() (state: initialize() has been called). "
        "Call it right after advance()",
        now,
    ]


def test_another_mesh_is_noticed(server: Server, tmp_path: Path) -> None:
    loop = """
    from scalebridge import treefile
    state = treefile.load(name) if os.path.exists(name) else None
    p = precice.Participant(name, "case.xml", 0, 1, state=state)
    p.set_mesh_vertices(mesh, [[1.0 if state and name == "Left" else 0.0, 0.0]])
    p.initialize()
    p.advance(0.5)
    treefile.save(name, p.save_state())
    p.advance(0.5)
    """
    text = textwrap.dedent(loop)
    assert [e.status for e in programs(server, tmp_path, text, text)] == [0, 0]
    left, _ = programs(server, tmp_path, text, text)
    assert left.status != 0
    assert 'mesh "Left-Mesh" is not what it was when the state of Left was saved' in left.output


def programs(server: Server, folder: Path, left: str, right: str) -> list[Ended]:
    (folder / "case.xml").write_text(CONFIG.format(**DEFAULTS))
    for name, text in (("Left", left), ("Right", right)):
        (folder / f"{name}.py").write_text(START.format(name=name) + text)
    return list(server.run(folder, {n: [folder / f"{n}.py"] for n in ("Left", "Right")}).values())


def test_the_memory_holds_what_it_knows_and_nothing_else() -> None:
    with pytest.raises(MemoryTreeError, match=r"the engine's memory cannot hold a builtins\.object"):
        memory.remember({"a": [object()]})
    with pytest.raises(MemoryTreeError, match=r"the engine's memory has no 'Popen'"):
        memory.recall([{"class": "Popen", "args": "true"}])
    with pytest.raises(MemoryTreeError, match=r"the engine's memory has no 'value of this kind'"):
        memory.recall({"args": "true"})


def test_files_are_gone_on_with_where_they_stood(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with continuation.go_on(path, None) as file:
        file.write("één\n")
        size = continuation.position(file)
        file.write("more")
    with continuation.go_on(path, size) as file:
        file.write("two\n")
    assert path.read_text() == "één\ntwo\n"
    with pytest.raises(ContinuationError, match=r"a\.log cannot be gone on with: it has 10 bytes, and had 99"):
        continuation.go_on(path, 99)
    with pytest.raises(ContinuationError, match=r"b\.log cannot be gone on with: No such file or directory"):
        continuation.go_on(tmp_path / "b.log", 1)


def test_everything_that_changes_in_a_scheme_is_remembered(tmp_path: Path) -> None:
    """Whoever adds an attribute decides: it is remembered, or it follows from the configuration."""
    constant = {"config", "me", "log", "first", "implicit", "partners", "channels", "sends", "receives", "all"}
    constant |= {"_advancing", "_sent_before"}  # at the end of a window always the same
    renamed = {"_iterations_log": "logs", "_convergence_log": "logs"}
    for case_file in (c for c in CASES if c.stem in ("iqn-imvj-rs-ls", "three-multi-aitken-substeps", "aitken")):
        (tmp_path / "case.xml").write_text(json.loads(case_file.read_text())["config"])
        configuration = config.load(tmp_path / "case.xml")
        for me in configuration.participants:
            data = Fields(configuration, me.name).data
            (chosen,) = configuration.schemes_of(me.name)
            scheme = schemes.create(chosen, me.name, data, Log(me.name, ()))
            kept = scheme.memory()
            known = {*kept["position"], *kept.keys(), *constant}
            assert {renamed.get(name, name) for name in vars(scheme)} <= known
            assert memory.recall(memory.remember(kept["acceleration"])).__class__ is type(scheme.acceleration)
