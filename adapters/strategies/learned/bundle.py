"""Paths with the same steps, to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bundle:
    """Paths that were solved.

    Attributes
    ----------
    x : (paths, steps, s) what drove them, in the units of the fields.
    dt : (steps,) length of the step that led there [s]; the first is 0.
    targets : what came of it, (paths, steps, ...) by the name that a law gives it.
    """

    x: Array
    dt: Array
    targets: Mapping[str, Array]

    def take(self, which: NDArray[np.int64]) -> Self:
        """Return some of the paths."""
        return type(self)(self.x[which], self.dt, {name: values[which] for name, values in self.targets.items()})
