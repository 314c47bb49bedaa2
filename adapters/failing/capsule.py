"""A crash capsule: a micro simulation that failed, with everything that is needed to solve it again alone.

It is one file. Whoever gets one from somebody else may read and replay it: it holds data alone, and of the programs on
the machine it names one by its module.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from adapters.failing import models
from adapters.failing.attempt import Failure
from adapters.micro import Array, MicroModel, State, arrays
from adapters.scaling import config as scaling_config
from adapters.scaling.model import ScaledModel
from adapters.strategies import registry
from adapters.strategies.protocol import Context
from scalebridge import settings as typed
from scalebridge import treefile
from scalebridge.strategies import Strategy

FORMAT = 1
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_CLASS = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class CapsuleError(Exception):
    """A file that is no capsule, or one that cannot be replayed."""


@dataclass(frozen=True)
class Program:
    """The micro model of a run, by name and values, not by code.

    Attributes
    ----------
    case, variant, participant : names; `variant` may be empty.
    module, model : the module, and the name of the class in it.
    settings : plain values in the declared units.
    seed : what the model was constructed with.
    scaling : text of the scaling file, empty where the case has none.
    reads, writes : names of the preCICE data of the participant, components of tensors and their wholes.
    engine : name of the coupling engine.
    strategy : where a strategy failed and not the model, the whole stack of them, and in `folder` their files.
    """

    case: str
    participant: str
    module: str
    model: str
    settings: dict[str, Any]
    seed: int
    variant: str = ""
    scaling: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    engine: str = ""
    strategy: tuple[Strategy, ...] = ()
    folder: str = ""

    @property
    def ours(self) -> bool:
        """Whether the model is one that comes with scalebridge."""
        return self.module.startswith("participants.")

    @property
    def consent(self) -> str:
        """What a replay needs besides the capsule: the name of a model that is not ours, and where it lies."""
        if self.ours:
            return ""
        file = models.file(self.module)
        folder = f" --path {shlex.quote(str(Path(file).parents[self.module.count('.')]))}" if file else ""
        return f" --module {self.module}{folder}"

    def replay(self, path: str) -> str:
        """Return the command that solves the capsule at `path` again."""
        return f"scalebridge replay {shlex.quote(path)}{self.consent}"

    def build(self, settings: Mapping[str, Any], folder: Path) -> MicroModel:
        """Return the model with its scaling maps, whose file is written into `folder`, and strategies if there are any.

        `settings` are plain values in the declared units. Raises ConfigurationError, ModelError or CouplingError.
        """
        found = models.find(self.module, self.model)
        model: MicroModel = found(typed.build(found.Settings, settings, plain=True), self.seed)
        file = folder / "scaling.xml"
        if self.scaling:
            file.write_text(self.scaling, encoding="utf-8")

        def scaled(plain: MicroModel) -> MicroModel:
            if not self.scaling:
                return plain
            maps = scaling_config.load(file).of(set(self.reads), set(self.writes))
            return ScaledModel(plain, maps, self.seed)

        if not self.strategy:
            return scaled(model)
        context = Context(self.seed, Path(self.folder), plain=model, scaled=scaled)
        return registry.build(self.strategy, scaled(model), context)


@dataclass(frozen=True)
class Place:
    """When: start of the step and its length [s], window, iteration and sub-step (see `adapters.step`).

    The start, before the first step, is window 0: the state is made, and looked at with dt = 0.

    Attributes
    ----------
    phase : "start" where the micro simulation failed to start, else "solve".
    """

    phase: str
    time: float = 0.0
    dt: float = 0.0
    window: int = 0
    iteration: int = 0
    substep: int = 0

    @property
    def label(self) -> str:
        """A part of a file name."""
        if self.window == 0:
            return "start"
        part = f"-substep-{self.substep}" if self.substep else ""
        return f"window-{self.window:06d}-iteration-{self.iteration}{part}"

    def __str__(self) -> str:
        if self.window == 0:
            return "at the start"
        return f"time {self.time:g} s (dt {self.dt:g} s), window {self.window}, iteration {self.iteration}"


@dataclass(frozen=True)
class Capsule:
    """One micro simulation that failed, or a few that failed together.

    Attributes
    ----------
    rows : (m,) numbers of the micro simulations in the run, of `total`.
    points : (m, dim) [m].
    controls, state : (m, ...) at the time of the failure; the state is empty where it failed to start.
    failure : why.
    versions : of what took part, by name; `machine` is where.
    """

    program: Program
    place: Place
    rows: Array
    total: int
    points: Array
    controls: dict[str, Array]
    state: State
    failure: Failure
    versions: dict[str, str]
    machine: str

    def save(self, path: Path) -> None:
        """Write the capsule."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("program", "place", "failure"):
            plain[name] = {f.name: getattr(plain[name], f.name) for f in fields(plain[name])}
        treefile.save(path, {"capsule": FORMAT, **plain})

    @classmethod
    def load(cls, path: Path) -> Capsule:
        """Read a capsule, trusting nothing in it. Raises CapsuleError."""
        try:
            tree = treefile.load(path)
        except treefile.TreeFileError as error:
            raise CapsuleError(str(error)) from None
        if not isinstance(tree, dict) or "capsule" not in tree:
            raise CapsuleError(f"{path}: is no crash capsule")
        if (version := tree.pop("capsule")) != FORMAT:
            raise CapsuleError(f"{path}: is a capsule of format {version}; this scalebridge reads format {FORMAT}")
        try:
            parts = {"program": Program, "place": Place, "failure": Failure}
            return _checked(cls(**{**tree, **{name: _typed(kind, tree[name]) for name, kind in parts.items()}}))
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise CapsuleError(f"{path}: is no crash capsule that could be used: {error}") from None


def _typed(kind: type[Any], given: Mapping[str, Any]) -> Any:
    """Return a dataclass of texts, numbers and plain containers, checked against its annotations."""
    wanted: dict[str, Any] = {
        "str": str,
        "int": int,
        "bool": bool,
        "float": (float, int),
        "dict[str, Any]": dict,
        "tuple[str, ...]": tuple,
        "tuple[Strategy, ...]": tuple,
    }
    for f in fields(kind):
        if f.name in given and not isinstance(given[f.name], wanted[str(f.type)]):
            raise ValueError(f"{f.name} is a {type(given[f.name]).__name__}")
    return kind(**given)


def _checked(capsule: Capsule) -> Capsule:
    """Raise ValueError where the parts of a capsule do not fit together."""
    program = capsule.program
    if not MODULE.fullmatch(program.module) or not _CLASS.fullmatch(program.model):
        raise ValueError(f"{program.module!r} and {program.model!r} do not name a module and a class")
    if not all(isinstance(layer, dict) and len(layer) == 1 for layer in program.strategy):
        raise ValueError("a strategy is a name with its settings")
    if capsule.place.phase not in ("start", "solve"):
        raise ValueError(f"it failed in {capsule.place.phase!r}")
    for name in ("rows", "points"):
        if not isinstance(getattr(capsule, name), np.ndarray) or not len(getattr(capsule, name)):
            raise ValueError(f"its {name} are no array")
    named = {"points": capsule.points, **capsule.controls, **dict(arrays(capsule.state))}
    for name, values in named.items():
        if not isinstance(values, np.ndarray) or values.ndim == 0 or len(values) != len(capsule.rows):
            raise ValueError(f"{name} does not have one row for each micro simulation")
    if not isinstance(capsule.total, int) or not isinstance(capsule.machine, str):
        raise ValueError("total and machine are a number and a text")
    if not all(isinstance(text, str) for pair in capsule.versions.items() for text in pair):
        raise ValueError("versions are texts")
    return capsule
