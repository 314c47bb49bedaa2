"""Whole runs by the command line: scripted participants that end well, or badly in every way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

HUB = Path(__file__).parent / "hub"
ENGINE = os.environ.get("ENGINE", "embedded")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path):
    """A copy of the case of two scripted participants; what is started in it carries a mark in its environment."""
    shutil.copytree(HUB, tmp_path / "pair")
    yield tmp_path
    assert left_over(tmp_path) == []


def left_over(folder):
    """Return the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cwd").readlink().is_relative_to(folder):
                found.append(process.joinpath("cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def command(*arguments):
    return [sys.executable, "-m", "scalebridge", *arguments]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(folder, *arguments, before="run"):
    """Run the case from the folder above it; return the finished process and the seconds it took."""
    begun = time.monotonic()
    engine = () if "--engine" in arguments else ("--engine", ENGINE)
    done = subprocess.run(
        command(before, "pair", *engine, *arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done, time.monotonic() - begun


def misdeed(who, what, window=3, pause=0.01):
    return "--set", f"{who}.command=python partner.py {what} {window} {pause}"


def summary(folder, name="pair"):
    return json.loads((folder / "runs" / name / "summary.json").read_text())


def test_two_programs(folder):
    done, _ = run(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("scalebridge 0.1.0: case pair, engine ")
    told = summary(folder)
    assert told["engine"]["name"] == ENGINE
    assert (told["status"], told["ended"]) == (0, "well")
    assert len(told["participants"]["Right"]["iterations"]) == 20
    assert told["participants"]["Left"]["command"] == ["python", "partner.py", "none", "0"]
    assert "Left is done after 20 windows" in (folder / "runs/pair/Left/output.log").read_text()


def test_a_participant_of_ours_with_a_report(folder):
    done, _ = run(folder, "--variant", "ours", "--set", "Left.settings.limit=0.3")
    assert done.returncode == 0, done.stderr
    told = summary(folder, "pair-ours")
    left = told["participants"]["Left"]
    assert left["settings"] == {"length": 0.2, "limit": 0.3}
    assert left["units"] == {"length": "m"}
    assert (left["solving"], left["waiting"], left["exchanging"], left["windows"]) == (0.25, 0.5, 0.125, 20)
    assert [(c["by"], c["name"], c["value"], c["passed"]) for c in told["checks"]] == [
        ("Left", "length", 0.2, True),
        ("report", "answer", 42.0, True),
    ]
    assert "2 checks, all passed" in done.stdout
    assert (folder / "runs/pair-ours/picture.png").exists()


def test_a_failed_check_fails_the_run(folder):
    done, _ = run(folder, "--variant", "ours", "--set", "Left.settings.limit=0.1")
    assert done.returncode == 1
    assert "FAILED  length: 0.2 m, should be at most 0.1 m" in done.stdout
    assert done.stderr == "scalebridge: a check failed\n"
    assert summary(folder, "pair-ours")["status"] == 1


def test_a_file_of_checks_that_is_none_fails_the_run(folder):
    (folder / "pair" / "report.py").write_text(
        "import sys, pathlib\np = pathlib.Path(sys.argv[1], 'checks')\np.mkdir()\n(p / 'a.json').write_text('{}')\n"
    )
    done, _ = run(folder, "--variant", "ours")
    assert done.returncode == 1
    assert "a.json: not a JSON list of objects" in done.stderr


def test_a_failed_report_fails_the_run(folder):
    (folder / "pair" / "report.py").write_text("raise ValueError('no paper left')\n")
    done, _ = run(folder, "--variant", "ours")
    assert done.returncode == 4
    assert "report.py failed with exit status 1" in done.stderr
    assert "ValueError: no paper left" in done.stderr


@pytest.mark.parametrize("who", ["Left", "Right"])
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("kill", "killed by signal 9 (SIGKILL)"),
        ("raise", "exit status 1: ValueError: the brine boiled"),
        ("exit-early", "it ended with exit status 0 before the coupling was over"),
        ("hang-at-exit", "ValueError: the brine boiled (and then it did not end by itself)"),
    ],
)
def test_the_first_to_fail_is_named(folder, who, what, why):
    done, seconds = run(folder, *misdeed(who, what))
    assert done.returncode == 3, done.stderr
    first, second, *rest = done.stderr.splitlines()
    assert first.startswith(f"scalebridge: {who} failed first")
    assert first.endswith(why)
    assert second == f"  its output: {folder}/runs/pair/{who}/output.log"
    other = "Right" if who == "Left" else "Left"
    verb = "was stopped" if what == "hang-at-exit" else "lost its partner"
    assert any(line.startswith(f"{other} {verb}") for line in rest), done.stderr
    assert summary(folder)["ended"].startswith(f"{who} failed first")
    assert seconds < 20


@pytest.mark.parametrize("who", ["Left", "Right"])
def test_one_that_never_connects(folder, who):
    done, _ = run(folder, *misdeed(who, "say-nothing"))
    assert done.returncode == 3
    assert f"{who} failed first: it ended with exit status 0 without having met" in done.stderr.splitlines()[0]


def test_nobody_computes(folder):
    done, _ = run(folder, "--idle-limit", "3", *misdeed("Left", "sleep"))
    assert done.returncode == 5
    first = done.stderr.splitlines()[0]
    assert first.startswith("scalebridge: Left and Right did not compute anything for 3 s (--idle-limit)")


def test_a_program_that_does_not_exist(folder):
    done, _ = run(folder, "--set", "Right.command=./no-such-solver")
    assert done.returncode == 3
    assert done.stderr.startswith(
        f"scalebridge: Right could not be started: {folder}/pair/no-such-solver: No such file"
    )


@contextmanager
def started(folder, *arguments):
    """Start a run that will last, and give it when both participants are computing."""
    process = subprocess.Popen(
        command("run", "pair", "--engine", ENGINE, *misdeed("Left", "none", 0, 0.5), *arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = folder / "runs" / "pair" / "Right" / "output.log"
    deadline = time.monotonic() + 30
    try:
        while not (log.exists() and "Time window completed" in log.read_text()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_everything(folder, number):
    with started(folder) as process:
        begun = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert time.monotonic() - begun < 5
    assert process.returncode == 128 + number
    assert err == f"scalebridge: stopped by signal {number.value} ({number.name})\n"
    assert summary(folder)["status"] == 128 + number


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who is left")
def test_nothing_survives_a_kill_of_the_hub(folder):
    (folder / "pair" / "forking.py").write_text(
        "import runpy, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], start_new_session=True)\n"
        "runpy.run_path(__file__.replace('forking', 'partner'))\n"
    )
    with started(folder, "--set", "Right.command=python forking.py none 0") as process:
        assert any("time.sleep" in line for line in left_over(folder))  # a grandchild in a session of its own
        process.kill()
        process.wait()
    deadline = time.monotonic() + 5
    while left_over(folder) and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who is left")
def test_grandchildren_are_stopped_too(folder):
    (folder / "pair" / "forking.py").write_text(
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'], start_new_session=True)\n"
        "sys.exit(3)\n"
    )
    done, _ = run(folder, "--set", "Right.command=python forking.py")
    assert done.returncode == 3
    assert "Right failed first: exit status 3: it said nothing" in done.stderr


def test_an_earlier_run_is_moved_aside_and_a_running_one_left_alone(folder):
    for number in range(2):
        done, _ = run(folder, "--out", "mine")
        assert done.returncode == 0, done.stderr
        assert ("is now in" in done.stdout) == (number > 0)
    assert sorted(p.name for p in folder.glob("mine*")) == ["mine", "mine.1"]
    with started(folder):
        done, _ = run(folder)
    assert done.returncode == 2
    assert done.stderr.startswith(f"scalebridge: a run is going on in {folder}/runs/pair")


def test_a_folder_that_is_no_run_is_not_moved(folder):
    done, _ = run(folder, "--out", "pair")
    assert done.returncode == 2
    assert "is there and is not the folder of a run; choose another one with --out" in done.stderr


def test_threads_and_paths_of_participants(folder):
    (folder / "pair" / "nosy.py").write_text(
        "import os, sys\nfor n in ('OMP_NUM_THREADS', 'SCALEBRIDGE_PARTICIPANT', 'LEVEL'): print(n, os.environ[n])\n"
        "sys.exit(1)\n"
    )
    environment = "--set", "Right.environment={OMP_NUM_THREADS: 7, LEVEL: high}"
    done, _ = run(folder, "--set", "Right.command=python nosy.py", *environment)
    assert "  | OMP_NUM_THREADS 7\n  | SCALEBRIDGE_PARTICIPANT Right\n  | LEVEL high" in done.stderr
    done, _ = run(folder, "--set", "Right.command=python nosy.py", "--set", "Right.environment.LEVEL=low")
    cores = len(os.sched_getaffinity(0))
    assert f"OMP_NUM_THREADS {cores}" in done.stderr  # a serial scheme: the participants take turns
