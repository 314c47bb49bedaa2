"""Rows that other ranks solve: what they cost, where they go, and that nobody can tell."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from laws import Cubes, Cubic

from adapters.micro import arrays, take
from adapters.ranks import Rows
from adapters.strategies import registry
from adapters.strategies.distributed import Distributed, DistributedSettings
from adapters.strategies.protocol import Context
from adapters.strategies.spreading import costs
from adapters.strategies.spreading.layout import Layout
from adapters.strategies.spreading.placing import Placing, loads, place
from adapters.strategies.stack import Stack
from adapters.wiring import CouplingError

N = 24
X = np.arange(N) / N
POINTS = np.stack([X, np.zeros(N)], axis=1)


# What rows cost -------------------------------------------------------------------------------------------------------


def test_the_seconds_of_a_batch_are_shared_in_proportion_to_what_was_expected_and_some_evenly():
    found = costs.shared(np.array([3.0, 1.0]), 8.0)
    np.testing.assert_allclose(found, [0.9 * 6 + 0.4, 0.9 * 2 + 0.4])
    np.testing.assert_allclose(costs.shared(np.zeros(4), 8.0), 2.0)
    assert costs.shared(np.zeros(0), 0.0).shape == (0,)


def test_costs_are_a_moving_mean_that_begins_with_the_first():
    known = np.array([costs.UNKNOWN, 2.0])
    np.testing.assert_allclose(costs.mean(known, np.array([5.0, 4.0]), 0.25), [5.0, 2.5])
    np.testing.assert_allclose(costs.filled(known), [2.0, 2.0])
    np.testing.assert_allclose(costs.filled(known, 7.0), [7.0, 2.0])
    np.testing.assert_allclose(costs.filled(np.full(2, costs.UNKNOWN)), 1.0)


# Who solves what ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [2, 3, 16])
@pytest.mark.parametrize("kind", ["heavy", "step", "random", "tail"])
def test_no_rank_gets_more_than_the_mean_and_what_cannot_be_divided(ranks, kind):
    """The bound of greedy scheduling (Graham, SIAM J. Appl. Math. 17, 416, 1969), and better on few ranks."""
    n, random = 400, np.random.default_rng(1)
    cost = {
        "heavy": np.where(np.arange(n) < n // 5, 10.0, 1.0),
        "step": np.where(np.arange(n) < n // ranks, 2.8, 1.0),
        "random": random.exponential(size=n),
        "tail": random.pareto(1.2, size=n),
    }[kind]
    home = np.arange(n) * ranks // n
    where = place(cost, home, ranks)
    before, after = loads(cost, home, ranks), loads(cost, where, ranks)
    assert after.max() <= before.max()
    assert after.max() <= before.mean() + (1 - 1 / ranks) * cost.max()
    if ranks < 16:
        assert after.max() <= max(1.02 * before.mean(), cost.max())
    for rank in range(ranks):  # the costliest of each rank stays
        own = home == rank
        assert cost[own & (where == rank)].max() == cost[own].max()


def test_rows_of_equal_cost_leave_from_all_over_the_rank():
    home = np.repeat([0, 1], 100)
    where = place(np.where(home == 0, 3.0, 1.0), home, 2)
    gone = np.flatnonzero(where != home)
    assert len(gone) == pytest.approx(100 / 3, abs=1)
    assert np.diff(gone).max() <= 5


def test_the_costliest_rows_travel_and_those_that_are_not_worth_it_stay():
    cost, home = np.array([9.0, 1, 1, 1, 6, 1, 1, 1]), np.repeat([0, 1], [7, 1])
    where = place(cost, home, 2)
    assert where[[0, 4]].tolist() == [0, 1]
    assert sorted(loads(cost, where, 2)) == [10, 11]
    assert np.flatnonzero(place(cost, home, 2, least=1.0) != home).tolist() == [4]
    assert (place(cost, home, 2, least=6.0) == home).all()


def test_a_rank_without_rows_gets_some():
    home = np.zeros(7, dtype=np.int64)
    where = place(np.ones(7), home, 3)
    assert np.bincount(where).tolist() == [3, 2, 2]
    placing = Placing(np.ones(7), home, where, 3)
    assert (placing.moved, placing.busiest) == (4, 4)
    assert (place(np.zeros(7), home, 3) == home).all()


# Rows as bytes --------------------------------------------------------------------------------------------------------


def test_rows_are_bytes_and_arrays_again():
    tree = {
        "a": np.arange(4.0),
        "g": {"x/y": np.arange(8).reshape(4, 2) > 3, "empty": {}, "none": np.zeros((4, 0))},
        "i": np.arange(12, dtype=np.int8).reshape(4, 3, 1)[:, ::-1],
        "text": np.array(["a", "bb", "c", "d"]),
    }
    layout = Layout.of(tree, 4)
    for rows in ([3, 0, 0], []):
        chosen = np.array(rows, dtype=np.int64)
        packed = layout.pack(tree, chosen)
        assert packed.shape == (len(rows), 8 + 2 + 3 + 8)
        found = layout.unpack(packed, tree)
        assert found["g"]["empty"] == {}
        for (_, one), (_, other) in zip(arrays(found), arrays(take(tree, chosen)), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_what_is_no_array_of_rows_cannot_travel():
    with pytest.raises(ValueError, match="g/a has 3 rows for 4 micro simulations"):
        Layout.of({"g": {"a": np.zeros(3)}}, 4)
    with pytest.raises(CouplingError, match="g/a holds Python objects, which cannot go to other ranks: remove"):
        Layout.of({"g": {"a": np.array([{}, []], dtype=object)}}, 2)


# Where it may be ------------------------------------------------------------------------------------------------------


def test_on_one_rank_it_is_the_model_itself():
    cube = Cubic(Cubes(), 0)
    made = Stack([{"distributed": {}}], Cubic(Cubes(), 0), Context(rows=Rows(N)))
    controls = {"Strain": X}
    state, truth = made.start(POINTS, controls), cube.start(POINTS, controls)
    (new, seen), (_, expected) = made.solve(state, controls, 0.1), cube.solve(truth, controls, 0.1)
    assert seen["Stress"].tobytes() == expected["Stress"].tobytes()
    assert (new["cost"] == costs.UNKNOWN).all()
    (layer,) = made.report(new).layers
    assert (layer.name, layer.report["ranks"], layer.report["rows that moved"]) == ("distributed", 1, 0)


def test_it_is_innermost_and_alone_or_beneath_strategies_that_ask_together(monkeypatch):
    monkeypatch.setitem(registry.STRATEGIES, "sparing", "sparing:Sparing")
    law = Cubic(Cubes(), 0)
    with pytest.raises(CouplingError, match=r"so clustered cannot be within it: \[clustered, distributed\]"):
        Stack([{"distributed": {}}, {"clustered": {}}], law, Context())
    with pytest.raises(CouplingError, match="asks on one rank while the others do something else; expected it alone"):
        Stack([{"clustered": {}}, {"sparing": {}}, {"distributed": {}}], law, Context())
    made = Stack([{"concurrent": {}}, {"clustered": {}}, {"distributed": {}}], law, Context())
    assert isinstance(made.model.model, Distributed)


class Objects(Cubic):
    """It holds objects."""

    first_row, max_dt = 0, 1.0

    def complete(self, state, window):
        raise AssertionError


def test_objects_stay_where_they_are():
    Distributed(Objects(Cubes(), 0), DistributedSettings(), Context(rows=Rows(3)))
    rows = Rows(3)
    rows.comm = SimpleNamespace(rank=0, size=2)
    with pytest.raises(CouplingError, match="Objects holds one object for each micro simulation, and objects cannot"):
        Distributed(Objects(Cubes(), 0), DistributedSettings(), Context(rows=rows))
