"""What a scaling map is: a small frozen dataclass whose fields are its parameters in CASE.scaling.xml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.micro import MicroError
from adapters.spikes import Spikes
from scalebridge.checks import Check
from scalebridge.fields import Field

type Array = NDArray[np.float64]
type Memory = Mapping[str, NDArray[Any]]
type Control = Array | Spikes


class ScalingError(MicroError):
    """A map that cannot make anything of the values it got; names the map and, where only some are wrong, the rows."""

    def __init__(self, message: str, rows: ArrayLike = ()) -> None:
        super().__init__(rows, message)


class Map(Protocol):
    """What all maps say of themselves.

    Attributes
    ----------
    name : its name in XML.
    preserves : what is the same on both scales, for people.
    """

    name: ClassVar[str]
    preserves: ClassVar[str]

    def misfit(self, field: Field) -> str:
        """Return what the map needs if `field` of the micro model does not fit, else the empty text."""
        ...

    def gives(self, field: Field) -> Field:
        """Return what the macro side sees of `field`, which fits: the unit of the result, one value or signal each."""
        ...

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        """Return checks on the last call, and on all before it, from what they left in the memory.

        `unit` is that of the observable or control.
        """
        ...


class Downscale(Map, Protocol):
    """A map from the values at the macro points to a control of the micro model.

    `memory` is a dict of arrays with n rows, such as a filter's last value or how often random numbers were drawn. It
    is part of the state, so it is never changed in place, and has the same arrays from the start.
    """

    def start(self, field: Field, points: Array, seed: int) -> Memory:
        """Return the memory of volumes at `points` (n, dim) before the first call of `downscale`.

        What is random follows from `seed` and the point alone: it must not depend on who else is in the batch.
        """
        ...

    def downscale(self, values: Array, memory: Memory, dt: float, cells: tuple[int, ...]) -> tuple[Control, Memory]:
        """Return the control over a step and the new memory.

        Parameters
        ----------
        values : (n, ...) at the points at the end of the step, or (n, k) in the k parts of a time window.
        dt : length of the step [s]; 0 at the start of a run, where the memory stays as it is.
        cells : grid of a control on the grid, (neurons,) of a control that is spikes, else empty.

        Returns
        -------
        (n, ...), on the grid (n, *cells, ...), in the parts of a window (n, k), or spikes.
        """
        ...


class Upscale(Map, Protocol):
    """A map from an observable of the micro model to the values at the macro points.

    `memory` is a dict of arrays with n rows, such as a solution to start the next one from. It is part of the state, so
    it is never changed in place, and has the same arrays from the start.
    """

    def start(self, field: Field, n: int, cells: tuple[int, ...]) -> Memory:
        """Return the memory of n volumes with a grid of `cells` before the first call of `upscale`."""
        ...

    def upscale(self, values: Any, memory: Memory, size: tuple[float, ...]) -> tuple[Array, Memory]:
        """Return the values at the points (n, ...) and the new memory.

        Parameters
        ----------
        values : (n, *cells, ...) of an observable on the grid, (n, ...) of one per point, (n, k) of one in the k
            parts of a time window, or spikes.
        size : edge lengths of the volume [m], one per dimension; empty if the model has no volume.
        """
        ...
