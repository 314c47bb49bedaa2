"""Flow of a solution through a porous medium whose pores close and open, and of what is dissolved in it.

           dphi/dt + div q = 0,              q = -1/mu (K + K_g) grad p
    d(phi c)/dt + div j    = c_s dphi/dt,    j = q c - (D + D_g) grad c           in a rectangle

    on the left p = drop, and c = inlet in the lower part, what was there at the start above it;
    on the right p = 0 and grad c . n = 0;    below and above q . n = j . n = 0

phi [-] porosity, q [m/s] superficial velocity, p [Pa] pressure, mu [Pa s] viscosity, c [-] concentration of the
solution and c_s that of the grains, in the same unit; K [m^2] permeability and D [m^2/s] effective diffusivity tensor
(of the whole medium: flux over mean gradient). phi, K and D come from a micro model at the middle of every element.
Where its pores have closed, K_g and D_g are left, those of the grains.

The first equation says that solution and grains fill the space, and that the solution is not compressible: grains that
grow push out what was in their place. Grains that grow by d(1 - phi) take up c_s d(1 - phi): the second conserves
phi c + (1 - phi) c_s. Dispersion is left out.

Backward Euler in time, with K and D of the start of the step: when pores close, K falls by orders of magnitude, and so
flow and growth would chase each other in a step. Raviart-Thomas elements of lowest order for q, constants for p: the
volume is conserved in every element. c is constant in elements; q carries the c of the element that it comes from
(upwind), and D drives it from middle to middle with the resistances of both halves (two-point flux, of which n . D n
counts).
"""

from dataclasses import dataclass
from typing import Any

import basix.ufl
import numpy as np
import ufl
from dolfinx import fem, mesh
from dolfinx.fem.petsc import LinearProblem
from mpi4py import MPI
from numpy.typing import NDArray
from ufl import TestFunction, TestFunctions, TrialFunction, TrialFunctions, div, dot, inner, inv, jump, lhs, rhs

from adapters.balance import Inventory
from adapters.case import Case
from adapters.coupling import Coupling
from adapters.dolfinx import Cells, FieldOutput
from adapters.participant import participant
from scalebridge.fields import Field
from scalebridge.settings import setting

READS = {
    "Porosity": Field("1"),
    "Permeability": Field("m^2", rank=2, symmetric=True),
    "Diffusivity": Field("m^2/s", rank=2, symmetric=True),
}
WRITES = {"Concentration": Field("1")}
WALLS, LEFT, RIGHT = 0, 1, 2


@dataclass(frozen=True)
class Settings:
    """The rectangle, what drives the flow, and what it carries."""

    length: float = setting("0.1 m", "length along x", above=0)
    height: float = setting("0.05 m", "height along y", above=0)
    elements_x: int = setting(16, "elements along x", minimum=1)
    elements_y: int = setting(8, "elements along y; 1 for a column", minimum=1)
    pressure_drop: float = setting("0.15 Pa", "pressure on the left; it is 0 on the right")
    viscosity: float = setting("1e-3 Pa*s", "viscosity of the solution", above=0)
    initial: float = setting(1.0, "concentration at the start", minimum=0)
    inlet: float = setting(1.0, "concentration of what enters in the lower part of the left side", minimum=0)
    inlet_share: float = setting(1.0, "that part, as a share of the height", minimum=0, maximum=1)
    solid: float = setting(6.8, "concentration c_s of the grains", minimum=0)
    grain_permeability: float = setting("1e-18 m^2", "permeability K_g that closed pores leave", above=0)
    grain_diffusivity: float = setting("1e-14 m^2/s", "diffusivity D_g that closed pores leave", above=0)


def main(case: Case[Settings]) -> None:
    s = case.settings
    domain = rectangle(s)
    boundary = sides(domain, s)
    n, I, dx, ds = ufl.FacetNormal(domain), ufl.Identity(2), ufl.dx(domain), ufl.ds(domain, subdomain_data=boundary)
    P0 = fem.functionspace(domain, ("Discontinuous Lagrange", 0))
    c, c_old, c_in = fem.Function(P0, name="Concentration"), fem.Function(P0), fem.Function(P0)
    c.x.array[:] = s.initial
    c_in.interpolate(lambda x: np.where(x[1] < s.inlet_share * s.height, s.inlet, s.initial))
    dt = fem.Constant(domain, 1.0)

    with Coupling(case, domain.comm) as coupling:
        cells = Cells(coupling, "Macro-Mesh", domain)
        phi, K, D = cells.read("Porosity"), cells.read("Permeability"), cells.read("Diffusivity")
        cells.write("Concentration", c)
        K, D = K.old + s.grain_permeability * I, D.old + s.grain_diffusivity * I

        RT = basix.ufl.element("RT", domain.basix_cell(), 1)
        flow = fem.functionspace(domain, basix.ufl.mixed_element([RT, P0.ufl_element()]))
        (q, p), (w, z) = TrialFunctions(flow), TestFunctions(flow)
        darcy = (s.viscosity * inner(inv(K) * q, w) - p * div(w) - z * (div(q) + (phi - phi.old) / dt)) * dx
        pressure = s.pressure_drop * dot(w, n) * ds(LEFT)
        solution = fem.Function(flow)
        flows = direct(darcy + pressure, solution, "flow", [no_flow(flow, boundary.find(WALLS))])
        q, p = ufl.split(solution)

        def flux(c: Any, there: Any) -> Any:
            """Return j . n from c to what is there on the other side of the boundary, half an element away."""
            return upwind(q, n) * c - upwind(q, -n) * there + conductance(D, n) * (c - there)

        def residual(c: Any) -> Any:
            v = TestFunction(P0)
            taken = (phi * c - phi.old * c_old - s.solid * (phi - phi.old)) / dt * v * dx
            out = upwind(q, n) * c
            resistance = 1 / conductance(D, n)("+") + 1 / conductance(D, n)("-")
            inside = jump(v) * (jump(out) + jump(c) / resistance) * ufl.dS(domain)
            return taken + inside + flux(c, c_in) * v * ds(LEFT) + dot(q, n) * c * v * ds(RIGHT)

        transport = direct(residual(TrialFunction(P0)), c, "transport", [])

        inflow = {"left": -dt * dot(q, n) * ds(LEFT), "right": -dt * dot(q, n) * ds(RIGHT)}
        fluid = Inventory(coupling, "fluid", phi * dx, phi.old * dx, inflow)
        inflow = {"left": -dt * flux(c, c_in) * ds(LEFT), "right": -dt * dot(q, n) * c * ds(RIGHT)}
        held, before = phi * c + (1 - phi) * s.solid, phi.old * c_old + (1 - phi.old) * s.solid
        solute = Inventory(coupling, "solute", held * dx, before * dx, inflow)
        FieldOutput(coupling, "fields", [c, phi, cells.values("Pressure", p), cells.values("Velocity", q)])

        for step in coupling.steps(keep=[c]):
            c_old.x.array[:] = c.x.array
            dt.value = step.dt
            flows.solve()
            transport.solve()
        fluid.check()
        solute.check()


def upwind(q: Any, n: Any) -> Any:
    """Return what flows along n, and zero where it flows against it."""
    return (dot(q, n) + abs(dot(q, n))) / 2


def conductance(D: Any, n: Any) -> Any:
    """Return the diffusivity along n over the distance from the middle of a rectangle to its side [m/s]."""
    edges = dot(n, ufl.Jacobian(ufl.domain.extract_unique_domain(n)))
    return 2 * dot(n, D * n) / ufl.sqrt(dot(edges, edges))


def rectangle(s: Settings) -> mesh.Mesh:
    """Return the mesh of quadrilaterals."""
    corners = [np.zeros(2), np.array([s.length, s.height])]
    return mesh.create_rectangle(
        MPI.COMM_WORLD, corners, [s.elements_x, s.elements_y], cell_type=mesh.CellType.quadrilateral
    )


def sides(domain: mesh.Mesh, s: Settings) -> mesh.MeshTags:
    """Return which facet is on which side."""
    domain.topology.create_connectivity(1, 2)
    facets = mesh.exterior_facet_indices(domain.topology)
    x = mesh.compute_midpoints(domain, 1, facets)[:, 0] / s.length
    side = np.select([np.isclose(x, 0), np.isclose(x, 1)], [LEFT, RIGHT], WALLS).astype(np.int32)
    return mesh.meshtags(domain, 1, facets, side)


def no_flow(flow: fem.FunctionSpace, facets: NDArray[np.int32]) -> fem.DirichletBC:
    """Return the condition q . n = 0 on these facets."""
    fluxes, _ = flow.sub(0).collapse()
    dofs = fem.locate_dofs_topological((flow.sub(0), fluxes), 1, facets)
    return fem.dirichletbc(fem.Function(fluxes), dofs, flow.sub(0))


def direct(form: Any, u: fem.Function, name: str, bcs: list[fem.DirichletBC]) -> LinearProblem:
    """Return the problem to find u with form = 0, for a direct solver."""
    options = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}
    return LinearProblem(lhs(form), rhs(form), u=u, bcs=bcs, petsc_options_prefix=name, petsc_options=options)


if __name__ == "__main__":
    participant(main, Settings, reads=READS, writes=WRITES)
