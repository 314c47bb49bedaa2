"""Exact solutions of melting and freezing in a half-space x > 0 whose wall x = 0 is held at a temperature. SI units.

Pure substances melt at one temperature T_m: a front at x = 2 lambda sqrt(alpha t) between two phases. H. S. Carslaw and
J. C. Jaeger, Conduction of Heat in Solids, 2nd ed. (1959), sections 11.2 (J. Stefan, F. Neumann).

A brine in equilibrium with its ice has no such front but a mushy zone, below the temperature T_L where ice first forms:

    rho c dT/dt + rho L dphi/dt = d/dx (K dT/dx),    liquid fraction phi(T), conductivity K(phi)

With s = x / (2 sqrt t) that is an ordinary differential equation,

    (K T')' + 2 s (rho c + rho L dphi/dT) T' = 0,    T(0) = T_wall,    T(infinity) = T_initial

solved here by shooting: the flux F = K T' obeys F' = -2 s (rho c / K + rho L / K dphi/dT) F, so it only decays. Where T
passes T_L the coefficient jumps; the integration stops and starts again there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import erf, erfc

Array = NDArray[np.float64]


def stefan(stefan_number: float) -> float:
    """Return lambda of Stefan's one-phase problem, sqrt(pi) lambda exp(lambda^2) erf(lambda) = St.

    stefan_number : c |T_m - T_wall| / L of the phase that grows from the wall; the other one is at T_m.
    """

    def balance(lam: float) -> float:
        return math.sqrt(math.pi) * lam * math.exp(lam**2) * math.erf(lam) - stefan_number

    return float(brentq(balance, 0, 1 + math.sqrt(math.log1p(stefan_number)), xtol=1e-15))


@dataclass(frozen=True)
class Phase:
    """A phase: conductivity k [W/(m K)], heat capacity c [J/(kg K)], density rho [kg/m^3]."""

    k: float
    c: float
    rho: float

    @property
    def alpha(self) -> float:
        """Thermal diffusivity [m^2/s]."""
        return self.k / (self.rho * self.c)


def neumann(wall: float, melting: float, initial: float, near: Phase, far: Phase, latent_heat: float) -> float:
    """Return lambda of Neumann's two-phase problem; the front is at x = 2 lambda sqrt(near.alpha t).

    Parameters
    ----------
    wall, melting, initial : temperatures [K], in rising or falling order.
    near, far : the phase that grows from the wall, and the other one; equally dense.
    latent_heat : [J/kg], positive.
    """
    ratio = math.sqrt(near.alpha / far.alpha)
    superheat = far.k / near.k * ratio * (melting - initial) / (melting - wall)
    latent = latent_heat * math.sqrt(math.pi) / (near.c * abs(melting - wall))

    def balance(lam: float) -> float:
        first = math.exp(-(lam**2)) / math.erf(lam)
        return first + superheat * math.exp(-((lam * ratio) ** 2)) / float(erfc(lam * ratio)) - latent * lam

    return float(brentq(balance, 1e-9, 5, xtol=1e-15))


def neumann_temperature(
    x: ArrayLike, t: float, wall: float, melting: float, initial: float, near: Phase, far: Phase, latent_heat: float
) -> Array:
    """Return Neumann's temperature [K] at x [m] and time t [s]."""
    x = np.asarray(x, dtype=np.float64)
    lam = neumann(wall, melting, initial, near, far, latent_heat)
    inner = wall + (melting - wall) * erf(x / (2 * math.sqrt(near.alpha * t))) / math.erf(lam)
    reach = erfc(lam * math.sqrt(near.alpha / far.alpha))
    outer = initial + (melting - initial) * erfc(x / (2 * math.sqrt(far.alpha * t))) / reach
    return np.where(x < 2 * lam * math.sqrt(near.alpha * t), inner, outer)


@dataclass(frozen=True)
class MushyZone:
    """The similarity solution of a mushy zone.

    Attributes
    ----------
    wall_flux : heat flux into the body through the wall times sqrt(t) [W s^0.5 / m^2].
    front : x / sqrt(t) [m / s^0.5] where T passes T_L, between brine alone and the mushy zone; None if it does not.
    """

    wall_flux: float
    front: float | None
    _pieces: tuple[tuple[float, Callable[[Array], Array]], ...]
    _initial: float

    @property
    def heat(self) -> float:
        """Heat absorbed since t = 0 over sqrt(t) [J / (m^2 s^0.5)]."""
        return 2 * self.wall_flux

    def temperature(self, x: ArrayLike, t: float) -> Array:
        """Return the temperature [K] at x [m] and time t [s]."""
        s = np.asarray(x, dtype=np.float64) / (2 * math.sqrt(t))
        T = np.full_like(s, self._initial)
        for end, piece in reversed(self._pieces):
            T = np.where(s <= end, piece(np.minimum(s, end))[0], T)
        return T


def mushy_zone(
    wall: float,
    initial: float,
    melting: float,
    liquid_fraction: Callable[[Array], tuple[Array, Array]],
    conductivity: Callable[[Array], Array],
    rho_c: float,
    rho_L: float,
    tolerance: float = 1e-11,
) -> MushyZone:
    """Solve the mushy zone.

    Parameters
    ----------
    wall, initial : temperatures [K] of the wall and of the body at t = 0; above T_L there is brine alone.
    melting : T_L [K], where ice first forms.
    liquid_fraction : T [K] -> (phi [-], dphi/dT [1/K]) below T_L, for instance phi = S / S_br(T) for a liquidus S_br.
    conductivity : phi [-] -> K [W/(m K)].
    rho_c, rho_L : heat capacity [J/(m^3 K)] and latent heat [J/m^3] per volume.
    tolerance : relative, of the integration.
    """
    if wall == initial:
        raise ValueError(f"wall and body are both at {wall:g} K: nothing happens")
    shot = _Shot(wall, initial, melting, liquid_fraction, conductivity, rho_c, rho_L, tolerance)
    largest = np.sign(initial - wall) * shot.scale
    while (shot.run(largest)[0] - initial) * (initial - wall) < 0:
        largest *= 2
    flux = float(brentq(lambda F: shot.run(F)[0] - initial, 1e-6 * largest, largest, xtol=abs(largest) * 1e-14))
    pieces = shot.run(flux)[1]
    return MushyZone(-flux / 2, 2 * pieces[0][0] if len(pieces) > 1 else None, tuple(pieces), initial)


@dataclass(frozen=True)
class _Shot:
    """The equation of the mushy zone, to be integrated from the wall with a guess of the flux there."""

    wall: float
    initial: float
    melting: float
    liquid_fraction: Callable[[Array], tuple[Array, Array]]
    conductivity: Callable[[Array], Array]
    rho_c: float
    rho_L: float
    tolerance: float

    @property
    def bounds(self) -> tuple[float, float]:
        return min(self.wall, self.initial), max(self.wall, self.initial)

    @property
    def phases(self) -> tuple[bool, ...]:
        """Whether there is ice: at the wall, and beyond T_L if that is between wall and initial temperature."""
        if self.bounds[0] < self.melting < self.bounds[1]:
            return self.wall < self.melting, self.initial < self.melting
        return (self.bounds[1] <= self.melting,)

    @property
    def conductivities(self) -> list[float]:
        """Conductivities [W/(m K)] that occur."""
        low, high = self.bounds
        temperatures = [low + (high - low) * i / 50 for i in range(51)]
        return [self.coefficients(T, frozen=self.melting > T)[0] for T in temperatures]

    @property
    def reach(self) -> float:
        """Where s is so large that nothing is felt, not even without latent heat."""
        return 7 * math.sqrt(max(self.conductivities) / self.rho_c)

    @property
    def scale(self) -> float:
        """A flux K T' [W s^0.5 / m^2] of the order of the solution."""
        return min(self.conductivities) * (self.bounds[1] - self.bounds[0]) * 7 / self.reach

    def coefficients(self, T: float, frozen: bool) -> tuple[float, float]:
        """Return K and rho c + rho L dphi/dT; constant beyond wall and initial temperature, where bad shots go."""
        low, high = self.bounds
        T = min(max(T, low), min(high, self.melting - 1e-9) if frozen else high)
        phi, slope = self.liquid_fraction(np.array(T)) if frozen else (np.array(1.0), np.array(0.0))
        return float(self.conductivity(np.asarray(phi))), self.rho_c + self.rho_L * float(slope)

    def run(self, flux: float) -> tuple[float, list[tuple[float, Callable[[Array], Array]]]]:
        """Return T(infinity) and the pieces (end, interpolation of (T, F)) of the solution with this F at the wall."""
        s, y, pieces = 0.0, np.array([self.wall, flux]), []
        absolute = np.array([self.bounds[1] - self.bounds[0], abs(flux)]) * self.tolerance
        how: dict[str, Any] = {"method": "LSODA", "rtol": self.tolerance, "atol": absolute, "dense_output": True}
        for i, frozen in enumerate(self.phases):
            events = [_fades] if i + 1 == len(self.phases) else [_fades, _passes]
            result = solve_ivp(self.rate, (s, self.reach), y, events=events, args=(frozen, self.melting, flux), **how)
            s, y = float(result.t[-1]), result.y[:, -1]
            pieces.append((s, result.sol))
            if result.t_events[-1].size == 0 or events[-1] is _fades:
                break
        return float(y[0]), pieces

    def rate(self, s: float, y: Array, frozen: bool, melting: float, flux: float) -> list[float]:
        """Return dT/ds and dF/ds."""
        K, C = self.coefficients(float(y[0]), frozen)
        return [y[1] / K, -2 * s * C / K * y[1]]


def _passes(s: float, y: Array, frozen: bool, melting: float, flux: float) -> float:
    return float(y[0]) - melting


def _fades(s: float, y: Array, frozen: bool, melting: float, flux: float) -> float:
    return abs(float(y[1] / flux)) - 1e-15


_passes.terminal = _fades.terminal = True  # type: ignore[attr-defined]
