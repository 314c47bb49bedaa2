"""When a table pays: what it takes to make one, against what a run asks.

A table of m arguments has h^-m nodes on a full grid and about |log h|^(m-1) / h on a sparse one; a run that is refined
in d dimensions asks at h^-d points (E, Principles of Multiscale Modeling, Cambridge 2011, chapter 1). So where m > d a
full table loses in the end, and where a run is short any does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SURROGATE = 2000  # solves from which a surrogate is usually trained


@dataclass(frozen=True)
class Costs:
    """Numbers of solves of the full model.

    Attributes
    ----------
    run : of the run, points times steps times iterations; None where the run is not known.
    nodes : along each of the controls that vary, for the tolerance.
    dimensions : in which the macro side is refined.
    """

    run: int | None
    nodes: tuple[int, ...]
    dimensions: int

    @property
    def arguments(self) -> int:
        """Number of arguments of a table."""
        return len(self.nodes)

    @property
    def full(self) -> int:
        """Nodes of a table on a full grid."""
        return math.prod(self.nodes)

    @property
    def sparse(self) -> int:
        """Nodes of a table on a sparse grid, about."""
        m, most = self.arguments, max(self.nodes, default=1)
        logarithm = math.log2(max(most - 1, 2))
        return min(self.full, round(most * logarithm ** (m - 1) / math.factorial(m - 1)) if m else 1)

    @property
    def table(self) -> int:
        """Solves for a table."""
        return min(self.full, self.sparse)

    @property
    def pays(self) -> bool | None:
        """Whether a table costs less than the run; None where that is not known."""
        return None if self.run is None else self.table < self.run

    @property
    def loses(self) -> bool:
        """Whether a full table loses when both scales are refined."""
        return self.arguments > self.dimensions


def nodes_for(curvature: float, tolerance: float) -> int:
    """Return how many equidistant nodes linear interpolation needs: error = f'' h^2 / 8.

    Parameters
    ----------
    curvature : second derivative over an edge of length 1, as a share of the range of the function.
    tolerance : error, as a share of that range.
    """
    return max(2, math.ceil(math.sqrt(max(curvature, 0.0) / (8 * tolerance))) + 1)
