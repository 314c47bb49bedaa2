"""Heat conduction in a block that melts or freezes inside.

    rho c dT/dt = div(K grad T) - rho L d<I>/dt    in the block
              T = T_wall                           on x = 0,      K grad T . n = 0  on all other sides

T [K] temperature, <I> [-] liquid fraction, K [W/(m K)] effective conductivity tensor, rho [kg/m^3] density,
c [J/(kg K)] specific heat, L [J/kg] latent heat. <I>, its slope d<I>/dT and K come from a micro model at every
quadrature point.

Backward Euler in time, with K of the start of the step; Lagrange P1 in space. Near melting rho L d<I>/dT is some
hundred times rho c, and a plain exchange of T and <I> diverges. Each iteration therefore linearises the liquid fraction
about the temperature T_k it was computed for, <I> = I_k + s (T - T_k), which makes the exchange Newton's method. Where
T_k jumped over the kink at complete melting, s is the secant instead, or Newton's method would cycle.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from dolfinx import fem, mesh
from dolfinx.fem.petsc import LinearProblem
from mpi4py import MPI
from numpy.typing import NDArray
from ufl import TestFunction, TrialFunction, grad, inner, lhs, rhs

from adapters.balance import Balance
from adapters.case import Case
from adapters.coupling import Coupling
from adapters.dolfinx import FieldOutput, QuadraturePoints
from adapters.participant import participant
from adapters.step import Step
from scalebridge.fields import Field
from scalebridge.settings import setting

Array = NDArray[np.float64]

READS = {
    "Liquid-Fraction": Field("1"),
    "Liquid-Fraction-Slope": Field("1/K"),
    "Conductivity": Field("W/(m*K)", rank=2),
}
WRITES = {"Temperature": Field("K")}


@dataclass(frozen=True)
class Settings:
    """The block, its material, and its temperatures."""

    length: float = setting("0.1 m", "length of the block along x", above=0)
    width: float = setting("0 m", "width along y; with 0 the block is one-dimensional", minimum=0)
    elements: int = setting(40, "number of elements along x", minimum=1)
    density: float = setting("1000 kg/m^3", "density of ice and brine", above=0)
    heat_capacity: float = setting("2100 J/(kg*K)", "specific heat of ice and brine", above=0)
    latent_heat: float = setting("333600 J/kg", "latent heat of fusion", minimum=0)
    initial_temperature: float = setting("263.15 K", "temperature at the start", above=0)
    wall_temperature: float = setting("268.15 K", "temperature of the wall x = 0", above=0)


def main(case: Case[Settings]) -> None:
    s = case.settings
    rho, c, L = s.density, s.heat_capacity, s.latent_heat
    domain = block(s)
    V = fem.functionspace(domain, ("Lagrange", 1))
    T, T_old = fem.Function(V, name="Temperature"), fem.Function(V)
    T.x.array[:] = s.initial_temperature
    u, v, dt = TrialFunction(V), TestFunction(V), fem.Constant(domain, 0.0)
    wall = fem.locate_dofs_geometrical(V, lambda x: np.isclose(x[0], 0.0))

    with Coupling(case, domain.comm) as coupling:
        points = QuadraturePoints(coupling, "Macro-Mesh", domain, degree=2)
        I, slope, K = points.read("Liquid-Fraction"), points.read("Liquid-Fraction-Slope"), points.read("Conductivity")
        points.write("Temperature", T)
        T_k = points.sent("Temperature")

        def residual(T: Any, I: Any) -> Any:
            stored = rho * c * (T - T_old) + rho * L * (I - I.old)
            return stored * v * points.dx + dt * inner(K.old * grad(T), grad(v)) * points.dx

        newton = residual(u, I) + rho * L * slope * (u - T_k) * v * points.dx
        bcs = [fem.dirichletbc(s.wall_temperature, wall, V)]
        direct = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}
        problem = LinearProblem(
            lhs(newton), rhs(newton), u=T, bcs=bcs, petsc_options_prefix="heat", petsc_options=direct
        )
        secant = Secant(slope.x.array, I.x.array, T_k.x.array)
        energy = (rho * c * T + rho * L * I) * points.dx
        balance = Balance(coupling, "energy", residual(T, I), energy, wall)
        FieldOutput(coupling, "fields", [T, points.average(I)])

        for step in coupling.steps(keep=[T]):
            T_old.x.array[:] = T.x.array
            dt.value = step.dt
            secant.steepen(step)
            problem.solve()
        balance.check()


def block(s: Settings) -> mesh.Mesh:
    """Return the mesh: an interval, or a rectangle of triangles about as wide as long."""
    if s.width == 0:
        return mesh.create_interval(MPI.COMM_WORLD, s.elements, [0.0, s.length])
    across = max(1, round(s.elements * s.width / s.length))
    return mesh.create_rectangle(MPI.COMM_WORLD, [[0.0, 0.0], [s.length, s.width]], [s.elements, across])


class Secant:
    """Takes the secant of the last two iterates in a window for the slope d<I>/dT where the tangent misleads."""

    def __init__(self, slope: Array, I: Array, T: Array) -> None:
        self.slope, self.I, self.T = slope, I, T
        self.window, self.I_last, self.T_last = 0, I, T

    def steepen(self, step: Step) -> None:
        if step.window == self.window:
            dT = np.abs(self.T - self.T_last)
            moved = dT > 1e-6  # [K]; below, the difference of liquid fractions is round-off
            secant = np.abs(self.I - self.I_last)[moved] / dT[moved]
            tangent = self.slope[moved]
            steeper = secant > np.where(dT[moved] > 1e-3, 1.0, 2.0) * tangent  # near the end only a kink counts
            self.slope[moved] = np.where(steeper, secant, tangent)
        self.window, self.I_last, self.T_last = step.window, self.I.copy(), self.T.copy()


if __name__ == "__main__":
    participant(main, Settings, reads=READS, writes=WRITES)
