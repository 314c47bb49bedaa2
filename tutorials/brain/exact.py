"""Where a neural mass of quadratic integrate-and-fire neurons comes to rest, and how.

    tau dr/dt = Delta / (pi tau) + 2 r v,    tau dv/dt = v^2 + eta + J tau r + I - (pi tau r)^2

(E. Montbrio, D. Pazo and A. Roxin, Phys. Rev. X 5, 021028 (2015), equations 12). With r in 1 / tau, a fixed point has
v = -Delta / (2 pi r) and Delta^2 + 4 pi^2 (eta + I) r^2 + 4 pi^2 J r^3 - 4 pi^4 r^4 = 0.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point: rate r and mean potential v in units of 1 / tau and 1, eigenvalues (2,) in units of 1 / tau."""

    r: float
    v: float
    eigenvalues: np.ndarray

    @property
    def stable(self):
        return self.eigenvalues.real.max() < 0


def fixed_points(J, eta, delta, I=0.0):
    """Return all fixed points, the one of the lowest rate first."""
    roots = np.roots([-4 * np.pi**4, 4 * np.pi**2 * J, 4 * np.pi**2 * (eta + I), 0, delta**2])
    rates = sorted(root.real for root in roots if abs(root.imag) < 1e-9 * abs(root) and root.real > 0)
    return [_fixed_point(r, -delta / (2 * np.pi * r), J) for r in rates]


def _fixed_point(r, v, J):
    jacobian = np.array([[2 * v, 2 * r], [J - 2 * np.pi**2 * r, 2 * v]])
    return FixedPoint(r, v, np.linalg.eigvals(jacobian))
