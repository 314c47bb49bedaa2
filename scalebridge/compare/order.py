"""The observed order of convergence of values from coarse to fine, without knowing the exact one.

Where a value q(h) = q0 + C h^p and three refinements by one factor r,

    p = log(|q1 - q2| / |q2 - q3|) / log(r)

(P. J. Roache, Verification and Validation in Computational Science and Engineering, Hermosa, 1998, section 5.10).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_SAME_FACTOR = 1e-6


def factor(numbers: Sequence[float]) -> float | None:
    """Return by which factor (above 1) numbers grow or shrink from one to the next; None where it is not one factor."""
    if len(numbers) < 3 or any(n == 0.0 for n in numbers):
        return None
    ratios = [b / a for a, b in itertools.pairwise(numbers)]
    if ratios[0] <= 0.0 or any(abs(r / ratios[0] - 1.0) > _SAME_FACTOR for r in ratios):
        return None
    return max(ratios[0], 1.0 / ratios[0]) if ratios[0] != 1.0 else None


def observed(values: Sequence[float | None], refinement: float) -> list[float | None]:
    """Return the order that each value gives together with the two before it; None where there is none.

    Parameters
    ----------
    values : from coarse to fine; None where there is no value.
    refinement : the factor from one to the next, above 1.
    """
    result: list[float | None] = [None] * min(2, len(values))
    for a, b, c in zip(values, values[1:], values[2:], strict=False):
        if a is None or b is None or c is None or not (a - b) * (b - c) or not math.isfinite(a + b + c):
            result.append(None)
        else:
            result.append(math.log(abs(a - b) / abs(b - c)) / math.log(refinement))
    return result
