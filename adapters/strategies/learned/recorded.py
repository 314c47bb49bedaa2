"""Paths from the snapshots of runs: what the micro side was asked and what it gave, at the times that were kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adapters import snapshots
from adapters.micro import MicroModel
from adapters.snapshots import SnapshotError
from adapters.strategies.box import required
from adapters.strategies.learned.samples import Sampled, SampleError


def load(run: Path, participant: str, model: MicroModel, most: int) -> Sampled:
    """Return the paths of a run: those of `most` points, evenly spaced in their order, if there are more.

    Raises
    ------
    SampleError
        If there are no snapshots, or they are of other fields.
    """
    try:
        times, seen = snapshots.read(run, participant, [*required(model.controls), *model.observables])
    except SnapshotError as error:
        raise SampleError(str(error)) from None
    n = next(iter(seen.values())).shape[1]
    chosen = np.unique(np.linspace(0, n - 1, min(most, n)).round().astype(int))
    values = {name: np.ascontiguousarray(array[:, chosen].swapaxes(0, 1)) for name, array in seen.items()}
    return Sampled(values, np.diff(times, prepend=times[0]), {})
