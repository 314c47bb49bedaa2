"""A run goes on from its checkpoint as if it had never ended: every file is the same to the last byte."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from coupled import ENGINE, participant, run
from test_coupling import IMPLICIT, POINTS, xml
from test_ensemble import SCALING, scaled_batch

from adapters import trees
from adapters.case import Case
from adapters.coupling import Coupling
from adapters.keeping import keeper
from adapters.restart import Restart
from adapters.trees import NotATree
from adapters.wiring import CouplingError
from scalebridge import checkpoints, checks, treefile
from scalebridge.checkpoints import Plan
from scalebridge.fields import Field
from scalebridge.handout import Handout
from scalebridge.progress import ProgressWriter
from scalebridge.settings import setting

only_embedded = pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")


@dataclass(frozen=True)
class Settings:
    substeps: int = setting(1)
    what: str = setting("")


class Total:
    """Adds up over the windows, beside the state."""

    def __init__(self, start):
        self.value = start

    def save(self):
        return self.value

    def restore(self, value):
        self.value = value


@participant(Settings, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    """du/dt = -(stress + u) + noise, changed in place; with a sum over windows and what is seen in between."""
    with Coupling(case, max_dt=0.25 / case.settings.substeps) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS)
        u, noise, total = 1.0 + POINTS[:, 0], np.random.default_rng(case.seed), Total(0.0)
        coupling.remember("total", total)
        stress = mesh.read("Stress")
        sent = mesh.write("Strain", u)
        coupling.on_window(lambda t: setattr(total, "value", total.value + t * u[0]))
        for step in coupling.steps(keep=(u, noise)):
            middle = stress.at(step.t + 0.3 * step.dt)
            old = middle if case.settings.what == "accelerated" else stress.old  # which is not known then
            pull = 0.25 * (old + stress.values + middle) + 1e-3 * np.tanh(sent.values)
            u[:] = (u - step.dt * pull + 1e-3 * noise.random(3)) / (1.0 + step.dt)
            coupling.record(strain=u[0], total=total.value, iterations=step.iteration)
        coupling.check(checks.at_most("total", total.value, 10.0, source="it decays"))


@dataclass(frozen=True)
class Memory:
    """A state that is not made of plain values alone."""

    m: np.ndarray
    noise: np.random.Generator
    count: tuple[int, str] = (0, "steps")


@participant(Settings, reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def micro(case):
    """dm/dt = strain - m + noise, stress = m / 2 + strain / 4, as a functional state."""
    with Coupling(case, max_dt=0.25 / case.settings.substeps) as coupling:
        mesh = coupling.receive("Macro-Mesh")
        strain = mesh.read("Strain")
        mesh.write("Stress", lambda: 0.5 * m + 0.25 * strain.values**3)
        coupling.start()
        m = strain.old
        begin = m if case.settings.what == "other" and coupling.resumed else Memory(m, np.random.default_rng(1))
        for step in coupling.steps(object() if case.settings.what == "odd" else begin):
            noise = np.random.Generator(type(step.state.noise.bit_generator)())
            noise.bit_generator.state = step.state.noise.bit_generator.state
            m = (step.state.m + step.dt * strain.values + 1e-3 * noise.random(3)) / (1.0 + step.dt)
            step.state = Memory(m, noise, (step.state.count[0] + 1, "steps"))
        coupling.check(checks.at_most("steps", step.state.count[0], 1e9, source="any"))


def content(folder):
    """Return all files of a run, or of a participant of it, that have to be the same, by name.

    Who ends first leaves its part of the third last checkpoint, as there was no newer one yet that was whole.
    """
    skip = "progress", "output.log", "handout.json", "plan.json"
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(skip)]
    if (folder / "checkpoints").is_dir():
        old = checkpoints.windows(folder / "checkpoints")[checkpoints.KEPT :]
        files = [p for p in files if p.parent not in {folder / "checkpoints" / f"{window:06d}" for window in old}]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if "precice-run" not in p.parts}


def resume(folder, text, mains, window=2, ranks=None, **more):
    """Run, saving every window; go back to a window and run from there; return the files before and after."""
    plan = Plan("this", 1, {name: (ranks or {}).get(name, 1) for name in mains}, "inputs")
    plan.save(folder / "checkpoints")
    run(folder, text, mains, ranks=ranks, **more)
    first = content(folder)
    for path in folder.rglob("*"):  # what only the end of the run leaves behind
        if path.name in ("checks.json", "000004.npz", "000004.vti") and path.parent.name != "checkpoints":
            path.unlink()
    shutil.rmtree(folder / "checkpoints/000003")
    found, problems = checkpoints.newest(folder / "checkpoints", plan)
    assert found is not None
    assert (found.window, found.time, problems) == (window, 0.25 * window, [])
    Plan(plan.run, 1, plan.ranks, plan.inputs, window).save(folder / "checkpoints")
    run(folder, text, mains, ranks=ranks, **more)
    return first, content(folder)


ACCELERATED = (
    IMPLICIT
    + """<acceleration:IQN-ILS><data name="Stress" mesh="Macro-Mesh" /><data name="Strain" mesh="Macro-Mesh" />
    <preconditioner type="residual-sum" /><filter type="QR2" limit="1e-2" /><initial-relaxation value="0.5" />
    <max-used-iterations value="20" /><time-windows-reused value="3" /></acceleration:IQN-ILS>"""
)


@only_embedded
@pytest.mark.parametrize(
    ("kind", "first", "substeps", "accelerated"),
    [
        ("serial-implicit", "Micro", 1, False),
        ("serial-implicit", "Macro", 2, False),
        ("parallel-implicit", "Micro", 3, True),
        ("serial-explicit", "Micro", 1, False),
    ],
)
def test_every_scheme_goes_on_bit_for_bit(tmp_path, kind, first, substeps, accelerated):
    settings = {"substeps": substeps, "what": "accelerated" if accelerated else ""}
    text = xml(kind, first, degree=2 if substeps > 1 else 1)
    text = text.replace(IMPLICIT, ACCELERATED) if accelerated else text
    before, after = resume(tmp_path, text, {"Macro": (macro, settings), "Micro": (micro, settings)})
    assert before.keys() == after.keys() > {"Macro/series.csv", "Macro/checks.json", "Micro/checks.json"}
    assert [name for name in before if before[name] != after[name]] == []


@only_embedded
def test_a_batch_goes_on_bit_for_bit_on_two_ranks(tmp_path):
    mains = {"Macro": macro, "Micro": scaled_batch}
    before, after = resume(tmp_path, xml(), mains, ranks={"Micro": 2}, scaling=SCALING)
    names = {"Micro/snapshots/000004.npz", "Micro/snapshots/000004.vti", "Micro/snapshots.pvd", "Micro/checks.json"}
    assert before.keys() == after.keys() > names
    assert [name for name in before if before[name] != after[name]] == []


def test_on_libprecice_what_the_participants_own_is_saved_and_not_gone_on_from(tmp_path):
    if ENGINE == "embedded":
        pytest.skip("the embedded engine can save its memory")
    plan = Plan("this", 1, {"Macro": 1, "Micro": 1}, "inputs")
    plan.save(tmp_path / "checkpoints")
    mains = {"Macro": macro, "Micro": micro}
    run(tmp_path, xml(), mains)
    body = treefile.load(tmp_path / "checkpoints/000003/Macro.npz")["body"]
    assert body["coupling"] is None
    assert body["kept"][0].shape == (3,)
    Plan(plan.run, 1, plan.ranks, plan.inputs, 3).save(tmp_path / "checkpoints")
    results = run(tmp_path, xml(), mains, fails=True)
    told = "Macro was saved with libprecice, which cannot go on from a checkpoint"
    assert results["Macro"].text.strip().endswith(told)


def test_a_state_that_cannot_be_saved_is_told_before_the_first_step(tmp_path):
    Plan("this", 1, {"Macro": 1, "Micro": 1}, "inputs").save(tmp_path / "checkpoints")
    results = run(tmp_path, xml(), {"Macro": macro, "Micro": (micro, {"what": "odd"})}, fails=True)
    assert results["Micro"].text.strip().splitlines()[-1] == (
        "Micro cannot be saved for a restart: state is a object; expected arrays, numbers, text, None, or mappings, "
        "lists, tuples and dataclasses of them. What is changed in place goes into keep= as an object with save() and "
        "restore(value)"
    )
    assert not (tmp_path / "Macro/series.csv").exists()


MAINS = {"Macro": macro, "Micro": micro}


@only_embedded
def test_a_participant_that_begins_with_another_state_is_refused(tmp_path):
    folder = tmp_path / "checkpoints"
    plan = Plan("this", 2, {"Macro": 1, "Micro": 1}, "inputs")
    plan.save(folder)
    run(tmp_path, xml(), MAINS)
    Plan("this", 2, plan.ranks, "inputs", 2).save(folder)
    mains = {"Macro": macro, "Micro": (micro, {"what": "other"})}
    results = run(tmp_path, xml(), mains, fails=True)
    told = "state was a Memory and begins as a ndarray: start with one of the same kind"
    assert results["Micro"].text.strip().endswith(f"Micro cannot go on from its checkpoint: {told}")


def restart(folder, plan, ranks=1):
    """Return what a process of Macro restarts with, in a process that is not one."""
    plan.save(folder / "checkpoints")
    handout = Handout("test", "Macro", "m", "", str(folder), str(folder), "", checkpoints=str(folder / "checkpoints"))
    with ProgressWriter(folder / "progress.jsonl") as progress:
        return Restart(Case(handout, None, {}, {}, progress), 0, ranks)


def test_things_to_remember_have_names_of_their_own_that_the_checkpoint_knows(tmp_path):
    plan = Plan("this", 1, {"Macro": 1}, "inputs", 1)
    plan.save(tmp_path / "checkpoints")
    body = {"things": {"one": 2.0}, "coupling": {}}
    checkpoints.write(tmp_path / "checkpoints", plan, "Macro", 0, window=1, time=0.5, body=body)
    known, total = restart(tmp_path, plan), Total(1.0)
    known.add("one", total)
    assert total.value == 2.0
    with pytest.raises(CouplingError, match=r"the checkpoint of Macro has no 'new'"):
        known.add("new", total)
    with pytest.raises(CouplingError, match=r"'one' is part of the checkpoints already: give each of its kind a name"):
        known.add("one", total)
    with pytest.raises(CouplingError, match=r"Macro cannot be saved for a restart: odd: a mapping with a key of type"):
        known.add("odd", Total({1.5: 0}))


def test_a_checkpoint_that_is_not_there_or_not_usable_is_told(tmp_path):
    plan = Plan("this", 1, {"Macro": 1}, "inputs", 3)
    with pytest.raises(CouplingError, match=r"checkpoints/000003/Macro\.npz: is missing"):
        restart(tmp_path, plan)
    with pytest.raises(CouplingError, match=r"Macro runs on 2 ranks, not 1"):
        restart(tmp_path, plan, ranks=2)
    body = {"things": {}, "coupling": None}
    checkpoints.write(tmp_path / "checkpoints", plan, "Macro", 0, window=3, time=0.5, body=body)
    with pytest.raises(CouplingError, match=r"Macro was saved with libprecice, which cannot go on from a checkpoint"):
        restart(tmp_path, plan)


def test_values_of_every_kind_come_back(tmp_path: Path) -> None:
    generator = np.random.Generator(np.random.Philox(3))
    value = {"a": [Memory(np.arange(3.0), generator)], "b": (1, None, {"c": "x"}), "d": np.float32(2)}
    treefile.save(tmp_path / "t.npz", trees.tree(value, "state"))
    expected = generator.random(5)
    back = trees.value(treefile.load(tmp_path / "t.npz"), value, "state")
    assert isinstance(back["a"][0], Memory)
    assert (back["a"][0].noise.random(5) == expected).all()
    assert back["b"] == value["b"]
    assert type(back["d"]) is np.float32


def test_values_that_cannot_be_made_again_are_refused() -> None:
    tree = trees.tree({"a": Memory(np.arange(3.0), np.random.default_rng())}, "state")
    with pytest.raises(NotATree, match="state/a was a Memory and begins as a NoneType"):
        trees.value(tree, {}, "state")
    del tree["a"]["content"]["m"]
    like = {"a": Memory(np.arange(3.0), np.random.default_rng())}
    with pytest.raises(NotATree, match="state/a: Memory had the fields noise, count and has m, noise, count"):
        trees.value(tree, like, "state")
    tree["a"]["content"]["noise"]["content"]["bit_generator"] = "seed"
    with pytest.raises(NotATree, match="state/a/noise: no such random generator: seed; expected one of PCG64"):
        trees.value(tree, like, "state")


def test_random_generators_are_kept() -> None:
    generator = np.random.default_rng(2)
    kept = keeper(generator)
    saved, first = kept.save(), generator.random(3)
    kept.restore(saved)
    assert (generator.random(3) == first).all()
