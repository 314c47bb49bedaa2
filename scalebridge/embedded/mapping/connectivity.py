"""Connectivity of a mesh made complete, as mappings, integrals and exports expect it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scalebridge.embedded.mapping import Integers, MeshGeometry

FACES = ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3))  # of a tetrahedron
SIDES = ((0, 1), (0, 2), (1, 2))  # of a triangle


def complete(mesh: MeshGeometry) -> MeshGeometry:
    """Remove duplicates, and add the faces of tetrahedra and the edges of triangles that are missing."""
    tetrahedra = _unique(mesh.tetrahedra)
    triangles = _with_parts(mesh.triangles, tetrahedra, FACES)
    edges = _with_parts(mesh.edges, triangles, SIDES)
    return replace(mesh, edges=edges, triangles=triangles, tetrahedra=tetrahedra)


def _with_parts(elements: Integers, larger: Integers, parts: tuple[tuple[int, ...], ...]) -> Integers:
    """Return the elements (m, corners) without duplicates, followed by those parts of larger elements that miss."""
    implied = np.concatenate([larger[:, part] for part in parts])
    return _unique(np.concatenate([elements, np.sort(implied, axis=1)]))


def _unique(elements: Integers) -> Integers:
    """Return the first of all elements (m, corners) with the same corners, in the order they came in."""
    if len(elements) == 0:
        return elements
    first = np.unique(np.sort(elements, axis=1), axis=0, return_index=True)[1]
    return elements[np.sort(first)]
