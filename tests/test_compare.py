"""scalebridge compare: variants of a case, and runs that are there."""

import json
import os
import shutil

import finished
import pytest

from scalebridge import cli
from scalebridge.compare.comparison import Comparison, Side

ENGINE = os.environ.get("ENGINE", "embedded")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A folder in which the case itself and three of its variants have been compared; and the exit status."""
    folder = tmp_path_factory.mktemp("compared")
    finished.decay(folder)
    before = os.getcwd()
    os.chdir(folder)
    try:
        variants = "base,heun,broken,quiet"
        return folder, cli.main(["compare", "decay", "--variants", variants, "--engine", ENGINE])
    finally:
        os.chdir(before)


def cells(text, name):
    """Return the cells of the line of a table that begins with a name."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_a_failed_variant_does_not_spoil_the_table(compared):
    folder, status = compared
    assert status == 3
    text = (folder / "runs/compare-decay/compare.md").read_text()
    assert cells(text, "ended") == ["well", "well", "FAILED (3)", "well"]
    assert "- broken: Left failed first: exit status 1: ArithmeticError: the step is too long" in text
    assert "## heun: differences from base" in text
    assert cells(text, "error [Left]") == ["1", "0.0514732", "0.00464959", "", ""]
    assert (folder / "runs/compare-decay/compare.png").stat().st_size > 10_000
    assert (folder / "runs/compare-decay").stat().st_mode & 0o777 == 0o700


def test_what_the_case_is_computed_for_comes_first(compared):
    folder, _ = compared
    text = (folder / "runs/compare-decay/compare.md").read_text()
    data = json.loads((folder / "runs/compare-decay/compare.json").read_text())
    (heun,) = (d["relative"] for d in data["differences"]["heun"]["found"] if d["name"] == "Left: total")
    assert data["errors"]["heun"] == {"Left.total": heun}
    shown = cells(text, "Left.total")
    assert shown[0] == "-"  # the reference
    assert shown[1] == f"{heun:.2g}"
    assert "- Left.nothing: is no column of series that two runs have" in text
    assert text.index("## Error of what matters") < text.index("## Checks")


def test_micro_solves_are_counted_where_strategies_are(tmp_path):
    runs = [finished.run(tmp_path / name, series={"time": [1.0], "x": [1.0]}) for name in ("one", "other")]
    summary = json.loads((runs[1] / "summary.json").read_text())
    work = {"asked": 80, "solved": 20, "seconds": 1.0, "full": 1.0}
    summary["strategies"] = {"Left": {"layers": [], "work": work}}
    (runs[1] / "summary.json").write_text(json.dumps(summary))
    text = Comparison("two", [Side.of(path, path.name) for path in runs]).markdown(tmp_path, drawn=False)
    assert cells(text, "micro solves, asked") == ["", "80"]
    assert cells(text, "micro solves, made") == ["", "20"]
    assert "Error of what matters" not in text  # the case says nothing of it


def test_differences_are_those_of_the_methods(compared):
    folder, _ = compared
    data = json.loads((folder / "runs/compare-decay/compare.json").read_text())
    assert data["reference"] == "base"
    found = {d["name"]: d for d in data["differences"]["heun"]["found"]}
    assert found.keys() == {"Left: first", "Left: total", "Left/snapshots.npz: x"}
    euler, heun = [(1 - 0.25) ** k for k in (1, 2, 3, 4)], [(1 - 0.25 + 0.25**2 / 2) ** k for k in (1, 2, 3, 4)]
    largest = max(abs(a - b) for a, b in zip(euler, heun, strict=True))
    assert found["Left: first"]["largest"] == pytest.approx(largest, rel=1e-12)
    assert found["Left/snapshots.npz: x"]["largest"] == pytest.approx(3 * largest, rel=1e-12)
    assert found["Left/snapshots.npz: x"]["count"] == 12
    broken = data["differences"]["broken"]
    assert broken["found"][0]["count"] == 2  # it came half of the way
    assert "Left: compared at the 2 common times (4 in base, 2 in broken)" in broken["notes"]
    assert data["differences"]["quiet"]["notes"] == ["Left: only in base", "Left/snapshots.npz: only in base"]
    cost = data["runs"]["base"]["cost"]
    assert cost["iterations"] == data["runs"]["quiet"]["cost"]["iterations"] > 20
    assert cost["memory"] > 10**7


def test_runs_that_nothing_has_changed_in_are_kept(compared, monkeypatch, capsys):
    folder, _ = compared
    finished.steady(monkeypatch)
    monkeypatch.chdir(folder)
    ended = [(folder / f"runs/compare-decay/{v}/summary.json").stat().st_mtime_ns for v in ("base", "quiet")]
    again = ["compare", "decay", "--variants", "base,quiet", "--engine", ENGINE, "--reuse"]
    assert cli.main(again) == 1  # they have nothing in common
    told = capsys.readouterr()
    assert "base: kept\nquiet: kept\n" in told.out
    assert "scalebridge: these runs have nothing in common: no check, series or field" in told.err
    assert "These runs have nothing in common" in (folder / "runs/compare-decay/compare.md").read_text()
    assert [(folder / f"runs/compare-decay/{v}/summary.json").stat().st_mtime_ns for v in ("base", "quiet")] == ended
    (folder / "decay" / "new.py").write_text("")
    assert cli.main([*again, "--set", "Left.environment={LEVEL: 1}", "--out", "runs/compare-decay"]) == 1
    out = capsys.readouterr().out
    assert "base: run again: new.py: was not there, is e3b0c44298fc (0 bytes) and 2 more" in out
    (folder / "decay" / "new.py").unlink()


def test_runs_that_are_there(compared, monkeypatch, capsys):
    folder, _ = compared
    monkeypatch.chdir(folder)
    runs = [f"runs/compare-decay/{name}" for name in ("heun", "broken")]
    assert cli.main(["compare", *runs]) == 0
    assert "# heun, broken" in capsys.readouterr().out
    data = json.loads((folder / "runs/compare-heun-and-broken/compare.json").read_text())
    assert data["runs"]["heun"]["folder"] == "../compare-decay/heun"
    assert data["runs"]["broken"]["status"] == 3
    assert cli.main(["compare", runs[0], runs[0]]) == 0
    assert "# runs/compare-decay/heun, runs/compare-decay/heun" in capsys.readouterr().out


@pytest.fixture
def case(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return finished.decay(tmp_path)


def contents(folder):
    """Return all files; of what Python keeps of modules that it has imported, none."""
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["decay", "--variants", "base,huen"], "case.yaml:8: variants: no variant 'huen'; expected"),
        (
            ["decay", "--variants", "heun"],
            "--variants: 'heun' alone has nothing to be compared with; expected at least two",
        ),
        (["decay", "--variants", "base,"], "--variants: 'base' stands there twice"),
        (["decay", "--variants", "heun,base,heun"], "--variants: 'heun' stands there twice"),
        (["decay", "--set", "Left.settings.stepz=8"], "--set: participants.Left.settings.stepz: no such setting"),
        (["deacy"], "deacy: there is no such case"),
        (["run", "rum"], "rum: there is no such run folder. Did you mean 'run'?"),
        (["run"], "run: is a run; expected a second run folder to compare it with"),
        (["run", "decay"], "decay: has no record.json: it is not a run folder"),
        (["run", "old"], "old: has no record.json: it is a run of a version that kept none; run the case again"),
        (["run", "older"], "older/record.json: is a record of format 0, and only format 1 is read"),
        (["run", "going-on"], "going-on: this run has not ended: it goes on, or the hub was killed"),
        (["run", "half"], "half/summary.json: cannot be read: No such file or directory"),
        (["run", "torn"], "torn/summary.json: is not JSON"),
        (["run", "poor"], "poor/summary.json: is no whole summary, it lacks wall, participants, checks"),
        (["run", "run", "--variants", "a,b"], "--variants: says what to run, but run folders are compared"),
        (["run", "run", "--set", "a=1"], "--set: says what to run, but run folders are compared"),
        (["run", "run", "--out", "decay"], "decay: is there and has no compare.json, so something else is in it"),
        (["run", "run", "--out", "decay/case.yaml"], "decay/case.yaml: cannot be used as a folder: something else is"),
        (["run", "run", "--out", "link"], "link: is a symbolic link, which is not followed; expected another folder"),
    ],
)
def test_mistakes_are_told_and_nothing_is_started(case, arguments, message, capsys):
    folder = case.parent
    finished.run(folder / "run")
    for name in ("old", "older", "going-on", "half", "torn", "poor"):
        finished.run(folder / name)
    (folder / "old" / "record.json").unlink()
    (folder / "older" / "record.json").write_text('{"format": 0}')
    (folder / "going-on" / "record.json").write_text(json.dumps(finished.record()))
    (folder / "half" / "summary.json").unlink()
    (folder / "torn" / "summary.json").write_text("{")
    (folder / "poor" / "summary.json").write_text('{"status": 0, "ended": "well"}')
    (folder / "link").symlink_to(folder / "hub")
    before = contents(folder)
    assert cli.main(["compare", "--engine", "embedded", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert contents(folder) == before


def test_all_unusable_runs_are_told_at_once(case, capsys):
    assert cli.main(["compare", "one", "two", "decay"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_case_that_has_a_variant_of_the_name_base(case, capsys):
    text = (case / "case.yaml").read_text()
    (case / "case.yaml").write_text(text.replace("  heun:", "  base:"))
    assert cli.main(["compare", "decay", "--variants", "case,base,case", "--engine", "embedded"]) == 2
    assert "'case' stands there twice" in capsys.readouterr().err


def test_a_run_whose_place_is_taken_fails_alone(case, capsys):
    (case.parent / "runs/compare-decay/base").mkdir(parents=True)
    (case.parent / "runs/compare-decay/base/mine.txt").write_text("mine")
    (case.parent / "runs/compare-decay/compare.json").touch()
    assert cli.main(["compare", "decay", "--variants", "base,quiet", "--engine", ENGINE]) == 2
    out = capsys.readouterr().out
    assert "base is there and is not the folder of a run; choose another one with --out" in out
    assert cells(out, "ended") == ["refused", "well"]
    assert (case.parent / "runs/compare-decay/base/mine.txt").read_text() == "mine"


def test_a_side_without_results(tmp_path):
    finished.run(tmp_path / "a", checks=[("error", 0.5)])
    sides = [
        Side("gone", 70, "the hub fell over", None),
        Side.of(tmp_path / "a", "a"),
        Side("never", None, "not run", None),
    ]
    text = Comparison("three", sides).markdown(tmp_path, drawn=False)
    assert "FAILED (70)" in text
    assert "- gone: the hub fell over" in text
    assert "- never: not run" in text
    assert Comparison("none", sides[:1]).write(tmp_path / "out").startswith("# none")
    assert not (tmp_path / "out" / "compare.png").exists()


def test_three_runs_of_which_two_have_a_check_in_common(tmp_path):
    for name, checks in {"a": [("error", 0.5)], "b": [], "c": [("error", 2.0)]}.items():
        finished.run(tmp_path / name, checks=checks)
    comparison = Comparison("", [Side.of(tmp_path / n, n) for n in "abc"])
    assert comparison.in_common
    assert cells(comparison.markdown(tmp_path, drawn=False), "error [Left]") == ["1", "0.5", "", "2 FAILED"]
    shutil.rmtree(tmp_path / "c")
    assert not Comparison("", [Side.of(tmp_path / n, n) for n in "ab"]).in_common
