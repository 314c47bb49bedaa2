"""Populations of spiking neurons, whatever simulates them: their time steps, what drives them, and who fired."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from adapters import raster
from adapters.spikes import Spikes
from adapters.wiring import CouplingError
from scalebridge.fields import Field
from scalebridge.settings import setting

type Array = NDArray[Any]
type Values = Mapping[str, Any]

TOLERANCE = 1e-6  # of a step, in lengths of time that have to be so many steps


@dataclass(frozen=True)
class Simulation:
    """How a network is simulated."""

    dt: float = setting("0.1 ms", "time step; the samples of a window are whole numbers of it", above=0)
    raster: int = setting(200, "neurons of each population, evenly chosen, that raster.csv shows", minimum=0)


class Populations:
    """Populations of N neurons at n points.

    Attributes
    ----------
    current : unit of the controls `current` and `stimulus`, in the unit of the simulator.
    neurons : number of neurons N of each population.
    shown : which of them the raster shows.
    first_row, max_dt : see `adapters.micro.OneByOne`.
    """

    observables: ClassVar[dict[str, Field]]
    current: ClassVar[float] = 1.0

    def __init__(self, settings: Any, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.neurons: int = settings.neurons
        self.first_row, self.max_dt = 0, math.inf
        self.shown = raster.chosen(settings.neurons, settings.raster)
        self._raster: raster.Raster | None = None

    def drive(self, controls: Values, n: int) -> Array:
        """Return the input (n, k) in the unit of the simulator."""
        given = [np.asarray(controls[name], dtype=np.float64) for name in ("current", "stimulus") if name in controls]
        parts = given[0].shape[1] if given else getattr(controls.get("spikes"), "parts", 1)
        return sum(given, np.zeros((n, parts))) * self.current

    def steps(self, dt: float, parts: int) -> int:
        """Return how many steps make one sample of a window of dt [s]. Raises CouplingError where it is no number."""
        step, part = float(self.settings.dt), 1e3 * dt / parts
        each = round(part / step)
        if abs(part / step - each) > TOLERANCE or not each:
            raise CouplingError(
                f"dt {step:g} ms does not divide the {part:g} ms of a sample, of which a window of {1e3 * dt:g} ms has "
                f"{parts}; expected {part:g} ms or a whole fraction of it, such as {part / math.ceil(part / step):g} ms"
            )
        return each

    def write(self, row: Array, neuron: Array, step: Array, *, begin: int) -> None:
        """Write who of the neurons that are shown has fired at the ends of which steps of a run, from `begin` on."""
        dt = self.settings.dt / 1e3
        if self._raster is None:
            name = f"raster-{self.first_row}.csv" if self.first_row else "raster.csv"
            self._raster = raster.Raster(Path(name), begin * dt)
        self._raster.add(self.first_row + row, neuron, step * dt)


def falling(spikes: Spikes, steps: int) -> NDArray[np.int64]:
    """Return in which step of a window, from 0 on, each spike falls (m,); one at the end of a step belongs to it."""
    place = spikes.time * (steps / spikes.duration)
    return np.clip(np.ceil(place - TOLERANCE).astype(np.int64) - 1, 0, steps - 1)
