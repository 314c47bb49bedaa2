"""Asks the participants of ours what they are: `PYTHON -m MODULE --describe`, all at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalebridge import units
from scalebridge.engines import ROOT
from scalebridge.fields import Field
from scalebridge.findings import Findings
from scalebridge.interruption import shielded
from scalebridge.settings import Schema
from scalebridge.strategies import CONCURRENT

SECONDS = 60.0  # a first import from a cold disk may take its time
KINDS = {"solver": ("reads", "writes"), "micro": ("controls", "observables")}


@dataclass(frozen=True)
class Description:
    """What a module answered.

    Attributes
    ----------
    kind : "solver" or "micro".
    inputs, outputs : fields by name; of a solver what it reads and writes, of a micro model controls and observables.
    strategies : name -> settings of the strategies that it can be run with; empty for a solver.
    delay : shortest time [s] in which what it reads can act on what it writes: a number, or the name of a setting; None
        where that is at once; True where it has to be asked, as it follows from several settings.
    time_scales : names of settings that say how fast things happen in it.
    sampling : name of the setting that says how often it samples signals within a window; empty if it has none.
    repeatable : whether it can go back to the start of a window.
    raw : the whole answer.
    """

    module: str
    title: str
    kind: str
    settings: Schema
    inputs: dict[str, Field]
    outputs: dict[str, Field]
    strategies: dict[str, Schema]
    raw: dict[str, Any]
    delay: float | str | bool | None = None
    time_scales: tuple[str, ...] = ()
    sampling: str = ""
    repeatable: bool = True


class Questions:
    """The processes that are describing themselves; ask first, do something else, then collect the answers."""

    def __init__(self, modules: Iterable[str], environment: Mapping[str, str], folder: Path) -> None:
        self.folder, self.environment = folder, environment
        self._processes: dict[str, subprocess.Popen[str]] = {}
        try:
            with shielded():
                for module in dict.fromkeys(modules):
                    self._processes[module] = _asked(module, environment, folder)
        except BaseException:
            self.cancel()
            raise

    def answers(self, findings: Findings, places: Mapping[str, tuple[int, str]]) -> dict[str, Description]:
        """Return module -> description; a module that gives none is added to `findings` at its (line, key)."""
        deadline = time.monotonic() + SECONDS
        own = Findings(findings.file, "description")
        result = {}
        for module, process in self._processes.items():
            line, key = places[module]
            try:
                out, err = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                own.add(line, key, f"'{module}' gave no answer to --describe within {SECONDS:g} s")
                continue
            if process.returncode != 0:
                self._failed(module, err, process.returncode, own, line, key)
                continue
            description = read(module, out, own, line, key)
            if description is not None:
                result[module] = description
        findings.found += own.found
        return result

    def delay(self, module: str, settings: Mapping[str, Any]) -> float | None:
        """Return the shortest delay [s] of a module with these settings, None if it has none. Raises ValueError."""
        command = [sys.executable, "-P", "-m", module, "--delay"]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(settings),
                cwd=self.folder,
                env=dict(self.environment),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"'{module}' gave no answer to --delay within {SECONDS:g} s") from None
        if done.returncode != 0:
            raise ValueError("; ".join(done.stderr.strip().splitlines()[-12:]) or f"exit status {done.returncode}")
        answer = json.loads(done.stdout)
        if answer is not None and not (isinstance(answer, int | float) and 0 <= answer < float("inf")):
            raise ValueError(f"'{module}' answered --delay with {answer!r}, not a time in s")
        return None if answer is None else float(answer)

    def cancel(self) -> None:
        """End the processes that have not been waited for."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _failed(self, module: str, err: str, status: int, findings: Findings, line: int, key: str) -> None:
        last = ([text.strip() for text in err.splitlines() if text.strip()] or [f"exit status {status}"])[-1]
        if "Error while finding module" in last or f"No module named {module}" in last:
            message, candidates = f"there is no module '{module}'", _modules(self.folder)
            findings.add(
                line, key, message, expected="a module with a participant in it", got=module, candidates=candidates
            )
        else:
            findings.add(line, key, f"'{module}' fails to describe itself: {last}")


def _asked(module: str, environment: Mapping[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start a module that is to describe itself."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, "--describe"],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _modules(folder: Path) -> list[str]:
    """Return the names of the modules that could be meant: our participants and files beside the case."""
    ours = [p.relative_to(ROOT).with_suffix("") for p in (ROOT / "participants").rglob("[!_]*.py")]
    beside = [p.relative_to(folder).with_suffix("") for p in folder.glob("[!_]*.py")]
    return [".".join(path.parts) for path in (*ours, *beside)]


def read(module: str, text: str, findings: Findings, line: int = 0, key: str = "") -> Description | None:
    """Return the description that a module printed, or None after noting why it is none."""
    try:
        raw = json.loads(text)
        kind = raw["kind"]
        inputs, outputs = KINDS[kind]
        settings = _typed(raw["settings"])
        description = Description(
            module=module,
            title=str(raw["title"]),
            kind=kind,
            settings=settings,
            inputs={name: Field.from_json(entry) for name, entry in raw[inputs].items()},
            outputs={name: Field.from_json(entry) for name, entry in raw[outputs].items()},
            strategies=_strategies(raw, kind),
            raw=raw,
            delay=_delay(raw.get("delay"), settings),
            time_scales=tuple(_time(name, settings, "time scale") for name in raw.get("time-scales", ())),
            sampling=_time(raw["sampling"], settings, "sampling") if "sampling" in raw else "",
            repeatable=bool(raw.get("repeatable", True)),
        )
        _check_units(description)
    except units.UnitError as error:
        findings.add(line, key, f"'{module}' describes itself with a unit that is none: {error}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        detail = f"{type(error).__name__}: {error}"
        expected = "a module whose main part calls participant(...) or micro_participant(...)"
        findings.add(line, key, f"'{module}' does not answer --describe as a participant ({detail})", expected=expected)
    else:
        return description
    return None


def _strategies(raw: dict[str, Any], kind: str) -> dict[str, Schema]:
    """Return the strategies of a micro model with their settings; one that tells of none can be run as it is."""
    if kind != "micro":
        return {}
    return {str(name): _typed(entries) for name, entries in raw.get("strategies", {CONCURRENT: {}}).items()}


def _typed(settings: Any) -> Schema:
    if not all(isinstance(entry, dict) and isinstance(entry["type"], str) for entry in settings.values()):
        raise TypeError("settings are not objects with a type")
    return dict(settings)


def _delay(told: Any, settings: Schema) -> float | str | bool | None:
    """Return a delay that was told, if it is a time or names a setting that is one. Raises ValueError."""
    if told == {"ask": True}:
        return True
    if isinstance(told, str):
        return _time(told, settings, "delay")
    if told is not None and not (type(told) in (int, float) and 0 < told < float("inf")):
        raise ValueError(f"delay is {told!r}, not a time in s")
    return None if told is None else float(told)


def _time(told: Any, settings: Schema, what: str) -> str:
    """Return the name of a setting if it is a time. Raises ValueError."""
    entry = settings.get(told, {})
    if entry.get("type") != "float" or not units.compatible(entry["unit"], "s"):
        raise ValueError(f"{what} '{told}' is not the name of a setting that is a time")
    return str(told)


def _check_units(description: Description) -> None:
    for field in (*description.inputs.values(), *description.outputs.values()):
        units.check_unit(field.unit)
    for settings in (description.settings, *description.strategies.values()):
        for entry in settings.values():
            if entry.get("unit"):
                units.check_unit(entry["unit"])
