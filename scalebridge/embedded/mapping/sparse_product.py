"""A mapping that is one sparse matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scalebridge.embedded.mapping import Floats


@dataclass(frozen=True)
class SparseProduct:
    """values -> matrix @ values, with a sparse matrix (n_target, n_source)."""

    matrix: sparse.csr_array

    def apply(self, values: Floats, gradients: Floats | None = None) -> Floats:
        """Map values (n_source, components)."""
        return np.asarray(self.matrix @ values)
