"""Cells of a composite whose phases are elastic or flow plastically: stress, tangent and energies under a mean strain.

    div sigma = 0,    eps = E + sym grad u,    Sigma = <sigma>,    C = dSigma/dE
    sigma from eps after von Mises, with hardening, in each phase (`plasticity`); small strain

E [-] mean strain, given; u [m] fluctuation of the displacement; sigma, Sigma [Pa] stress in the cell and its mean; C
[Pa] homogenised tangent. On the boundary of the cell u is periodic, or zero (uniform strain: the stiffest), or free but
for its mean strain (uniform stress: the softest). In each of these the work of the stress is the work of its mean
(Hill-Mandel), and so work = stored + dissipated on both scales. Finite elements on a regular grid, Newton's method, and
conjugate gradients with the FFT: `adapters.cells`.

A state is the end of a step, so that plastic strain has no history but that of complete steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.cells.grid import BOUNDARIES
from adapters.participant import micro_participant
from participants.micro import phases
from participants.micro.cells import Cells
from participants.micro.phases import Phases
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Composite(Phases):
    """Composites with elastic and ductile phases."""

    boundary: str = setting("periodic", "what holds on the boundary of the cell", choices=BOUNDARIES)
    tangent: bool = setting(True, "whether the homogenised tangent is computed, which takes about half of the time")
    tolerance: float = setting(2e-11, "share of the stress that may be out of balance", above=0, maximum=1e-3)
    tangent_tolerance: float = setting(1e-6, "error of the tangent, as a share of its entries", above=0, maximum=1e-1)
    snapshots: int = setting(12, "pictures to keep of the cells, after the one at the start", minimum=0)
    volumes: int = setting(48, "cells in each picture, evenly spaced in the order of the points", minimum=1)
    threads: int = setting(1, "parts of the batch that are worked on at the same time", minimum=1)


CONTROLS = {"strain": Field("1", rank=2, help="mean strain at the end of the step")}
OBSERVABLES = {
    "stress": Field("Pa", rank=2, help="mean stress"),
    "mean-strain": Field("1", rank=2, help="the strain that the stress belongs to"),
    "tangent": Field("Pa", rank=4, help="derivative of the mean stress by the mean strain"),
    "stored-energy": Field("J/m^3", help="free energy, elastic and of hardening"),
    "dissipation": Field("J/m^3", help="what plastic flow has dissipated since the start"),
}


class Elastoplastic:
    """Cells of a composite at n points.

    State: what is observed at the end of the step by name, "strain" for the mean strain; "phase" (n, *cells);
    "fluctuation" (n, d, *nodes) [2^(d-1) edges of a grid cell]; "plastic-strain" (n, s, *cells), components as in
    `adapters.cells.grid`; "equivalent-plastic-strain" (n, *cells); "corrector" (n, s, d, *nodes), the derivative of the
    fluctuation by the mean strain, in single precision because it only starts what follows.
    """

    Settings = Composite
    controls = CONTROLS
    observables = OBSERVABLES

    def __init__(self, settings: Composite, seed: int) -> None:
        self.settings, self.seed = settings, seed
        if not settings.tangent:
            self.observables = {name: field for name, field in OBSERVABLES.items() if name != "tangent"}
        image = phases.images(settings, np.zeros((1, settings.dimensions)), seed)
        self.cell_shape: tuple[int, ...] = image.shape[1:]
        self.cell_size = tuple(settings.size * n / self.cell_shape[0] for n in self.cell_shape)
        s = settings
        accuracy = (s.tolerance, s.tangent_tolerance if s.tangent else None)
        self.cells = Cells(self.cell_shape, s.boundary, phases.table(s, image), *accuracy, s.threads)

    def start(self, points: Array, controls: Values) -> Values:
        """Return cells at `points` (n, dim) [m] without plastic strain, under the strain of `controls`."""
        strain = np.asarray(controls["strain"], dtype=np.float64)
        begun = self.cells.start(phases.images(self.settings, points, self.seed), self.settings.arrangement != "random")
        return self.cells.advance(begun, strain) if strain.any() else begun

    def solve(self, state: Values, controls: Values, dt: float) -> tuple[Values, dict[str, Array]]:
        """Advance to the strain of `controls`, however long dt [s] > 0 is; with dt = 0 show the state as it is."""
        after = state if dt == 0 else self.cells.advance(state, np.asarray(controls["strain"], dtype=np.float64))
        return after, {name: after["strain" if name == "mean-strain" else name] for name in self.observables}

    def snapshot(self, state: Values) -> dict[str, Array]:
        """Return the phase, the equivalent plastic strain and stress, and the stored energy (n, *cells)."""
        return self.cells.pictures(state)

    def audit(self, before: Values, after: Values) -> list[Check]:
        """Return the balances of work and energy of a step, relative to the work that was done in the cell."""
        hill_mandel, first_law, between = self.cells.balances(before, after)
        allowed = max(1e-10, self.settings.tolerance)
        mandel = "R. Hill, J. Mech. Phys. Solids 11, 357 (1963): <sigma : d eps> = Sigma : dE"
        law = "first law; work in the cell, by the trapezoidal rule with what that misses where flow begins"
        convex = "backward Euler minimises stored + dissipated, which is convex in the strain"
        return [
            checks.at_most("Hill-Mandel, relative to the work", hill_mandel, 0, tolerance=allowed, source=mandel),
            checks.at_most("work - stored - dissipated, relative", first_law, 0, tolerance=10 * allowed, source=law),
            checks.at_most("stored + dissipated beyond the work", between, 0, tolerance=10 * allowed, source=convex),
        ]

    @staticmethod
    def enlarged(settings: Composite, factor: int) -> Composite:
        """Return larger cells with more inclusions of the same size. Raises MicroError for a picture."""
        return settings.enlarged(factor)

    @staticmethod
    def refined(settings: Composite, factor: int) -> Composite:
        """Return the same cells on a finer grid."""
        return settings.refined(factor)


if __name__ == "__main__":
    micro_participant(Elastoplastic)
