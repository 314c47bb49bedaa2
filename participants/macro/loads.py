"""Loads on solid bodies: one number over time, the displacement of a face or the traction on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import ufl
from dolfinx import fem, mesh

from adapters.step import Step
from adapters.wiring import CouplingError
from participants.macro.bodies import Body
from scalebridge.settings import setting


@dataclass(frozen=True)
class History:
    """The load over time."""

    control: str = setting("displacement", "what is given on the loaded face", choices=("displacement", "traction"))
    times: tuple[float, ...] = setting(("0 s", "1 s"), "when the load is given; between, it is linear in time")
    displacement: tuple[float, ...] = setting(("0 m", "1e-3 m"), "displacement at these times, if that is given")
    traction: tuple[float, ...] = setting(("0 Pa", "1e6 Pa"), "traction at these times, if that is given")


class Load:
    """How a body is held and loaded: u = d(t) e or Sigma n = p(t) e on the loaded face.

    Attributes
    ----------
    e : nodal field, direction and shape of the load; zero away from the face.
    ds : measure on the face.
    area : integral of e . e over the face [m^2].
    traction : p(t) [Pa]; zero where the displacement is given.
    bcs : what is prescribed of the displacement.
    """

    def __init__(self, s: History, body: Body, V: fem.FunctionSpace) -> None:
        self.s = s
        self.values = values(s)
        domain, facets = body.domain, body.domain.topology.dim - 1
        domain.topology.create_connectivity(facets, facets + 1)
        face = mesh.locate_entities_boundary(domain, facets, body.loaded)
        tags = mesh.meshtags(domain, facets, face, np.ones(len(face), dtype=np.int32))
        self.ds = ufl.ds(domain, subdomain_data=tags)(1)
        self.e = fem.Function(V, name="load")
        self.e.interpolate(body.direction)
        away = np.ones(len(self.e.x.array) // V.dofmap.bs, dtype=bool)
        away[fem.locate_dofs_topological(V, facets, face)] = False
        self.e.x.array.reshape(len(away), -1)[away] = 0.0
        self.area = domain.comm.allreduce(fem.assemble_scalar(fem.form(ufl.inner(self.e, self.e) * self.ds)))
        self.traction = fem.Constant(domain, 0.0)
        self.bcs: list[fem.DirichletBC] = []
        for axis, held in body.held:
            V_i, _ = V.sub(axis).collapse()
            dofs = fem.locate_dofs_geometrical((V.sub(axis), V_i), held)
            self.bcs.append(fem.dirichletbc(fem.Function(V_i), dofs, V.sub(axis)))
        self._driven: list[tuple[fem.Function, fem.Function]] = []
        for axis in body.driven if s.control == "displacement" else ():
            shape = self.e.sub(axis).collapse()
            dofs = fem.locate_dofs_topological((V.sub(axis), shape.function_space), facets, face)
            self._driven.append((fem.Function(shape.function_space), shape))
            self.bcs.append(fem.dirichletbc(self._driven[-1][0], dofs, V.sub(axis)))

    def at(self, time: float) -> None:
        """Let the load be that at a time [s]."""
        now = float(np.interp(time, self.s.times, self.values))
        for displacement, shape in self._driven:
            displacement.x.array[:] = now * shape.x.array
        if not self._driven:
            self.traction.value = now

    def turns(self, step: Step) -> bool:
        """Whether the load does not go on in the step as it did before."""
        before, now, then = np.interp([step.t - step.dt, step.t, step.end], self.s.times, self.values)
        return bool((now - before) * (then - now) <= 0)


def values(s: History) -> tuple[float, ...]:
    """Return the values of the load at its times. Raises CouplingError where there is not one for each."""
    values = s.displacement if s.control == "displacement" else s.traction
    if len(values) != len(s.times) or not values or np.any(np.diff(s.times) <= 0):
        times = ", ".join(f"{t:g} s" for t in s.times)
        raise CouplingError(
            f"{s.control}: {len(values)} values at the times {times or 'none'}; expected one for each time, and times "
            "that increase"
        )
    return values
