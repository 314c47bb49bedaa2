"""Heat conduction in a porous medium whose cells conduct and store heat as their grains let them.

    (phi C_s + (1 - phi) C_g) du/dt = div(K grad u)    in a rectangle,      K grad u . n = 0  on its sides
                                  u = u_sink           in its lower left corner, or on the whole left side

u [-] temperature (or concentration), phi [-] porosity, K [m^2/s] effective conductivity tensor, C_s and C_g [-] heat
capacities of pores and grains. phi and K come from a micro model at every quadrature point.

This is the macro side of the two-scale case of Bastidas, Bringedal & Pop (Appl. Math. Comput. 396, 125933 (2021)) as
preCICE users know it: a grain that dissolves takes the temperature that is there, so only for C_s = C_g is it a
conservation law of phi, too. Backward Euler in time, bilinear quadrilaterals with 2 x 2 Gauss points in space.
"""

from dataclasses import dataclass

import numpy as np
from dolfinx import fem, mesh
from dolfinx.fem.petsc import LinearProblem
from mpi4py import MPI
from ufl import TestFunction, TrialFunction, grad, inner, lhs, rhs

from adapters.balance import Balance
from adapters.case import Case
from adapters.coupling import Coupling
from adapters.dolfinx import FieldOutput, QuadraturePoints
from adapters.participant import participant
from scalebridge.fields import Field
from scalebridge.settings import setting

READS = {"Porosity": Field("1"), "K": Field("m^2/s", rank=2)}
WRITES = {"Concentration": Field("1")}


@dataclass(frozen=True)
class Settings:
    """The rectangle, what it stores, and where heat leaves it."""

    length: float = setting("1 m", "length along x", above=0)
    height: float = setting("0.5 m", "height along y", above=0)
    elements_x: int = setting(4, "elements along x", minimum=1)
    elements_y: int = setting(3, "elements along y", minimum=1)
    pore_capacity: float = setting(1.0, "heat capacity C_s of the pores", above=0)
    grain_capacity: float = setting(1.0, "heat capacity C_g of the grains", above=0)
    initial: float = setting(0.5, "u at the start")
    sink: str = setting(
        "corner", "where u is held: in the lower left corner, or on the left", choices=("corner", "left")
    )
    sink_value: float = setting(0.0, "u at the sink")


def main(case: Case[Settings]) -> None:
    s = case.settings
    domain = rectangle(s)
    V = fem.functionspace(domain, ("Lagrange", 1))
    u, u_old = fem.Function(V, name="Concentration"), fem.Function(V)
    u.x.array[:] = s.initial
    trial, v, dt = TrialFunction(V), TestFunction(V), fem.Constant(domain, 0.0)
    lowest = 0.0 if s.sink == "corner" else s.height
    sink = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[0], 0.0) & (x[1] <= lowest + 1e-9 * s.height))

    with Coupling(case, domain.comm) as coupling:
        points = QuadraturePoints(coupling, "Macro-Mesh", domain, degree=2)
        phi, K = points.read("Porosity"), points.read("K")
        points.write("Concentration", u)
        C = phi * s.pore_capacity + (1 - phi) * s.grain_capacity

        def residual(u: fem.Function) -> object:
            return (C * (u - u_old) * v + dt * inner(K * grad(u), grad(v))) * points.dx

        form = residual(trial)
        bcs = [fem.dirichletbc(s.sink_value, sink, V)]
        direct = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}
        problem = LinearProblem(
            lhs(form), rhs(form), u=u, bcs=bcs, petsc_options_prefix="conduction", petsc_options=direct
        )
        balance = Balance(coupling, "heat", residual(u), C * u * points.dx, sink)
        FieldOutput(coupling, "fields", [u, points.average(phi)])

        for step in coupling.steps(keep=[u]):
            u_old.x.array[:] = u.x.array
            dt.value = step.dt
            problem.solve()
        balance.check(max(1e-10, 10 * coupling.wiring.left_by_iterations))


def rectangle(s: Settings) -> mesh.Mesh:
    """Return the mesh of quadrilaterals."""
    corners = [np.zeros(2), np.array([s.length, s.height])]
    return mesh.create_rectangle(
        MPI.COMM_WORLD, corners, [s.elements_x, s.elements_y], cell_type=mesh.CellType.quadrilateral
    )


if __name__ == "__main__":
    participant(main, Settings, reads=READS, writes=WRITES)
