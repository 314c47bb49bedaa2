"""Actions: what is done to data on a mesh right after a mapping, as the configuration asks."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.embedded.config import ActionConfig, Key
from scalebridge.embedded.meshes import Datum, Mesh
from scalebridge.embedded.tolerance import equal
from scalebridge.embedded.waveform import Floats


class ActionError(RuntimeError):
    """An action that cannot be done on the data or the mesh it was given."""


class Action(ABC):
    """One configured action; `timing` says after which mappings it is performed."""

    def __init__(self, config: ActionConfig, mesh: Mesh, data: Mapping[Key, Datum]) -> None:
        self.timing = config.timing
        self.mesh = mesh
        self.sources = [data[mesh.name, name] for name in config.sources]
        self.target = data[mesh.name, config.target] if config.target is not None else None

    @abstractmethod
    def perform(self) -> None:
        """Change the target data, at all its times in the window."""


class Summation(Action):
    """target = sum of the sources."""

    def perform(self) -> None:
        assert self.target is not None
        reference = self.sources[0].waveform
        for i, time in enumerate(reference.stamps):
            total = np.zeros(self.target.shape)
            for source in self.sources:
                wave = source.waveform
                if i >= len(wave.stamps) or not equal(wave.stamps[i], time):
                    raise ActionError(
                        f'<action:summation> on mesh "{self.mesh.name}": data "{source.name}" has no value at time '
                        f'{time}, where "{self.sources[0].name}" has one; all sources must have the same sub-steps'
                    )
                if source.components != self.target.components:
                    raise ActionError(
                        f'<action:summation> on mesh "{self.mesh.name}": data "{source.name}" has '
                        f'{source.components} components, but "{self.target.name}" has {self.target.components}'
                    )
                total += wave.samples[i]
            self.target.waveform.put(time, total)


class ScaleByArea(Action):
    """target times (or divided by) the share of the mesh's area, in 2-D length, that belongs to each vertex."""

    divide = False

    def _areas(self) -> Floats:
        """Return the area of each vertex: an equal share of the edges (2-D) or triangles (3-D) around it, (n,)."""
        kind = "edges" if self.mesh.dimensions == 2 else "triangles"
        cells = self.mesh.cells(kind)
        if not len(cells):
            raise ActionError(
                f'an action by area needs {kind}, but mesh "{self.mesh.name}" has none: call set_mesh_{kind}()'
            )
        corners = self.mesh.vertices[cells]
        if kind == "edges":
            size = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
        else:
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            size = 0.5 * np.linalg.norm(normal, axis=1)
        share = np.repeat(size / cells.shape[1], cells.shape[1])
        return np.bincount(cells.reshape(-1), share, self.mesh.size)

    def perform(self) -> None:
        assert self.target is not None
        areas = self._areas()[:, None]
        wave = self.target.waveform
        for time, values in zip(wave.stamps, list(wave.samples), strict=True):
            wave.put(time, values / areas if self.divide else values * areas)


class DivideByArea(ScaleByArea):
    divide = True


class PythonAction(Action):
    """A function performAction(time, [source,] target) of a Python file, which changes `target` in place."""

    def __init__(self, config: ActionConfig, mesh: Mesh, data: Mapping[Key, Datum]) -> None:
        super().__init__(config, mesh, data)
        self._function = _load(Path(config.path or ".") / f"{config.module}.py")

    def perform(self) -> None:
        assert self.target is not None
        wave = self.target.waveform
        for i, time in enumerate(list(wave.stamps)):
            changed = wave.samples[i].copy()
            arguments: list[Any] = [time]
            for source in self.sources:
                theirs = source.waveform
                if i >= len(theirs.stamps) or not equal(theirs.stamps[i], time):
                    raise ActionError(
                        f'<action:python> on mesh "{self.mesh.name}": data "{source.name}" has no value at {time}'
                    )
                arguments.append(theirs.samples[i].reshape(-1).copy())
            self._function(*arguments, changed.reshape(-1))
            wave.put(time, changed, wave.slopes[i])


def _load(path: Path) -> Callable[..., Any]:
    """Return the function performAction of the Python file at `path`."""
    specification = importlib.util.spec_from_file_location(f"precice_action_{path.stem}", path)
    if not path.is_file() or specification is None or specification.loader is None:
        raise ActionError(f"<action:python>: there is no file {path}")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    function: Callable[..., Any] | None = getattr(module, "performAction", None)
    if function is None:
        raise ActionError(f"<action:python>: {path} defines no function performAction")
    return function


def create(config: ActionConfig, meshes: Mapping[str, Mesh], data: Mapping[Key, Datum]) -> Action:
    """Build the action that a configuration describes."""
    kinds: dict[str, type[Action]] = {
        "summation": Summation,
        "multiply-by-area": ScaleByArea,
        "divide-by-area": DivideByArea,
        "python": PythonAction,
    }
    return kinds[config.kind](config, meshes[config.mesh], data)
