"""What a run does about micro simulations that fail: the policies that a case can name, and the account of their use.

A policy is a mapping of one name to its parameters, such as ``{"retry": {"halvings": 4}}``; several are tried in order.
Where none is given, or none helps, the run stops.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scalebridge.settings import Schema, schema, setting

FILE_NAME = "fallbacks.json"
type Policy = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Stop:
    """End the run."""


@dataclass(frozen=True)
class Retry:
    """Solve them again with 2, 4, 8 ... equal steps instead of one."""

    halvings: int = setting(4, "how often the step is halved at most", minimum=1, maximum=16)


@dataclass(frozen=True)
class OtherModel:
    """Let another micro model stand in for them; `settings` are its own."""

    run: str = setting(help="module of the other micro model")


@dataclass(frozen=True)
class Neighbours:
    """Take the mean of what the nearest micro simulations give that did not fail."""

    count: int = setting(4, "of how many", minimum=1, maximum=1000)


POLICIES: dict[str, Schema] = {
    "stop": schema(Stop),
    "retry": schema(Retry),
    "model": schema(OtherModel),
    "neighbours": schema(Neighbours),
}


@dataclass(frozen=True)
class Use:
    """How often something happened to micro simulations.

    Attributes
    ----------
    rows : to how many different ones.
    windows : in how many time windows.
    times : pairs of a micro simulation and a time window; iterations and sub-steps of one window count once.
    final : those pairs in which it happened in the last iteration, so that the result depends on it.
    """

    rows: int
    windows: int
    times: int
    final: int

    def __str__(self) -> str:
        windows = f"{self.windows} time window" + ("s" if self.windows > 1 else "")
        times = f", {self.times} times" if self.times > self.rows else ""
        return f"{self.rows} in {windows}{times}, {self.final} of these in the last iteration"


@dataclass(frozen=True)
class Account:
    """What a participant did about micro simulations that failed.

    Attributes
    ----------
    total : number of its micro simulations.
    failed : those that failed.
    used : policy -> those that it helped.
    capsules : files with micro simulations that failed, relative to the folder of the participant.
    consent : what `scalebridge replay` needs besides such a file.
    """

    total: int
    failed: Use
    used: dict[str, Use]
    capsules: tuple[str, ...]
    consent: str = ""

    def save(self, path: Path) -> None:
        """Write the account as JSON, at once, as the run may end at any time."""
        new = path.with_name(f".{path.name}")
        new.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        new.replace(path)

    @classmethod
    def load(cls, path: Path) -> Account | None:
        """Read an account; None where there is none, which is how it should be. Raises ValueError."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            used = {name: Use(**use) for name, use in data["used"].items() if name in WORDS}
            return cls(data["total"], Use(**data["failed"]), used, tuple(data["capsules"]), data["consent"])
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path}: not an account of failures: {type(error).__name__}: {error}") from None

    def lines(self, name: str, folder: Path) -> list[str]:
        """Return the account of the participant `name` for people; `folder` is its folder."""
        told = [f"{name}: {self.failed.rows} of {self.total} micro simulations FAILED in the run ({self.failed})"]
        told += [f"  {WORDS[policy]}: {use}" for policy, use in self.used.items()]
        if self.capsules:
            path = shlex.quote(str(folder / self.capsules[0]))
            told.append(f"  one is kept, solve it again with: scalebridge replay {path}{self.consent}")
        return told


WORDS = {
    "retry": "solved with smaller steps",
    "model": "replaced by another model",
    "neighbours": "replaced by the mean of their neighbours",
}


def name_of(policy: Mapping[str, Any]) -> str:
    """Return the name of a policy."""
    return next(iter(policy))
