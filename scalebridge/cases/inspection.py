"""Looks a case over before it runs: case.yaml, preCICE XML, scaling XML and what the participants say of themselves.

Everything that is wrong comes at once. What one file has wrong is not told again as a consequence in another: where a
part could not be read, what would be compared with it is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from scalebridge import engines
from scalebridge.cases import agreement, programs, substitutes
from scalebridge.cases import scaling as scaling_file
from scalebridge.cases.case import Case
from scalebridge.cases.describe import Description, Questions
from scalebridge.cases.lint import lint
from scalebridge.cases.lint.view import View
from scalebridge.cases.reader import placed
from scalebridge.embedded import config
from scalebridge.embedded.config import Configuration, ParticipantConfig
from scalebridge.engines import Engine
from scalebridge.fallbacks import Policy
from scalebridge.findings import ConfigurationError, Finding, Findings, errors

__all__ = ["Inspection", "environment", "inspect"]

TRUSTED = ("value", "flow")  # rules that leave the names and the data flow of a configuration as they were meant


@dataclass(frozen=True)
class Inspection:
    """A case that can be run.

    Attributes
    ----------
    configuration : the preCICE configuration.
    descriptions : participant -> what it said of itself; participants of ours only.
    settings : participant -> every setting as a plain value in its declared unit.
    on_failure : participant -> what to do about micro simulations that fail, other models with all their settings.
    findings : warnings and hints.
    """

    case: Case
    engine: Engine
    configuration: Configuration
    descriptions: dict[str, Description]
    settings: dict[str, dict[str, Any]]
    on_failure: dict[str, list[Policy]]
    findings: tuple[Finding, ...] = ()


class Informant(Protocol):
    """Who is asked about participants of ours: `scalebridge.cases.describe.Questions`, or a stand-in in tests."""

    def answers(self, findings: Findings, places: Mapping[str, tuple[int, str]]) -> dict[str, Description]:
        """Return module -> description, and note the modules that give none at their (line, key)."""
        ...

    def cancel(self) -> None:
        """Stop asking."""
        ...


Asking = Callable[[Iterable[str], Mapping[str, str], Path], Informant]
ScalingCheck = Callable[
    [Path, Path | None, Mapping[str, Mapping[str, Any]], Iterable[str], Mapping[str, str]], list[Finding]
]


def environment(case: Case, engine: Engine) -> dict[str, str]:
    """Return the environment of the participants of ours: the engine, our packages, and modules beside the case."""
    result = engine.environment(os.environ)
    parts = result.get("PYTHONPATH", "").split(os.pathsep)
    result["PYTHONPATH"] = os.pathsep.join([p for p in parts if p] + [str(case.folder)])
    return result


def inspect(
    case: Case,
    requested: str = "auto",
    found: Iterable[Finding] = (),
    *,
    ask: Asking = Questions,
    check_scaling: ScalingCheck = scaling_file.check,
) -> Inspection:
    """Look a case over.

    Parameters
    ----------
    requested : the engine, "auto", "embedded" or "precice".
    found : what was found when the case was read; told together with the rest.
    ask, check_scaling : who knows the participants of ours, and the maps.

    Raises
    ------
    ConfigurationError
        With every finding, if one of them is an error.
    EngineError
        If the engine cannot be used.
    """
    findings = Findings(case.file, "case-file")
    findings.found += found
    ours = [p for p in case.participants if p.module]
    others = substitutes.of(ours)
    base = environment(case, engines.embedded())
    with _asked(ask, [*(p.module for p in ours), *(o.module for o in others)], base, case.folder) as informant:
        engine = engines.choose(requested)
        configuration, misread = config.read(case.coupling)
        findings.found += misread
        places = {o.module: o.place for o in others}
        places |= {p.module: (p.lines["run"], f"participants.{p.name}.run") for p in reversed(ours)}
        answers = informant.answers(findings, places)
    descriptions = {p.name: answers[p.module] for p in ours if p.module in answers}
    resolved = {p.name: agreement.resolve(p, descriptions[p.name], findings) for p in ours if p.name in descriptions}
    on_failure = {
        p.name: substitutes.resolve(p, descriptions[p.name], answers, findings) for p in ours if p.name in descriptions
    }
    programs.check(case, findings)
    findings.found += agreement.units(descriptions, str(case.coupling))
    trusted = configuration is not None and all(f.rule in TRUSTED for f in misread)
    if configuration is not None:
        if engine.name == "embedded":
            findings.found += config.refusals(configuration)
        if trusted or _has_all_participants(configuration, misread):
            programs.check_names(case, configuration, findings)
            programs.check_meeting(case, configuration, findings)
        _compare(case, configuration, descriptions, misread, findings)
        if trusted:
            findings.found += lint(_view(case, configuration, descriptions, resolved))
    unknown = [p.name for p in ours if p.name not in descriptions]

    def scaled(told: Mapping[str, Description]) -> list[Finding]:
        raw = {name: description.raw for name, description in told.items()}
        coupling = case.coupling if trusted else None
        return check_scaling(case.scaling, coupling, raw, unknown, base) if case.scaling is not None else []

    def in_place(name: str, other: Description) -> list[Finding]:
        if configuration is None or not trusted:
            return []
        if case.scaling is None:
            return agreement.fields(name, other, configuration)
        return [found for found in scaled({**descriptions, name: other}) if found not in known]

    known = scaled(descriptions)
    findings.found += known
    substitutes.fit(others, answers, in_place, findings)
    distinct = tuple(dict.fromkeys(placed(findings.found)))
    if errors(distinct) or configuration is None:
        raise ConfigurationError(distinct)
    return Inspection(case, engine, configuration, descriptions, resolved, on_failure, distinct)


@contextmanager
def _asked(ask: Asking, modules: list[str], base: dict[str, str], folder: Path) -> Iterator[Informant]:
    informant = ask(modules, base, folder)
    try:
        yield informant
    finally:
        informant.cancel()


def _view(
    case: Case,
    configuration: Configuration,
    descriptions: Mapping[str, Description],
    resolved: Mapping[str, Mapping[str, Any]],
) -> View:
    delays = {name: agreement.delay(described, resolved[name]) for name, described in descriptions.items()}
    return View(
        configuration,
        kinds={name: described.kind for name, described in descriptions.items()},
        ranks={p.name: p.ranks for p in case.participants},
        delays={name: delay for name, delay in delays.items() if delay is not None},
    )


def _has_all_participants(configuration: Configuration, misread: Iterable[Finding]) -> bool:
    """Say whether the names of the participants are those of the file, though other things in it are wrong."""
    named = all(p.name for p in configuration.participants)
    return named and not any(f.nearest == "participant" or f.key == "<participant>" for f in misread)


def _compare(
    case: Case,
    configuration: Configuration,
    descriptions: Mapping[str, Description],
    misread: list[Finding],
    findings: Findings,
) -> None:
    """Compare what participants of ours say with the parts of the configuration that are about them."""
    for name, description in descriptions.items():
        if description.kind == "micro" and case.scaling is not None:
            continue  # the scaling file stands in between and is checked with both sides
        participant = next((p for p in configuration.participants if p.name == name), None)
        if participant is not None and _was_read(participant, configuration, misread):
            findings.found += agreement.fields(name, description, configuration)


def _was_read(participant: ParticipantConfig, configuration: Configuration, misread: Iterable[Finding]) -> bool:
    """Say whether nothing is wrong in the lines of a participant, or with the data and meshes that it speaks of."""
    lines = [
        *(p.line for p in configuration.participants),
        *(c.line for c in configuration.connections),
        *(s.line for s in configuration.schemes),
    ]
    end = min((line for line in lines if line > participant.line), default=None)
    definitions = max(
        (*(d.line for d in configuration.data), *(m.line for m in configuration.meshes)), default=participant.line
    )
    for finding in misread:
        line = finding.line or 0
        inside = line >= participant.line and (end is None or line < end)
        if finding.rule not in TRUSTED and (inside or line <= definitions):
            return False
    return True
