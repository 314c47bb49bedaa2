"""Programs of a case are looked for before a run: there, executable, with the script they are to run."""

import shutil
from pathlib import Path

import pytest

from scalebridge.cases import programs
from scalebridge.cases import reader as cases
from scalebridge.findings import Findings

HUB = Path(__file__).parent / "hub"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(HUB, tmp_path / "pair")
    (tmp_path / "pair" / "solver").write_text("#!/bin/sh\n")
    return tmp_path / "pair"


def look(folder, *overrides):
    case, found = cases.read(folder, "", overrides)
    assert found == []
    findings = Findings(case.file)
    programs.check(case, findings)
    return findings.found


def test_programs_that_are_there(folder):
    assert look(folder) == []
    (folder / "solver").chmod(0o755)
    for command in (
        "./solver --fast",
        f"{folder}/solver",
        "sh -c true",
        "python -m pytest",
        "python -c pass",
        "python",
    ):
        assert look(folder, f"Right.command={command}") == [], command
    assert look(folder, "Right.command=../pair/solver", "Right.directory=.") == []


@pytest.mark.parametrize(
    ("command", "message", "remedy"),
    [
        ("./solvre", "there is no program './solvre'; expected a program, looked for at ", "Write 'solver'"),
        ("elsewhere/solver", "there is no program 'elsewhere/solver'", "Make it a program, looked for at"),
        ("./solver", "'./solver' is not executable", "Run chmod +x "),
        (
            "no-such-program-at-all",
            "there is no program 'no-such-program-at-all' on the PATH",
            "Install it, or write its",
        ),
        ("solver", "there is no program 'solver' on the PATH", "Write ./solver to run the file of that name"),
        (
            "python partnr.py none 0",
            "there is no script 'partnr.py'; expected a script, looked for",
            "Write 'partner.py'",
        ),
        ("python -u nowhere/partner.py", "there is no script 'nowhere/partner.py'", "Make it a script"),
    ],
)
def test_programs_that_are_not(folder, command, message, remedy):
    (found,) = look(folder, f"Right.command={command}")
    assert message in str(found)
    assert remedy in found.remedy
    assert (found.key, found.severity, found.rule) == ("participants.Right.command", "error", "program")


def test_a_path_of_its_own(folder):
    """A participant is looked for on the PATH that it is started with."""
    (folder / "solver").chmod(0o755)
    assert look(folder, "Right.command=solver", f"Right.environment.PATH={folder}") == []
    (found,) = look(folder, "Right.command=sh", f"Right.environment.PATH={folder}")
    assert "there is no program 'sh' on the PATH" in str(found)
