"""Scaled-consistent mapping: a consistent mapping whose result is scaled so that its integral is that of the source.

The integral is over the surface (edges in 2-D, triangles in 3-D) or the volume (triangles in 2-D, tetrahedra in 3-D),
each component on its own.
"""

from __future__ import annotations

import numpy as np

from scalebridge.embedded.mapping import Floats, MappingError, MeshGeometry, Operator


class ScaledConsistent:
    """A consistent operator followed by a scaling of each component."""

    def __init__(self, operator: Operator, source: MeshGeometry, target: MeshGeometry, *, volume: bool) -> None:
        self._operator = operator
        self._source_weights = integration_weights(source, volume=volume)
        self._target_weights = integration_weights(target, volume=volume)

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        """Map values (n_source, components); a component whose mapped integral is zero is not scaled."""
        mapped = self._operator.apply(values, gradients)
        wanted = self._source_weights @ values
        reached = self._target_weights @ mapped
        factor = np.ones_like(wanted)
        np.divide(wanted, reached, out=factor, where=reached != 0.0)
        return mapped * factor


def integration_weights(mesh: MeshGeometry, *, volume: bool) -> Floats:
    """Return the weights (n,) with which vertex values add up to the integral of the piecewise linear field."""
    corners = mesh.dimensions + int(volume)
    elements, name = {2: (mesh.edges, "edges"), 3: (mesh.triangles, "triangles"), 4: (mesh.tetrahedra, "tetrahedra")}[
        corners
    ]
    if len(elements) == 0 and len(mesh.vertices) > 0:
        raise MappingError(f"a scaled-consistent mapping needs the {name} of mesh {mesh.name}, but it has none")
    share = element_sizes(mesh.vertices, elements) / corners
    return np.bincount(elements.ravel(), weights=np.repeat(share, corners), minlength=len(mesh.vertices))


def element_sizes(vertices: Floats, elements: np.ndarray) -> Floats:
    """Return length, area or volume of elements (m, 2), (m, 3) or (m, 4), (m,)."""
    sides = vertices[elements[:, 1:]] - vertices[elements[:, :1]]  # (m, corners - 1, dim)
    gram = sides @ sides.transpose(0, 2, 1)
    factorial = {1: 1.0, 2: 2.0, 3: 6.0}[sides.shape[1]]
    return np.asarray(np.sqrt(np.maximum(np.linalg.det(gram), 0.0)) / factorial)
