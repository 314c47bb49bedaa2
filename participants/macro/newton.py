"""Newton's method shared with the micro side: one step in each iteration of the coupling, and safe ones.

The tangent that arrives belongs to the strain that was sent last. Two things go wrong with it where a material flows.
When the load turns, that of the last window is far too soft, since what has flowed is elastic again: the window begins
with the tangent of the start. And a step may lead beyond the least of the energy that the stress derives from, even
away from it. Then part of it is taken back, to where the work of the forces that are out of balance is zero by linear
interpolation along the step, before a new one is tried; this takes an iteration of the coupling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dolfinx import fem, la
from numpy.typing import NDArray

from adapters.coupling import Coupling
from adapters.step import Step
from participants.macro.loads import Load

type Array = NDArray[np.float64]

BEYOND = (
    0.8  # a step is too long if the forces at its end work against it by more than this share of those at its start
)


class Newton:
    """Takes the steps.

    Parameters
    ----------
    u : displacement, which `solve` finds with the tangent `C`.
    unbalanced : linear form, the virtual work of the stress less that of the load.
    """

    def __init__(
        self,
        coupling: Coupling,
        u: fem.Function,
        C: fem.Function,
        load: Load,
        unbalanced: Any,
        solve: Callable[[], Any],
    ) -> None:
        self.u, self.C, self.load, self.solve = u, C.x.array, load, solve
        self.form = fem.form(unbalanced)
        self.start = self.C.copy()
        self.iterate: Array | None = None  # the displacement whose strain was sent last in this window
        self.change: Array | None = None  # the step to it, and the work [J] of the forces at its start
        self.work = 0.0
        coupling.remember("tangent at the start", self)

    def save(self) -> Array:
        """Return the tangent of the start."""
        return np.asarray(self.start)

    def restore(self, value: Array) -> None:
        """Go on with the tangent of the start."""
        self.start = value

    def step(self, step: Step) -> None:
        """Find the next displacement to be tried, from the stress and tangent of the last one."""
        if step.first:
            self.iterate = self.change = None
            if step.window == 1:
                self.start = self.C.copy()
            if self.load.turns(step):
                self.C[:] = self.start
        last = self.iterate
        if last is None:  # a step to a new load: nothing is in balance at its start
            self.solve()
        else:
            forces = self._forces()
            if self.change is not None and (work := self._work(forces, self.change)) < -BEYOND * self.work:
                share = self.work / (self.work - work)
                last = last - self.change
                self.change, self.work = share * self.change, share * self.work
                self.u.x.array[:] = last + self.change
            else:
                self.solve()
                self.change = self.u.x.array - last
                self.work = self._work(forces, self.change)
        self.iterate = self.u.x.array.copy()

    def _forces(self) -> Array:
        """Return the forces out of balance at the nodes of this rank."""
        vector = fem.assemble_vector(self.form)
        vector.scatter_reverse(la.InsertMode.add)
        space = self.u.function_space
        forces: Array = -vector.array[: space.dofmap.index_map.size_local * space.dofmap.index_map_bs]
        return forces

    def _work(self, forces: Array, change: Array) -> float:
        return float(self.u.function_space.mesh.comm.allreduce(forces @ change[: len(forces)]))
