"""Linear-cell-interpolation mapping: linear interpolation in the triangle (2-D) or tetrahedron (3-D) around a point.

Points outside all cells are projected on the mesh as in the nearest-projection mapping. As in preCICE, of the triangles
only those four compete whose bounding boxes are nearest; of the tetrahedra all do whose boxes contain the point.
Chourdakis et al., "preCICE v2: a sustainable and user-friendly coupling library", Open Res. Europe 2 (2022) 51.
"""

from __future__ import annotations

import logging

import numpy as np
from scipy import sparse

from scalebridge.embedded.mapping import Floats, MeshGeometry
from scalebridge.embedded.mapping.barycentric import INSIDE, Interpolation, coordinates, first_of_each
from scalebridge.embedded.mapping.nearest_projection import add_projections
from scalebridge.embedded.mapping.search import BATCH, ElementSearch
from scalebridge.embedded.mapping.settings import MappingConfig
from scalebridge.embedded.mapping.sparse_product import SparseProduct

_log = logging.getLogger(__name__)


class LinearCellInterpolation:
    """Interpolation in the source mesh (consistent), or its transpose with the target mesh (conservative)."""

    def __init__(self, config: MappingConfig) -> None:
        self._conservative = config.constraint == "conservative"

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> SparseProduct:
        """Find the cells once."""
        mesh, points = (target, source) if self._conservative else (source, target)
        matrix = interpolate(mesh, points.vertices)
        return SparseProduct(sparse.csr_array(matrix.T) if self._conservative else matrix)


def interpolate(mesh: MeshGeometry, points: Floats) -> sparse.csr_array:
    """Return the interpolation weights (points, vertices of the mesh) at points (m, dim)."""
    cells = mesh.triangles if mesh.dimensions == 2 else mesh.tetrahedra
    interpolation = Interpolation(len(points), len(mesh.vertices))
    outside = np.ones(len(points), dtype=bool)
    if len(cells) == 0:
        if len(points):
            _log.warning("mesh %s has no cells: linear-cell-interpolation falls back to projection", mesh.name)
    else:
        search = ElementSearch(mesh.vertices, cells)
        for begin in range(0, len(points), BATCH):
            part = points[begin : begin + BATCH]
            if mesh.dimensions == 2:
                pairs, element = search.nearest_boxes(part)
            else:
                pairs, element = search.within(part, np.zeros(len(part)))
            weights = coordinates(mesh.vertices, cells[element], part[pairs])
            inside = np.all(weights >= INSIDE, axis=1)
            pairs, element, weights = pairs[inside], element[inside], weights[inside]
            best = first_of_each(pairs, element)
            interpolation.add(begin + pairs[best], cells[element[best]], weights[best])
            outside[begin + pairs[best]] = False
    add_projections(interpolation, mesh, points, np.flatnonzero(outside))
    return interpolation.matrix()
