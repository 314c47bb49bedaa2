"""Radial-basis-function mappings: interpolation conditions, polynomials, clusters, and what cannot be set up."""

import numpy as np
import pytest

from scalebridge.embedded import mapping
from scalebridge.embedded.mapping import MappingError, MeshGeometry
from scalebridge.embedded.mapping.basis_functions import create_basis_function
from scalebridge.embedded.mapping.clustering import Balls, cover
from scalebridge.embedded.mapping.partition_of_unity import Blend, _polynomial_fit
from scalebridge.embedded.mapping.radial_basis import basic_inverse, monomials, polynomial_axes
from scalebridge.embedded.mapping.settings import BASIS_FUNCTIONS, BasisFunctionConfig, MappingConfig

PARAMETERS = {
    "multiquadrics": {"shape_parameter": 0.5},
    "inverse-multiquadrics": {"shape_parameter": 0.3},
    "gaussian": {"shape_parameter": 4.0},
    "thin-plate-splines": {},
    "volume-splines": {},
}


def function(kind):
    return BasisFunctionConfig(kind, **PARAMETERS.get(kind, {"support_radius": 0.8}))


def configure(kind, constraint="consistent", basis="compact-polynomial-c4", **options):
    return MappingConfig(kind, "read", "Source", "Target", constraint, function(basis), **options)


def cloud(seed, count, dimensions=2):
    return MeshGeometry(np.random.default_rng(seed).random((count, dimensions)), name=f"Cloud-{seed}")


@pytest.mark.parametrize("basis", BASIS_FUNCTIONS)
def test_basis_functions_have_their_value_support_and_decay(basis):
    phi = create_basis_function(function(basis))
    r = np.array([0.0, 0.2, 0.4, 0.79, 0.8, 5.0])
    values = phi(r)
    assert np.isfinite(values).all()
    if basis.startswith("compact"):
        assert values[0] > 0.0
        assert (np.diff(values[:4]) < 0.0).all()
        assert values[4:].tolist() == [0.0, 0.0]
    elif basis == "gaussian":
        np.testing.assert_allclose(values[:3], np.exp(-((4.0 * r[:3]) ** 2)))
        assert values[-1] == 0.0
    else:
        expected = {
            "multiquadrics": np.sqrt(0.25 + r**2),
            "inverse-multiquadrics": 1.0 / np.sqrt(0.09 + r**2),
            "thin-plate-splines": r**2 * np.log(np.where(r > 0.0, r, 1.0)),
            "volume-splines": r,
        }[basis]
        np.testing.assert_allclose(values, expected, atol=1e-15)


@pytest.mark.parametrize("k", [0, 2, 4, 6, 8])
def test_wendland_functions_are_smooth_at_their_support(k):
    """C^k functions leave their support like (1 - p)^(k + 2), in three dimensions."""
    phi = create_basis_function(BasisFunctionConfig(f"compact-polynomial-c{k}", support_radius=1.0))
    near, nearer = phi(np.array([1.0 - 2e-3, 1.0 - 1e-3]))
    assert np.log2(near / nearer) == pytest.approx(k + 2, abs=0.02)


def test_unknown_basis_functions_are_refused():
    with pytest.raises(ValueError, match="unknown basis function 'guess'"):
        create_basis_function(BasisFunctionConfig("guess", 1.0))(np.ones(1))


def test_a_gaussian_vanishes_at_its_support_radius():
    """As in preCICE, exp(-(s r)^2) = 1e-9 at the support radius r."""
    phi = create_basis_function(BasisFunctionConfig("gaussian", support_radius=0.7))
    assert phi(np.array([0.7 - 1e-12]))[0] == pytest.approx(1e-9)
    assert phi(np.array([0.7 + 1e-12]))[0] == 0.0


@pytest.mark.parametrize("polynomial", ["separate", "on", "off"])
@pytest.mark.parametrize("basis", ["thin-plate-splines", "multiquadrics", "compact-polynomial-c2"])
def test_the_interpolant_meets_the_data(basis, polynomial):
    if polynomial == "on" and basis == "compact-polynomial-c2":
        return
    mesh = cloud(0, 30)
    values = np.random.default_rng(1).standard_normal((30, 2))
    operator = mapping.prepare(configure("rbf-global-direct", basis=basis, polynomial=polynomial), mesh, mesh)
    np.testing.assert_allclose(operator.apply(values), values, atol=1e-9)


def test_an_integrated_polynomial_keeps_linear_fields_and_sums():
    source, target = cloud(0, 30), cloud(1, 20)
    options = {"basis": "thin-plate-splines", "polynomial": "on"}
    field = 1.0 + source.vertices @ np.array([[2.0], [-3.0]])
    mapped = mapping.prepare(configure("rbf-global-direct", **options), source, target).apply(field)
    np.testing.assert_allclose(mapped, 1.0 + target.vertices @ np.array([[2.0], [-3.0]]), atol=1e-12)
    loads = np.random.default_rng(2).standard_normal((20, 1))
    written = mapping.prepare(configure("rbf-global-direct", "conservative", **options), target, source).apply(loads)
    assert written.sum() == pytest.approx(loads.sum())
    np.testing.assert_allclose(source.vertices.T @ written, target.vertices.T @ loads, atol=1e-11)  # and moments


def test_dead_axes_do_not_count():
    source, target = cloud(0, 25, 3), cloud(1, 10, 3)
    values = np.sin(source.vertices[:, :1] + source.vertices[:, 2:])
    dead = configure("rbf-global-direct", dead_axes=(False, True, False))
    moved = MeshGeometry(target.vertices + np.array([0.0, 7.0, 0.0]))
    expected = mapping.prepare(dead, source, target).apply(values)
    np.testing.assert_allclose(mapping.prepare(dead, source, moved).apply(values), expected, atol=1e-12)
    flat = [MeshGeometry(mesh.vertices[:, [0, 2]]) for mesh in (source, target)]
    alive = configure("rbf-global-direct")
    np.testing.assert_allclose(mapping.prepare(alive, *flat).apply(values), expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["rbf-global-direct", "rbf-pum-direct"])
def test_surfaces_in_a_plane_need_no_third_axis(kind):
    rng = np.random.default_rng(0)
    source, target = (MeshGeometry(np.c_[rng.random((n, 2)), np.full(n, 0.25)]) for n in (150, 40))
    operator = mapping.prepare(configure(kind), source, target)
    mapped = operator.apply(source.vertices[:, :1] - source.vertices[:, 1:2])
    np.testing.assert_allclose(mapped, target.vertices[:, :1] - target.vertices[:, 1:2], atol=1e-10)
    assert polynomial_axes(source.vertices) == [0, 1]
    assert polynomial_axes(np.ones((3, 2))) == []


@pytest.mark.parametrize("kind", ["rbf-global-direct", "rbf-pum-direct"])
@pytest.mark.parametrize("basis", ["compact-polynomial-c2", "thin-plate-splines"])
def test_equal_vertices_cannot_be_interpolated(kind, basis):
    vertices = cloud(0, 10).vertices
    vertices[3] = vertices[7]
    mesh = MeshGeometry(vertices, name="Doubled")
    with pytest.raises(MappingError, match=r"Doubled.* cannot be set up: .*matrix .*is singular"):
        mapping.prepare(configure(kind, basis=basis, polynomial="off"), mesh, mesh)


# --- partition of unity ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("project", [True, False])
def test_balls_cover_a_grid(dimensions, project):
    axis = np.linspace(0.0, 1.0, 12)
    grid = np.stack(np.meshgrid(*[axis] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)
    balls = cover(grid, grid, 40, 0.2, project=project)
    point, ball, distance = balls.pairs(grid)
    assert set(point.tolist()) == set(range(len(grid)))
    assert set(ball.tolist()) == set(range(len(balls.centres)))
    assert (distance < balls.radius).all()
    assert 15 < np.bincount(ball).mean() < 60
    if project:
        assert np.abs(balls.centres[:, None] - grid[None]).sum(axis=2).min(axis=1).max() == 0.0


def test_few_vertices_are_in_one_ball():
    vertices = np.array([[0.0, 0.0], [2.0, 1.0]])
    balls = cover(vertices, None, 10, 0.1, project=True)
    np.testing.assert_array_equal(balls.centres, [[1.0, 0.5]])
    assert balls.radius == 4.0
    assert cover(vertices[:1], None, 10, 0.1, project=True).radius == 2.0


def test_no_points_are_in_no_ball():
    assert [len(part) for part in Balls(np.zeros((1, 2)), 1.0).pairs(np.empty((0, 2)))] == [0, 0, 0]


def test_meshes_that_are_far_apart_share_no_ball():
    mesh = cloud(0, 200)
    with pytest.raises(MappingError, match="do not overlap"):
        mapping.prepare(configure("rbf-pum-direct"), mesh, MeshGeometry(mesh.vertices + 50.0))


def test_a_point_outside_all_clusters_is_named():
    mesh = cloud(0, 200)
    target = MeshGeometry(np.array([[0.5, 0.5], [9.0, 9.0]]), name="Far")
    with pytest.raises(MappingError, match=r"vertex 1 of mesh Far, at \[9.0, 9.0\], lies in no cluster"):
        mapping.prepare(configure("rbf-pum-direct"), mesh, target)
    reader = mapping.prepare_reader(configure("rbf-pum-direct"), mesh)
    with pytest.raises(MappingError, match=r"vertex 1 of the points given, at \[9.0, 9.0\], lies in no cluster"):
        reader.evaluate(target.vertices, reader.coefficients(np.ones((200, 1))))


def test_a_mesh_without_vertices_has_no_clusters():
    with pytest.raises(MappingError, match="cannot use mesh Empty: it has no vertices"):
        mapping.prepare(configure("rbf-pum-direct"), MeshGeometry(np.empty((0, 2)), name="Empty"), cloud(0, 5))


def test_one_cluster_gives_the_global_interpolant():
    source, target = cloud(0, 40), cloud(1, 15)
    values = np.random.default_rng(2).standard_normal((40, 1))
    local = mapping.prepare(configure("rbf-pum-direct", vertices_per_cluster=50), source, target).apply(values)
    whole = mapping.prepare(configure("rbf-global-direct"), source, target).apply(values)
    np.testing.assert_allclose(local, whole, atol=1e-9)


def test_a_point_on_the_rim_of_its_only_ball_takes_all_of_it():
    mesh = cloud(0, 6)
    blend = Blend(Balls(np.array([[0.5, 0.5]]), 1.0), mesh, create_basis_function(function("volume-splines")), True)
    rim = np.array([[0.5 + (1.0 - 1e-16), 0.5], [0.5, 0.5 - np.nextafter(1.0, 0.0)]])
    constant = blend.evaluation(rim[1:], "Rim") @ (blend.fit @ np.ones((6, 1)))
    np.testing.assert_allclose(constant, 1.0, atol=1e-12)


def test_fits_in_clusters_are_those_of_single_clusters():
    rng = np.random.default_rng(0)
    centres = rng.random((6, 9, 3))
    centres[1, :, 2] = 0.5  # a plane
    centres[2, :, 1:] = 0.5  # a line
    centres[3] = 0.5 + 1e-9 * centres[3]  # almost a point
    fits = _polynomial_fit(centres)
    for single, fit in zip(centres, fits, strict=True):
        axes = polynomial_axes(single)
        rows = [0, *(1 + axis for axis in axes)]
        np.testing.assert_allclose(fit[rows], basic_inverse(monomials(single[:, axes])), atol=1e-8)
        np.testing.assert_array_equal(np.delete(fit, rows, axis=0), 0.0)


def test_too_few_points_for_a_polynomial_leave_terms_out():
    points = np.array([[3.0, 1.0], [1.0, 2.0]])
    inverse = basic_inverse(monomials(points))
    assert (np.abs(inverse).sum(axis=1) > 0.0).sum() == 2
    np.testing.assert_allclose(monomials(points) @ inverse, np.eye(2), atol=1e-14)
    np.testing.assert_allclose(monomials(points) @ _polynomial_fit(points[None])[0], np.eye(2), atol=1e-14)
