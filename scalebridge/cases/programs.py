"""Can the participants of a case be started, and will they find each other?"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from scalebridge.cases import paths, starting
from scalebridge.cases.case import Case, Participant
from scalebridge.embedded.config import Configuration
from scalebridge.findings import Findings

PYTHON = "python"


def check(case: Case, findings: Findings) -> None:
    """Note programs that do not exist or cannot be executed, and ranks without a launcher."""
    for participant in case.participants:
        key = f"participants.{participant.name}"
        if participant.command:
            _check_program(case, participant, f"{key}.command", findings)
        starting.found(participant, findings)


def _check_program(case: Case, participant: Participant, key: str, findings: Findings) -> None:
    line, folder = participant.lines.get("command", participant.line), participant.directory or case.folder
    program = participant.command[0]
    path = _search_path(participant)
    if "/" in program:
        _check_file(folder / program, program, line, key, findings)
    elif shutil.which(program, path=path) is None:
        is_beside = paths.is_file(folder / program)
        fix = f"Write ./{program} to run the file of that name" if is_beside else "Install it, or write its path"
        message = f"there is no program '{program}' on the PATH"
        known, got = paths.files_in(Path(sys.executable).parent), None if is_beside else program
        findings.add(line, key, message, got=got, candidates=known, expected="a program", rule="program", fix=fix)
    if Path(program).name.startswith(PYTHON):
        _check_script(participant, folder, line, key, findings)


def _check_file(file: Path, program: str, line: int, key: str, findings: Findings) -> None:
    if not paths.is_file(file):
        beside = paths.files_in(file.parent)
        message, expected = f"there is no program '{program}'", f"a program, looked for at {file}"
        findings.add(line, key, message, expected=expected, got=file.name, candidates=beside, rule="program")
    elif not os.access(file, os.X_OK):
        message, fix = f"'{program}' is not executable", f"Run chmod +x {file}"
        findings.add(line, key, message, rule="program", fix=fix)


def _check_script(participant: Participant, folder: Path, line: int, key: str, findings: Findings) -> None:
    """Note a script of Python that is not there: the first argument that is no option, if it names a file."""
    script = next((word for word in participant.command[1:] if not word.startswith("-")), "")
    options = participant.command[1 : participant.command.index(script)] if script else ()
    if script.endswith(".py") and "-m" not in options and "-c" not in options and not paths.is_file(folder / script):
        beside = paths.files_in((folder / script).parent, ".py")
        message, expected = f"there is no script '{script}'", f"a script, looked for at {folder / script}"
        findings.add(line, key, message, expected=expected, got=Path(script).name, candidates=beside, rule="program")


def _search_path(participant: Participant) -> str:
    own = participant.environment.get("PATH")
    return own or os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def check_names(case: Case, configuration: Configuration, findings: Findings) -> None:
    """Note participants of the case that the configuration does not have, and the other way round."""
    theirs = [p.name for p in configuration.participants]
    names = [p.name for p in case.participants]
    for participant in case.participants:
        if participant.name not in theirs:
            message = f"{case.coupling.name} has no participant '{participant.name}'"
            key = f"participants.{participant.name}"
            got = participant.name
            findings.add(participant.line, key, message, got=got, candidates=theirs, rule="participant-names")
    for name in theirs:
        if name not in names:
            message = f"{case.coupling.name} has a participant '{name}' that is missing here"
            line, expected = case.lines.get("participants"), "one entry for each of them"
            findings.add(line, "participants", message, expected=expected, rule="participant-names")


def check_meeting(case: Case, configuration: Configuration, findings: Findings) -> None:
    """Note participants that look for each other in different places: the exchange directory is relative to each."""
    folders = {p.name: p.directory for p in case.participants}
    for connection in configuration.connections:
        ends = (connection.acceptor, connection.connector)
        exchange = connection.exchange_directory or "."
        if Path(exchange).is_absolute() or not set(ends) <= folders.keys():
            continue
        pair = {folder and paths.resolved(folder / exchange) for name, folder in folders.items() if name in ends}
        if len(pair) > 1:
            names = " and ".join(ends)
            message = f"{names} run in folders from which the exchange-directory '{exchange}' is not the same place"
            expected = "an absolute exchange-directory, or no `directory:`, so that all run in the folder of the run"
            line = case.lines.get("participants")
            findings.add(line, "participants", message, expected=expected, rule="exchange-directory")
