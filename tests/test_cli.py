"""The command line."""

import shutil
from pathlib import Path

import pytest

from scalebridge import cli, engines

HUB = Path(__file__).parent / "hub"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    shutil.copytree(HUB, tmp_path / "tutorials" / "pair")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list(capsys):
    cli.main(["list"])
    out = capsys.readouterr().out
    assert "pair                     Two scripted participants\n" in out
    assert "--variant ours\n" in out


def test_list_says_what_is_wrong_with_a_case(folder, capsys):
    (folder / "tutorials/pair/case.yaml").write_text("case: [1]\n")
    assert cli.main(["list"]) == 2
    assert "scalebridge: tutorials/pair/case.yaml:1: case: [1] is no name for a case" in capsys.readouterr().err


def test_list_where_there_are_no_cases(folder, monkeypatch, capsys):
    """As seen by somebody who has installed the package, and is not inside of the repository."""
    monkeypatch.setattr(engines, "ROOT", folder / "site-packages")
    shutil.rmtree(folder / "tutorials")
    assert cli.main(["list"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"There are no cases here; looked for {folder}/tutorials/*/case.yaml.\n")
    assert "The tutorials come with scalebridge's repository" in told.err
    assert cli.main(["run", "pair"]) == 2
    assert "pair: there is no such case; expected a folder with a case.yaml, or such a file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["pair", "tutorials/pair", "tutorials/pair/case.yaml"])
def test_check(name, capsys):
    assert cli.main(["check", name, "--engine", "embedded", "--variant", "ours"]) == 0
    assert capsys.readouterr().out.startswith("case pair-ours is in order; engine embedded")


def test_check_tells_every_mistake_and_nothing_is_started(folder, capsys):
    assert cli.main(["run", "pair", "--engine", "embedded", "--set", "Left.rnks=2", "--set", "sead=1"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("scalebridge: --set: ") for line in lines)
    assert not (folder / "runs").exists()


def test_unknown_cases(capsys):
    assert cli.main(["check", "pear"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("scalebridge: pear: there is no such case; expected ")
    assert err.endswith("Did you mean 'pair'?\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dance"], "invalid choice: 'dance'"),
        ([], "the following arguments are required: COMMAND"),
        (["run", "pair", "--engine", "steam"], "invalid choice: 'steam'"),
        (["run", "pair", "--idle-limit", "-1"], "argument --idle-limit: invalid"),
        (["run", "pair", "--idle-limit", "long"], "argument --idle-limit: invalid"),
    ],
)
def test_wrong_command_lines(arguments, message, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "check", "list", "compare", "sweep", "verify", "exec"])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    assert "usage: scalebridge" in capsys.readouterr().out


def test_exec_without_a_command_and_with_one_that_does_not_exist(capsys):
    assert cli.main(["exec"]) == 2
    assert "exec needs a command" in capsys.readouterr().err
    assert cli.main(["exec", "--engine", "embedded", "--", "./no-such-program"]) == 127
    assert "scalebridge: ./no-such-program: No such file or directory" in capsys.readouterr().err


def test_a_run_folder_that_cannot_be_made_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "run")
    assert cli.main(["run", "pair", "--engine", "embedded", "--out", out]) == 2
    told = capsys.readouterr().err
    assert f"the run folder {out} cannot be made: Not a directory" in told
