"""Paths from the snapshots of runs: what the micro side was asked and what it gave, at the times that were kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adapters.micro import MicroModel
from adapters.strategies.learned.samples import Sampled, SampleError


def load(run: Path, participant: str, model: MicroModel, most: int) -> Sampled:
    """Return the paths of a run: those of `most` points, evenly spaced in their order, if there are more.

    Raises
    ------
    SampleError
        If there are no snapshots, or they are of other fields.
    """
    files = sorted((run / participant / "snapshots").glob("*.npz"))
    if len(files) < 2:
        raise SampleError(f"{run}: has no snapshots of {participant}; it needs at least two, in its folder 'snapshots'")
    names = [name for name, field in model.controls.items() if not field.optional] + list(model.observables)
    times, parts = [], []
    for file in files:
        try:
            with np.load(file, allow_pickle=False) as data:
                if missing := [name for name in names if name not in data]:
                    raise SampleError(f"{file}: has no {', '.join(missing)}, so it is of another case")
                times.append(float(data["time"]))
                parts.append({name: np.asarray(data[name], dtype=np.float64) for name in names})
        except (OSError, ValueError, EOFError) as error:
            raise SampleError(f"{file}: is no snapshot: {error}") from None
    n = len(parts[0][names[0]])
    chosen = np.unique(np.linspace(0, n - 1, min(most, n)).round().astype(int))
    values = {name: np.stack([part[name][chosen] for part in parts], axis=1) for name in names}
    order = np.argsort(times, kind="stable")
    values = {name: array[:, order] for name, array in values.items()}
    return Sampled(values, np.diff(np.sort(times), prepend=min(times)), {})
