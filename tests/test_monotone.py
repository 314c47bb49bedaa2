"""Monotone laws: order, bounds and slopes, for any numbers in them."""

import numpy as np
import pytest
from test_potential import require_gradient

from adapters.strategies.learned.monotone import Monotone


def law(d=1, c=2, units=7, seed=0, wild=1.0):
    random = np.random.default_rng(seed)
    lowest = np.diag(np.arange(1.0, d + 1)) if d > 1 else np.array([[-2.0]])
    form = Monotone(lowest, 3.0, np.array([1.0, -1.0])[:c], units)
    x = random.random((50, c))
    raw = form.initial(random, x, x @ form.signs)
    return form, {name: value + wild * random.standard_normal(value.shape) for name, value in raw.items()}


@pytest.mark.parametrize("seed", range(4))
def test_a_scalar_rises_with_what_it_rises_with_and_stays_within_its_bounds(seed):
    form, raw = law(seed=seed)
    p = form.physical(raw)
    random = np.random.default_rng(9)
    x, step = 20 * random.standard_normal((2000, 2)), random.random((2000, 2)) * form.signs
    one, other = (form.respond(p, at)[0][0, :, 0, 0] for at in (x, x + step))
    assert (other - one).min() >= -1e-12
    assert one.min() >= -2.0 - 1e-12
    assert one.max() <= 1.0 + 1e-12
    ends = form.respond(p, 1e4 * np.stack([-form.signs, form.signs]))[0][0, :, 0, 0]
    np.testing.assert_allclose(ends, [-2.0, 1.0], atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_tensor_rises_in_the_order_of_loewner_and_stays_positive(seed):
    form, raw = law(d=3, seed=seed)
    p = form.physical(raw)
    random = np.random.default_rng(9)
    x, step = 5 * random.standard_normal((500, 2)), random.random((500, 2)) * form.signs
    one, other = (form.respond(p, at)[0][0] for at in (x, x + step))
    assert np.linalg.eigvalsh(other - one).min() >= -1e-12
    assert np.linalg.eigvalsh(one - form.lowest).min() >= -1e-12
    assert np.trace(one, axis1=1, axis2=2).max() <= 6 + 3 + 1e-12
    np.testing.assert_allclose(one, one.swapaxes(1, 2), atol=1e-14)


@pytest.mark.parametrize("d", [1, 2])
def test_the_slope_is_the_derivative(d):
    form, raw = law(d=d)
    p = form.physical(raw)
    x, h = np.random.default_rng(1).random((30, 2)), 1e-6
    slope = form.respond(p, x)[1]
    for i, step in enumerate(h * np.eye(2)):
        difference = (form.respond(p, x + step)[0] - form.respond(p, x - step)[0]) / (2 * h)
        np.testing.assert_allclose(difference, slope[:, :, i], atol=1e-7 * np.abs(slope).max())


@pytest.mark.parametrize("d", [1, 2])
def test_gradients_for_training_are_derivatives(d):
    form, raw = law(d=d, wild=0.2)
    random = np.random.default_rng(2)
    x, back = random.random((20, 2)), random.standard_normal((20, d, d))
    back = back + back.swapaxes(1, 2)
    found = form.pullback(raw, x, back)
    assert {name: v.shape[1:] for name, v in found.items()} == form.shapes()
    require_gradient(lambda r: float((back * form.respond(form.physical(r), x)[0][0]).sum()), raw, found)
