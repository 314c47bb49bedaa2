"""Cheap answers where they may be wrong: how wrong they are, who is solved in full, and what rows make up for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from laws import BARS, CUBES, Bar, Bars, Cubes, Cubic

from adapters.micro import MicroError, arrays, take
from adapters.strategies import ledger, replay, weights
from adapters.strategies.adaptive import Adaptive, Adaptivity
from adapters.strategies.protocol import Context, Planning, Strategy
from adapters.wiring import CouplingError
from scalebridge import settings as typed
from scalebridge import treefile
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError

LINEAR = {**CUBES, "said": 1.0, "noise": 0.0}


def cheap(name, **given):
    known = {"Linear": LINEAR, "Silent": CUBES, "Elastic": BARS}[name]
    return {"model": {"run": "laws", "model": name, "settings": {**known, **given}}}


def adaptive(full, stand_in, context=None, **given):
    settings = typed.build(Adaptivity, {"cheap": stand_in, **given}, plain=True)
    return Adaptive(full, settings, context or Context(seed=1, plain=full))


def cubic(**given):
    return Cubic(Cubes(**given), 0)


def bar():
    return Bar(Bars(), 0)


def places(n):
    return np.stack([0.01 * np.arange(n), np.zeros(n)], axis=1)


def begun(model, strain):
    state = model.start(places(len(strain)), {"Strain": strain})
    return model.solve(state, {"Strain": strain}, 0.0)[0]


def driven(model, path, iterations=1, dt=0.1):
    """Take rows along a path (windows + 1, n) as a coupled run does; yield state before and after, and stress."""
    state = begun(model, path[0])
    for strain in path[1:]:
        before = model.plan(state) if isinstance(model, Planning) else state
        for iteration in range(iterations):
            guess = strain * (1 + 0.01 * (iterations - 1 - iteration))
            state, seen = model.solve(before, {"Strain": guess}, dt)
        yield before, state, seen["Stress"]


def waves(seed, n=120, windows=20, size=0.2):
    """Some rows are strained much more than others, and all of them forth and back."""
    amplitude = np.random.default_rng(seed).exponential(size=n)
    return size * amplitude * np.sin(0.15 * np.arange(windows + 1))[:, None]


def books(model, state, window):
    columns, _ = model.books._everywhere(state, {}, window)
    return ledger.close(columns, model.books._factor(state["run"]), model.books.rules)


# The bound ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [1.0, 0.2, 5.0])
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_the_bound_is_above_the_true_error_and_not_far(said, noise):
    """The cube is what is missing; 20 seeds. What is said of it is off by a factor, and from point to point by more."""
    effectivities = []
    for seed in range(20):
        full, truth = cubic(), cubic()
        model = adaptive(
            full,
            cheap("Linear", said=said, noise=noise),
            Context(seed=seed, plain=full),
            tolerance=2e-3,
            audit=0.08,
        )
        bound = error = 0.0
        for number, (before, after, stress) in enumerate(driven(model, waves(seed))):
            shown = books(model, after, number + 1)
            strain = after["step"]["controls"]["Strain"]
            exact = truth.solve({}, {"Strain": strain}, 0.1)[1]["Stress"]
            in_full = before["rows"]["chosen"] | before["rows"]["audited"]
            np.testing.assert_array_equal(stress[in_full], exact[in_full])
            bound, error = bound + shown.bound[0], error + np.abs(stress - exact).mean()
            assert shown.bound[0] / ledger.scale(after["rows"])[0] <= 2e-3
        outcome = model.books.outcome(after)
        effectivities.append(bound / error)
        assert outcome.bound[0] * outcome.audits == pytest.approx(bound)
        assert all(check.passed for check in model.conclude(after))
    assert min(effectivities) >= 1.0
    assert np.median(effectivities) < 2.0
    assert max(effectivities) < 3.0


def test_errors_of_a_few_rows_are_found():
    """One row in twenty moves, the others are exact: a sample that is the same for all would miss them."""
    effectivities = []
    for seed in range(20):
        full, truth = cubic(), cubic()
        context = Context(seed=seed, plain=full)
        model = adaptive(full, cheap("Linear", said=0.3), context, tolerance=3e-3, audit=0.02, warm_up=0)
        path = np.zeros((16, 400))
        path[:, ::20] = waves(seed, n=20, windows=15, size=0.5)
        bound = error = 0.0
        for number, (_, after, stress) in enumerate(driven(model, path)):
            exact = truth.solve({}, {"Strain": after["step"]["controls"]["Strain"]}, 0.1)[1]["Stress"]
            error += np.abs(stress - exact).mean()
            bound += books(model, after, number + 1).bound[0]
        effectivities.append(bound / error)
    assert min(effectivities) > 0.9  # the first windows know nothing yet of the factor
    assert 1.0 < np.median(effectivities) < 3.0


def test_the_measured_error_is_the_true_one():
    """Over 30 seeds: the mean of what is measured is that of the errors, and the interval holds 9 of 10 of them."""
    inside, ratios, expanded = 0, [], []
    for seed in range(30):
        full, truth = cubic(), cubic()
        model = adaptive(full, cheap("Linear", noise=0.5), Context(seed=seed, plain=full), tolerance=4e-3, audit=0.15)
        error = seen = 0.0
        for number, (_, after, stress) in enumerate(driven(model, waves(seed, windows=8))):
            exact = truth.solve({}, {"Strain": after["step"]["controls"]["Strain"]}, 0.1)[1]["Stress"]
            error += np.abs(stress - exact).mean()
            seen += books(model, after, number + 1).sampled.sum()
        expanded.append(seen / error)
        outcome = model.books.outcome(after)
        measured = outcome.measured[0]
        inside += abs(measured.value - error / outcome.audits) <= measured.half
        ratios.append(measured.value * outcome.audits / error)
    assert inside >= 26
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.1)
    assert np.mean(expanded) == pytest.approx(1.0, abs=0.15)  # without what was said, by weights alone


def test_no_estimate_hides_an_error_that_is_known():
    """Of one row the cheap model says that it is right; it was seen to be wrong in the first window."""
    model = adaptive(cubic(), cheap("Linear"), tolerance=0.05, audit=0.0)
    said = model.cheap.uncertainty

    def sure(state, controls, dt=0.0):
        told = said(state, controls, dt)["Stress"].copy()
        told[0] = 0.0
        return {"Stress": told}

    model.cheap.uncertainty = sure
    path = np.full((6, 100), 0.5)
    path[:, 0] = 1.0
    chosen = [before["rows"]["chosen"] for before, _, _ in driven(model, path)]
    assert all(rows[0] for rows in chosen)
    assert chosen[-1].sum() < 80


def test_a_cheap_model_that_says_nothing_is_judged_by_rows_nearby():
    effectivities = []
    for seed in range(10):
        full, truth = cubic(), cubic()
        model = adaptive(full, cheap("Silent"), Context(seed=seed, plain=full), tolerance=5e-3, audit=0.08)
        bound = error = 0.0
        for number, (_, after, stress) in enumerate(driven(model, waves(seed))):
            exact = truth.solve({}, {"Strain": after["step"]["controls"]["Strain"]}, 0.1)[1]["Stress"]
            error += np.abs(stress - exact).mean()
            bound += books(model, after, number + 1).bound[0]
        effectivities.append(bound / error)
        assert full.rows[-1] < 120
    assert min(effectivities) > 1.0
    assert np.median(effectivities) < 3.0


@pytest.mark.parametrize("nothing", [np.inf, np.nan])
@pytest.mark.parametrize(("jump", "foreseen"), [((0.25, 0.5, 0.75), True), ((0.1, 0.2, 0.8), False)])
def test_what_is_unknown_is_solved_in_full(nothing, jump, foreseen):
    """An estimate that is infinite, as outside of what a surrogate was trained on, is one that there is not.

    What goes on as it did is foreseen, so that the cheap model is not even asked; a jump is not.
    """
    full = cubic()
    model = adaptive(full, cheap("Linear"), tolerance=0.5, audit=0.0, stay=1)

    def unsure(state, controls, dt=0.0):
        strain = controls["Strain"] if dt else state["strain"]
        return {"Stress": np.where(np.abs(strain) > 0.5, nothing, 0.0)}

    model.cheap.uncertainty = unsure
    path = np.array([0.0, *jump, 1.0])[:, None] * np.array([0.1, 0.3, 1.0])
    chosen, unknown = [], []
    for before, after, _ in driven(model, path):
        chosen.append(before["rows"]["chosen"].tolist())
        unknown.append(int(model.books.outcome(after).unknown))
    last = [False, False, True]
    assert chosen == [[True] * 3, [False] * 3, last if foreseen else [False] * 3, last]
    assert unknown == ([0, 0, 0, 0] if foreseen else [0, 0, 1, 1])  # the cheap model was asked where it knows nothing
    failed = [check.name for check in model.conclude(after) if not check.passed]
    assert failed == ([] if foreseen else ["answers without a bound"])
    assert all(np.isfinite(values).all() for _, values in arrays(after) if values.dtype.kind == "f")


def test_the_whole_tolerance_is_that_of_the_sum():
    """Rows that are worst are solved in full until what is said of the others is below the tolerance."""
    model = adaptive(cubic(), cheap("Linear"), tolerance=1e-2, audit=0.0, release=1.0, stay=1)
    strain = np.linspace(0.1, 1.0, 30)
    *_, (before, after, _) = driven(model, np.stack([strain] * 4))
    chosen = before["rows"]["chosen"]
    assert 0 < chosen.sum() < 30
    assert strain[chosen].min() > strain[~chosen].max()
    scale = 2 * 1.0 + 1.0
    left = (strain[~chosen] ** 3).sum() / 30 / scale
    one_more = (np.sort(strain[chosen])[0] ** 3) / 30 / scale
    assert left <= ledger.MARGIN * 1e-2 < left + one_more
    assert books(model, after, 3).bound[0] / scale == pytest.approx(left, rel=0.02)


class Two(Cubic):
    """With a second observable, of which the cheap model knows nothing."""

    observables = {**Cubic.observables, "Other": Field("1")}  # noqa: RUF012

    def solve(self, state, controls, dt):
        new, seen = super().solve(state, controls, dt)
        return new, {**seen, "Other": 1.0 + new["strain"]}


def test_observables_that_do_not_count_may_be_wrong(monkeypatch):
    full, stand_in = Two(Cubes(), 0), Two(Cubes(), 0)
    monkeypatch.setattr("adapters.strategies.cheap.build", lambda *given: stand_in)

    def solved_cheaply(state, controls, dt):
        new, seen = full.solve(state, controls, dt)
        return new, {**seen, "Other": np.ones(len(new["strain"]))}

    monkeypatch.setattr(stand_in, "solve", solved_cheaply)
    for counted, solved in ((["Stress"], False), ([], True), (["Stress", "Other"], True)):
        model = adaptive(full, "surrogate", observables=counted, audit=0.0)
        *_, (before, _, _) = driven(model, np.full((4, 3), 0.5))
        assert before["rows"]["chosen"].any() == solved


# Weights --------------------------------------------------------------------------------------------------------------


def test_points_that_count_more_are_solved_in_full(tmp_path):
    n = 20
    (tmp_path / "weights.txt").write_text(
        "# x y weight\n" + "\n".join(f"{x} {y} {5.0 if x > 0.1 else 0.1}" for x, y in places(n)[::-1])
    )
    full = cubic()
    context = Context(folder=tmp_path, plain=full)
    model = adaptive(full, cheap("Linear"), context, tolerance=1e-2, audit=0.0, weights="weights.txt")
    for before, _, _ in driven(model, np.full((4, n), 0.5)):
        chosen = before["rows"]["chosen"]
    assert 0 < chosen.sum() < n
    assert places(n)[chosen, 0].min() > 0.1
    assert places(n)[~chosen, 0].min() == 0.0


def test_weights_that_are_none_are_refused(tmp_path):
    path = tmp_path / "w.txt"
    points = places(3)

    def told(text):
        path.write_text(text)
        with pytest.raises(CouplingError) as caught:
            weights.load(path, points)
        return str(caught.value).replace(str(path), "FILE")

    assert told("0 0 x").startswith("adaptive: weights: FILE cannot be read as numbers: ")
    assert told("0 1\n") == "adaptive: weights: FILE has 2 columns; expected 2 coordinates and a weight"
    wrong = "adaptive: weights: those in FILE are to be finite, at least 0, and not all 0"
    assert told("0 0 -1\n") == told("0 0 nan\n") == told("0 0 0\n0.01 0 0") == wrong
    assert told("0 0 1\n0.02 0 1\n5 5 1") == "adaptive: weights: FILE has none for 1 points, such as (0.01, 0)"
    with pytest.raises(CouplingError, match=r"weights: .*none.txt cannot be read as numbers: .*none.txt"):
        weights.load(tmp_path / "none.txt", points)


# Switching ------------------------------------------------------------------------------------------------------------


def flicker(release, stay):
    """A row whose error goes up and down around what is tolerated; return whether it was solved in full."""
    model = adaptive(cubic(), cheap("Linear"), tolerance=1e-2, audit=0.0, release=release, stay=stay)
    base, windows = np.full(10, 0.05), 24
    path = np.stack([base] * (windows + 1))
    path[:, 0] = 0.60 + 0.06 * (-1.0) ** np.arange(windows + 1)
    path[:, 1] = 1.0
    return np.array([before["rows"]["chosen"][0] for before, _, _ in driven(model, path)])


def test_hysteresis_keeps_rows_from_chattering():
    restless, calm = flicker(1.0, 1), flicker(0.3, 3)
    assert np.abs(np.diff(restless[2:].astype(int))).sum() > 10
    assert np.abs(np.diff(calm[2:].astype(int))).sum() <= 1


def test_a_row_stays_for_some_windows_and_is_let_go_then():
    model = adaptive(cubic(), cheap("Linear"), tolerance=1e-2, audit=0.0, stay=4)
    path = np.full((14, 10), 0.05)
    path[3, 0] = 1.0
    chosen = [before["rows"]["chosen"][0] for before, _, _ in driven(model, path)]
    assert chosen == [True, False, False, True, True, True, True] + [False] * 6


def test_nothing_switches_in_the_iterations_of_a_window():
    full = bar()
    model = adaptive(full, cheap("Elastic"), tolerance=1e-2, audit=0.1)
    path = waves(3, n=60, size=0.015)
    counts = []
    for _, state, _ in driven(model, path, iterations=4):
        counts.append(int((state["rows"]["chosen"] | state["rows"]["audited"]).sum()))
    # of each window: perhaps steps to make up for, before its first iteration; then as many rows in every iteration
    calls, expected = list(full.rows[1:]), []
    for count in counts:
        at = next(i for i in range(len(calls)) if calls[i : i + 4] == [count] * 4)
        assert at <= 40
        expected.append(calls[:at])
        calls = calls[at + 4 :]
    assert calls == []
    assert sum(len(part) > 0 for part in expected) > 1
    assert model.tally.counts["replays"] == sum(map(sum, expected))
    assert len(set(counts)) > 3


# History --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_row_that_is_taken_over_is_as_if_it_had_always_been_solved_in_full(seed):
    """To the last bit, whenever that is, and however often the windows were iterated."""
    model, truth = adaptive(bar(), cheap("Elastic"), Context(seed=seed), tolerance=1e-2, audit=0.1), bar()
    path = waves(seed, n=60, windows=30, size=0.02)
    switched = 0
    for (before, after, stress), (_, whole, exact) in zip(
        driven(model, path, iterations=3), driven(truth, path, iterations=3), strict=True
    ):
        full = after["rows"]["solved"]
        switched += int((full & (replay.length(before["path"]) > 0)).sum())
        np.testing.assert_array_equal(stress[full], exact[full])
        for name, values in whole.items():
            np.testing.assert_array_equal(after["model"][name][full], values[full], err_msg=name)
    assert switched > 5
    assert 0 < full.sum() < 60


def test_windows_of_steps_are_made_up_for_step_by_step():
    """Two steps in each window, of which the second differs; three windows are missed."""
    model, truth = adaptive(bar(), cheap("Elastic"), tolerance=1e3, audit=0.0, stay=1), bar()
    state, whole = begun(model, np.zeros(4)), begun(truth, np.zeros(4))
    random = np.random.default_rng(0)
    for window in range(8):
        state = model.plan(state)
        if window == 7:
            state["rows"] = {**state["rows"], "chosen": np.array([True, False, True, False])}
        for dt in (0.1, 0.05, 0.05, 0.2, 0.2, 0.2, 0.3):
            strain = {"Strain": 0.01 * random.standard_normal(4) if dt != 0.2 else np.full(4, 0.03)}
            state, _ = model.solve(state, strain, dt)
            whole, _ = truth.solve(whole, strain, dt)
        if window == 0:
            assert state["path"]["dt"].shape[1] == replay.ROOM
    for name, values in whole.items():
        np.testing.assert_array_equal(state["model"][name][[0, 2]], values[[0, 2]])
    assert (state["model"]["age"][[1, 3]] < 3).all()
    np.testing.assert_array_equal(state["path"]["length"] > 0, [False, True, False, True])
    assert state["path"]["times"].max() == 3  # three equal steps take the room of one


def test_steps_of_different_lengths_are_made_one_by_one():
    """Row 0 missed steps of 0.1 s and 0.2 s, row 1 the second and a third of 0.1 s, row 2 none."""
    model, random = bar(), np.random.default_rng(1)
    start, steps = begun(model, np.zeros(3)), [{"Strain": 0.02 * random.standard_normal(3)} for _ in range(3)]
    path = replay.empty(steps[0])
    for strain, dt, rows in zip(steps, (0.1, 0.2, 0.1), ([0], [0, 1], [1]), strict=True):
        path = replay.pushed(path, strain, np.full(3, dt), np.array(rows))
    found, made = replay.replayed(model, start, path)
    assert made == 4
    for row, missed in ((0, (0, 1)), (1, (1, 2)), (2, ())):
        state = take(start, np.array([row]))
        for number in missed:
            state, _ = model.solve(state, {"Strain": steps[number]["Strain"][[row]]}, (0.1, 0.2, 0.1)[number])
        for name, values in state.items():
            np.testing.assert_array_equal(found[name][[row]], values)


def test_what_is_remembered_is_bounded():
    model = adaptive(bar(), cheap("Elastic"), tolerance=0.9, audit=0.0, memory=5, stay=1)
    random = np.random.default_rng(0)
    path = np.concatenate([np.zeros((1, 6)), 0.001 * random.standard_normal((30, 6))])
    lengths = [after["path"]["dt"].shape[1] for _, after, _ in driven(model, path)]
    assert max(lengths) <= 5 + replay.ROOM
    assert model.tally.counts["solves"] < 6 * 30 * 0.4


def test_a_model_without_a_memory_makes_up_for_nothing():
    for full, given, wanted in (
        (cubic(), {}, False),
        (bar(), {}, True),
        (bar(), {"history": "no"}, False),
        (cubic(), {"history": "yes"}, True),
    ):
        stand_in = cheap("Silent" if isinstance(full, Cubic) else "Elastic")
        model = adaptive(full, stand_in, **given)
        assert model.history == wanted
        state = begun(model, np.zeros(3))
        assert ("path" in state) == wanted


def test_the_audit_of_the_model_is_that_of_rows_that_were_solved_over_the_step():
    """A row that has made up for much has made more than this step, and others have made none."""
    model = adaptive(bar(), cheap("Elastic"), tolerance=1e-2, audit=0.1)
    found = [model.audit(before, after) for before, after, _ in driven(model, waves(1, n=60, size=0.02))]
    assert all(check.passed for checks_of in found for check in checks_of)
    assert sum(len(checks_of) for checks_of in found) > 10
    nobody = adaptive(bar(), cheap("Elastic"), tolerance=0.9, audit=0.0)
    path = np.zeros((4, 6))
    assert [len(nobody.audit(before, after)) for before, after, _ in driven(nobody, path)] == [1, 0, 0]


# The sample -----------------------------------------------------------------------------------------------------------


def test_the_sample_stays_where_rows_have_a_memory_and_changes_where_not():
    for full, stand_in, same in ((bar(), "Elastic", True), (cubic(), "Silent", False)):
        model = adaptive(full, cheap(stand_in), audit=0.1)
        _, *drawn = [before["rows"]["audited"] for before, _, _ in driven(model, waves(0, n=100, size=0.01))]
        assert 5 <= np.mean([sample.sum() for sample in drawn]) <= 20
        left = [(one & ~other).sum() for one, other in pairwise(drawn)]
        assert (sum(left) == 0) == same


def test_without_an_audit_nothing_is_claimed_of_the_true_error():
    model = adaptive(cubic(), cheap("Linear"), tolerance=1e-2, audit=0.0)
    *_, (_, state, _) = driven(model, waves(0))
    names = [check.name for check in model.conclude(state)]
    assert names == ["bound of the error in the worst window", "answers without a bound"]
    told = model.report(state)
    assert told["time windows with an audit"] == 0
    assert not any(name.startswith("measured") for name in told)


def test_a_bound_that_is_not_kept_fails_its_check():
    """The cheap model gets worse by itself, and says the same: what was learned of it does not hold any more."""
    full = cubic()
    model = adaptive(full, cheap("Linear"), tolerance=2e-2, audit=0.3)
    path = np.full((6, 60), 0.3) * np.linspace(0.9, 1.1, 60)
    for number, (_, after, _) in enumerate(driven(model, path)):
        full.settings, state = Cubes(cube=4.0 ** (number + 1)), after
    failed = [check.name for check in model.conclude(state) if not check.passed]
    assert "error of Stress as measured, and its bound" in failed


# What is told ---------------------------------------------------------------------------------------------------------


def test_the_report_tells_bound_error_and_costs():
    full = bar()
    model = adaptive(full, cheap("Elastic"), tolerance=2e-2, audit=0.1, drive="Strain", response="Stress")
    assert isinstance(model, Strategy)
    *_, (_, state, _) = driven(model, waves(2, n=60, windows=30, size=0.02), iterations=2)
    told = model.report(state)
    assert told["cheap evaluations"] == 60 * 30 * 2
    assert told["full solves"] + told["full solves to make up for history"] == sum(full.rows) - 60  # at the start
    assert told["effectivity of the bound of Stress"] == pytest.approx(
        told["bound of the error of Stress"] / told["measured error of Stress"]
    )
    alone = told["seconds if all were solved in full, estimated [s]"]
    spent = sum(value for name, value in told.items() if name.startswith("seconds ") and "if" not in name)
    assert told["speed-up, estimated"] == pytest.approx(alone / spent)
    low, high = told["95 % interval of the measured error of Stress"].split(" from ")[0].split(" to ")
    assert 0 <= float(low) <= told["measured error of Stress"] <= float(high)
    # plastic flow has the slope E H / (E + H), and nothing is flatter
    assert told["least slope of Stress by Strain [Pa/(1)]"] == pytest.approx(1000 / 110, rel=1e-6)
    assert 0 < told["bound of the error of Strain [1]"] < 1


def test_a_slope_that_is_given_is_taken():
    pair = {"drive": "Strain", "response": "Stress"}
    model = adaptive(cubic(), cheap("Linear"), tolerance=1e-2, stability=2.0, **pair)
    *_, (_, state, _) = driven(model, waves(2))
    told = model.report(state)
    assert told["least slope of Stress by Strain [Pa/(1)]"] == 2.0
    outcome = model.books.outcome(state)
    assert told["bound of the error of Strain [1]"] == pytest.approx(outcome.squares[0] / 2.0)
    still = adaptive(cubic(), cheap("Linear"), **pair)
    told = still.report(begun(still, np.zeros(3)))
    assert told["bound of the error of Strain [1]"] == np.inf  # nothing has moved: no slope is known


# Any rows, ranks, restart ---------------------------------------------------------------------------------------------


def test_any_rows_can_be_solved_alone():
    model = adaptive(bar(), cheap("Elastic"), tolerance=1e-2, audit=0.1)
    path = waves(5, n=40, size=0.02)
    *_, (before, after, stress) = driven(model, path)
    rows = np.array([3, 7, 30])
    again, alone = model.solve(take(before, rows), {"Strain": path[-1][rows]}, 0.1)
    np.testing.assert_array_equal(alone["Stress"], stress[rows])
    for (path_one, one), (path_other, other) in zip(arrays(again), arrays(take(after, rows)), strict=True):
        assert path_one == path_other
        np.testing.assert_array_equal(one, other)


def test_a_row_that_cannot_be_solved_is_named_by_its_number_in_the_batch():
    full = cubic(limit=0.5)
    model = adaptive(full, cheap("Linear"), tolerance=1e-3, audit=0.0)
    strain = np.array([0.1, 0.2, 0.9, 0.3])
    state = model.plan(begun(model, 0.1 * strain))
    with pytest.raises(MicroError) as caught:
        model.solve(state, {"Strain": strain}, 0.1)
    assert caught.value.rows.tolist() == [2]
    chosen = np.array([False, True, True, False])
    state = {**state, "rows": {**state["rows"], "chosen": chosen, "audited": ~chosen & False}}
    with pytest.raises(MicroError) as caught:
        model.solve(state, {"Strain": strain}, 0.1)
    assert caught.value.rows.tolist() == [2]


def test_a_failure_on_the_way_is_that_of_its_row():
    class Brittle(Bar):
        def solve(self, state, controls, dt):
            if dt and (broken := np.abs(controls["Strain"]) > 0.5).any():
                raise MicroError(np.flatnonzero(broken), "no root")
            return super().solve(state, controls, dt)

    model = adaptive(Brittle(Bars(), 0), cheap("Elastic"), tolerance=0.5, audit=0.0)
    path = np.zeros((4, 5))
    path[2, 3] = 0.6  # while it is cheap
    *_, (_, state, _) = driven(model, path)
    before = model.plan(state)
    before = {**before, "rows": {**before["rows"], "chosen": np.array([False, True, False, True, True])}}
    with pytest.raises(MicroError, match="no root") as caught:
        model.solve(before, {"Strain": np.zeros(5)}, 0.1)
    assert caught.value.rows.tolist() == [3]


def test_a_state_is_saved_and_restored_to_the_last_bit(tmp_path):
    path = waves(5, n=40, size=0.02)

    def fresh():
        return adaptive(bar(), cheap("Elastic"), tolerance=1e-2, audit=0.1)

    whole = [after for _, after, _ in driven(fresh(), path)]
    treefile.save(tmp_path / "state", whole[9])
    state, model = treefile.load(tmp_path / "state"), fresh()
    for strain in path[11:]:
        state, _ = model.solve(model.plan(state), {"Strain": strain}, 0.1)
    for (name, one), (_, other) in zip(arrays(state), arrays(whole[-1]), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_counts_go_on_after_a_restart():
    kept = {}
    context = Context(remember=lambda name, thing: kept.update({name: thing}))
    model = adaptive(bar(), cheap("Elastic"), context)
    for _ in driven(model, waves(1, n=10, windows=3)):
        pass
    saved = kept["tally"].save()
    other = adaptive(bar(), cheap("Elastic"))
    other.tally.restore(saved)
    assert other.tally.report() == model.tally.report()
    assert saved["counts"]["asked"] == 30
    model.tally.solves(1, 1)
    assert saved["counts"]["asked"] == 30


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"observables": ["Stres"]},
            "observables: there is no observable 'Stres'; expected Stress. Did you mean 'Stress'?",
        ),
        ({"drive": "Strain"}, "drive: a bound on the error of what drives needs both, drive and response"),
        ({"stability": 1.0}, "stability: a bound on the error of what drives needs both, drive and response"),
        ({"drive": "X", "response": "Stress"}, "drive: there is no control 'X'; expected Strain"),
        ({"drive": "Strain", "response": "X"}, "response: there is no observable 'X'; expected one of Flux, Stress"),
        (
            {"drive": "Strain", "response": "Flux"},
            "Strain is a scalar and Flux a vector: a slope needs two of one shape",
        ),
        (
            {"drive": "Strain", "response": "Stress", "observables": ["Flux"]},
            "response: the error of Stress has to count: name it among the observables",
        ),
        (
            {"cheap": cheap("Silent"), "warm_up": 0},
            "warm_up: 0 is too few with a cheap model that says nothing of its error",
        ),
        ({"cheap": "concurrent"}, "cheap: the model itself is not cheap; name another strategy, or a model"),
        ({"cheap": "surogate"}, "no strategy 'surogate'; expected .*Did you mean 'surrogate'?"),
        ({"cheap": cheap("Elastic")}, None),
        (
            {"cheap": {"model": {"run": "laws", "model": "Nothing", "settings": {}}}},
            "adaptive: cheap.model: 'laws' has no class 'Nothing'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(given, told):
    full = cubic()
    if "Flux" in str(given) or given.get("response") == "X":
        full.observables = {**Cubic.observables, "Flux": Field("W", rank=1)}
    if told is None:
        assert adaptive(full, stand_in=given["cheap"])
        return
    with pytest.raises(CouplingError) as caught:
        adaptive(full, given.pop("cheap", cheap("Linear")), **given)
    for part in told.split(".*"):
        assert part in str(caught.value)


def test_a_cheap_model_with_other_fields_is_refused():
    full = cubic()
    full.observables = {"Stress": Field("kPa")}
    with pytest.raises(CouplingError, match=r"adaptive: cheap.model: the observables of 'laws' are Stress, which does"):
        adaptive(full, cheap("Linear"))


def test_a_setting_that_is_a_strategy_is_one():
    with pytest.raises(ConfigurationError, match=r"cheap: 3 is no strategy; expected a strategy, as NAME or"):
        typed.build(Adaptivity, {"cheap": 3})
    with pytest.raises(ConfigurationError, match=r"cheap: \{'a': \{\}, 'b': \{\}\} is no strategy"):
        typed.build(Adaptivity, {"cheap": {"a": {}, "b": {}}})
    assert typed.build(Adaptivity, {"cheap": {"surrogate": None}}).cheap == {"surrogate": {}}
    assert typed.build(Adaptivity, {}).cheap == {"surrogate": {}}
    assert ("cheap", "surrogate") in [
        (name, value.split(" (")[0]) for name, value, _ in typed.table(typed.schema(Adaptivity))
    ]
