"""Elements that flow: dissipation, balance, derivatives, and the laws that they are known to be."""

import numpy as np
import pytest
from test_potential import require_gradient

from adapters.strategies.learned import notation
from adapters.strategies.learned.elements import Elements

FORMS = [(False, False), (False, True), (True, False), (True, True)]  # viscous, isotropic


def elements(viscous=False, isotropic=False, d=2, count=5, seed=0):
    """Return elements with random numbers."""
    form = Elements(notation.identity(2, d), count, viscous, isotropic)
    random = np.random.default_rng(seed)
    raw = form.initial(random, 4 * np.eye(len(form.unit)), 1.0)
    raw = {name: value + 0.5 * random.standard_normal(value.shape) for name, value in raw.items()}
    return form, raw, form.physical(raw)


def walk(form, p, x, dt=0.7):
    """Return stress, energy, what each step dissipates, and the steps, along paths (steps, n, s)."""
    z, a = form.at_rest(x.shape[1], len(p["Y"]))
    found, path = [], []
    for now in x:
        done = form.step(p, now, z, a, dt)
        path.append((now, z, a, dt, done))
        z, a = done.z, done.a
        found.append(
            (form.stress(p, done.q, z), form.energy(p, done.q, z, a), form.dissipated(p, done.flow, dt), done.flow)
        )
    stress, energy, lost, flow = (np.stack(part) for part in zip(*found, strict=True))
    return stress[:, :, 0], energy[:, :, 0], lost[:, :, 0], flow, path


def random_walk(steps, n, s=3, size=0.6, seed=2):
    return np.cumsum(size * np.random.default_rng(seed).standard_normal((steps, n, s)), axis=0)


@pytest.mark.parametrize(("viscous", "isotropic"), FORMS)
def test_dissipation_is_never_negative_and_energy_never(viscous, isotropic):
    for seed in range(5):
        form, _, p = elements(viscous, isotropic, seed=seed)
        _, energy, lost, flow, _ = walk(form, p, random_walk(40, 20, seed=seed))
        assert lost.min() >= 0
        assert energy.min() >= 0
        assert (flow > 0).mean() > 0.1  # something has flowed


@pytest.mark.parametrize(("viscous", "isotropic"), FORMS)
def test_the_work_is_between_those_of_the_stress_before_and_after(viscous, isotropic):
    """W is convex and the flow follows the force at the end: sigma_n : dx <= d(W + D) <= sigma_n+1 : dx.

    Where flow takes time the force at the start may have been relaxing, and the lower bound does not hold.
    """
    form, _, p = elements(viscous, isotropic)
    x = random_walk(60, 30)
    stress, energy, lost, _, _ = walk(form, p, x)
    kept, step = np.diff(energy, axis=0) + lost[1:], np.diff(x, axis=0)
    before, after = ((part * step).sum(axis=2) for part in (stress[:-1], stress[1:]))
    assert (after - kept).min() >= -1e-12 * np.abs(kept).max()
    if not viscous:
        assert (kept - before).min() >= -1e-12 * np.abs(kept).max()


@pytest.mark.parametrize(("viscous", "isotropic"), FORMS)
def test_the_tangent_is_the_derivative_and_symmetric(viscous, isotropic):
    form, _, p = elements(viscous, isotropic)
    x, z, a, dt, done = walk(form, p, random_walk(6, 12))[4][-1]
    tangent, h = form.tangent(p, done)[:, 0], 1e-6
    assert np.abs(tangent - tangent.swapaxes(1, 2)).max() <= 1e-12 * np.abs(tangent).max()
    assert np.linalg.eigvalsh(tangent).min() >= -1e-12
    for i, step in enumerate(h * np.eye(3)):
        ends = [form.step(p, x + sign * step, z, a, dt) for sign in (1, -1)]
        up, down = (form.stress(p, end.q, end.z)[:, 0] for end in ends)
        same = ((ends[0].excess > 0) == (ends[1].excess > 0)).all(axis=(1, 2))  # no corner in between
        assert same.sum() > 6
        np.testing.assert_allclose(((up - down) / (2 * h))[same], tangent[same, i], atol=1e-7 * np.abs(tangent).max())


def test_isotropic_elements_see_no_directions():
    form, _, p = elements(isotropic=True, d=3)
    x = random_walk(20, 4, 6)
    Q = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))[0]
    turned = notation.vector(Q @ notation.value(x, 2, 3) @ Q.T, 2)
    one, other = (notation.value(walk(form, p, path)[0], 2, 3) for path in (x, turned))
    np.testing.assert_allclose(other, Q @ one @ Q.T, atol=1e-10 * np.abs(one).max())


def test_rate_independent_flow_does_not_know_the_time():
    form, _, p = elements()
    x = random_walk(20, 4)
    np.testing.assert_array_equal(walk(form, p, x, 1e-3)[0], walk(form, p, x, 1e3)[0])


def test_before_anything_flows_it_is_elastic_and_a_way_back_leads_back():
    form, _, p = elements()
    x = 1e-6 * random_walk(10, 4)
    path = np.concatenate([x, x[::-1]])
    stress, _, lost, flow, _ = walk(form, p, path)
    assert not lost.any()
    assert not flow.any()
    np.testing.assert_array_equal(stress[9::-1], stress[10:])


def test_an_element_with_a_threshold_is_plastic_in_one_dimension():
    """E = B^2; beyond sigma_y = B Y the stress grows with E h / (1 + h), and unloading is elastic."""
    form = Elements(np.zeros(1), 1)
    B, Y, h = 2.0, 0.5, 0.25
    p = {
        "B": np.full((1, 1, 1, 1), B),
        **{n: np.full((1, 1), v) for n, v in (("Y", Y), ("h", h), ("H", 0), ("eta", 0))},
    }
    x = np.array([0.2, 0.5, 0.8, 0.7, 0.5])[:, None, None]
    stress, _, lost, _, _ = walk(form, p, x)
    onset, E, hard = Y / B, B**2, B**2 * h / (1 + h)
    expected = [E * 0.2, B * Y + hard * (0.5 - onset), B * Y + hard * (0.8 - onset)]
    expected += [expected[2] - E * 0.1, expected[2] - E * 0.3]
    np.testing.assert_allclose(stress[:, 0, 0], expected, rtol=1e-13)
    flowed = B * (0.8 - onset) / (1 + h)
    assert lost.sum() == pytest.approx(Y * flowed, rel=1e-13)


def test_elements_without_threshold_are_a_standard_linear_solid():
    """E* = E1 i w tau / (1 + i w tau) with tau = eta / (1 + h) at h = 0, by steps of 1/1000 of a period."""
    form = Elements(np.zeros(1), 1, viscous=True)
    p = {"B": np.ones((1, 1, 1, 1)), **{n: np.full((1, 1), v) for n, v in (("Y", 0), ("h", 0), ("H", 0), ("eta", 0.5))}}
    w, steps = 2.0, 1000
    dt = 2 * np.pi / w / steps
    t = dt * np.arange(1, 6 * steps + 1)
    x = np.sin(w * t)[:, None, None]
    stress, energy, lost, _, _ = walk(form, p, x, dt)
    last = slice(-steps, None)
    modulus = 2 * np.mean(stress[last, 0, 0] * np.exp(-1j * (w * t[last] - np.pi / 2)))
    de = w * 0.5
    assert modulus == pytest.approx(1j * de / (1 + 1j * de), abs=5e-3)  # first order in dt
    around = np.pi * modulus.imag  # work of a cycle
    assert lost[last].sum() == pytest.approx(around, rel=1e-2)
    assert energy[-1] == pytest.approx(energy[-1 - steps], rel=1e-9)


@pytest.mark.parametrize(("viscous", "isotropic"), FORMS)
def test_gradients_for_training_are_derivatives(viscous, isotropic):
    form, raw, _ = elements(viscous, isotropic)
    x = random_walk(6, 5)
    random = np.random.default_rng(3)
    back = [random.standard_normal(shape) for shape in ((6, 5, 3), (6, 5), (6, 5))]

    def value(raw):
        seen = walk(form, form.physical(raw), x)[:3]
        return float(sum((b * s).sum() for b, s in zip(back, seen, strict=True)))

    p = form.physical(raw)
    path = walk(form, p, x)[4]
    found = form.physical_pullback(raw, form.pullback(p, path, *back))
    assert {name: v.shape[1:] for name, v in found.items()} == form.shapes()
    require_gradient(value, raw, found)
