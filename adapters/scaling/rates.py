"""The map from the spikes of a population to its firing rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adapters.scaling.kernels import Kernel
from adapters.scaling.protocol import Array, Memory
from adapters.spikes import Spikes
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.fields import Field
from scalebridge.settings import setting

# Round-off of sums over a run, relative to the number of spikes.
ROUND_OFF = 1e-9


@dataclass(frozen=True)
class PopulationRate:
    """The spikes per neuron and second in each part of a window, counted or smoothed by a causal kernel (`kernels`).

    Every spike counts with its own time, and what it still has to give at the end of a window goes on in the next.

    A sample is the mean over its part. Who takes it for the value at the end of the part sees it half a part later,
    beside the `delay`.
    """

    name: ClassVar[str] = "population-rate"
    preserves: ClassVar[str] = "the number of spikes: the integral of the rate, up to what the kernel still holds"

    kernel: str = setting(
        "counts",
        "how spikes are smoothed, gaussian being a gamma density of order 9",
        choices=("counts", "exponential", "alpha", "gaussian"),
    )
    time: float = setting(
        "5 ms", "decay time (exponential), time of the peak (alpha), standard deviation (gaussian)", above=0
    )

    @property
    def filter(self) -> Kernel:
        return Kernel.named(self.kernel, self.time / 1e3)

    @property
    def delay(self) -> float:
        """Mean time from a spike to what is seen of it [s], from part to part."""
        return self.filter.delay

    def variance(self, rate: float, neurons: int, part: float) -> float:
        """Return the variance [Hz^2] of a sample for independent Poisson neurons at `rate` [Hz]; `part` in s.

        r / (N part) for counts; for parts much shorter than the kernel r / (2 N time) for exponential and
        r / (4 N time) for alpha.
        """
        return rate / neurons * self.filter.power(part)

    def misfit(self, field: Field) -> str:
        return "" if field.per == "spikes" else "spikes of a population"

    def gives(self, field: Field) -> Field:
        return Field("Hz", per="window", help=field.help)

    def start(self, field: Field, n: int, cells: tuple[int, ...]) -> Memory:
        none = {name: np.zeros(n) for name in ("rate", "counted", "sent")}
        return {"filter": self.filter.empty(n), **none}

    def upscale(self, values: Spikes, memory: Memory, size: tuple[float, ...]) -> tuple[Array, Memory]:
        if values.duration == 0:  # as it is
            return np.repeat(memory["rate"][:, None], values.parts, axis=1), memory
        spikes, held = self.filter.spikes(memory["filter"], values)
        rates = spikes / values.neurons
        new = {
            "filter": held,
            "rate": rates[:, -1].copy(),
            "counted": memory["counted"] + np.bincount(values.row, minlength=values.rows),
            "sent": memory["sent"] + rates.sum(axis=1) * (values.neurons * values.duration / values.parts),
        }
        return rates, new

    def audit(self, memory: Memory, unit: str) -> list[Check]:
        counted = memory["counted"]
        if not len(counted):
            return []
        told = memory["sent"] + self.filter.held(memory["filter"])
        worst = np.abs(told - counted).argmax()
        name = "spikes that were counted, from the rate that was sent and what the kernel still holds"
        tolerance = ROUND_OFF * max(float(counted[worst]), 1.0)
        source = "integral of the kernel is 1"
        return [checks.absolute(name, told[worst], counted[worst], tolerance, source=source)]
