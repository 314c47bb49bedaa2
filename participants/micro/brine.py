"""Ice that dissolves in its brine: small volumes of ice and brine with their salt resolved.

    dm/dt = D laplace(u),    u = max(0, m - S_br(T)),    liquid indicator f = min(1, m / S_br(T))

m [kg/kg] salt in a cell per ice and brine in it, S_br(T) [kg/kg] salinity of brine beside ice at the temperature T [K]
of the volume, u [kg/kg] by how much brine is saltier, D [m^2/s] diffusivity of salt in brine. Ice holds no salt.

This is the weak form of the Stefan problem for salt, as the enthalpy method is for heat. Where u > 0 there is brine
alone, and it diffuses; its rim, where u = 0, moves as the ice there takes up salt, from m = 0 to m = S_br:
-D du/dn = (S_br - m) v_n. So ice dissolves at the pace of salt diffusion. Brine that would be supercooled, m < S_br,
freezes in place. Fast diffusion or slow warming lead to u = 0 and to the lever rule. Ice and brine are taken to be
equally dense.

Backward Euler in time, finite volumes on cells of width h, periodic: m = m_0 + kappa L u with kappa = dt D / h^2 and L
the sum of the differences to the four neighbours. With b = m_0 - S_br(T) that is an obstacle problem,

    u >= 0,    A u - b >= 0,    u (A u - b) = 0,    A = 1 - kappa L,

and exactly so the liquid fraction is <f> = (<m> - <u>) / S_br. Its derivative by T needs one more solve, A v = 1 where
u > 0 and v = 0 elsewhere, as du/dS_br = -v:    df/dT = (A v - f) S_br'(T) / S_br,  zero where u > 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.micro import MicroError
from adapters.participant import micro_participant
from participants.micro import obstacle, pockets
from participants.micro.material import CONTROLS, OBSERVABLES, Material, isotropic_mixture
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.settings import setting

Array = NDArray[np.float64]
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Volumes(Material):
    """Volumes of frozen brine that are resolved by a grid."""

    cells: int = setting(32, "grid cells along each edge of a volume", minimum=2)
    size: float = setting("0.001 m", "edge of a volume", above=0)
    pocket: float = setting(0.06, "width of the brine pockets, as a share of the edge", above=0, maximum=0.5)
    diffusivity: float = setting("6.8e-10 m^2/s", "diffusivity D of salt in brine near 0 degC", above=0)


class Brine:
    """Ice and brine in n volumes.

    State: "salt" m (n, cells, cells) [kg/kg] and "temperature" T (n,) [K].
    """

    Settings = Volumes
    controls = CONTROLS
    observables = OBSERVABLES
    reference_controls: ClassVar[dict[str, str]] = {"temperature": "263.15 K"}

    def __init__(self, settings: Volumes, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.phase_diagram = settings.phase_diagram
        self.cell_shape = (settings.cells, settings.cells)
        self.cell_size = (settings.size, settings.size)

    def start(self, points: Array, controls: Values) -> dict[str, Array]:
        """Return volumes at `points` (n, dim) [m] that are in equilibrium at the temperatures of `controls` (n,)."""
        s, n = self.settings, len(points)
        T = np.broadcast_to(np.asarray(controls["temperature"], dtype=np.float64), (n,)).copy()
        brine = np.maximum(s.salinity, self.phase_diagram.salinity(T))
        phi = s.salinity / brine
        if s.geometry == "pockets":
            f = pockets.liquid_indicator(points, phi, s.cells, s.pocket, self.seed)
        else:
            across = pockets.layer(phi, s.cells)
            f = across[:, None, :] if s.geometry == "layers-x" else across[:, :, None]
        return {"salt": np.broadcast_to(f, (n, *self.cell_shape)) * brine[:, None, None], "temperature": T}

    def solve(self, state: Values, controls: Values, dt: float) -> tuple[dict[str, Array], dict[str, Array]]:
        """Advance by dt [s] to the temperatures of `controls`; with dt = 0 show the state as it is."""
        s, m = self.settings, state["salt"]
        T = state["temperature"] if dt == 0 else np.broadcast_to(controls["temperature"], len(m)).astype(np.float64)
        S_br, slope = (x[:, None, None] for x in self.phase_diagram.liquidus(T))
        kappa = dt * s.diffusivity / (s.size / s.cells) ** 2
        u, melted = obstacle.solve(kappa, m - S_br)
        v = obstacle.response(kappa, melted)
        m = _add_divergence(_add_divergence(m, kappa * u, axis=1), kappa * u, axis=2)
        f = self._indicator(m, S_br, melted)
        w = _add_divergence(_add_divergence(v, -kappa * v, axis=1), -kappa * v, axis=2)  # A v
        observables = {
            "liquid-indicator": f,
            "liquid-indicator-slope": np.where(melted | (S_br == 0), 0, (w - f) * slope / np.where(S_br > 0, S_br, 1)),
            "conductivity": isotropic_mixture(f, s.ice_conductivity, s.brine_conductivity),
        }
        return {"salt": m, "temperature": T}, observables

    def snapshot(self, state: Values) -> dict[str, Array]:
        """Return liquid indicator [-] and salinity of the brine [kg/kg], zero in pure ice, (n, cells, cells)."""
        m, S_br = state["salt"], self.phase_diagram.salinity(state["temperature"])[:, None, None]
        brine = np.where(m > 0, np.maximum(m, S_br), 0)
        return {"liquid-indicator": self._indicator(m, S_br, m > S_br), "brine-salinity": brine}

    def audit(self, before: Values, after: Values) -> list[Check]:
        """Return the salt balance of a step: the salt of every volume stays what it was."""
        first, last = (x["salt"].mean(axis=(1, 2)) for x in (before, after))
        error = float(np.max(np.abs(last - first) / first))
        source = "conservation of salt: the boundary is periodic and ice holds none"
        return [checks.at_most("salt gained or lost in a volume", error, 1e-13, source=source)]

    @staticmethod
    def enlarged(settings: Volumes, factor: int) -> Volumes:
        """Return larger volumes with pockets of the same width. Raises MicroError for a layer, which is no sample."""
        s = settings
        if s.geometry != "pockets":
            raise MicroError([], f"a larger volume of geometry '{s.geometry}' has one thicker layer: another medium")
        return replace(s, cells=factor * s.cells, size=factor * s.size, pocket=s.pocket / factor)

    @staticmethod
    def refined(settings: Volumes, factor: int) -> Volumes:
        """Return the same volumes on a finer grid; their pockets are another sample of the same kind."""
        return replace(settings, cells=factor * settings.cells)

    @staticmethod
    def _indicator(m: Array, S_br: Array, melted: NDArray[np.bool_]) -> Array:
        return np.where(melted | (m >= S_br), 1, m / np.where(S_br > 0, S_br, 1))


def _add_divergence(m: Array, u: Array, axis: int) -> Array:
    """Return m + d^2 u along an axis; what leaves a cell through a face enters the next, to the last bit."""
    flux = np.roll(u, -1, axis) - u
    return m + flux - np.roll(flux, 1, axis)


if __name__ == "__main__":
    micro_participant(Brine)
