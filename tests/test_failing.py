"""Rows that fail in a batch: found, kept, and what stands in for them. One process, no coupling."""

from __future__ import annotations

import fragile
import numpy as np
import pytest
from fragile import Fragile, Settings, Steady

from adapters.failing.attempt import Attempt, Part, WholeBatchError, attempt, merge, solving, spoiled
from adapters.failing.capsule import Place, Program
from adapters.failing.capsules import MOST, Capsules
from adapters.failing.guarded import SEARCHED, Guarded, MicroFailure
from adapters.failing.policies import Neighbours, OtherModel, Problem, Retry, build
from adapters.micro import MicroError
from adapters.ranks import Rows
from adapters.wiring import CouplingError
from scalebridge import settings as typed

N = 41
LINE = np.stack([np.arange(float(N)), np.zeros(N)], axis=1)
CONTROLS = {"Strain": 2.0 + 0.1 * LINE[:, 0]}
DT = 0.25


def model(how="never", where=(17.0,), **more):
    return Fragile(Settings(how=how, where=tuple(where), **more), 0)


def guarded(folder, broken, *policies, points=LINE):
    program = Program("test", "Micro", "fragile", "Fragile", dict(vars(broken.settings)), 0)
    made = Guarded(broken, points, Rows(len(points)), policies, Capsules(folder, program))
    state = made.start(points, {"Strain": CONTROLS["Strain"][: len(points)]})
    made.at(Place("solve", 1.0, DT, 5, 2, 0))
    return made, state


def tried(broken, rows=N):
    state = model().start(LINE[:rows], {"Strain": CONTROLS["Strain"][:rows]})
    controls = {"Strain": CONTROLS["Strain"][:rows]}
    which = np.arange(rows)
    return attempt(solving(broken, Part(which, state, {}), controls, DT), which)


HOW = {
    "raise": "ArithmeticError: no root",
    "name": "MicroError: no root",
    "nan": "NaN in Stress",
    "inf": "infinity in Stress",
    "state": "NaN in the state, m",
    "shape": "ValueError: Fragile.solve gave 'Stress' of shape (0,); expected (1)",
    "stiff": "MicroError: no convergence",
}


@pytest.mark.parametrize("how", HOW)
def test_rows_that_fail_are_found_and_the_others_are_as_if_alone(how):
    """Truth: what the model gives where nothing breaks, row by row."""
    where = (0.0, 17.0, 18.0, 40.0)
    found = tried(model(how, where))
    assert {row: failure.what for row, failure in found.failed.items()} == dict.fromkeys((0, 17, 18, 40), HOW[how])
    part = merge(found.parts)
    np.testing.assert_array_equal(part.rows, np.delete(np.arange(N), [0, 17, 18, 40]))
    whole = merge(tried(model()).parts)
    np.testing.assert_array_equal(part.observables["Stress"], whole.observables["Stress"][part.rows])
    np.testing.assert_array_equal(part.state["place"]["x"], part.rows)


def test_a_batch_that_goes_well_is_solved_once_and_not_copied():
    healthy = model()
    (part,) = tried(healthy).parts
    assert healthy.calls == [N]
    assert part.state["place"]["x"].base is not None  # a view of what was given


def test_bisection_costs_about_two_batches_more():
    broken = model("raise")
    tried(broken)
    assert sum(broken.calls) < 3.2 * N
    assert max(tried(model("raise")).failed) == 17


def test_a_model_that_names_its_rows_is_asked_once_more():
    broken = model("name", (3.0, 30.0))
    tried(broken)
    assert broken.calls == [N, N - 2]


def test_a_row_that_does_not_exist_is_searched_for():
    broken = model("raise")

    def solve(state, controls, dt, solve=broken.solve):
        try:
            return solve(state, controls, dt)
        except ArithmeticError as error:
            raise MicroError([1000], "row 1000") from error

    broken.solve = solve
    assert list(tried(broken).failed) == [17]


def test_rows_that_fail_together_but_not_alone():
    with pytest.raises(WholeBatchError, match=r"MemoryError; so fail \d+ micro simulations together, but none of") as e:
        tried(model("together", (16.0, 17.0)))
    assert {16, 17} <= set(e.value.rows.tolist())


def test_what_is_declared_has_to_be_given():
    forgetful = model("name")
    forgetful.observables = {**Fragile.observables, "Heat": Fragile.observables["Stress"]}
    with pytest.raises(CouplingError, match=r"Fragile\.solve gave no Heat, which it declares"):
        tried(forgetful, 10)


def test_a_state_of_another_number_of_rows():
    broken = model()
    broken.solve = lambda state, controls, dt: ({"m": np.zeros(3)}, {"Stress": np.zeros(len(state["m"]))})
    failed = tried(broken, 2).failed
    assert failed[0].what == "ValueError: Fragile.solve gave a state of 3 rows for 1 micro simulations"


def test_what_was_not_finite_before_may_stay_so():
    never, now = {"spike": np.array([-np.inf, 1.0, 2.0])}, {"spike": np.array([-np.inf, np.inf, 3.0])}
    assert [f.what for f in spoiled(never, now, {}).values()] == ["infinity in the state, spike"]
    assert list(spoiled(never, now, {})) == [1]
    assert spoiled({}, {"count": np.array([1, 2])}, {"on": np.array([True, False])}) == {}


# What stands in ---------------------------------------------------------------------------------------------------


def problem(broken, dt=DT):
    state = model().start(LINE, CONTROLS)
    return Problem(broken, state, CONTROLS, dt, LINE, Rows(N))


@pytest.mark.parametrize(("stiff", "steps"), [(4.5, 2), (10.0, 4), (50.0, 16)])
def test_smaller_steps_are_those_of_backward_euler(stiff, steps):
    """Fixed-point iteration converges where rate dt < 1. A step divides the distance to the strain by 1 + rate dt."""
    broken = model("stiff", stiff=stiff)
    case = problem(broken)
    case.state["m"][17] = 1.0
    (part,) = Retry(4).help([17], case, []).parts
    strain = CONTROLS["Strain"][17]
    exact = strain + (1.0 - strain) / (1 + stiff * DT / steps) ** steps
    assert part.rows.tolist() == [17]
    assert part.state["m"][0] == pytest.approx(exact, rel=1e-11)
    assert part.observables["Stress"][0] == pytest.approx(exact / 2, rel=1e-11)
    assert part.state["age"][0] == pytest.approx(DT)


def test_too_few_halvings():
    found = Retry(3).help([17], problem(model("stiff", stiff=50.0)), [])
    assert (found.parts, found.failed[17].what) == ([], "MicroError: no convergence")


def test_each_row_gets_the_steps_that_it_needs():
    broken = model("stiff", (3.0, 4.0))
    broken.settings = Settings(how="stiff", where=(3.0,), stiff=10.0, rate=4.5)
    found = Retry(4).help([3, 4], problem(broken), [])
    assert [part.rows.tolist() for part in found.parts] == [[4], [3]]
    assert broken.calls[:3] == [2, 1, 1] + [1] * 0  # two steps for row 4 alone once row 3 has failed


def test_a_look_at_the_state_has_no_smaller_steps():
    found = Retry(4).help([17], problem(model("stiff"), dt=0.0), [])
    assert found.failed[17].what == "a step of no length cannot be made smaller"


def test_another_model_starts_from_the_present_controls():
    case = problem(model("raise"))
    (part,) = OtherModel(Steady(Settings(), 0)).help([17, 3], case, []).parts
    np.testing.assert_array_equal(part.rows, [3, 17])
    np.testing.assert_array_equal(part.observables["Stress"], 0.5 * CONTROLS["Strain"][[3, 17]])
    assert set(part.state) == {"m", "place", "age"}  # the state of the model that failed, as it was
    np.testing.assert_array_equal(part.state["age"], [0.0, 0.0])


def test_another_model_may_fail_too():
    found = OtherModel(Steady(Settings(how="raise"), 0)).help([17], problem(model("raise")), [])
    assert (found.parts, found.failed[17].what) == ([], "ArithmeticError: this one neither")
    found = OtherModel(Fragile(Settings(how="start", where=(17.0,)), 0)).help([17, 3], problem(model("raise")), [])
    assert [part.rows.tolist() for part in found.parts] == [[3]]
    assert list(found.failed) == [17]


def linear(rows):
    return Part(rows, {}, {"Stress": 3.0 * LINE[rows, 0] - 1.0})


@pytest.mark.parametrize("count", [2, 4])
def test_neighbours_give_a_linear_field_back_inside_a_uniform_line(count):
    good = np.delete(np.arange(N), [17, 30])
    (part,) = Neighbours(count).help([30, 17], problem(model()), [linear(good[:9]), linear(good[9:])]).parts
    np.testing.assert_array_equal(part.rows, [17, 30])
    np.testing.assert_allclose(part.observables["Stress"], 3.0 * np.array([17.0, 30.0]) - 1.0, rtol=1e-14)


def test_neighbours_of_a_smooth_field_are_of_second_order():
    """The mean of f(x - h) and f(x + h) is f(x) + h^2 f''(x) / 2 + O(h^4)."""
    errors = []
    for h in (0.1, 0.05):
        points = np.stack([h * (np.arange(N) - 20), np.zeros(N)], axis=1)
        case = Problem(model(), {"m": np.zeros(N)}, {}, DT, points, Rows(N))
        good = np.delete(np.arange(N), 20)
        part = Part(good, {}, {"Stress": np.exp(points[good, 0])})
        (found,) = Neighbours(2).help([20], case, [part]).parts
        errors.append(found.observables["Stress"][0] - 1.0)
    assert errors[0] == pytest.approx(0.1**2 / 2, rel=0.01)
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)


def test_neighbours_at_a_border_are_of_first_order():
    """The mean of f(h) and f(2 h) is f(0) + 3/2 h f'(0) + O(h^2)."""
    errors = []
    for h in (0.01, 0.005):
        points = np.stack([h * np.arange(N), np.zeros(N)], axis=1)
        good = np.arange(1, N)
        part = Part(good, {}, {"Stress": np.exp(points[good, 0])})
        case = Problem(model(), {"m": np.zeros(N)}, {}, DT, points, Rows(N))
        (found,) = Neighbours(2).help([0], case, [part]).parts
        errors.append(found.observables["Stress"][0] - 1.0)
    assert errors[0] == pytest.approx(1.5 * 0.01, rel=0.02)
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.02)


def test_neighbours_that_are_fewer_or_none():
    (part,) = Neighbours(4).help([0], problem(model()), [linear(np.array([1, 3]))]).parts
    assert part.observables["Stress"][0] == pytest.approx(3.0 * 2.0 - 1.0)
    found = Neighbours(4).help([0], problem(model()), [])
    assert found.failed[0].what == "there is no neighbour that did not fail"


def test_policies_are_built_in_order(monkeypatch):
    given = [
        {"retry": {"halvings": 2}},
        {"model": {"run": "fragile", "model": "Steady", "settings": {"how": "nan"}}},
        {"neighbours": {"count": 3}},
        {"stop": {}},
    ]
    retry, other, neighbours = build(given, model(), 7, lambda one: one)
    assert (retry, neighbours) == (Retry(2), Neighbours(3))
    assert (type(other.model), other.model.settings.how, other.model.seed) == (Steady, "nan", 7)
    given[1]["model"]["model"] = "Nobody"
    with pytest.raises(CouplingError, match="on-failure: model: 'fragile' has no class 'Nobody'"):
        build(given, model(), 7, lambda one: one)
    monkeypatch.setattr(fragile.Steady, "observables", {"Heat": Fragile.observables["Stress"]})
    given[1]["model"]["model"] = "Steady"
    with pytest.raises(CouplingError, match="the observables of 'fragile' are Heat, which does not fit those that"):
        build(given, model(), 7, lambda one: one)


# Together ---------------------------------------------------------------------------------------------------------


def test_the_run_stops_where_nothing_stands_in(tmp_path):
    one, state = guarded(tmp_path, model("raise", (17.0, 30.0)))
    with pytest.raises(MicroFailure) as error:
        one.solve(state, CONTROLS, DT)
    first, *more = str(error.value).splitlines()
    path = tmp_path / "capsules/window-000005-iteration-2-row-17.npz"
    assert first.startswith(
        "Micro: 2 of 41 micro simulations failed, the first is row 17 at (17, 0), time 1 s (dt 0.25 s), window 5, "
        f"iteration 2: ArithmeticError: no root. Solve it alone with: scalebridge replay {path} --module fragile"
    )
    assert more[0].startswith("  row 30: ArithmeticError: no root; kept: ")
    assert more[1] == "  Traceback (most recent call last):"
    assert more[-1] == "  ArithmeticError: no root"
    assert len(list(tmp_path.glob("capsules/*"))) == 2


def test_all_that_was_tried_is_told(tmp_path):
    one, state = guarded(tmp_path, model("raise"), Retry(2), OtherModel(Steady(Settings(how="raise"), 0)))
    with pytest.raises(MicroFailure) as error:
        one.solve(state, CONTROLS, DT)
    assert "\n  nothing stood in for row 17: retry: ArithmeticError: no root\n" in str(error.value)
    assert "\n  nothing stood in for row 17: model: ArithmeticError: this one neither\n" in str(error.value)


def test_a_handful_of_many_is_kept_and_searched_for(tmp_path):
    broken = model("raise", range(200))
    points = np.stack([np.arange(200.0), np.zeros(200)], axis=1)
    controls = {"Strain": np.ones(200)}
    program = Program("test", "Micro", "fragile", "Fragile", {}, 0)
    one = Guarded(broken, points, Rows(200), [], Capsules(tmp_path, program))
    state = one.start(points, controls)
    one.at(Place("solve", 0.0, DT, 1, 1, 0))
    with pytest.raises(MicroFailure, match=f"^Micro: at least {SEARCHED} of 200 micro simulations failed, the"):
        one.solve(state, controls, DT)
    assert len(list(tmp_path.glob("capsules/*"))) == MOST
    assert sum(broken.calls) < 4 * 200


def test_a_row_that_is_named_is_explained_by_itself(tmp_path):
    """A message about a batch may be about another row."""
    broken = model("name", (17.0, 30.0))
    one, state = guarded(tmp_path, broken)

    def solve(state, controls, dt, solve=broken.solve):
        if len(state["m"]) == 1:
            raise ArithmeticError(f"no root at {state['place']['x'][0]:g}")
        return solve(state, controls, dt)

    broken.solve = solve
    with pytest.raises(MicroFailure, match=r"row 17 .* no root at 17") as error:
        one.solve(state, CONTROLS, DT)
    assert "row 30: ArithmeticError: no root at 30" in str(error.value)


def test_a_row_that_is_named_but_goes_well_alone(tmp_path):
    broken = model("name")
    one, state = guarded(tmp_path, broken)

    def solve(state, controls, dt, solve=broken.solve):
        broken.settings = Settings(how="never") if len(state["m"]) == 1 else broken.settings
        return solve(state, controls, dt)

    broken.solve = solve
    with pytest.raises(MicroFailure, match=r"MicroError: no root \(in the batch; alone it does not fail\)"):
        one.solve(state, CONTROLS, DT)


def test_rows_that_fail_together_are_kept_together(tmp_path):
    one, state = guarded(tmp_path, model("together", (16.0, 17.0)))
    told = (
        r"row \d+ at .*: MemoryError, but none of them fails alone: the model does not treat them independently, or "
        r"memory was short. Solve them with: scalebridge replay .*\.npz"
    )
    with pytest.raises(MicroFailure, match=told):
        one.solve(state, CONTROLS, DT)
    assert len(list(tmp_path.glob("capsules/*"))) == 1


def test_a_row_that_cannot_start_stops_the_run_whatever_the_case_says(tmp_path):
    with pytest.raises(MicroFailure, match=r"1 of 41 .* row 17 at \(17, 0\), at the start: ArithmeticError: no root"):
        guarded(tmp_path, model("start"), Neighbours(4))
    assert [p.name for p in tmp_path.glob("capsules/*")] == ["start-row-17.npz"]


def test_policies_are_tried_in_order_and_counted(tmp_path, capsys):
    """Row 3 needs smaller steps, row 17 a neighbour; window 5 has two iterations, the last without a failure of 17."""
    broken = model("stiff", (3.0, 17.0), stiff=50.0)
    one, state = guarded(tmp_path, broken, Retry(4), Neighbours(2))
    one.solve(state, CONTROLS, DT)
    told = capsys.readouterr().out
    assert "2 of 41 micro simulations failed, the first is row 3" in told
    assert "MicroError: no convergence; 2 solved with smaller steps" in told
    assert told.count("  kept: ") == 2
    one.policies = (Retry(1), Neighbours(2))
    after, seen = one.solve(state, CONTROLS, DT)
    assert capsys.readouterr().out == ""  # once for a window
    np.testing.assert_array_equal(after["m"][[3, 17]], state["m"][[3, 17]])
    assert seen["Stress"][3] == pytest.approx((seen["Stress"][2] + seen["Stress"][4]) / 2)
    one.at(Place("solve", 1.0, DT, 5, 3, 0))
    broken.settings = Settings(how="stiff", where=(3.0,), stiff=50.0)
    one.policies = (Retry(4), Neighbours(2))
    one.solve(state, CONTROLS, DT)
    assert one.tally.complete()
    account = one.tally.account(one.capsules.names(one.ranks), "")
    assert vars(account.failed) == {"rows": 2, "windows": 1, "times": 2, "final": 1}
    assert vars(account.used["retry"]) == {"rows": 2, "windows": 1, "times": 2, "final": 1}
    assert vars(account.used["neighbours"]) == {"rows": 2, "windows": 1, "times": 2, "final": 0}
    assert len(account.capsules) == 2
    assert not one.tally.complete()


def test_only_rows_that_the_model_has_solved_are_audited(tmp_path):
    one, state = guarded(tmp_path, model("raise"), Neighbours(2))
    after, _ = one.solve(state, CONTROLS, DT)
    assert not one.model.audit(state, after)[0].passed
    assert one.audit(state, after)[0].passed
    one.tally.complete()
    one, state = guarded(tmp_path, model("stiff"), Retry(4))
    after, _ = one.solve(state, CONTROLS, DT)
    assert one.audit(state, after)[0].passed


def test_a_row_has_one_capsule_and_a_run_a_handful(tmp_path):
    one, state = guarded(tmp_path, model("raise", range(3)), Neighbours(2))
    for window, where in enumerate(((0.0, 1.0), (0.0, 2.0), tuple(float(x) for x in range(30)))):
        one.at(Place("solve", 0.0, DT, window + 1, 1, 0))
        one.model.settings = Settings(how="raise", where=where)
        one.solve(state, CONTROLS, DT)
    assert sorted(p.name[7:13] + p.name[-7:-4] for p in tmp_path.glob("capsules/*")) == [
        "000001w-0", "000001w-1", "000002w-2", "000003w-3", "000003w-4",
    ]  # fmt: skip


def test_a_capsule_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "capsules").write_text("in the way")
    one, state = guarded(tmp_path, model("raise"))
    with pytest.raises(MicroFailure, match=r"no root. \(no capsule could be written: .*"):
        one.solve(state, CONTROLS, DT)


def test_settings_of_the_toy_are_settings():
    assert typed.build(Settings, {"how": "nan"}).how == "nan"
    assert Attempt().parts == []
