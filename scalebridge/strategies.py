"""What the strategies of a participant did in a run: how much was left to the full model, and what it took.

A strategy is a mapping of one name to its settings, such as ``{"adaptive": {"tolerance": 1e-3}}``; a stack of them is a
list, outermost first. Where none is given the micro model is solved for every point and step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "strategy.json"
CONCURRENT = "concurrent"  # the model itself, solved for every point
OTHER_MODEL = "model"  # another micro model, as the cheap one of an adaptive run
type Strategy = dict[str, dict[str, Any]]
type Told = float | int | str


@dataclass(frozen=True)
class Work:
    """Counts of pairs of a micro simulation and a step, in all iterations and on all ranks.

    Attributes
    ----------
    asked : what the macro side asked for.
    solved : what the full model solved for that; more than was asked where strategies look back or ahead.
    seconds : what starting and answering took, on the slowest rank; `full` the part of it that the full model took.
    """

    asked: int
    solved: int
    seconds: float
    full: float

    def __str__(self) -> str:
        share = f" ({100 * self.solved / self.asked:.3g} %)" if self.asked else ""
        return (
            f"{self.solved} solves of the full model for {self.asked} that were asked for{share}; "
            f"{self.seconds:.3g} s, {self.full:.3g} s of these in the full model"
        )


@dataclass(frozen=True)
class Layer:
    """One strategy, and what it tells: values by name, with the unit in the name if there is one (``bound [Pa]``)."""

    name: str
    report: dict[str, Told]


@dataclass(frozen=True)
class Account:
    """What the strategies of a participant did, outermost first."""

    layers: tuple[Layer, ...]
    work: Work

    def save(self, path: Path) -> None:
        """Write the account as JSON, whole or not at all."""
        new = path.with_name(f".{path.name}")
        new.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        new.replace(path)

    def to_json(self) -> dict[str, Any]:
        """Return the account as a JSON object; a number that is not finite as text."""
        data: dict[str, Any] = asdict(self)
        for layer in data["layers"]:
            layer["report"] = {k: v if _is_plain(v) else str(v) for k, v in layer["report"].items()}
        return data

    @classmethod
    def load(cls, path: Path) -> Account | None:
        """Read an account; None where there is none. Raises ValueError."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}: not an account of strategies: {type(error).__name__}: {error}") from None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Account:
        """Return the account that `to_json` gave. Raises ValueError, TypeError or KeyError where it is none."""
        layers = tuple(Layer(str(layer["name"]), dict(layer["report"])) for layer in data["layers"])
        told = [value for layer in layers for value in layer.report.values()]
        if not all(isinstance(value, int | float | str) for value in told):
            raise TypeError("what a strategy tells are numbers and texts")
        work = Work(**data["work"])
        if not all(type(value) in (int, float) for value in asdict(work).values()):
            raise TypeError("counts and seconds are numbers")
        return cls(layers, work)

    @property
    def name(self) -> str:
        """The stack in words."""
        return " over ".join(layer.name for layer in self.layers)

    def lines(self, participant: str) -> list[str]:
        """Return the account of a participant for people."""
        told = [f"{participant}: {self.name}: {self.work}"]
        for layer in self.layers:
            told += [f"  {layer.name}: {name}: {shown(value)}" for name, value in layer.report.items()]
        return told


def shown(value: Told) -> str:
    """Return a value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_plain(value: Told) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
