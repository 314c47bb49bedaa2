"""The rates of all regions over a run, in a file beside its other results."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from adapters.coupling import Coupling
from participants.neural.connectome import Connectome

type Array = NDArray[np.float64]


class Recording:
    """Writes regions.npz: `time` (m,) [s], `rate` (m, n) [Hz], `label` (n,) and `centre` (n, 3) [mm] of the regions.

    Parameters
    ----------
    dt : time between two samples [ms].
    every : time between two rows [ms], rounded to samples.
    """

    def __init__(self, coupling: Coupling, connectome: Connectome, dt: float, every: float) -> None:
        self.path, self.connectome, self.dt = coupling.case.output / "regions.npz", connectome, dt
        self.every = max(1, round(every / dt))
        self._samples: list[NDArray[np.int64]] = []
        self._rates: list[Array] = []
        coupling.remember("rates of regions", self)
        coupling.keep_open(self)

    def add(self, first: int, rates: Array) -> None:
        """Record the rates (count, n) [Hz] at the samples from `first` on."""
        samples = np.arange(first, first + len(rates))
        rows = samples % self.every == 0
        self._samples.append(samples[rows])
        self._rates.append(rates[rows])

    def save(self) -> dict[str, Any]:
        n = len(self.connectome.labels)
        samples, rates = [np.zeros(0, dtype=np.int64), *self._samples], [np.zeros((0, n)), *self._rates]
        return {"samples": np.concatenate(samples), "rates": np.concatenate(rates)}

    def restore(self, value: dict[str, Any]) -> None:
        self._samples, self._rates = [value["samples"]], [value["rates"]]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        recorded, regions = self.save(), self.connectome
        np.savez(
            self.path,
            time=recorded["samples"] * self.dt / 1000,
            rate=recorded["rates"],
            label=np.array(regions.labels),
            centre=regions.centres,
        )
