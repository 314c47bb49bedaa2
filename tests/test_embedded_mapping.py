"""Data mappings between meshes: constants, sums, linear fields, and hand calculations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from scalebridge.embedded import mapping
from scalebridge.embedded.mapping import MappingError, MeshGeometry, connectivity
from scalebridge.embedded.mapping.scaled import integration_weights
from scalebridge.embedded.mapping.settings import BasisFunctionConfig, MappingConfig

C4 = BasisFunctionConfig("compact-polynomial-c4", support_radius=2.0)
KINDS = {
    "nearest-neighbor": {},
    "nearest-projection": {},
    "linear-cell-interpolation": {},
    "rbf-global-direct": {"basis_function": C4},
    "rbf-pum-direct": {"basis_function": C4, "vertices_per_cluster": 16, "project_to_input": False},
    "rbf": {"basis_function": C4},
}
LINEAR = ["rbf-global-direct", "rbf-pum-direct", "rbf"]


def configure(kind, constraint="consistent", **options):
    return MappingConfig(kind, "read", "Source", "Target", constraint, **{**KINDS.get(kind, {}), **options})


def cloud(rng, dimensions, count, name):
    """Vertices in the unit cube with its corners, and the cells between them."""
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * dimensions), axis=-1).reshape(-1, dimensions)
    vertices = np.concatenate([corners, rng.random((count, dimensions))])
    cells = Delaunay(vertices).simplices.astype(np.int64)
    return connectivity.complete(
        MeshGeometry(vertices, **{"triangles" if dimensions == 2 else "tetrahedra": cells}, name=name)
    )


def linear_field(points):
    return 2.0 + points @ np.array([[1.0, -3.0], [0.5, 4.0], [-2.0, 1.0]])[: points.shape[1]]


def line(*xs, y=0.0, name="Line"):
    """Vertices at x along a line, with the edges between them."""
    vertices = np.array([[x, y] for x in xs])
    edges = np.array([[i, i + 1] for i in range(len(xs) - 1)])
    return MeshGeometry(vertices, edges=edges, name=name)


# --- what all mappings must keep -------------------------------------------------------------------------------------


@given(kind=st.sampled_from(list(KINDS)), dimensions=st.sampled_from([2, 3]), seed=st.integers(0, 10**6))
@examples(deadline=None, max_examples=60)
def test_consistent_mappings_keep_constants_and_conservative_ones_sums(kind, dimensions, seed):
    rng = np.random.default_rng(seed)
    source, target = cloud(rng, dimensions, 30, "Source"), cloud(rng, dimensions, 25, "Target")
    operator = mapping.prepare(configure(kind), source, target)
    constant = np.tile([3.0, -7.0], (len(source.vertices), 1))
    np.testing.assert_allclose(operator.apply(constant), np.tile([3.0, -7.0], (len(target.vertices), 1)), atol=1e-9)
    transpose = mapping.prepare(configure(kind, "conservative"), target, source)
    loads = rng.standard_normal((len(target.vertices), 2))
    np.testing.assert_allclose(transpose.apply(loads).sum(axis=0), loads.sum(axis=0), atol=1e-9)
    values = rng.standard_normal((len(source.vertices), 2))
    virtual_work = np.sum(operator.apply(values) * loads)
    assert np.sum(transpose.apply(loads) * values) == pytest.approx(virtual_work, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("kind", [*LINEAR, "linear-cell-interpolation"])
def test_linear_fields_are_exact(kind, dimensions):
    rng = np.random.default_rng(dimensions)
    source, target = cloud(rng, dimensions, 120, "Source"), cloud(rng, dimensions, 40, "Target")
    config = configure(kind, vertices_per_cluster=40)
    mapped = mapping.prepare(config, source, target).apply(linear_field(source.vertices))
    # round-off times the condition of a radial-basis system of 120 points, about 1e9
    np.testing.assert_allclose(mapped, linear_field(target.vertices), atol=1e-6 if kind in LINEAR else 1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mesh_is_mapped_to_itself_unchanged(kind):
    rng = np.random.default_rng(1)
    mesh = cloud(rng, 2, 40, "Mesh")
    values = rng.standard_normal((len(mesh.vertices), 1))
    np.testing.assert_allclose(mapping.prepare(configure(kind), mesh, mesh).apply(values), values, atol=1e-8)


@pytest.mark.parametrize(("kind", "order"), [("nearest-neighbor", 1), ("nearest-projection", 2)])
def test_the_error_falls_with_the_order_of_the_method(kind, order):
    target = line(*np.linspace(0.03, 0.97, 173), name="Target")
    errors = []
    for cells in (40, 80, 160):
        source = line(*np.linspace(0.0, 1.0, cells + 1), name="Source")
        mapped = mapping.prepare(configure(kind), source, target).apply(np.sin(9.0 * source.vertices[:, :1]))
        errors.append(np.abs(mapped - np.sin(9.0 * target.vertices[:, :1])).max())
    observed = np.log2(errors[0] / errors[2]) / 2
    assert observed == pytest.approx(order, abs=0.2)


# --- nearest neighbours ----------------------------------------------------------------------------------------------


def test_gradients_make_nearest_neighbours_exact_for_linear_fields():
    rng = np.random.default_rng(0)
    source, target = cloud(rng, 3, 10, "Source"), cloud(rng, 3, 20, "Target")
    slopes = np.tile(np.array([[1.0, 0.5, -2.0], [-3.0, 4.0, 1.0]]), (len(source.vertices), 1, 1))
    operator = mapping.prepare(configure("nearest-neighbor-gradient"), source, target)
    mapped = operator.apply(linear_field(source.vertices), slopes)
    np.testing.assert_allclose(mapped, linear_field(target.vertices), atol=1e-12)
    with pytest.raises(MappingError, match="needs the gradients of the data"):
        operator.apply(linear_field(source.vertices))


def test_a_mesh_without_vertices_has_no_neighbours():
    with pytest.raises(MappingError, match="nearest neighbour is asked for in a mesh without vertices"):
        mapping.prepare(configure("nearest-neighbor"), MeshGeometry(np.empty((0, 2))), line(0.0, 1.0))


# --- projection and cells --------------------------------------------------------------------------------------------


def test_projection_falls_on_edges_or_else_on_vertices():
    source = line(0.0, 1.0, 3.0)
    target = MeshGeometry(np.array([[0.25, 0.4], [2.0, -0.1], [-1.0, 2.0], [3.5, 0.0]]))
    mapped = mapping.prepare(configure("nearest-projection"), source, target).apply(np.array([[10.0], [20.0], [40.0]]))
    np.testing.assert_allclose(mapped.ravel(), [12.5, 30.0, 10.0, 40.0], atol=1e-13)


def test_projection_in_space_falls_on_triangles_edges_or_vertices():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    source = connectivity.complete(MeshGeometry(vertices, triangles=np.array([[0, 1, 2]])))
    target = MeshGeometry(np.array([[0.25, 0.25, 0.3], [0.5, -1.0, 0.0], [-1.0, -1.0, 0.2]]))
    mapped = mapping.prepare(configure("nearest-projection"), source, target).apply(np.array([[4.0], [8.0], [16.0]]))
    np.testing.assert_allclose(mapped.ravel(), [0.5 * 4 + 0.25 * 8 + 0.25 * 16, 6.0, 4.0], atol=1e-13)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_points_outside_all_cells_are_projected(dimensions):
    rng = np.random.default_rng(0)
    source = cloud(rng, dimensions, 0, "Source")
    outside = np.full((1, dimensions), 0.3)
    outside[0, 0] = 1.7
    inside = outside.copy()
    inside[0, 0] = 1.0
    mapped = mapping.prepare(configure("linear-cell-interpolation"), source, MeshGeometry(outside))
    # In space the nearest of the four candidates is an inner face, as in preCICE; in the plane it is the side x = 1.
    if dimensions == 2:
        np.testing.assert_allclose(mapped.apply(linear_field(source.vertices)), linear_field(inside), atol=1e-12)
    np.testing.assert_allclose(mapped.apply(np.ones((len(source.vertices), 1))), 1.0, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("nearest-projection", "mesh Source has no edges: nearest-projection falls back to lower elements"),
        ("linear-cell-interpolation", "mesh Source has no cells: linear-cell-interpolation falls back to projection"),
    ],
)
def test_meshes_without_connectivity_fall_back_to_neighbours_and_say_so(kind, text, caplog):
    rng = np.random.default_rng(0)
    source, target = MeshGeometry(rng.random((20, 2)), name="Source"), MeshGeometry(rng.random((9, 2)))
    values = rng.random((20, 1))
    mapped = mapping.prepare(configure(kind), source, target).apply(values)
    expected = mapping.prepare(configure("nearest-neighbor"), source, target).apply(values)
    np.testing.assert_array_equal(mapped, expected)
    assert text in caplog.text


def test_many_points_are_handled_as_few_are():
    """More points and elements than the search follows preCICE's tree for, in several batches."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(0.0, 1.0, 61), np.linspace(0.0, 1.0, 61))
    flat = np.stack([x.ravel(), y.ravel()], axis=1)
    vertices = np.concatenate([flat, 0.1 * np.sin(3.0 * flat[:, :1]) * flat[:, 1:]], axis=1)
    source = connectivity.complete(MeshGeometry(vertices, triangles=Delaunay(flat).simplices.astype(np.int64)))
    points = np.concatenate([rng.random((30_000, 2)), rng.normal(0.1, 0.02, (30_000, 1))], axis=1)
    mapped = mapping.prepare(configure("nearest-projection"), source, MeshGeometry(points))
    few = mapping.prepare(configure("nearest-projection"), source, MeshGeometry(points[:300]))
    values = linear_field(vertices)
    np.testing.assert_allclose(mapped.apply(values)[:300], few.apply(values), atol=1e-12)
    assert np.abs(mapped.apply(values) - linear_field(points)).max() < 1.0


# --- scaled ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("where", ["surface", "volume"])
@pytest.mark.parametrize("kind", ["nearest-neighbor", "rbf-global-direct"])
def test_scaled_mappings_keep_integrals(kind, where, dimensions):
    rng = np.random.default_rng(0)
    source, target = cloud(rng, dimensions, 20, "Source"), cloud(rng, dimensions, 30, "Target")
    values = 1.0 + rng.random((len(source.vertices), 2))
    mapped = mapping.prepare(configure(kind, f"scaled-consistent-{where}"), source, target).apply(values)
    volume = where == "volume"
    before = integration_weights(source, volume=volume) @ values
    np.testing.assert_allclose(integration_weights(target, volume=volume) @ mapped, before, rtol=1e-12)


def test_volumes_and_surfaces_are_measured():
    rng = np.random.default_rng(0)
    for dimensions in (2, 3):
        mesh = cloud(rng, dimensions, 15, "Mesh")
        assert integration_weights(mesh, volume=True).sum() == pytest.approx(1.0)
    assert integration_weights(line(0.0, 1.0, 3.0), volume=False).tolist() == [0.5, 1.5, 1.0]


def test_a_component_that_maps_to_zero_is_not_scaled():
    mesh = line(0.0, 1.0)
    mapped = mapping.prepare(configure("nearest-neighbor", "scaled-consistent-surface"), mesh, mesh)
    assert mapped.apply(np.array([[1.0, 1.0], [-1.0, 1.0]])).tolist() == [[1.0, 1.0], [-1.0, 1.0]]


@pytest.mark.parametrize(("where", "name"), [("surface", "edges"), ("volume", "triangles")])
def test_scaling_needs_connectivity(where, name):
    bare, whole = MeshGeometry(np.eye(2), name="Bare"), cloud(np.random.default_rng(0), 2, 5, "Whole")
    with pytest.raises(MappingError, match=f"needs the {name} of mesh Bare, but it has none"):
        mapping.prepare(configure("nearest-neighbor", f"scaled-consistent-{where}"), whole, bare)


# --- just in time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nearest-neighbor", "rbf-pum-direct"])
def test_points_just_in_time_are_mapped_like_meshes(kind):
    rng = np.random.default_rng(0)
    mesh, points = cloud(rng, 2, 300, "Mesh"), rng.random((40, 2))
    values, loads = rng.standard_normal((len(mesh.vertices), 2)), rng.standard_normal((40, 2))
    reader = mapping.prepare_reader(configure(kind), mesh)
    read = reader.evaluate(points, reader.coefficients(values))
    expected = mapping.prepare(configure(kind), mesh, MeshGeometry(points)).apply(values)
    np.testing.assert_allclose(read, expected, atol=1e-9)
    writer = mapping.prepare_writer(configure(kind, "conservative"), mesh)
    collected = writer.start(2)
    for part in (slice(0, 7), slice(7, 7), slice(7, 40)):
        writer.add(points[part], loads[part], collected)
    written = mapping.prepare(configure(kind, "conservative"), MeshGeometry(points), mesh).apply(loads)
    np.testing.assert_allclose(writer.finish(collected), written, atol=1e-9)


def test_coarse_graining_makes_a_density_of_what_particles_carry():
    """Lucy's kernel in space integrates to one: midpoint sums over a fine grid give back what the particles carry."""
    edge, cells = 2.0, 40
    middle = (np.arange(cells) + 0.5) * edge / cells
    grid = np.stack(np.meshgrid(middle, middle, middle, indexing="ij"), axis=-1).reshape(-1, 3)
    writer = mapping.prepare_writer(configure("coarse-graining", "conservative", radius=0.5), MeshGeometry(grid))
    collected = writer.start(2)
    writer.add(np.array([[1.0, 0.9, 1.1], [0.8, 1.2, 1.0]]), np.array([[2.0, 1.0], [3.0, -1.0]]), collected)
    total = writer.finish(collected).sum(axis=0) * (edge / cells) ** 3
    np.testing.assert_allclose(total, [5.0, 0.0], atol=5e-3)


def test_coarse_graining_only_writes_just_in_time():
    mesh = line(0.0, 1.0, name="Mesh")
    graining = mapping.create(configure("coarse-graining", "conservative", radius=0.5))
    with pytest.raises(MappingError, match="cannot map from mesh Mesh, only from points"):
        graining.prepare(mesh, mesh)
    with pytest.raises(MappingError, match="cannot read from mesh Mesh"):
        graining.prepare_reader(mesh)


@pytest.mark.parametrize("make", [mapping.create, lambda c: mapping.prepare_reader(c, line(0.0, 1.0))])
def test_unknown_kinds_are_refused(make):
    with pytest.raises(ValueError, match="'guess'"):
        make(configure("guess"))


# --- connectivity ----------------------------------------------------------------------------------------------------


def test_connectivity_is_completed_without_duplicates():
    mesh = MeshGeometry(
        np.eye(4)[:, :3],
        edges=np.array([[3, 2], [2, 3]]),
        triangles=np.array([[2, 1, 0], [0, 2, 1]]),
        tetrahedra=np.array([[3, 1, 2, 0]]),
    )
    whole = connectivity.complete(mesh)
    assert whole.tetrahedra.tolist() == [[0, 1, 2, 3]]
    assert whole.triangles.tolist() == [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    assert whole.edges.tolist() == [[2, 3], [0, 1], [0, 2], [1, 2], [0, 3], [1, 3]]
    assert connectivity.complete(line(0.0, 1.0)).edges.tolist() == [[0, 1]]
