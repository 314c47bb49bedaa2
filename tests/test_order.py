"""The observed order of convergence."""

import math

import pytest

from scalebridge.compare import order


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("refinement", [2.0, 3.0])
def test_the_order_of_an_exact_power_is_found(p, refinement):
    values = [7.0 - 3.0 * (refinement**-k) ** p for k in range(4)]
    none, nothing, *found = order.observed(values, refinement)
    assert none is nothing is None
    assert found == pytest.approx([p, p], rel=1e-6)


def test_no_order():
    assert order.observed([], 2.0) == []
    assert order.observed([1.0], 2.0) == [None]
    assert order.observed([1.0, 2.0, None, 3.0], 2.0) == [None] * 4
    assert order.observed([1.0, 1.0, 1.0], 2.0) == [None] * 3
    assert order.observed([1.0, 2.0, math.nan], 2.0) == [None] * 3
    assert order.observed([0.0, 1.0, 3.0], 2.0)[2] == pytest.approx(-1.0)  # it diverges


@pytest.mark.parametrize(
    ("numbers", "factor"),
    [
        ((10, 20, 40), 2.0),
        ((4.0, 2.0, 1.0), 2.0),
        ((0.3, 0.1, 0.1 / 3), 3.0),
        ((-1, -2, -4), 2.0),
        ((10, 20, 30), None),
        ((10, 20), None),
        ((1, -2, 4), None),
        ((1, 1, 1), None),
        ((0, 0, 0), None),
    ],
)
def test_factor(numbers, factor):
    assert order.factor(numbers) == (None if factor is None else pytest.approx(factor))
