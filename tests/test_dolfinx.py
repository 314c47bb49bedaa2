"""Quadrature points and nodes of DOLFINx as coupling meshes, serial and on two MPI ranks."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pyvista
from coupled import ROOT, participant, run

from adapters.coupling import Coupling
from scalebridge.fields import Field
from scalebridge.settings import setting

UP = {"Liquid-Fraction": Field("1"), "Velocity": Field("m/s", rank=1), "Conductivity": Field("W/(m*K)", rank=2)}
DOWN = {"Temperature": Field("K"), "Heat-Flux": Field("W/m^2", rank=1)}
XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > warning" enabled="true" /></log>
  <profiling mode="off" />
  {data}
  <mesh name="Macro-Mesh" dimensions="2">
    {used}
  </mesh>
  <participant name="Macro">
    <provide-mesh name="Macro-Mesh" />
    {macro}
    {ranks}
  </participant>
  <participant name="Micro">
    <receive-mesh name="Macro-Mesh" from="Macro" api-access="true" />
    {micro}
  </participant>
  <m2n:sockets acceptor="Macro" connector="Micro" exchange-directory=".." />
  <coupling-scheme:serial-implicit>
    <participants first="Micro" second="Macro" />
    <max-time-windows value="2" />
    <time-window-size value="0.5" />
    <min-iterations value="2" />
    <max-iterations value="4" />
    {exchanged}
    <absolute-convergence-measure limit="1e-12" data="{measured}" mesh="Macro-Mesh" />
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""


def xml(ranks=1, down=DOWN, up=UP):
    """Return a configuration in which Macro writes the fields `down` and Micro the fields `up`."""
    names = {way: [n for name, f in way_fields.items() for n in f.data_names(name, 2)]
             for way, way_fields in (("down", down), ("up", up))}  # fmt: skip
    vectors = {name for name, field in (down | up).items() if field.rank == 1}
    everything = names["down"] + names["up"]
    exchange = '<exchange data="{}" mesh="Macro-Mesh" from="{}" to="{}" initialize="{}" />'
    parts = {
        "data": [f'<data:{"vector" if n in vectors else "scalar"} name="{n}" />' for n in everything],
        "used": [f'<use-data name="{n}" />' for n in everything],
        "macro": _accesses(names["down"], names["up"]),
        "micro": _accesses(names["up"], names["down"]),
        "exchanged": [exchange.format(n, "Macro", "Micro", "true") for n in names["down"]]
        + [exchange.format(n, "Micro", "Macro", "false") for n in names["up"]],
    }
    text = {key: "\n    ".join(lines) for key, lines in parts.items()}
    text["ranks"] = '<intra-comm:sockets exchange-directory="." />' if ranks > 1 else ""
    return XML.format(**text, measured=next(iter(down)))


def _accesses(writes, reads):
    access = '<{}-data name="{}" mesh="Macro-Mesh" />'
    return [access.format("write", n) for n in writes] + [access.format("read", n) for n in reads]


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
    fenics = importlib.import_module("adapters.dolfinx")  # before DOLFINx: it brings MPI
    import ufl
    from dolfinx import fem
    from mpi4py import MPI

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
        fenics.FieldOutput(coupling, "fields", [T, average, points.average(k, "K")])
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
    _check_pictures(tmp_path / "Macro/fields/fields.pvd")
    tensor = [1.5] if dim == 1 else [1.5, 0.5, 0.5, 3.0]
    np.testing.assert_allclose(macro_saw["integrals"], [dim, *[0.5, 5.0][:dim], *tensor])


def _check_pictures(path):
    reader = pyvista.get_reader(str(path))
    assert reader.time_values == [0.5, 1.0]
    for time in reader.time_values:
        reader.set_active_time_value(time)
        data = reader.read().combine()
        np.testing.assert_allclose(data.point_data["Temperature"], 270.0 + data.points[:, 0] + time)
        # averages of x + 2 x y + t over the cells; the integral over the unit interval or square is known
        size = data.compute_cell_sizes()
        area = size.cell_data["Area"] if size.cell_data["Area"].any() else size.cell_data["Length"]
        owned = np.ones(data.n_cells, dtype=bool)
        ghosts = data.cell_data.get("vtkGhostType")
        if ghosts is not None:
            owned = ghosts == 0
        known = 0.5 if not size.cell_data["Area"].any() else 1.0
        total = (area * data.cell_data["Liquid-Fraction"])[owned].sum()
        assert total == pytest.approx(known + time)
        tensor = (area[:, None] * data.cell_data["K"])[owned].sum(axis=0).reshape(3, 3)
        expected = np.zeros((3, 3))
        expected[:2, :2] = [[1.5, 0.5], [0.5, 3.0]] if size.cell_data["Area"].any() else [[1.5, 0.0], [0.0, 0.0]]
        np.testing.assert_allclose(tensor, expected, atol=1e-12)


@participant(Settings, reads={"Liquid-Fraction": Field("1"), "Velocity": Field("m/s", rank=1)}, writes=DOWN)
def nodal(case):
    """Vectors at the nodes of the boundary of a square."""
    fenics = importlib.import_module("adapters.dolfinx")  # before DOLFINx: it brings MPI
    from dolfinx import fem, mesh
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    with Coupling(case, comm) as coupling:
        domain = mesh.create_unit_square(comm, 4, 3)
        V = fem.functionspace(domain, ("Lagrange", 2, (2,)))
        boundary = mesh.locate_entities_boundary(domain, 1, lambda x: np.full(x.shape[1], True))
        nodes = fenics.Nodes(coupling, "Macro-Mesh", V, boundary)
        velocity = nodes.read("Velocity")
        flux = fem.Function(V)
        flux.interpolate(lambda x: np.stack([x[0], 5.0 * x[1]]))
        nodes.write("Heat-Flux", 2.0 * flux if case.settings.what == "expression" else flux)
        for _ in coupling.steps():
            pass
        there = nodes.dofs(V)
        x = V.tabulate_dof_coordinates()[there, :2]
        np.testing.assert_allclose(velocity.x.array.reshape(-1, 2)[there], x * [1.0, 10.0], atol=1e-14)
        assert comm.allreduce(len(there)) == 28
        inner = np.setdiff1d(np.arange(V.dofmap.index_map.size_local), there)
        assert not velocity.x.array.reshape(-1, 2)[inner].any()


@participant(Settings, reads={"Heat-Flux": DOWN["Heat-Flux"]}, writes={"Velocity": UP["Velocity"]})
def vectors(case):
    with Coupling(case) as coupling:
        mesh = coupling.receive("Macro-Mesh")
        flux = mesh.read("Heat-Flux")
        mesh.write("Velocity", lambda: mesh.points * [1.0, 10.0])
        for _ in coupling.steps():
            pass
        np.savez("seen.npz", points=mesh.points, flux=flux.values)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("what", ["function", "expression"])
def test_nodes_on_some_facets_carry_vectors(tmp_path, ranks, what):
    text = xml(ranks, {"Heat-Flux": DOWN["Heat-Flux"]}, {"Velocity": UP["Velocity"]})
    mains = {"Macro": (nodal, {"what": what}), "Micro": vectors}
    run(tmp_path, text, mains, ranks={"Macro": ranks})
    saw = np.load(tmp_path / "Micro/seen.npz")
    x, y = saw["points"].T
    assert len(x) == 28
    assert {(round(8 * a, 9), round(6 * b, 9)) for a, b in saw["points"]} == {
        (i, j) for i in range(9) for j in range(7) if i in (0, 8) or j in (0, 6)
    }
    factor = 2.0 if what == "expression" else 1.0
    np.testing.assert_allclose(saw["flux"], factor * np.stack([x, 5.0 * y], -1), atol=1e-14)


@participant(Settings, reads=UP, writes=DOWN)
def mistaken(case):
    """Every mistake that is found before there is a partner."""
    fenics = importlib.import_module("adapters.dolfinx")  # before DOLFINx: it brings MPI
    import ufl
    from dolfinx import fem, mesh
    from mpi4py import MPI

    with Coupling(case) as coupling:
        domain = mesh.create_unit_square(MPI.COMM_SELF, 1, 1)
        points = fenics.QuadraturePoints(coupling, "Macro-Mesh", domain, degree=1)
        told = r"Conductivity on Macro-Mesh has values of shape \(2, 2\); \(3, 3\) is no part of that"
        with pytest.raises(RuntimeError, match=told):
            points.read("Conductivity", shape=(3, 3))
        told = r"Temperature on Macro-Mesh has values of shape \(\); got an expression of \(2,\)"
        with pytest.raises(RuntimeError, match=told):
            points.write("Temperature", ufl.SpatialCoordinate(domain))
        with pytest.raises(RuntimeError, match="Temperature is not written on Macro-Mesh, so nothing was sent"):
            points.sent("Temperature")
        nodes = fenics.Nodes(coupling, "Macro-Mesh", fem.functionspace(domain, ("Lagrange", 1)))
        told = r"the nodes of Macro-Mesh carry values of shape \(\), not \(2,\)"
        with pytest.raises(RuntimeError, match=told):
            nodes.read("Velocity")
        print("all were found")
        raise KeyError("the end")


def test_mistakes_are_told(tmp_path):
    (result,) = run(tmp_path, xml(), {"Macro": mistaken}, fails=True).values()
    assert "all were found" in result.text, result.text


KILLED = """
import os, re
import adapters.dolfinx
print(re.findall(r"/dev/shm/mpich_\\S+", open("/proc/self/maps").read()), flush=True)
adapters.dolfinx.MPI.COMM_WORLD.Barrier()
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="shared memory has no names that could be looked up")
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_killed_solver_leaves_no_shared_memory(ranks):
    command = [sys.executable, "-c", KILLED]
    if ranks > 1:
        command = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks), *command]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode != 0
    files = re.findall(r"/dev/shm/mpich_[^ ',\]]+", killed.stdout)
    assert files  # otherwise this tests nothing
    assert [file for file in files if Path(file).exists()] == []


DESERTED = """
import dolfinx.fem.petsc
import adapters.dolfinx
import socket
mine, other = socket.socketpair()
other.close()
try:
    mine.sendall(b"x")
except BrokenPipeError:
    print("noticed")
"""


def test_a_partner_that_has_gone_is_noticed():
    """PETSc would end the process where Python raises an error, of which the coupling engine makes a message."""
    command = [sys.executable, "-c", "import participants.macro\n" + DESERTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "noticed\n"), done.stderr
