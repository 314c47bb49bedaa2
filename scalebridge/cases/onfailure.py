"""Reads `on-failure:` of a participant: what to do about micro simulations that fail.

on-failure: stop
on-failure: neighbours
on-failure: {retry: {halvings: 6}}
on-failure: [retry, {model: {run: participants.micro.lever_rule, settings: {salinity: 35 g/kg}}}, stop]
"""

from __future__ import annotations

import re
from typing import Any

from scalebridge import settings
from scalebridge.cases.yamlfile import Node
from scalebridge.fallbacks import POLICIES, Policy
from scalebridge.findings import Findings

KEY = "on-failure"
MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_FORM = "NAME, {NAME: {PARAMETER: VALUE}}, or a list of these"


def read(node: Node | None, key: str, findings: Findings) -> tuple[Policy, ...]:
    """Return the policies in their order, checked as far as no module has to be asked.

    Settings of another model are left as they are given, under ``{"model": {"run": ..., "settings": {...}}}``.
    """
    if node is None:
        return ()
    items = node.items if node.items is not None else [node]
    if not items:
        findings.add(node.line, key, "is an empty list", expected=_FORM)
    policies: list[Policy] = []
    for number, item in enumerate(items):
        policy = _policy(item, key if node.items is None else f"{key}[{number}]", findings)
        if policy is None:
            continue
        if policies and "stop" in policies[-1]:
            findings.add(item.line, key, "goes on after 'stop'", expected="'stop' last, or not at all")
        if policy in policies:
            findings.add(item.line, key, f"has '{next(iter(policy))}' twice, with the same parameters")
        policies.append(policy)
    return tuple(policies)


def lines(node: Node | None) -> dict[str, int]:
    """Return the line of each setting of other models, as ``on-failure[NUMBER].settings.NAME``."""
    result: dict[str, int] = {}
    for number, item in enumerate((node.items if node.items is not None else [node]) if node else []):
        model = (item.mapping or {}).get("model")
        given = (model.mapping or {}).get("settings") if model else None
        result[f"{KEY}[{number}]"] = item.line
        result |= {f"{KEY}[{number}].settings.{name}": line for name, line in (given.keys if given else {}).items()}
    return result


def _policy(node: Node, key: str, findings: Findings) -> Policy | None:
    if isinstance(node.value, str):
        name, parameters, place = node.value, Node({}, node.line, {}), key
    elif node.mapping is not None and len(node.mapping) == 1:
        ((name, parameters),) = node.mapping.items()
        place = f"{key}.{name}"
        if parameters.value is None:
            parameters = Node({}, parameters.line, {})
    else:
        findings.add(node.line, key, f"{_shown(node)} says nothing about failures", expected=_FORM)
        return None
    if name not in POLICIES:
        findings.add(node.line, key, f"no way to go on called '{name}'", got=name, candidates=POLICIES)
        return None
    if parameters.mapping is None:
        findings.add(parameters.line, place, f"{_shown(parameters)} is not a mapping", expected="{PARAMETER: VALUE}")
        return None
    given = parameters.plain()
    others = given.pop("settings", None) or {} if name == "model" else {}
    before = len(findings.found)
    checked = settings.check(POLICIES[name], given, findings, key=place, lines=parameters.keys, line=node.line)
    if len(findings.found) > before:
        return None
    return {name: _with_model(checked, others, parameters, place, findings) if name == "model" else checked}


def _with_model(
    checked: dict[str, Any], others: Any, parameters: Node, place: str, findings: Findings
) -> dict[str, Any]:
    if not MODULE.fullmatch(checked["run"]):
        message = f"'{checked['run']}' is not the name of a module"
        findings.add(parameters.keys["run"], f"{place}.run", message, expected="as in participants.micro.lever_rule")
    if not isinstance(others, dict):
        findings.add(parameters.keys["settings"], f"{place}.settings", "is not a mapping", expected="{NAME: VALUE}")
        others = {}
    return {**checked, "settings": others}


def _shown(node: Node) -> str:
    text = repr(node.plain())
    return text if len(text) <= 60 else text[:57] + "..."
