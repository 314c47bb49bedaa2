"""Data mappings between meshes that do not match.

`create(config)` gives a Mapping. It prepares, once, an Operator between two meshes; in a just-in-time mapping it
prepares a PointReader or a PointWriter, because there the points come with every call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded.mapping.settings import MappingConfig

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class MappingError(RuntimeError):
    """A mapping that cannot be set up between the meshes it was given."""


@dataclass(frozen=True)
class MeshGeometry:
    """Points in space and what connects them, by indices into the points.

    Attributes
    ----------
    vertices : (n, dimensions).
    edges, triangles, tetrahedra : (m, 2), (m, 3), (m, 4); without duplicates, and the edges of triangles and the faces
        of tetrahedra included (`connectivity.complete` does that).
    name : for messages.
    """

    vertices: Floats
    edges: Integers = field(default_factory=lambda: np.empty((0, 2), dtype=np.int64))
    triangles: Integers = field(default_factory=lambda: np.empty((0, 3), dtype=np.int64))
    tetrahedra: Integers = field(default_factory=lambda: np.empty((0, 4), dtype=np.int64))
    name: str = ""

    @property
    def dimensions(self) -> int:
        """Return the number of space dimensions, 2 or 3."""
        return int(self.vertices.shape[1])


class Operator(Protocol):
    """A prepared mapping from one mesh to another."""

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        """Map values (n_source, components) to (n_target, components).

        Only nearest-neighbor-gradient looks at the gradients (n_source, components, dimensions).
        """
        ...


class PointReader(Protocol):
    """Reads a mesh's data at any points: just-in-time, consistent."""

    def coefficients(self, values: Floats) -> Any:
        """Digest the values (n_source, components) of one instant; keep the result for all points at that instant."""
        ...

    def evaluate(self, points: Floats, coefficients: Any) -> Floats:
        """Return the values at the points (m, dimensions) as (m, components)."""
        ...


class PointWriter(Protocol):
    """Collects data given at any points on a mesh: just-in-time, conservative."""

    def start(self, components: int) -> Any:
        """Return an empty collection; a new one is needed for every time step."""
        ...

    def add(self, points: Floats, values: Floats, collected: Any) -> None:
        """Add the values (m, components) at the points (m, dimensions)."""
        ...

    def finish(self, collected: Any) -> Floats:
        """Return what was collected as values on the mesh, (n_target, components)."""
        ...


class Mapping(Protocol):
    """A kind of mapping with its parameters, before it knows the meshes."""

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> Operator: ...


class JustInTimeMapping(Mapping, Protocol):
    """A mapping that can also be used point by point."""

    def prepare_reader(self, source: MeshGeometry) -> PointReader: ...

    def prepare_writer(self, target: MeshGeometry) -> PointWriter: ...


def prepare(config: MappingConfig, source: MeshGeometry, target: MeshGeometry) -> Operator:
    """Set up the configured mapping between two meshes."""
    operator = create(config).prepare(source, target)
    if config.is_scaled:
        from scalebridge.embedded.mapping.scaled import ScaledConsistent

        return ScaledConsistent(operator, source, target, volume=config.constraint == "scaled-consistent-volume")
    return operator


def prepare_reader(config: MappingConfig, source: MeshGeometry) -> PointReader:
    """Set up the configured just-in-time mapping for reading from a mesh."""
    return _create_just_in_time(config).prepare_reader(source)


def prepare_writer(config: MappingConfig, target: MeshGeometry) -> PointWriter:
    """Set up the configured just-in-time mapping for writing to a mesh."""
    return _create_just_in_time(config).prepare_writer(target)


def create(config: MappingConfig) -> Mapping:
    """Build the mapping that a configuration describes; scaling is left to `prepare`."""
    match config.kind:
        case "nearest-neighbor" | "rbf-pum-direct" | "rbf" | "coarse-graining":
            return _create_just_in_time(config)
        case "nearest-neighbor-gradient":
            from scalebridge.embedded.mapping.nearest_neighbor import NearestNeighborGradient

            return NearestNeighborGradient()
        case "nearest-projection":
            from scalebridge.embedded.mapping.nearest_projection import NearestProjection

            return NearestProjection(config)
        case "linear-cell-interpolation":
            from scalebridge.embedded.mapping.linear_cell import LinearCellInterpolation

            return LinearCellInterpolation(config)
        case "rbf-global-direct":
            from scalebridge.embedded.mapping.radial_basis import GlobalRadialBasis

            return GlobalRadialBasis(config)
        case "axial-geometric-multiscale":
            from scalebridge.embedded.mapping.geometric_multiscale import AxialMultiscale

            return AxialMultiscale(config)
        case "radial-geometric-multiscale":
            from scalebridge.embedded.mapping.geometric_multiscale import RadialMultiscale

            return RadialMultiscale(config)
    raise ValueError(f"unknown mapping {config.kind!r}")


def _create_just_in_time(config: MappingConfig) -> JustInTimeMapping:
    match config.kind:
        case "nearest-neighbor":
            from scalebridge.embedded.mapping.nearest_neighbor import NearestNeighbor

            return NearestNeighbor(config)
        case "rbf-pum-direct" | "rbf":
            from scalebridge.embedded.mapping.partition_of_unity import PartitionOfUnity

            return PartitionOfUnity(config)
        case "coarse-graining":
            from scalebridge.embedded.mapping.coarse_graining import CoarseGraining

            return CoarseGraining(config)
    raise ValueError(f"mapping {config.kind!r} cannot be used just in time")
