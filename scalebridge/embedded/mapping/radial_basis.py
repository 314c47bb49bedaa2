"""Radial-basis-function mapping with one dense system for all vertices.

f(x) = sum_i p_i phi(|x - x_i|) + q(x), with f(x_i) = f_i. The linear polynomial q is fitted to the data first and
interpolated is what remains ("separate"), or found with the p_i under sum_i p_i = sum_i p_i x_i = 0 ("on"), or left
out. A conservative mapping is the transpose of the consistent one with the meshes exchanged.
Beckert, Wendland, Aerosp. Sci. Technol. 5 (2001) 125-134; Lindner, Mehl, Uekermann, Proc. Coupled Problems (2017)
50-61.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from scipy.linalg import LinAlgError, LinAlgWarning, cho_factor, cho_solve, lu_factor, lu_solve, qr, solve_triangular
from scipy.spatial.distance import cdist

from scalebridge.embedded.mapping import Floats, MappingError, MeshGeometry
from scalebridge.embedded.mapping.basis_functions import BasisFunction, create_basis_function
from scalebridge.embedded.mapping.settings import MappingConfig

ROUNDING = 10.0 * np.finfo(float).eps
WORST_CONDITION = 1e5  # of the polynomial system, above which an axis is left out


class GlobalRadialBasis:
    """Interpolation of all source vertices (consistent), or its transpose with the target vertices (conservative)."""

    def __init__(self, config: MappingConfig) -> None:
        assert config.basis_function is not None
        self._function = create_basis_function(config.basis_function)
        self._polynomial = config.polynomial
        self._conservative = config.constraint == "conservative"
        self._dead = config.dead_axes

    def prepare(self, source: MeshGeometry, target: MeshGeometry) -> _Consistent | _Conservative:
        """Factorise the system once."""
        mesh, points = (target, source) if self._conservative else (source, target)
        alive = [axis for axis in range(mesh.dimensions) if not self._dead[axis]]
        names = f"{source.name} to mesh {target.name}"
        system = System(mesh.vertices[:, alive], points.vertices[:, alive], self._function, self._polynomial, names)
        return _Conservative(system) if self._conservative else _Consistent(system)


class System:
    """The interpolation from `centres` (n, dim), evaluated at `points` (m, dim)."""

    def __init__(
        self, centres: Floats, points: Floats, function: BasisFunction, polynomial: str, names: str = ""
    ) -> None:
        self.centres = len(centres)
        self._integrated = polynomial == "on"
        self._evaluation = function(cdist(points, centres))
        matrix = function(cdist(centres, centres))
        if self._integrated:
            terms, self._evaluation = monomials(centres), np.hstack([self._evaluation, monomials(points)])
            matrix = np.block([[matrix, terms], [terms.T, np.zeros((terms.shape[1],) * 2)]])
        self._factors = Factors(matrix, function.positive_definite, names)
        self._separate = polynomial == "separate"
        if self._separate:
            axes = polynomial_axes(centres)
            self._at_centres, self._at_points = monomials(centres[:, axes]), monomials(points[:, axes])
            self._fit = basic_inverse(self._at_centres)

    def consistent(self, values: Floats) -> Floats:
        """Return the interpolant (m, components) of values (n, components)."""
        if self._separate:
            coefficients = self._fit @ values
            rest = values - self._at_centres @ coefficients
            return np.asarray(self._evaluation @ self._factors.solve(rest) + self._at_points @ coefficients)
        padded = np.zeros((self._evaluation.shape[1], values.shape[1]))
        padded[: self.centres] = values
        return np.asarray(self._evaluation @ self._factors.solve(padded))

    def conservative(self, values: Floats) -> Floats:
        """Return what the transpose makes of values (m, components), (n, components)."""
        result = self._factors.solve(self._evaluation.T @ values)[: self.centres]
        if self._separate:
            result += self._fit.T @ (self._at_points.T @ values - self._at_centres.T @ result)
        return result


class _Consistent:
    def __init__(self, system: System) -> None:
        self._system = system

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        return self._system.consistent(values)


class _Conservative:
    def __init__(self, system: System) -> None:
        self._system = system

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        return self._system.conservative(values)


class Factors:
    """A factorised symmetric matrix: Cholesky where it is positive definite, else LU."""

    def __init__(self, matrix: Floats, positive_definite: bool, names: str) -> None:
        failure = MappingError(
            f"the radial-basis mapping from mesh {names} cannot be set up: its matrix is singular. Two vertices may be "
            "equal, or the support of the basis function is too wide for the distance of the vertices"
        )
        if positive_definite:
            try:
                cholesky = cho_factor(matrix, lower=True, check_finite=False)
            except LinAlgError:
                raise failure from None
            if is_singular(np.diag(cholesky[0]), np.diag(matrix)):
                raise failure
            self._solve: Callable[[Floats], Floats] = lambda right: cho_solve(cholesky, right, check_finite=False)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LinAlgWarning)  # an exactly singular matrix is told below
            lu = lu_factor(matrix, overwrite_a=True, check_finite=False)
        pivots = np.abs(np.diag(lu[0]))
        if pivots.min(initial=np.inf) <= np.finfo(float).eps * len(pivots) * pivots.max(initial=0.0):
            raise failure
        self._solve = lambda right: lu_solve(lu, right, check_finite=False)

    def solve(self, right: Floats) -> Floats:
        """Return the solution (n, k) for right sides (n, k)."""
        return np.asarray(self._solve(right))


def is_singular(cholesky: Floats, diagonal: Floats) -> bool:
    """Say whether a diagonal (..., n) of a Cholesky factor is nothing but rounding, given that of the matrix."""
    return bool(np.any(cholesky**2 <= ROUNDING * diagonal))


def monomials(points: Floats) -> Floats:
    """Return 1, x, y, ... at points (m, dim), (m, 1 + dim)."""
    return np.hstack([np.ones((len(points), 1)), points])


def polynomial_axes(centres: Floats) -> list[int]:
    """Return the axes of the linear polynomial: all, less those of least extent while the fit is ill-conditioned."""
    axes = list(range(centres.shape[1]))
    while axes:
        singular = np.linalg.svd(monomials(centres[:, axes]), compute_uv=False)
        if singular[0] <= WORST_CONDITION * max(singular[-1], 1e-14):
            break
        axes.remove(min(axes, key=lambda axis: float(np.ptp(centres[:, axis]))))
    return axes


def basic_inverse(matrix: Floats) -> Floats:
    """Return G (p, n) with G f the least-squares solution of matrix (n, p), with zeros where it is not determined."""
    q, r, pivots = qr(matrix, mode="economic", pivoting=True, check_finite=False)
    diagonal = np.abs(np.diag(r))
    rank = int(np.sum(diagonal > np.finfo(float).eps * len(diagonal) * diagonal[0]))
    result = np.zeros((matrix.shape[1], len(matrix)))
    result[pivots[:rank]] = solve_triangular(r[:rank, :rank], q[:, :rank].T, check_finite=False)
    return result
