"""Maps from a coefficient of conduction or diffusion in the volume to the tensor that the macro scale sees.

All of them take a scalar coefficient per grid cell, isotropic within the cell, and give a symmetric tensor K in the
same unit, so that one can stand for another. A coefficient per point is that of a homogeneous volume, and its own K.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.scaling import bounds, conduction
from adapters.scaling.protocol import Array, Memory, ScalingError
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.settings import setting

TRACE_BOUNDS = "Voigt and Reuss; trace bounds of Murat & Tartar and Lurie & Cherkaev, for the face coefficients"


class _Coefficient:
    """What the maps of this module share: a scalar coefficient in, a symmetric tensor out."""

    name: ClassVar[str]

    def misfit(self, field: Field) -> str:
        return "" if field.rank == 0 else "a scalar coefficient per grid cell (or per point)"

    def gives(self, field: Field) -> Field:
        return Field(field.unit, rank=2, symmetric=True, help=field.help)

    def _checked(self, values: Array, size: tuple[float, ...], per_point: bool) -> Array:
        """Return the coefficients as floats. Raises ScalingError where they are none, or have the wrong shape."""
        array = np.asarray(values)
        dimensions = 0 if per_point else len(size)
        if not size:
            raise ScalingError(f"{self.name}: the model has no cell_size, so the dimension of its tensor is not known")
        if array.ndim != 1 + dimensions or 0 in array.shape[1:]:
            expected = "(n,)" if per_point else f"(n, *cells) with {dimensions} cell axes"
            raise ScalingError(f"{self.name}: expected coefficients of shape {expected}, got {array.shape}")
        if array.dtype.kind not in "fiub":
            raise ScalingError(f"{self.name}: expected real coefficients, got an array of {array.dtype}")
        array = array.astype(np.float64, copy=False)
        wrong = ~(np.isfinite(array) & (array >= 0))
        if wrong.any():
            row, *cell = (int(i) for i in np.argwhere(wrong)[0])
            where = f" at cell {tuple(cell)}" if cell else ""
            told = f"the coefficient{where} is {array[(row, *cell)]:g}; expected a finite number, not negative"
            raise ScalingError(f"{self.name}: {told}", np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1)))
        return array


class _Mean(_Coefficient, ABC):
    """A map that gives one number times the unit tensor, and remembers nothing."""

    def start(self, field: Field, n: int, cells: tuple[int, ...]) -> Memory:
        return {}

    def upscale(self, values: Array, memory: Memory, size: tuple[float, ...]) -> tuple[Array, Memory]:
        k = self._checked(values, size, per_point=np.ndim(values) == 1)
        mean = k if k.ndim == 1 else self._mean(k)
        return mean[:, None, None] * np.eye(len(size)), memory

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        return []

    @abstractmethod
    def _mean(self, k: Array) -> Array:
        """Return the number (n,) for coefficients (n, *cells)."""


@dataclass(frozen=True)
class Voigt(_Mean):
    """The arithmetic mean: the largest K there can be, that along layers."""

    name: ClassVar[str] = "voigt"
    preserves: ClassVar[str] = "the mean coefficient"

    def _mean(self, k: Array) -> Array:
        return bounds.voigt(k)


@dataclass(frozen=True)
class Reuss(_Mean):
    """The harmonic mean: the smallest K there can be, that across layers."""

    name: ClassVar[str] = "reuss"
    preserves: ClassVar[str] = "the mean resistance"

    def _mean(self, k: Array) -> Array:
        return bounds.reuss(k)


@dataclass(frozen=True)
class HashinShtrikman(_Mean):
    """The smallest or the largest K of an isotropic mixture."""

    name: ClassVar[str] = "hashin-shtrikman"
    preserves: ClassVar[str] = "the energy of coated spheres (discs in 2-D) of the same fractions"

    bound: str = setting("lower", "which of the two bounds", choices=("lower", "upper"))

    def _mean(self, k: Array) -> Array:
        lower, upper = bounds.hashin_shtrikman(k)
        return lower if self.bound == "lower" else upper


@dataclass(frozen=True)
class EffectiveTensor(_Coefficient):
    """The tensor of the periodic cell problem on the actual geometry (`conduction`)."""

    name: ClassVar[str] = "effective-tensor"
    preserves: ClassVar[str] = "mean gradient, mean flux and energy (Hill-Mandel)"

    faces: str = setting(
        "harmonic",
        "mean that stands between two grid cells: harmonic for phases side by side, arithmetic for smooth fields",
        choices=tuple(conduction.MEANS),
    )
    tolerance: float = setting(1e-8, "error of the tensor, relative to its largest entry", minimum=1e-14, maximum=0.1)
    iterations: int = setting(1000, "most iterations of the cell problem", minimum=1)
    threads: int = setting(1, "parts of the batch that are solved at the same time", minimum=1)

    def start(self, field: Field, n: int, cells: tuple[int, ...]) -> Memory:
        if field.per == "point":
            return {}
        d = len(cells)
        return {
            "coefficient": np.full((n, *cells), np.nan),  # equal to nothing: every volume is solved the first time
            "corrector": np.zeros((n, d, *cells)),
            "tensor": np.zeros((n, d, d)),
        }

    def upscale(self, values: Array, memory: Memory, size: tuple[float, ...]) -> tuple[Array, Memory]:
        k = self._checked(values, size, per_point=not memory)
        if not memory:
            return k[:, None, None] * np.eye(len(size)), memory
        changed = np.flatnonzero((k != memory["coefficient"]).reshape(len(k), -1).any(axis=1))
        new = memory
        if changed.size:
            new = {"coefficient": k.copy(), "corrector": memory["corrector"].copy(), "tensor": memory["tensor"].copy()}
            new["corrector"][changed], new["tensor"][changed] = self._solve(k, new["corrector"], changed, size)
        return new["tensor"].copy(), new

    def _solve(self, k: Array, guess: Array, rows: NDArray[np.intp], size: tuple[float, ...]) -> tuple[Array, Array]:
        """Return correctors and tensors of the volumes `rows`."""
        which = slice(None) if len(rows) == len(k) else rows  # no copies where all are solved
        faces = conduction.faces(k[which], self.faces)
        try:
            solution = conduction.solve(faces, size, guess[which], self.tolerance, self.iterations, self.threads)
        except conduction.NotConverged as error:
            told = f"{self.name}: {error.message}; raise its tolerance or its iterations"
            raise ScalingError(told, rows[error.rows]) from error
        return solution.correctors, solution.tensor

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        if not memory or not len(memory["tensor"]):
            return []
        worst = bounds.violation(memory["tensor"], conduction.faces(memory["coefficient"], self.faces)).max()
        name = "effective tensor beyond its bounds, relative to the largest coefficient"
        return [checks.at_most(name, worst, 0, tolerance=10 * self.tolerance, source=TRACE_BOUNDS)]
