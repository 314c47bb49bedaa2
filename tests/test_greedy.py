"""The choice of rows that are solved in full: against every possible choice, and where there is nothing to choose."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.strategies import greedy


def best(gains, costs, tolerance):
    """Return the least cost of all 2^n choices."""
    n = len(gains)
    choices = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    allowed = (1 - choices) @ gains <= tolerance
    return float((choices @ costs)[allowed].min())


@pytest.mark.parametrize("seed", range(40))
def test_a_choice_of_twelve_costs_at_most_one_item_more_than_the_best(seed):
    random = np.random.default_rng(seed)
    gains, costs = random.exponential(size=12), random.uniform(0.5, 3.0, 12)
    tolerance = random.uniform(0.0, 0.8) * gains.sum()
    chosen = greedy.choose(gains, costs, tolerance)
    assert gains[~chosen].sum() <= tolerance * (1 + 1e-14)
    gap = float(costs[chosen].sum()) - best(gains, costs, tolerance)
    assert gap + 1e-12 >= 0.0
    assert gap <= costs.max()


def test_the_gap_is_mostly_much_smaller():
    random, gaps = np.random.default_rng(1), []
    for _ in range(60):
        gains, costs = random.exponential(size=12), random.uniform(0.5, 3.0, 12)
        tolerance = 0.2 * gains.sum()
        chosen = greedy.choose(gains, costs, tolerance)
        gaps.append(float(costs[chosen].sum()) / best(gains, costs, tolerance) - 1)
    assert np.mean(gaps) < 0.03


def test_of_equal_cost_the_worst_are_chosen_and_no_more_than_needed():
    gains = np.array([0.1, 0.4, 0.2, 0.3])
    np.testing.assert_array_equal(greedy.choose(gains, np.ones(4), 0.31), [False, True, False, True])
    np.testing.assert_array_equal(greedy.choose(gains, np.ones(4), 1.0 + 1e-12), [False] * 4)
    np.testing.assert_array_equal(greedy.choose(gains, np.ones(4), 0.0), [True] * 4)


def test_cost_counts():
    gains, costs = np.array([1.0, 0.9]), np.array([10.0, 1.0])
    np.testing.assert_array_equal(greedy.choose(gains, costs, 1.0), [False, True])


def test_a_dear_row_is_given_back_where_the_last_one_leaves_room_for_it():
    gains, costs = np.array([1.0, 10.0, 30.0]), np.array([1.0, 11.0, 40.0])  # in the order of g / c: 0, 1, 2
    chosen = greedy.choose(gains, costs, 31.0)
    np.testing.assert_array_equal(chosen, [False, True, False])  # not 0 and 1: without 1 there is room for 0


def test_what_is_forced_or_unknown_is_chosen_first():
    gains = np.array([np.inf, 0.4, 0.2, 0.3])
    chosen = greedy.choose(gains, np.ones(4), 0.4, forced=np.array([False, False, True, False]))
    np.testing.assert_array_equal(chosen, [True, True, True, False])
    np.testing.assert_array_equal(greedy.choose(np.zeros(0), np.zeros(0), 0.1), np.zeros(0, bool))


def test_equal_rows_are_told_apart_by_their_number():
    chosen = greedy.choose(np.ones(6), np.ones(6), 3.0)
    np.testing.assert_array_equal(chosen, [True] * 3 + [False] * 3)
