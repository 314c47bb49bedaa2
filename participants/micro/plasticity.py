"""Small-strain plasticity after von Mises, with linear isotropic and linear kinematic (Prager) hardening.

    stress = K tr(e) 1 + 2 G (dev(e) - p),    xi = dev(stress) - X,    X = 2/3 H_k p
    f = sqrt(3/2) |xi| - (Y + H_i alpha) <= 0,    dp = dalpha sqrt(3/2) xi/|xi|,    dalpha >= 0,    f dalpha = 0
    stored = K/2 tr(e)^2 + G |dev(e) - p|^2 + H_i/2 alpha^2 + H_k/3 |p|^2

e [-] strain, p [-] plastic strain, alpha [-] equivalent plastic strain, K, G [Pa] bulk and shear modulus, Y [Pa] yield
stress, H_i, H_k [Pa] hardening moduli, X [Pa] back stress. Backward Euler: the return to the yield surface is radial
and in closed form, as is its derivative (J. C. Simo and T. J. R. Hughes, Computational Inelasticity, 1998, 3.3).

Arrays as in `adapters.cells.grid`, one load case: strains (s, n, 1, N) with doubled shear, stresses and plastic strains
without. In two dimensions the strain is plane; p_zz = -p_xx - p_yy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from adapters.cells.solid import Stiffness

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moduli:
    """What the material is made of, each (n, 1, N) [Pa]; Y is infinite where it stays elastic."""

    K: Array
    G: Array
    Y: Array
    Hi: Array
    Hk: Array

    @property
    def resistance(self) -> Array:
        """By how much f falls with each dalpha; a little more than nothing in a void, where nothing flows."""
        return np.maximum(3 * self.G + self.Hk + self.Hi, np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Plasticity:
    """The material at the start of a step.

    Attributes
    ----------
    p : (s, n, 1, N) plastic strain.
    alpha : (n, 1, N) equivalent plastic strain.
    """

    moduli: Moduli
    p: Array
    alpha: Array

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return some of the cells."""
        moduli = Moduli(*(getattr(self.moduli, name)[rows] for name in ("K", "G", "Y", "Hi", "Hk")))
        return replace(self, moduli=moduli, p=self.p[:, rows], alpha=self.alpha[rows])

    def respond(self, strain: Array) -> tuple[Array, Stiffness]:
        """Return stress and consistent tangent at the end of a step with this strain."""
        m = self.moduli
        xi, size, excess = self._trial(strain)
        flow = excess / m.resistance
        stress = self.stress(strain)
        b, c = 2 * m.G, None
        if (excess > 0).any():
            equivalent = np.sqrt(1.5) * size
            share = 3 * m.G * flow / equivalent  # by which the trial stress is shortened
            stress -= share * xi
            direction = xi / size
            c = direction * np.sqrt(2 * m.G * np.where(excess > 0, 3 * m.G / m.resistance - share, 0))
            b = b * (1 - share)
        return stress, Stiffness(m.K - b / 3, b, c)

    def at_end(self, strain: Array) -> Self:
        """Return the material at the end of a step with this strain."""
        m = self.moduli
        xi, size, excess = self._trial(strain)
        flow = excess / m.resistance
        return replace(self, p=self.p + np.sqrt(1.5) * flow / size * xi, alpha=self.alpha + flow)

    def stress(self, strain: Array) -> Array:
        """Return the stress (s, n, 1, N) [Pa] at a strain and the plastic strain that there is."""
        result = self.deviator(strain)
        d = _dimension(strain)
        result[:d] += self.moduli.K * strain[:d].sum(axis=0)
        return result

    def deviator(self, strain: Array) -> Array:
        """Return the deviator of that stress."""
        return np.asarray(2 * self.moduli.G * (_deviator(strain)[0] - self.p))

    def stored(self, strain: Array) -> Array:
        """Return the free energy (n, 1, N) [J/m^3], that of hardening included."""
        m = self.moduli
        e, trace = _deviator(strain)
        elastic = m.K / 2 * trace**2 + m.G * _square(e - self.p)
        return np.asarray(elastic + m.Hi / 2 * self.alpha**2 + m.Hk / 3 * _square(self.p))

    def dissipated(self, end: Plasticity) -> Array:
        """Return Y dalpha, what a step from here to `end` dissipates (n, 1, N) [J/m^3]."""
        flow = end.alpha - self.alpha
        return np.multiply(self.moduli.Y, flow, out=np.zeros_like(flow), where=flow > 0)

    def unseen(self, strain: Array, end: Plasticity, end_strain: Array) -> Array:
        """Return stored and dissipated energy less the work by the trapezoidal rule in that step (n, 1, N) [J/m^3].

        It is not negative, and zero but for the step in which plastic flow begins or turns: there the stress has been
        higher in between. With it the first law holds exactly in steps of any length.
        """
        m, flow = self.moduli, end.p - self.p
        e, plastic = _deviator(strain + end_strain)[0], self.p + end.p
        driving = 2 * m.G * (e - plastic) - 2 / 3 * m.Hk * plastic
        seen = (_product(driving, flow) - m.Hi * (end.alpha**2 - self.alpha**2)) / 2
        return np.asarray(self.dissipated(end) - seen)

    def _trial(self, strain: Array) -> tuple[Array, Array, Array]:
        """Return xi without further flow (s, ...), |xi| or 1 where it is elastic, and f or 0 where that is negative."""
        m = self.moduli
        xi = 2 * m.G * _deviator(strain)[0] - (2 * m.G + 2 / 3 * m.Hk) * self.p
        size = np.sqrt(_square(xi))
        excess = np.maximum(np.sqrt(1.5) * size - (m.Y + m.Hi * self.alpha), 0)
        return xi, np.where(excess > 0, size, 1), excess


def equivalent(stress: Array) -> Array:
    """Return the equivalent stress after von Mises of deviators (s, ...)."""
    return np.asarray(np.sqrt(1.5 * _square(stress)))


def _dimension(strain: Array) -> int:
    return 2 if len(strain) == 3 else 3


def _deviator(strain: Array) -> tuple[Array, Array]:
    """Return the deviator of strains, its shear not doubled, and the trace."""
    d = _dimension(strain)
    trace = strain[:d].sum(axis=0)
    result = strain.copy()
    result[:d] -= trace / 3
    result[d:] /= 2
    return result, trace


def _product(a: Array, b: Array) -> Array:
    """Return a : b of deviators, with their parts beyond the plane where the strain is plane."""
    d = _dimension(a)
    result = np.einsum("i...,i...->...", a[:d], b[:d]) + 2 * np.einsum("i...,i...->...", a[d:], b[d:])
    if d == 2:
        result += (a[0] + a[1]) * (b[0] + b[1])
    return np.asarray(result)


def _square(a: Array) -> Array:
    """Return a : a of deviators."""
    return _product(a, a)
