"""The controls of a model as one vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.box import Box
from adapters.strategies.learned import notation
from scalebridge.fields import Field

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """Where controls live.

    Attributes
    ----------
    fields : the controls that drive, in order; rank 0, 1 or 2.
    dimensions : of vectors and tensors.
    """

    fields: Mapping[str, Field]
    dimensions: int

    def vector(self, controls: Mapping[str, Any]) -> Array:
        """Return controls (..., *shape) as vectors (..., s)."""
        parts = [notation.vector(np.asarray(controls[name]), field.rank) for name, field in self.fields.items()]
        return np.concatenate(parts, axis=-1)

    def controls(self, vectors: Array) -> dict[str, Array]:
        """Return what vectors (..., s) stand for."""
        found, begin = {}, 0
        for name, field in self.fields.items():
            end = begin + notation.size(field.rank, self.dimensions)
            found[name] = np.ascontiguousarray(notation.value(vectors[..., begin:end], field.rank, self.dimensions))
            begin = end
        return found

    def ends(self, box: Box) -> Array:
        """Return lowest and highest (2, s) of a box of controls."""
        return self.vector(box.columns.unflatten(np.stack([box.low, box.high])))
