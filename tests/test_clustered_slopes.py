"""Copies that are corrected by slopes: these are the derivatives of what is shown, so Newton's method stays one."""

from __future__ import annotations

import numpy as np
import pytest
from test_clustered import ALWAYS

from adapters.strategies.clusters import holding
from adapters.strategies.clusters.holding import Hold
from adapters.strategies.clusters.plan import Plan
from adapters.strategies.protocol import Context
from adapters.strategies.stack import Stack
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError

N = 60
X = np.linspace(0.0, 1.0, N)
POINTS = np.stack([X, 0.0 * X], axis=1)
SLOPES = {"slopes": ["Tangent = Stress / Strain"]}


class Spring:
    """stress = e + 8 e^3 [Pa] with its tangent [kPa] and its energy; counts what it solves."""

    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {"Stress": Field("Pa"), "Tangent": Field("kPa"), "Energy": Field("J/m^3")}  # noqa: RUF012

    def __init__(self):
        self.solved = 0

    def start(self, points, controls):
        return {"e": 1.0 * controls["Strain"]}

    def solve(self, state, controls, dt):
        e = np.asarray(controls["Strain"]) if dt > 0 else state["e"]
        self.solved += len(e) if dt > 0 else 0
        seen = {"Stress": e + 8 * e**3, "Tangent": 1e-3 * (1 + 24 * e**2), "Energy": e**2 / 2 + 2 * e**4}
        return {"e": e}, seen


class Solid:
    """Stress = (1 + 50 E : E) C : E in the plane, with its tangent dStress/dE."""

    controls = {"Strain": Field("1", rank=2)}  # noqa: RUF012
    observables = {"Stress": Field("Pa", rank=2), "Tangent": Field("Pa", rank=4)}  # noqa: RUF012

    def start(self, points, controls):
        return {"E": 1.0 * controls["Strain"]}

    def solve(self, state, controls, dt):
        E = np.asarray(controls["Strain"]) if dt > 0 else state["E"]
        one = np.eye(2)
        same = 0.5 * (np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one))
        C = np.einsum("ij,kl->ijkl", one, one) + 2 * same
        linear, size = np.einsum("ijkl,nkl->nij", C, E), np.einsum("nij,nij->n", E, E)
        tangent = (1 + 50 * size)[:, None, None, None, None] * C + 100 * np.einsum("nij,nkl->nijkl", linear, E)
        tangent = 0.5 * (tangent + tangent.transpose(0, 3, 4, 1, 2))  # as it is sent; not needed where E is parallel
        return {"E": E}, {"Stress": (1 + 50 * size)[:, None, None] * linear, "Tangent": tangent}


class Bar:
    """One-dimensional plasticity: modulus 1, yield stress 1, hardening 0.1; backward Euler is exact, path and all."""

    controls = {"Strain": Field("1")}  # noqa: RUF012
    observables = {  # noqa: RUF012
        "Stress": Field("Pa"),
        "Tangent": Field("Pa"),
        "Stored": Field("J/m^3"),
        "Dissipated": Field("J/m^3"),
    }

    def __init__(self):
        self.solved = 0

    def start(self, points, controls):
        return {name: np.zeros(len(points)) for name in ("e", "p", "a")}

    def solve(self, state, controls, dt):
        e = np.asarray(controls["Strain"]) if dt > 0 else state["e"]
        self.solved += len(e) if dt > 0 else 0
        trial = e - state["p"]
        excess = np.abs(trial) - 1 - 0.1 * state["a"]
        flow = np.maximum(excess, 0.0) / 1.1
        p, a = state["p"] + flow * np.sign(trial), state["a"] + flow
        seen = {
            "Stress": e - p,
            "Tangent": np.where(excess > 0, 0.1 / 1.1, 1.0),
            "Stored": (e - p) ** 2 / 2 + 0.05 * a**2,
            "Dissipated": a,
        }
        return {"e": e, "p": p, "a": a}, seen


def pulled(t):
    """Strains that grow at a rate of their own at each point."""
    return {"Strain": 0.1 * t * (1 + 0.1 * np.sin(3 * X))}


def stretched(t):
    """The same in the plane, with shear."""
    amount = 0.01 * t * (1 + 0.1 * np.sin(3 * X))
    return {"Strain": amount[:, None, None] * np.array([[1.0, 0.5], [0.5, -0.3]])}


def clustered(model, controls, steps, **settings):
    """Return the stack, and its state planned for the window after so many of 1 s."""
    made = Stack([{"clustered": {**ALWAYS, "correct": "linear", "audit": 0.0, **settings}}], model, Context(seed=3))
    state = made.solve(made.start(POINTS, controls(0)), controls(0), 0.0)[0]
    for t in range(steps):
        state, _ = made.solve(made.plan(state), controls(t + 1), 1.0)
    return made, made.plan(state)


def follows(state):
    return ~Plan.of(state["plan"]).leads


# What is shown and its derivative -------------------------------------------------------------------------------------


@pytest.mark.parametrize("history", ["take-over", "each-window"])
def test_the_slope_of_a_copy_is_the_derivative_of_what_it_shows(history):
    """Its representative does not move with it, so what is shown is linear in its control; and stays one in kPa."""
    made, state = clustered(Spring(), pulled, 3, tolerance=["5 % of range"], history=history, **SLOPES)
    rows = follows(state)
    assert 0.3 * N < rows.sum() < N
    now = pulled(4)["Strain"]
    _, seen = made.solve(state, {"Strain": now}, 1.0)
    _, other = made.solve(state, {"Strain": now + 1e-3 * rows}, 1.0)
    quotient = (other["Stress"] - seen["Stress"])[rows] / 1e-3
    np.testing.assert_allclose(1e3 * seen["Tangent"][rows], quotient, rtol=1e-10)
    np.testing.assert_array_equal(other["Tangent"], seen["Tangent"])
    made, state = clustered(Spring(), pulled, 3, tolerance=["5 % of range"], history=history)
    rows = follows(state)
    _, seen = made.solve(state, {"Strain": now}, 1.0)
    _, other = made.solve(state, {"Strain": now + 1e-3 * rows}, 1.0)
    assert np.abs(1e3 * seen["Tangent"] - (other["Stress"] - seen["Stress"]) / 1e-3)[rows].max() > 1e-2


@pytest.mark.parametrize("history", ["take-over", "each-window"])
def test_a_tangent_of_rank_4_is_the_derivative_of_a_copied_stress(history):
    made, state = clustered(Solid(), stretched, 3, tolerance=["5 % of range"], history=history, **SLOPES)
    rows = follows(state)
    assert rows.sum() > 0.3 * N
    now = stretched(4)["Strain"]
    more = np.random.default_rng(0).standard_normal((N, 2, 2))
    more = 1e-4 * (more + more.transpose(0, 2, 1)) * rows[:, None, None]
    _, seen = made.solve(state, {"Strain": now}, 1.0)
    _, other = made.solve(state, {"Strain": now + more}, 1.0)
    foretold = np.einsum("nijkl,nkl->nij", seen["Tangent"], more)
    np.testing.assert_allclose((other["Stress"] - seen["Stress"])[rows], foretold[rows], atol=1e-14)


def test_a_correction_by_slopes_is_of_second_order():
    """stress'' = 48 e, and a follower is off by half of that times the square of its distance."""
    worst = []
    for tolerance in ("0.02", "0.01"):
        made, state = clustered(Spring(), pulled, 3, data=["Strain"], tolerance=[tolerance], **SLOPES)
        now = pulled(4)["Strain"]
        _, seen = made.solve(state, {"Strain": now}, 1.0)
        away = np.abs(now - now[state["plan"]["leader"]]).max()
        error = np.abs(seen["Stress"] - now - 8 * now**3).max()
        assert 0 < error <= 0.5 * 48 * now.max() * away**2
        worst.append(error)
    assert worst[1] < 0.4 * worst[0]


def test_what_is_not_said_of_other_controls_is_estimated():
    """stress = 3 e + 2 T is linear, and of e alone the slope is known."""

    class Warm(Spring):
        controls = {"Strain": Field("1"), "Temperature": Field("K")}  # noqa: RUF012
        observables = {"Stress": Field("Pa"), "Tangent": Field("Pa")}  # noqa: RUF012

        def solve(self, state, controls, dt):
            e, T = (np.asarray(controls[name]) for name in ("Strain", "Temperature"))
            return {"e": e}, {"Stress": 3 * e + 2 * T, "Tangent": np.full(N if len(e) == N else len(e), 3.0)}

    def warmed(t):
        return {"Strain": t * X, "Temperature": t * (300 + np.cos(9 * X))}

    made, state = clustered(Warm(), warmed, 2, tolerance=["30 % of range"], **SLOPES)
    assert follows(state).sum() > N / 2
    _, seen = made.solve(state, warmed(3), 1.0)
    np.testing.assert_allclose(seen["Stress"], 3 * warmed(3)["Strain"] + 2 * warmed(3)["Temperature"], rtol=1e-12)


# Newton's method ------------------------------------------------------------------------------------------------------


def newton(made, state, load, start, most=30):
    """Find strains under which the stress and a spring beneath all points balance a load; return residuals."""
    strain, found = start.copy(), []
    while len(found) < most and (not found or found[-1] > 1e-12):
        _, seen = made.solve(state, {"Strain": strain}, 1.0)
        off = load - seen["Stress"] - 0.1 * strain.mean()
        found.append(float(np.abs(off).max()))
        matrix = np.diag(seen["Tangent"] * (1e3 if isinstance(made.full.model, Spring) else 1.0)) + 0.1 / N
        strain = strain + np.linalg.solve(matrix, off)
    return np.array(found), strain


@pytest.mark.parametrize("history", ["take-over", "each-window"])
def test_an_iteration_with_slopes_is_newtons_method(history):
    """The load is what the strain of the next window needs; without slopes, it takes three times as long and more."""
    needed = pulled(4)["Strain"]
    load = needed + 8 * needed**3 + 0.1 * needed.mean()
    settings = {"tolerance": ["5 % of range"], "history": history}
    made, state = clustered(Spring(), pulled, 3, **settings, **SLOPES)
    found, strain = newton(made, state, load, pulled(3)["Strain"])
    assert found[-1] <= 1e-12
    assert len(found) <= 9
    np.testing.assert_allclose(strain, needed, atol=0.02 * np.ptp(needed))
    made, state = clustered(Spring(), pulled, 3, **settings)
    without, _ = newton(made, state, load, pulled(3)["Strain"])
    assert len(without) > len(found)


def kinked():
    """Return what is out of balance in iterations for the strain of all bars that carry a load together.

    Bars follow one that is at its yield point under a load that is in the gap by which they jump there.
    """
    made, state = bars(2)
    begun = made.model._begun(state, Plan.of(state["plan"]))
    own, stress = begun.state, begun.seen[:, 0]
    (lead,) = np.flatnonzero(~follows(state))
    apart = 0.02 * (X - X[lead])  # as they are
    shape = 2 * apart
    limit = 1 + 0.1 * own["a"][lead]
    load = (stress - stress[lead] + limit + 0.5 * (1 + 1 / 11) * apart).sum()
    strain, off = own["p"][lead] + limit + 0.01, [np.inf]
    while abs(off[-1]) > 1e-12 * load and len(off) < 400:
        _, seen = made.solve(state, {"Strain": strain + shape}, 1.0)
        off.append(load - seen["Stress"].sum())
        strain += off[-1] / seen["Tangent"].sum()
    return np.abs(off) / load


def test_slopes_are_held_so_that_an_iteration_ends_at_a_kink(monkeypatch):
    """There the slope jumps from 1 to 1/11 with the last digit, and copies that jump with it find no balance."""
    assert kinked()[-1] <= 1e-12
    monkeypatch.setattr(holding, "LAST", 1000)
    assert kinked()[-1] > 1e-3


def test_slopes_are_renewed_until_controls_settle():
    hold, row = Hold(), np.array([3, 7])

    def look(move, slope, rows=slice(None), step=(1, 1)):
        seen = np.array([[slope], [2.0 * slope]])
        return hold(step, row[rows], np.array([[1.0 + move], [2.0]])[rows], seen[rows])[1][0, 0]

    assert look(0.0, 1.0) == 1.0
    assert look(1e-9, 2.0) == 2.0  # the second iteration
    assert look(1e-9, 9.0) == 2.0  # the same again
    assert look(2e-9, 3.0) == 3.0
    assert look(3e-9, 4.0) == 3.0  # the fourth, in which nothing happens
    assert look(0.5, 5.0) == 5.0  # the fifth, in which much does
    assert look(0.6, 6.0, slice(0, 1)) == 6.0  # of a part of the batch, which is not kept
    assert look(0.5, 7.0) == 5.0
    for i in range(holding.LAST):
        last = look(1.0 + i % 2, 10.0 + i)
    assert last < 10.0 + holding.LAST - 1  # it has to end
    assert look(0.0, 8.0, step=(1, 2)) == 8.0
    assert look(0.0, 9.0, step=(2, 1)) == 9.0


# Solved once for each window ------------------------------------------------------------------------------------------


def pulling(t):
    """Strains beyond the yield point 1 and back, at each point of its own size."""
    return {"Strain": min(0.5 * t, 5.0 - 0.5 * t) * (1 + 0.02 * X)}


def bars(steps, controls=pulling, **settings):
    given = {"data": ["Strain"], "tolerance": ["0.05"], "history_param": 0.0, "history": "each-window"}
    return clustered(Bar(), controls, steps, **{**given, **SLOPES, **settings})


def test_own_states_are_exact_and_only_those_of_the_last_window_are_not_made_up_for():
    made, state = bars(7)
    exact = Bar()
    true = exact.start(POINTS, pulling(0))
    shown, errors = {}, []
    made, state = bars(0)
    for t in range(7):
        after, shown = made.solve(state, pulling(t + 1), 1.0)
        true, seen = exact.solve(true, pulling(t + 1), 1.0)
        rows = follows(state)
        if t < 6:
            errors += np.abs(shown["Stress"] - seen["Stress"])[rows].tolist()
        state = made.plan(after)
    assert rows.sum() > N / 2
    assert state["due"].sum() == rows.sum()
    told = made.report(state).layers[0].report
    assert told["copies of Stress that were solved as well"] == len(errors)
    assert told["mean error of copied Stress [Pa]"] == pytest.approx(np.mean(errors))
    assert told["worst error of copied Stress [Pa]"] == pytest.approx(max(errors))
    assert told["95 % interval of it, to either side [Pa]"] == 0.0
    assert max(errors) > 1e-4
    made.solve(state, pulling(8), 1.0)
    after, _ = made.solve(state, pulling(8), 1.0)
    begun = made.model._begun(state, Plan.of(state["plan"]))
    np.testing.assert_array_equal(begun.state["p"], true["p"])
    np.testing.assert_array_equal(begun.seen, np.stack([seen[name] for name in Bar.observables], axis=1))
    assert not after["due"].any()


def test_followers_are_solved_once_however_often_a_window_is_iterated():
    made, state = bars(3)
    followers, before = int(follows(state).sum()), made.full.solved
    for i in range(5):
        made.solve(state, {"Strain": pulling(4)["Strain"] + 1e-3 * i}, 1.0)
    caught = int(state["due"].sum())
    assert caught > 0
    assert made.full.solved - before == caught + 5 * (N - followers)


def test_a_window_that_is_divided_into_steps_makes_up_for_followers_at_its_end():
    made, state = bars(2)
    before, behind = made.full.solved, int(state["due"].sum())
    for part in (0.25, 0.5, 0.75, 1.0):
        state, _ = made.solve(state, {"Strain": pulling(2 + part)["Strain"]}, 0.25)
    followers = int(follows(state).sum())
    assert followers > 0
    assert made.full.solved - before == 4 * (N - followers) + behind
    state = made.plan(state)
    made.solve(state, pulling(4), 1.0)
    exact = Bar()
    true = exact.start(POINTS, pulling(0))
    for part in (1, 2, 2.25, 2.5, 2.75, 3):
        true, _ = exact.solve(true, pulling(part), 1.0)
    np.testing.assert_allclose(made.model._begun(state, Plan.of(state["plan"])).state["p"], true["p"], rtol=1e-14)


def test_copies_of_a_change_are_exact_where_plastic_bars_unload():
    """What they have been through differs, and all are elastic: so is what changes. Values would be off by as much."""
    for history, expected in (("each-window", 1e-14), ("take-over", 1e-3)):
        made, state = bars(7, history=history)  # unloading since the end of the fifth
        assert follows(state).sum() > N / 2
        exact = Bar()
        true = exact.start(POINTS, pulling(0))
        for t in range(8):
            true, seen = exact.solve(true, pulling(t + 1), 1.0)
        _, shown = made.solve(state, pulling(8), 1.0)
        away = np.abs(shown["Stress"] - seen["Stress"]).max()
        assert (away < expected) if history == "each-window" else (away > expected), away


def test_energies_share_the_work():
    """Elastic energies are of second order, and stored and dissipated energy add up to the work."""
    made, state = bars(1, tolerance=["0.2"])
    _, shown = made.solve(state, pulling(1.5), 1.0)
    rows = follows(state)
    assert rows.sum() > N / 2
    np.testing.assert_allclose(shown["Stored"], pulling(1.5)["Strain"] ** 2 / 2, rtol=1e-12)
    np.testing.assert_allclose(shown["Dissipated"], 0.0, atol=1e-14)


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"slopes": ["Tangent"]}, "slopes: 'Tangent' declares no slope; expected 'NAME = NAME / CONTROL'"),
        ({"slopes": ["Tangant = Stress / Strain"]}, "slopes: 'Tangant' is no observable. Did you mean 'Tangent'?"),
        ({"slopes": ["Tangent = Stress / Load"]}, "slopes: 'Load' is no control; expected one of Strain"),
        ({"slopes": ["Tangent = Area / Strain"]}, "slopes: Tangent: '1'"),
        ({**SLOPES, "correct": "none"}, "slopes: copies are corrected by them, which correct: none forbids"),
        (
            {"slopes": ["Stress = Energy / Strain", "Tangent = Stress / Strain"]},
            "slopes: Stress is one, so it has none itself",
        ),
    ],
)
def test_slopes_that_cannot_be_used(given, message):
    class Named(Spring):
        observables = {**Spring.observables, "Area": Field("1")}  # noqa: RUF012

    with pytest.raises(ConfigurationError) as caught:
        Stack([{"clustered": given}], Named(), Context())
    assert message in str(caught.value)


def test_slopes_are_not_compared_unless_they_are_named():
    made = Stack([{"clustered": SLOPES}], Spring(), Context())
    assert list(made.model.tolerances) == ["Strain", "Stress", "Energy"]
    made = Stack([{"clustered": {**SLOPES, "data": ["Strain", "Tangent"]}}], Spring(), Context())
    assert list(made.model.tolerances) == ["Strain", "Tangent"]
