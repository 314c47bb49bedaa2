"""scalebridge sweep: a case over a grid, in one table."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import finished
import pytest

from scalebridge import cli
from scalebridge.compare import grid, jobs
from scalebridge.compare.sweep import Ended, Sweep, rows

ENGINE = os.environ.get("ENGINE", "embedded")
ROOT = Path(__file__).resolve().parents[1]
SWEEP = ["sweep", "decay", "--engine", ENGINE]


def table(folder):
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder in which a sweep with a method that fails has been made; and the exit status."""
    folder = tmp_path_factory.mktemp("swept")
    finished.decay(folder)
    before = os.getcwd()
    os.chdir(folder)
    try:
        axes = ["--set", "Left.settings.method=heun,broken", "--set", "Left.settings.steps=4,8,16"]
        return folder, cli.main([*SWEEP, *axes, "--set", "Left.settings.limit=1e-3", "--jobs", "2"])
    finally:
        os.chdir(before)


def test_a_failed_point_is_marked_and_stops_no_other(swept):
    folder, status = swept
    assert status == 3
    found = table(folder / "runs/sweep-decay")
    assert [(r["method"], r["steps"]) for r in found] == [(m, s) for m in ("heun", "broken") for s in ("4", "8", "16")]
    assert [r["ended"] for r in found] == ["check FAILED", "check FAILED", "well", *["FAILED"] * 3]
    assert float(found[0]["Left.first"]) == pytest.approx((1 - 1 / 4 + 1 / 32) ** 4, rel=1e-15)
    assert found[3]["Left.first"] == ""
    text = (folder / "runs/sweep-decay/sweep.md").read_text()
    assert "With Left.settings.limit=1e-3." in text
    assert "- method=broken_steps=4: Left failed first: exit status 1: ArithmeticError: the step is too long" in text
    assert "0.00464959 FAILED" in text


def test_the_order_of_the_method_is_seen(swept):
    folder, _ = swept
    (value,) = (r["order of Left.first"] for r in table(folder / "runs/sweep-decay") if r["order of Left.first"])
    exact = [(1 - h + h * h / 2) ** round(1 / h) for h in (1 / 4, 1 / 8, 1 / 16)]
    assert 2 ** float(value) == pytest.approx((exact[0] - exact[1]) / (exact[1] - exact[2]), rel=1e-9)
    assert float(value) == pytest.approx(2.0, abs=0.2)  # Heun's method


def again(folder, monkeypatch, *arguments):
    """Sweep again in the same folder, two steps and both methods."""
    monkeypatch.chdir(folder)
    axes = ["--set", "Left.settings.method=heun,broken", "--set", "Left.settings.steps=4,8"]
    return cli.main([*SWEEP, *axes, "--set", "Left.settings.limit=1e-3", *arguments])


def test_points_that_ended_are_kept_and_others_run_again(swept, monkeypatch, capsys):
    folder, _ = swept
    finished.steady(monkeypatch)
    point = folder / "runs/sweep-decay/method=heun_steps=8"
    data = json.loads((point / "record.json").read_text())
    data["installed"]["numpy"] = "1.0"
    (point / "record.json").write_text(json.dumps(data))
    assert again(folder, monkeypatch, "--stop", "--column", "Left.f*", "--column", "Left.frist") == 3
    told = capsys.readouterr()
    assert "method=heun_steps=4: kept\nmethod=heun_steps=8: run again: package numpy: was 1.0, is " in told.out
    assert "method=broken_steps=4: run again: it did not end well" in told.out
    assert told.err.startswith(
        "scalebridge: --column: Left.frist: is no column; expected one of Left.first, Left.total. Did"
    )
    ended = [r["ended"] for r in table(folder / "runs/sweep-decay")]
    assert ended == ["check FAILED", "check FAILED", "FAILED", "not run"]  # --stop
    assert "Left.total" not in (folder / "runs/sweep-decay/sweep.md").read_text()


def test_an_interrupted_sweep_leaves_its_table_and_goes_on_later(tmp_path):
    finished.decay(tmp_path)
    slow = "Right.command=[python, ../hub/partner.py, none, 0],[python, ../hub/partner.py, none, 0, 1]"
    command = [sys.executable, "-m", "scalebridge", *SWEEP, "--set", slow]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    (second,) = [p.name for p in grid.parse([slow]).points() if p.name.endswith("-1")]
    deadline = time.monotonic() + 60
    while not (tmp_path / "runs/sweep-decay" / second / "Left" / "series.csv").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - begun < 6
    assert process.returncode == 128 + signal.SIGINT
    assert err == "scalebridge: stopped by signal 2 (SIGINT)\n"
    assert [r["ended"] for r in table(tmp_path / "runs/sweep-decay")] == ["well", "not run"]
    assert json.loads((tmp_path / "runs/sweep-decay" / second / "summary.json").read_text())["status"] == 143
    assert "output: " in out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who is left")
def test_nothing_survives_a_kill_of_the_sweep(tmp_path):
    (finished.decay(tmp_path) / "forking.py").write_text(
        "import runpy, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], start_new_session=True)\n"
        "runpy.run_path(__file__.replace('decay/forking', 'hub/partner'))\n"
    )
    forking = "Right.command=[[python, forking.py, none, 0, 1]]"
    command = [sys.executable, "-m", "scalebridge", *SWEEP, "--set", forking, "--set", "seed=1,2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not any("time.sleep" in line for line in left_over(tmp_path)):  # a grandchild in a session of its own
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while left_over(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_over(tmp_path) == []


def left_over(folder):
    """Return the command lines of the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").readlink().is_relative_to(folder):
                found.append(process.joinpath("cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def case(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return finished.decay(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ([], ["sweep: nothing varies; expected --set PATH=A,B,... as in --set Macro.settings.elements=10,20,40"]),
        (["--set", "Left.settings.steps=1,,2"], ["--set: Left.settings.steps: a value is missing in '1,,2'"]),
        (
            ["--set", "Left.settings.steps=4,2,x", "--set", "Left.settings.method=heun,hune", "--set", "seed=1,2"],
            ["2 is out of bounds", "'x' is not a whole number", "'hune' is not a choice"],
        ),
        (["--set", "Letf.settings.steps=4,8"], ["'Letf' is neither a participant nor a key that can be changed"]),
        (["--set", "seed=1,2", "--variant", "huen"], ["variants: no variant 'huen'"]),
        (
            ["--set", "seed=1,2", "--out", "decay"],
            ["decay: is there and has no sweep.json, so something else is in it"],
        ),
    ],
)
def test_mistakes_are_told_at_once_and_nothing_is_started(case, arguments, messages, capsys):
    assert cli.main(["sweep", "decay", "--engine", "embedded", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(messages)
    for message in messages:
        assert any(message in line for line in lines), lines
    assert not (case.parent / "runs").exists()


@pytest.mark.parametrize("number", ["0", "-1", "two"])
def test_jobs(number, capsys):
    with pytest.raises(SystemExit):
        cli.main(["sweep", "decay", "--jobs", number])
    assert "argument --jobs: invalid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ranks", "cores", "wanted", "room"),
    [
        ((1, 1), 8, 1, (1, 8)),
        ((1, 1), 8, 3, (3, 2)),
        ((1, 1), 2, 5, (2, 1)),
        ((4, 2), 8, 4, (2, 1)),
        ((4, 1), 2, 2, (1, 1)),
    ],
)
def test_no_more_at_once_than_there_are_cores(ranks, cores, wanted, room, monkeypatch):
    monkeypatch.setattr(jobs.machine, "cores", lambda: cores)
    assert jobs.room(_Inspection(ranks, serial=True), wanted) == room


def test_participants_that_compute_at_once_need_cores_for_all(monkeypatch):
    monkeypatch.setattr(jobs.machine, "cores", lambda: 8)
    assert jobs.room(_Inspection((3, 1), serial=False), 4) == (2, 1)


class _Inspection:
    """As much of an inspection as says how many processes compute at once."""

    def __init__(self, ranks, *, serial):
        self.case = self.configuration = self
        self.participants = [type("Participant", (), {"ranks": n}) for n in ranks]
        self.schemes = [type("Scheme", (), {"serial": serial})]


def test_a_hub_that_falls_over_is_no_failed_check(tmp_path, monkeypatch):
    log = tmp_path / "point.log"
    code = "print('Traceback'); print('NameError: oops'); raise SystemExit(1)"
    monkeypatch.setattr(jobs, "_command", lambda job: [sys.executable, "-c", code])
    (tmp_path / "point").mkdir()  # a run that was here before
    (done,) = jobs.execute([jobs.Job("point", (), tmp_path / "point", log)])
    assert (done.status, done.reason, done.ran) == (jobs.CRASHED, "NameError: oops", False)


def test_with_many_points_checks_are_told_by_how_far_they_reach(tmp_path):
    points = grid.parse(["A.n=" + ",".join(map(str, range(1, 11)))]).points()
    for i, point in enumerate(points):
        finished.run(tmp_path / point.name, series={"time": [1.0], "x": [2.0]}, checks=[("error", 0.2 * i)])
    ended = {point.name: Ended(0, "", ran=True) for point in points}
    sweep = Sweep("many", grid.parse(["A.n=" + ",".join(map(str, range(1, 11)))]), rows(points, tmp_path, ended))
    assert "| error [Left] |     0 |     1.8 | n=7, n=8, n=9, n=10 |" in sweep.markdown()
    assert sweep.orders == {}  # 1, 2, 3, ... is no refinement by one factor


def test_linear_elements_are_of_second_order_in_the_phase_change_case(tmp_path, capsys):
    axes = ["Macro.settings.elements=10,20,40", "Macro.settings.wall_temperature=-3 degC", "report=null"]
    arguments = [word for axis in axes for word in ("--set", axis)]
    case = str(ROOT / "tutorials" / "phase-change")
    command = ["sweep", case, "--variant", "lever-rule", *arguments, "--engine", ENGINE, "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0, capsys.readouterr().out
    found = table(tmp_path / "out")
    assert [float(row["Macro.energy_inflow"]) for row in found] == pytest.approx([2150777, 2094871, 2077265], rel=1e-6)
    assert float(found[2]["order of Macro.energy_inflow"]) == pytest.approx(1.67, abs=0.01)  # 1.87 with 80 elements
