"""The least-squares problems of quasi-Newton methods: their factorisations, against NumPy's, through all updates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge.embedded.acceleration.columns import ColumnSpace, ColumnStack, CompactLeastSquares
from scalebridge.embedded.acceleration.qr import factorise
from scalebridge.embedded.acceleration.settings import FILTERS, FilterConfig
from scalebridge.embedded.acceleration.stepwise import StepwiseLeastSquares, UpdatedQR, packed_sum, paired_sum
from scalebridge.embedded.acceleration.truncated_svd import TruncatedSVD

KINDS = [StepwiseLeastSquares, CompactLeastSquares]
NO_FILTER = FilterConfig("QR2", 0.0)
ONES = np.ones(2)


def split(vector, lengths):
    return np.split(vector, np.cumsum(lengths)[:-1])


@given(st.integers(0, 10**6), st.lists(st.sampled_from(["push", "push", "push", "drop"]), max_size=40))
def test_a_stack_of_columns_is_a_list_of_columns(seed, moves):
    rng = np.random.default_rng(seed)
    stack, columns = ColumnStack(7), []
    for move in moves:
        if move == "push":
            columns.insert(0, rng.standard_normal(7))
            stack.push_front(columns[0])
        elif columns:
            index = int(rng.integers(len(columns)))
            columns.pop(index)
            stack.remove(index)
        c, v = rng.standard_normal(len(columns)), rng.standard_normal(7)
        matrix = np.array(columns).reshape(-1, 7)
        np.testing.assert_array_equal(stack.matrix().T, matrix)
        np.testing.assert_allclose(stack.combine(c), c @ matrix, atol=1e-12)
        np.testing.assert_allclose(stack.project(v), matrix @ v, atol=1e-12)


def test_long_columns_are_combined_and_rotated_in_pieces():
    rng = np.random.default_rng(0)
    stack = ColumnStack(150_000)
    columns = rng.standard_normal((20, 150_000))
    for column in columns[::-1]:
        stack.push_front(column)
    stack.remove(3)
    columns = np.delete(columns, 3, axis=0)
    c = rng.standard_normal(19)
    np.testing.assert_allclose(stack.combine(c), c @ columns, atol=1e-11)
    rotation = rng.standard_normal((19, 4))
    stack.rotate(rotation)
    np.testing.assert_allclose(stack.matrix(), columns.T @ rotation, atol=1e-10)


@given(st.integers(0, 10**6), st.lists(st.sampled_from(["push", "push", "copy", "drop"]), max_size=60))
@settings(deadline=None)
def test_a_column_space_keeps_its_columns_in_an_orthonormal_basis(seed, moves):
    rng = np.random.default_rng(seed)
    space, columns = ColumnSpace(9), []
    for move in moves:
        if move == "drop" and columns:
            index = int(rng.integers(len(columns)))
            columns.pop(index)
            space.remove(index)
        elif move != "drop":
            new = 3.0 * columns[-1] if move == "copy" and columns else rng.standard_normal(9)
            columns.insert(0, new)
            space.push_front(new)
    basis = space.basis.matrix()
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    assert basis.shape[1] <= 9
    if columns:
        np.testing.assert_allclose(basis @ space.small, np.array(columns).T, atol=1e-12)


def test_directions_that_are_no_longer_needed_are_given_up():
    rng = np.random.default_rng(0)
    space, columns = ColumnSpace(100), []
    for _ in range(60):
        columns.insert(0, rng.standard_normal(100))
        space.push_front(columns[0])
        if len(columns) > 3:
            columns.pop()
            space.remove(-1)
        assert len(space.basis) <= 1.5 * len(columns) + 9
    np.testing.assert_allclose(space.basis.matrix() @ space.small, np.array(columns).T, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 11, 16, 23])
def test_sums_are_added_in_the_order_of_the_reference(n):
    """Eigen 3.4: Core/Redux.h, linear vectorised, and products/GeneralMatrixVector.h, with packets of two doubles."""
    p = np.random.default_rng(n).standard_normal(n) * 10.0 ** np.arange(n)
    pairs, quads = n // 2 * 2, n // 4 * 4
    if n < 2:
        total = p[0]
    else:
        first = [p[0], p[1]]
        if pairs > 2:
            second = [p[2], p[3]]
            for i in range(4, quads, 4):
                first = [first[0] + p[i], first[1] + p[i + 1]]
                second = [second[0] + p[i + 2], second[1] + p[i + 3]]
            first = [first[0] + second[0], first[1] + second[1]]
            if pairs > quads:
                first = [first[0] + p[quads], first[1] + p[quads + 1]]
        total = first[0] + first[1]
        total = total + p[-1] if n > pairs else total
    assert float(packed_sum(p)) == total
    even = odd = 0.0
    for i in range(0, pairs, 2):
        even, odd = even + p[i], odd + p[i + 1]
    assert float(paired_sum(p)) == (even + odd + p[-1] if n > pairs else even + odd)


@given(st.integers(0, 10**6), st.lists(st.integers(-6, 12), max_size=25))
def test_an_updated_qr_is_the_qr_of_its_columns(seed, moves):
    rng = np.random.default_rng(seed)
    qr, columns = UpdatedQR(12), []
    for move in moves:
        if move < 0 and columns:
            index = -move % len(columns)
            qr.delete(index)
            columns.pop(index)
        elif move >= 0 and len(columns) < 12:
            index = move % (len(columns) + 1)
            columns.insert(index, rng.standard_normal(12))
            assert qr.insert(index, columns[index])
    if columns:
        np.testing.assert_allclose(qr.q @ qr.q.T, np.eye(len(columns)), atol=1e-12)
        np.testing.assert_allclose(qr.q.T @ qr.r, np.array(columns).T, atol=1e-11)
        np.testing.assert_allclose(qr.r, np.triu(qr.r), atol=1e-14)


def test_a_qr_does_not_take_more_columns_than_rows():
    rng = np.random.default_rng(0)
    qr = UpdatedQR(3)
    assert qr.rebuild(rng.standard_normal((5, 3)), 0.0) == [3, 4]
    assert qr.failed


@pytest.mark.parametrize("kind", KINDS)
def test_the_solution_is_that_of_weighted_least_squares(kind):
    rng = np.random.default_rng(0)
    lengths, weights = [5, 8], np.array([2.0, 0.3])
    problem = kind(lengths, NO_FILTER)
    columns = rng.standard_normal((6, 13))
    for column in columns[::-1]:
        problem.push_front(split(column, lengths), weights)
    problem.pop_back()
    assert problem.filter(weights, 1.0 / weights, True) == ([], [])
    assert problem.columns == 5
    v, r = columns[:5].T, rng.standard_normal(13)
    by_row = np.repeat(weights, lengths)
    expected = np.linalg.lstsq(by_row[:, None] * v, -by_row * r)[0]
    np.testing.assert_allclose(problem.solve(split(r, lengths), weights), expected, atol=1e-12)
    np.testing.assert_allclose(problem.matrix(), v, atol=1e-12)
    inverse = problem.pseudo_inverse(weights)
    np.testing.assert_allclose(inverse, np.linalg.pinv(by_row[:, None] * v) * by_row, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chosen", FILTERS)
def test_filters_remove_the_older_one_of_two_dependent_columns(kind, chosen):
    rng = np.random.default_rng(0)
    problem = kind([10, 10], FilterConfig(chosen, 1e-3))
    columns = rng.standard_normal((5, 20))
    columns[3] = columns[1] + 1e-5 * columns[3]
    for column in columns[::-1]:
        problem.push_front(split(column, [10, 10]), ONES)
    assert problem.filter(ONES, ONES, False) == ([], [3])
    assert problem.columns == 4
    np.testing.assert_allclose(problem.matrix(), np.delete(columns, 3, axis=0).T, atol=1e-12)
    r = rng.standard_normal(20)
    expected = np.linalg.lstsq(problem.matrix(), -r)[0]
    np.testing.assert_allclose(problem.solve(split(r, [10, 10]), ONES), expected, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chosen", FILTERS)
def test_columns_beyond_the_number_of_unknowns_are_removed(kind, chosen):
    rng = np.random.default_rng(0)
    problem = kind([2, 1], FilterConfig(chosen, 1e-10))
    for column in rng.standard_normal((5, 3)):
        problem.push_front(split(column, [2, 1]), ONES)
    unfit, filtered = problem.filter(ONES, ONES, True)
    assert sorted(unfit + filtered) == [3, 4]
    assert problem.solve(split(np.ones(3), [2, 1]), ONES).shape == (3,)


def test_qr1_is_relative_and_qr1_absolute_is_not():
    small = np.diag([1e-3, 1e-5])
    assert factorise(small, 2, FilterConfig("QR1-absolute", 1e-4)).removed == [1]
    assert factorise(small, 2, FilterConfig("QR1", 1e-4)).removed == []
    assert factorise(1e3 * small, 2, FilterConfig("QR1-absolute", 1e-4)).removed == []
    assert factorise(small[:, ::-1], 2, FilterConfig("QR1", 2e-2)).removed == [0]


def test_no_columns_give_no_coefficients():
    for kind in KINDS:
        problem = kind([3], NO_FILTER)
        assert problem.filter(np.ones(1), np.ones(1), False) == ([], [])
        assert problem.solve([np.ones(3)], np.ones(1)).shape == (0,)
        assert problem.pseudo_inverse(np.ones(1)).shape == (0, 3)


def test_a_truncated_svd_adds_products():
    rng = np.random.default_rng(0)
    svd, total = TruncatedSVD(9, 7, 0.0), np.zeros((9, 7))
    for _ in range(3):
        a, b = rng.standard_normal((9, 2)), rng.standard_normal((7, 2))
        svd.add(a, b)
        total += a @ b.T
    np.testing.assert_allclose((svd.psi * svd.sigma) @ svd.phi.T, total, atol=1e-12)
    coarse = TruncatedSVD(9, 7, 0.5)
    coarse.add(total, np.eye(7))
    kept = np.linalg.svd(total, compute_uv=False)
    np.testing.assert_allclose(coarse.sigma, kept[kept >= 0.5 * kept[0]], atol=1e-12)
