"""Pictures of a few micro volumes at a few times: numbers in .npz files, images in .vti files for ParaView."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters import image
from adapters.micro import MicroModel, Pictured, State, take
from adapters.ranks import Rows


@dataclass(frozen=True)
class Choice:
    """What to keep of a run.

    Attributes
    ----------
    times : how many snapshots after the one at the start, at window ends as evenly spaced as can be.
    volumes : how many micro volumes, evenly spaced in the order of the points.
    """

    times: int = 12
    volumes: int = 48

    @classmethod
    def of(cls, settings: object) -> Choice:
        """Return what settings with fields named `snapshots` and `volumes` choose; the default where there is none."""
        return cls(getattr(settings, "snapshots", cls.times), getattr(settings, "volumes", cls.volumes))


class SnapshotError(Exception):
    """A run has no snapshots of what is asked for; says why."""


def read(run: Path, participant: str, names: Sequence[str]) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
    """Return times (t,) [s] and values (t, n, ...) by name of all snapshots of a participant, in the order of time.

    Raises SnapshotError.
    """
    files = sorted((run / participant / "snapshots").glob("*.npz"))
    if len(files) < 2:
        raise SnapshotError(f"{run}: has no snapshots of {participant}; expected two or more in its 'snapshots'")
    times, parts = [], []
    for file in files:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                if missing := [name for name in names if name not in arrays]:
                    raise SnapshotError(f"{file}: has no {', '.join(missing)}: it is of another case")
                times.append(float(arrays["time"]))
                parts.append({name: np.asarray(arrays[name], dtype=np.float64) for name in names})
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise SnapshotError(f"{file}: is no snapshot: {error}") from None
    order = np.argsort(times, kind="stable")
    return np.array(times)[order], {name: np.stack([parts[i][name] for i in order]) for name in names}


class Snapshots:
    """Writes snapshots/NUMBER.npz and .vti under `folder`, and snapshots.pvd, which puts the images into a series.

    A .npz file has `time` [s], `points` (n, dim), the controls and observables (n, ...) by name, `volumes` (m,), the
    chosen rows, and each field of the model's `snapshot` as ``fields/NAME`` (m, *cells, ...). In an image the chosen
    volumes stand next to each other along x.
    """

    def __init__(self, folder: Path, model: MicroModel, rows: Rows, windows: int | None, choice: Choice) -> None:
        self.folder = folder / "snapshots"
        self.series = folder / "snapshots.pvd"
        self.model = model
        self.rows = rows
        self.windows = _spread(windows, choice.times)
        chosen = np.unique(np.linspace(0, rows.total - 1, min(choice.volumes, rows.total)).round().astype(int))
        self.chosen = chosen
        self.mine = chosen[(chosen >= rows.first) & (chosen < rows.first + rows.count)] - rows.first
        self.written: list[tuple[float, str]] = []
        if rows.rank == 0:
            self.folder.mkdir(exist_ok=True)

    def save(self) -> list[tuple[float, str]]:
        """Return the images that have been written, with their times [s]."""
        return list(self.written)

    def restore(self, value: list[tuple[float, str]]) -> None:
        """Go on behind the images that were written before."""
        self.written = list(value)

    def wants(self, window: int) -> bool:
        """Whether the end of this window (0 for the start) is to be kept."""
        return window in self.windows if self.windows else True

    def take(self, window: int, time: float, points: NDArray[Any], values: Mapping[str, Any], state: State) -> None:
        """Write one snapshot; collective."""
        numbers = {name: self.rows.gather(np.asarray(v)) for name, v in {"points": points, **values}.items()}
        fields: dict[str, NDArray[Any]] = {}
        if isinstance(self.model, Pictured):
            shown = self.model.snapshot(take(state, self.mine))
            fields = {name: self.rows.gather(np.asarray(v, dtype=np.float64)) for name, v in shown.items()}
        if self.rows.rank > 0:
            return
        name = f"{window:06d}"
        numbers |= {f"fields/{key}": value for key, value in fields.items()}
        numbers |= {"time": np.array(time), "volumes": self.chosen}
        np.savez_compressed(self.folder / f"{name}.npz", allow_pickle=False, **numbers)
        if fields and isinstance(self.model, Pictured):
            cells, size = self.model.cell_shape, self.model.cell_size
            spacing = [length / n for length, n in zip(size, cells, strict=True)]
            images = {key: image.side_by_side(value) for key, value in fields.items()}
            image.save(self.folder / f"{name}.vti", images, spacing)
            self.written.append((time, f"snapshots/{name}.vti"))
            image.save_series(self.series, self.written)


def _spread(windows: int | None, times: int) -> frozenset[int]:
    """Return the windows to keep, 0 for the start; none where the number of windows is not known: keep all."""
    if windows is None:
        return frozenset()
    return frozenset(np.linspace(0, windows, min(times, windows) + 1).round().astype(int).tolist())
