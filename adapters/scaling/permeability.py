"""The map from an indicator of fluid or solid in the volume to the permeability that the macro scale sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters.scaling import stokes, walls
from adapters.scaling.protocol import Array, Memory, ScalingError
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.settings import setting

# A phase field may leave 0 ... 1 by this much, and is then taken as 0 or 1.
OVERSHOOT = 0.01
# Cells of the volumes that each thread works on before the next are looked at, which bounds the memory.
BLOCK = 131072
# What is remembered of a solution, beside the indicator that it belongs to.
FOUND = ("forces", "tensor", "imbalance")


@dataclass(frozen=True)
class Permeability:
    """The tensor K of slow flow through the fluid of the volume (`stokes`): superficial velocity is -K grad p / mu.

    The indicator is the share of one phase in every cell (porosity, where that is the fluid, is its `volume-average`):
    between 0 and 1 at the wall, it tells where the wall lies within the cell (`walls`). Of the second order in the size
    of the cells; of the first for a binary image, whose walls are the faces of its cells.
    """

    name: ClassVar[str] = "permeability"
    preserves: ClassVar[str] = "mean (superficial) velocity and dissipation"

    indicator: str = setting("fluid", "the phase where the indicator is 1", choices=("fluid", "solid"))
    wall: str = setting("volume-fraction", "what tells where the wall cuts a cell", choices=walls.KINDS)
    tolerance: float = setting(1e-6, "error of the tensor, relative to its largest entry", minimum=1e-14, maximum=0.1)
    iterations: int = setting(1000, "most iterations of the cell problem", minimum=1)
    threads: int = setting(1, "parts of the batch that are solved at the same time", minimum=1)

    def misfit(self, field: Field) -> str:
        fits = field.rank == 0 and field.per == "grid" and field.unit == "1"
        return "" if fits else "an indicator per grid cell, a scalar of unit '1'"

    def gives(self, field: Field) -> Field:
        return Field("m^2", rank=2, symmetric=True, help=field.help)

    def start(self, field: Field, n: int, cells: tuple[int, ...]) -> Memory:
        d = len(cells)
        return {
            "indicator": np.full((n, *cells), np.nan),  # equal to nothing: every volume is solved the first time
            "forces": np.zeros((n, d, d, *cells), dtype=np.float32),
            "tensor": np.zeros((n, d, d)),
            "imbalance": np.zeros(n),
        }

    def upscale(self, values: Array, memory: Memory, size: tuple[float, ...]) -> tuple[Array, Memory]:
        indicator = self._checked(values, size)
        changed = np.flatnonzero((indicator != memory["indicator"]).reshape(len(indicator), -1).any(axis=1))
        if not changed.size:
            return memory["tensor"].copy(), memory
        new = {"indicator": indicator.copy(), **{name: memory[name].copy() for name in FOUND}}
        block = self.threads * max(1, BLOCK // indicator[0].size)
        for first in range(0, len(changed), block):
            rows = changed[first : first + block]
            solution = self._solve(indicator[rows], memory["forces"][rows], rows, size)
            for name in FOUND:
                new[name][rows] = getattr(solution, name)
        return new["tensor"].copy(), new

    def _solve(
        self, indicator: Array, guess: NDArray[np.float32], rows: NDArray[np.intp], size: tuple[float, ...]
    ) -> stokes.Solution:
        """Solve the volumes `rows` with these indicators."""
        spacing = tuple(length / count for length, count in zip(size, indicator.shape[1:], strict=True))
        fluid = np.clip(indicator if self.indicator == "fluid" else 1 - indicator, 0, 1)
        level = walls.at_faces(walls.level(fluid, spacing, self.wall))
        try:
            return stokes.solve(level, size, guess, self.tolerance, self.iterations, self.threads)
        except stokes.NotConverged as error:
            told = f"{self.name}: {error.message}; raise its tolerance or its iterations"
            raise ScalingError(told, rows[error.rows]) from error
        except stokes.Unbounded as error:
            raise ScalingError(f"{self.name}: {error.message}", rows[error.rows]) from error

    def _checked(self, values: Array, size: tuple[float, ...]) -> Array:
        """Return the indicators as floats. Raises ScalingError where they are none, or have the wrong shape."""
        array = np.asarray(values)
        if len(size) not in (2, 3):
            raise ScalingError(
                f"{self.name}: needs a volume of 2 or 3 dimensions, the model's cell_size has {len(size)}"
            )
        if array.ndim != 1 + len(size) or 0 in array.shape[1:]:
            expected = f"(n, *cells) with {len(size)} cell axes"
            raise ScalingError(f"{self.name}: expected indicators of shape {expected}, got {array.shape}")
        if array.dtype.kind not in "fiub":
            raise ScalingError(f"{self.name}: expected a real indicator, got an array of {array.dtype}")
        array = array.astype(np.float64, copy=False)
        wrong = ~(np.abs(array - 0.5) <= 0.5 + OVERSHOOT)  # NaN too
        if wrong.any():
            row, *cell = (int(i) for i in np.argwhere(wrong)[0])
            told = f"the indicator at cell {tuple(cell)} is {array[(row, *cell)]:g}; expected a number between 0 and 1"
            raise ScalingError(f"{self.name}: {told}", np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1)))
        return array

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        if not len(memory["tensor"]):
            return []
        worst = memory["imbalance"].max()
        name = "mean velocity against dissipation, <w_j>_i - <grad w_i : grad w_j>, relative to the largest"
        source = "virtual work of the velocity fields (Hill-Mandel); of first order in the error of the velocities"
        return [checks.at_most(name, worst, 0, tolerance=10 * self.tolerance**0.5, source=source)]
