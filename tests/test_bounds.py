"""Bounds of effective conductivities: against published formulas, and against structures that attain them."""

import numpy as np
import pytest

from adapters.scaling import bounds

K1, K2 = 1.0, 4.0


def two_phases(share, cells=100):
    """Coefficients (1, cells): K1 in the given share of them, else K2."""
    return np.where(np.arange(cells) < round(share * cells), K1, K2)[None]


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_hashin_and_shtrikman_as_published(dimension, share):
    """Z. Hashin and S. Shtrikman, J. Appl. Phys. 33, 3125 (1962), in d dimensions, K1 < K2."""
    lower, upper = bounds.hashin_shtrikman(two_phases(share), dimension)
    assert lower[0] == pytest.approx(K1 + (1 - share) / (1 / (K2 - K1) + share / (dimension * K1)), rel=1e-12)
    assert upper[0] == pytest.approx(K2 + share / (1 / (K1 - K2) + (1 - share) / (dimension * K2)), rel=1e-12)
    assert bounds.reuss(two_phases(share))[0] == pytest.approx(1 / (share / K1 + (1 - share) / K2))
    assert bounds.voigt(two_phases(share))[0] == pytest.approx(share * K1 + (1 - share) * K2)


def test_the_dimension_is_that_of_the_image():
    image = two_phases(0.3).reshape(1, 10, 10)
    assert bounds.hashin_shtrikman(image) == bounds.hashin_shtrikman(two_phases(0.3), 2)


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_bounds_are_ordered(dimension):
    k = np.random.default_rng(0).uniform(0.1, 5, (50, 40))
    k[:10] = np.where(k[:10] < 2, 0, k[:10])  # pores
    lower, upper = bounds.hashin_shtrikman(k, dimension)
    assert (bounds.reuss(k) <= lower).all()
    assert (lower < upper).all()
    assert (upper < bounds.voigt(k)).all()
    assert (lower[:10] == 0).all()
    assert (lower[10:] > bounds.reuss(k)[10:]).all()


def test_pores():
    """Upper bound of a porous medium in 3-D, J. C. Maxwell (1873): 2 (1 - p) / (2 + p) of what the solid has."""
    k = np.where(np.arange(100) < 30, 0.0, 5.0)[None]
    assert bounds.hashin_shtrikman(k, 3)[1][0] == pytest.approx(5 * 2 * 0.7 / 2.3, rel=1e-12)
    assert bounds.reuss(k)[0] == 0


def test_homogeneous_and_empty_volumes():
    for value in (3.0, 0.0):
        k = np.full((2, 5, 5), value)
        for bound in (*bounds.hashin_shtrikman(k), bounds.reuss(k), bounds.voigt(k)):
            np.testing.assert_allclose(bound, value, rtol=1e-14)
        exact = value * np.tile(np.eye(2), (2, 1, 1))
        np.testing.assert_allclose(bounds.violation(exact, np.full((2, 2, 5, 5), value)), 0, atol=1e-14)


def published_trace_bounds(eigenvalues, share):
    """Excess over the two trace bounds as printed by F. Murat and L. Tartar and by K. A. Lurie and A. V. Cherkaev.

    sum 1/(l_i - k1) <= 1/(h - k1) + (d-1)/(a - k1),  sum 1/(k2 - l_i) <= 1/(k2 - h) + (d-1)/(k2 - a),
    a, h the arithmetic and harmonic mean; see G. W. Milton, The Theory of Composites (2002).
    """
    d = len(eigenvalues)
    a, h = share * K1 + (1 - share) * K2, 1 / (share / K1 + (1 - share) / K2)
    low = (1 / (eigenvalues - K1)).sum() - 1 / (h - K1) - (d - 1) / (a - K1)
    high = (1 / (K2 - eigenvalues)).sum() - 1 / (K2 - h) - (d - 1) / (K2 - a)
    return low, high


@pytest.mark.parametrize("dimension", [2, 3])
def test_trace_bounds_as_published(dimension):
    """Whether a tensor keeps them is the same question in both forms, also close to them."""
    rng = np.random.default_rng(1)
    for share in (0.2, 0.6):
        k = np.broadcast_to(two_phases(share)[:, None], (1, dimension, 100))
        lower, upper = bounds.hashin_shtrikman(two_phases(share), dimension)
        seen = set()
        for eigenvalues in rng.uniform(K1 * 1.01, K2 * 0.99, (400, dimension)):
            turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
            K = (turn * eigenvalues) @ turn.T
            low, high = bounds.trace_means(K[None], k.min(axis=(1, 2)), k.max(axis=(1, 2)))
            kept = (bool(low[0] >= lower[0]), bool(high[0] <= upper[0]))
            excess = published_trace_bounds(eigenvalues, share)
            assert kept == (excess[0] <= 0, excess[1] <= 0)
            seen.add(kept)
        assert len(seen) >= 3  # both bounds are kept by some tensors and broken by others


@pytest.mark.parametrize("dimension", [2, 3])
def test_layers_attain_the_trace_bounds(dimension):
    """Layers of two phases lie on both bounds: they are allowed, and nothing beyond them is."""
    share = 0.3
    a, h = share * K1 + (1 - share) * K2, 1 / (share / K1 + (1 - share) / K2)
    K = np.diag([h] + [a] * (dimension - 1))[None]
    k = np.broadcast_to(two_phases(share)[:, None], (1, dimension, 100))
    np.testing.assert_allclose(bounds.violation(K, k), 0, atol=1e-13)
    inside = K + 0.01 * np.diag([1.0] + [-1.0] * (dimension - 1))
    assert bounds.violation(inside, k)[0] < 0
    for beyond in (K * 1.001, K * 0.999, K - 0.01 * np.diag([1.0] + [-1.0] * (dimension - 1))):
        assert bounds.violation(beyond, k)[0] > 1e-4


def test_a_part_that_conducts_one_way_only():
    """Diagonal tensors as parts: layers of them have the mean of each component along, its harmonic mean across."""
    parts = np.array([[[1.0, 3.0], [2.0, 5.0]]])  # (1, d, cells), layers across the first axis
    K = np.diag([1 / np.mean(1 / parts[0, 0]), np.mean(parts[0, 1])])[None]
    assert bounds.violation(K, parts)[0] <= 1e-14
    assert bounds.violation(K[:, ::-1, ::-1], parts)[0] > 0.1


def test_violation_is_relative():
    k = np.broadcast_to(two_phases(0.5)[:, None], (1, 2, 100))
    K = np.array([[[3.0, 0.0], [0.0, 3.0]]])
    assert bounds.violation(1e6 * K, 1e6 * k) == pytest.approx(bounds.violation(K, k), rel=1e-9)


def test_an_isotropic_tensor_beyond_hashin_and_shtrikman():
    """Still within Voigt and Reuss, so only the trace bounds can tell."""
    k = two_phases(0.5)
    parts = np.broadcast_to(k[:, None], (1, 2, 100))
    lower, upper = bounds.hashin_shtrikman(k, 2)
    for value in ((upper + bounds.voigt(k)) / 2, (lower + bounds.reuss(k)) / 2):
        assert bounds.violation(value * np.eye(2)[None], parts)[0] > 0.01
    for value in (upper, lower):
        assert bounds.violation(value * np.eye(2)[None], parts)[0] == pytest.approx(0, abs=1e-14)
