"""IQN-IMVJ: the inverse Jacobian of past time windows is kept, and changed as little as the new differences demand.

J = J_prev + (W - J_prev V) (V^T V)^-1 V^T.  With W~ = W - J_prev V and Z = (V^T V)^-1 V^T, J is the sum of the products
W~ Z of all windows. "no-restart" forms that sum as a matrix; the restart modes keep the factors of the last windows
and, when these exceed a chunk, condense them: to nothing (RS-0), to a least-squares Jacobian of the last windows
(RS-LS), to a truncated singular value decomposition (RS-SVD), or to the last factor (RS-SLIDE).
Bogaers, Kok, Reddy, Franz, Comput. Methods Appl. Mech. Engrg. 279 (2014) 113-132 (the method);
Scheufele, Mehl, SIAM J. Sci. Comput. 39 (2017) S404-S433 (the restarts).
"""

from __future__ import annotations

import numpy as np

from scalebridge.embedded.acceleration import Floats
from scalebridge.embedded.acceleration.columns import ColumnStack
from scalebridge.embedded.acceleration.least_squares import LeastSquares
from scalebridge.embedded.acceleration.qr import factorise
from scalebridge.embedded.acceleration.quasi_newton import QuasiNewton
from scalebridge.embedded.acceleration.settings import AccelerationConfig, FilterConfig, RestartConfig
from scalebridge.embedded.acceleration.truncated_svd import TruncatedSVD


class MultiVectorJacobian(QuasiNewton):
    """IQN-IMVJ with all restart modes."""

    def __init__(self, config: AccelerationConfig) -> None:
        super().__init__(config)
        self._restart = config.restart_or_default
        self._jacobian: SummedJacobian
        self._w_tilde: Floats  # W - J_prev V, (size, columns)
        self._outdated = True  # J_prev or the columns have changed since then
        self._built: tuple[Floats, Floats] | None = None  # W~ and Z of the last step, with always-build-jacobian

    def _start(self) -> None:
        rows, columns = self._unknowns.size, self._v.rows
        match self._restart.kind:
            case "no-restart":
                self._jacobian = SummedJacobian(rows, columns)
            case "RS-0":
                self._jacobian = FactoredJacobian(rows, columns, self._restart)
            case "RS-LS":
                self._jacobian = LeastSquaresRestart(rows, columns, self._restart, self._config.filter)
            case "RS-SVD":
                self._jacobian = SingularValueRestart(rows, columns, self._restart)
            case _:
                self._jacobian = SlidingRestart(rows, columns, self._restart)

    def _column_added(self) -> None:
        v = np.concatenate([a - b for a, b in zip(self._residuals, self._old_residuals, strict=True)])
        w = self._values - self._old_values
        self._jacobian.observe(v, w)
        if not self._outdated:
            column = w - self._jacobian.times(v)
            self._w_tilde = np.hstack([column[:, None], self._w_tilde])

    def _column_removed(self, index: int) -> None:
        if not self._outdated:
            self._w_tilde = np.delete(self._w_tilde, index, axis=1)

    def _columns_cleared(self) -> None:
        self._outdated = True
        self._w_tilde = np.zeros((self._unknowns.size, 0))

    def _step(self, coefficients: Floats) -> Floats:
        if self._outdated or self._config.always_build_jacobian:
            self._update_difference()
        if self._config.always_build_jacobian:
            self._built = self._w_tilde, self._v.pseudo_inverse(self._preconditioner.weights)
        negative = -np.concatenate(self._residuals)
        return np.asarray(self._jacobian.times(negative) + self._w_tilde @ coefficients)

    def _update_difference(self) -> None:
        self._w_tilde = self._w.matrix() - self._jacobian.times(self._v.matrix())
        self._outdated = False

    def _window_converged(self) -> None:
        if self._config.always_build_jacobian:
            if self._built is not None:
                self._jacobian.add(*self._built, self._preconditioner.weights, self._v)
            self._built = None
            return
        self._filter()
        # After a window of one iteration preCICE adds the factors of the window before it once more.
        if self._outdated and (self._restart.kind == "no-restart" or self._w_tilde.shape[1] != self._v.columns):
            self._update_difference()
        weights = self._preconditioner.weights
        self._jacobian.add(self._w_tilde, self._v.pseudo_inverse(weights), weights, self._v)
        if self._reused > 0 or self._config.enforce_initial_relaxation:
            self._outdated = True


class SummedJacobian:
    """J as a matrix (rows, columns), and the interface of the others."""

    def __init__(self, rows: int, columns: int) -> None:
        self._matrix = np.zeros((rows, columns))

    def times(self, v: Floats) -> Floats:
        """Return J v for a vector (columns,) or a matrix (columns, m)."""
        return np.asarray(self._matrix @ v)

    def observe(self, v: Floats, w: Floats) -> None:
        """Take note of a new column of V and W."""

    def add(self, w_tilde: Floats, z: Floats, weights: Floats, v: LeastSquares) -> None:
        """Add the product W~ Z of a complete window."""
        self._matrix += w_tilde @ z


class FactoredJacobian(SummedJacobian):
    """J as a list of factors; RS-0 drops them all when there are more than a chunk."""

    def __init__(self, rows: int, columns: int, restart: RestartConfig) -> None:
        self._rows, self._columns = rows, columns
        self._restart = restart
        self._factors: list[tuple[Floats, Floats]] = []

    def times(self, v: Floats) -> Floats:
        """Return the sum of W~ (Z v)."""
        result = np.zeros((self._rows, *v.shape[1:]))
        for w_tilde, z in self._factors:
            result += w_tilde @ (z @ v)
        return result

    def add(self, w_tilde: Floats, z: Floats, weights: Floats, v: LeastSquares) -> None:
        """Keep the factors, and condense them when there are too many."""
        self._factors.append((w_tilde, z))
        if len(self._factors) > self._restart.chunk_size:
            self._condense(weights, v)

    def _condense(self, weights: Floats, v: LeastSquares) -> None:
        self._factors = []


class SlidingRestart(FactoredJacobian):
    """RS-SLIDE: the last factor takes over what the others do on the present V."""

    def _condense(self, weights: Floats, v: LeastSquares) -> None:
        last, z = self._factors.pop()
        self._factors = [(last + self.times(v.matrix()), z)]


class SingularValueRestart(FactoredJacobian):
    """RS-SVD: a truncated singular value decomposition of the weighted Jacobian."""

    def __init__(self, rows: int, columns: int, restart: RestartConfig) -> None:
        super().__init__(rows, columns, restart)
        self._svd: TruncatedSVD | None = None

    def _condense(self, weights: Floats, v: LeastSquares) -> None:
        # preCICE weights the first rows of W~, whatever data they belong to; the truncation depends on it.
        by_column = np.repeat(weights, v.lengths)
        by_row = np.ones(self._rows)
        by_row[: len(by_column)] = by_column[: self._rows]
        first = 1
        if self._svd is None:
            self._svd = TruncatedSVD(self._rows, self._columns, self._restart.truncation_threshold)
            first = 0
        for w_tilde, z in self._factors[first:]:  # the first of them is the decomposition itself
            self._svd.add(w_tilde * by_row[:, None], (z / by_column).T)
        psi, phi = self._svd.psi / by_row[:, None], self._svd.phi * by_column[:, None]
        self._factors = [(psi, (phi * self._svd.sigma).T)]


class LeastSquaresRestart(FactoredJacobian):
    """RS-LS: W (V^T V)^-1 V^T with the columns of the last time windows."""

    def __init__(self, rows: int, columns: int, restart: RestartConfig, chosen: FilterConfig) -> None:
        super().__init__(rows, columns, restart)
        self._filter = chosen
        self._counts = [0]
        self._v = ColumnStack(columns)
        self._w = ColumnStack(rows)

    def observe(self, v: Floats, w: Floats) -> None:
        """Keep the column for a restart."""
        self._v.push_front(v)
        self._w.push_front(w)
        self._counts[0] += 1

    def add(self, w_tilde: Floats, z: Floats, weights: Floats, v: LeastSquares) -> None:
        """Drop the columns of windows that are too old, then do as the others."""
        if self._counts[0] == 0:
            self._counts.pop(0)
        while len(self._counts) > self._restart.reused_time_windows_at_restart:
            for _ in range(self._counts.pop()):
                self._v.remove(-1)
                self._w.remove(-1)
        self._counts.insert(0, 0)
        super().add(w_tilde, z, weights, v)

    def _condense(self, weights: Floats, v: LeastSquares) -> None:
        self._factors = []
        while 2 * len(self._v) >= self._rows:
            self._remove(len(self._v) - 1)
        if len(self._v) == 0:
            return
        by_row = np.repeat(weights, v.lengths)
        factors = factorise(self._v.matrix() * by_row[:, None], self._columns, self._filter)
        for index in reversed(factors.removed):
            self._remove(index)
        self._factors = [(self._w.matrix(), factors.pseudo_inverse() * by_row)]

    def _remove(self, index: int) -> None:
        self._v.remove(index)
        self._w.remove(index)
        ends = np.cumsum(self._counts)
        window = int(np.searchsorted(ends, index, side="right"))
        self._counts[window] -= 1
        if self._counts[window] == 0:
            del self._counts[window]
