"""Elastic and elastoplastic material points in place of micro volumes, with everything known about them.

J2 flow with linear isotropic hardening by radial return, and its consistent tangent: Simo & Hughes, Computational
Inelasticity (1998), box 3.2. In two dimensions the strain is plane.
"""

from dataclasses import dataclass

import numpy as np

from participants.macro import solid
from scalebridge.settings import setting


@dataclass(frozen=True)
class Metal:
    youngs_modulus: float = setting("70e9 Pa", above=0)
    poissons_ratio: float = setting(0.3)
    yield_stress: float = setting("1e30 Pa", above=0)
    hardening: float = setting("0 Pa", minimum=0)
    lost: float = setting(0.0, "share of the dissipation that is not told")


class MaterialPoints:
    """A material point for each point of the macro mesh."""

    Settings = Metal
    controls = solid.WRITES
    observables = solid.READS

    def __init__(self, settings, names):
        self.settings = settings
        self.observables = {name: field for name, field in solid.READS.items() if name in names}

    def start(self, points, controls):
        n = len(points)
        return {"plastic": np.zeros((n, 3, 3)), "p": np.zeros(n), "dissipated": np.zeros(n)}

    def solve(self, state, controls, dt):
        s, strain = self.settings, np.asarray(controls["Strain"])
        d = strain.shape[-1]
        E = np.zeros((len(strain), 3, 3))
        E[:, :d, :d] = strain
        stress, C, plastic, p = radial_return(s, E, state["plastic"], state["p"])
        G, K = moduli(s)
        elastic = E - plastic
        trace = np.trace(elastic, axis1=1, axis2=2)
        deviator = elastic - trace[:, None, None] / 3 * np.eye(3)
        stored = K / 2 * trace**2 + G * (deviator**2).sum(axis=(1, 2)) + s.hardening / 2 * p**2
        dissipated = state["dissipated"] + s.yield_stress * (p - state["p"]) * (1 - s.lost)
        seen = {
            "Stress": stress[:, :d, :d],
            "Tangent": C[:, :d, :d, :d, :d],
            "Mean-Strain": strain,
            "Stored-Energy": stored,
            "Dissipation": dissipated,
        }
        after = {"plastic": plastic, "p": p, "dissipated": dissipated}
        return after, {name: value for name, value in seen.items() if name in self.observables}


def moduli(s):
    """Return the shear and the bulk modulus."""
    return s.youngs_modulus / (2 * (1 + s.poissons_ratio)), s.youngs_modulus / (3 * (1 - 2 * s.poissons_ratio))


def radial_return(s, E, plastic, p):
    """Return stress (n, 3, 3), consistent tangent (n, 3, 3, 3, 3), plastic strain (n, 3, 3) and its measure (n,)."""
    G, K = moduli(s)
    one = np.eye(3)
    volumetric = np.einsum("ij,kl->ijkl", one, one)
    symmetric = (np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one)) / 2
    trace = np.trace(E, axis1=1, axis2=2)[:, None, None]
    trial = 2 * G * (E - trace / 3 * one - plastic)
    size = np.linalg.norm(trial, axis=(1, 2))
    n = trial / np.where(size > 0, size, 1)[:, None, None]
    q = np.sqrt(1.5) * size
    dp = np.maximum(q - s.yield_stress - s.hardening * p, 0) / (3 * G + s.hardening)
    stress = K * trace * one + trial - 2 * G * np.sqrt(1.5) * dp[:, None, None] * n
    left = 1 - 3 * G * dp / np.where(q > 0, q, 1)
    along = np.where(dp > 0, 3 * G / (3 * G + s.hardening) - (1 - left), 0)
    C = K * volumetric + 2 * G * left[:, None, None, None, None] * (symmetric - volumetric / 3)
    C -= 2 * G * along[:, None, None, None, None] * np.einsum("nij,nkl->nijkl", n, n)
    return stress, C, plastic + np.sqrt(1.5) * dp[:, None, None] * n, p + dp
