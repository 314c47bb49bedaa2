"""Radial basis functions.

Wendland, Adv. Comput. Math. 4 (1995) 389-396 (compact polynomials; up to constant factors, which do not matter);
Lindner, Mehl, Uekermann, "Radial basis function interpolation for black-box multi-physics simulations",
Proc. Coupled Problems (2017) 50-61, with the names used here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scalebridge.embedded.mapping import Floats
from scalebridge.embedded.mapping.settings import CONDITIONALLY_DEFINITE, BasisFunctionConfig

CUTOFF = 1e-9  # where a Gaussian counts as zero
SMALLEST = 1e-14  # argument of the logarithm at least


@dataclass(frozen=True)
class BasisFunction:
    """phi(r) of one kind, with a support radius or a shape parameter."""

    kind: str
    parameter: float

    @property
    def positive_definite(self) -> bool:
        """Say whether every interpolation matrix of distinct points is positive definite."""
        return self.kind not in CONDITIONALLY_DEFINITE

    def __call__(self, r: Floats) -> Floats:
        """Return phi for distances r of any shape."""
        match self.kind:
            case "thin-plate-splines":
                return np.asarray(r * r * np.log(np.maximum(r, SMALLEST)))
            case "volume-splines":
                return r
            case "multiquadrics":
                return np.sqrt(self.parameter**2 + r * r)
            case "inverse-multiquadrics":
                return 1.0 / np.sqrt(self.parameter**2 + r * r)
            case "gaussian":
                support = np.sqrt(-np.log(CUTOFF)) / self.parameter
                return np.where(r > support, 0.0, np.exp(-((self.parameter * r) ** 2)))
        p = np.minimum(r / self.parameter, 1.0)
        return _compact(self.kind, p)


def _compact(kind: str, p: Floats) -> Floats:
    q = 1.0 - p
    match kind:
        case "compact-polynomial-c0":
            return q**2
        case "compact-polynomial-c2":
            return q**4 * (4.0 * p + 1.0)
        case "compact-polynomial-c4":
            return q**6 * (35.0 * p**2 + 18.0 * p + 3.0)
        case "compact-polynomial-c6":
            return q**8 * (32.0 * p**3 + 25.0 * p**2 + 8.0 * p + 1.0)
        case "compact-polynomial-c8":
            return q**10 * (1287.0 * p**4 + 1350.0 * p**3 + 630.0 * p**2 + 150.0 * p + 15.0)
        case "compact-tps-c2":
            log = np.log(np.maximum(p, SMALLEST))
            value = 1.0 - 30.0 * p**2 - 10.0 * p**3 + 45.0 * p**4 - 6.0 * p**5 - 60.0 * p**3 * log
            return np.where(p >= 1.0, 0.0, value)
    raise ValueError(f"unknown basis function {kind!r}")


def create_basis_function(config: BasisFunctionConfig) -> BasisFunction:
    """Build the basis function of a configuration; a Gaussian's support radius is turned into its shape parameter."""
    radius, shape = config.support_radius, config.shape_parameter
    if config.kind == "gaussian" and radius is not None:
        shape = float(np.sqrt(-np.log(CUTOFF))) / radius
    return BasisFunction(config.kind, next((p for p in (shape, radius) if p is not None), 0.0))
