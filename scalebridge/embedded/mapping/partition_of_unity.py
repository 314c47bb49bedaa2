"""Radial-basis-function mapping in many small overlapping clusters, blended by a partition of unity.

f(x) = sum_c w_c(x) f_c(x), where f_c interpolates the vertices in cluster c as in `radial_basis` ("separate" polynomial
or none) and the weights w_c are Wendland's C2 function of the distance to the cluster's centre, made to add up to one.
Wendland, "Fast evaluation of radial basis functions: methods based on partition of unity", Approximation Theory X
(2002) 473-483; Schneider, Uekermann, SIAM J. Sci. Comput. 47 (2025) B558-B582.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scalebridge.embedded.mapping import Floats, Integers, MappingError, MeshGeometry
from scalebridge.embedded.mapping.basis_functions import BasisFunction, create_basis_function
from scalebridge.embedded.mapping.clustering import Balls, cover
from scalebridge.embedded.mapping.radial_basis import ROUNDING, WORST_CONDITION, basic_inverse, is_singular, monomials
from scalebridge.embedded.mapping.settings import MappingConfig

MARGIN = 1e-14
BATCH = 4_000_000  # matrix entries that are held in memory at once


class PartitionOfUnity:
    """Blended interpolation of source vertices (consistent), or its transpose with target vertices (conservative)."""

    def __init__(self, config: MappingConfig) -> None:
        assert config.basis_function is not None
        self._function = create_basis_function(config.basis_function)
        self._separate = config.polynomial == "separate"
        self._conservative = config.constraint == "conservative"
        # The alias "rbf" has no attributes for these, and other values than their defaults.
        alias = config.kind == "rbf"
        self._wanted = 100 if alias else config.vertices_per_cluster
        self._overlap = 0.3 if alias else config.relative_overlap
        self._project = True if alias else config.project_to_input

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> _Consistent | _Conservative:
        """Cover the mesh with clusters and factorise all their systems once."""
        mesh, points = (target, source) if self._conservative else (source, target)
        blend = self._blend(mesh, points.vertices)
        evaluation = blend.evaluation(points.vertices, f"of mesh {points.name}")
        if self._conservative:
            return _Conservative(sparse.csr_array(evaluation.T), sparse.csr_array(blend.fit.T))
        return _Consistent(evaluation, blend.fit)

    def prepare_reader(self, source: MeshGeometry) -> BlendReader:
        """Prepare reading at points."""
        return BlendReader(self._blend(source, None))

    def prepare_writer(self, target: MeshGeometry) -> BlendWriter:
        """Prepare writing at points."""
        return BlendWriter(self._blend(target, None))

    def _blend(self, mesh: MeshGeometry, points: Floats | None) -> Blend:
        if len(mesh.vertices) == 0:
            raise MappingError(f"a partition-of-unity mapping cannot use mesh {mesh.name}: it has no vertices")
        balls = cover(mesh.vertices, points, self._wanted, self._overlap, project=self._project)
        return Blend(balls, mesh, self._function, self._separate)


class Blend:
    """The interpolants of all clusters as two sparse matrices: fit, then evaluation.

    Attributes
    ----------
    fit : (coefficients, vertices): of each cluster the coefficients of its basis functions and of 1, x, y, ...
    """

    def __init__(self, balls: Balls, mesh: MeshGeometry, function: BasisFunction, separate: bool) -> None:
        vertex, ball, _ = balls.pairs(mesh.vertices)
        sizes = np.bincount(ball, minlength=len(balls.centres))
        order = np.argsort(sizes, kind="stable")
        order = order[sizes[order] > 0]
        rank = np.full(len(sizes), -1)
        rank[order] = np.arange(len(order))  # clusters by size, so that those of one size are solved together
        self._balls = Balls(balls.centres[order], balls.radius)
        self._sizes = sizes[order]
        self._members = vertex[np.lexsort((vertex, rank[ball]))]
        self._vertices = mesh.vertices
        self._function = function
        self._terms = 1 + mesh.dimensions if separate else 0
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)])
        self.fit = self._fit_matrix(mesh.name)

    def evaluation(self, points: Floats, whose: str) -> sparse.csr_array:
        """Return the matrix (points, coefficients) that evaluates the blend at points (m, dim)."""
        point, cluster, distance = self._balls.pairs(points)
        missing = np.setdiff1d(np.arange(len(points)), point)
        if len(missing):
            raise MappingError(
                f"vertex {missing[0]} {whose}, at {points[missing[0]].tolist()}, lies in no cluster of the "
                "partition-of-unity mapping: the meshes may not match; else increase vertices-per-cluster or "
                "relative-overlap, or set project-to-input to false"
            )
        weight = _weights(point, distance / self._balls.radius, len(points))
        size = self._sizes[cluster]
        row = np.repeat(np.arange(len(point)), size)
        local = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
        column = self._starts[cluster][row] + local
        value = self._function(np.linalg.norm(points[point][row] - self._vertices[self._members[column]], axis=1))
        basis = sparse.csr_array((value * weight[row], (point[row], column)), shape=(len(points), self._starts[-1]))
        if self._terms == 0:
            return basis
        columns = cluster[:, None] * self._terms + np.arange(self._terms)
        values = monomials(points[point]) * weight[:, None]
        rows = np.broadcast_to(point[:, None], columns.shape)
        polynomial = sparse.csr_array(
            (values.ravel(), (rows.ravel(), columns.ravel())), shape=(len(points), len(self._sizes) * self._terms)
        )
        return sparse.csr_array(sparse.hstack([basis, polynomial]))

    def _fit_matrix(self, name: str) -> sparse.csr_array:
        values: list[list[Floats]] = [[], []]
        columns: list[list[Integers]] = [[], []]
        for begin, end in self._batches():
            size = int(self._sizes[begin])
            members = self._members[self._starts[begin] : self._starts[end]].reshape(-1, size)
            for i, block in enumerate(_solve(self._vertices[members], self._function, self._terms, name)):
                values[i].append(block.ravel())
                columns[i].append(np.broadcast_to(members[:, None], block.shape).ravel())
        lengths = np.concatenate([np.repeat(self._sizes, self._sizes), np.repeat(self._sizes, self._terms)])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        entries = np.concatenate(values[0] + values[1]), np.concatenate(columns[0] + columns[1]), starts
        return sparse.csr_array(entries, shape=(len(lengths), len(self._vertices)))

    def _batches(self) -> list[tuple[int, int]]:
        """Return ranges of clusters of equal size, of limited length."""
        found: list[tuple[int, int]] = []
        edges = np.flatnonzero(np.diff(self._sizes, prepend=-1, append=-1))
        for begin, end in itertools.pairwise(edges.tolist()):
            step = max(1, BATCH // int(self._sizes[begin]) ** 2)
            cuts = [*range(begin, end, step), end]
            found.extend(itertools.pairwise(cuts))
        return found


def _solve(centres: Floats, function: BasisFunction, terms: int, name: str) -> tuple[Floats, Floats]:
    """Return the coefficients of basis functions (k, n, n) and monomials (k, terms, n) for k clusters (k, n, dim)."""
    k, n, _ = centres.shape
    matrix = function(np.linalg.norm(centres[:, :, None] - centres[:, None], axis=-1))
    right = np.broadcast_to(np.eye(n), (k, n, n))
    fit = np.zeros((k, terms, n))
    if terms:
        fit = _polynomial_fit(centres)
        right = right - np.concatenate([np.ones((k, n, 1)), centres], axis=2) @ fit
    failure = MappingError(
        f"the partition-of-unity mapping of mesh {name} cannot be set up: the matrix of a cluster is singular. Two "
        "vertices may be equal, or the support of the basis function is too wide for the distance of the vertices"
    )
    try:
        inverse = np.linalg.solve(matrix, right)
        if function.positive_definite:
            factor = np.linalg.cholesky(matrix)
            singular = is_singular(_diagonals(factor), _diagonals(matrix))
        else:
            singular = bool(np.any(_norms(matrix) * _norms(inverse) >= 1.0 / ROUNDING))
    except np.linalg.LinAlgError:
        raise failure from None
    if singular:
        raise failure
    return inverse, fit


def _diagonals(matrices: Floats) -> Floats:
    return np.diagonal(matrices, axis1=1, axis2=2)


def _norms(matrices: Floats) -> Floats:
    """Return the largest row sums of matrices (k, n, n), (k,)."""
    return np.asarray(np.abs(matrices).sum(axis=2).max(axis=1))


def _polynomial_fit(centres: Floats) -> Floats:
    """Return the least-squares fit (k, 1 + dim, n) of linear polynomials, less the axes along which it is ill-posed."""
    k, n, dimensions = centres.shape
    terms = np.concatenate([np.ones((k, n, 1)), centres], axis=2)
    used = np.ones((k, 1 + dimensions), dtype=bool)
    extent = np.ptp(centres, axis=1)
    pending = np.arange(k)
    while len(pending):
        masked = terms[pending] * used[pending, None]
        squares = np.linalg.eigvalsh(masked.transpose(0, 2, 1) @ masked)[:, ::-1]
        last = np.minimum(n, used[pending].sum(axis=1)) - 1
        smallest = np.sqrt(np.maximum(np.take_along_axis(squares, last[:, None], axis=1)[:, 0], 1e-28))
        bad = (np.sqrt(squares[:, 0]) > WORST_CONDITION * smallest) & (last > 0)
        pending = pending[bad]
        narrow = np.argmin(np.where(used[pending, 1:], extent[pending], np.inf), axis=1)
        used[pending, 1 + narrow] = False
    fit = np.zeros((k, 1 + dimensions, n))
    for pattern in np.unique(used, axis=0):
        same = np.flatnonzero((used == pattern).all(axis=1))
        block = terms[same][:, :, pattern]
        if n >= pattern.sum():
            q, r = np.linalg.qr(block)
            inverse = np.linalg.solve(r, q.transpose(0, 2, 1))
        else:
            inverse = np.stack([basic_inverse(each) for each in block])
        fit[np.ix_(same, pattern)] = inverse
    return fit


def _weights(point: Integers, relative: Floats, points: int) -> Floats:
    """Return the weights of pairs of a point and a cluster from the distances by the radius; they add up to one."""
    weight = (1.0 - relative) ** 4 * (4.0 * relative + 1.0)
    total = np.bincount(point, weights=weight, minlength=points)
    count = np.bincount(point, minlength=points)
    alone = total[point] <= 0.0
    return np.where(alone, 1.0 / count[point], weight / np.where(alone, 1.0, total[point]))


@dataclass(frozen=True)
class _Consistent:
    evaluation: sparse.csr_array
    fit: sparse.csr_array

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        return np.asarray(self.evaluation @ (self.fit @ values))


@dataclass(frozen=True)
class _Conservative:
    evaluation: sparse.csr_array  # transposed
    fit: sparse.csr_array  # transposed

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        return np.asarray(self.fit @ (self.evaluation @ values))


@dataclass(frozen=True)
class BlendReader:
    """Evaluates the blend at points."""

    blend: Blend

    def coefficients(self, values: Floats) -> Floats:
        """Return the coefficients of all clusters for values (n, components)."""
        return np.asarray(self.blend.fit @ values)

    def evaluate(self, points: Floats, coefficients: Floats) -> Floats:
        """Return the values (m, components) at points (m, dim)."""
        return np.asarray(self.blend.evaluation(points, "of the points given") @ coefficients)


@dataclass(frozen=True)
class BlendWriter:
    """Collects what points give to the coefficients; the transpose of reading."""

    blend: Blend

    def start(self, components: int) -> Floats:
        """Return zeros for all coefficients."""
        return np.zeros((self.blend.fit.shape[0], components))

    def add(self, points: Floats, values: Floats, collected: Floats) -> None:
        """Add the values (m, components) at points (m, dim)."""
        collected += self.blend.evaluation(points, "of the points given").T @ values

    def finish(self, collected: Floats) -> Floats:
        """Return the values on the mesh, (n, components)."""
        return np.asarray(self.blend.fit.T @ collected)
