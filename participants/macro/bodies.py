"""Solid bodies: meshes of triangles or tetrahedra, where they are held, and how they are loaded.

Each is one or more blocks: a lattice on the unit square or cube, mapped to its place. Edges are curved as the body is:
a lattice point lies in the middle of every edge, and the geometry is quadratic as the displacement is.

    block     [0, length] x [0, height]; pulled at x = length along x
    beam      the same, bent: pulled at x = length along x by 1 - 2 y / height of the load, so that its end turns
    plate     a quarter of a plate with a hole, in two blocks; pulled at x = length along x
    cylinder  a quarter of a hollow cylinder, inner_radius < r < outer_radius; its inner wall is pushed along r
    sphere    an eighth of a hollow sphere, in three blocks, likewise

All lie against the planes x = 0 and y = 0, and three-dimensional ones against z = 0, on which they glide; of the beam
only the corner at the origin is held along y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, permutations, product

import basix.ufl
import numpy as np
from dolfinx import mesh
from mpi4py import MPI
from numpy.typing import NDArray

from adapters.wiring import CouplingError
from scalebridge.settings import setting

type Array = NDArray[np.float64]
type Map = Callable[[Array], Array]
type Marker = Callable[[Array], NDArray[np.bool_]]

NEAR = 1e-7  # distance between points that are one, relative to the size of the body


@dataclass(frozen=True)
class Shape:
    """The body and its mesh."""

    body: str = setting("block", "what it is", choices=("block", "beam", "plate", "cylinder", "sphere"))
    length: float = setting("1 m", "length along x of a block, beam or (quarter of a) plate", above=0)
    height: float = setting("1 m", "height along y of a block, beam or (quarter of a) plate", above=0)
    thickness: float = setting("0 m", "thickness along z of all but a sphere; with 0 the strain is plane", minimum=0)
    inner_radius: float = setting("0.5 m", "radius of the hole in a plate, cylinder or sphere", above=0)
    outer_radius: float = setting("1 m", "outer radius of a cylinder or sphere", above=0)
    elements: tuple[int, ...] = setting(
        (4, 4),
        "squares or cubes, each cut into 2 triangles or 6 tetrahedra, along x, y and z; of bodies with a hole from it "
        "outwards, around it and along z, in each block",
        minimum=1,
    )


@dataclass(frozen=True)
class Body:
    """A body as a mesh. Points are (3, n), as DOLFINx has them.

    Attributes
    ----------
    domain : the mesh, of quadratic geometry.
    held : which component of the displacement is zero, and (n,) whether it is at these points.
    loaded : (n,) whether points are on the loaded face.
    direction : (dim, n) direction and relative size of the load at points on that face.
    driven : the components of the displacement that are prescribed there, where it is.
    """

    domain: mesh.Mesh
    held: list[tuple[int, Marker]]
    loaded: Marker
    direction: Map
    driven: tuple[int, ...]


def build(s: Shape) -> Body:
    """Return the body. Raises CouplingError where its settings contradict each other."""
    d = 3 if s.body == "sphere" or s.thickness > 0 else 2
    _require(s, d)
    if s.body in ("cylinder", "sphere"):
        domain = _mesh(s, _wall(s) if s.body == "cylinder" else _shell(s), d)
        axes = 2 if s.body == "cylinder" else 3

        def inner_wall(x: Array) -> NDArray[np.bool_]:
            return np.isclose(np.linalg.norm(x[:axes], axis=0), s.inner_radius, rtol=NEAR, atol=0)

        def radial(x: Array) -> Array:
            ray: Array = x[:axes] / np.linalg.norm(x[:axes], axis=0)
            return np.concatenate([ray, 0 * x[axes:d]])

        return Body(domain, [_glide(i, s.inner_radius) for i in range(d)], inner_wall, radial, tuple(range(axes)))

    domain = _mesh(s, _around(s) if s.body == "plate" else [lambda unit: unit * [s.length, s.height]], d)
    held = [_glide(i, s.length) for i in range(d)]
    bend = 0.0
    if s.body == "beam":
        held[1] = 1, lambda x: np.linalg.norm(x, axis=0) < NEAR * s.length
        bend = 2 / s.height

    def along_x(x: Array) -> Array:
        return np.concatenate([1 - bend * x[1:2], 0 * x[1:d]])

    return Body(domain, held, lambda x: np.isclose(x[0], s.length, rtol=NEAR, atol=0), along_x, (0,))


def _glide(axis: int, size: float) -> tuple[int, Marker]:
    """Return that a body of this size glides on the plane on which this coordinate is zero."""
    return axis, lambda x: np.abs(x[axis]) < NEAR * size


def _require(s: Shape, d: int) -> None:
    wrong = []
    if len(s.elements) != d:
        wrong.append(f"elements: {len(s.elements)} numbers; expected {d}, as the body has {d} dimensions")
    outer = {"plate": min(s.length, s.height), "cylinder": s.outer_radius, "sphere": s.outer_radius}.get(s.body)
    if outer is not None and s.inner_radius >= outer:
        wrong.append(f"inner_radius: {s.inner_radius:g} m; expected less than the {outer:g} m of the {s.body}")
    if wrong:
        raise CouplingError("\n".join(wrong))


def _wall(s: Shape) -> list[Map]:
    """Return the one block of the quarter of a hollow cylinder; elements grow outwards as r does."""

    def place(lattice: Array) -> Array:
        r = s.inner_radius * (s.outer_radius / s.inner_radius) ** lattice[:, 0]
        angle = np.pi / 2 * lattice[:, 1]
        return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)

    return [place]


def _shell(s: Shape) -> list[Map]:
    """Return the three blocks of the eighth of a hollow sphere, each around one axis."""

    def third(axis: int) -> Map:
        def place(lattice: Array) -> Array:
            r = s.inner_radius * (s.outer_radius / s.inner_radius) ** lattice[:, :1]
            ray = np.column_stack([np.ones(len(lattice)), np.tan(np.pi / 4 * lattice[:, 1:])])
            return np.roll(r * ray / np.linalg.norm(ray, axis=1, keepdims=True), axis, axis=1)

        return place

    return [third(axis) for axis in range(3)]


def _around(s: Shape) -> list[Map]:
    """Return the two blocks of the quarter of a plate, below and above the ray to its corner.

    Elements are three times as long far from the hole as beside it.
    """
    corner = np.array([s.length, s.height])
    middle = np.arctan2(s.height, s.length)

    def half(first: float, last: float, axis: int) -> Map:
        def place(lattice: Array) -> Array:
            outwards, along = lattice[:, :1] * (1 + lattice[:, :1]) / 2, lattice[:, 1]
            angle = first + (last - first) * along
            outer = np.outer(along, corner)
            outer[:, axis] = corner[axis]
            hole = s.inner_radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            return hole + outwards * (outer - hole)

        return place

    return [half(0, middle, 0), half(np.pi / 2, middle, 1)]


def _mesh(s: Shape, maps: list[Map], d: int) -> mesh.Mesh:
    """Return the mesh of all blocks; points at one place are one, and rank 0 gives all of it."""
    lattice, simplices = _simplices(s.elements)
    unit = lattice / (2 * np.array(s.elements))
    flat = 3 if s.body == "sphere" else 2
    blocks = [np.column_stack([place(unit[:, :flat]), s.thickness * unit[:, flat:]]) for place in maps]
    points, cells = np.concatenate(blocks), np.concatenate([simplices + i * len(unit) for i in range(len(maps))])
    spacing = NEAR * np.abs(points).max()
    _, first, place = np.unique(
        (points / spacing).round().astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    points, cells = points[first], place.ravel()[cells]
    if MPI.COMM_WORLD.rank > 0:
        points, cells = points[:0], cells[:0]
    kind = ("triangle", "tetrahedron")[d - 2]
    return mesh.create_mesh(MPI.COMM_WORLD, cells, basix.ufl.element("Lagrange", kind, 2, shape=(d,)), points)


def _simplices(elements: tuple[int, ...]) -> tuple[Array, NDArray[np.int64]]:
    """Return the points of a lattice with the middle of every edge, and the simplices of its squares or cubes.

    Every square is cut from its corner of even to that of odd numbers, so neighbours fit, whatever block they are of.

    Returns
    -------
    (n, d) whole numbers up to twice `elements`, and (m, k) points of each simplex: corners, then middles of edges.
    """
    d = len(elements)
    shape = tuple(2 * n + 1 for n in elements)
    lattice = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).reshape(-1, d)
    squares = np.array(list(product(*[range(n) for n in elements])))
    paths = [np.cumsum([np.zeros(d, int), *np.eye(d, dtype=int)[list(p)]], axis=0) for p in permutations(range(d))]
    corners = np.array(paths)[None]  # (1, d!, d + 1, d), from the corner at 0 to that at 1
    odd = (squares % 2)[:, None, None, :]
    at = 2 * (squares[:, None, None, :] + np.where(odd == 1, 1 - corners, corners)).reshape(-1, d + 1, d)
    edges = list(combinations(range(d + 1), 2))[::-1]  # as DOLFINx counts them
    nodes = np.concatenate([at, np.stack([(at[:, i] + at[:, j]) // 2 for i, j in edges], axis=1)], axis=1)
    return lattice.astype(np.float64), np.ravel_multi_index(tuple(np.moveaxis(nodes, -1, 0)), shape)
