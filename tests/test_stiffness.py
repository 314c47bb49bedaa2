"""The stiffness at rest that a law has by its form."""

import numpy as np
import pytest
from material_points import MaterialPoints, Metal
from test_potential import require_gradient
from test_training import QUICK, follow, learned

from adapters.strategies.learned import stiffness

RANDOM = np.random.default_rng(5)


def parameters(m=2, e=4, s=3):
    return {"L": RANDOM.standard_normal((m, s, s)), "B": RANDOM.standard_normal((m, e, s, s))}


def spd(s=3):
    A = RANDOM.standard_normal((s, s))
    return A @ A.T + 0.1 * np.eye(s)


def test_however_it_is_shared_it_is_the_same_in_all():
    C = spd()
    L, B = stiffness.shared(stiffness.root(C), **parameters())
    found = np.swapaxes(L, 1, 2) @ L + (np.swapaxes(B, 2, 3) @ B).sum(axis=1)
    np.testing.assert_allclose(found, np.stack([C, C]), rtol=1e-12, atol=1e-12)


def test_gradients_are_derivatives():
    K, raw = stiffness.root(spd()), parameters(m=1)
    L_back, B_back = RANDOM.standard_normal(raw["L"].shape), RANDOM.standard_normal(raw["B"].shape)

    def value(some):
        L, B = stiffness.shared(K, **some)
        return float((L_back * L).sum() + (B_back * np.sin(B)).sum())

    cosine = B_back * np.cos(stiffness.shared(K, **raw)[1])
    L, B = stiffness.pullback(K, raw["L"], raw["B"], L_back, cosine)
    require_gradient(value, raw, {"L": L, "B": B})


def test_eigenvalues_may_be_equal():
    raw = {"L": np.eye(3)[None], "B": np.eye(3)[None, None]}
    K = stiffness.root(np.diag([1.0, 2.0, 3.0]))

    def value(some):
        L, B = stiffness.shared(K, **some)
        return float((L**2).sum() * B[0, 0, 0, 0] + B[0, 0, 1, 2])

    L, B = stiffness.shared(K, **raw)
    B_back = np.zeros_like(B)
    B_back[0, 0, 0, 0], B_back[0, 0, 1, 2] = (L**2).sum(), 1.0
    found = stiffness.pullback(K, raw["L"], raw["B"], 2 * L * B[0, 0, 0, 0], B_back)
    require_gradient(value, raw, dict(zip("LB", found, strict=True)))


def test_a_stiffness_that_is_none_is_refused():
    with pytest.raises(ValueError, match="not positive definite"):
        stiffness.root(np.diag([1.0, -1.0]))


def test_a_law_is_exact_before_anything_flows():
    """Hooke's law of the phase, whatever was learned: hardly trained, and still right to round-off."""
    metal = Metal(yield_stress=100e6, hardening=10e9)
    model = MaterialPoints(metal, ("Stress", "Stored-Energy", "Dissipation"))
    law = learned(model, 5e-3, QUICK)
    assert law.law.elastic is not None
    E = np.zeros((1, 2, 2, 2))
    E[0, 0, 0, 1] = E[0, 0, 1, 0] = 1e-6
    E[0, 1, 1, 1] = 2e-6
    state = model.start(np.zeros((2, 2)), {"Strain": 0 * E[0]})
    _, seen = model.solve(state, {"Strain": E[0]}, 1.0)
    found = follow(law, "Strain", E)
    np.testing.assert_allclose(found["Stress"][0], seen["Stress"], rtol=1e-6, atol=1e-9 * np.abs(seen["Stress"]).max())
    answer = law.respond(law.at_rest(2), {"Strain": E[0]}, 1.0)
    assert answer.spread["Stress"].max() < 1e-9 * np.abs(seen["Stress"]).max()  # all members agree
    assert answer.activity.max() < 1e-6
