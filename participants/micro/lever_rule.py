"""Ice and brine in equilibrium: the lever rule.

    phi = min(1, S / S_br(T)),    dphi/dT = -phi S_br'(T) / S_br(T) where there is ice, else 0

phi [-] liquid fraction, S [kg/kg] bulk salinity, S_br(T) [kg/kg] salinity of brine beside ice at temperature T [K].
It is what the model `brine` tends to when salt diffuses fast or temperature changes slowly. Ice and brine are taken to
be equally dense, so phi is a fraction of the volume as well as of the mass.

There is no picture to resolve, so the grid is the smallest whose effective conductivity is the right one: for pockets
one cell that conducts like an isotropic mixture, for layers two equal layers that conduct, along as across, exactly
like ice and brine in layers of thickness 1 - phi and phi.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.participant import micro_participant
from participants.micro.material import CONTROLS, OBSERVABLES, Material, isotropic_mixture, laminate

Array = NDArray[np.float64]


class LeverRule:
    """Equilibrium of ice and brine at n points.

    Settings: of the material. State: the temperature (n,) [K] alone, as equilibrium has no memory.
    """

    Settings = Material
    controls = CONTROLS
    observables = OBSERVABLES
    history: ClassVar[bool] = False  # what is seen follows from the temperature of now

    def __init__(self, settings: Material, seed: int) -> None:
        self.settings = settings
        self.phase_diagram = settings.phase_diagram
        self.cell_shape = {"pockets": (1, 1), "layers-x": (1, 2), "layers-y": (2, 1)}[settings.geometry]
        self.cell_size = (1e-3, 1e-3)  # nothing depends on it

    def start(self, points: Array, controls: Mapping[str, Array]) -> dict[str, Array]:
        """Return the state at `points` (n, dim)."""
        return {"temperature": self._temperature(controls, len(points))}

    def solve(
        self, state: Mapping[str, Array], controls: Mapping[str, Array], dt: float
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the new state and its observables; with dt = 0 those of the state as it is."""
        T = state["temperature"] if dt == 0 else self._temperature(controls, len(state["temperature"]))
        phi, slope = self.liquid_fraction(T)
        observables = {
            "liquid-indicator": self._on_grid(phi),
            "liquid-indicator-slope": self._on_grid(slope),
            "conductivity": self._conductivity(phi),
        }
        return {"temperature": T}, observables

    def liquid_fraction(self, temperature: Array) -> tuple[Array, Array]:
        """Return phi [-] and dphi/dT [1/K] at temperatures [K]."""
        S = self.settings.salinity
        S_br, slope = self.phase_diagram.liquidus(temperature)
        frozen = S_br > S
        S_br = np.where(frozen, S_br, S)
        return S / S_br, np.where(frozen, -S * slope / S_br**2, 0)

    def snapshot(self, state: Mapping[str, Array]) -> dict[str, Array]:
        """Return the liquid indicator (n, *cell_shape)."""
        return {"liquid-indicator": self._on_grid(self.liquid_fraction(state["temperature"])[0])}

    def _temperature(self, controls: Mapping[str, Array], n: int) -> Array:
        return np.broadcast_to(np.asarray(controls["temperature"], dtype=np.float64), (n,)).copy()

    def _on_grid(self, values: Array) -> Array:
        return np.broadcast_to(values[:, None, None], (len(values), *self.cell_shape)).copy()

    def _conductivity(self, phi: Array) -> Array:
        ice, brine = self.settings.ice_conductivity, self.settings.brine_conductivity
        if self.settings.geometry == "pockets":
            return self._on_grid(isotropic_mixture(phi, ice, brine))
        return laminate(phi, ice, brine).reshape(len(phi), *self.cell_shape)


if __name__ == "__main__":
    micro_participant(LeverRule)
