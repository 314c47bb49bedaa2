"""Classes written for the preCICE Micro Manager as micro models, on the engine under test, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from coupled import ENGINE, ROOT, environment, participant, run, start
from test_coupling import xml
from test_resume import CASE as DECAY
from test_resume import scalebridge, write_case

from adapters import ensemble, trees
from adapters.coupling import Coupling
from adapters.micro import MicroError, arrays
from adapters.micro_manager import loading, states
from adapters.micro_manager.model import FileSettings, MicroManager
from adapters.micro_manager.objects import _initialized
from adapters.snapshots import Choice
from adapters.strategies import provenance
from adapters.wiring import CouplingError
from scalebridge import checks, treefile
from scalebridge.fields import Field

N = 5
X = np.arange(float(N))
FILE = {
    "participant_name": "Micro",
    "precice_config_file_path": "precice-config.xml",
    "interfaces": [
        {"mesh_name": "Macro-Mesh", "read_data": [{"name": "Strain"}], "write_data": [{"name": "Stress"}]},
    ],
    "micro_manager": {
        "micro_file_names": ["micro_relaxing"],
        "simulation_params": {"micro_dt": 0.25, "macro_domain_bounds": [0.0, 4.0, 0.0, 1.0]},
    },
}
NUMBER = "micro_manager.simulation_params."


def written(folder, *, name="micro.json", module="micro_relaxing", config=None, **simulation):
    """Write a file for the Micro Manager beside its preCICE configuration; return its path."""
    content = json.loads(json.dumps(FILE))
    content["micro_manager"]["micro_file_names"] = [module]
    content["micro_manager"]["simulation_params"].update(simulation)
    (folder / "precice-config.xml").write_text(config or xml())
    (folder / name).write_text(json.dumps(content))
    return folder / name


@participant(reads={"Stress": Field("1")}, writes={"Strain": Field("1")})
def line(case):
    """du/dt = -(stress + u) at points of a uniform line, u = 1 + x at the start."""
    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", np.stack([X, 0 * X], axis=1))
        u, begin, seen = 1.0 + X, [], []
        stress = mesh.read("Stress")
        mesh.write("Strain", u)
        coupling.on_window(lambda time: seen.append(stress.values.copy()))
        for step in coupling.steps(keep=(u,)):
            begin.append(stress.old.copy())
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
        np.savez("end.npz", u=u, begin=begin[0], seen=seen)


class Relaxing:
    """The same micro model, written for a batch."""

    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("1")}  # noqa: RUF012

    def start(self, points, controls):
        return {"s": np.array(controls["Strain"])}

    def solve(self, state, controls, dt):
        s = (state["s"] + 2.0 * dt * controls["Strain"]) / (1.0 + 2.0 * dt)
        return {"s": s}, {"Stress": 3.0 * s}


@participant(reads={}, writes={})
def batch(case):
    ensemble.run(case, Relaxing(), Choice(times=1, volumes=1))


@participant(FileSettings, reads={}, writes={})
def objects(case):
    case = replace(case, handout=replace(case.handout, module=MicroManager.__module__))
    ensemble.run(case, MicroManager(case.settings), Choice(times=1, volumes=1))


def end(folder, micro, settings=None, config=None, **more):
    """Return what the macro side ends with."""
    folder.mkdir(exist_ok=True)
    run(folder, config or xml(), {"Macro": line, "Micro": (micro, settings or {})}, **more)
    return dict(np.load(folder / "Macro/end.npz"))


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("kind", ["serial-implicit", "serial-explicit"])
def test_a_class_gives_what_the_same_model_gives_in_a_batch(tmp_path, kind, ranks):
    """Windows are repeated a dozen times in an implicit scheme; the class changes its arrays in place."""
    config = xml(kind)
    path = written(tmp_path, config=config)
    one_by_one = end(tmp_path, objects, {"config": str(path)}, config, ranks={"Micro": ranks})
    together = end(tmp_path / "batch", batch, None, config)
    for name, values in together.items():
        np.testing.assert_allclose(one_by_one[name], values, rtol=1e-14, atol=1e-14, err_msg=name)
    assert np.abs(together["u"]).max() > 0.1
    (check,) = [c for c in checks.load(tmp_path / "Micro/checks.json") if "solves from one state" in c.name]
    assert check.passed
    assert check.value == 0.0
    counts = [Path(tmp_path / f"Micro/relaxing-{number}.txt").read_text().split() for number in range(N)]
    assert counts == [["1", "2", "3", "4"]] * N  # one step in each window that was kept, in each simulation


def test_its_step_is_the_longest(tmp_path):
    """Two sub-steps of 0.125 s in a window of 0.25 s, as many as the same equation has in a batch."""
    path = written(tmp_path, micro_dt=0.125, micro_output_n=2)
    end(tmp_path, objects, {"config": str(path)})
    assert Path(tmp_path / "Micro/relaxing-0.txt").read_text().split() == ["4", "8"]


@pytest.mark.parametrize("directory", [None, "logs"])
def test_from_the_command_line(tmp_path, directory):
    """As `micro-manager-precice FILE` is called, in the folder of the file."""
    path = written(tmp_path)
    (tmp_path / "micro_relaxing.py").write_text((ROOT / "tests/micro_relaxing.py").read_text())
    content = json.loads(path.read_text())
    content["micro_manager"]["simulation_params"]["decomposition"] = [2, 1]
    if directory:
        content["micro_manager"]["output_directory"] = directory
    path.write_text(json.dumps(content))
    macro = start(tmp_path, xml().replace('exchange-directory=".."', f'exchange-directory="{tmp_path}"'), "Macro", line)
    command = [sys.executable, "-m", "adapters.micro_manager", path.name]
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert macro.wait(20) == 0
    assert "decomposition: is ignored: each rank gets an equal number" in done.stdout
    folder = tmp_path / (directory or "Micro-output")
    assert f"Micro: MicroSimulation of micro_relaxing; files in {folder}" in done.stdout
    assert (folder / "checks.json").is_file()
    np.testing.assert_allclose(
        np.load(tmp_path / "Macro/end.npz")["u"], end(tmp_path / "batch", batch)["u"], rtol=1e-14, atol=1e-14
    )
    command[-1] = "nowhere.json"
    done = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nowhere.json: cannot be read: No such file or directory" in done.stderr


# ---- in a case

CASE = """case: relaxing
coupling: precice-config.xml
participants:
  Macro: {command: [python, -c, pass]}
  Micro: {run: relaxing, settings: {state-tolerance: 1e-5}}
"""
MODULE = '''"""Relaxing stress, in a class written for the Micro Manager."""

from adapters.micro_manager.objects import _initialized
from adapters.micro_manager.model import MicroManager
from adapters.participant import micro_participant


class Relaxing(MicroManager, config="micro.json", units={"Stress": "Pa"}):
    pass


if __name__ == "__main__":
    micro_participant(Relaxing)
'''


def check(folder):
    command = [sys.executable, "-m", "scalebridge", "check", str(folder)]
    return subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_participant_of_a_case(tmp_path):
    """Six lines beside the case make a micro model of it that describes itself; the class is not imported for that."""
    written(tmp_path, module="not_there_yet")
    (tmp_path / "relaxing.py").write_text(MODULE)
    command = [sys.executable, "-m", "relaxing", "--describe"]
    path = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    told = subprocess.run(command, env={**environment(), **path}, capture_output=True, text=True, timeout=60)
    described = json.loads(told.stdout)
    assert described["kind"] == "micro"
    assert described["model"] == "Relaxing"
    assert described["title"] == "Relaxing stress, in a class written for the Micro Manager"
    assert described["controls"]["Strain"] == Field("1").to_json()
    assert described["observables"]["Stress"] == Field("Pa").to_json()
    assert list(described["settings"]) == ["state_tolerance"]
    (tmp_path / "case.yaml").write_text(CASE)
    done = check(tmp_path)
    assert done.returncode in (0, 1), done.stderr
    content = json.loads((tmp_path / "micro.json").read_text())
    content["micro_manager"]["micro_dt"] = content["micro_manager"].pop("micro_file_names")
    (tmp_path / "micro.json").write_text(json.dumps(content))
    done = check(tmp_path)
    assert done.returncode == 2
    assert "micro_manager.micro_dt: no such key" in done.stderr
    assert "micro_manager.micro_file_names: is missing" in done.stderr  # all of it at once


# ---- classes that are not what they should be

HEAD = """
import numpy as np


class MicroSimulation:
    def __init__(self, sim_id):
        self.s, self.hidden, self.sim_id = 0.0, 1.0, sim_id

    def initialize(self):
        return {"Stress": 1.0}

    def solve(self, macro_data, dt):
        self.s += dt * macro_data["Strain"]
        return {"Stress": self.s}

    def get_state(self):
        return self.s

    def set_state(self, state):
        self.s = state
"""
numbered = iter(range(1000))


@dataclass
class Made:
    """A model of a changed class, at N points, with its first state."""

    model: MicroManager
    state: dict
    points: np.ndarray

    def solve(self, dt=0.5, strain=X + 1.0):
        self.state, seen = self.model.solve(self.state, {"Strain": strain}, dt)
        return seen


def made(folder, *changes, head=HEAD, tolerance=1e-6):
    """Return a model of the class with texts replaced in it, (old, new)."""
    module = f"changed_{next(numbered)}"
    for old, new in changes:
        assert old in head
        head = head.replace(old, new)
    (folder / f"{module}.py").write_text(head)
    path = written(folder, module=module)
    model = MicroManager(FileSettings(config=str(path), state_tolerance=tolerance))
    points = np.stack([X, 0 * X], axis=1)
    return Made(model, model.start(points, {"Strain": X + 1.0}), points)


def test_states_of_any_kind(tmp_path):
    """What is alike becomes arrays and comes back as it was; what is not stays in memory, and is not saved."""
    good = [
        {
            "a": np.arange(3.0) + i,
            "n": i,
            "x": 0.5 * i,
            "t": f"t{i}",
            "f": i > 1,
            "l": [i, (np.float32(i), None)],
            "z": 1j,
        }
        for i in range(3)
    ]
    assert states.form(good) is not None
    state = states.stack(good)
    assert state["dict"]["a"]["array"].shape == (3, 3)
    again = trees.value(trees.tree(state, "state"), {}, "state")
    for row, value in enumerate(good):
        back = states.unstack(again, row)
        np.testing.assert_array_equal(back.pop("a"), value["a"])
        assert back == {k: v for k, v in value.items() if k != "a"}
        assert type(back.pop("x")) is np.float64
        assert [type(v) for v in back.values()] == [type(v) for k, v in value.items() if k not in "ax"]
    states.unstack(state, 0)["a"][:] = 7.0
    assert state["dict"]["a"]["array"][0, 0] == 0.0
    for odd in (
        [np.zeros(2), np.zeros(3)], [1, 1.0], [np.zeros(1), np.float32(0)],
        [{"a": 1}, {"b": 1}], [[1], [1, 2]], [2**70, 1], ["a\0", "b"],
        [object(), object()], [{1: 2}, {1: 2}], [np.array([None]), np.array([None])], [[{}, set()], [{}, set()]],
    ):  # fmt: skip
        assert states.form(odd) is None
        kept = states.stack(odd, alike=False)
        assert all(states.unstack(kept, row) is value for row, value in enumerate(odd))
    with pytest.raises(trees.NotATree, match=r"state/objects holds objects \(ndarray\) that no file can hold"):
        trees.tree(states.stack([np.zeros(2), np.zeros(3)], alike=False), "state")


def test_states_that_become_unlike(tmp_path):
    """A mesh that is refined in one of them: from then on states are kept as objects."""
    it = made(
        tmp_path,
        ("return self.s\n", "return [self.s, np.zeros(int(self.s) + 1)]\n"),
        ("self.s = state\n", "self.s = state[0]\n"),
    )
    assert set(it.state["state"]) == {"list"}
    first, begin = it.solve()["Stress"], it.state
    np.testing.assert_array_equal(first, 0.5 * (X + 1.0))
    assert set(it.state["state"]) == {"objects"}
    np.testing.assert_array_equal(it.solve()["Stress"], X + 1.0)
    it.state = begin
    np.testing.assert_array_equal(it.solve()["Stress"], X + 1.0)
    assert set(it.state["state"]) == {"objects"}


def test_objects_are_made_again_for_a_state_from_elsewhere(tmp_path):
    """As after a restart, or in a capsule: construct, initialise with what was there at the start, set the state."""
    change = (
        "def initialize(self):\n        return",
        'def initialize(self, data):\n        self.hidden = data["Strain"]\n        return',
    )
    use = ('self.s += dt * macro_data["Strain"]', 'self.s += dt * macro_data["Strain"] * self.hidden')
    it = made(tmp_path, change, use)
    it.solve()
    other = MicroManager(it.model.settings)
    state = {**it.state}
    np.testing.assert_array_equal(other.solve(state, {"Strain": X + 1.0}, 0.5)[1]["Stress"], it.solve()["Stress"])
    one = {name: values[2:3] for name, values in (("number", state["number"]), ("serial", state["serial"]))}
    assert one["number"].tolist() == [2]


def test_a_state_is_set_only_where_an_object_is_not_in_it(tmp_path):
    it = made(tmp_path, ("self.s = state\n", "self.s = state\n        self.hidden += 1.0\n"), tolerance=0.0)
    begin = it.state
    it.solve()
    it.solve()
    simulation = it.model.objects._known[0]
    assert simulation.hidden == 1.0
    it.state = begin
    it.solve()
    assert simulation.hidden == 2.0


LEAK = (
    (
        'self.s += dt * macro_data["Strain"]',
        'self.s += dt * macro_data["Strain"] * self.hidden\n        self.hidden += 1.0',
    ),
)


def test_a_state_that_is_not_all(tmp_path, capsys):
    """What get_state leaves out lives on in repeated windows: it is found; with tolerance 0 not looked for."""
    it = made(tmp_path, *LEAK)
    it.solve()
    (found,) = it.model.audit(it.state, it.state)
    assert not found.passed
    assert found.value == 1.0
    assert "MicroSimulation remembers more than get_state returns" in (told := capsys.readouterr().out)
    assert "and then gives 'Stress' off by 1 of its size. Windows that are repeated, restarts" in told
    quiet = made(tmp_path, *LEAK, tolerance=0.0)
    quiet.solve()
    assert quiet.model.audit(quiet.state, quiet.state) == []
    broken = made(tmp_path, ("self.s = state\n", "self.s = state + self.missing\n"))
    broken.solve()
    (found,) = broken.model.audit(broken.state, broken.state)
    assert not found.passed
    assert "and fails with AttributeError" in capsys.readouterr().out


def test_what_is_seen_at_the_start(tmp_path, capsys):
    """`initialize` says it; what it does not say comes from a first step, which changes nothing."""
    it = made(tmp_path)
    np.testing.assert_array_equal(it.solve(dt=0.0)["Stress"], np.ones(N))
    assert capsys.readouterr().out == ""
    it = made(tmp_path, ('return {"Stress": 1.0}', "pass"))
    np.testing.assert_array_equal(it.solve(dt=0.0)["Stress"], 0.25 * (X + 1.0))
    assert "MicroSimulation.initialize gives no Stress: what is seen at the start comes from a step of 0.25 s" in (
        capsys.readouterr().out
    )
    np.testing.assert_array_equal(it.solve()["Stress"], 0.5 * (X + 1.0))
    plain = made(tmp_path, ('    def initialize(self):\n        return {"Stress": 1.0}\n\n', ""))
    np.testing.assert_array_equal(plain.solve(dt=0.0)["Stress"], 0.25 * (X + 1.0))
    with pytest.raises(MicroError, match=r"TypeError: MicroSimulation.initialize returned a list; expected a dict"):
        made(tmp_path, ('return {"Stress": 1.0}', "return [1.0]"))


def test_failures_name_their_rows(tmp_path):
    """All rows that fail are named at once, and the others are not solved a second time when they are asked for."""
    it = made(
        tmp_path,
        ("    def solve(self, macro_data, dt):", "    def solve(self, macro_data, dt):\n        self.hidden += 1.0"),
        ('"Stress": self.s}', '"Stress": float(self.s) / (self.sim_id not in (1, 3))}'),
        tolerance=0.0,
    )  # fmt: skip
    with pytest.raises(MicroError, match="ZeroDivisionError: ") as failed:
        it.solve()
    assert failed.value.rows.tolist() == [1, 3]
    good = [0, 2, 4]
    state = {name: values for name, values in it.state.items() if name not in ("state", "seen", "began")}
    part = {name: values[good] for name, values in state.items()}
    part |= {"state": {"float": it.state["state"]["float"][good]}}
    part |= {name: {k: v[good] for k, v in it.state[name].items()} for name in ("seen", "began")}
    after, seen = it.model.solve(part, {"Strain": (X + 1.0)[good]}, 0.5)
    np.testing.assert_array_equal(seen["Stress"], 0.5 * (X + 1.0)[good])
    assert [it.model.objects._known[number].hidden for number in good] == [2.0] * 3
    it.model.solve(after, {"Strain": (X + 1.0)[good]}, 0.5)
    assert [it.model.objects._known[number].hidden for number in good] == [3.0] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"Stress": self.s}', '"Stres": self.s}'), "solve gave no 'Stress', only Stres. Did you mean 'Stres'?"),
        (('return {"Stress": self.s}', "return {}"), "solve gave no 'Stress', only nothing"),
        (('return {"Stress": self.s}', "return self.s"), "solve returned a float64; expected a dict"),
        (('"Stress": self.s}', '"Stress": [1.0, 2.0]}'), "gave 'Stress' of shape (2,); expected one number"),
        (("def get_state", "def got_state"), "has no get_state; it needs solve, get_state, set_state"),
        (("class MicroSimulation", "class Micro"), "has no class MicroSimulation"),
        (("import numpy as np", "import nowhere_at_all"), "needs a module 'nowhere_at_all', which is not there"),
    ],
)
def test_classes_that_do_not_fit(tmp_path, change, message):
    with pytest.raises(CouplingError) as error:
        made(tmp_path, change).solve()
    assert message in str(error.value)


def test_modules_and_points_that_are_not_there(tmp_path):
    path = written(tmp_path, module="nowhere.to_be_found")
    with pytest.raises(CouplingError, match=r"there is no module 'nowhere.to_be_found' with micro simulations in"):
        MicroManager(FileSettings(config=str(path)))
    path = written(tmp_path, macro_domain_bounds=[0.0, 2.5, 0.0, 1.0])
    model = MicroManager(FileSettings(config=str(path)))
    points = np.stack([X, 0 * X], axis=1)
    model.start(points, {"Strain": X})  # outside of a run, as when a law is trained
    model.first_row = 0
    with pytest.raises(CouplingError, match=r"leaves out 2 of 5 points of Macro-Mesh, the first at \(3, 0\)"):
        model.start(points, {"Strain": X})
    path = written(tmp_path, macro_domain_bounds=[0.0, 2.5, 0.0, 1.0, 0.0, 1.0])
    model = MicroManager(FileSettings(config=str(path)))
    model.first_row = 0
    with pytest.raises(CouplingError, match=r"macro_domain_bounds has 6 numbers; Macro-Mesh has 2 dimensions, so 4"):
        model.start(points, {"Strain": X})


def test_a_table_of_it_knows_the_file_of_the_micro_manager(tmp_path):
    """The settings of a class stand in that file: a table or a law of other ones does not fit."""
    of = [provenance.of(MicroManager(FileSettings(config=str(written(tmp_path, micro_dt=dt))))) for dt in (0.25, 0.5)]
    (told,) = provenance.differences(*of)
    assert told == "micro_dt was 0.25, the case has 0.5"
    assert of[0]["settings"]["class"] == "micro_relaxing"
    assert not provenance.differences(of[0], of[0])


def test_data_and_meshes_that_are_not_in_the_configuration(tmp_path):
    """All at once, with the nearest name; data that adaptivity writes are known where they are in the configuration."""
    path = written(tmp_path)
    text = path.read_text().replace('"Strain"', '"Strian"').replace("Macro-Mesh", "Macro-Mash")
    path.write_text(text)
    with pytest.raises(Exception, match="'Strian' is no data of") as error:
        MicroManager(FileSettings(config=str(path)))
    assert "Did you mean 'Strain'?" in str(error.value)
    assert "Did you mean 'Macro-Mesh'?" in str(error.value)
    with pytest.raises(TypeError, match=r"units: 'Stres' is neither read nor written.*Did you mean 'Stress'"):
        type("Wrong", (MicroManager,), {}, config=str(written(tmp_path)), units={"Stres": "Pa"})
    (tmp_path / "precice-config.xml").unlink()
    with pytest.raises(Exception, match=r"precice-config\.xml"):
        MicroManager(FileSettings(config=str(path)))


def test_what_adaptivity_writes(tmp_path, capsys):
    """Every simulation is active in every step; the configuration may ask for just that."""
    config = xml()
    for name in ("Active-State", "Active-Steps"):
        config = config.replace("<mesh ", f'<data:scalar name="{name}" />\n  <mesh ', 1)
        config = config.replace("</mesh>", f'<use-data name="{name}" /></mesh>', 1)
        write = '<write-data name="Stress" mesh="Macro-Mesh" />'
        config = config.replace(write, f'{write}<write-data name="{name}" mesh="Macro-Mesh" />')
    settings = {"type": "local", "data": ["Strain"], "history_param": 0.5, "coarsening_constant": 0.3}
    path = written(tmp_path, config=config, adaptivity=True, adaptivity_settings={**settings, "refining_constant": 0.4})
    model = MicroManager(FileSettings(config=str(path)))
    assert "adaptivity: is ignored: every micro simulation is solved in every step" in capsys.readouterr().out
    state = model.start(np.stack([X, 0 * X], axis=1), {"Strain": X + 1.0})
    for _ in range(2):
        state, seen = model.solve(state, {"Strain": X + 1.0}, 0.25)
    assert seen["Active-State"].tolist() == [1.0] * N
    assert seen["Active-Steps"].tolist() == [2.0] * N


def test_compiled_classes_have_no_signature():
    """Classes made by pybind11 do not tell what `initialize` takes: it is tried without and with the data."""
    assert loading.arguments(max) is None
    assert loading.arguments(lambda *data: None) == 1
    assert loading.arguments(lambda: None) == 0
    for method, seen in ((max, "Strain"), ({}.update, None)):  # max() is a TypeError
        assert _initialized(SimpleNamespace(initialize=method), {"Strain": 1.0}) == seen


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot go on from a checkpoint")
def test_checkpoints_and_capsules(tmp_path):
    """A case that ended early goes on to the same bits; a micro simulation that fails is kept, and fails alone."""
    folder = tmp_path / "decay"
    write_case(folder)
    (folder / "case.yaml").write_text(DECAY.replace("run: following", "run: relaxing"))
    file = written(folder, macro_domain_bounds=[-1.0, 9.0, -1.0, 9.0])
    file.write_text(file.read_text().replace("precice-config.xml", "coupling.xml"))
    (folder / "relaxing.py").write_text(MODULE)
    (folder / "micro_relaxing.py").write_text((ROOT / "tests/micro_relaxing.py").read_text())
    every = ("--engine", "embedded", "--checkpoint-every", 2)
    (folder / "die").touch()
    assert scalebridge(tmp_path, "run", "decay", *every).returncode == 3
    (folder / "die").unlink()
    whole = scalebridge(tmp_path, "run", "decay", *every, "--out", "whole")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    gone_on = scalebridge(tmp_path, "run", "--resume", "runs/decay")
    assert gone_on.returncode == 0, gone_on.stderr
    ends = [folder / "checkpoints/000006/Micro.1.npz" for folder in (tmp_path / "whole", tmp_path / "runs/decay")]
    first, second = (dict(arrays(treefile.load(end)["body"]["state"])) for end in ends)
    assert "state/dict/s/array" in first
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)

    text = (folder / "micro_relaxing.py").read_text()
    line = "        self._count += 1\n"
    broken = text.replace(line, f"{line}        self._count / (self._count < 4 or self._sim_id != 1)\n")
    (folder / "micro_relaxing.py").write_text(broken)
    done = scalebridge(tmp_path, "run", "decay", "--engine", "embedded", "--out", "failed")
    assert done.returncode == 3
    assert "the first is row 1 at" in done.stderr
    (capsule,) = (tmp_path / "failed/Micro/capsules").glob("*-row-1.npz")
    assert "window-000004" in capsule.name
    done = scalebridge(tmp_path, "replay", capsule, "--module", "relaxing", "--path", folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "reproduced: MicroError: ZeroDivisionError: division by zero" in done.stdout
