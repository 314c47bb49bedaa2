"""Quadrature points and nodes of DOLFINx as coupling meshes, serial and on two MPI ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from coupled import participant, run

from adapters.coupling import Coupling
from scalebridge.fields import Field
from scalebridge.settings import setting

XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > warning" enabled="true" /></log>
  <profiling mode="off" />
  <data:scalar name="Temperature" />
  <data:vector name="Heat-Flux" />
  <data:scalar name="Liquid-Fraction" />
  <data:vector name="Velocity" />
  <data:scalar name="Conductivity-00" /> <data:scalar name="Conductivity-01" /> <data:scalar name="Conductivity-11" />
  <mesh name="Macro-Mesh" dimensions="2">
    <use-data name="Temperature" /> <use-data name="Heat-Flux" /> <use-data name="Liquid-Fraction" />
    <use-data name="Velocity" />
    <use-data name="Conductivity-00" /> <use-data name="Conductivity-01" /> <use-data name="Conductivity-11" />
  </mesh>
  <participant name="Macro">
    <provide-mesh name="Macro-Mesh" />
    <write-data name="Temperature" mesh="Macro-Mesh" />
    <write-data name="Heat-Flux" mesh="Macro-Mesh" />
    <read-data name="Liquid-Fraction" mesh="Macro-Mesh" />
    <read-data name="Velocity" mesh="Macro-Mesh" />
    <read-data name="Conductivity-00" mesh="Macro-Mesh" />
    <read-data name="Conductivity-01" mesh="Macro-Mesh" />
    <read-data name="Conductivity-11" mesh="Macro-Mesh" />
    RANKS
  </participant>
  <participant name="Micro">
    <receive-mesh name="Macro-Mesh" from="Macro" api-access="true" />
    <read-data name="Temperature" mesh="Macro-Mesh" />
    <read-data name="Heat-Flux" mesh="Macro-Mesh" />
    <write-data name="Liquid-Fraction" mesh="Macro-Mesh" />
    <write-data name="Velocity" mesh="Macro-Mesh" />
    <write-data name="Conductivity-00" mesh="Macro-Mesh" />
    <write-data name="Conductivity-01" mesh="Macro-Mesh" />
    <write-data name="Conductivity-11" mesh="Macro-Mesh" />
  </participant>
  <m2n:sockets acceptor="Macro" connector="Micro" exchange-directory=".." />
  <coupling-scheme:serial-implicit>
    <participants first="Micro" second="Macro" />
    <max-time-windows value="2" />
    <time-window-size value="0.5" />
    <min-iterations value="2" />
    <max-iterations value="4" />
    <exchange data="Temperature" mesh="Macro-Mesh" from="Macro" to="Micro" initialize="true" />
    <exchange data="Heat-Flux" mesh="Macro-Mesh" from="Macro" to="Micro" initialize="true" />
    <exchange data="Liquid-Fraction" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Velocity" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Conductivity-00" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Conductivity-01" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Conductivity-11" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <absolute-convergence-measure limit="1e-12" data="Temperature" mesh="Macro-Mesh" />
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""


def xml(ranks=1):
    return XML.replace("RANKS", '<intra-comm:sockets exchange-directory="." />' if ranks > 1 else "")


UP = {"Liquid-Fraction": Field("1"), "Velocity": Field("m/s", rank=1), "Conductivity": Field("W/(m*K)", rank=2)}
DOWN = {"Temperature": Field("K"), "Heat-Flux": Field("W/m^2", rank=1)}


@dataclass(frozen=True)
class Settings:
    dim: int = setting(2)
    what: str = setting("")


def liquid_of(x, t):
    return x[:, 0] + 2.0 * x[:, 0] * x[:, 1] + t


@participant(Settings, reads=DOWN, writes=UP)
def micro(case):
    """Polynomials in space and time, whatever it is sent; what it is sent is saved."""
    with Coupling(case) as coupling:
        mesh = coupling.receive("Macro-Mesh")
        temperature, flux = mesh.read("Temperature"), mesh.read("Heat-Flux")
        time = 0.0

        def conductivity():
            x = mesh.points
            return np.stack([np.stack([1 + x[:, 0], x[:, 1]], -1), np.stack([x[:, 1], 3 + 0 * x[:, 0]], -1)], -2)

        mesh.write("Liquid-Fraction", lambda: liquid_of(mesh.points, time))
        mesh.write("Velocity", lambda: mesh.points * [1.0, 10.0])
        mesh.write("Conductivity", conductivity)
        seen = []
        for step in coupling.steps():
            time = step.end
            seen.append([step.window, step.iteration, temperature.values[0]])
        np.savez("seen.npz", points=mesh.points, temperature=temperature.values, flux=flux.values, seen=seen)


def block(comm, dim):
    from dolfinx import mesh

    return mesh.create_interval(comm, 5, [0.0, 1.0]) if dim == 1 else mesh.create_unit_square(comm, 4, 3)


@participant(Settings, reads=UP, writes=DOWN)
def macro(case):
    """Integrates what it reads, and sends a known temperature that grows with every step."""
    import ufl
    from dolfinx import fem
    from mpi4py import MPI

    import adapters.dolfinx as fenics  # first: brings MPI

    comm = MPI.COMM_WORLD
    dim = case.settings.dim

    def total(form):
        return comm.allreduce(fem.assemble_scalar(fem.form(form)))

    with Coupling(case, comm) as coupling:
        domain = block(comm, dim)
        points = fenics.QuadraturePoints(coupling, "Macro-Mesh", domain, degree=2)
        liquid, velocity, k = (points.read(name) for name in UP)
        assert (liquid.ufl_shape, velocity.ufl_shape, k.ufl_shape) == ((), (dim,), (dim, dim))
        T = fem.Function(fem.functionspace(domain, ("Lagrange", 1)), name="Temperature")
        T.interpolate(lambda x: 270.0 + x[0])
        points.write("Temperature", T)
        points.write("Heat-Flux", -2.0 * ufl.grad(T))
        sent = points.sent("Temperature")
        average = points.average(liquid)
        fenics.FieldOutput(coupling, "fields", [T, average])
        x = ufl.SpatialCoordinate(domain)
        coupling.start()
        assert abs(total((sent - 270.0 - x[0]) ** 2 * points.dx)) < 1e-20
        ends = []
        for step in coupling.steps(keep=(T,)):
            ends.append(
                [step.window, step.end, total(liquid * points.dx), total(liquid.old * points.dx), T.x.array.max()]
            )
            T.x.array[:] += step.dt
            assert abs(total((T - sent - step.dt) * points.dx) if step.first else 0.0) < 1e-12
        integrals = [total(ufl.div(ufl.as_vector([x[i] for i in range(dim)])) * points.dx)]
        integrals += [total(velocity[i] * points.dx) for i in range(dim)]
        integrals += [total(k[i, j] * points.dx) for i in range(dim) for j in range(dim)]
        weights = comm.allreduce(points.weights.sum())
        if comm.rank == 0:
            np.savez("seen.npz", ends=ends, integrals=integrals, weights=weights)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("dim", [1, 2])
def test_quadrature_points_carry_scalars_vectors_and_tensors(tmp_path, dim, ranks):
    settings = {"dim": dim}
    run(tmp_path, xml(ranks), {"Macro": (macro, settings), "Micro": micro}, ranks={"Macro": ranks})
    macro_saw, micro_saw = np.load(tmp_path / "Macro/seen.npz"), np.load(tmp_path / "Micro/seen.npz")
    points = micro_saw["points"]
    assert len(np.unique(points.round(9), axis=0)) == len(points) == (10 if dim == 1 else 24 * 3)
    np.testing.assert_allclose(macro_saw["weights"], 1.0)
    # T = 270 + x + t at the end of both windows of 0.5 s, whatever the iterations did in between
    np.testing.assert_allclose(micro_saw["temperature"], 271.0 + points[:, 0])
    np.testing.assert_allclose(micro_saw["flux"], np.tile([-2.0, 0.0], (len(points), 1)), atol=1e-12)
    space = 0.5 if dim == 1 else 1.0  # integral of x + 2 x y
    for window, end, now, old, start in macro_saw["ends"]:
        assert end == window * 0.5
        np.testing.assert_allclose([now, old], [space + end, space + end - 0.5])
        np.testing.assert_allclose(start, 271.0 + end - 0.5)
    tensor = [1.5] if dim == 1 else [1.5, 0.5, 0.5, 3.0]
    np.testing.assert_allclose(macro_saw["integrals"], [dim, *[0.5, 5.0][:dim], *tensor])
