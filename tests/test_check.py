"""scalebridge check: what it prints, as text and as JSON, and the exit status that says how bad it is."""

import json
import shutil
import time
from pathlib import Path

import pytest

from scalebridge import cli
from tests.test_foreign import CASE, FENICS, FILES

HUB = Path(__file__).parent / "hub"
MEASURE = '<relative-convergence-measure data="Beta" mesh="Left-Mesh" limit="1e-6" />'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    shutil.copytree(HUB, tmp_path / "tutorials" / "pair")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(capsys, *arguments):
    status = cli.main(["check", *arguments, "--engine", "embedded"])
    out, err = capsys.readouterr()
    return status, out, err


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_case_in_order(capsys):
    status, out, err = check(capsys, "pair")
    assert (status, err) == (0, "")
    assert out.startswith("case pair is in order; engine embedded")
    assert check(capsys, "pair", "--strict")[0] == 0


def test_warnings(folder, capsys):
    change(folder / "tutorials/pair/coupling.xml", MEASURE, "")
    status, out, err = check(capsys, "pair")
    assert status == 1
    assert err == (
        "scalebridge: tutorials/pair/coupling.xml:20: warning: <coupling-scheme:serial-implicit>: no convergence "
        "measure: every window takes 30 iterations, converged or not. "
        'Add <relative-convergence-measure data="Alpha" mesh="Left-Mesh" limit="1e-4" />\n'
    )
    assert out.startswith("case pair is not in order: 1 warning; engine")
    assert check(capsys, "pair", "--strict")[0] == 2


def test_hints(folder, capsys):
    change(folder / "tutorials/pair/coupling.xml", '<max-time value="2" />', '<max-time value="1.95" />')
    status, out, err = check(capsys, "pair", "--strict")
    assert status == 0
    assert "hint: <coupling-scheme:serial-implicit>: max-time 1.95 is not a multiple of time-window-size 0.1" in err
    assert out.startswith("case pair is in order: 1 hint; engine")


def test_errors_come_first(folder, capsys):
    change(folder / "tutorials/pair/coupling.xml", MEASURE, "")
    status, out, err = check(capsys, "pair", "--set", "Right.command=python nobody.py")
    assert status == 2
    first, second = err.splitlines()
    assert first.startswith("scalebridge: --set: participants.Right.command: there is no script 'nobody.py'")
    assert ": warning: " in second
    assert out.startswith("case pair is not in order: 1 error, 1 warning\n")


def test_json(folder, capsys):
    status, out, err = check(capsys, "pair", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (told["subject"], told["status"], told["findings"]) == ("case pair", 0, [])
    change(folder / "tutorials/pair/coupling.xml", MEASURE, "")
    status, out, err = check(capsys, "pair", "--json", "--set", "Left.comand=x", "--strict")
    told = json.loads(out)
    assert (status, told["status"], err) == (2, 2, "")
    assert (told["errors"], told["warnings"], told["hints"]) == (1, 1, 0)
    for finding in told["findings"]:
        assert set(finding) == {
            *("file", "line", "key", "message", "expected", "nearest", "severity", "rule", "fix"),
        }
        assert all(finding[key] for key in ("file", "key", "message", "severity", "rule", "fix"))
    error, warning = told["findings"]
    assert (error["nearest"], error["fix"], error["rule"]) == ("command", "Write 'command'", "case-file")
    assert (warning["line"], warning["rule"]) == (20, "implicit-schemes-have-a-measure")


def test_a_case_that_is_not_ours(folder, capsys):
    place = folder / "theirs" / "solid"
    place.mkdir(parents=True)
    (place.parent / "precice-config.xml").write_text(CASE)
    for name in ("theirs", "theirs/precice-config.xml"):
        status, out, err = check(capsys, name)
        assert status == 0
        assert "theirs/precice-config.xml is in order: 2 hints; engine embedded" in out
        assert err.count("hint: ") == 2
    (place / "precice-adapter-config.json").write_text(json.dumps(FENICS).replace("Temperature", "Temprature"))
    status, out, err = check(capsys, "theirs")
    assert status == 2
    assert "read: theirs/solid/precice-adapter-config.json (Solid, the FEniCS and FEniCSx adapters)\n" in out
    assert (
        "theirs/solid/precice-adapter-config.json:1: interface.read_data_name: Solid does not read 'Temprature'" in err
    )
    (place / "preciceDict").write_text(FILES["preciceDict"])
    assert json.loads(check(capsys, "theirs", "--json")[1])["errors"] == 1
    status, _, err = check(capsys, "theirs", "--set", "a=1", "--variant", "b")
    assert (
        "--set: there is nothing to change: this is no case of scalebridge; expected a folder with a case.yaml" in err
    )
    assert "--variant: there is nothing to change" in err


def test_a_case_that_does_not_exist(folder, capsys):
    (folder / "empty").mkdir()
    for name in ("empty", "nowhere", "x" * 400):
        status, _, err = check(capsys, name)
        assert status == 2
        assert "there is no such case" in err
        assert json.loads(check(capsys, name, "--json")[1])["errors"] == 1


def test_text_that_no_terminal_can_show(folder, capsys):
    change(folder / "tutorials/pair/case.yaml", "title:", '"t\\ud800tle":')
    status, _, err = check(capsys, "pair")
    assert status == 2
    assert "case.yaml:2: has half of a character (an escape between \\ud800 and \\udfff)" in err
    assert json.loads(check(capsys, "pair", "--json")[1])["errors"] == 1


def test_a_check_is_quick(capsys):
    """Nothing that takes long is loaded; the bound is generous, as other programs may be running."""
    begun = time.monotonic()
    assert check(capsys, "phase-change")[0] == 0
    assert time.monotonic() - begun < 10


def test_warnings_are_told_by_run_too(folder, capsys):
    change(folder / "tutorials/pair/coupling.xml", MEASURE, "")
    change(folder / "tutorials/pair/coupling.xml", '<max-time value="2" />', '<max-time value="0.15" />')
    status = cli.main(["run", "pair", "--engine", "embedded", "--plain"])
    err = capsys.readouterr().err
    assert status == 0
    assert "warning: <coupling-scheme:serial-implicit>: no convergence measure" in err
    assert "hint" not in err
