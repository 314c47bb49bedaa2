"""What a case may choose about a data mapping: the content of `<mapping:...>` in plain data."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = (
    "nearest-neighbor",
    "nearest-neighbor-gradient",
    "nearest-projection",
    "linear-cell-interpolation",
    "rbf-global-direct",
    "rbf-pum-direct",
    "rbf",
    "coarse-graining",
    "axial-geometric-multiscale",
    "radial-geometric-multiscale",
)
RADIAL_BASIS_KINDS = ("rbf-global-direct", "rbf-pum-direct", "rbf")
JUST_IN_TIME_KINDS = ("nearest-neighbor", "rbf-pum-direct", "rbf", "coarse-graining")
CONSTRAINTS = ("consistent", "conservative", "scaled-consistent-surface", "scaled-consistent-volume")
COMPACT_BASIS_FUNCTIONS = (
    "compact-polynomial-c0",
    "compact-polynomial-c2",
    "compact-polynomial-c4",
    "compact-polynomial-c6",
    "compact-polynomial-c8",
    "compact-tps-c2",
)
CONDITIONALLY_DEFINITE = ("multiquadrics", "thin-plate-splines", "volume-splines")
SHAPED_BASIS_FUNCTIONS = ("multiquadrics", "inverse-multiquadrics")
BASIS_FUNCTIONS = (
    *COMPACT_BASIS_FUNCTIONS,
    *SHAPED_BASIS_FUNCTIONS,
    "gaussian",
    "thin-plate-splines",
    "volume-splines",
)


@dataclass(frozen=True)
class BasisFunctionConfig:
    """`<basis-function:KIND>`; None where the attribute is absent."""

    kind: str
    support_radius: float | None = None
    shape_parameter: float | None = None


@dataclass(frozen=True)
class MultiscaleConfig:
    """The `multiscale-...` attributes of the two geometric multiscale mappings.

    `dimension`, `profile` and `cross_section` are of the axial mapping only.
    """

    type: str  # "spread" or "collect"
    axis: str  # "x", "y" or "z"
    radius: float
    dimension: str = "1d-3d"  # or "1d-2d", "2d-3d"
    profile: str = "uniform"  # or "parabolic"
    cross_section: str = "circle"  # or "square"


@dataclass(frozen=True)
class MappingConfig:
    """`<mapping:KIND>`.

    Attributes
    ----------
    kind : one of KINDS.
    direction : "read" or "write".
    from_mesh, to_mesh : names; exactly one is None in a just-in-time mapping.
    constraint : one of CONSTRAINTS.
    basis_function : of the radial-basis kinds.
    polynomial : "separate", "on" or "off" (radial-basis kinds).
    dead_axes : axes x, y, z to ignore (global radial-basis kinds).
    vertices_per_cluster, relative_overlap, project_to_input : of rbf-pum-direct.
    radius : of coarse-graining.
    multiscale : of the geometric multiscale kinds.
    """

    kind: str
    direction: str
    from_mesh: str | None
    to_mesh: str | None
    constraint: str
    basis_function: BasisFunctionConfig | None = None
    polynomial: str = "separate"
    dead_axes: tuple[bool, bool, bool] = (False, False, False)
    vertices_per_cluster: int = 50
    relative_overlap: float = 0.15
    project_to_input: bool = True
    radius: float = 0.0
    multiscale: MultiscaleConfig | None = None

    @property
    def is_just_in_time(self) -> bool:
        """Say whether one side is given point by point in the API instead of by a mesh."""
        return self.from_mesh is None or self.to_mesh is None

    @property
    def is_scaled(self) -> bool:
        """Say whether the constraint is one of the scaled-consistent ones."""
        return self.constraint.startswith("scaled-consistent")

    @property
    def needs_connectivity(self) -> tuple[bool, bool]:
        """Say whether the mapping needs the edges, triangles and tetrahedra of the source and of the target mesh."""
        if self.is_scaled:
            return True, True
        if self.kind in ("nearest-projection", "linear-cell-interpolation"):
            return self.constraint == "consistent", self.constraint == "conservative"
        return False, False

    @property
    def needs_gradients(self) -> bool:
        """Say whether the gradients of the source data are needed."""
        return self.kind == "nearest-neighbor-gradient"


def problems(config: MappingConfig, dimensions: int) -> list[str]:
    """Return what is wrong with the values of a mapping between meshes of 2 or 3 dimensions, one sentence each."""
    found = []
    if config.is_just_in_time:
        found.extend(_problems_just_in_time(config))
    elif config.kind == "coarse-graining":
        found.append("coarse-graining exists only as just-in-time mapping: leave the from attribute out")
    if config.kind == "coarse-graining" and config.constraint != "conservative":
        found.append("coarse-graining exists only with the constraint conservative")
    if config.kind == "coarse-graining" and not config.radius > 0.0:
        found.append(f"the radius of coarse-graining is {config.radius}, but must be larger than 0")
    gradient_like = ("nearest-neighbor-gradient", "axial-geometric-multiscale", "radial-geometric-multiscale")
    if config.kind in gradient_like and config.constraint == "conservative":
        found.append(f"{config.kind} cannot be conservative")
    if config.kind == "nearest-projection" and config.constraint == "scaled-consistent-volume":
        found.append("nearest-projection cannot be scaled-consistent-volume; use scaled-consistent-surface")
    if config.kind == "linear-cell-interpolation" and config.constraint == "scaled-consistent-surface":
        found.append("linear-cell-interpolation cannot be scaled-consistent-surface; use scaled-consistent-volume")
    if config.kind in RADIAL_BASIS_KINDS:
        found.extend(_problems_radial_basis(config, dimensions))
    if config.multiscale is not None:
        found.extend(_problems_multiscale(config.kind, config.multiscale, dimensions))
    return found


def _problems_just_in_time(config: MappingConfig) -> list[str]:
    if config.from_mesh is None and config.to_mesh is None:
        return ["neither a from nor a to mesh is given"]
    found = []
    if config.kind not in JUST_IN_TIME_KINDS:
        found.append(f"{config.kind} cannot be a just-in-time mapping; use one of {', '.join(JUST_IN_TIME_KINDS)}")
    if config.to_mesh is None and (config.direction, config.constraint) != ("read", "consistent"):
        found.append("a just-in-time mapping without to mesh must have direction read and constraint consistent")
    if config.from_mesh is None and (config.direction, config.constraint) != ("write", "conservative"):
        found.append("a just-in-time mapping without from mesh must have direction write and constraint conservative")
    return found


def _problems_radial_basis(config: MappingConfig, dimensions: int) -> list[str]:
    found = []
    if config.kind == "rbf-global-direct" and all(config.dead_axes[:dimensions]):
        found.append("all axes are dead, so there is nothing to map along")
    if config.kind != "rbf-global-direct":
        if config.polynomial == "on":
            found.append('polynomial="on" exists only for rbf-global-direct; use separate or off')
        if config.vertices_per_cluster < 1:
            found.append(f"vertices-per-cluster is {config.vertices_per_cluster}, but must be at least 1")
        if not 0.0 <= config.relative_overlap < 1.0:
            found.append(f"relative-overlap is {config.relative_overlap}, but must be at least 0 and smaller than 1")
    if config.basis_function is None:
        return [*found, f"{config.kind} needs a basis-function"]
    if config.polynomial == "on" and config.basis_function.kind not in CONDITIONALLY_DEFINITE:
        found.append(
            f'polynomial="on" is not supported with basis-function {config.basis_function.kind}; '
            f"use separate or off, or one of {', '.join(CONDITIONALLY_DEFINITE)}"
        )
    return found + _problems_basis_function(config.basis_function)


def _problems_basis_function(function: BasisFunctionConfig) -> list[str]:
    found = []
    radius, shape = function.support_radius, function.shape_parameter
    if function.kind == "gaussian" and (radius is None) == (shape is None):
        found.append("basis-function gaussian needs either a shape-parameter or a support-radius")
    if function.kind in COMPACT_BASIS_FUNCTIONS and radius is None:
        found.append(f"basis-function {function.kind} needs a support-radius")
    if function.kind in SHAPED_BASIS_FUNCTIONS and shape is None:
        found.append(f"basis-function {function.kind} needs a shape-parameter")
    if radius is not None and not radius > 0.0:
        found.append(f"support-radius of basis-function {function.kind} is {radius}, but must be larger than 0")
    if shape is not None and not shape > 0.0:
        found.append(f"shape-parameter of basis-function {function.kind} is {shape}, but must be larger than 0")
    return found


def _problems_multiscale(kind: str, multiscale: MultiscaleConfig, dimensions: int) -> list[str]:
    found = []
    if not multiscale.radius > 0.0:
        found.append(f"multiscale-radius is {multiscale.radius}, but must be larger than 0")
    if multiscale.axis == "z" and dimensions == 2:
        found.append("multiscale-axis is z, but the meshes have 2 dimensions")
    in_space = multiscale.dimension == "2d-3d" or multiscale.cross_section == "square"
    if kind == "axial-geometric-multiscale" and in_space and dimensions == 2:
        found.append("multiscale-dimension 2d-3d and multiscale-cross-section square need meshes of 3 dimensions")
    return found
