"""Mappings between models of different dimension: mean values, known profiles, and meshes that do not fit."""

import numpy as np
import pytest

from scalebridge.embedded import mapping
from scalebridge.embedded.mapping import MappingError, MeshGeometry
from scalebridge.embedded.mapping.settings import MappingConfig, MultiscaleConfig

CENTRE = MeshGeometry(np.zeros((1, 3)), name="Pipe")
LINE = MeshGeometry(np.array([[x, 0.0, 0.0] for x in (-0.8, -0.4, 0.0, 0.4, 0.8)]), name="Line")


def prepare(kind, source, target, **settings):
    options = {"axis": "z", "radius": 1.0, **settings}
    config = MappingConfig(kind, "read", "Source", "Target", "consistent", multiscale=MultiscaleConfig(**options))
    return mapping.prepare(config, source, target)


def axial(source, target, **settings):
    return prepare("axial-geometric-multiscale", source, target, **settings)


def square(cells):
    """Midpoints of square cells that fill the square from -1 to 1."""
    middle = -1.0 + (np.arange(cells) + 0.5) * 2.0 / cells
    x, y = np.meshgrid(middle, middle, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)


def disc(cells):
    points = square(cells)
    return points[np.hypot(points[:, 0], points[:, 1]) < 1.0]


SECTIONS = [
    ("1d-3d", "circle", "uniform", disc(200), 1e-12),
    ("1d-3d", "circle", "parabolic", disc(200), 1e-3),  # Hagen and Poiseuille: maximum twice the mean
    ("1d-3d", "square", "parabolic", square(200), 2e-3),  # a fit: its mean is one to a few digits
    ("1d-2d", "circle", "parabolic", square(200)[99::200] * [1.0, 0.0, 0.0], 1e-3),  # plates: maximum 3/2 of the mean
]


@pytest.mark.parametrize(("dimension", "section", "profile", "points", "tolerance"), SECTIONS)
def test_profiles_have_the_mean_of_the_axis(dimension, section, profile, points, tolerance):
    settings = {"dimension": dimension, "cross_section": section, "profile": profile}
    target = MeshGeometry(points, name="Section")
    spread = axial(CENTRE, target, type="spread", **settings).apply(np.array([[3.0]]))
    assert spread.mean() == pytest.approx(3.0, rel=tolerance)
    collected = axial(target, CENTRE, type="collect", **settings).apply(spread)
    assert collected[0, 0] == pytest.approx(3.0, rel=tolerance)


@pytest.mark.parametrize("component", [0, 1, 2])
def test_vectors_travel_along_the_axis_only(component):
    target = MeshGeometry(np.roll(disc(8), component + 1, axis=1))
    mapped = axial(CENTRE, target, type="spread", axis="xyz"[component]).apply(np.array([[2.0, 3.0, 4.0]]))
    expected = np.zeros((len(target.vertices), 3))
    expected[:, component] = 2.0 + component
    np.testing.assert_array_equal(mapped, expected)


def test_a_line_is_spread_across_and_collected_again():
    """Uniform: every vertex of the section belongs to its nearest vertex of the line."""
    section = MeshGeometry(square(40))
    values = np.array([[1.0], [2.0], [4.0], [2.0], [1.0]])
    spread = axial(LINE, section, type="spread", dimension="2d-3d").apply(values)
    nearest = np.abs(section.vertices[:, :1] - LINE.vertices[:, 0]).argmin(axis=1)
    np.testing.assert_array_equal(spread, values[nearest])
    np.testing.assert_allclose(axial(section, LINE, type="collect", dimension="2d-3d").apply(spread), values)


def test_profiles_across_a_line_vanish_at_the_wall():
    section = MeshGeometry(np.array([[0.0, y, 0.0] for y in (-1.0, -0.5, 0.0, 0.5, 1.0)] + [[0.8, 0.0, 0.0]]))
    for shape, peak in (("circle", 4.0 / 3.0), ("square", 2.096 / 1.5)):
        settings = {"type": "spread", "dimension": "2d-3d", "profile": "parabolic", "cross_section": shape}
        spread = axial(LINE, section, **settings).apply(np.ones((5, 1))).ravel()
        assert spread[2] == pytest.approx(peak)
        np.testing.assert_allclose(spread[[0, 4]], 0.0, atol=1e-12)
        assert 0.0 < spread[1] == pytest.approx(spread[3])


@pytest.mark.parametrize(("shape", "factor"), [("circle", 9.0 / 8.0), ("square", 1.03745 * 0.84**0.121)])
def test_collecting_a_profile_on_a_line_corrects_the_mean(shape, factor):
    settings = {"type": "collect", "dimension": "2d-3d", "profile": "parabolic", "cross_section": shape}
    collected = axial(MeshGeometry(square(20)), LINE, **settings).apply(np.ones((400, 1)))
    assert collected[1, 0] == pytest.approx(factor)


def test_walls_belong_to_the_nearest_vertex_along_the_axis():
    pipe = MeshGeometry(np.array([[0.0, 0.0, z] for z in (2.0, 0.0, 1.0)]), name="Pipe")  # in any order
    wall = MeshGeometry(np.array([[1.0, 0.0, z] for z in (-1.0, 0.2, 0.7, 1.4, 1.6, 9.0)]), name="Wall")
    kind = "radial-geometric-multiscale"
    spread = prepare(kind, pipe, wall, type="spread").apply(np.array([[20.0], [0.0], [10.0]]))
    assert spread.ravel().tolist() == [0.0, 0.0, 10.0, 10.0, 20.0, 20.0]
    collected = prepare(kind, wall, pipe, type="collect").apply(np.arange(6.0)[:, None])
    assert collected.ravel().tolist() == [4.5, 0.5, 2.5]
    vectors = prepare(kind, pipe, wall, type="spread").apply(np.ones((3, 3)))
    assert vectors.sum(axis=0).tolist() == [6.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("source", "target", "settings", "text"),
    [
        (LINE, CENTRE, {"type": "spread"}, "1d-3d of type spread needs exactly one vertex in mesh Line, which has 5"),
        (
            LINE,
            CENTRE,
            {"type": "collect", "dimension": "2d-3d"},
            "of type collect needs more than one vertex in mesh Pipe",
        ),
        (
            CENTRE,
            MeshGeometry(np.array([[3.0, 0, 0]]), name="Far"),
            {"type": "spread"},
            "vertex 0 of mesh Far is 3 radii",
        ),
    ],
)
def test_meshes_that_do_not_fit_are_named(source, target, settings, text):
    with pytest.raises(MappingError, match=text):
        axial(source, target, **settings)


def test_an_axis_vertex_without_a_wall_is_named():
    pipe = MeshGeometry(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 5.0]]), name="Pipe")
    wall = MeshGeometry(np.array([[1.0, 0.0, 1.0]]), name="Wall")
    with pytest.raises(MappingError, match="no vertex of mesh Wall is nearest to vertex 1 of mesh Pipe"):
        prepare("radial-geometric-multiscale", wall, pipe, type="collect")
