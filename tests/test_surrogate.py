"""A trained law in place of a micro model: in a run, on any number of ranks, and where it does not fit or know."""

import dataclasses
import shutil

import numpy as np
import pytest
from coupled import ENGINE, Nothing, participant, run
from fragile import Fragile
from fragile import Settings as Fragility
from known_laws import Bars, Melting, TwoBars
from test_coupling import xml
from test_training import QUICK, learned

from adapters import ensemble
from adapters.micro import MicroError, MicroModel, concatenate, take
from adapters.strategies.protocol import Context, Strategy
from adapters.strategies.stack import Stack
from adapters.strategies.surrogate import Surrogate, SurrogateSettings
from adapters.wiring import CouplingError
from scalebridge import checkpoints, treefile
from scalebridge import settings as typed
from scalebridge.checkpoints import Plan
from scalebridge.fields import Field
from scalebridge.strategies import FILE_NAME, Account

WANTED = dataclasses.replace(QUICK, paths=140, steps=6, elements=2, iterations=40)
POINTS = np.zeros((5, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with laws of bars and of melting, each calibrated on 21 paths."""
    place = tmp_path_factory.mktemp("laws")
    learned(Bars(TwoBars()), 4e-3, WANTED, dimensions=1).save(place / "surrogate.npz")
    learned(Melting(), 274.0, dataclasses.replace(WANTED, ramps=6), low=264.0).save(place / "melting.npz")
    return place


def surrogate(folder, model=None, **settings):
    given = typed.build(SurrogateSettings, settings, plain=True)
    return Surrogate(model or Bars(TwoBars()), given, Context(folder=folder))


def strain(*values):
    return {"Strain": np.array(values)[:, None]}


def walk(model, rows=5, steps=6, seed=0, points=POINTS):
    """Return the state at the end, and the observables of each step."""
    x = 1e-3 * np.cumsum(np.random.default_rng(seed).uniform(-1, 1, (steps, 5)), axis=0)[:, :rows]
    state, found = model.start(points[:rows], strain(*np.zeros(rows))), []
    for now in x:
        state, seen = model.solve(state, strain(*now), 1.0)
        found.append(seen)
    return state, found, strain(*x[-1])


# As a micro model -----------------------------------------------------------------------------------------------------


def test_it_is_a_strategy_that_solves_nothing_in_full(folder):
    one = surrogate(folder)
    assert isinstance(one, Strategy)
    assert isinstance(one, MicroModel)
    state, found, _ = walk(one)
    assert one.inner(state) is None
    assert one.audit(state, state) == []
    assert set(found[0]) == set(Bars.observables)
    truth = walk(Bars(TwoBars()))[1]
    errors = [np.abs(a["Stress"] - b["Stress"]).max() for a, b in zip(found, truth, strict=True)]
    assert max(errors) < 0.2 * np.abs(truth[-1]["Stress"]).max()
    stack = Stack([{"surrogate": {}}], Bars(TwoBars()), Context(folder=folder))
    walk(stack)
    assert (stack.asked, stack.full.solved) == (30, 0)


def test_a_state_is_a_value(folder):
    one = surrogate(folder)
    state, _, now = walk(one)
    kept = treefile_round(state)
    first, seen = one.solve(state, strain(1e-3, 0, 0, 0, 0), 1.0)
    again, same = one.solve(kept, strain(1e-3, 0, 0, 0, 0), 1.0)
    assert_same(seen, same)
    assert_same(first["memory"], again["memory"])
    assert_same(state["memory"], kept["memory"])  # it has not been changed in place
    still, shown = one.solve(state, now, 0.0)
    assert still is state
    assert_same(shown, walk(one)[1][-1])


def test_rows_do_not_know_of_each_other(folder):
    one = surrogate(folder)
    state, _, now = walk(one)
    parts = [one.solve(take(state, rows), strain(*now["Strain"][rows, 0]), 1.0) for rows in (slice(0, 2), slice(2, 5))]
    whole, together = one.solve(state, now, 1.0)
    for name in together:
        np.testing.assert_allclose(np.concatenate([p[1][name] for p in parts]), together[name], rtol=1e-13, atol=1e-12)
    joined = concatenate([p[0] for p in parts])
    np.testing.assert_allclose(joined["memory"]["flowed"], whole["memory"]["flowed"], rtol=1e-13)


def treefile_round(state):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as place:
        treefile.save(Path(place) / "state.npz", state)
        return treefile.load(Path(place) / "state.npz")


def assert_same(one, other):
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


# What it does not know ------------------------------------------------------------------------------------------------


def test_a_question_outside_is_an_error_that_says_so(folder):
    one = surrogate(folder)
    state = one.start(POINTS[:3], strain(0, 0, 0))
    with pytest.raises(MicroError) as caught:
        one.solve(state, strain(0, 5e-3, -9e-3), 1.0)
    assert caught.value.rows.tolist() == [1, 2]
    assert caught.value.message == (
        "Strain [0.005] is outside of what the surrogate was trained on (Strain from [-0.004] to [0.004]); train it on "
        "more, or let it extrapolate with the setting outside: extrapolate"
    )


def test_a_question_outside_may_be_answered_and_nothing_is_said_of_its_error(folder):
    one = surrogate(folder, outside="extrapolate")
    state = one.start(POINTS[:3], strain(0, 0, 0))
    asked = strain(0, 5e-3, -9e-3)
    after, seen = one.solve(state, asked, 1.0)
    assert np.isfinite(seen["Stress"]).all()
    error = one.uncertainty(after, asked)
    assert np.isinf(error["Stress"]).tolist() == [False, True, True]
    assert_same(error, one.uncertainty(state, asked, 1.0))
    told = one.report(after)
    assert told["steps outside of the box"] == 2
    assert told["form"] == "internal"
    assert told["held-out error of Stress"] == one.law.held_out["Stress"]
    assert 0 < told["largest estimated error of Stress at the end, inside of it [MPa]"] < np.inf


def test_the_estimate_grows_with_the_confidence_and_covers_errors(folder):
    sure, unsure = surrogate(folder, confidence=0.95), surrogate(folder, confidence=0.5)
    state, _, now = walk(sure)
    one, other = sure.uncertainty(state, now), unsure.uncertainty(state, now)
    for name in ("Stress", "Stored-Energy", "Dissipation"):
        assert (one[name] > other[name]).all()
        assert one[name].shape == (5,)


# What does not fit ----------------------------------------------------------------------------------------------------


def refused(folder, model=None, **settings):
    with pytest.raises(CouplingError) as caught:
        surrogate(folder, model, **settings)
    return str(caught.value)


def test_settings_that_were_others_are_named_with_both(folder):
    told = refused(folder, Bars(TwoBars(modulus=210e9)))
    file = folder / "surrogate.npz"
    assert told == (
        f"surrogate: file: {file} does not fit the case: modulus was 200000000000.0, the case has 210000000000.0. "
        "Train it again with: scalebridge train CASE"
    )


def test_fields_and_units_that_are_others_are_named_with_both(folder):
    told = refused(folder, Melting())
    assert "control Strain of the file is none of the case, which has Temperature" in told
    assert "control Temperature of the case is none of the file, which has Strain" in told
    assert "it is of known_laws:Bars, the case has known_laws:Melting" in told

    class Other(Bars):
        observables = {**Bars.observables, "Stress": Field("GPa", rank=1)}  # noqa: RUF012

    assert "observable Stress is a vector [MPa] in the file, a vector [GPa] in the case" in refused(
        folder, Other(TwoBars())
    )


def test_a_form_that_is_another_is_refused(folder):
    assert "its form is internal, the case asks for potential" in refused(folder, form="potential")
    assert surrogate(folder, form="internal").law.name == "internal"


def test_a_confidence_that_too_few_paths_support_is_refused(folder):
    assert "was calibrated on 21 paths; a confidence of 0.99 needs 99" in refused(folder, confidence=0.99)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: {"a": 1}, "is no trained law. Train it again with: scalebridge train CASE"),
        (lambda tree: tree | {"version": 1}, "is a trained law of version 1; this scalebridge reads 2. Train it again"),
        (
            lambda tree: tree | {"parameters": {}},
            "is a damaged trained law: ValueError: its parameters do not have the shapes",
        ),
        (lambda tree: tree | {"law": {"form": "magic"}}, "is a damaged trained law: KeyError: 'magic'"),
    ],
)
def test_files_that_are_no_laws(folder, tmp_path, change, message):
    treefile.save(tmp_path / "surrogate.npz", change(treefile.load(folder / "surrogate.npz")))
    assert message in refused(tmp_path)


def test_a_file_that_is_none(tmp_path):
    assert "cannot be read: No such file" in refused(tmp_path)


# In a run -------------------------------------------------------------------------------------------------------------


@participant(reads={"Strain": Field("1")}, writes={"Stress": Field("Pa")})
def batch(case):
    ensemble.run(case, Fragile(Fragility(), case.seed))


@participant(Nothing, reads={"Stress": Field("Pa")}, writes={"Strain": Field("1")})
def macro(case):
    from adapters.coupling import Coupling

    points = np.stack([np.arange(5.0), np.zeros(5)], axis=1)
    with Coupling(case, max_dt=0.25) as coupling:
        mesh = coupling.provide("Macro-Mesh", points)
        u, stress = 1.0 + points[:, 0], mesh.read("Stress")
        mesh.write("Strain", u)
        for step in coupling.steps(keep=(u,)):
            u[:] = (u - step.dt * stress.values) / (1.0 + step.dt)
            coupling.record(**{f"u{i}": value for i, value in enumerate(u)})


MAINS = {"Macro": macro, "Micro": batch}


def settings(file):
    given = typed.build(SurrogateSettings, {"file": str(file)}, plain=True)
    return [{"surrogate": {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(given).items()}}]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Return the settings of a monotone law of a model that remembers a little, which the law does not."""
    file = tmp_path_factory.mktemp("run") / "law.npz"
    learned(Fragile(Fragility(), 0), 6.0, dataclasses.replace(WANTED, ramps=4, iterations=20, dt=0.1), low=-1.0).save(
        file
    )
    return settings(file)


def series(results):
    return (results["Macro"].folder / "series.csv").read_text()


def test_it_gives_the_same_on_any_number_of_ranks(tmp_path, given):
    told = {}
    for ranks in (1, 2):
        (tmp_path / str(ranks)).mkdir()
        found = run(tmp_path / str(ranks), xml(), MAINS, ranks={"Micro": ranks}, strategy={"Micro": given})
        account = Account.load(found["Micro"].folder / FILE_NAME)
        assert account.work.solved == 0
        assert account.work.asked > 0
        told[ranks] = series(found), account.layers
    assert told[1] == told[2]
    assert dict(told[1][1][0].report)["form"] == "monotone"


@pytest.mark.skipif(ENGINE != "embedded", reason="libprecice cannot save its memory")
def test_it_goes_on_from_a_checkpoint(tmp_path, given):
    plan = Plan("this", 1, {"Macro": 1, "Micro": 1}, "inputs")
    (tmp_path / "checkpoints").mkdir()
    plan.save(tmp_path / "checkpoints")
    truth = series(run(tmp_path, xml(), MAINS, strategy={"Micro": given}))
    assert checkpoints.newest(tmp_path / "checkpoints", plan)[0].window > 2
    for later in (tmp_path / "checkpoints").glob("0*"):
        if int(later.name) > 2:
            shutil.rmtree(later)
    Plan(plan.run, 1, plan.ranks, plan.inputs, 2).save(tmp_path / "checkpoints")
    assert series(run(tmp_path, xml(), MAINS, strategy={"Micro": given})) == truth
