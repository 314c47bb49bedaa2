"""Nearest-projection mapping: linear interpolation at the nearest point of the other surface.

2-D: a point is projected on the nearest edge, else on the nearest vertex; 3-D: on the nearest triangle, else edge, else
vertex, where a projection counts if it falls inside the element and no vertex is nearer.
Bungartz et al., "preCICE - a fully parallel library for multi-physics surface coupling", Comput. Fluids 141 (2016)
250-258; Uekermann, PhD thesis, TU Munich (2016), 3.2. As in preCICE, of the triangles only those four compete whose
bounding boxes are nearest.
"""

from __future__ import annotations

import logging

import numpy as np
from scipy import sparse

from scalebridge.embedded.mapping import Floats, Integers, MeshGeometry
from scalebridge.embedded.mapping.barycentric import INSIDE, Interpolation, coordinates, distances, first_of_each
from scalebridge.embedded.mapping.search import BATCH, ElementSearch, NearestSearch
from scalebridge.embedded.mapping.settings import MappingConfig
from scalebridge.embedded.mapping.sparse_product import SparseProduct

_log = logging.getLogger(__name__)


class NearestProjection:
    """Projection on the source mesh (consistent), or of the source on the target mesh (conservative)."""

    def __init__(self, config: MappingConfig) -> None:
        self._conservative = config.constraint == "conservative"

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> SparseProduct:
        """Project once."""
        mesh, points = (target, source) if self._conservative else (source, target)
        if len(points.vertices) and len(mesh.edges if mesh.dimensions == 2 else mesh.triangles) == 0:
            kind = "edges" if mesh.dimensions == 2 else "triangles"
            _log.warning("mesh %s has no %s: nearest-projection falls back to lower elements", mesh.name, kind)
        matrix = project(mesh, points.vertices)
        return SparseProduct(sparse.csr_array(matrix.T) if self._conservative else matrix)


def project(mesh: MeshGeometry, points: Floats) -> sparse.csr_array:
    """Return the interpolation weights (points, vertices of the mesh) at the nearest projections of points (m, dim)."""
    interpolation = Interpolation(len(points), len(mesh.vertices))
    add_projections(interpolation, mesh, points, np.arange(len(points)))
    return interpolation.matrix()


def add_projections(interpolation: Interpolation, mesh: MeshGeometry, points: Floats, rows: Integers) -> None:
    """Add the nearest projections of points[rows] to an interpolation."""
    vertex = NearestSearch(mesh.vertices).nearest(points[rows])
    limit = np.linalg.norm(points[rows] - mesh.vertices[vertex], axis=1)
    pending = np.arange(len(rows))
    for elements in [mesh.edges] if mesh.dimensions == 2 else [mesh.triangles, mesh.edges]:
        if len(elements) == 0:
            continue
        search = ElementSearch(mesh.vertices, elements)
        found = []
        for part in np.array_split(pending, range(BATCH, len(pending), BATCH)):
            which, element, weights = _nearest(search, mesh.vertices, elements, points[rows[part]], limit[part])
            interpolation.add(rows[part[which]], elements[element], weights)
            found.append(part[which])
        pending = np.setdiff1d(pending, np.concatenate(found), assume_unique=True)
    interpolation.add(rows[pending], vertex[pending, None], np.ones((len(pending), 1)))


def _nearest(
    search: ElementSearch, vertices: Floats, elements: Integers, points: Floats, limit: Floats
) -> tuple[Integers, Integers, Floats]:
    """Return those points that have a projection within `limit` (m,), the element it falls in, and its weights."""
    pairs, element = search.within(points, limit) if elements.shape[1] == 2 else search.nearest_boxes(points)
    weights = coordinates(vertices, elements[element], points[pairs])
    inside = np.all(weights >= INSIDE, axis=1)
    pairs, element, weights = pairs[inside], element[inside], weights[inside]
    distance = distances(vertices, elements[element], points[pairs], weights)
    best = first_of_each(pairs, distance)
    best = best[distance[best] <= limit[pairs[best]]]
    return pairs[best], element[best], weights[best]
