"""Strategies around micro models: what they are, rows that fail within them, and coupled."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from coupled import ENGINE, ROOT, Nothing, participant, run
from fragile import Fragile
from fragile import Settings as Fragility
from test_coupling import xml

from adapters import ensemble
from adapters.failing.capsule import Capsule, Place, Program
from adapters.failing.capsules import Capsules
from adapters.failing.guarded import Guarded, MicroFailure
from adapters.failing.policies import Retry
from adapters.micro import MicroError, MicroModel, innermost, repeatable
from adapters.ranks import Rows
from adapters.strategies import registry
from adapters.strategies.full import Full
from adapters.strategies.protocol import Around, Context, Strategy, of_rows
from adapters.strategies.registry import UnknownStrategyError, build, find, schemas
from adapters.strategies.stack import Stack
from scalebridge import checkpoints, treefile
from scalebridge.checkpoints import Plan
from scalebridge.fields import Field
from scalebridge.strategies import FILE_NAME, Account, Layer

POINTS = np.stack([np.arange(5.0), np.zeros(5)], axis=1)
FULL = {"Strain": np.array([1.0, 2.0, 3.0, 4.0, 5.0])}


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(registry.STRATEGIES, "sparing", "sparing:Sparing")


def model(**settings):
    return Fragile(Fragility(**settings), 0)


def stack(*given, context=None, **settings):
    return Stack(given or ({"sparing": {}},), model(**settings), context or Context())


# What a strategy is ---------------------------------------------------------------------------------------------------


def test_strategies_are_micro_models_around_micro_models():
    made = stack({"sparing": {"tolerance": 0.2}}, {"sparing": {}})
    outer, inner = made.model, made.model.model
    assert isinstance(outer, Strategy)
    assert isinstance(outer, MicroModel)
    assert (outer.settings.tolerance, inner.settings.tolerance) == (0.2, 0.1)
    assert inner.model is made.full
    assert isinstance(made.full.model, Fragile)
    assert not isinstance(made.full, Strategy)
    assert made.controls == Fragile.controls
    assert innermost(made) is made.full.model
    assert repeatable(made)
    made.full.model.repeatable = False
    assert not repeatable(made)


def test_concurrent_is_the_model_itself():
    whole = model()
    assert build([], whole, Context()) is whole
    assert build([{"concurrent": {}}], whole, Context()) is whole


def test_an_unknown_strategy():
    with pytest.raises(UnknownStrategyError, match=r"no strategy 'spraing'; expected .*Did you mean 'sparing'\?"):
        find("spraing")
    with pytest.raises(UnknownStrategyError, match=r"no strategy 'xyz'; expected one of .*concurrent.*sparing"):
        find("xyz")


def test_every_strategy_that_is_registered_is_one():
    for name in registry.STRATEGIES:
        kind = find(name)
        assert kind.name == name
        assert set(dir(kind)) >= {"Settings", "start", "solve", "inner", "report", "audit"}
    assert schemas()["concurrent"] == {}
    assert schemas()["sparing"]["file"]["file"] is True


def test_describing_strategies_imports_nothing_that_takes_long():
    text = "import sys; from adapters.strategies.registry import schemas; schemas(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"jax", "torch", "sklearn", "dolfinx", "matplotlib", "mpi4py.MPI"} & set(done.stdout.split())


def test_a_stack_counts_what_it_was_asked_and_what_was_solved():
    """The control of the last row alone moves by more than the tolerance before the second step."""
    made = stack(rate=0.5)
    state = made.start(POINTS, FULL)
    state, _ = made.solve(state, FULL, 0.0)
    assert (made.asked, made.full.solved) == (0, 0)
    moved = {"Strain": FULL["Strain"] + np.array([0, 0, 0, 0, 1.0])}
    state, _ = made.solve(state, moved, 0.5)
    state, seen = made.solve(state, moved, 0.5)
    assert (made.asked, made.full.solved) == (10, 1)
    whole = model(rate=0.5)
    alone = whole.start(POINTS[4:], {"Strain": FULL["Strain"][4:]})
    _, truth = whole.solve(alone, {"Strain": moved["Strain"][4:]}, 1.0)
    assert seen["Stress"][4] == truth["Stress"][0]  # over both steps at once
    account = made.report(state)
    assert account.layers == (Layer("sparing", {"solves": 1, "longest wait [s]": 1.0}),)
    assert (account.work.asked, account.work.solved) == (10, 1)
    assert account.work.seconds >= account.work.full > 0.0
    again = stack()
    again.restore(made.save())
    again.full.restore(made.full.save())
    assert again.report(state) == account


def test_every_strategy_of_a_stack_tells_if_its_state_is_there():
    made = stack({"sparing": {"tolerance": 0.2}}, {"sparing": {}})
    state = made.start(POINTS, FULL)
    assert [layer.name for layer in made.report(state).layers] == ["sparing", "sparing"]
    assert made.state_of_full(state)["m"].tolist() == (0.5 * FULL["Strain"]).tolist()
    made.model.inner = lambda state: None
    assert len(made.report(state).layers) == 1
    assert made.state_of_full(state) is None


def test_a_strategy_without_a_state_within_has_neither_its_pictures_nor_its_checks():
    around = Around(model(), Context())
    assert around.inner({"other": np.zeros(2)}) is None
    assert around.audit({}, {}) == []
    assert around.snapshot({}) == {}
    assert around.report({}) == {}
    late = {"model": {"age": np.array([0.0, 1.0])}}
    assert [check.passed for check in around.audit(late, late)] == [False]  # those of the model within


def test_errors_name_rows_of_the_whole_batch():
    with pytest.raises(MicroError) as caught, of_rows(np.array([4, 7, 9])):
        raise MicroError([2, 0], "no root")
    assert caught.value.rows.tolist() == [4, 9]
    with pytest.raises(MicroError) as caught, of_rows(np.array([4])):
        raise MicroError([1], "a row that does not exist")
    assert caught.value.rows.size == 0
    with pytest.raises(ArithmeticError), of_rows(np.array([4])):
        raise ArithmeticError


def test_the_full_model_remembers_the_question_that_it_failed():
    made = Full(model(how="nan", where=(2.0,)))
    state = made.start(POINTS, FULL)
    with made.watched() as watch:
        made.solve({name: state[name] for name in state}, FULL, 0.25)
        made.solve(state, {"Strain": FULL["Strain"]}, 0.125)
    assert (watch.failed.phase, watch.failed.dt, watch.failed.count) == ("solve", 0.125, 5)
    assert made.solved == 0  # what is solved while somebody watches does not count
    with Full(model(how="never")).watched() as watch:
        pass
    assert watch.failed is None
    broken = Full(model(how="start", where=(2.0,)))
    with broken.watched() as watch, pytest.raises(ArithmeticError):
        broken.start(POINTS, FULL)
    assert (watch.failed.phase, watch.failed.points.tolist()) == ("start", POINTS.tolist())


# Rows that fail -------------------------------------------------------------------------------------------------------


def guarded(folder, made, *policies, settings):
    program = Program("test", "Micro", "fragile", "Fragile", settings, 0)
    one = Guarded(made, POINTS, Rows(5), policies, Capsules(folder, program))
    state = one.start(POINTS, FULL)
    one.at(Place("solve", 0.0, 0.0))
    state, _ = one.solve(state, FULL, 0.0)
    one.at(Place("solve", 1.0, 0.5, 3, 1))
    return one, {**state, "heard": state["heard"] + 1.0, "since": state["since"] + np.arange(5.0)}


def replay(capsule, *more):
    return subprocess.run(
        [sys.executable, "-m", "scalebridge", "replay", str(capsule), "--module", "fragile", *more],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("how", ["raise", "name", "nan", "state"])
def test_the_capsule_of_a_row_holds_the_question_to_the_full_model(tmp_path, how):
    """The strategy has spared row 2 for 2 s, so that the full model is to solve 2.5 s at once, and fails."""
    settings = {"how": how, "where": (2.0,), "since": 0.1, "rate": 0.1}
    one, state = guarded(tmp_path, stack(**settings), settings={**settings, "where": [2.0]})
    with pytest.raises(MicroFailure, match=r"Micro: 1 of 5 micro simulations failed, the first is row 2") as caught:
        one.solve(state, FULL, 0.5)
    assert "scalebridge replay" in str(caught.value)
    capsule = Capsule.load(tmp_path / "capsules/window-000003-iteration-1-row-2.npz")
    assert (capsule.place.dt, capsule.program.strategy) == (2.5, ())
    assert sorted(capsule.state) == ["age", "m", "place"]
    again = replay(tmp_path / "capsules/window-000003-iteration-1-row-2.npz")
    assert again.returncode == 1, again.stderr + again.stdout
    what = {"raise": "ArithmeticError: no root", "name": "MicroError: no root", "nan": "NaN in Stress"}
    assert again.stdout.splitlines()[-1] == f"reproduced: {what.get(how, 'NaN in the state, m')}"


def test_a_question_about_several_steps_of_one_row_is_kept_whole(tmp_path):
    settings = {"how": "raise", "where": (2.0,), "since": 0.1, "rate": 0.1}
    made = stack(**settings)
    one, state = guarded(tmp_path, made, settings={**settings, "where": [2.0]})
    plain = made.model.model

    def ahead(state, controls, dt, solve=plain.solve):
        twice = {name: np.repeat(array, 3, axis=0) for name, array in controls.items()}
        tripled = {"m": np.repeat(state["m"], 3), "place": {"x": np.repeat(state["place"]["x"], 3)}}
        solve({**tripled, "age": np.repeat(state["age"], 3)}, twice, dt)
        return solve(state, controls, dt)

    plain.solve = ahead
    with pytest.raises(MicroFailure):
        one.solve(state, FULL, 0.5)
    capsule = Capsule.load(tmp_path / "capsules/window-000003-iteration-1-row-2.npz")
    assert capsule.rows.tolist() == [2, 2, 2]
    assert capsule.points.tolist() == [POINTS[2].tolist()] * 3
    assert replay(tmp_path / "capsules/window-000003-iteration-1-row-2.npz").returncode == 1


def test_a_strategy_that_fails_itself_is_replayed_with_its_files(tmp_path):
    (tmp_path / "note.txt").write_text("a file of it")
    given = {"sparing": {"limit": 3.5, "file": "note.txt", "tolerance": 0.1, "patience": 3600.0}}
    made = stack(given, context=Context(folder=tmp_path))
    one, state = guarded(tmp_path, made, settings={})
    state = {**state, "since": np.zeros(5)}
    assert made.model.text == "a file of it"
    with pytest.raises(MicroFailure, match=r"2 of 5 .* row 3 .*MicroError: beyond the limit of the strategy"):
        one.solve(state, FULL, 0.5)
    file = tmp_path / "capsules/window-000003-iteration-1-row-3.npz"
    capsule = Capsule.load(file)
    assert (capsule.program.strategy, capsule.program.folder) == ((given,), str(tmp_path))
    known = "import adapters.strategies.registry as r; r.STRATEGIES['sparing'] = 'sparing:Sparing'; import fragile"
    (tmp_path / "sitecustomize.py").write_text(known)
    done = subprocess.run(
        [sys.executable, "-m", "scalebridge", "replay", str(file), "--module", "fragile"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert f"within sparing, with files in {tmp_path}" in done.stdout
    assert replay(file).returncode == 2  # where nobody knows the strategy


def test_a_capsule_with_a_strategy_that_is_none(tmp_path):
    program = Program("test", "Micro", "fragile", "Fragile", {}, 0, strategy=({"a": {}, "b": {}},))
    settings = {"how": "raise", "where": (2.0,), "since": 0.1, "rate": 0.1}
    one, state = guarded(tmp_path, stack(**settings), settings={})
    with pytest.raises(MicroFailure):
        one.solve(state, FULL, 0.5)
    path = tmp_path / "capsules/window-000003-iteration-1-row-2.npz"
    replace(Capsule.load(path), program=program).save(path)
    with pytest.raises(Exception, match="a strategy is a name with its settings"):
        Capsule.load(path)


def test_policies_help_rows_within_a_strategy(tmp_path):
    """A stiff row needs smaller steps; the strategy is asked for them like the model."""
    settings = {"how": "stiff", "where": (2.0,), "stiff": 3.0}
    one, state = guarded(tmp_path, stack(**settings), Retry(4), settings={**settings, "where": [2.0]})
    state = {**state, "since": np.zeros(5)}
    after, seen = one.solve(state, FULL, 0.5)
    assert one.tally.in_iteration(["retry"]) == {2}
    assert np.isfinite(seen["Stress"]).all()
    assert after["solves"][2] >= 1


# Coupled --------------------------------------------------------------------------------------------------------------


@participant(reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def batch(case):
    registry.STRATEGIES["sparing"] = "sparing:Sparing"
    ensemble.run(case, Fragile(Fragility(), case.seed))


@participant(Nothing, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    from adapters.coupling import Coupling

    with Coupling(case, max_dt=0.25) as coupling:
        mesh = coupling.provide("Macro-Mesh", POINTS)
        u, stress = 1.0 + POINTS[:, 0], mesh.read("Stress")
        mesh.write("Strain", u)
        for step in coupling.steps(keep=(u,)):
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
            coupling.record(**{f"u{i}": value for i, value in enumerate(u)})


GIVEN = [{"sparing": {"tolerance": 0.05}}]


def series(results):
    return (results["Macro"].folder / "series.csv").read_text()


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_strategy_gives_the_same_on_any_number_of_ranks(tmp_path, ranks):
    mains = {"Macro": macro, "Micro": batch}
    found = run(tmp_path, xml(), mains, ranks={"Micro": ranks}, strategy={"Micro": GIVEN})
    account = Account.load(found["Micro"].folder / FILE_NAME)
    (tmp_path / "one").mkdir()
    alone = run(tmp_path / "one", xml(), mains, strategy={"Micro": GIVEN})
    assert series(found) == series(alone)
    other = Account.load(alone["Micro"].folder / FILE_NAME)
    assert account.layers == other.layers
    assert (account.work.asked, account.work.solved) == (other.work.asked, other.work.solved)
    (tmp_path / "all").mkdir()
    whole = run(tmp_path / "all", xml(), mains)
    last, truth = (np.array(series(r).splitlines()[-1].split(","), dtype=float)[-5:] for r in (found, whole))
    assert 0 < np.abs(last - truth).max() < 0.05
    assert account.work.solved < 0.9 * account.work.asked


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")
def test_a_run_with_a_strategy_goes_on_from_a_checkpoint(tmp_path):
    mains = {"Macro": macro, "Micro": batch}
    plan = Plan("this", 1, {"Macro": 1, "Micro": 1}, "inputs")
    (tmp_path / "checkpoints").mkdir()
    plan.save(tmp_path / "checkpoints")
    through = run(tmp_path, xml(), mains, strategy={"Micro": GIVEN})
    truth, account = series(through), Account.load(through["Micro"].folder / FILE_NAME)
    things = treefile.load(tmp_path / "checkpoints/000002/Micro.npz")["body"]["things"]
    assert {"full solves", "questions"} <= set(things)
    assert checkpoints.newest(tmp_path / "checkpoints", plan)[0].window > 2
    for later in (tmp_path / "checkpoints").glob("0*"):
        if int(later.name) > 2:
            shutil.rmtree(later)
    Plan(plan.run, 1, plan.ranks, plan.inputs, 2).save(tmp_path / "checkpoints")
    again = run(tmp_path, xml(), mains, strategy={"Micro": GIVEN})
    assert series(again) == truth
    found = Account.load(again["Micro"].folder / FILE_NAME)
    assert found.layers == account.layers
    assert (found.work.asked, found.work.solved) == (account.work.asked, account.work.solved)


def test_a_simulator_that_cannot_go_back_is_refused_in_a_run_too(tmp_path):
    results = run(
        tmp_path, xml("serial-explicit"), {"Macro": macro, "Micro": once}, strategy={"Micro": GIVEN}, fails=True
    )
    assert "runs Once, whose simulator cannot solve some rows alone: remove its strategy" in results["Micro"].text


class Once(Fragile):
    repeatable = False


@participant(reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def once(case):
    ensemble.run(case, Once(Fragility(), case.seed))
