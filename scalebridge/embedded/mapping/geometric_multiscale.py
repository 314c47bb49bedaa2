"""Mappings between models of different dimension: a pipe's axis on one side, its cross-section or wall on the other.

Axial: values travel along the axis through a cross-section. "spread" gives a flow profile with the mean value of the
lower-dimensional side, "collect" the mean. Radial: values are exchanged with what lies around the axis; each vertex
belongs to the axis vertex that is nearest along the axis.
Formaggia, Gerbeau, Nobile, Quarteroni, Comput. Methods Appl. Mech. Engrg. 191 (2001) 561-582 (the coupling);
White, Viscous Fluid Flow, 3-3 (the laminar profiles; that of a square duct is a fit with maximum 2.096 times the mean).
Vector data are mapped in one component only: axial along the axis, radial the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scalebridge.embedded.mapping import Floats, Integers, MappingError, MeshGeometry
from scalebridge.embedded.mapping.search import NearestSearch
from scalebridge.embedded.mapping.settings import MappingConfig, MultiscaleConfig

OUTSIDE = 1.05  # distance by radius up to which a vertex counts as part of the cross-section
SQUARE_PEAK, SQUARE_POWER = 2.096, 0.879  # u / mean = peak ((1 - s1^2) (1 - s2^2))^power in a square duct
LINE_PEAK = 1.5  # of the parabola between two plates
SMALL = 1e-12


@dataclass(frozen=True)
class OneComponent:
    """A sparse matrix for one component of the data; the others become zero."""

    matrix: sparse.csr_array
    component: int

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        """Map values (n_source, components)."""
        component = self.component if values.shape[1] > 1 else 0
        result = np.zeros((self.matrix.shape[0], values.shape[1]))
        result[:, component] = self.matrix @ values[:, component]
        return result


class AxialMultiscale:
    """Between one vertex, or a line of vertices, and a cross-section."""

    def __init__(self, config: MappingConfig) -> None:
        assert config.multiscale is not None
        self._settings = config.multiscale
        self._axis = "xyz".index(config.multiscale.axis)

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> OneComponent:
        """Find weights once."""
        spread, line = self._settings.type == "spread", self._settings.dimension == "2d-3d"
        low, high = (source, target) if spread else (target, source)
        if (len(low.vertices) > 1) != line:
            wanted = "more than one vertex" if line else "exactly one vertex"
            raise MappingError(
                f"an axial geometric multiscale mapping {self._settings.dimension} of type {self._settings.type} needs "
                f"{wanted} in mesh {low.name}, which has {len(low.vertices)}"
            )
        nearest = NearestSearch(low.vertices).nearest(high.vertices)
        if spread:
            factors = _spread_line if line else _spread_point
            weights = factors(self._settings, self._axis, low, high, nearest)
            shape = len(high.vertices), len(low.vertices)
            matrix = sparse.csr_array((weights, (np.arange(len(nearest)), nearest)), shape=shape)
        else:
            matrix = _means(nearest, len(low.vertices), _collect_factors(self._settings, low))
        return OneComponent(matrix, self._axis)


def _spread_point(
    settings: MultiscaleConfig, axis: int, low: MeshGeometry, high: MeshGeometry, nearest: Integers
) -> Floats:
    """Return the profile (m,) around one vertex, with mean one."""
    offset = (high.vertices - low.vertices[0]) / settings.radius
    square = settings.cross_section == "square"
    across = np.delete(offset, axis, axis=1)
    distance = np.abs(across).max(axis=1) if square else np.linalg.norm(offset, axis=1)
    if np.any(distance > OUTSIDE):
        worst = int(np.argmax(distance))
        raise MappingError(
            f"vertex {worst} of mesh {high.name} is {distance[worst]:g} radii away from the axis given by mesh "
            f"{low.name}, more than {OUTSIDE}: it does not lie in the cross-section"
        )
    if settings.profile == "uniform":
        return np.ones(len(distance))
    if settings.dimension == "1d-2d":
        return np.asarray(LINE_PEAK * (1.0 - distance**2))
    if square:
        return np.asarray(SQUARE_PEAK * np.prod(np.maximum(1.0 - across**2, 0.0) ** SQUARE_POWER, axis=1))
    return np.asarray(2.0 * (1.0 - distance**2))


def _spread_line(
    settings: MultiscaleConfig, axis: int, low: MeshGeometry, high: MeshGeometry, nearest: Integers
) -> Floats:
    """Return the profile (m,) across a line of vertices, with mean one for each of them."""
    distance = np.linalg.norm(high.vertices - low.vertices[nearest], axis=1)
    if settings.profile == "uniform":
        return np.ones(len(distance))
    if settings.cross_section == "circle":
        widest = np.zeros(len(low.vertices))
        np.maximum.at(widest, nearest, distance)
        relative = np.zeros_like(distance)
        np.divide(distance, widest[nearest], out=relative, where=distance > 0.0)
        return np.asarray(4.0 / 3.0 * (1.0 - relative**2))
    along = np.maximum(1.0 - _along_line(settings, low)[nearest] ** 2, SMALL)
    across = np.maximum(1.0 - (distance / settings.radius) ** 2, 0.0)
    return np.asarray(SQUARE_PEAK / LINE_PEAK * along ** (SQUARE_POWER - 1.0) * across**SQUARE_POWER)


def _collect_factors(settings: MultiscaleConfig, low: MeshGeometry) -> Floats:
    """Return the factors (n,) from the mean around each vertex of the lower-dimensional side to its value."""
    if settings.dimension != "2d-3d" or settings.profile == "uniform":
        return np.ones(len(low.vertices))
    if settings.cross_section == "circle":
        return np.full(len(low.vertices), 9.0 / 8.0)
    along = np.maximum(1.0 - _along_line(settings, low) ** 2, 0.0)
    return np.asarray(1.03745 * along**0.121)


def _along_line(settings: MultiscaleConfig, low: MeshGeometry) -> Floats:
    """Return the coordinate (n,) along the line of vertices, by the radius."""
    longest = int(np.argmax(np.ptp(low.vertices, axis=0)))
    return low.vertices[:, longest] / settings.radius


class RadialMultiscale:
    """Between vertices along an axis and those around it."""

    def __init__(self, config: MappingConfig) -> None:
        assert config.multiscale is not None
        self._spread = config.multiscale.type == "spread"
        self._axis = "xyz".index(config.multiscale.axis)

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> OneComponent:
        """Assign every vertex to an axis vertex once."""
        low, high = (source, target) if self._spread else (target, source)
        along = low.vertices[:, self._axis]
        order = np.argsort(along, kind="stable")
        borders = 0.5 * (along[order][1:] + along[order][:-1])
        nearest = order[np.searchsorted(borders, high.vertices[:, self._axis], side="left")]
        if self._spread:
            shape = len(high.vertices), len(low.vertices)
            ones = np.ones(len(nearest))
            return OneComponent(sparse.csr_array((ones, (np.arange(len(nearest)), nearest)), shape=shape), 0)
        empty = np.setdiff1d(np.arange(len(low.vertices)), nearest)
        if len(empty):
            raise MappingError(
                f"no vertex of mesh {high.name} is nearest to vertex {empty[0]} of mesh {low.name} along the axis, "
                "so there is nothing to take the mean of"
            )
        return OneComponent(_means(nearest, len(low.vertices), np.ones(len(low.vertices))), 0)


def _means(nearest: Integers, size: int, factors: Floats) -> sparse.csr_array:
    """Return the matrix (size, m) that takes the mean of what is assigned to each vertex, times a factor."""
    count = np.bincount(nearest, minlength=size)
    weights = factors[nearest] / count[nearest]
    return sparse.csr_array((weights, (nearest, np.arange(len(nearest)))), shape=(size, len(nearest)))
