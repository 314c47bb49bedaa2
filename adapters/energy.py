"""Where the work done on a solid goes whose material law is a micro model at every quadrature point.

    work of the loads = sum over the points of Sigma : dE dV = stored + dissipated

The first is the principle of virtual work for the discrete displacement; it holds where the coupling has found
equilibrium. The second is the first law, told by the micro model. In a step Sigma moves from Sigma_n to Sigma_n+1, and
its work is taken as the mean of Sigma_n : dE and Sigma_n+1 : dE, which is exact where the material is linear. Where it
flows, these two bound what is stored and dissipated: a micro model that minimises stored energy and dissipation over
each step, as backward Euler does for plasticity with an associated flow rule, gives a value between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dolfinx import fem, la

from adapters.coupling import Coupling
from adapters.dolfinx import QuadraturePoints
from scalebridge import checks


class Energy:
    """Closes the books on energy at the end of each window, with the values that the window ended with.

    A row of series.csv has the displacement [m] and the traction [Pa] of the load, as multiples of its shape, and the
    totals.

    Parameters
    ----------
    points : where `Strain` is written and `Stress` [Pa], `Stored-Energy` and `Dissipation` [J/m^3] are read; the latter
        two since the start of the run, which is without stress.
    force : linear form, the virtual work of the stress.
    load : nodal field that shapes the load: the displacement prescribed, or the traction, is a number times this, and
        the virtual work of the stress on it the load's.
    travel : scalar form, the number by which the displacement has followed `load` on the loaded face.
    area : integral of `load` squared over that face [m^2].

    Attributes
    ----------
    totals : since the start [J]: `work` of the loads, `internal` work of the stress, `stored`, `dissipated`.
    """

    def __init__(
        self, coupling: Coupling, points: QuadraturePoints, force: Any, load: fem.Function, travel: Any, area: float
    ) -> None:
        self.coupling = coupling
        self.points = points
        self.force, self.travel = fem.form(force), fem.form(travel)
        self.load, self.area = load, area
        self.comm = points.domain.comm
        shape = points.mesh.sent["Strain"].values.shape
        self._last: dict[str, Any] = {"strain": np.zeros(shape), "stress": np.zeros(shape), "force": 0.0, "travel": 0.0}
        self.totals = dict.fromkeys(("work", "internal", "stored", "dissipated"), 0.0)
        self.worst = {"virtual work": 0.0, "first law": 0.0}
        coupling.on_window(self._close)
        coupling.remember("energy", self)

    def save(self) -> dict[str, Any]:
        """Return the sums, and the values at the end of the last window."""
        return {"totals": dict(self.totals), "worst": dict(self.worst), **self._last}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on from what was added up before."""
        self.totals, self.worst = value["totals"], value["worst"]
        self._last = {name: value[name] for name in self._last}

    def _close(self, time: float) -> None:
        fields, last = self.points.mesh.received, self._last
        strain, stress = self.points.mesh.sent["Strain"].values, fields["Stress"].values.copy()
        force, travel = self._applied()
        densities = [np.einsum("nij,nij->n", one, strain - last["strain"]) for one in (last["stress"], stress)]
        before, after = map(self._sum, densities)
        moved = self._sum(np.abs(densities[0] + densities[1])) / 2
        stored, dissipated = self._sum(fields["Stored-Energy"].values), self._sum(fields["Dissipation"].values)
        work = (last["force"] + force) / 2 * (travel - last["travel"])
        kept = stored + dissipated - self.totals["stored"] - self.totals["dissipated"]
        scale = max(moved, 1e-3 * (stored + dissipated)) or 1.0
        beyond = abs(kept - (before + after) / 2) - abs(after - before) / 2
        self.worst["virtual work"] = max(self.worst["virtual work"], abs(work - (before + after) / 2) / scale)
        self.worst["first law"] = max(self.worst["first law"], beyond / scale)
        self.totals["work"] += work
        self.totals["internal"] += (before + after) / 2
        self.totals |= {"stored": stored, "dissipated": dissipated}
        self._last = {"strain": strain, "stress": stress, "force": force, "travel": travel}
        self.coupling.record(displacement=travel, load=force / self.area, **self.totals)

    def _sum(self, density: Any) -> float:
        """Return the integral of values (n,) at the points."""
        return float(self.comm.allreduce(density @ self.points.weights))

    def _applied(self) -> tuple[float, float]:
        """Return the force [N] that works on the load's displacement [m], and that displacement."""
        vector = fem.assemble_vector(self.force)
        vector.scatter_reverse(la.InsertMode.add)
        owned = vector.index_map.size_local * self.load.function_space.dofmap.index_map_bs
        parts = np.array([vector.array[:owned] @ self.load.x.array[:owned], fem.assemble_scalar(self.travel)])
        force, travel = self.comm.allreduce(parts)
        return float(force), float(travel)

    def check(self, tolerance: float = 1e-9) -> None:
        """Add the checks that both equations have held in every window.

        Parameters
        ----------
        tolerance : share of the work in a window that the iterations may leave unbalanced.
        """
        told = {
            "virtual work": "principle of virtual work: work of the loads = sum of Sigma : dE dV",
            "first law": "first law: Sigma_n : dE <= stored + dissipated <= Sigma_n+1 : dE, integrated",
        }
        self.coupling.check(
            *(checks.at_most(f"{n}, worst window", self.worst[n], tolerance, source=told[n]) for n in told)
        )
