"""Function spaces of DOLFINx and coupling meshes: what is read becomes a function that forms can use, and back.

    points = QuadraturePoints(coupling, "Macro-Mesh", domain, degree=2)
    liquid, K = points.read("Liquid-Fraction"), points.read("Conductivity")
    points.write("Temperature", T)
    F = (rho * L * (liquid - liquid.old) * v + dt * inner(K * grad(T), grad(v))) * points.dx

On MPI ranks every rank couples what it owns, so no point travels twice. A domain with fewer dimensions than the
coupling mesh lies at zero in the others, and takes the leading components of vectors and tensors: of the 2 x 2
conductivity of a two-dimensional micro volume a one-dimensional domain reads K_xx.
"""

from __future__ import annotations

# isort: off
import contextlib

with contextlib.suppress(ImportError):  # brings MPI where DOLFINx comes as this wheel, and must come first
    import dolfinx_solver  # noqa: F401
with contextlib.suppress(ImportError):  # breaks where it is imported after dolfinx.fem.petsc
    import h5py  # noqa: F401

with contextlib.suppress(ImportError):  # takes over signals once it is imported
    import petsc4py.PETSc  # noqa: F401

# isort: on
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import basix
import basix.ufl
import numpy as np
import ufl
from dolfinx import fem
from dolfinx.io import VTKFile
from mpi4py import MPI
from numpy.typing import NDArray

from adapters import image
from adapters.coupling import Coupling
from adapters.mesh import CouplingMesh
from adapters.ranks import forget_shared_memory
from adapters.wiring import CouplingError

type Array = NDArray[np.float64]

forget_shared_memory(MPI.COMM_WORLD)
signal.signal(
    signal.SIGPIPE, signal.SIG_IGN
)  # as Python has it: a partner that has gone is an error, PETSc would abort


class ReadFunction(fem.Function):  # type: ignore[misc]
    """A function whose values come from another participant: those at the end of the step.

    Attributes
    ----------
    old : a function with the values at the start of the step, see `adapters.mesh.Received.old`.
    """

    def __init__(self, space: Any, name: str, make_old: Callable[[], fem.Function]) -> None:
        super().__init__(space, name=name)
        self._make_old = cache(make_old)

    @property
    def old(self) -> fem.Function:
        return self._make_old()


class Places(ABC):
    """Places where functions and a coupling mesh meet: what `QuadraturePoints` and `Nodes` have in common.

    Attributes
    ----------
    mesh : the coupling mesh, with the points of this rank.
    domain : the mesh of DOLFINx.
    """

    mesh: CouplingMesh
    domain: Any

    @abstractmethod
    def space(self, shape: tuple[int, ...]) -> Any:
        """Return the space of functions whose value at a place has this shape."""

    @abstractmethod
    def dofs(self, space: Any) -> NDArray[np.int32]:
        """Return the degrees of freedom (n,) of such a space in the order of the points."""

    @abstractmethod
    def evaluator(self, expression: Any) -> Callable[[], Array]:
        """Return what evaluates `expression`, of any shape, at the places: (n, ...)."""

    def read(self, name: str, shape: tuple[int, ...] | None = None) -> ReadFunction:
        """Return a function that has the values of the field `name`, and is refreshed before every step.

        Parameters
        ----------
        shape : shape of its value; None for what the field's rank is in the domain's dimension.
        """
        received = self.mesh.read(name)
        space = self.space(self._shape(name, received.channel.shape, shape))

        def make_old() -> fem.Function:
            old = fem.Function(space, name=f"{name} at the start")
            self._follow(old, received.on_change, lambda: received.old)
            return old

        function = ReadFunction(space, name, make_old)
        self._follow(function, received.on_change, lambda: received.values)
        return function

    def write(self, name: str, expression: Any) -> None:
        """Send `expression`, a function or anything that UFL can express, as the field `name` after every step."""
        evaluate = self.evaluator(expression)
        shape = self.mesh.wiring.writing(self.mesh.name, name).shape
        own = tuple(expression.ufl_shape)
        if len(own) != len(shape) or any(mine > there for mine, there in zip(own, shape, strict=True)):
            raise CouplingError(f"{name} on {self.mesh.name} has values of shape {shape}; got an expression of {own}")

        def values() -> Array:
            part = evaluate()
            full = np.zeros((len(part), *shape))
            full[_leading(part.shape)] = part
            return full

        self.mesh.write(name, values)

    def sent(self, name: str) -> fem.Function:
        """Return a function that has what was sent last as the field `name`; at the start its initial values."""
        if name not in self.mesh.sent:
            raise CouplingError(f"{name} is not written on {self.mesh.name}, so nothing was sent")
        sent = self.mesh.sent[name]
        function = fem.Function(self.space(self._shape(name, sent.channel.shape, None)), name=f"{name} sent")
        self._follow(function, sent.on_change, lambda: sent.values)
        return function

    def _shape(self, name: str, there: tuple[int, ...], wanted: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return the shape of a function that takes the leading components of values of shape `there`."""
        shape = (min(self.domain.geometry.dim, *there, 3),) * len(there) if wanted is None else wanted
        if len(shape) != len(there) or any(own > d for own, d in zip(shape, there, strict=True)):
            raise CouplingError(f"{name} on {self.mesh.name} has values of shape {there}; {shape} is no part of that")
        return shape

    def _follow(self, function: fem.Function, changes: list[Callable[[], None]], values: Callable[[], Array]) -> None:
        """Give `function` the values (n, ...) now and whenever they change."""
        space = function.function_space
        dofs, block = self.dofs(space), space.dofmap.bs
        part = _leading((0, *space.value_shape))

        def follow() -> None:
            function.x.array.reshape(-1, block)[dofs] = values()[part].reshape(len(dofs), block)
            function.x.scatter_forward()

        follow()
        changes.append(follow)


class QuadraturePoints(Places):
    """The quadrature points of the cells of this rank as the vertices of a coupling mesh.

    Parameters
    ----------
    coupling : the coupling that provides the mesh.
    name : name of the coupling mesh.
    domain : mesh of DOLFINx.
    degree : polynomial degree that the quadrature rule integrates exactly.

    Attributes
    ----------
    dx : the measure with the same points, to be used wherever a read function stands in a form.
    weights : (n,) quadrature weights times the size of the cells [m^dim]; a sum over them is an integral.
    """

    def __init__(self, coupling: Coupling, name: str, domain: Any, degree: int) -> None:
        self.domain = domain
        self.degree = degree
        self.cells = np.arange(domain.topology.index_map(domain.topology.dim).size_local, dtype=np.int32)
        self.rule, weights = basix.make_quadrature(domain.basix_cell(), degree)
        metadata = {"quadrature_degree": degree, "quadrature_scheme": "default"}
        self.dx = ufl.Measure("dx", domain, metadata=metadata)
        size = self.evaluator(abs(ufl.JacobianDeterminant(domain)))()
        self.weights: Array = np.tile(weights, len(self.cells)) * size
        self.mesh = coupling.provide(name, self.evaluator(ufl.SpatialCoordinate(domain))())
        self._spaces: dict[tuple[int, ...], Any] = {}

    def space(self, shape: tuple[int, ...]) -> Any:
        """Return the space of functions that have a value of this shape at every point, and none between."""
        if shape not in self._spaces:
            element = basix.ufl.quadrature_element(self.domain.basix_cell(), value_shape=shape, degree=self.degree)
            self._spaces[shape] = fem.functionspace(self.domain, element)
        return self._spaces[shape]

    def dofs(self, space: Any) -> NDArray[np.int32]:
        """Return the degrees of freedom (n,) cell by cell."""
        return np.asarray(space.dofmap.list[: len(self.cells)], dtype=np.int32).ravel()

    def evaluator(self, expression: Any) -> Callable[[], Array]:
        """Return what evaluates `expression` at the points: (n, ...)."""
        compiled = fem.Expression(expression, self.rule)
        n = len(self.cells) * len(self.rule)

        def evaluate() -> Array:
            values: Array = compiled.eval(self.domain, self.cells)
            return values.reshape(n, *expression.ufl_shape)

        return evaluate

    def average(self, function: fem.Function, name: str = "") -> CellAverage:
        """Return the averages over the cells of a function at the points, for pictures, by its name or another."""
        return CellAverage(self, function, name)


class Cells(QuadraturePoints):
    """The midpoints of the cells of this rank as the vertices of a coupling mesh.

    What is read is constant in every cell, so it may stand in forms with any measure, on facets too.
    """

    def __init__(self, coupling: Coupling, name: str, domain: Any) -> None:
        super().__init__(coupling, name, domain, degree=1)

    def space(self, shape: tuple[int, ...]) -> Any:
        """Return the space of functions that have one value of this shape in every cell."""
        if shape not in self._spaces:
            self._spaces[shape] = fem.functionspace(self.domain, ("Discontinuous Lagrange", 0, shape))
        return self._spaces[shape]

    def values(self, name: str, expression: Any) -> CellValues:
        """Return the values of an expression at the midpoints, for pictures."""
        return CellValues(self, name, expression)


class CellValues(fem.Function):  # type: ignore[misc]
    """The values of an expression at the midpoints of the cells, as of the last `refresh`."""

    def __init__(self, cells: Cells, name: str, expression: Any) -> None:
        super().__init__(cells.space(tuple(expression.ufl_shape)), name=name)
        self._evaluate = cells.evaluator(expression)
        self._dofs = cells.dofs(self.function_space)

    def refresh(self) -> None:
        """Take the values of what the expression is now."""
        block = self.function_space.dofmap.bs
        self.x.array.reshape(-1, block)[self._dofs] = self._evaluate().reshape(len(self._dofs), block)
        self.x.scatter_forward()


class CellAverage(fem.Function):  # type: ignore[misc]
    """The averages of a function at quadrature points over each cell, as of the last `refresh`.

    A tensor has three rows and columns, with zeros for dimensions that there are not: so pictures have them.
    """

    def __init__(self, points: QuadraturePoints, function: fem.Function, name: str = "") -> None:
        self._shape = tuple(function.function_space.value_shape)
        shape = (3, 3) if len(self._shape) == 2 else self._shape
        space = fem.functionspace(points.domain, ("Discontinuous Lagrange", 0, shape))
        super().__init__(space, name=name or function.name)
        self._weights = points.weights.reshape(len(points.cells), -1, 1)
        self._from = points.dofs(function.function_space)
        self._to = self.function_space.dofmap.list[: len(points.cells), 0]
        self._function = function

    def refresh(self) -> None:
        """Take the averages of what the function is now."""
        block = self._function.function_space.dofmap.bs
        values = self._function.x.array.reshape(-1, block)[self._from].reshape(*self._weights.shape[:2], block)
        averages = (values * self._weights).sum(axis=1) / self._weights.sum(axis=1)
        everything = self.x.array.reshape(-1, *self.function_space.value_shape)
        everything[(self._to, *map(slice, self._shape))] = averages.reshape(-1, *self._shape)
        self.x.scatter_forward()


class Nodes(Places):
    """The nodes of a Lagrange space that this rank owns as the vertices of a coupling mesh.

    Parameters
    ----------
    coupling : the coupling that provides the mesh.
    name : name of the coupling mesh.
    V : Lagrange space; the fields that are read have its value shape.
    facets : facets of this rank; the nodes on them are coupled. None for all nodes.
    """

    def __init__(self, coupling: Coupling, name: str, V: Any, facets: NDArray[np.int32] | None = None) -> None:
        self.V = V
        self.domain = V.mesh
        owned = V.dofmap.index_map.size_local
        if facets is None:
            self._dofs = np.arange(owned, dtype=np.int32)
        else:
            found = fem.locate_dofs_topological(V, self.domain.topology.dim - 1, facets)
            self._dofs = np.asarray(found[found < owned], dtype=np.int32)
        points = V.tabulate_dof_coordinates()[self._dofs, : self.domain.geometry.dim]
        self.mesh = coupling.provide(name, points)

    def space(self, shape: tuple[int, ...]) -> Any:
        """Return the space of the nodes, whose functions have that one shape."""
        if tuple(self.V.value_shape) != shape:
            raise CouplingError(
                f"the nodes of {self.mesh.name} carry values of shape {tuple(self.V.value_shape)}, not {shape}"
            )
        return self.V

    def dofs(self, space: Any) -> NDArray[np.int32]:
        """Return the nodes (n,)."""
        return self._dofs

    def evaluator(self, expression: Any) -> Callable[[], Array]:
        """Return what evaluates `expression` at the nodes: (n, ...)."""
        shape = tuple(expression.ufl_shape)
        space = self.space(shape)
        function, compiled = expression, None
        if not isinstance(expression, fem.Function) or expression.function_space != space:
            function = fem.Function(space)
            compiled = fem.Expression(expression, space.element.interpolation_points)

        def evaluate() -> Array:
            if compiled is not None:
                function.interpolate(compiled)
            values: Array = function.x.array.reshape(-1, space.dofmap.bs)[self._dofs]
            return values.reshape(len(self._dofs), *shape)

        return evaluate


class FieldOutput:
    """Writes functions as NAME/NAME.pvd with .vtu files into the participant's output at the end of windows.

    The series can be opened while the run goes on, and however it ended.

    Parameters
    ----------
    functions : in one Lagrange space of degree 1, or constant in every cell.
    every : how many windows lie from one output to the next.
    """

    def __init__(self, coupling: Coupling, name: str, functions: Sequence[fem.Function], every: int = 1) -> None:
        self.functions = list(functions)
        self.every = every
        self._windows = 0
        self._written: list[tuple[float, str]] = []
        self._comm = self.functions[0].function_space.mesh.comm
        self._series = coupling.case.output / name / f"{name}.pvd"
        self._series.parent.mkdir(exist_ok=True)
        coupling.on_window(self._complete)
        coupling.remember(f"output of {name}", self)

    def save(self) -> dict[str, Any]:
        """Return what has been written."""
        return {"windows": self._windows, "written": list(self._written)}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on behind what was written before."""
        self._windows, self._written = value["windows"], list(value["written"])

    def write(self, time: float) -> None:
        """Write the functions as they are, at `time` [s]."""
        for function in self.functions:
            if isinstance(function, CellAverage | CellValues):
                function.refresh()
        stem = f"{self._series.stem}-{self._windows:06d}-"
        alone = self._series.with_name(f"{stem}.pvd")  # DOLFINx numbers the files of a series anew in every process
        with VTKFile(self._comm, str(alone), "w") as file:
            file.write_function(self.functions, time)
        del file  # writes its series once more when it goes
        self._written.append((time, f"{stem}000000.pvtu"))
        if self._comm.rank == 0:
            alone.unlink()
            image.save_series(self._series, self._written)

    def _complete(self, time: float) -> None:
        self._windows += 1
        if self._windows % self.every == 0:
            self.write(time)


def _leading(shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the part of an array (n, ...) that takes the leading components of all axes but the first."""
    return (slice(None), *(slice(d) for d in shape[1:]))
