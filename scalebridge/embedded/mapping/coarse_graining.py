"""Coarse graining: particles give their quantity to all mesh vertices around them, as a density.

The value at a vertex grows by K(r) times what a particle at distance r carries, with Lucy's kernel in three dimensions
K(r) = 105 / (16 pi c^3) (1 + 3 r/c) (1 - r/c)^3 for r < c.
Lucy, Astron. J. 82 (1977) 1013-1024; Goldhirsch, Granular Matter 12 (2010) 239-252.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scalebridge.embedded.mapping import Floats, MappingError, MeshGeometry, Operator, PointReader
from scalebridge.embedded.mapping.clustering import Balls
from scalebridge.embedded.mapping.settings import MappingConfig


class CoarseGraining:
    """Just-in-time writing only."""

    def __init__(self, config: MappingConfig) -> None:
        self._radius = config.radius

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> Operator:
        """Refuse: there is no such mapping between meshes."""
        raise MappingError(f"coarse-graining cannot map from mesh {source.name}, only from points given just in time")

    def prepare_reader(self, source: MeshGeometry) -> PointReader:
        """Refuse: there is no such mapping for reading."""
        raise MappingError(f"coarse-graining cannot read from mesh {source.name}, only write")

    def prepare_writer(self, target: MeshGeometry) -> GrainWriter:
        """Prepare writing at points."""
        return GrainWriter(Balls(target.vertices, self._radius))


@dataclass(frozen=True)
class GrainWriter:
    """Spreads what particles carry to the vertices, around each of which is a ball."""

    balls: Balls

    def start(self, components: int) -> Floats:
        """Return zeros (n, components)."""
        return np.zeros((len(self.balls.centres), components))

    def add(self, points: Floats, values: Floats, collected: Floats) -> None:
        """Add the values (m, components) of particles at points (m, dim)."""
        particle, vertex, distance = self.balls.pairs(points)
        c = self.balls.radius
        ratio = distance / c
        kernel = 105.0 / (16.0 * np.pi * c**3) * (1.0 + 3.0 * ratio) * (1.0 - ratio) ** 3
        collected += sparse.csr_array((kernel, (vertex, particle)), shape=(len(collected), len(points))) @ values

    def finish(self, collected: Floats) -> Floats:
        """Return what was collected."""
        return collected
