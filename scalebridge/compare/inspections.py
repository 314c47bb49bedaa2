"""Looks many variations of one case over: what a module says of itself is asked once, whatever its settings are.

Strategies are built once for each participant and what they depend on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scalebridge.cases import reader
from scalebridge.cases.describe import Description, Questions
from scalebridge.cases.inspection import Inspection, inspect
from scalebridge.cases.scaling import ScalingCheck
from scalebridge.cases.stack import StackCheck
from scalebridge.findings import ConfigurationError, Finding, Findings
from scalebridge.handout import Handout


class Inspections:
    """Inspects variations of the case in a file; remembers what the modules answered.

    Parameters
    ----------
    engine : the engine, "auto", "embedded" or "precice".
    """

    def __init__(self, file: Path, engine: str) -> None:
        self.file = file
        self._engine = engine
        self._answers: dict[str, Description] = {}
        self._judged: dict[str, list[Finding]] = {}
        self._built: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, variant: str, overrides: Sequence[str]) -> Inspection:
        """Return what was found. Raises ConfigurationError, EngineError."""
        case, found = reader.read(self.file, variant, overrides)
        if case is None:
            raise ConfigurationError(reader.placed(found))
        inspection = inspect(case, self._engine, found, ask=self._ask, judge=self._judge, build=self._build)
        self._engine = inspection.engine.name  # what "auto" means is looked for once
        return inspection

    def all[K](self, asked: Mapping[K, tuple[str, Sequence[str]]]) -> dict[K, Inspection]:
        """Inspect many variations, variant and overrides by name. Raises ConfigurationError with the errors of all."""
        result: dict[K, Inspection] = {}
        findings: dict[Finding, None] = {}
        for name, (variant, overrides) in asked.items():
            try:
                result[name] = self(variant, overrides)
            except ConfigurationError as error:
                findings |= dict.fromkeys(error.findings)
        if findings:
            raise ConfigurationError(findings)
        return result

    def _ask(self, modules: Iterable[str], environment: Mapping[str, str], folder: Path) -> _Remembered:
        modules = list(modules)
        new = [module for module in modules if module not in self._answers]
        return _Remembered(self._answers, modules, Questions(new, environment, folder))

    def _judge(self, environment: Mapping[str, str]) -> _Judged:
        return _Judged(self._judged, environment)

    def _build(self, module: str, environment: Mapping[str, str], folder: Path) -> _Built:
        return _Built(self._built, module, environment, folder)


class _Remembered:
    """Answers of modules, some of them known already."""

    def __init__(self, known: dict[str, Description], modules: Sequence[str], questions: Questions) -> None:
        self._known = known
        self._modules = modules
        self._questions = questions

    def answers(self, findings: Findings, places: Mapping[str, tuple[int, str]]) -> dict[str, Description]:
        """Return module -> description, and note the modules that give none at their (line, key)."""
        self._known.update(self._questions.answers(findings, places))
        return {module: self._known[module] for module in self._modules if module in self._known}

    def delay(self, module: str, settings: Mapping[str, Any]) -> float | None:
        """Return the shortest delay [s] of a module with these settings. Raises ValueError."""
        return self._questions.delay(module, settings)

    def cancel(self) -> None:
        """Stop asking."""
        self._questions.cancel()


class _Judged:
    """What is wrong with scaling files, some of it known already; a process is started only for what is not."""

    def __init__(self, known: dict[str, list[Finding]], environment: Mapping[str, str]) -> None:
        self._known = known
        self._environment = environment

    def __call__(
        self,
        scaling: Path,
        coupling: Path | None,
        descriptions: Mapping[str, Mapping[str, Any]],
        unknown: Iterable[str] = (),
    ) -> list[Finding]:
        """Return what is wrong with a scaling file."""
        unknown = list(unknown)
        question = [str(scaling), str(coupling), descriptions, unknown, dict(self._environment)]
        key = json.dumps(question, sort_keys=True, default=str)
        if key not in self._known:
            check = ScalingCheck(self._environment)
            try:
                self._known[key] = check(scaling, coupling, descriptions, unknown)
            finally:
                check.cancel()
        return self._known[key]

    def cancel(self) -> None:
        """Stop asking: nothing goes on here between two questions."""


class _Built:
    """What is wrong with strategies, some of it known already; a process is started only for what is not."""

    def __init__(
        self, known: dict[str, list[dict[str, Any]]], module: str, environment: Mapping[str, str], folder: Path
    ) -> None:
        self._known = known
        self._asking = module, environment, folder

    def __call__(self, handout: Handout, model: str) -> list[dict[str, Any]]:
        """Return what is wrong with the strategies of a handout. Raises BuildError, TimeoutError."""
        key = json.dumps([asdict(replace(handout, variant="")), model], sort_keys=True)
        if key not in self._known:
            check = StackCheck(*self._asking)
            try:
                self._known[key] = check(handout, model)
            finally:
                check.cancel()
        return self._known[key]

    def cancel(self) -> None:
        """Stop asking: nothing goes on here between two questions."""
