"""Grains that dissolve in, or grow from, the solution in the pores around them.

    lambda^2 dphi/dt = gamma lambda^2 laplace(phi) - gamma P'(phi) - 4 lambda v(c) phi (1 - phi)
    P = 8 phi^2 (1 - phi)^2,    v(c) = k_t ((c / c_eq)^2 - 1)

phi [-] 1 in the pores and 0 in the grains, periodic; c [-] concentration in the pores, uniform in a cell; v [m/s] speed
at which a flat surface grows; lambda [m] width of the diffuse interface; gamma [m^2/s] diffusivity of the interface;
k_t [m/s] rate of the reaction; c_eq [-] concentration of equilibrium (Bringedal, von Wolff & Pop, Multiscale Model.
Simul. 18, 1076 (2020), in the form of Bastidas, Bringedal & Pop, Appl. Math. Comput. 396, 125933 (2021)). Where lambda
is small, a single grain of radius r obeys

    dr/dt = v(c) - (d - 1) gamma / r        in d dimensions.

What the cell is worth to the macro scale, the maps say: the mean of the pore indicator is the porosity, and
`effective-tensor` of the conductivity phi k_s + (1 - phi) k_g and `permeability` of the pore indicator are the tensors
of conduction and of flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.participant import micro_participant
from participants.micro import allen_cahn, packs
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Cell:
    """A periodic cell with grains in it. The defaults are those of the published two-scale case."""

    dimensions: int = setting(2, "dimensions of the cell", minimum=2, maximum=3)
    cells: int = setting(48, "grid cells along each edge; four for each interface width are enough", minimum=4)
    size: float = setting("1 m", "edge of the cell", above=0)
    radius: float = setting(0.4, "radius of the grains at the start, as a share of the edge", above=0)
    grains: int = setting(1, "grains in the cell; a single one is in the middle", minimum=1)
    arrangement: str = setting("random", "where several grains are", choices=("random", "array"))
    width: float = setting(1 / 12, "width lambda of the interface, as a share of the edge", above=0, maximum=0.5)
    gamma: float = setting("0.05 m^2/s", "diffusivity of the interface", minimum=0)
    rate: float = setting("1 m/s", "rate k_t of the reaction", minimum=0)
    equilibrium: float = setting(0.5, "concentration c_eq at which grains neither grow nor dissolve", above=0)
    pore_conductivity: float = setting("1 m^2/s", "conductivity k_s of the pores, over their heat capacity", minimum=0)
    grain_conductivity: float = setting("0 m^2/s", "conductivity k_g of the grains, over their capacity", minimum=0)
    tolerance: float = setting(1e-9, "largest error of the phase that is left in a step", above=0, maximum=1e-3)
    snapshots: int = setting(12, "pictures to keep of the cells, after the one at the start", minimum=0)
    threads: int = setting(1, "parts of the batch that are worked on at the same time", minimum=1)


CONTROLS = {"concentration": Field("1", help="concentration in the pores")}
OBSERVABLES = {
    "pore-indicator": Field("1", per="grid", help="1 in the pores, 0 in the grains"),
    "conductivity": Field("m^2/s", per="grid", help="conductivity over heat capacity; 0 where nothing conducts"),
}


class Grain:
    """Cells with grains at n points.

    State: "phase" phi (n, *cells) [-] and "concentration" c (n,) [-].
    """

    Settings = Cell
    controls = CONTROLS
    observables = OBSERVABLES
    reference_controls: ClassVar[dict[str, str]] = {"concentration": "0.5"}  # acts on what comes after the start alone

    def __init__(self, settings: Cell, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.cell_shape = (settings.cells,) * settings.dimensions
        self.cell_size = (settings.size,) * settings.dimensions

    def start(self, points: Array, controls: Values) -> dict[str, Array]:
        """Return cells at `points` (n, dim) [m] with round grains, whose interface has the shape it has at rest."""
        s = self.settings
        distance = packs.distance(points, s.cells, s.dimensions, s.grains, s.radius, self.seed, s.arrangement)
        return {"phase": profile(distance / s.width), "concentration": self._concentration(controls, len(points))}

    def solve(self, state: Values, controls: Values, dt: float) -> tuple[dict[str, Array], dict[str, Array]]:
        """Advance by dt [s] at the concentrations of `controls`; with dt = 0 show the state as it is."""
        s, phi = self.settings, state["phase"]
        c = state["concentration"] if dt == 0 else self._concentration(controls, len(phi))
        if dt > 0:
            speed = s.rate * ((c / s.equilibrium) ** 2 - 1)
            width = s.width * s.size
            phi = allen_cahn.step(
                phi, speed, dt, size=s.size, width=width, gamma=s.gamma, tolerance=s.tolerance, threads=s.threads
            )
        pores = np.clip(phi, 0, 1)  # the Fourier series of an interface that is coarsely resolved overshoots a little
        conductivity = pores * (s.pore_conductivity - s.grain_conductivity) + s.grain_conductivity
        return {"phase": phi, "concentration": c}, {"pore-indicator": pores, "conductivity": conductivity}

    def snapshot(self, state: Values) -> dict[str, Array]:
        """Return the phase (n, *cells) [-]."""
        return {"phase": state["phase"]}

    def audit(self, before: Values, after: Values) -> list[Check]:
        """Return by how much the phase leaves [0, 1], which says how well the grid resolves the interface."""
        phi = after["phase"]
        excess = max(float((-phi).max(initial=0)), float((phi - 1).max(initial=0)))
        source = "the Allen-Cahn equation keeps the phase within [0, 1]; more means too coarse a grid"
        return [checks.at_most("overshoot of the phase", excess, 1e-3, source=source)]

    @staticmethod
    def enlarged(settings: Cell, factor: int) -> Cell:
        """Return larger cells with more grains of the same size; of a single grain, which is periodic, an array."""
        s = settings
        return replace(
            s,
            cells=factor * s.cells,
            size=factor * s.size,
            radius=s.radius / factor,
            width=s.width / factor,
            grains=s.grains * factor**s.dimensions,
            arrangement="array" if s.grains == 1 else s.arrangement,
        )

    @staticmethod
    def refined(settings: Cell, factor: int) -> Cell:
        """Return the same cells, their interfaces as wide as they are, on a finer grid."""
        return replace(settings, cells=factor * settings.cells)

    def _concentration(self, controls: Values, n: int) -> Array:
        return np.broadcast_to(np.asarray(controls["concentration"], dtype=np.float64), (n,)).copy()


def profile(distance: Array) -> Array:
    """Return the phase at a distance from the surface of a grain, in interface widths, positive in the pores."""
    return np.asarray(0.5 * (1 + np.tanh(2 * distance)))


if __name__ == "__main__":
    micro_participant(Grain)
