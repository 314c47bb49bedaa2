"""A solid under small strain whose stress at every quadrature point is that of a micro model.

    div Sigma = 0,    E = sym grad u         in the body
    u . n = 0                                on the planes that it lies against, along which it glides
    u = d(t) e   or   Sigma n = p(t) e       on the loaded face;    Sigma n = 0  on all others

u [m] displacement, E [-] strain, Sigma [Pa] stress, e [-] direction and shape of the load (see `bodies`). Sigma comes
from a micro model at every quadrature point, and so do its tangent C = dSigma/dE [Pa] and, per volume, the energy that
was stored and dissipated there [J/m^3]. In two dimensions the strain is plane, and all is per metre of thickness.

Each iteration takes the stress as linear about the strain E_k that it was computed for, Sigma_k + C : (E - E_k). With
the tangent that the micro model sends for E_k, the iteration of the coupling is Newton's method. With one that is
elastic throughout it is the modified Newton method, which an acceleration of the coupling may speed up: that changes
Sigma_k, so E_k has to be changed with it, and is read as the mean strain of the micro volume.

Lagrange P2 on triangles with three points or tetrahedra with four. Every point is a micro simulation: these are the
fewest that see all motions of an element, and few enough for plastic flow, which keeps the volume, not to lock as it
does in P1.
"""

from dataclasses import dataclass
from typing import Any

from dolfinx import fem
from dolfinx.fem.petsc import LinearProblem
from ufl import Identity, TestFunction, TrialFunction, as_tensor, grad, indices, inner, lhs, rhs, sym, tr

from adapters.case import Case
from adapters.coupling import Coupling
from adapters.dolfinx import FieldOutput, QuadraturePoints
from adapters.energy import Energy
from adapters.participant import participant
from participants.macro import bodies
from participants.macro.loads import History, Load
from participants.macro.newton import Newton
from scalebridge.fields import Field
from scalebridge.settings import setting

READS = {
    "Stress": Field("Pa", rank=2),
    "Tangent": Field("Pa", rank=4, optional=True),
    "Mean-Strain": Field("1", rank=2, optional=True),
    "Stored-Energy": Field("J/m^3"),
    "Dissipation": Field("J/m^3"),
}
WRITES = {"Strain": Field("1", rank=2)}


@dataclass(frozen=True)
class Settings(History, bodies.Shape):
    """The body, its load, and how its equations are linearised."""

    degree: int = setting(2, "polynomial degree of the displacement; 1 locks in plastic flow", minimum=1, maximum=2)
    tangent: str = setting("homogenised", "from the micro model, or elastic", choices=("homogenised", "elastic"))
    youngs_modulus: float = setting("70e9 Pa", "Young's modulus of the elastic tangent", above=0)
    poissons_ratio: float = setting(0.3, "Poisson's ratio of the elastic tangent", above=-1, maximum=0.499)


def main(case: Case[Settings]) -> None:
    s = case.settings
    body = bodies.build(s)
    V = fem.functionspace(body.domain, ("Lagrange", s.degree, (body.domain.geometry.dim,)))
    u, du, v = fem.Function(V, name="Displacement"), TrialFunction(V), TestFunction(V)
    load = Load(s, body, V)

    with Coupling(case, body.domain.comm) as coupling:
        points = QuadraturePoints(coupling, "Macro-Mesh", body.domain, degree=s.degree)
        points.write("Strain", strain(u))
        Sigma, psi, D = points.read("Stress"), points.read("Stored-Energy"), points.read("Dissipation")
        if s.tangent == "homogenised":
            C, E_k = points.read("Tangent"), points.sent("Strain")
            change = product(C, strain(du) - E_k)
        else:
            E_k = points.read("Mean-Strain")
            change = elastic(s, strain(du) - E_k)

        force = inner(Sigma, strain(v)) * points.dx
        applied = load.traction * inner(load.e, v) * load.ds
        linear = force + inner(change, strain(v)) * points.dx - applied
        direct = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}
        problem = LinearProblem(
            lhs(linear), rhs(linear), u=u, bcs=load.bcs, petsc_options_prefix="solid", petsc_options=direct
        )
        newton = Newton(coupling, u, C, load, force - applied, problem.solve) if s.tangent == "homogenised" else None
        energy = Energy(coupling, points, force, load.e, inner(u, load.e) / load.area * load.ds, load.area)
        E = points.average(points.sent("Strain"), "Strain")
        FieldOutput(coupling, "fields", [u, E, *map(points.average, (Sigma, psi, D))])

        for step in coupling.steps(keep=[u]):
            load.at(step.end)
            if newton is not None:
                newton.step(step)
            else:
                problem.solve()
        energy.check(1e-9 if newton is not None else 1e-6)


def strain(u: Any) -> Any:
    """Return E = sym grad u."""
    return sym(grad(u))


def product(C: Any, E: Any) -> Any:
    """Return C : E."""
    i, j, k, l = indices(4)
    return as_tensor(C[i, j, k, l] * E[k, l], (i, j))


def elastic(s: Settings, E: Any) -> Any:
    """Return Hooke's stress of a strain: lambda tr(E) I + 2 G E."""
    G = s.youngs_modulus / (2 * (1 + s.poissons_ratio))
    lame = 2 * G * s.poissons_ratio / (1 - 2 * s.poissons_ratio)
    return lame * tr(E) * Identity(E.ufl_shape[0]) + 2 * G * E


if __name__ == "__main__":
    participant(main, Settings, reads=READS, writes=WRITES)
