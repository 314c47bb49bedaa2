"""What a mapping may be configured to, and what it then needs of the meshes and data."""

import pytest

from scalebridge.embedded.mapping.settings import (
    KINDS,
    BasisFunctionConfig,
    MappingConfig,
    MultiscaleConfig,
    problems,
)

C2 = BasisFunctionConfig("compact-polynomial-c2", support_radius=1.0)


def configure(kind="nearest-neighbor", constraint="consistent", direction="read", meshes=("A", "B"), **options):
    return MappingConfig(kind, direction, *meshes, constraint, **options)


def rbf(kind="rbf-global-direct", function=C2, **options):
    return configure(kind, basis_function=function, **options)


def radial(**options):
    return MultiscaleConfig(**{"type": "spread", "axis": "x", "radius": 1.0, **options})


WRONG = [
    (configure(meshes=(None, None)), "neither a from nor a to mesh"),
    (configure("nearest-projection", meshes=("A", None)), "nearest-projection cannot be a just-in-time mapping"),
    (configure(meshes=("A", None), direction="write"), "without to mesh must have direction read"),
    (configure(meshes=(None, "B")), "without from mesh must have direction write"),
    (configure("coarse-graining", "conservative", radius=1.0), "exists only as just-in-time mapping"),
    (
        configure("coarse-graining", "conservative", "write", (None, "B"), radius=0.0),
        "the radius of coarse-graining is 0.0",
    ),
    (configure("nearest-neighbor-gradient", "conservative"), "nearest-neighbor-gradient cannot be conservative"),
    (
        configure("radial-geometric-multiscale", "conservative", multiscale=radial()),
        "radial-geometric-multiscale cannot be conservative",
    ),
    (configure("nearest-projection", "scaled-consistent-volume"), "use scaled-consistent-surface"),
    (configure("linear-cell-interpolation", "scaled-consistent-surface"), "use scaled-consistent-volume"),
    (rbf(dead_axes=(True, True, False)), "all axes are dead"),
    (rbf("rbf-pum-direct", polynomial="on", function=BasisFunctionConfig("volume-splines")), "only for rbf-global"),
    (rbf("rbf-pum-direct", vertices_per_cluster=0), "vertices-per-cluster is 0"),
    (rbf("rbf-pum-direct", relative_overlap=1.0), "relative-overlap is 1.0"),
    (rbf(function=None), "rbf-global-direct needs a basis-function"),
    (rbf(polynomial="on"), 'polynomial="on" is not supported with basis-function compact-polynomial-c2'),
    (rbf(function=BasisFunctionConfig("gaussian")), "needs either a shape-parameter or a support-radius"),
    (rbf(function=BasisFunctionConfig("gaussian", 1.0, 1.0)), "needs either a shape-parameter or a support-radius"),
    (rbf(function=BasisFunctionConfig("compact-tps-c2")), "compact-tps-c2 needs a support-radius"),
    (rbf(function=BasisFunctionConfig("multiquadrics")), "multiquadrics needs a shape-parameter"),
    (
        rbf(function=BasisFunctionConfig("compact-tps-c2", -1.0)),
        "support-radius of basis-function compact-tps-c2 is -1",
    ),
    (rbf(function=BasisFunctionConfig("gaussian", None, 0.0)), "shape-parameter of basis-function gaussian is 0"),
    (configure("radial-geometric-multiscale", multiscale=radial(radius=0.0)), "multiscale-radius is 0.0"),
    (configure("radial-geometric-multiscale", multiscale=radial(axis="z")), "multiscale-axis is z"),
    (
        configure("axial-geometric-multiscale", multiscale=radial(cross_section="square")),
        "multiscale-cross-section square need meshes of 3 dimensions",
    ),
]


@pytest.mark.parametrize(("config", "text"), WRONG)
def test_what_is_wrong_is_named_once(config, text):
    found = problems(config, 2)
    assert len(found) == 1
    assert text in found[0]


def test_coarse_graining_that_reads_is_wrong_in_several_ways():
    found = problems(configure("coarse-graining", meshes=("A", None), radius=1.0), 2)
    assert found == ["coarse-graining exists only with the constraint conservative"]


@pytest.mark.parametrize(
    "config",
    [
        configure(),
        configure(meshes=("A", None)),
        configure("coarse-graining", "conservative", "write", (None, "B"), radius=0.1),
        rbf(),
        rbf(polynomial="on", function=BasisFunctionConfig("thin-plate-splines")),
        rbf("rbf"),
        configure("axial-geometric-multiscale", multiscale=radial(dimension="1d-2d")),
    ],
)
def test_what_is_right_is_not_complained_about(config):
    assert problems(config, 2) == []


@pytest.mark.parametrize("kind", KINDS)
def test_connectivity_and_gradients_are_asked_for_where_they_are_used(kind):
    projecting = kind in ("nearest-projection", "linear-cell-interpolation")
    assert configure(kind).needs_connectivity == (projecting, False)
    assert configure(kind, "conservative").needs_connectivity == (False, projecting)
    assert configure(kind, "scaled-consistent-surface").needs_connectivity == (True, True)
    assert configure(kind).needs_gradients == (kind == "nearest-neighbor-gradient")
