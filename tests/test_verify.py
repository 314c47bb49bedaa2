"""scalebridge verify: a run again, value by value."""

import json
import os
import shutil

import finished
import numpy as np
import pytest

from scalebridge import cli
from scalebridge.checks import between
from scalebridge.compare import verification
from scalebridge.compare.results import Results
from scalebridge.compare.verification import CheckDifference

ENGINE = os.environ.get("ENGINE", "embedded")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A folder with a case and a run of it."""
    folder = tmp_path_factory.mktemp("verified")
    finished.decay(folder)
    before = os.getcwd()
    os.chdir(folder)
    try:
        run = ["run", "decay", "--set", "Left.settings.steps=8", "--engine", ENGINE, "--plain", "--out", "run"]
        assert cli.main(run) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def folder(case, tmp_path, monkeypatch):
    """A copy of the run, for the case in its place."""
    finished.steady(monkeypatch)
    shutil.copytree(case / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_gives_the_same_bit_for_bit(folder, capsys):
    assert cli.main(["verify", "run"]) == 0
    out = capsys.readouterr().out
    assert "are as recorded" in out
    assert "the same bit for bit: 20 values of 3 quantities, 1 checks, 0 other files" in out
    data = json.loads((folder / "run/verify/verify.json").read_text())
    assert (data["passed"], data["identical"], data["largest"]) == (True, True, 0.0)
    assert (folder / "run/verify/verify.md").read_text().startswith("# Verification")


def test_what_is_not_the_same_is_told_with_its_place(folder, capsys):
    series = folder / "run/Left/series.csv"
    head, first, *rest = series.read_text().splitlines()
    time, x, total = first.split(",")
    series.write_text("\n".join([head, f"{time},{float(x) * (1 + 1e-9)!r},{total}", *rest]) + "\n")
    (folder / "run/Left/mesh.dat").write_text("once")
    assert cli.main(["verify", "run", "--tolerance", "1e-6"]) == 1
    out = capsys.readouterr().out
    assert "| Left: first |      4 |" in out
    assert "| time 0.25 |" in out
    assert "- Left/mesh.dat: only in the run" in out
    assert "NOT the same: 20 values of 3 quantities" in out
    assert cli.main(["verify", "run", "--tolerance", "1e-6", "--ignore", "*.dat"]) == 0
    assert "the same within 1e-06: 20 values" in capsys.readouterr().out
    assert (folder / "run/verify.1").is_dir()  # the earlier repetition is kept


def test_inputs_that_have_changed_are_told(case, folder, capsys):
    assert cli.main(["verify", "run", "--no-run"]) == 0
    script = case / "decay" / "decay.py"
    text = script.read_text()
    script.write_text(text.replace("factor = 1 - dt", "factor = 1 - dt - 1e-9"))
    try:
        assert cli.main(["verify", "run", "--no-run"]) == 1
        out = capsys.readouterr().out
        assert "inputs of run: 1 changes\n- decay.py: was " in out
        assert cli.main(["verify", "run", "--out", "again"]) == 1
        out = capsys.readouterr().out
        assert "NOT the same" in out
        assert "decay.py: was " in (folder / "again/verify.md").read_text()
        assert cli.main(["verify", "run", "--copies", "--out", "copied"]) == 0  # the script as it was
    finally:
        script.write_text(text)
    assert "the same bit for bit" in capsys.readouterr().out


def test_a_case_that_is_gone_or_not_right_any_more(case, folder, capsys):
    file = case / "decay" / "case.yaml"
    text = file.read_text()
    file.rename(file.with_suffix(".away"))
    try:
        assert cli.main(["verify", "run"]) == 2
        expected = (
            "the case of this run is gone; expected the case where it was, or --copies to run the copy that the run"
        )
        assert expected in capsys.readouterr().err
        file.write_text(text.replace("steps: 4", "steps: 4, stepz: 4"))
        assert cli.main(["verify", "run"]) == 2
        err = capsys.readouterr().err
        assert "participants.Left.settings.stepz: no such setting" in err
        assert "case.yaml: is not as it was in this run" in err
    finally:
        file.with_suffix(".away").rename(file)
    shutil.rmtree(folder / "run" / "inputs")
    assert cli.main(["verify", "run", "--copies"]) == 2
    assert "run: keeps no copy of its case" in capsys.readouterr().err


def test_runs_that_cannot_be_verified(folder, capsys):
    assert cli.main(["verify", "rum"]) == 2
    assert "rum: there is no such run folder" in capsys.readouterr().err
    finished.run(folder / "failed", status=3, ended="Left failed first\n  its output")
    assert cli.main(["verify", "failed"]) == 2
    message = "failed: this run ended with exit status 3 (Left failed first); only one that went to its end is repeated"
    assert message in capsys.readouterr().err
    finished.run(folder / "going-on")
    (folder / "going-on" / "record.json").write_text(json.dumps(finished.record()))
    assert cli.main(["verify", "going-on"]) == 2
    assert "going-on: this run has not ended" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["verify", "run", "--tolerance", "-1"])


def test_a_repetition_that_fails(case, folder, capsys):
    script = case / "decay" / "decay.py"
    text = script.read_text()
    script.write_text(
        text.replace('sys.argv = ["partner.py"', 'raise OSError("no disk")\n    sys.argv = ["partner.py"')
    )
    try:
        assert cli.main(["verify", "run"]) == 3
    finally:
        script.write_text(text)
    assert "OSError: no disk" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("left", "right", "wrong"),
    [
        ({"iterations": (2, 3)}, {"iterations": (2, 4)}, "Left: iterations: was 5 in 2 windows, is 6 in 2 windows"),
        ({"status": 0}, {"status": 1, "ended": "a check failed"}, "exit status: was 0, is 1 (a check failed)"),
        ({"checks": [("a", 0.5)]}, {}, "check a [Left]: only in the run"),
        ({}, {"checks": [("a", 0.5)]}, "check a [Left]: only in its repetition"),
        ({"series": {"time": [1.0]}}, {}, "Left: only in was"),
        (
            {"snapshots": {"1": {"x": [1.0]}}},
            {"snapshots": {"1": {"x": [1.0, 2.0]}}},
            "x has other shapes, (1,) and (2,)",
        ),
    ],
)
def test_what_else_has_to_agree(tmp_path, left, right, wrong):
    was, now = (Results(finished.run(tmp_path / name, **side)) for name, side in (("was", left), ("now", right)))
    result = verification.compare(was, now, 1.0)
    assert not result.passed
    assert any(wrong in text for text in result.wrong), result.wrong


@pytest.mark.parametrize(
    ("name", "passed"), [("a.dat", False), ("a.log", True), ("progress.now", True), ("b.csv", False)]
)
def test_files_of_other_kinds(tmp_path, name, passed):
    runs = [Results(finished.run(tmp_path / run, series={"time": [1.0], "x": [1.0]})) for run in ("was", "now")]
    for i, run in enumerate(runs):
        (run.path / "Left" / "same.dat").write_text("same")
        (run.path / "Left" / name).write_text(f"no table {i}")
    result = verification.compare(*runs, 1.0)
    assert result.passed == passed
    assert result.equal_files == 1
    if not passed:
        assert result.wrong == [f"Left/{name}: not equal byte by byte; files of this kind are not read"]
    assert verification.compare(*runs, 1.0, [name]).passed


def test_tolerances_are_relative_to_the_largest_value(tmp_path):
    for name, shift in (("was", 0.0), ("now", 1e-4)):
        values = np.array([100.0, 1.0 + shift])
        finished.run(tmp_path / name, snapshots={"1": {"x": values}}, checks=[("a", 0.5 + shift)])
    was, now = (Results(tmp_path / name) for name in ("was", "now"))
    result = verification.compare(was, now, 2e-4)
    assert result.found[0].relative == pytest.approx(1e-6)
    assert result.checks[0].relative == pytest.approx(1e-4)  # of its limit, 1
    assert (result.passed, result.identical) == (True, False)
    assert not verification.compare(was, now, 5e-5).passed


def test_checks_around_zero_and_checks_that_are_no_numbers():
    tiny, none = (between("a", value, -1.0, 2.0, source="") for value in (1e-16, float("nan")))
    assert CheckDifference("a", tiny, between("a", -1e-16, -1.0, 2.0, source="")).relative == pytest.approx(1e-16)
    assert CheckDifference("a", none, none).relative == 0.0
    assert CheckDifference("a", tiny, none).relative == float("inf")


def test_a_run_that_left_nothing_is_not_taken_for_the_same(tmp_path):
    result = verification.compare(*(Results(finished.run(tmp_path / name)) for name in ("was", "now")), 1.0)
    assert (result.passed, result.identical) == (False, False)
    assert result.lines() == [
        "NOT known to be the same: the run left no series, fields, checks or files that could be compared"
    ]
