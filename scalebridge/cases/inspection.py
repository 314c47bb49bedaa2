"""Looks a case over before it runs: case.yaml, preCICE XML, scaling XML and what the participants say of themselves.

Everything that is wrong comes in one ConfigurationError, in a second or two.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scalebridge import engines, settings
from scalebridge.cases.case import Case, Participant
from scalebridge.cases.describe import Description, Questions
from scalebridge.cases.reader import placed
from scalebridge.embedded import config
from scalebridge.embedded.config import Access, Configuration, ConnectionConfig
from scalebridge.engines import Engine
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError, Finding, Findings

SCALING_CHECK = "adapters.scaling.check"
_SCALING_SECONDS = 60.0


@dataclass(frozen=True)
class Inspection:
    """A case in which nothing is wrong.

    Attributes
    ----------
    configuration : the preCICE configuration.
    descriptions : participant -> what it said of itself; participants of ours only.
    settings : participant -> every setting as a plain value in its declared unit.
    """

    case: Case
    engine: Engine
    configuration: Configuration
    descriptions: dict[str, Description]
    settings: dict[str, dict[str, Any]]


def environment(case: Case, engine: Engine) -> dict[str, str]:
    """Return the environment of the participants of ours: the engine, our packages, and modules beside the case."""
    result = engine.environment(os.environ)
    parts = result.get("PYTHONPATH", "").split(os.pathsep)
    result["PYTHONPATH"] = os.pathsep.join([p for p in parts if p] + [str(case.folder)])
    return result


def inspect(case: Case, requested: str = "auto", found: Iterable[Finding] = ()) -> Inspection:
    """Look a case over.

    Parameters
    ----------
    requested : the engine, "auto", "embedded" or "precice".
    found : what was found when the case was read; told together with the rest.

    Raises
    ------
    ConfigurationError
        With every finding.
    EngineError
        If the engine cannot be used.
    """
    findings = Findings(case.file)
    findings.found += found
    ours = [p for p in case.participants if p.module]
    base = environment(case, engines.embedded())
    with _asked(ours, base, case.folder) as questions:
        engine = engines.choose(requested)
        configuration = _configuration(case, engine, findings)
        places = {p.module: (p.lines["run"], f"participants.{p.name}.run") for p in reversed(ours)}
        answers = questions.answers(findings, places)
    descriptions = {p.name: answers[p.module] for p in ours if p.module in answers}
    resolved = {p.name: _settings(p, descriptions[p.name], findings) for p in ours if p.name in descriptions}
    if configuration is not None:
        _participants(case, configuration, findings)
        _meeting(case, configuration, findings)
        for name, description in descriptions.items():
            if name in {p.name for p in configuration.participants}:
                _fields(name, description, configuration, case.scaling is not None, findings)
        _units(descriptions, configuration, findings)
        if case.scaling is not None and len(descriptions) == len(ours):
            findings.found += _scaling(case, case.scaling, descriptions, base)
    if findings.found or configuration is None:
        raise ConfigurationError(_distinct(placed(findings.found)))
    return Inspection(case, engine, configuration, descriptions, resolved)


def mpiexec() -> Path | None:
    """Return the launcher of MPI ranks: the one beside the interpreter, which fits its MPI, else that on the PATH."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.is_file() else shutil.which("mpiexec")
    return Path(found) if found else None


@contextmanager
def _asked(ours: list[Participant], base: dict[str, str], folder: Path) -> Iterator[Questions]:
    questions = Questions([p.module for p in ours], base, folder)
    try:
        yield questions
    finally:
        questions.cancel()


def _configuration(case: Case, engine: Engine, findings: Findings) -> Configuration | None:
    try:
        configuration = config.load(case.coupling)
    except ConfigurationError as error:
        findings.found += error.findings
        return None
    if engine.name == "embedded":
        findings.found += config.refusals(configuration)
    return configuration


def _settings(participant: Participant, description: Description, findings: Findings) -> dict[str, Any]:
    key = f"participants.{participant.name}"
    lines = {k.removeprefix("settings."): n for k, n in participant.lines.items() if k.startswith("settings.")}
    line = participant.lines.get("settings", participant.line)
    result = settings.check(
        description.settings, participant.settings, findings, key=f"{key}.settings", lines=lines, line=line
    )
    strategy = participant.strategy if isinstance(participant.strategy, str) else next(iter(participant.strategy))
    if "strategy" in participant.lines and strategy not in description.strategies:
        line = participant.lines["strategy"]
        if description.strategies:
            message = f"no strategy '{strategy}'"
            findings.add(line, f"{key}.strategy", message, got=strategy, candidates=description.strategies)
        else:
            findings.add(line, f"{key}.strategy", "a solver has no strategy; only a micro model has one")
    return result


def _participants(case: Case, configuration: Configuration, findings: Findings) -> None:
    """The participants of the case are those of the preCICE configuration, and can be started."""
    theirs = [p.name for p in configuration.participants]
    names = [p.name for p in case.participants]
    for participant in case.participants:
        if participant.name not in theirs:
            message = f"{case.coupling.name} has no participant '{participant.name}'"
            key = f"participants.{participant.name}"
            findings.add(participant.line, key, message, got=participant.name, candidates=theirs)
        if participant.ranks > 1 and mpiexec() is None:
            message = (
                f"{participant.ranks} ranks need mpiexec, which is neither beside {sys.executable} nor on the PATH"
            )
            key = f"participants.{participant.name}.ranks"
            findings.add(participant.lines["ranks"], key, message, expected="an MPI, as the extra 'fem' brings it")
    for name in theirs:
        if name not in names:
            message = f"{case.coupling.name} has a participant '{name}' that is missing here"
            findings.add(case.lines.get("participants"), "participants", message, expected="one entry for each of them")


def _meeting(case: Case, configuration: Configuration, findings: Findings) -> None:
    """Participants look for each other in the exchange directory, relative to where each of them runs."""
    folders = {p.name: p.directory for p in case.participants}
    for connection in configuration.connections:
        exchange = connection.exchange_directory or "."
        if Path(exchange).is_absolute() or not {connection.acceptor, connection.connector} <= folders.keys():
            continue
        pair = {folder and (folder / exchange).resolve() for n, folder in folders.items() if n in _ends(connection)}
        if len(pair) > 1:
            names = " and ".join(_ends(connection))
            message = f"{names} run in folders from which the exchange-directory '{exchange}' is not the same place"
            expected = "an absolute exchange-directory, or no `directory:`, so that all run in the folder of the run"
            findings.add(case.lines.get("participants"), "participants", message, expected=expected)


def _ends(connection: ConnectionConfig) -> tuple[str, str]:
    return connection.acceptor, connection.connector


def _fields(
    name: str, description: Description, configuration: Configuration, scaled: bool, findings: Findings
) -> None:
    """What a participant says it reads and writes is what the configuration lets it read and write."""
    if description.kind == "micro" and scaled:
        return  # the scaling file stands in between and is checked with both sides
    participant = configuration.participant(name)
    own = Findings(configuration.file)
    for verb, fields, accesses in (
        ("read", description.inputs, participant.reads),
        ("write", description.outputs, participant.writes),
    ):
        present = [a.data for a in accesses]
        carried = {
            data: field for field_name, field in fields.items() for data in _data_names(field_name, field, present)
        }
        for data in carried.keys() - set(present):
            message = f"'{data}', which {description.module} {verb}s, is not among its <{verb}-data>"
            expected = f'<{verb}-data name="{data}" mesh="..." />'
            strangers = [d for d in present if d not in carried]
            place = f'<participant name="{name}">'
            own.add(participant.line, place, message, expected=expected, got=data, candidates=strangers)
        for access in accesses:
            if access.data in carried:
                _shape(access, carried[access.data], configuration, description.module, own)
            else:
                message = f"{description.module} does not {verb} it"
                place = f'<{verb}-data name="{access.data}">'
                own.add(access.line, place, message, got=access.data, candidates=carried)
    findings.found += sorted(own.found, key=lambda f: f.line or 0)


def _data_names(name: str, field: Field, present: list[str]) -> tuple[str, ...]:
    """Return the names of the data that carry a field; of a tensor, in the dimension of which most are there."""
    choices = [field.data_names(name, dimensions) for dimensions in (2, 3, 1)]
    return max(choices, key=lambda names: sum(n in present for n in names) - len(names) / 100)


def _shape(access: Access, field: Field, configuration: Configuration, module: str, own: Findings) -> None:
    datum = configuration.datum(access.data)
    if datum.vector != (field.rank == 1):
        found, rank = "a vector" if datum.vector else "a scalar", ("a scalar", "a vector", "a tensor")[field.rank]
        message = f"'{access.data}' is {found}, but in {module} it carries {rank}"
        expected = "<data:vector>" if field.rank == 1 else "<data:scalar>"
        own.add(datum.line, f'<data name="{access.data}">', message, expected=expected)


def _units(descriptions: dict[str, Description], configuration: Configuration, findings: Findings) -> None:
    """Two solvers that share a data mean the same unit: nothing is converted between them."""
    written: dict[str, tuple[str, Field]] = {}
    for name, description in descriptions.items():
        if description.kind == "solver":
            written.update({data: (name, field) for data, field in description.outputs.items()})
    own = Findings(configuration.file)
    for name, description in descriptions.items():
        for data, field in description.inputs.items() if description.kind == "solver" else ():
            writer, other = written.get(data, (name, field))
            if other.unit != field.unit:
                message = f"{writer} writes it in '{other.unit}' and {name} reads it in '{field.unit}'"
                own.add(
                    None, f'<data name="{data}">', message, expected="one unit: nothing is converted between solvers"
                )
    findings.found += own.found


def _scaling(case: Case, scaling: Path, descriptions: dict[str, Description], base: dict[str, str]) -> list[Finding]:
    """Ask the adapters, which know the maps."""
    with tempfile.TemporaryDirectory(prefix="scalebridge-") as folder:
        command = [
            sys.executable,
            "-P",
            "-m",
            SCALING_CHECK,
            "--precice",
            str(case.coupling),
            "--scaling",
            str(scaling),
        ]
        for name, description in descriptions.items():
            file = Path(folder) / f"{name}.json"
            file.write_text(json.dumps(description.raw), encoding="utf-8")
            command += ["--describe", f"{name}={file}"]
        try:
            done = subprocess.run(
                command, env=base, capture_output=True, text=True, timeout=_SCALING_SECONDS, stdin=subprocess.DEVNULL
            )
            return [Finding(**finding) for finding in json.loads(done.stdout)]
        except subprocess.TimeoutExpired:
            problem = f"no answer within {_SCALING_SECONDS:g} s"
        except (ValueError, TypeError):
            problem = (done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"])[0]
    return [Finding(str(scaling), None, "", f"could not be checked by {SCALING_CHECK}: {problem}")]


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))
