"""Reads `strategy:` of a participant, and compares it with what the participant says of the strategies that there are.

strategy: concurrent
strategy: tabulated
strategy: {adaptive: {tolerance: 1e-3}}
strategy: [{adaptive: {tolerance: 1e-3}}, clustered]
strategy: {adaptive: {cheap: {model: {run: participants.micro.lever_rule, settings: {salinity: 35 g/kg}}}}}
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalebridge import settings
from scalebridge.cases.case import Case, Participant
from scalebridge.cases.describe import Description
from scalebridge.cases.onfailure import MODULE
from scalebridge.cases.yamlfile import Node
from scalebridge.findings import Findings
from scalebridge.settings import Schema
from scalebridge.strategies import CONCURRENT, OTHER_MODEL, Strategy

KEY = "strategy"
FILE_RULE = "strategy-file"
ANSWERING = ("tabulated", "surrogate")  # without the micro model, unless they are told to ask it outside of a box
_FORM = "NAME, {NAME: {SETTING: VALUE}}, or a list of these, outermost first"


def read(node: Node | None, key: str, findings: Findings) -> tuple[Strategy, ...]:
    """Return the strategies as given, outermost first; ``concurrent`` stands for none."""
    if node is None or node.value is None:
        return ()
    items = node.items if node.items is not None else [node]
    if not items:
        findings.add(node.line, key, "is an empty list", expected=_FORM)
    found: list[Strategy] = []
    for number, item in enumerate(items):
        name, given = _named(item)
        if name is None or given is None:
            place = key if node.items is None else f"{key}[{number}]"
            findings.add(item.line, place, f"{_shown(item)} is no strategy", expected=_FORM)
        elif name == CONCURRENT and number < len(items) - 1:
            findings.add(item.line, key, f"'{CONCURRENT}' is the model itself", expected="it last, or not at all")
        else:
            found.append({name: given.plain() or {}})
    if found and CONCURRENT in found[-1] and not found[-1][CONCURRENT]:
        found.pop()
    return tuple(found)


def lines(node: Node | None) -> dict[str, int]:
    """Return the line of each strategy as ``strategy[NUMBER]`` and of its settings as ``strategy[NUMBER].NAME``."""
    result: dict[str, int] = {}
    for number, item in enumerate((node.items if node.items is not None else [node]) if node else []):
        result[f"{KEY}[{number}]"] = item.line
        _, given = _named(item)
        result |= {f"{KEY}[{number}].{name}": line for name, line in (given.keys if given else {}).items()}
    return result


def others(participants: Sequence[Participant]) -> dict[str, tuple[int, str]]:
    """Return the modules of other micro models that strategies name, each with its line and key in the case file."""
    found: dict[str, tuple[int, str]] = {}
    for participant in participants:
        for number, strategy in enumerate(participant.strategy):
            ((name, given),) = strategy.items()
            for setting, value in given.items():
                module = value[OTHER_MODEL].get("run") if _is_other(value) else None
                if isinstance(module, str) and MODULE.fullmatch(module):
                    line = participant.lines.get(f"{KEY}[{number}].{setting}", participant.line)
                    place = f"participants.{participant.name}.{KEY}.{name}.{setting}.{OTHER_MODEL}.run"
                    found.setdefault(module, (line, place))
    return found


def _is_other(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get(OTHER_MODEL), Mapping)


def resolve(
    participant: Participant,
    description: Description,
    findings: Findings,
    answers: Mapping[str, Description] | None = None,
) -> list[Strategy]:
    """Return the strategies with all their settings as plain values, after noting what is wrong with them.

    Parameters
    ----------
    answers : module -> what it said of itself, of other models that strategies name.
    """
    own = Findings(findings.file, "strategy")
    key, result = f"participants.{participant.name}.{KEY}", list[Strategy]()
    if description.kind != "micro" and KEY in participant.lines:
        line = participant.lines[KEY]
        own.add(line, key, "a solver has no strategy; only a micro model has one", fix="Remove it")
    elif participant.strategy and not description.repeatable:
        message = f"the simulator of {description.module} cannot solve some of its simulations alone, as strategies do"
        own.add(participant.lines[KEY], key, message, fix="Remove it")
    else:
        for number, strategy in enumerate(participant.strategy):
            known = Known(description.strategies, answers or {})
            result += _resolved(participant, number, strategy, known, own)
        _note_unasked(participant, result, own)
    findings.found += own.found
    return result


def _note_unasked(participant: Participant, strategies: Sequence[Strategy], own: Findings) -> None:
    """Note strategies within one that answers alone: nobody would ever ask them."""
    for number, strategy in enumerate(strategies[:-1]):
        ((name, values),) = strategy.items()
        if name not in ANSWERING or values.get("outside") == "model":
            continue
        within = next(iter(strategies[number + 1]))
        place = f"participants.{participant.name}.{KEY}[{number}]"
        line = participant.lines.get(f"{KEY}[{number}]", participant.line)
        own.add(line, place, f"'{name}' answers alone, so '{within}' within it is never asked", expected="it last")
        return


@dataclass(frozen=True)
class Known:
    """The strategies that there are, with their settings, and what other models said of themselves, by module."""

    strategies: Mapping[str, Schema]
    answers: Mapping[str, Description]


def _resolved(participant: Participant, number: int, strategy: Strategy, known: Known, own: Findings) -> list[Strategy]:
    key, prefix = f"participants.{participant.name}.{KEY}", f"{KEY}[{number}]"
    line = participant.lines.get(prefix, participant.line)
    lines = {k.removeprefix(f"{prefix}."): n for k, n in participant.lines.items() if k.startswith(f"{prefix}.")}
    checked = _checked(strategy, known, own, key, line, lines)
    return [checked] if checked else []


def _checked(
    strategy: Strategy, known: Known, own: Findings, key: str, line: int, lines: Mapping[str, int]
) -> Strategy | None:
    """Return a strategy with all its settings, also of strategies that are settings; None if there is none."""
    ((name, given),) = strategy.items()
    schemas = known.strategies
    if name not in schemas:
        own.add(line, key, f"no strategy '{name}'", got=name, candidates=schemas)
        return None
    values = settings.check(schemas[name], given, own, key=f"{key}.{name}", lines=lines, line=line)
    for inner, within in _nested(schemas[name], values):
        place, where = f"{key}.{name}.{inner}", lines.get(inner, line)
        if CONCURRENT in within:
            own.add(where, place, f"'{CONCURRENT}' is the model itself", expected="another strategy, or a model")
            continue
        look = _other if _is_other(within) else _checked
        lines_within = dict.fromkeys(next(iter(within.values())), where)
        values[inner] = look(within, known, own, place, where, lines_within) or within
    return {name: values}


def _other(
    strategy: Strategy, known: Known, own: Findings, key: str, line: int, lines: Mapping[str, int]
) -> Strategy | None:
    """Return another micro model with the name of its class and all its settings; None if there is none."""
    given = dict(strategy[OTHER_MODEL])
    module, wanted = given.pop("run", None), given.pop("settings", None) or {}
    for name in given:
        own.add(
            lines.get(name, line),
            f"{key}.{OTHER_MODEL}.{name}",
            "no such setting",
            got=name,
            candidates=("run", "settings"),
        )
    if not (isinstance(module, str) and MODULE.fullmatch(module) and isinstance(wanted, Mapping)):
        expected = "{run: MODULE, settings: {NAME: VALUE}}"
        own.add(line, f"{key}.{OTHER_MODEL}", "names no module, or settings that are none", expected=expected)
        return None
    other = known.answers.get(module)
    if other is None:
        return None  # told where it was asked
    if other.kind != "micro" or "model" not in other.raw:
        own.add(line, key, f"'{module}' is no micro model, so it cannot stand in for one")
        return None
    place, lines = f"{key}.{OTHER_MODEL}.settings", dict.fromkeys(wanted, line)
    checked = settings.check(other.settings, wanted, own, key=place, lines=lines, line=line)
    return {OTHER_MODEL: {"run": module, "model": other.raw["model"], "settings": checked}}


def _nested(schema: Schema, values: Mapping[str, Any]) -> list[tuple[str, Strategy]]:
    """Return the settings that are strategies themselves."""
    return [(name, values[name]) for name, entry in schema.items() if entry["type"] == "strategy" and name in values]


def files(strategies: Sequence[Strategy], known: Mapping[str, Schema]) -> list[tuple[int, str, str, bool]]:
    """Return the files that strategies name: number of the strategy, setting, the file as named, whether it is needed.

    Of a strategy that is a setting of another the setting is ``cheap.surrogate.file``.
    """
    found = list[tuple[int, str, str, bool]]()
    for number, strategy in enumerate(strategies):
        ((name, values),) = strategy.items()
        own = {setting: entry["file"] for setting, entry in known[name].items() if entry.get("file")}
        found += [(number, s, values[s], needed is True) for s, needed in own.items() if values.get(s)]
        for inner, within in (n for n in _nested(known[name], values) if not _is_other(n[1])):
            deeper = files([within], known)
            path = f"{inner}.{next(iter(within))}"
            found += [(number, f"{path}.{setting}", file, needed) for _, setting, file, needed in deeper]
    return found


def paths(
    case: Case,
    participant: Participant,
    strategies: Sequence[Strategy],
    description: Description,
    findings: Findings,
    *,
    missing: bool = False,
) -> list[Path]:
    """Return the files that are there, and note those that are not, unless they may be missing."""
    found = []
    for number, setting, file, needed in files(strategies, description.strategies):
        path = Path(os.path.normpath(case.folder / file))
        if path.is_file():
            found.append(path)
        if path.is_file() or missing or not needed:
            continue
        name = next(iter(strategies[number]))
        place = f"{KEY}[{number}].{setting.partition('.')[0]}"
        line = participant.lines.get(place, participant.lines.get(f"{KEY}[{number}]"))
        maker = f"{name}.{setting}".split(".")[-2]
        key = f"participants.{participant.name}.{KEY}.{name}.{setting}"
        findings.add(
            line, key, f"there is no file '{file}' in {case.folder}", rule=FILE_RULE, fix=MADE_BY.get(maker, "")
        )
    return found


MADE_BY = {
    "tabulated": "Make it with: scalebridge tabulate CASE",
    "surrogate": "Make it with: scalebridge train CASE",
}


def _named(item: Node) -> tuple[str | None, Node | None]:
    """Return the name of one strategy and its settings; None for what there is not."""
    if isinstance(item.value, str):
        return item.value, Node({}, item.line, {})
    if item.mapping is None or len(item.mapping) != 1:
        return None, None
    ((name, given),) = item.mapping.items()
    if given.value is None:
        return name, Node({}, given.line, {})
    return name, given if given.mapping is not None else None


def _shown(node: Node) -> str:
    text = repr(node.plain())
    return text if len(text) <= 60 else text[:57] + "..."
