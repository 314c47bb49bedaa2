"""Accelerations of the fixed-point iteration of an implicit coupling scheme.

The participant that runs the scheme (the second one, or the controller) calls, once in each iteration,

- `accelerate` when the iteration has not converged, which changes the new waveforms in place;
- `window_complete` when it has, before anything moves to the next time window.

The iterates are all data on which the scheme iterates: in a serial scheme the data that the second participant
sends, in a parallel and in a multi scheme all data that the participant sends or receives. They are given in the order
of the meshes, and of the data in each mesh, in the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded.acceleration.settings import AccelerationConfig
from scalebridge.embedded.waveform import Waveform


class AccelerationError(RuntimeError):
    """An acceleration that cannot go on."""


Floats = NDArray[np.float64]
Key = tuple[str, str]  # (mesh, data)


@dataclass(frozen=True)
class Iterate:
    """One data in one iteration.

    Attributes
    ----------
    old : what went into this iteration: the waveform at the end of the previous one, after acceleration. In the first
        iteration of a window it has one sample, the converged values at the window start.
    new : what came out of it; the acceleration puts better samples into it.
    lower, upper : bounds of each component (None where there is none), empty for data without bounds.
    """

    old: Waveform
    new: Waveform
    lower: tuple[float | None, ...] = ()
    upper: tuple[float | None, ...] = ()


class Acceleration(Protocol):
    """What a coupling scheme needs of an acceleration."""

    def accelerate(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Replace the new waveforms of the window [start, end] by better ones."""
        ...

    def window_complete(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Learn from the last iteration of a converged window; changes no waveform."""
        ...

    def log_entries(self) -> dict[str, int]:
        """Return the columns that this method adds to the iterations log, with their present values."""
        ...


def create(config: AccelerationConfig) -> Acceleration:
    """Build the acceleration that a configuration describes."""
    if config.kind == "constant":
        from scalebridge.embedded.acceleration.constant import ConstantRelaxation

        return ConstantRelaxation(config)
    if config.kind == "aitken":
        from scalebridge.embedded.acceleration.aitken import Aitken

        return Aitken(config)
    if config.kind == "IQN-ILS":
        from scalebridge.embedded.acceleration.quasi_newton import InverseLeastSquares

        return InverseLeastSquares(config)
    from scalebridge.embedded.acceleration.multi_vector import MultiVectorJacobian

    return MultiVectorJacobian(config)
