"""Phase diagrams of brine: at which salinity brine is in equilibrium with ice.

    S_br(T) [kg/kg]   salinity of the brine beside ice at temperature T [K]; the liquidus
    theta = T_0 - T [K]   freezing point depression, T_0 = 273.15 K the melting point of pure ice

NaCl: R. J. Bodnar, Geochim. Cosmochim. Acta 57, 683 (1993), S = 1.78 theta - 0.0442 theta^2 + 0.000557 theta^3 wt%,
down to the eutectic at -21.2 degC, where hydrohalite begins to form.

Sea water: D. Notz, PhD thesis, University of Hamburg (2005), eq. 3.4, a fit to the measurements of A. Assur (1958),
S = -1.2 + 21.8 theta - 0.919 theta^2 + 0.0178 theta^3 g/kg, for 2 K < theta < 22.9 K, where hydrohalite begins to form.
It does not reach S = 0 at T_0. For theta < 2 K the salt per water is taken to be linear in theta, the form of his
eq. 3.6, 1/S = alpha + beta/theta, with alpha and beta such that value and slope go on from the cubic. (The cubic itself
is 7 % above sea water's freezing point at 2 K; so is this.)

Straight: S = theta / m, for exact solutions; m = 54.11 K is the tangent of Assur's data at T_0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.micro import MicroError

Array = NDArray[np.float64]

MELTING_POINT = 273.15
"""Melting point of pure ice T_0 [K]."""


class OutsidePhaseDiagram(MicroError):
    """A temperature or salinity where brine and ice are not the two phases in equilibrium."""


class PhaseDiagram(ABC):
    """The liquidus of ice and a brine."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def lowest(self) -> float:
        """Freezing point depression [K] at the end of the liquidus, the eutectic."""

    @abstractmethod
    def curve(self, theta: Array) -> tuple[Array, Array]:
        """Return S [kg/kg] and dS/dtheta [1/K] for freezing point depressions 0 <= theta <= lowest [K]."""

    def liquidus(self, temperature: ArrayLike) -> tuple[Array, Array]:
        """Return S_br [kg/kg] and dS_br/dT [1/K] at temperatures [K] of any shape; zero at and above T_0, without ice.

        Raises
        ------
        OutsidePhaseDiagram
            Below the eutectic: there solid salt forms, of which nothing is known here.
        """
        theta = MELTING_POINT - np.asarray(temperature, dtype=np.float64)
        wrong = ~(theta <= self.lowest + 1e-9)  # the eutectic itself is allowed, whatever its round-off
        if wrong.any():
            T = float(np.asarray(temperature, dtype=np.float64)[wrong].flat[0])
            raise OutsidePhaseDiagram(
                _rows(wrong),
                f"{T:g} K is no temperature for {self.name} brine: its liquidus ends in the eutectic at "
                f"{MELTING_POINT - self.lowest:g} K, below which the salt is solid too",
            )
        salinity, slope = self.curve(np.maximum(theta, 0))
        return np.where(theta > 0, salinity, 0), np.where(theta > 0, -slope, 0)

    def salinity(self, temperature: ArrayLike) -> Array:
        """Return S_br [kg/kg] at temperatures [K]."""
        return self.liquidus(temperature)[0]

    def melting_point(self, salinity: ArrayLike) -> Array:
        """Return the temperature [K] at which brine of a salinity [kg/kg] begins to freeze.

        Raises
        ------
        OutsidePhaseDiagram
            For a salinity that is negative or beyond the eutectic.
        """
        S = np.asarray(salinity, dtype=np.float64)
        highest = float(self.curve(np.array(self.lowest))[0])
        wrong = (S < 0) | (highest * (1 + 1e-12) < S) | np.isnan(S)
        if wrong.any():
            raise OutsidePhaseDiagram(
                _rows(wrong),
                f"{S[wrong].flat[0]:g} kg/kg is no salinity of {self.name} brine beside ice: it is from 0 to "
                f"{highest:.4g} kg/kg, that of the eutectic at {MELTING_POINT - self.lowest:g} K",
            )
        low, high = np.zeros_like(S), np.full_like(S, self.lowest)
        for _ in range(60):  # the curve is monotone: bisection, down to round-off
            middle = (low + high) / 2
            below = self.curve(middle)[0] < S
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(MELTING_POINT - high)


@dataclass(frozen=True)
class SodiumChloride(PhaseDiagram):
    """NaCl and water."""

    name: ClassVar[str] = "NaCl"
    lowest: float = 21.2

    def curve(self, theta: Array) -> tuple[Array, Array]:
        """Return S [kg/kg] and dS/dtheta [1/K]."""
        return _cubic(theta, 0, 0.0178, -0.000442, 0.00000557)


@dataclass(frozen=True)
class SeaWater(PhaseDiagram):
    """The brine of sea ice."""

    name: ClassVar[str] = "sea-water"
    lowest: float = 22.9

    def curve(self, theta: Array) -> tuple[Array, Array]:
        """Return S [kg/kg] and dS/dtheta [1/K]."""
        cubic = -0.0012, 0.0218, -0.000919, 0.0000178
        joint, rise = (float(x) for x in _cubic(np.array(2.0), *cubic))
        beta = rise * 2.0**2 / joint**2
        alpha = 1 / joint - beta / 2.0
        dilute = theta / (alpha * theta + beta)
        S, slope = _cubic(theta, *cubic)
        warm = theta < 2
        return np.where(warm, dilute, S), np.where(warm, beta / (alpha * theta + beta) ** 2, slope)


@dataclass(frozen=True)
class Straight(PhaseDiagram):
    """The liquidus T = T_0 - m S."""

    name: ClassVar[str] = "straight"
    m: float = 54.11

    @property
    def lowest(self) -> float:
        """Freezing point depression [K] at S = 1, all salt."""
        return self.m

    def curve(self, theta: Array) -> tuple[Array, Array]:
        """Return S [kg/kg] and dS/dtheta [1/K]."""
        return theta / self.m, np.full_like(theta, 1 / self.m)


def _cubic(x: Array, a: float, b: float, c: float, d: float) -> tuple[Array, Array]:
    """Return a + b x + c x^2 + d x^3 and its derivative."""
    return a + x * (b + x * (c + x * d)), b + x * (2 * c + x * 3 * d)


def _rows(wrong: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the rows with anything wrong, of an array of any shape; a single number has none."""
    return np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1)) if wrong.ndim else np.array([], dtype=np.intp)
