"""Packs of equal discs or spheres in a periodic cell: the same for the same point and seed, or arrays of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.micro import MicroError
from adapters.seeds import generator

Array = NDArray[np.float64]

TRIES = 10_000  # places that are tried for one grain


class NoRoom(MicroError):
    """Random places do not leave room for all grains."""


def distance(
    points: Array, cells: int, dimensions: int, grains: int, radius: float, seed: int, arrangement: str = "random"
) -> Array:
    """Return the distance to the surface of the nearest grain (n, *cells), negative within, in edges of the cell.

    One grain sits in the middle; several sit at random places without touching, other ones at every point, or in an
    array, the same at every point.

    Parameters
    ----------
    points : (n, dim) positions [m] of the cells, on which the random places depend, and on nothing else but the seed.
    radius : of the grains, in edges of the cell.
    """
    if grains == 1 or arrangement == "array":
        one = _distance(array(dimensions, grains), cells, radius)
        return np.broadcast_to(one, (len(points), *[cells] * dimensions)).copy()
    found = [_distance(places(p, dimensions, grains, radius, seed), cells, radius) for p in points]
    return np.array(found).reshape(len(points), *[cells] * dimensions)


def array(dimensions: int, grains: int) -> Array:
    """Return the centres (grains, dimensions) of a square or cubic array. Raises MicroError."""
    along = round(grains ** (1 / dimensions))
    if along**dimensions != grains:
        expected = f"{along**dimensions} or {(along + 1) ** dimensions}"
        raise MicroError([], f"{grains} grains are no array of {dimensions} dimensions; expected such as {expected}")
    line = (np.arange(along) + 0.5) / along
    return np.stack(np.meshgrid(*[line] * dimensions, indexing="ij"), axis=-1).reshape(-1, dimensions)


def places(point: ArrayLike, dimensions: int, grains: int, radius: float, seed: int) -> Array:
    """Return the centres (grains, dimensions) by random sequential addition. Raises NoRoom."""
    random = generator(np.asarray(point), seed)
    centres = np.empty((0, dimensions))
    while len(centres) < grains:
        for candidate in random.random((TRIES, dimensions)):
            apart = (centres - candidate + 0.5) % 1 - 0.5
            if (np.einsum("ij,ij->i", apart, apart) >= 4 * radius**2).all():
                centres = np.vstack([centres, candidate])
                break
        else:
            message = f"only {len(centres)} of {grains} grains of radius {radius:g} fit into the cell at random places"
            raise NoRoom([], message)
    return centres


def _distance(centres: Array, cells: int, radius: float) -> Array:
    """Return the distance on the grid to the nearest of the grains and of their periodic images, (*cells)."""
    x = (np.arange(cells) + 0.5) / cells
    dimensions = centres.shape[1]
    nearest = np.full((cells,) * dimensions, np.inf)
    for centre in centres:
        apart = np.meshgrid(*[(x - c + 0.5) % 1 - 0.5 for c in centre], indexing="ij", sparse=True)
        nearest = np.minimum(nearest, sum(a**2 for a in apart))
    return np.sqrt(nearest) - radius
