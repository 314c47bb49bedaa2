"""Where walls lie: planes and circles from volume fractions and phase fields, to better than a cell."""

import itertools
import math

import numpy as np
import pytest

from adapters.scaling import walls


def share_below(offset, normal):
    """Volume of {x in the unit cube: normal . x < offset}, by inclusion and exclusion of its corners."""
    d = len(normal)
    corners = itertools.product((0, 1), repeat=d)
    total = sum((-1) ** sum(c) * np.maximum(offset - np.dot(c, normal), 0) ** d for c in corners)
    return total / (math.factorial(d) * np.prod(normal))


def fractions_of_disc(n, radius, centre=(0.51, 0.507), parts=32):
    x = (np.arange(n * parts) + 0.5) / (n * parts)
    outside = np.hypot(x[:, None] - centre[0], x - centre[1]) > radius
    return outside.reshape(n, parts, n, parts).mean(axis=(1, 3))


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_plane_of_a_fraction(dimension):
    """A plane at a known distance cuts off a known volume; from the volume, the distance again."""
    rng = np.random.default_rng(dimension)
    normal = rng.uniform(0.05, 1, (dimension, 400)) ** 2 * rng.choice([-1, 1], (dimension, 400))
    centre_level = rng.uniform(-0.5, 0.5, 400) * np.abs(normal).sum(axis=0)
    offset = np.abs(normal).sum(axis=0) / 2 + centre_level  # fluid below it
    share = np.array([share_below(o, np.abs(m)) for o, m in zip(offset, normal.T, strict=True)])
    inside = (share > 1e-3) & (share < 1 - 1e-3)
    assert inside.sum() > 300
    found = walls.plane(share[inside], list(normal[:, inside]))
    np.testing.assert_allclose(found, centre_level[inside], atol=1e-6)


def test_a_plane_along_an_axis():
    np.testing.assert_allclose(walls.plane(np.array([0.3, 0.9]), [np.zeros(2), np.full(2, -2.0)]), [-0.4, 0.8])
    np.testing.assert_allclose(walls.plane(np.array([0.3]), [np.zeros(1), np.zeros(1), np.ones(1)]), [-0.2])


@pytest.mark.parametrize("slope", [(1, 0), (1, 1), (2, 1), (3, -1)])
def test_planes_are_exact(slope):
    """Layers at an angle: the level of the cells that their faces cut is the distance, by normals from levels."""
    n, normal = 40, np.array(slope) / np.hypot(*slope)
    x = np.arange(n) + 0.5
    period = n / np.hypot(*slope)
    phase = (normal[0] * x[:, None] + normal[1] * x + 0.3) % period
    distance = period / 4 - np.abs(phase - period / 2)  # flat faces, alternately up and down; folded far from them
    edges = np.abs(normal) + 1e-6
    fluid = np.array([share_below(np.clip(d + edges.sum() / 2, 0, edges.sum()), edges) for d in distance.ravel()])
    level = walls.level(fluid.reshape(1, n, n), (1.0, 1.0))[0]
    cut = (fluid > 1e-6) & (fluid < 1 - 1e-6)
    np.testing.assert_allclose(level.ravel()[cut], distance.ravel()[cut], atol=2e-3)
    near = np.abs(distance) < 0.9
    np.testing.assert_allclose(level[near], distance[near], atol=0.02)


def test_circles_converge_with_second_order():
    errors = []
    for n in (16, 32, 64):
        x = (np.arange(n) + 0.5) / n
        distance = np.hypot(x[:, None] - 0.51, x - 0.507) - 0.31
        level = walls.level(fractions_of_disc(n, 0.31)[None], (1 / n, 1 / n))[0]
        near = np.abs(distance) < 1 / n
        errors.append(np.sqrt(np.mean((level - distance)[near] ** 2)))
    assert errors[2] < 0.02 / 64
    assert np.log2(errors[0] / errors[2]) / 2 == pytest.approx(2, abs=0.2)


def test_cells_that_are_not_square():
    """The same disc on cells of 1 x 1/2."""
    fluid = fractions_of_disc(64, 0.31).reshape(32, 2, 64).mean(axis=1)
    x, y = (np.arange(32) + 0.5) / 32, (np.arange(64) + 0.5) / 64
    distance = np.hypot(x[:, None] - 0.51, y - 0.507) - 0.31
    level = walls.level(fluid[None], (1 / 32, 1 / 64))[0]
    cut = (fluid > 0.01) & (fluid < 0.99)
    assert np.abs(level - distance)[cut].max() < 0.1 / 32


def test_spheres():
    n, parts = 16, 6
    x, fine = (np.arange(n) + 0.5) / n - 0.5, (np.arange(n * parts) + 0.5) / (n * parts) - 0.5
    radius = lambda x: np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + x**2)  # noqa: E731
    fluid = (radius(fine) > 0.3).reshape(n, parts, n, parts, n, parts).mean(axis=(1, 3, 5))
    level = walls.level(fluid[None], (1 / n,) * 3)[0]
    cut = (fluid > 0.01) & (fluid < 0.99)
    assert np.abs(level - radius(x) + 0.3)[cut].max() < 0.2 / n


def test_phase_fields_of_any_width():
    distance = np.linspace(-0.1, 0.1, 21).reshape(1, 3, 7)
    for width in (0.02, 0.05, 1.0):
        level = walls.level(1 / (1 + np.exp(-distance / width)), (1.0, 1.0), "phase-field")
        np.testing.assert_allclose(level * width, distance, atol=1e-12)
    saturated = walls.level(np.array([[[0.0, 1.0]]]), (1.0, 1.0), "phase-field")
    assert saturated[0, 0, 0] == pytest.approx(-saturated[0, 0, 1])


def test_the_walls_of_a_binary_image_are_the_faces_of_its_cells():
    fluid = (np.random.default_rng(0).random((2, 6, 7)) < 0.5).astype(float)
    level = walls.level(fluid, (0.5, 1.0))
    np.testing.assert_array_equal(level > 0, fluid > 0)
    assert set(np.unique(np.abs(level))) == {0.25, 0.75}  # half a cell from a wall, or more
    faces = walls.at_faces(level)
    assert faces.shape == (2, 2, 6, 7)
    np.testing.assert_array_equal(faces[:, 0, 3] > 0, (fluid[:, 2] > 0) & (fluid[:, 3] > 0))
    np.testing.assert_array_equal(faces[:, 1, :, 0] > 0, (fluid[:, :, -1] > 0) & (fluid[:, :, 0] > 0))


def test_a_lone_half_filled_cell():
    fluid = np.zeros((1, 5, 5))
    fluid[0, 2, 2] = 0.5
    level = walls.level(fluid, (1.0, 1.0))
    assert np.isfinite(level).all()
    assert level[0, 2, 2] == pytest.approx(0)
    assert (level[fluid == 0] < 0).all()
