"""Connectivity of a mesh made complete, as mappings, integrals and exports expect it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scalebridge.embedded.mapping import Integers, MeshGeometry

FACES = ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3))  # of a tetrahedron
SIDES = ((0, 1), (0, 2), (1, 2))  # of a triangle


def complete(mesh: MeshGeometry) -> MeshGeometry:
    """Remove duplicates, and add the faces of tetrahedra and the edges of triangles that are missing.

    As in preCICE, corners are sorted by index and elements by their corners; what is added follows in the order of the
    elements that it is part of.
    """
    tetrahedra = _sorted(mesh.tetrahedra)
    triangles = _with_parts(_sorted(mesh.triangles), tetrahedra, FACES)
    edges = _with_parts(_sorted(mesh.edges), triangles, SIDES)
    return replace(mesh, edges=edges, triangles=triangles, tetrahedra=tetrahedra)


def _sorted(elements: Integers) -> Integers:
    """Return elements (m, corners) with sorted corners, sorted, without duplicates."""
    if len(elements) == 0:
        return elements
    return np.unique(np.sort(elements, axis=1), axis=0)


def _with_parts(elements: Integers, larger: Integers, parts: tuple[tuple[int, ...], ...]) -> Integers:
    """Return the elements (m, corners), followed by those parts of larger elements that miss."""
    if len(larger) == 0:
        return elements
    implied = np.stack([larger[:, part] for part in parts], axis=1).reshape(-1, len(parts[0]))
    everything = np.concatenate([elements, implied])
    first = np.unique(everything, axis=0, return_index=True)[1]
    return everything[np.sort(first)]
