"""Which phase is where in a cell of a composite, and what the phases are made of.

Phase 0 is the matrix, phase 1 what is in it; a picture may have more, one for each of its values in ascending order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from adapters.micro import MicroError
from participants.micro import packs, pictures
from scalebridge.settings import setting

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Phases:
    """A composite. By default a square array of elastic fibres in a ductile matrix."""

    dimensions: int = setting(2, "dimensions of the cell; in two the strain is plane", minimum=2, maximum=3)
    cells: int = setting(32, "grid cells along the edge of the cell; a picture has its own", minimum=1)
    refinement: int = setting(1, "grid cells along the edge of each of a picture's", minimum=1)
    arrangement: str = setting(
        "array",
        "what phase 1 is: an array of fibres or spheres, the same at random places, layers across x, as in `picture`",
        choices=("array", "hexagonal", "random", "laminate", "picture"),
    )
    fraction: float = setting(0.3, "volume fraction of phase 1", minimum=0, maximum=1)
    inclusions: int = setting(1, "fibres, spheres or layers in the cell", minimum=1)
    picture: str = setting("", "a .npy or .png file; every value in it is a phase", file=True)
    size: float = setting(
        "1e-3 m", "edge of the cell along x, for pictures: what is computed does not depend on it", above=0
    )
    youngs_modulus: tuple[float, ...] = setting(("70e9 Pa", "400e9 Pa"), "of each phase; 0 for a void", minimum=0)
    poissons_ratio: tuple[float, ...] = setting((0.3, 0.2), "of each phase", above=-1, maximum=0.499)
    yield_stress: tuple[float, ...] = setting(("100e6 Pa", "0 Pa"), "of each phase; 0 if it stays elastic", minimum=0)
    isotropic_hardening: tuple[float, ...] = setting(("0 Pa", "0 Pa"), "modulus H_i of each phase", minimum=0)
    kinematic_hardening: tuple[float, ...] = setting(("0 Pa", "0 Pa"), "modulus H_k of each phase", minimum=0)

    def enlarged(self, factor: int) -> Self:
        """Return cells with `factor` times the edge. Raises MicroError for a picture."""
        if self.arrangement == "picture":
            raise MicroError([], "there is no larger picture of the same medium")
        more = self.inclusions * (factor if self.arrangement == "laminate" else factor**self.dimensions)
        return replace(self, cells=factor * self.cells, size=factor * self.size, inclusions=more)

    def refined(self, factor: int) -> Self:
        """Return the same cells on a grid that is `factor` times as fine."""
        return replace(self, cells=factor * self.cells, refinement=factor * self.refinement)


def images(s: Phases, points: Array, seed: int) -> Image:
    """Return the phases (n, *cells) at `points` (n, dim) [m], on which they depend where places are random."""
    if s.arrangement == "random":
        return _random(s, points, seed)
    one = {"array": _array, "hexagonal": _hexagonal, "laminate": _laminate, "picture": _picture}[s.arrangement](s)
    return np.broadcast_to(one, (len(points), *one.shape)).copy()


def table(s: Phases, image: Image) -> dict[str, Array]:
    """Return K, G, Y, Hi and Hk [Pa] of each phase, (phases,); Y is infinite where a phase stays elastic.

    Raises
    ------
    MicroError
        If there are not as many of them as there are phases, or nothing has any stiffness.
    """
    names = ("youngs_modulus", "poissons_ratio", "yield_stress", "isotropic_hardening", "kinematic_hardening")
    given = {name: np.array(getattr(s, name), dtype=np.float64) for name in names}
    phases = max(int(image.max()) + 1, len(given["youngs_modulus"]))
    if wrong := [f"{name} has {len(values)}" for name, values in given.items() if len(values) != phases]:
        raise MicroError([], f"there are {phases} phases, but {', '.join(wrong)} values")
    E, nu, Y, Hi, Hk = given.values()
    if not E[image].any():
        raise MicroError([], "the cell is nothing but void")
    return {
        "K": E / (3 * (1 - 2 * nu)),
        "G": E / (2 * (1 + nu)),
        "Y": np.where(Y * E > 0, Y, np.inf),
        "Hi": Hi,
        "Hk": Hk,
    }


def radius(s: Phases) -> float:
    """Return the radius of round inclusions, in edges of the cell along x."""
    volume = s.fraction / s.inclusions * (math.sqrt(3) if s.arrangement == "hexagonal" else 1)
    return math.sqrt(volume / math.pi) if s.dimensions == 2 else (3 * volume / (4 * math.pi)) ** (1 / 3)


def _array(s: Phases) -> Image:
    distance = packs.distance(np.zeros((1, s.dimensions)), s.cells, s.dimensions, s.inclusions, radius(s), 0, "array")
    return np.asarray(distance[0] < 0, dtype=np.uint8)


def _random(s: Phases, points: Array, seed: int) -> Image:
    distance = packs.distance(points, s.cells, s.dimensions, s.inclusions, radius(s), seed)
    return np.asarray(distance < 0, dtype=np.uint8)


def _hexagonal(s: Phases) -> Image:
    """Return fibres in two rows of a cell that is longer along y by sqrt(3), to the nearest grid cell."""
    if s.dimensions != 2 or s.inclusions % 2 or math.isqrt(s.inclusions // 2) ** 2 * 2 != s.inclusions:
        raise MicroError([], "a hexagonal array has two dimensions and 2, 8, 18, 32, ... fibres")
    along = math.isqrt(s.inclusions // 2)
    longer = round(math.sqrt(3) * s.cells)
    x, y = ((np.arange(n) + 0.5) / n * along for n in (s.cells, longer))
    nearest = np.full((s.cells, longer), np.inf)
    for place in (0.25, 0.75):
        apart = [(v - place + 0.5) % 1 - 0.5 for v in (x, y)]
        nearest = np.minimum(nearest, apart[0][:, None] ** 2 + 3 * apart[1] ** 2)
    return (nearest < (radius(s) * along) ** 2).astype(np.uint8)


def _laminate(s: Phases) -> Image:
    """Return layers across x; what does not fill a grid cell is in none, so cells * fraction is best a whole number."""
    x = (np.arange(s.cells) + 0.5) / s.cells * s.inclusions % 1
    layers = (x < s.fraction).reshape(-1, *[1] * (s.dimensions - 1))
    return np.broadcast_to(layers, (s.cells,) * s.dimensions).astype(np.uint8)


def _picture(s: Phases) -> Image:
    values = pictures.load(Path(s.picture).absolute())
    if values.ndim != s.dimensions:
        raise MicroError([], f"{s.picture} has {values.ndim} dimensions, the cell {s.dimensions}")
    found, number = np.unique(values, return_inverse=True)
    if len(found) > 255:
        raise MicroError([], f"{s.picture} has {len(found)} different values; expected at most 255, one for each phase")
    image: Image = number.reshape(values.shape).astype(np.uint8)
    for axis in range(s.dimensions):
        image = np.repeat(image, s.refinement, axis=axis)
    return image
