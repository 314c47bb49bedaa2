"""scalebridge check: look a case over without running it, ours or any other case of preCICE."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scalebridge import engines
from scalebridge.cases import catalogue, reader
from scalebridge.cases.case import FILE_NAME
from scalebridge.cases.foreign.look import configuration_of, look
from scalebridge.cases.inspection import inspect
from scalebridge.commands import common
from scalebridge.findings import ERROR, HINT, SEVERITIES, WARNING, ConfigurationError, Finding

CLEAN, WARNED, REFUSED = 0, 1, 2
EXIT_STATUS = """exit status:
  0  nothing is wrong, hints aside
  1  there are warnings, which do not stop a run (with --strict: 2)
  2  there are errors, which do"""


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes
    ----------
    subject : the case, in words.
    engine : the engine it was checked for, in words; empty where that was not found out.
    notes : what else is to be told, such as which files were read.
    """

    subject: str
    findings: tuple[Finding, ...]
    engine: str = ""
    notes: tuple[str, ...] = ()


def add(commands: common.Commands) -> None:
    """Say what the command takes."""
    text = (
        "Check case.yaml, the preCICE XML, the scaling XML and what the participants say of themselves; run nothing. "
        "CASE may also be a folder with a precice-config.xml and files of preCICE's adapters, or any preCICE XML."
    )
    parser = commands.add_parser(
        "check",
        parents=[common.case_arguments()],
        help="check a case without running it",
        description=text,
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, for programs")
    parser.add_argument("--strict", action="store_true", help="take warnings for errors")
    parser.set_defaults(function=_check)


def _check(given: argparse.Namespace) -> int:
    verdict = _verdict(given)
    status = _status(verdict.findings, strict=given.strict)
    if given.json:
        print(json.dumps(_as_json(verdict, status), indent=1))
    else:
        _tell(verdict)
    return status


def _verdict(given: argparse.Namespace) -> Verdict:
    path = Path(given.case)
    configuration = configuration_of(path)
    if configuration is not None and not (path / FILE_NAME).is_file():
        return _foreign(given, configuration)
    try:
        case, found = reader.read(catalogue.find(given.case), given.variant, given.overrides)
        if case is None:
            raise ConfigurationError(reader.placed(found))
        inspection = inspect(case, given.engine, found)
    except ConfigurationError as error:
        return Verdict(f"case {given.case}", error.findings)
    return Verdict(f"case {case.label}", inspection.findings, str(inspection.engine))


def _foreign(given: argparse.Namespace, configuration: Path) -> Verdict:
    engine = engines.choose(given.engine)
    seen = look(configuration, engine.name)
    findings = list(seen.findings)
    for flag, used in (("--variant", given.variant), ("--set", given.overrides)):
        if used:
            message = "there is nothing to change: this is no case of scalebridge"
            findings.append(Finding(flag, None, "", message, f"a folder with a {FILE_NAME}", rule="command-line"))
    notes = tuple(f"read: {common.near(file)} ({name}, {kind})" for name, kind, file in seen.adapters)
    return Verdict(common.near(str(seen.configuration)), tuple(findings), str(engine), notes)


def _status(findings: Sequence[Finding], *, strict: bool) -> int:
    severities = {finding.severity for finding in findings}
    if ERROR in severities or (strict and WARNING in severities):
        return REFUSED
    return WARNED if WARNING in severities else CLEAN


def _tell(verdict: Verdict) -> None:
    for severity in SEVERITIES:
        common.complain(f for f in verdict.findings if f.severity == severity)
    for note in verdict.notes:
        print(note)
    counts = [(sum(f.severity == s for f in verdict.findings), s) for s in SEVERITIES]
    told = ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for n, s in counts if n)
    state = "is in order" if not any(f.severity != HINT for f in verdict.findings) else "is not in order"
    engine = f"; {verdict.engine}" if verdict.engine else ""
    sys.stderr.flush()
    print(f"{verdict.subject} {state}{f': {told}' if told else ''}{engine}")


def _as_json(verdict: Verdict, status: int) -> dict[str, object]:
    return {
        "subject": verdict.subject,
        "engine": verdict.engine,
        "status": status,
        **{f"{s}s": sum(f.severity == s for f in verdict.findings) for s in SEVERITIES},
        "findings": [finding.to_json() for finding in verdict.findings],
    }
