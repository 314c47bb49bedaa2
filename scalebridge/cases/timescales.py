"""How the time windows of a run compare with what its participants resolve in time.

Maps between scales take what they get for constant, or for known at its samples, over the time in between. So that time
has to be short against the fastest that happens on either side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scalebridge.cases.describe import Description
from scalebridge.embedded.config import Configuration
from scalebridge.units import converter


@dataclass(frozen=True)
class Scale:
    """A time that a participant names.

    Attributes
    ----------
    participant, setting : whose, and which of its settings.
    seconds : how long [s].
    """

    participant: str
    setting: str
    seconds: float


@dataclass(frozen=True)
class Separation:
    """What is exchanged how often, and how fast things happen.

    Attributes
    ----------
    window : length of the time windows [s].
    shortest : the shortest time that a participant of the scheme names.
    sampled : the time between samples of signals that are exchanged within windows, where there are any.
    """

    window: float
    shortest: Scale
    sampled: Scale | None = None

    @property
    def ratio(self) -> float:
        """Time between two values of what is exchanged, over the shortest time scale."""
        return (self.sampled.seconds if self.sampled else self.window) / self.shortest.seconds

    def __str__(self) -> str:
        fast = self.shortest
        told = f"time window {_time(self.window)} = {self.window / fast.seconds:.3g}"
        if self.sampled:
            told += f", signals every {_time(self.sampled.seconds)} = {self.ratio:.3g}"
        return f"{told} of the shortest time scale ({fast.setting} of {fast.participant}, {_time(fast.seconds)})"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Separation:
        """Return what `to_json` wrote."""
        sampled = Scale(**data["sampled"]) if data["sampled"] else None
        return cls(data["window"], Scale(**data["shortest"]), sampled)


def scale(participant: str, name: str, description: Description, settings: Mapping[str, Any]) -> Scale | None:
    """Return the time that a setting says; None where it says 0, as of something that is not there."""
    value = float(settings[name]) * converter(description.settings[name]["unit"], "s").factor
    return Scale(participant, name, value) if value > 0 else None


def of(
    configuration: Configuration, descriptions: Mapping[str, Description], settings: Mapping[str, Mapping[str, Any]]
) -> list[Separation]:
    """Return for every coupling scheme how its windows compare, where its participants name times."""
    found = []
    for scheme in configuration.schemes:
        told = [
            (name, descriptions[name], settings.get(name, {})) for name in scheme.participants if name in descriptions
        ]
        fast = [scale(*one) for one in _named(told, lambda d: d.time_scales)]
        sampled = [scale(*one) for one in _named(told, lambda d: (d.sampling,) if d.sampling else ())]
        known = [s for s in fast if s is not None]
        if known and scheme.time_window_size:
            steps = [s for s in sampled if s is not None]
            shortest = min(known, key=lambda s: s.seconds)
            coarsest = max(steps, key=lambda s: s.seconds) if steps else None
            found.append(Separation(scheme.time_window_size, shortest, coarsest))
    return found


def _named(told: Any, names: Any) -> list[tuple[str, str, Description, Mapping[str, Any]]]:
    return [(who, name, d, given) for who, d, given in told for name in names(d) if name in given]


def _time(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
