"""The linter: rules that a preCICE configuration keeps beyond its grammar and its names, one file for each subject.

A rule is a function from a `View` to findings; its name is the name of the rule, and its docstring what it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from scalebridge.cases.lint import accelerations, flow, meshes, ours, schemes
from scalebridge.cases.lint.view import View
from scalebridge.findings import Finding

Rule = Callable[[View], Iterator[Finding]]
RULES: tuple[Rule, ...] = (*flow.RULES, *meshes.RULES, *schemes.RULES, *accelerations.RULES, *ours.RULES)


def name(rule: Rule) -> str:
    """Return the name of a rule as findings have it: read-data-are-delivered."""
    return rule.__name__.replace("_", "-")


def lint(view: View) -> list[Finding]:
    """Return what all rules find, in the order of the lines."""
    found = [replace(finding, rule=name(rule)) for rule in RULES for finding in rule(view)]
    return sorted(found, key=lambda finding: finding.line or 0)
