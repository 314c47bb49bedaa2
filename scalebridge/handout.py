"""What the hub hands out to a participant of ours when it starts it: one JSON file, nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scalebridge.fallbacks import Policy
from scalebridge.findings import ConfigurationError, Findings
from scalebridge.strategies import Strategy


@dataclass(frozen=True)
class Handout:
    """Everything that a participant needs to know. Paths are absolute.

    Attributes
    ----------
    case, variant, participant, module : names; `variant` is "" where none was chosen.
    precice_config : the copy of the preCICE XML in the folder of the run.
    scaling : the copy of the scaling XML, or None where the case has none.
    settings : plain values in the declared units.
    strategy : the strategies around a micro model, outermost first, each {name: all its settings as plain values};
        empty where the model itself is solved for every point.
    folder : of the case; files named in settings of strategies are relative to it.
    on_failure : what to do about micro simulations that fail, in order (scalebridge.fallbacks); a "model" with the name
        of its class and all its settings.
    run, output : the folder of the run, and that of this participant inside it.
    progress : the file for progress events (scalebridge.progress).
    seed : seed for random numbers, the same in every participant of a run.
    engine : "embedded" or "precice".
    checkpoints : the folder of the run's checkpoints (scalebridge.checkpoints); "" where there are none.
    """

    case: str
    participant: str
    module: str
    precice_config: str
    run: str
    output: str
    progress: str
    settings: dict[str, Any] = field(default_factory=dict)
    variant: str = ""
    scaling: str | None = None
    strategy: list[Strategy] = field(default_factory=list)
    folder: str = ""
    on_failure: list[Policy] = field(default_factory=list)
    seed: int = 0
    engine: str = "embedded"
    checkpoints: str = ""

    def save(self, path: str | Path) -> None:
        """Write the handout as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Handout:
        """Read a handout. Raises ConfigurationError naming everything that is wrong with the file."""
        findings = Findings(path)
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            findings.add(None, "", f"cannot be read: {error.strerror}")
        except ValueError as error:
            findings.add(None, "", f"is not JSON: {error}")
        findings.raise_if_any()
        fields = cls.__dataclass_fields__
        if not isinstance(data, dict):
            findings.add(None, "", "is not a JSON object")
            raise ConfigurationError(findings.found)
        for name in data:
            if name not in fields:
                findings.add(None, name, "no such key in a handout", got=name, candidates=fields)
        for name in ("case", "participant", "module", "precice_config", "run", "output", "progress"):
            if not isinstance(data.get(name), str):
                findings.add(None, name, "is missing or no text")
        findings.raise_if_any()
        return cls(**data)
