"""What the micro models of frozen brine share: its salt, and how ice, brine and mixtures of them conduct heat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from participants.micro.phase_diagram import PhaseDiagram, SeaWater, SodiumChloride, Straight
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]

CONTROLS = {"temperature": Field("K", help="temperature of the volume")}
OBSERVABLES = {
    "liquid-indicator": Field("1", per="grid", help="1 in brine, 0 in ice"),
    "liquid-indicator-slope": Field("1/K", per="grid", help="derivative of the liquid indicator by the temperature"),
    "conductivity": Field("W/(m*K)", per="grid", help="thermal conductivity"),
}


@dataclass(frozen=True)
class Material:
    """Frozen brine."""

    salinity: float = setting("0.03 kg/kg", "bulk salinity, salt per ice and brine", above=0)
    brine: str = setting("NaCl", "phase diagram", choices=("NaCl", "sea-water", "straight"))
    liquidus: float = setting("54.11 K", "m of the straight liquidus T = 273.15 K - m S", above=0)
    ice_conductivity: float = setting("2.22 W/(m*K)", "thermal conductivity of ice", above=0)
    brine_conductivity: float = setting("0.556 W/(m*K)", "thermal conductivity of brine", above=0)
    geometry: str = setting(
        "pockets", "brine in pockets, or in layers along x or along y", choices=("pockets", "layers-x", "layers-y")
    )

    @property
    def phase_diagram(self) -> PhaseDiagram:
        """The phase diagram that `brine` names. Raises OutsidePhaseDiagram if the salinity is beyond its eutectic."""
        diagrams = {"NaCl": SodiumChloride(), "sea-water": SeaWater(), "straight": Straight(m=self.liquidus)}
        diagrams[self.brine].melting_point(self.salinity)
        return diagrams[self.brine]


def isotropic_mixture(phi: Array, ice: float, brine: float) -> Array:
    """Return the conductivity of a mixture in which neither phase encloses the other, unit of `ice`.

    phi : liquid fraction. Self-consistent law of D. A. G. Bruggeman, Ann. Phys. 416, 636 (1935), in two dimensions. It
    can be realised (so it respects the bounds of Hashin and Shtrikman), is exact for dilute discs of either phase, and
    for phi = 1/2 it is the exact sqrt(ice brine) of any mixture that looks the same with its phases swapped
    (A. M. Dykhne, Sov. Phys. JETP 32, 63 (1971)).
    """
    c = (1 - 2 * phi) * (ice - brine) / 2
    return np.asarray(c + np.sqrt(c**2 + ice * brine))


def laminate(phi: Array, ice: float, brine: float) -> Array:
    """Return the conductivities (..., 2) of two layers of equal thickness that conduct like ice and brine in layers.

    Ice and brine in proportion 1 - phi : phi have the mean V along the layers and the harmonic mean R across; so do two
    equal layers of V + d and V - d with d^2 = V (V - R). It is the mean that counts: V + d may exceed that of ice.
    """
    V = (1 - phi) * ice + phi * brine
    R = 1 / ((1 - phi) / ice + phi / brine)
    d = np.sqrt(np.maximum(V * (V - R), 0))
    return np.stack([V + d, V - d], axis=-1)
