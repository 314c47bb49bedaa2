"""Elastoplastic cells against laminates, bounds, published numbers, exact limit loads and the balance of energy."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from adapters.cells import solid
from adapters.cells.grid import PAIRS
from adapters.micro import MicroError
from adapters.scaling.averages import VolumeAverage
from participants.micro.elastoplastic import Composite, Elastoplastic

ELASTIC = Composite(yield_stress=(0.0, 0.0), tangent_tolerance=1e-12)
NOWHERE = np.zeros((1, 2))


def moduli(young, poisson):
    """Return bulk and shear modulus."""
    return young / (3 * (1 - 2 * poisson)), young / (2 * (1 + poisson))


def young(K, G):
    """Return Young's modulus and Poisson's ratio."""
    return 9 * K * G / (3 * K + G), (3 * K - 2 * G) / (6 * K + 2 * G)


def of(K, G, **settings):
    """Return an elastic composite with these bulk and shear moduli."""
    E, nu = zip(*(young(k, g) for k, g in zip(K, G, strict=True)), strict=True)
    return replace(ELASTIC, youngs_modulus=E, poissons_ratio=nu, **settings)


def hooke(K, G, d):
    """Return the stiffness matrix of stresses over strains with doubled shear, plane strain in two dimensions."""
    C = np.diag([2 * G] * d + [G] * (len(PAIRS[d]) - d)).astype(float)
    C[:d, :d] += K - 2 * G / 3
    return C


def matrix(tangent):
    """Return a tensor of rank 4 as the matrix of stresses over strains with doubled shear."""
    pairs = PAIRS[tangent.shape[0]]
    return np.array([[tangent[i, j, k, m] for k, m in pairs] for i, j in pairs])


def start(settings, n=1, seed=0):
    """Return the model, and the state of n cells without strain."""
    model = Elastoplastic(settings, seed)
    d = settings.dimensions
    points = np.random.default_rng(0).random((n, d))
    return model, model.start(points, {"strain": np.zeros((n, d, d))})


def stiffness(settings):
    return matrix(start(settings)[1]["tangent"][0])


def follow(settings, path, n=1):
    """Return the model, and the states and observables after each strain of a path; every step passes its audit."""
    model, state = start(settings, n)
    states, seen = [state], []
    for strain in path:
        whole = np.broadcast_to(np.asarray(strain, dtype=float), (n, settings.dimensions, settings.dimensions))
        state, observed = model.solve(states[-1], {"strain": whole}, 1.0)
        for check in model.audit(states[-1], state):
            assert check.passed, str(check)
        states.append(state)
        seen.append(observed)
    return model, states, seen


# Elastic cells


@pytest.mark.parametrize("boundary", ["periodic", "uniform-strain", "uniform-stress"])
@pytest.mark.parametrize("d", [2, 3])
def test_a_homogeneous_cell_is_its_material(d, boundary):
    same = of((5.0, 5.0), (2.0, 2.0), dimensions=d, cells=5, boundary=boundary)
    np.testing.assert_allclose(stiffness(same), hooke(5.0, 2.0, d), atol=1e-10)


@pytest.mark.parametrize("cells", [8, 9])
@pytest.mark.parametrize("d", [2, 3])
def test_a_laminate_is_exact(d, cells):
    """Traction and the strain within the layers are uniform (G. W. Milton, The Theory of Composites, 2002, 9.2)."""
    f = 3 / cells
    K, G = (4.17, 41.7), (1.28, 28.7)
    across = [i for i, pair in enumerate(PAIRS[d]) if 0 in pair]
    within = [i for i, pair in enumerate(PAIRS[d]) if 0 not in pair]
    parts = []
    for weight, C in zip((1 - f, f), (hooke(k, g, d) for k, g in zip(K, G, strict=True)), strict=True):
        P, Q, R = C[np.ix_(across, across)], C[np.ix_(across, within)], C[np.ix_(within, within)]
        soft = np.linalg.inv(P)
        parts.append([weight * soft, weight * soft @ Q, weight * (R - Q.T @ soft @ Q)])
    soft, mixed, rest = (sum(part) for part in zip(*parts, strict=True))
    exact = np.zeros((len(PAIRS[d]),) * 2)
    exact[np.ix_(across, across)] = np.linalg.inv(soft)
    exact[np.ix_(across, within)] = np.linalg.inv(soft) @ mixed
    exact[np.ix_(within, across)] = exact[np.ix_(across, within)].T
    exact[np.ix_(within, within)] = rest + mixed.T @ np.linalg.inv(soft) @ mixed
    found = stiffness(of(K, G, dimensions=d, cells=cells, arrangement="laminate", fraction=f))
    np.testing.assert_allclose(found, exact, atol=1e-10 * exact.max())


def test_a_sphere_in_a_cube_has_the_stress_that_was_published():
    """FANS 0.6.2 with its elements of one integration point, tolerance 7e-7 (our own run of that program)."""
    settings = of((62.5, 222.222), (28.8462, 166.6667), dimensions=3, cells=32, fraction=4 / 3 * np.pi * 0.4**3)
    model = Elastoplastic(replace(settings, tangent=False), 0)
    strain = np.zeros((1, 3, 3))
    state = model.start(np.zeros((1, 3)), {"strain": strain})
    assert state["phase"].sum() == 8744
    strain[0, 0, 0] = 1e-3
    _, seen = model.solve(state, {"strain": strain}, 1.0)
    exact = np.diag([0.144323043, 0.051566152, 0.051566152])
    np.testing.assert_allclose(seen["stress"][0], exact, atol=2e-9)


def test_a_cubic_array_of_spheres_is_within_the_bounds_of_hashin_and_shtrikman():
    """K = 4.17, 41.7, G = 1.28, 28.7: K within 6.2282 to 11.1240 at f = 0.3, between 5.7123 (Reuss) and 15.4290
    (Voigt); the bounds on K hold for cubic symmetry (Z. Hashin and S. Shtrikman, J. Mech. Phys. Solids 11 (1963))."""

    def bounds(f):
        lower, upper = (4.17 + f / (1 / 37.53 + 3 * (1 - f) / (3 * 4.17 + 4 * 1.28)),
                        41.7 + (1 - f) / (-1 / 37.53 + 3 * f / (3 * 41.7 + 4 * 28.7)))  # fmt: skip
        return lower, upper, 1 / ((1 - f) / 4.17 + f / 41.7), (1 - f) * 4.17 + f * 41.7

    np.testing.assert_allclose(bounds(0.3), [6.2282, 11.1240, 5.7123, 15.4290], atol=1e-4)
    settings = of((4.17, 41.7), (1.28, 28.7), dimensions=3, cells=16)
    state = start(settings)[1]
    lower, upper, _, _ = bounds(state["phase"].mean())
    C = matrix(state["tangent"][0])
    K = C[:3, :3].sum() / 9
    assert lower < K < upper
    assert lower == pytest.approx(K, rel=0.02)  # stiff spheres far apart are nearly coated ones


def test_the_stiffness_is_between_reuss_and_voigt_and_grows_as_the_boundary_allows_less():
    """uniform stress <= periodic <= uniform strain (S. Hazanov and C. Huet, J. Mech. Phys. Solids 42, 1995 (1994))."""
    K, G = (4.17, 41.7), (1.28, 28.7)
    found = [
        stiffness(of(K, G, cells=16, boundary=boundary, inclusions=3, arrangement="random", fraction=0.2))
        for boundary in ("uniform-stress", "periodic", "uniform-strain")
    ]
    settings = of(K, G, cells=16, inclusions=3, arrangement="random", fraction=0.2)
    f = start(settings)[1]["phase"].mean()
    C = [hooke(k, g, 2) for k, g in zip(K, G, strict=True)]
    reuss = np.linalg.inv((1 - f) * np.linalg.inv(C[0]) + f * np.linalg.inv(C[1]))
    voigt = (1 - f) * C[0] + f * C[1]
    chain = [reuss, *found, voigt]
    for softer, stiffer in itertools.pairwise(chain):
        assert np.linalg.eigvalsh(stiffer - softer).min() > 0


@pytest.fixture
def square(tmp_path):
    """Return a composite with a square inclusion, the same geometry on every grid."""
    picture = np.zeros((8, 8), dtype=np.uint8)
    picture[2:6, 2:6] = 1
    np.save(tmp_path / "square.npy", picture)
    return Composite(arrangement="picture", picture=str(tmp_path / "square.npy"), tangent_tolerance=1e-10)


def test_elastic_cells_converge_to_second_order(square):
    """As energies do where displacements are smooth; the corners come in late, since they are not sharp notches."""
    settings = replace(square, yield_stress=(0.0, 0.0))
    found = [stiffness(settings.refined(factor)) for factor in (1, 2, 4, 8)]
    for entry in ((0, 0), (2, 2)):
        change = np.abs(np.diff([C[entry] for C in found]))
        orders = np.log2(change[:-1] / change[1:])
        np.testing.assert_allclose(orders, 2, atol=0.7)


def test_plastic_cells_converge_to_better_than_first_order(square):
    """The edge of the plastic zone is where strains have kinks, so there is no second order."""
    settings = replace(square, isotropic_hardening=(2e9, 0.0), tangent=False)
    path = [[[k * 1e-3, 0], [0, -k * 1e-3]] for k in (1, 2, 3)]
    found = [follow(settings.refined(factor), path)[2][-1] for factor in (1, 2, 4, 8)]
    for name in ("stress", "dissipation", "stored-energy"):
        errors = [np.abs(seen[name] - found[-1][name]).max() for seen in found[:-1]]
        assert np.log2(errors[0] / errors[2]) / 2 > 1


# Plastic cells


@pytest.mark.parametrize("steps", [1, 7])
def test_two_bars_side_by_side_lock_energy_in(steps):
    """Layers sheared along themselves are bars in parallel: A elastic, B elastic-perfectly plastic at tau = Y/sqrt(3).

    Sigma = c_A G_A g + c_B tau; D = c_B tau (g - tau/G_B); psi = c_A G_A g^2/2 + c_B tau^2/(2 G_B); unloaded to
    Sigma = 0 there remains 1/2 (c_A G_A c_B G_B/G) g_p^2, with G = c_A G_A + c_B G_B and g_p = g - tau/G_B.
    """
    cA, cB, f = 0.25, 0.75, 0.25
    EA, EB, Y = 200e9, 70e9, 100e6
    GA, GB, tau = moduli(EA, 0.2)[1], moduli(EB, 0.3)[1], Y / np.sqrt(3)
    settings = Composite(dimensions=3, cells=4, arrangement="laminate", fraction=f, youngs_modulus=(EB, EA))
    g = 2.5 * tau / GB
    Sigma = cA * GA * g + cB * tau
    unloaded = g - Sigma / (cA * GA + cB * GB)
    shear = np.zeros((3, 3))
    shear[1, 2] = shear[2, 1] = 0.5
    _, states, seen = follow(settings, [shear * g * (k + 1) / steps for k in range(steps)] + [shear * unloaded])
    loaded, released = states[-2:]
    psi, D = cA * GA * g**2 / 2 + cB * tau**2 / (2 * GB), cB * tau * (g - tau / GB)
    np.testing.assert_allclose(loaded["stress"][0, 1, 2], Sigma, rtol=1e-10)
    np.testing.assert_allclose(loaded["stored-energy"], psi, rtol=1e-10)
    np.testing.assert_allclose(loaded["dissipation"], D, rtol=1e-10)
    np.testing.assert_allclose(seen[-2]["tangent"][0, 1, 2, 1, 2], cA * GA, rtol=1e-6)
    locked = cA * GA * cB * GB / (cA * GA + cB * GB) / 2 * (g - tau / GB) ** 2
    np.testing.assert_allclose(released["stress"][0], 0, atol=1e-9 * Y)
    np.testing.assert_allclose(released["stored-energy"], locked, rtol=1e-9)
    np.testing.assert_allclose(released["dissipation"], D, rtol=1e-10)


def test_a_bar_under_uniaxial_stress_is_that_of_the_closed_form_in_tension_and_compression():
    """A homogeneous cell: tension to p, then compression until -Y + H_k p_2 - H_i (2 p - p_2) at p_2 = 0."""
    Hi, Hk, Y, E = 1e9, 4e9, 100e6, 70e9
    settings = Composite(
        dimensions=3, cells=2, fraction=0.0, isotropic_hardening=(Hi, 0.0), kinematic_hardening=(Hk, 0.0)
    )

    def strain(stress, p):
        return np.diag([stress / E + p, *[-0.3 * stress / E - p / 2] * 2])

    p = 0.003
    tension, compression = Y + (Hi + Hk) * p, -Y - Hi * 2 * p
    _, states, _ = follow(settings, [strain(tension, p), strain(compression, 0.0)])
    np.testing.assert_allclose(states[1]["stress"][0], np.diag([tension, 0, 0]), atol=1e-8 * Y)
    np.testing.assert_allclose(states[2]["stress"][0], np.diag([compression, 0, 0]), atol=1e-8 * Y)
    np.testing.assert_allclose(states[2]["dissipation"], Y * 2 * p, rtol=1e-8)
    stored = compression**2 / (2 * E) + Hi / 2 * (2 * p) ** 2
    np.testing.assert_allclose(states[2]["stored-energy"], stored, rtol=1e-8)


@pytest.mark.parametrize("cells", [12, 16])
def test_fibres_far_apart_do_not_strengthen_a_perfectly_plastic_matrix(cells):
    """Square array of elastic fibres, V_f < pi/8: in plane-strain tension along the array the flow stress is exactly
    2 Y/sqrt(3), as without fibres: a straight band at 45 degrees misses them, and uniform stress is in equilibrium
    everywhere (upper and lower bound of D. C. Drucker, W. Prager and H. J. Greenberg, Q. Appl. Math. 9, 381 (1952)).
    The grid has that band and does not lock, so there is no error of discretisation; what is left is elastic."""
    path = [np.diag([e, -e]) for e in (1e-3, 4e-3, 2e-2, 1e-1)]
    seen = follow(Composite(cells=cells, fraction=0.2, tangent=False, tolerance=1e-9), path)[2]
    flow = [(one["stress"][0, 0, 0] - one["stress"][0, 1, 1]) / (2 * 100e6 / np.sqrt(3)) for one in seen]
    assert flow[-1] == pytest.approx(1, abs=5e-6)
    assert max(flow) <= 1 + 1e-8


def test_fibres_that_bar_every_band_do_strengthen_it():
    seen = follow(Composite(cells=12, fraction=0.6, tangent=False, tolerance=1e-9), [np.diag([4e-3, -4e-3])])[2][0]
    assert seen["stress"][0, 0, 0] - seen["stress"][0, 1, 1] > 1.5 * 2 * 100e6 / np.sqrt(3)


def test_the_work_grows_as_the_boundary_allows_less_in_plastic_flow_too():
    """Stored and dissipated energy are the minimum over all displacements that the boundary allows, in one step."""
    kept = []
    for boundary in ("uniform-stress", "periodic", "uniform-strain"):
        settings = Composite(cells=16, boundary=boundary, isotropic_hardening=(1e9, 0.0), tangent=False)
        state = follow(settings, [[[3e-3, 1e-3], [1e-3, -1e-3]]])[1][-1]
        kept.append(state["stored-energy"][0] + state["dissipation"][0])
    assert kept[0] < kept[1] < kept[2]


@pytest.mark.parametrize(
    ("d", "boundary"),
    [(2, "periodic"), (2, "uniform-strain"), (2, "uniform-stress"), (3, "periodic"), (3, "uniform-strain")],
)
def test_the_tangent_is_the_derivative_of_the_mean_stress(d, boundary):
    settings = Composite(
        dimensions=d,
        cells=10 if d == 2 else 4,
        isotropic_hardening=(2e9, 0.0),
        kinematic_hardening=(1e9, 0.0),
        tolerance=1e-13,
        tangent_tolerance=1e-11,
        boundary=boundary,
    )
    rng = np.random.default_rng(5)
    path = [0.002 * (a + a.T) for a in rng.normal(size=(2, d, d))]
    model, states, seen = follow(settings, path)
    C = matrix(seen[-1]["tangent"][0])
    np.testing.assert_array_equal(C, C.T)
    assert (states[-1]["equivalent-plastic-strain"] > 0).mean() > 0.2
    pairs, h = PAIRS[d], 1e-8
    for column, (i, j) in enumerate(pairs):
        step = np.zeros((d, d))
        step[i, j] += h / 2
        step[j, i] += h / 2
        ends = [model.solve(states[-2], {"strain": (path[-1] + sign * step)[None]}, 1.0)[1] for sign in (1, -1)]
        difference = (ends[0]["stress"] - ends[1]["stress"])[0] / (2 * h)
        np.testing.assert_allclose(C[:, column], [difference[k, m] for k, m in pairs], atol=1e-6 * C.max())


def test_energy_is_balanced_around_a_closed_cycle_in_which_the_fibres_keep_some():
    """Over a cycle of strain: work = dissipation + what is locked in, by the trapezoidal rule as steps get short."""
    gaps = []
    for steps in (4, 16):
        settings = Composite(cells=12, kinematic_hardening=(2e9, 0.0), tangent=False)
        ramp = np.concatenate([np.linspace(0, 1, steps + 1)[1:], np.linspace(1, 0, steps + 1)[1:]])
        _, states, _ = follow(settings, [r * np.array([[3e-3, 1e-3], [1e-3, -2e-3]]) for r in ramp])
        work = sum(
            np.einsum("nij,nij->", a["stress"] + b["stress"], b["strain"] - a["strain"]) / 2
            for a, b in itertools.pairwise(states)
        )
        kept = states[-1]["stored-energy"][0] + states[-1]["dissipation"][0]
        assert states[-1]["stored-energy"][0] > 0
        gaps.append(kept - work)
    assert 0 < gaps[1] < gaps[0] / 4


@pytest.mark.parametrize(
    ("name", "factor", "failing"),
    [
        ("stress", 1 + 1e-6, "Hill-Mandel"),
        ("dissipation", 1.001, "work - stored"),
        ("stored-energy", 1.001, "work - stored"),
        ("fluctuation", 1.001, "Hill-Mandel"),
        ("plastic-strain", 1.001, "Hill-Mandel"),
    ],
)
def test_the_audit_notices_what_is_not_right(name, factor, failing):
    settings = Composite(cells=12, isotropic_hardening=(1e9, 0.0), tangent=False)
    model, states, _ = follow(settings, [[[2e-3, 0], [0, 0]], [[4e-3, 1e-3], [1e-3, 0]]])
    wrong = {**states[-1], name: states[-1][name] * factor}
    assert any(not check.passed and failing in check.name for check in model.audit(states[-2], wrong))


# A batch as a state


def test_every_cell_is_solved_as_if_it_were_alone_whatever_the_threads():
    rng, n = np.random.default_rng(6), 30
    points = rng.random((n, 2))
    strain = rng.normal(scale=2e-3, size=(n, 2, 2))
    strain = strain + strain.transpose(0, 2, 1)
    settings = Composite(
        cells=24, arrangement="random", inclusions=2, fraction=0.2, isotropic_hardening=(2e9, 0.0), tolerance=1e-12
    )
    whole = {}
    for threads in (1, 2):
        model = Elastoplastic(replace(settings, threads=threads), 0)
        state = model.start(points, {"strain": np.zeros((n, 2, 2))})
        whole[threads] = model.solve(state, {"strain": strain}, 1.0)[1]
    for name, values in whole[1].items():
        np.testing.assert_array_equal(values, whole[2][name])
    for row in (0, 17, 29):
        one = slice(row, row + 1)
        alone = model.solve(model.start(points[one], {"strain": np.zeros((1, 2, 2))}), {"strain": strain[one]}, 1.0)[1]
        np.testing.assert_allclose(alone["stress"][0], whole[1]["stress"][row], rtol=1e-7, atol=1e2)
        np.testing.assert_allclose(alone["tangent"][0], whole[1]["tangent"][row], atol=1e-5 * 4e11)


def test_history_advances_only_with_the_state_that_is_kept():
    settings = Composite(cells=8, tangent=False)
    model, state = start(settings)
    there = {"strain": np.array([[[3e-3, 0], [0, 0.0]]])}
    first = model.solve(state, there, 1.0)[1]
    model.solve(state, {"strain": -2 * there["strain"]}, 1.0)
    again = model.solve(state, there, 1.0)[1]
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])


def test_a_step_of_no_length_shows_the_state():
    model, states, _ = follow(Composite(cells=8), [[[3e-3, 0], [0, 0]]])
    after, seen = model.solve(states[-1], {"strain": np.full((1, 2, 2), 9.0)}, 0.0)
    assert after is states[-1]
    np.testing.assert_array_equal(seen["mean-strain"], states[-1]["strain"])
    np.testing.assert_array_equal(seen["stress"], states[-1]["stress"])


def test_cells_may_start_under_strain():
    settings, strain = Composite(cells=8), np.array([[[3e-3, 0], [0, 0.0]]])
    begun = Elastoplastic(settings, 0).start(NOWHERE, {"strain": strain})
    _, states, _ = follow(settings, strain)
    np.testing.assert_allclose(begun["stress"], states[-1]["stress"], rtol=1e-9)
    assert begun["dissipation"] > 0


def test_the_mean_of_what_is_per_point_is_itself():
    model, states, seen = follow(Composite(cells=8), [[[1e-3, 0], [0, 0]]])
    for name, field in model.observables.items():
        mean = VolumeAverage()
        memory = mean.start(field, 1, model.cell_shape)
        values, _ = mean.upscale(seen[-1][name], memory, model.cell_size)
        np.testing.assert_array_equal(values, states[-1]["strain" if name == "mean-strain" else name])
        assert mean.gives(field).rank == field.rank == values.ndim - 1


def test_pictures_show_phases_flow_stress_and_energy():
    model, states, _ = follow(Composite(cells=12, boundary="uniform-stress"), [[[4e-3, 0], [0, 0]]])
    shown = model.snapshot(states[-1])
    assert {name: array.shape for name, array in shown.items()} == dict.fromkeys(shown, (1, 12, 12))
    flown = shown["plastic-strain"] > 0
    np.testing.assert_allclose(shown["von-mises-stress"][flown], 100e6, rtol=1e-9)
    assert (shown["von-mises-stress"][(shown["phase"] == 0) & ~flown] <= 100e6).all()
    np.testing.assert_allclose(shown["stored-energy"].mean(), states[-1]["stored-energy"])


def test_without_a_tangent_there_is_neither_it_nor_what_starts_it():
    model, states, seen = follow(Composite(cells=8, tangent=False), [[[1e-3, 0], [0, 0]]])
    assert "tangent" not in {**model.observables, **states[-1], **seen[-1]}
    assert "corrector" not in states[-1]
    assert "tangent" in Elastoplastic.observables


def test_what_a_voxel_of_state_takes():
    """153 bytes in three dimensions, 73 in two, however many cells there are; the README tells so."""
    for d, expected in ((2, 73), (3, 153)):
        state = start(Composite(dimensions=d, cells=16), n=2)[1]
        assert sum(array.nbytes for array in state.values()) / 2 / 16**d == pytest.approx(expected, rel=0.03)


def test_too_large_a_step_names_the_cells_and_the_remedy(monkeypatch):
    monkeypatch.setattr(solid, "NEWTON", 3)
    model, state = start(Composite(cells=96, tangent=False), n=3)
    strain = np.array([[0, 0, 5e-2]]).T[:, :, None] * np.diag([1.0, -1.0])
    with pytest.raises(solid.NotBalanced, match="take smaller steps of strain") as caught:
        model.solve(state, {"strain": strain}, 1.0)
    assert caught.value.rows.tolist() == [2]


def test_a_tangent_that_does_not_converge_names_the_cells_and_the_remedy(monkeypatch):
    monkeypatch.setattr(solid, "GRADIENTS", 15)
    model, state = start(Composite(cells=96, tangent_tolerance=1e-4, tolerance=1e-3), n=5)
    strain = np.array([[0, 0, 0, 0, 3e-3]]).T[:, :, None] * np.diag([1.0, -1.0])
    with pytest.raises(solid.NoTangent, match=r"after 15 steps of conjugate gradients: .* a larger error") as caught:
        model.solve(state, {"strain": strain}, 1.0)
    assert caught.value.rows.tolist() == [4]


def test_larger_cells_have_more_inclusions_and_finer_ones_the_same():
    array = Composite(cells=16)
    larger = Elastoplastic.enlarged(array, 2)
    np.testing.assert_allclose(stiffness(larger), stiffness(array), rtol=1e-4, atol=1e4)
    assert Elastoplastic(larger, 0).cell_size == (2e-3, 2e-3)
    assert Elastoplastic(Elastoplastic.refined(array, 2), 0).cell_shape == (32, 32)
    with pytest.raises(MicroError, match="no larger picture"):
        Elastoplastic.enlarged(replace(array, arrangement="picture"), 2)


@pytest.mark.parametrize("yield_stress", [0.0, 100e6])
def test_a_strain_that_returns_to_nothing_leaves_no_stress_to_be_balanced(yield_stress):
    """Unbalanced forces are a share of the stress, of which there is none at the end but what round-off has left."""
    laminate = replace(ELASTIC, arrangement="laminate", cells=4, yield_stress=(yield_stress, 0.0))
    strain = 2e-5 * np.array([[1.0, 0.5], [0.5, 0.0]])
    _, states, _ = follow(laminate, [0.5 * strain, strain, 0.5 * strain, 0 * strain])
    assert np.abs(states[-1]["stress"]).max() < 1e-12 * np.abs(states[-2]["stress"]).max()
