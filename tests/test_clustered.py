"""Clustered micro models: representatives, copies, and what these cost in accuracy."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import fragile
import numpy as np
import pytest
from coupled import ROOT
from test_similarity import matrix_rule

from adapters import micro
from adapters.failing.capsule import Place, Program
from adapters.failing.capsules import Capsules
from adapters.failing.guarded import Guarded, MicroFailure
from adapters.failing.policies import Neighbours
from adapters.micro import take
from adapters.ranks import Rows
from adapters.scaling import config as scaling_config
from adapters.scaling.model import ScaledModel
from adapters.strategies.clusters import tangent, tolerances
from adapters.strategies.clusters.paying import PATIENCE, PAUSE, Costs, Ledger
from adapters.strategies.clusters.plan import Plan
from adapters.strategies.protocol import Context, Planning, Strategy
from adapters.strategies.stack import Stack
from participants.micro.brine import Brine, Volumes
from participants.micro.grain import Cell, Grain
from scalebridge import checks
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError, Findings

N = 200
X = np.linspace(0.0, 1.0, N)
POINTS = np.stack([X, 0.0 * X], axis=1)
ALWAYS = {"when_it_pays": False, "correct": "none"}  # so that what is copied is what a representative shows


class Law:
    """stress = strain^2 at once; or with rate > 0 dm/dt = rate (strain - m) and stress = m^2. Counts what it solves."""

    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa")}  # noqa: RUF012

    def __init__(self, rate=0.0):
        self.rate, self.solved = rate, 0

    def start(self, points, controls):
        return {"m": 1.0 * controls["Strain"], "age": np.zeros(len(points))}

    def solve(self, state, controls, dt):
        self.solved += len(state["m"]) if dt > 0 else 0
        strain = np.asarray(controls["Strain"]) if dt > 0 else state["m"]
        m = (state["m"] + self.rate * dt * strain) / (1 + self.rate * dt) if self.rate else strain
        return {"m": m, "age": state["age"] + dt}, {"Stress": m**2}

    def audit(self, before, after):
        late = np.abs(after["age"] - before["age"] - 1.0).max()
        return [checks.at_most("late", float(late), 1e-12, source="every row has had a step of 1 s")]


def front(t):
    """A smooth front of strain that moves through the points."""
    return {"Strain": 1.0 + 0.5 * np.tanh(4.0 * (X - 0.1 - 0.02 * t))}


def clustered(model, points=POINTS, controls=front, **settings):
    """Return the stack and its state after the introduction."""
    made = Stack([{"clustered": {**ALWAYS, **settings}}], model, Context(seed=3))
    state = made.start(points, controls(0))
    return made, made.solve(state, controls(0), 0.0)[0]


def follow(made, state, steps, controls=front):
    """Yield state and observables after each window of 1 s."""
    for t in range(steps):
        planned = made.plan(state)
        state, seen = made.solve(planned, controls(t + 1), 1.0)
        for check in made.audit(planned, state):
            assert check.passed, check
        yield state, np.asarray(seen["Stress"])


def last(made, begin, steps, controls=front):
    """Return the state after so many windows."""
    *_, (state, _) = follow(made, begin, steps, controls)
    return state


def concurrent(model, steps, controls=front, points=POINTS):
    state = model.start(points, controls(0))
    for t in range(steps):
        state, seen = model.solve(state, controls(t + 1), 1.0)
        yield state, seen["Stress"]


def leads(state):
    return Plan.of(state["plan"]).leads


# What it is -----------------------------------------------------------------------------------------------------------


def test_it_is_a_strategy_that_plans():
    made, begin = clustered(Law())
    assert isinstance(made.model, Strategy)
    assert isinstance(made.model, Planning)
    assert made.state_of_full(begin)["m"] is begin["model"]["m"]
    assert leads(begin).all()


def test_a_state_is_not_changed_in_place_and_any_rows_of_it_will_do():
    made, begin = clustered(Law(rate=0.5), history="replay", audit=0.5)
    state = last(made, begin, 3)
    state = made.plan(state)
    kept = {path: array.copy() for path, array in micro.arrays(state)}
    made.solve(state, front(4), 1.0)
    made.plan(state)
    for path, array in micro.arrays(state):
        np.testing.assert_array_equal(array, kept[path])
    order = np.random.default_rng(0).permutation(N)
    whole, seen = made.solve(state, front(4), 1.0)
    mixed, again = made.solve(take(state, order), {"Strain": front(4)["Strain"][order]}, 1.0)
    np.testing.assert_array_equal(again["Stress"], seen["Stress"][order])
    np.testing.assert_array_equal(mixed["model"]["m"], whole["model"]["m"][order])


# Accuracy -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "tolerance"), [(0.0, 0.04), (0.5, 0.06)])
def test_copies_are_within_the_tolerance_while_a_front_moves_through(rate, tolerance):
    """Points refine where it comes, and coarsen where it has been.

    The slope of strain^2 is up to 3 there, so of 0.02 in the strain may come 0.06 in the stress. Where it follows at
    once this is foreseen, and less is allowed; where it follows with delay, it takes more than the last step to tell.
    """
    made, begin = clustered(Law(rate), tolerance=["0.02", f"{tolerance} Pa"])
    active, worst = [], []
    for (state, stress), (_, truth) in zip(follow(made, begin, 25), concurrent(Law(rate), 25), strict=True):
        active.append(leads(state))
        worst.append(np.abs(stress - truth).max())
    assert active[0].all()  # nothing is known yet
    assert max(worst) <= tolerance
    assert max(worst) > 0.005  # something was copied that is not the same
    assert made.full.solved < 0.75 * N * 25
    refined = [np.flatnonzero(b & ~a) for a, b in pairwise(active[1:])]
    coarsened = [np.flatnonzero(a & ~b) for a, b in pairwise(active[1:])]
    assert sum(map(len, refined)) > 10
    assert sum(map(len, coarsened)) > 10
    assert int(state["left"].sum()) == sum(map(len, refined))


def test_a_smaller_tolerance_gives_a_smaller_error_for_more_solves():
    found = []
    for share in ("4 % of range", "1 % of range", "0.25 % of range"):
        made, begin = clustered(Law(), tolerance=[share], audit=0.0)
        runs = zip(follow(made, begin, 15), concurrent(Law(), 15), strict=True)
        found.append((max(np.abs(stress - truth).max() for (_, stress), (_, truth) in runs), made.full.solved))
    (first, few), (second, more), (third, most) = found
    assert first > 2 * second > 4 * third
    assert few < more < most


def test_a_linear_correction_makes_the_error_one_of_second_order():
    found = {}
    for correct in ("none", "linear"):
        made, begin = clustered(Law(), tolerance=["0.02", "0.04 Pa"], correct=correct, audit=0.0)
        runs = zip(follow(made, begin, 15), concurrent(Law(), 15), strict=True)
        found[correct] = max(np.abs(stress - truth).max() for (_, stress), (_, truth) in runs), made.full.solved
    assert found["linear"][1] <= found["none"][1]
    assert found["linear"][0] < 0.2 * found["none"][0]


def test_a_tangent_of_a_linear_law_is_exact_and_does_not_overshoot():
    rng = np.random.default_rng(1)
    driven, law = rng.random((7, 2)), np.array([[1.0, -2.0, 0.5], [3.0, 0.0, 1.0]])
    near = np.array([[j for j in range(7) if j != i] for i in range(7)])
    moved, base = 1e-3 * rng.standard_normal((4, 2)), np.array([0, 0, 3, 5])
    centre = np.array([np.median(driven, axis=0)])
    driven = np.concatenate([driven, centre])
    near = np.vstack([near, np.arange(6)])
    base = np.full(4, 7)
    seen, none = driven @ law, np.zeros((4, 3))

    def estimate(near, moved, base):
        shown = tangent.Shown(driven, np.zeros_like(seen), seen, near, (driven, seen))
        return tangent.estimate(shown, moved, base, none[: len(base)])

    np.testing.assert_allclose(estimate(near, moved, base), (driven[base] + moved) @ law, atol=1e-12)
    far = estimate(near, 100 * np.ones((1, 2)), base[:1])
    np.testing.assert_allclose(np.abs(far - seen[7])[0], np.abs(seen[:6] - seen[7]).max(axis=0))
    np.testing.assert_array_equal(estimate(np.full((8, 3), -1), moved, base), seen[base])
    assert estimate(near, moved[:0], base[:0]).shape == (0, 3)  # a rank all of whose points lead


def test_identical_points_have_one_representative_and_different_ones_are_all_solved():
    made, begin = clustered(Law(), controls=lambda t: {"Strain": np.full(N, 1.0 + 0.1 * t)})
    states = [state for state, _ in follow(made, begin, 3, lambda t: {"Strain": np.full(N, 1.0 + 0.1 * t)})]
    assert [int(leads(s).sum()) for s in states] == [N, 1, 1]
    made, begin = clustered(Law(), tolerance=["1e-9", "1e-9 Pa"])
    assert all(leads(state).all() for state, _ in follow(made, begin, 3))


def test_a_tolerance_of_zero_merges_what_is_the_same_and_nothing_else():
    def pairs(t):
        return {"Strain": 1.0 + np.repeat(np.arange(N // 2), 2) * 1e-6 * (1 + t)}

    made, begin = clustered(Law(), controls=pairs, tolerance=["0", "0 Pa"])
    *_, (state, stress) = follow(made, begin, 3, pairs)
    assert leads(state).sum() == N // 2
    np.testing.assert_array_equal(stress, pairs(3)["Strain"] ** 2)


def test_the_rule_of_the_micro_manager_with_its_names():
    """The active points are those of its matrix, from data of every step; the first window is solved everywhere."""
    constants = {"history_param": 0.3, "coarsening_constant": 0.3, "refining_constant": 0.2}
    made, begin = clustered(Law(), rule="relative", audit=0.0, memory=20, **constants)
    active, distances = np.ones(N, dtype=bool), np.zeros((N, N))
    for number, (state, stress) in enumerate(follow(made, begin, 12)):
        if number:
            refining = 0.2 * distances.max()
            active, leader = matrix_rule(distances, active, 0.3 * refining, refining)
            np.testing.assert_array_equal(leads(state), active)
            np.testing.assert_array_equal(state["plan"]["leader"], leader)
            assert active.sum() < N
        data = np.stack([front(number + 1)["Strain"], stress], axis=1)
        distances = distances * np.exp(-0.3) + np.abs(data[:, None] - data[None]).sum(axis=-1)
    assert made.conclude(state) == []  # there is no tolerance to keep to


# History --------------------------------------------------------------------------------------------------------------


def test_what_stops_following_goes_on_from_its_representative_or_from_its_own_path():
    """Half of the points follow for three windows with a strain that differs a little, and then part."""

    def parting(t):
        shift = np.where(np.arange(N) % 2, 0.007, 0.0)
        return {"Strain": 1.0 + 0.05 * t + (shift if t < 5 else 20 * shift)}

    for history, expected in (("take-over", 1e-4), ("replay", 1e-15)):
        settings = {"data": ["Strain"], "tolerance": ["0.05"], "history": history, "audit": 0.0}
        made, begin = clustered(Law(rate=0.2), controls=parting, **settings)
        states = list(follow(made, begin, 7, parting))
        *_, (exact, truth) = concurrent(Law(rate=0.2), 7, parting)
        last, stress = states[-1]
        assert [int(leads(s).sum()) for s, _ in states] == [N, 1, 1, 1, 1, 2, 2]
        away = np.abs(last["model"]["m"] - exact["m"])[leads(last)].max()
        assert (away < expected) if history == "replay" else (away > expected), away
        assert np.abs(stress - truth).max() < 0.05 * 2 * 1.5
        if history == "replay":
            assert made.full.solved > N + 3 + 2 * 3  # the path of the one that left was solved
            assert last["path"]["length"][leads(last)].max() == 0


def test_an_audit_that_replays_measures_the_whole_error():
    made, begin = clustered(Law(rate=0.3), tolerance=["0.05", "0.1 Pa"], history="replay", audit=1.0)
    total, count, worst = 0.0, 0, 0.0
    for (state, stress), (_, truth) in zip(follow(made, begin, 12), concurrent(Law(rate=0.3), 12), strict=True):
        away = np.abs(stress - truth)[~leads(state)]
        total, count, worst = total + away.sum(), count + away.size, max(worst, away.max(initial=0.0))
    told = made.report(state).layers[0].report
    assert told["copies of Stress that were solved as well"] == count
    assert told["mean error of copied Stress [Pa]"] == pytest.approx(total / count, rel=1e-9)
    assert told["worst error of copied Stress [Pa]"] == pytest.approx(worst, rel=1e-9)


# Audits ---------------------------------------------------------------------------------------------------------------


def test_an_audit_by_lot_agrees_with_the_true_error_and_changes_nothing():
    made, begin = clustered(Law(), tolerance=["0.02", "0.04 Pa"], audit=0.3)
    without, other_begin = clustered(Law(), tolerance=["0.02", "0.04 Pa"], audit=0.0)
    away = []
    rest = zip(follow(without, other_begin, 25), concurrent(Law(), 25), strict=True)
    for (state, stress), ((other, same), (_, truth)) in zip(follow(made, begin, 25), rest, strict=True):
        np.testing.assert_array_equal(stress, same)
        end = other
        away += np.abs(stress - truth)[~leads(state)].tolist()
    told = made.report(state).layers[0].report
    mean, half = told["mean error of copied Stress [Pa]"], told["95 % interval of it, to either side [Pa]"]
    assert abs(mean - np.mean(away)) <= 1.5 * half
    assert half < 0.3 * mean
    assert 0.5 * max(away) <= told["worst error of copied Stress [Pa]"] <= max(away) + 1e-15
    mean_check, worst_check = made.conclude(state)
    assert (mean_check.name, worst_check.name) == (
        "mean error of copied Stress, upper 95 %",
        "worst error of copied Stress",
    )
    assert (mean_check.reference, mean_check.unit, mean_check.value) == (0.04, "Pa", mean + half)
    assert mean_check.passed
    assert worst_check.passed
    assert without.report(end).layers[0].report["error of copied Stress"] == "not measured"
    assert without.conclude(end) == []


def test_a_law_that_jumps_between_alike_points_is_found_out():
    """What copies cost there is beyond the tolerance, and the checks of the run say so."""

    class Jumping(Law):
        def solve(self, state, controls, dt):
            new, seen = super().solve(state, controls, dt)
            return new, {"Stress": seen["Stress"] + np.where(np.rint(1e4 * new["m"]) % 2, 1.0, 0.0) * (dt > 0)}

    settings = {"data": ["Strain", "Stress"], "tolerance": ["0.05", "0.04 Pa"], "audit": 0.5}

    def calm(t):
        return {"Strain": 1.0 + 2e-4 * np.arange(N) * 0.3 * (t < 3) + 1e-4 * np.arange(N) * (t >= 3)}

    made, begin = clustered(Jumping(), controls=calm, **settings)
    state = last(made, begin, 4, calm)
    assert [check.passed for check in made.conclude(state)] == [False, False]


# It is planned once for a window --------------------------------------------------------------------------------------


def test_nothing_switches_inside_a_window():
    """Whatever the controls of an iteration, who is solved follows from the state at its start."""
    made, begin = clustered(Law(), audit=0.1)
    state = last(made, begin, 3)
    planned = made.plan(state)
    plans = [made.solve(planned, front(t), 1.0)[0]["plan"] for t in (4, 40, -40)]
    for plan in plans:
        for name, values in plan.items():
            np.testing.assert_array_equal(values, planned["plan"][name])
    again = made.plan(state)
    for path, values in micro.arrays(planned):
        np.testing.assert_array_equal(dict(micro.arrays(again))[path], values)


def test_a_step_of_no_length_shows_the_state_as_it_is():
    made, begin = clustered(Law(rate=0.5))
    planned = made.plan(last(made, begin, 3))
    planned = {**planned, "model": {**planned["model"], "m": planned["model"]["m"] + 1.0}}
    after, seen = made.solve(planned, front(30), 0.0)
    np.testing.assert_array_equal(seen["Stress"], planned["model"]["m"] ** 2)
    np.testing.assert_array_equal(after["history"]["values"], planned["history"]["values"])


# Failures -------------------------------------------------------------------------------------------------------------

FIVE = {"Strain": np.array([1.0, 1.0, 1.0, 4.0, 4.0])}
PLACES = np.stack([np.arange(5.0), np.zeros(5)], axis=1)


def guarded(folder, how, *policies, where=(2.0,), history="replay"):
    """Return a guarded stack over five rows of which 2 and 4 represent the others, at the start of the third window."""
    settings = {"how": how, "where": where, "since": 1.1, "rate": 0.1}
    model = fragile.Fragile(fragile.Settings(**settings), 0)
    made = Stack([{"clustered": {**ALWAYS, "history": history}}], model, Context())
    program = Program("test", "Micro", "fragile", "Fragile", {**settings, "where": list(where)}, 0)
    one = Guarded(made, PLACES, Rows(5), policies, Capsules(folder, program))
    state = one.start(PLACES, FIVE)
    one.at(Place("solve"))
    state, _ = one.solve(state, FIVE, 0.0)
    for window in (1, 2):
        one.at(Place("solve", window - 1.0, 0.5, window, 1))
        state, _ = one.solve(made.plan(state), FIVE, 0.5)
    one.at(Place("solve", 1.0, 0.5, 3, 1))
    return one, made.plan(state)


@pytest.mark.parametrize("how", ["raise", "name", "nan", "state"])
def test_a_representative_that_fails_is_kept_and_fails_again_alone(tmp_path, how):
    one, state = guarded(tmp_path, how)
    assert np.flatnonzero(leads(state)).tolist() == [2, 4]
    with pytest.raises(MicroFailure, match=r"Micro: 1 of 5 micro simulations failed, the first is row 2"):
        one.solve(state, FIVE, 0.5)
    capsule = tmp_path / "capsules/window-000003-iteration-1-row-2.npz"
    again = subprocess.run(
        [sys.executable, "-m", "scalebridge", "replay", str(capsule), "--module", "fragile"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert again.returncode == 1, again.stderr + again.stdout
    assert again.stdout.splitlines()[-1].startswith("reproduced: ")


@pytest.mark.parametrize("how", ["raise", "name", "nan", "state"])
def test_who_followed_a_representative_that_fails_is_solved(tmp_path, how):
    one, state = guarded(tmp_path, how, Neighbours(2))
    after, seen = one.solve(state, FIVE, 0.5)
    assert one.tally.in_iteration(["neighbours"]) == {2}
    assert leads(after).tolist() == [True, True, True, False, True]
    well = fragile.Fragile(fragile.Settings(rate=0.1), 0)
    _, truth = well.solve(state["model"], FIVE, 0.5)
    others = [0, 1, 3, 4]
    np.testing.assert_allclose(seen["Stress"][others], truth["Stress"][others], rtol=1e-14)


def test_who_has_taken_over_a_state_fails_with_it(tmp_path):
    """What makes row 2 fail is in its state, which those who follow it have as well."""
    one, state = guarded(tmp_path, "raise", history="take-over")
    with pytest.raises(MicroFailure, match=r"Micro: 3 of 5 micro simulations failed, the first is row 0"):
        one.solve(state, FIVE, 0.5)


def test_rows_whose_representative_is_elsewhere_are_solved():
    """So does a batch without representatives; whoever was solved so represents itself from then on."""
    made, begin = clustered(Law())
    state = last(made, begin, 3)
    planned = made.plan(state)
    rows = np.flatnonzero(~leads(planned))[:7]
    after, seen = made.solve(take(planned, rows), {"Strain": front(4)["Strain"][rows]}, 1.0)
    np.testing.assert_array_equal(seen["Stress"], front(4)["Strain"][rows] ** 2)
    assert leads(after).all()


def test_before_there_is_a_plan_every_row_is_solved():
    """As in a stack whose outer strategy does not plan."""
    made, begin = clustered(Law())
    _, seen = made.solve(begin, front(1), 1.0)
    np.testing.assert_array_equal(seen["Stress"], front(1)["Strain"] ** 2)
    assert made.full.solved == N


# Whether it pays ------------------------------------------------------------------------------------------------------


def test_it_turns_itself_off_where_it_does_not_pay_and_on_again_where_it_would():
    """Costs are made up: what clustering takes is compared with what solving takes, several windows in a row."""
    ledger = Ledger(Context())
    dear = Costs(solved=10, spared=90, audited=2, solving=1.0, auditing=0.2, beside=1.0)
    cheap = Costs(solved=10, spared=90, audited=2, solving=1e-3, auditing=2e-4, beside=1.0)
    ledger.last = dear
    for _ in range(2 * PATIENCE):
        ledger.decide(ledger.close())
        ledger.last = dear
    assert ledger.on
    assert ledger.spared(dear) == pytest.approx(9.0)
    ledger = Ledger(Context())
    for number in range(PATIENCE):
        assert ledger.on, number
        ledger.last = dear if number == 0 else cheap
        if number == 0:
            ledger.whole = Costs(solved=10, solving=1e-3)
            ledger.last = cheap
        ledger.decide(ledger.close())
    assert not ledger.on
    for _ in range(PAUSE):
        assert not ledger.trying
        ledger.waited()
    assert ledger.trying
    ledger.tried(90, 1.0)  # 90 rows at 0.1 ms are not worth a second
    assert (ledger.on, ledger.trying, ledger.windows_off) == (False, False, PAUSE)
    ledger.tried(90, 1e-3)
    assert ledger.on
    again = Ledger(Context())
    again.restore(ledger.save())
    assert again.save() == ledger.save()
    assert ledger.told()["windows in which it was off"] == PAUSE


@pytest.mark.parametrize(("when", "off"), [(True, True), (False, False)])
def test_a_law_that_costs_nothing_is_solved_everywhere_unless_that_is_forbidden(when, off):
    made, begin = clustered(Law(), when_it_pays=when, audit=0.0)
    state = last(made, begin, PATIENCE + 3)
    assert leads(state).all() == off
    told = made.report(state).layers[0].report
    assert (told["windows in which it was off"] > 0) == off
    assert told["does it pay"].startswith("no, ")
    assert told["points"] == N
    assert told["steps solved"] + told["steps copied"] == N * (PATIENCE + 3)


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": ["Strian"]}, "data: no control or observable 'Strian'; expected one of Strain, Stress. Did you mean"),
        ({"tolerance": ["1 %", "2", "3"]}, "tolerance: 3 tolerances are given; expected one for all, or one for each"),
        ({"tolerance": ["1 K"]}, "tolerance: of Strain: 'K' ([temperature]) cannot be converted to '1'"),
        ({"tolerance": ["much of range"]}, "tolerance: of Strain: 'much' does not begin with a number"),
        ({"tolerance": ["-1 % of range"]}, "tolerance: of Strain: '-1 % of range' is less than nothing"),
    ],
)
def test_settings_that_cannot_be_used(given, message):
    with pytest.raises(ConfigurationError) as caught:
        Stack([{"clustered": given}], Law(), Context())
    assert f"strategy clustered: {message}" in str(caught.value)


def test_tolerances_have_units_or_are_shares_of_a_range():
    fields = {"Temperature": Field("K"), "Flux": Field("W/m^2", rank=1)}
    read = tolerances.read((), ("0.1 degC", "2 % of range"), fields, Findings("it"))
    assert read["Temperature"].of(50.0) == pytest.approx(0.1)
    low, high = np.array([270.0, 0.0, -1.0]), np.array([280.0, 4.0, 1.0])
    np.testing.assert_allclose(tolerances.columns(read, [1, 2], low, high), [0.1, 0.08, 0.08])
    same = tolerances.columns(read, [1, 2], np.zeros(3), np.zeros(3))
    np.testing.assert_allclose(same, [0.1, 1.0, 1.0])  # all is zero, so any will do


# With other physics ---------------------------------------------------------------------------------------------------

SCALING = """<scaling precice-config="phase-change.xml">
  <downscale data="Temperature" unit="K" to="temperature" map="uniform" />
  <upscale data="Liquid-Fraction" unit="1" from="liquid-indicator" map="volume-average" />
</scaling>"""


@pytest.mark.parametrize("history", ["take-over", "replay"])
def test_brine_that_is_clustered_melts_as_it_does_everywhere(tmp_path, history):
    """Layers of ice and brine, warmed by a front: within the tolerance, for less than half of the solves."""
    (tmp_path / "scaling.xml").write_text(SCALING)
    maps = scaling_config.load(tmp_path / "scaling.xml").of({"Temperature"}, {"Liquid-Fraction"})

    def made():
        return ScaledModel(Brine(Volumes(cells=12, geometry="layers-x"), 3), maps)

    def warming(t):
        return {"Temperature": 263.15 + 9.0 * 0.5 * (1 + np.tanh(8.0 * (0.02 * t + 0.2 - X)))}

    settings = {"tolerance": ["0.2 K", "0.02"], "history": history, "audit": 0.05}
    stack, state = clustered(made(), controls=warming, **settings)
    whole = made()
    exact = whole.start(POINTS, warming(0))
    worst = 0.0
    for t in range(12):
        planned = stack.plan(state)
        state, seen = stack.solve(planned, warming(t + 1), 20.0)
        assert all(check.passed for check in stack.audit(planned, state))
        exact, truth = whole.solve(exact, warming(t + 1), 20.0)
        worst = max(worst, np.abs(seen["Liquid-Fraction"] - truth["Liquid-Fraction"]).max())
    assert 1e-4 < worst <= 0.02
    assert int(state["solves"].sum()) < 0.5 * 12 * N
    assert all(check.passed for check in stack.conclude(state))
    told = stack.report(state).layers[0].report
    assert told["worst error of copied Liquid-Fraction"] <= worst * (1 + 1e-12)
    assert stack.snapshot(state)["liquid-indicator"].shape == (N, 12, 12)


def test_grains_that_are_clustered_dissolve_as_they_do_everywhere():
    """Identical cells under a concentration that varies along the points; what is seen are fields on a grid."""
    cell = Cell(cells=12, width=1 / 6)
    count = 24

    def acid(t):
        return {"concentration": 0.5 - 0.2 * (t > 0) * np.linspace(0, 1, count) ** 2}

    stack, state = clustered(
        Grain(cell, 0), points=POINTS[:count], controls=acid, data=["concentration"], tolerance=["0.1"], audit=0.1
    )
    whole = Grain(cell, 0)
    exact = whole.start(POINTS[:count], acid(0))
    for t in range(4):
        state, seen = stack.solve(stack.plan(state), acid(t + 1), 0.01)
        exact, truth = whole.solve(exact, acid(t + 1), 0.01)
    assert leads(state).sum() < count / 2
    mean = np.abs(seen["pore-indicator"] - truth["pore-indicator"]).mean(axis=(1, 2))
    assert 0 < mean.max() < 0.02


# Beneath another strategy ---------------------------------------------------------------------------------------------


def test_it_may_be_beneath_another_one():
    two = Stack([{"clustered": {**ALWAYS, "audit": 0.0}}, {"clustered": {**ALWAYS, "audit": 0.0}}], Law(), Context())
    begin = two.start(POINTS, front(0))
    for (_, stress), (_, truth) in zip(follow(two, begin, 6), concurrent(Law(), 6), strict=True):
        assert np.abs(stress - truth).max() < 0.1
    assert two.full.solved < 6 * N
    assert not two.model.model.context.outermost
    assert two.model.context.outermost
