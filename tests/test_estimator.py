"""What is known of errors: from a sample, from rows nearby, and from the slope of a monotone response."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adapters import seeds
from adapters.strategies import estimator, lots
from adapters.strategies.estimator import NONE, UNKNOWN, Measured, factor, monotonicity, neighbours, stability


def column(values):
    return np.asarray(values, dtype=float)[:, None]


def test_a_statement_that_is_always_wrong_by_the_same_factor_is_put_right():
    stated = np.random.default_rng(0).exponential(size=50)
    assert factor(column(3.0 * stated), column(stated), 0.95) == pytest.approx(3.0, rel=1e-12)
    assert factor(column(stated), column(stated), 0.95) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_sum_of_errors_is_below_what_is_said_of_it_as_often_as_the_level_says(level):
    """A sample of 40 rows and a rest of 400, 4,000 times; errors are exponential, on average twice what is said."""
    random, kept = np.random.default_rng(1), 0
    for _ in range(4000):
        stated = random.uniform(0.5, 1.5, 440)
        errors = 2.0 * stated * random.exponential(size=440)
        found = factor(column(errors[:40]), column(stated[:40]), level)
        kept += errors[40:].sum() <= found * stated[40:].sum()
    assert (
        level - 0.02 < kept / 4000 < level + 0.09
    )  # on the safe side: one row more than there is, as bad as the worst


def test_nothing_seen_to_be_wrong_is_no_proof():
    stated = np.ones((19, 1))
    assert factor(np.zeros((19, 1)), stated, 0.95) > 1 / 20
    assert factor(np.zeros((0, 1)), np.zeros((0, 1)), 0.95) == 1.0
    assert factor(np.full((3, 2), NONE), np.zeros((3, 2)), 0.95) == 1.0


def test_one_row_may_be_wrong_by_as_much_again():
    assert factor(column([2.0]), column([1.0]), 0.5) == pytest.approx(2.0)
    assert factor(column([2.0]), column([1.0]), 0.95) == pytest.approx(2.0)  # with itself once more there is no scatter


def test_the_newest_windows_count_and_the_last_one_by_itself():
    errors = np.full((25, 3), NONE)
    stated = np.zeros((25, 3))
    errors[:, 1], stated[:, 1] = 1.0, 1.0  # enough of them
    errors[:, 2], stated[:, 2] = 100.0, 1.0  # long ago
    assert factor(errors, stated, 0.95) == pytest.approx(1.0)
    errors[:2, 0], stated[:2, 0] = 7.0, 1.0  # something new
    assert factor(errors, stated, 0.95) == pytest.approx(7.0)


def test_errors_nearby_foretell_an_error_but_not_its_own():
    features = np.array([[0.0], [1.0], [2.0], [3.0], [10.0], [11.0], [12.0]])
    known = np.array([0, 1, 2, 3, 5])
    errors = column([5.0, 1.0, 2.0, 1.0, 9.0])
    found = neighbours(features, known, features[known], errors)[:, 0]
    np.testing.assert_array_equal(found[[0, 5]], [9.0, 5.0])  # each knows the four others
    np.testing.assert_array_equal(found[4], 9.0)
    np.testing.assert_array_equal(neighbours(features, known[:1], features[:1], errors[:1]), np.full((7, 1), UNKNOWN))


def test_of_many_only_the_nearest_foretell():
    features = np.arange(20.0)[:, None]
    known = np.arange(10)
    found = neighbours(features, known, features[:10], column(np.arange(10.0)))[:, 0]
    np.testing.assert_array_equal(found[[0, 9, 19]], [4.0, 8.0, 9.0])
    found = neighbours(features, known, features[:10], column(np.arange(10.0)[::-1]))[:, 0]
    np.testing.assert_array_equal(found[[0, 9, 19]], [8.0, 4.0, 3.0])


def test_the_scales_of_features_do_not_matter():
    random = np.random.default_rng(2)
    features, known = random.standard_normal((30, 3)), np.arange(15)
    errors = column(random.exponential(size=15))
    first = neighbours(features, known, features[:15], errors)
    stretched = features * [1.0, 1e9, 1e-9]
    np.testing.assert_array_equal(neighbours(stretched, known, stretched[:15], errors), first)
    still = np.concatenate([features, np.full((30, 1), 273.15)], axis=1)
    np.testing.assert_array_equal(neighbours(still, known, still[:15], errors), first)


@pytest.mark.parametrize(("rows", "skew", "least"), [(5, 0, 0.88), (20, 0, 0.93), (5, 1, 0.79), (80, 1, 0.93)])
def test_a_measured_total_lies_in_its_interval(rows, skew, least):
    """The rest has 1,000 rows. Of few rows, with skew errors, the 95 % are 80: who is worst is seldom seen."""
    random, inside, totals = np.random.default_rng(rows), 0, []
    for _ in range(1500):
        stated = random.exponential(size=1000)
        errors = stated * (random.exponential(size=1000) if skew else np.abs(1 + 0.4 * random.standard_normal(1000)))
        sample = random.choice(1000, rows, replace=False)
        found = Measured.of(errors[sample], stated[sample], float(stated.sum()))
        inside += abs(found.value - errors.sum()) <= found.half
        totals.append(found.value / errors.sum())
    assert inside / 1500 > least
    assert np.mean(totals) == pytest.approx(1.0, abs=0.05)


def test_a_measured_total_of_little():
    assert Measured.of(np.array([2.0]), np.array([1.0]), 10.0) == Measured(20.0, math.inf, 1)
    assert Measured.of(np.zeros(0), np.zeros(0), 0.0) == Measured(0.0, math.inf, 0)
    nothing = Measured.of(np.zeros(9), np.ones(9), 100.0)
    assert nothing.value == 0.0
    assert nothing.half > 10.0  # what was not seen in nine may be there in a tenth
    assert Measured(6.0, 3.0, 4).over(3.0) == Measured(2.0, 1.0, 4)


# The stability of a monotone response --------------------------------------------------------------------------------


def test_the_least_slope_of_a_response_is_measured():
    before, after = np.zeros((3, 2)), np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    C = np.array([[3.0, 1.0], [1.0, 2.0]])
    found = monotonicity(before, after, before @ C, after @ C)
    np.testing.assert_allclose(found, [3.0, 2.0, UNKNOWN])
    random = np.random.default_rng(3)
    steps = random.standard_normal((500, 2))
    least = np.linalg.eigvalsh(C)[0]
    assert least <= monotonicity(0 * steps, steps, 0 * steps, steps @ C).min() < 1.05 * least


def bar(stress, weights, load, steps=80):
    """Return the strains (n,) that are in balance: sum w (stress - load) d = 0 for all d with sum w d = 0."""
    strain, slope = np.zeros(len(weights)), np.full(len(weights), 4.0)
    for _ in range(2000):  # a contraction: all slopes lie between 1 and 4
        residual = stress(strain) - load
        residual -= (weights * residual).sum()  # a bar that is held at both ends
        strain = strain - residual / slope
        strain -= (weights * strain).sum() - 0.3
    return strain


@pytest.mark.parametrize("seed", range(10))
def test_the_error_of_what_drives_is_below_its_bound(seed):
    """A bar of springs that harden, held at both ends, and a cheap law for them: |eps - eps_s| <= 1/m |sigma - sigma_s|
    at eps_s, with m = 1, the least slope of the full law. Effectivity: below the ratio of the largest slope to m."""
    random = np.random.default_rng(seed)
    n = 24
    weights, load = random.dirichlet(np.full(n, 5.0)), random.standard_normal(n)

    def full(strain):
        return strain + np.tanh(strain) * 2.0

    def cheap(strain):
        return 2.1 * strain

    exact, found = bar(full, weights, load), bar(cheap, weights, load)
    error = math.sqrt(np.sum(weights * (exact - found) ** 2))
    bound = stability(weights, full(found) - cheap(found), 1.0)
    assert error > 1e-3
    assert error <= bound
    assert bound / error < 3.5
    assert stability(weights, full(found), 0.0) == math.inf


# Lots ---------------------------------------------------------------------------------------------------------------


def test_lots_are_even_and_independent_of_the_batch():
    points = np.random.default_rng(4).uniform(size=(4000, 3))
    key = lots.keys(points, 7)
    first, second = lots.draw(key, 0), lots.draw(key, 1)
    assert first.min() >= 0
    assert first.max() < 1
    counts, _ = np.histogram(first, 20, (0, 1))
    assert ((counts - 200) ** 2 / 200).sum() < 40  # chi squared with 19 degrees of freedom: 1 in 300
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    np.testing.assert_array_equal(lots.draw(lots.keys(points[100:110], 7), 0), first[100:110])
    assert (lots.draw(lots.keys(points, 8), 0) != first).all()


def test_splitmix_gives_its_published_numbers():
    """The first outputs of the reference implementation for the seed 1234567, as in Rosetta Code, "SplitMix64"."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    key = np.array([1234567], dtype=np.uint64)
    for number, value in enumerate(expected):
        assert lots.draw(key, number)[0] == (value >> 11) * 2.0**-53


def test_a_sample_has_its_share_and_a_few_at_least():
    draws = np.random.default_rng(5).uniform(size=1000)
    chosen = lots.sample(draws, 0.02)
    assert chosen.sum() == 20
    assert draws[chosen].max() < draws[~chosen].min()
    assert lots.sample(draws[:10], 0.02).sum() == lots.LEAST
    assert lots.sample(draws[:2], 0.02).sum() == 2
    assert lots.sample(draws, 0.0).sum() == 0
    assert seeds.keys(np.zeros((0, 2)), 1).shape == (0, 2)
    assert estimator.NONE < 0


def test_rows_are_drawn_by_what_is_expected_of_them():
    expected = np.zeros(1000)
    expected[:20] = np.linspace(1, 2, 20)
    p = lots.inclusion(expected, 0.02)
    assert p.sum() == pytest.approx(20)
    np.testing.assert_allclose(p[20:], lots.EVENLY * 0.02)  # nobody is left out
    np.testing.assert_allclose(p[:20] - p[20], 20 * (1 - lots.EVENLY) * expected[:20] / expected.sum())
    np.testing.assert_allclose(lots.inclusion(np.zeros(1000), 0.02), 0.02)
    assert not lots.inclusion(expected, 0.0).any()


def test_no_row_is_drawn_more_than_surely():
    """What is more than sure goes to the others, so that the number stays."""
    p = lots.inclusion(np.array([100.0, 10.0, *[0.1] * 98]), 0.1)
    assert (p <= 1).all()
    assert p[0] == 1.0
    assert p.sum() == pytest.approx(10)
    np.testing.assert_array_equal(lots.inclusion(np.array([1.0, 0.0]), 0.02), [1.0, 1.0])
