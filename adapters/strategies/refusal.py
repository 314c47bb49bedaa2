"""What is wrong with a setting of a strategy, known when it is built: the hub tells it before a run, with its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from adapters.wiring import CouplingError
from scalebridge.findings import ConfigurationError, Finding, Findings

RULE = "strategy"


class SettingError(ConfigurationError, CouplingError):
    """A strategy cannot be built as it is set; the file of each finding is its name, the key a setting of it."""


def refusal(
    strategy: str,
    setting: str,
    message: str,
    *,
    expected: str = "",
    got: str | None = None,
    candidates: Iterable[str] = (),
    fix: str = "",
) -> SettingError:
    """Return the error about one setting; `got` and `candidates` as in `Findings.add`."""
    findings = Findings(strategy, RULE)
    findings.add(None, setting, message, expected=expected, got=got, candidates=candidates, fix=fix)
    return SettingError(findings.found)


def within(error: ConfigurationError, strategy: str, setting: str) -> SettingError:
    """Return what is wrong with a strategy that is a setting of another one as what is wrong with that."""
    keys = (".".join(part for part in (setting, finding.key) if part) for finding in error.findings)
    return SettingError(replace(f, file=strategy, key=key) for f, key in zip(error.findings, keys, strict=True))


@contextmanager
def collecting(found: list[Finding]) -> Iterator[None]:
    """Add what is wrong with one setting to what was found, so that others are looked at as well."""
    try:
        yield
    except ConfigurationError as error:
        found += error.findings
