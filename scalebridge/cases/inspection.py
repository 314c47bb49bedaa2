"""Looks a case over before it runs: case.yaml, preCICE XML, scaling XML and what the participants say of themselves.

Everything that is wrong comes at once. What one file has wrong is not told again as a consequence in another: where a
part could not be read, what would be compared with it is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from scalebridge import engines
from scalebridge.cases import agreement, outputs, programs, stack, strategy, substitutes, timescales
from scalebridge.cases.case import Case, Participant
from scalebridge.cases.describe import Description, Questions
from scalebridge.cases.lint import lint
from scalebridge.cases.lint.view import View
from scalebridge.cases.reader import placed
from scalebridge.cases.scaling import ScalingCheck
from scalebridge.cases.stack import StackCheck
from scalebridge.cases.substitutes import Substitute
from scalebridge.cases.timescales import Separation
from scalebridge.embedded import config
from scalebridge.embedded.config import Configuration, ParticipantConfig
from scalebridge.engines import Engine
from scalebridge.fallbacks import Policy
from scalebridge.findings import ConfigurationError, Finding, Findings, errors
from scalebridge.handout import Handout
from scalebridge.strategies import Strategy

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
    strategies : participant -> the strategies around its micro model, outermost first, with all their settings.
    files : participant -> the files that these name.
    on_failure : participant -> what to do about micro simulations that fail, other models with all their settings.
    findings : warnings and hints.
    separations : how the time windows of each scheme compare with what happens in its participants.
    """

    case: Case
    engine: Engine
    configuration: Configuration
    descriptions: dict[str, Description]
    settings: dict[str, dict[str, Any]]
    on_failure: dict[str, list[Policy]]
    findings: tuple[Finding, ...] = ()
    separations: tuple[Separation, ...] = ()
    strategies: dict[str, list[Strategy]] = field(default_factory=dict)
    files: dict[str, list[Path]] = field(default_factory=dict)


class Informant(Protocol):
    """Who is asked about participants of ours: `scalebridge.cases.describe.Questions`, or a stand-in in tests."""

    def answers(self, findings: Findings, places: Mapping[str, tuple[int, str]]) -> dict[str, Description]:
        """Return module -> description, and note the modules that give none at their (line, key)."""
        ...

    def delay(self, module: str, settings: Mapping[str, Any]) -> float | None:
        """Return the shortest delay [s] of a module with these settings. Raises ValueError."""
        ...

    def cancel(self) -> None:
        """Stop asking."""
        ...


class Judge(Protocol):
    """Who knows the maps of scaling files: `scalebridge.cases.scaling.ScalingCheck`, or a stand-in in tests."""

    def __call__(
        self,
        scaling: Path,
        coupling: Path | None,
        descriptions: Mapping[str, Mapping[str, Any]],
        unknown: Iterable[str] = (),
    ) -> list[Finding]:
        """Return what is wrong with a scaling file."""
        ...

    def cancel(self) -> None:
        """Stop what is going on."""
        ...


class Builder(Protocol):
    """Who builds the strategies of a participant: `scalebridge.cases.stack.StackCheck`, or a stand-in in tests."""

    def __call__(self, handout: Handout, model: str) -> list[dict[str, Any]]:
        """Return what is wrong with them. Raises BuildError, TimeoutError."""
        ...

    def cancel(self) -> None:
        """Stop what is going on."""
        ...


Asking = Callable[[Iterable[str], Mapping[str, str], Path], Informant]
Judging = Callable[[Mapping[str, str]], Judge]
Building = Callable[[str, Mapping[str, str], Path], Builder]


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
    judge: Judging = ScalingCheck,
    build: Building | None = StackCheck,
    missing: bool = False,
) -> Inspection:
    """Look a case over.

    Parameters
    ----------
    requested : the engine, "auto", "embedded" or "precice".
    found : what was found when the case was read; told together with the rest.
    ask, judge, build : who knows the participants of ours, the maps, and whether strategies can be built; None for the
        last where they have been already.
    missing : files that strategies name may be missing: somebody is about to make them. So strategies are not built.

    Raises
    ------
    ConfigurationError
        With every finding, if one of them is an error.
    EngineError
        If the engine cannot be used.
    """
    ours = [p for p in case.participants if p.module]
    others = substitutes.of(ours)
    cheap = strategy.others(ours)
    modules = [*(p.module for p in ours), *(o.module for o in others), *cheap]
    base = environment(case, engines.embedded())
    with ExitStack() as asked:
        informant = ask(modules, base, case.folder)
        asked.callback(informant.cancel)
        judging = judge(base) if case.scaling else None
        if judging is not None:
            asked.callback(judging.cancel)
        builders = dict[str, Builder]()
        if build is not None and not missing:
            for participant in (p for p in ours if p.strategy):
                builders[participant.name] = builder = build(participant.module, base, case.folder)
                asked.callback(builder.cancel)
        engine = engines.choose(requested)
        looking = _Looking(case, engine, found, missing)
        places = {**cheap, **{o.module: o.place for o in others}}
        places |= {p.module: (p.lines["run"], f"participants.{p.name}.run") for p in reversed(ours)}
        looking.ask(informant.answers(looking.findings, places), informant)
        looking.compare()
        if judging is not None:
            looking.judge(judging)
        looking.fit(others)
        looking.build(builders)
    return looking.result()


class _Looking:
    """One case that is looked over, file by file.

    Attributes
    ----------
    misread : what is wrong with the preCICE configuration in itself.
    trusted : whether its names and its data flow are as they were meant, so that conclusions can be drawn.
    told : module -> what it said of itself; `descriptions` the same by participant.
    """

    def __init__(self, case: Case, engine: Engine, found: Iterable[Finding], missing: bool) -> None:
        self.case, self.engine, self.missing = case, engine, missing
        self.findings = Findings(case.file, "case-file")
        self.configuration, self.misread = config.read(case.coupling)
        self.findings.found += [*found, *self.misread]
        self.trusted = self.configuration is not None and all(f.rule in TRUSTED for f in self.misread)
        self.ours = [p for p in case.participants if p.module]
        self.told: Mapping[str, Description] = {}
        self.descriptions: dict[str, Description] = {}
        self.settings: dict[str, dict[str, Any]] = {}
        self.on_failure: dict[str, list[Policy]] = {}
        self.strategies: dict[str, list[Strategy]] = {}
        self.files: dict[str, list[Path]] = {}
        self.delays: dict[str, float] = {}
        self._scaled: Callable[[Mapping[str, Description]], list[Finding]] = lambda told: []

    def ask(self, told: Mapping[str, Description], informant: Informant) -> None:
        """Take down what modules said of themselves, and compare the settings that they are given."""
        self.told = told
        self.descriptions = {p.name: told[p.module] for p in self.ours if p.module in told}
        for participant in self.ours:
            if (own := self.descriptions.get(participant.name)) is not None:
                name, known = participant.name, len(self.findings.found)
                self.settings[name] = agreement.resolve(participant, own, self.findings)
                self.files[name] = agreement.locate(own, self.settings[name], self.case.folder)
                if len(self.findings.found) == known:
                    delay = agreement.delay(participant, own, self.settings[name], informant.delay, self.findings)
                    self.delays |= {name: delay} if delay is not None else {}
                self.on_failure[name] = substitutes.resolve(participant, own, told, self.findings)
                self._strategies(participant, own)

    def _strategies(self, participant: Participant, own: Description) -> None:
        """Take down the strategies of a participant, and their files if nothing is wrong with them."""
        known = len(self.findings.found)
        chosen = self.strategies[participant.name] = strategy.resolve(participant, own, self.findings, self.told)
        if len(self.findings.found) == known:
            files = strategy.paths(self.case, participant, chosen, own, self.findings, missing=self.missing)
            self.files[participant.name] += files

    def compare(self) -> None:
        """Compare the case, the configuration and the participants."""
        case, configuration, findings = self.case, self.configuration, self.findings
        programs.check(case, findings)
        findings.found += agreement.units(self.descriptions, str(case.coupling))
        if configuration is None:
            return
        if self.engine.name == "embedded":
            findings.found += config.refusals(configuration)
        outputs.check(configuration, findings)
        if self.trusted or _has_all_participants(configuration, self.misread):
            programs.check_names(case, configuration, findings)
            programs.check_meeting(case, configuration, findings)
        for name, description in self.descriptions.items():
            participant = next((p for p in configuration.participants if p.name == name), None)
            between = description.kind == "micro" and case.scaling is not None  # the scaling file, with both its sides
            if participant is not None and not between and _was_read(participant, configuration, self.misread):
                findings.found += agreement.fields(name, description, configuration)
        if self.trusted:
            findings.found += lint(self._view(configuration))

    def judge(self, judge: Judge) -> None:
        """Check the scaling file."""
        unknown = [p.name for p in self.ours if p.name not in self.descriptions]
        coupling = self.case.coupling if self.trusted else None

        def scaled(told: Mapping[str, Description]) -> list[Finding]:
            assert self.case.scaling is not None
            raw = {name: description.raw for name, description in told.items()}
            return judge(self.case.scaling, coupling, raw, unknown)

        self._scaled = scaled
        self.findings.found += scaled(self.descriptions)

    def fit(self, others: Sequence[Substitute]) -> None:
        """Check that models that may stand in for others fit in their place."""
        known = set(self.findings.found)

        def in_place(name: str, other: Description) -> list[Finding]:
            if self.configuration is None or not self.trusted:
                return []
            if self.case.scaling is None:
                units = substitutes.units(self.descriptions.get(name), other)
                return [*agreement.fields(name, other, self.configuration), *units]
            return [found for found in self._scaled({**self.descriptions, name: other}) if found not in known]

        substitutes.fit(others, self.told, in_place, self.findings)

    def build(self, builders: Mapping[str, Builder]) -> None:
        """Have strategies built where nothing else is wrong that they depend on."""
        for participant in (p for p in self.ours if p.name in builders and self._sound(p.name)):
            name = participant.name
            model, case = self.descriptions[name].raw["model"], self.case
            given = stack.handout(case, name, self.settings[name], case.folder, self.strategies[name])
            try:
                stack.note(participant, builders[name](given, model), self.findings)
            except (stack.BuildError, TimeoutError) as error:
                stack.note_failure(participant, error, self.findings)

    def _sound(self, name: str) -> bool:
        """Say whether no error stands in the files of the coupling, nor in what the case says of a participant."""
        own, told = f"participants.{name}.", self.descriptions.get(name)
        wrong = errors(self.findings.found)
        known = told is not None and "model" in told.raw
        return known and not any(f.file != self.findings.file or f.key.startswith(own) for f in wrong)

    def result(self) -> Inspection:
        """Return the inspection. Raises ConfigurationError."""
        found = tuple(dict.fromkeys(placed(self.findings.found)))
        if errors(found) or self.configuration is None:
            raise ConfigurationError(found)
        descriptions, settings = self.descriptions, self.settings
        separations = tuple(timescales.of(self.configuration, descriptions, settings))
        return Inspection(
            self.case,
            self.engine,
            self.configuration,
            descriptions,
            settings,
            self.on_failure,
            found,
            separations,
            self.strategies,
            self.files,
        )

    def _view(self, configuration: Configuration) -> View:
        told = self.descriptions.items()
        return View(
            configuration,
            kinds={name: described.kind for name, described in told},
            ranks={p.name: p.ranks for p in self.case.participants},
            delays=self.delays,
            forward=frozenset(name for name, described in told if not described.repeatable),
            separations=timescales.of(configuration, self.descriptions, self.settings),
        )


def _has_all_participants(configuration: Configuration, misread: Iterable[Finding]) -> bool:
    """Say whether the names of the participants are those of the file, though other things in it are wrong."""
    named = all(p.name for p in configuration.participants)
    return named and not any(f.nearest == "participant" or f.key == "<participant>" for f in misread)


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
