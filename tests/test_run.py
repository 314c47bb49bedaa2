"""Whole runs by the command line: scripted participants that end well, or badly in every way."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
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
    threads = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    return {**threads, "PYTHONPATH": str(ROOT)}


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


def test_a_report_that_hangs_fails_the_run(folder):
    (folder / "pair" / "report.py").write_text("import time\ntime.sleep(1000)\n")
    done, _ = run(folder, "--variant", "ours", "--idle-limit", "3")
    assert done.returncode == 4
    assert "report.py hangs: nobody has computed anything for 3 s (--idle-limit); its output: " in done.stderr


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


@pytest.mark.parametrize(("who", "other"), [("Left", "Right"), ("Right", "Left")])
def test_one_that_sleeps_for_ever(folder, who, other):
    done, _ = run(folder, "--idle-limit", "3", *misdeed(who, "sleep"))
    assert done.returncode == 5
    first, second, *_ = done.stderr.splitlines()
    assert first.startswith(f"scalebridge: {who} hangs")
    assert first.endswith(f": it has not computed anything for 3 s (--idle-limit), while {other} waits for it")
    assert second.startswith(f"{who} was stopped")


def test_nobody_can_be_told_to_hang(folder):
    both = [option for who in ("Left", "Right") for option in ("--set", f"{who}.command=sleep 1000")]
    done, _ = run(folder, "--idle-limit", "3", *both)
    assert done.returncode == 5
    first = done.stderr.splitlines()[0]
    assert first.startswith("scalebridge: Left and Right hang: nobody has computed anything for 3 s (--idle-limit);")


@pytest.mark.parametrize("who", ["Left", "Right"])
def test_one_that_was_stopped_by_a_signal(folder, who):
    with started(folder, "--idle-limit", "2") as process:
        os.kill(participant(folder, who), signal.SIGSTOP)
        _, err = process.communicate(timeout=15)
    assert process.returncode == 5
    first = err.splitlines()[0]
    assert first.startswith(f"scalebridge: {who} hangs")
    assert "was stopped by a signal, such as SIGSTOP or Ctrl-Z, and has not gone on, while" in first


def test_one_that_computes_for_ever(folder):
    done, _ = run(folder, "--hang-limit", "3", *misdeed("Right", "spin"))
    assert done.returncode == 5
    first = done.stderr.splitlines()[0]
    assert first.startswith("scalebridge: Right hangs")
    assert first.endswith(": it has not come any further for 3 s (--hang-limit), while Left waits for it")


def test_a_window_that_converges_in_the_last_iteration_allowed(folder):
    coupling = folder / "pair" / "coupling.xml"
    coupling.write_text(coupling.read_text().replace('max-iterations value="30"', 'max-iterations value="3"'))
    done, _ = run(folder, "--strict-convergence")
    assert done.returncode == 0, done.stderr
    assert summary(folder)["participants"]["Right"]["windows_not_converged"] == 1  # so preCICE counts it


@pytest.mark.parametrize("how", ["option", "case"])
def test_a_window_that_does_not_converge(folder, how):
    coupling = folder / "pair" / "coupling.xml"
    coupling.write_text(coupling.read_text().replace('max-iterations value="30"', 'max-iterations value="2"'))
    done, _ = run(folder)
    assert done.returncode == 0, done.stderr  # as preCICE does without being asked
    done, _ = run(folder, *(["--strict-convergence"] if how == "option" else ["--set", "strict-convergence=true"]))
    assert done.returncode == 6
    first = done.stderr.splitlines()[0]
    assert first.startswith("scalebridge: time window 1 did not converge in 2 iterations (--strict-convergence): Beta ")
    assert first.endswith(" (limit 1e-06), as Right measured")


def test_a_delayed_start(folder):
    done, _ = run(folder, "--set", "Left.start-delay=1500 ms")
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "runs" / "pair" / "status.json").read_text())["participants"]
    assert told["Left"]["begun"] - told["Right"]["begun"] == pytest.approx(1.5, abs=0.5)


def test_a_start_after_another(folder):
    done, _ = run(folder, "--set", "Left.start-after=Right", "--set", "Right.start-delay=0.5 s")
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "runs" / "pair" / "status.json").read_text())["participants"]
    assert list(told) == ["Right", "Left"]


def test_one_fails_before_the_other_has_been_started(folder):
    done, _ = run(folder, "--set", "Left.start-delay=1 h", "--set", "Right.command=python -c 1/0")
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert lines[0] == "scalebridge: Right failed first: exit status 1: ZeroDivisionError: division by zero"
    assert lines[-1] == "Left had not been started yet"


def test_a_program_that_does_not_exist(folder):
    done, _ = run(folder, "--set", "Right.command=./no-such-solver")
    assert done.returncode == 2
    assert "there is no program './no-such-solver'" in done.stderr


RANKED = """
import os, sys
import numpy as np
from mpi4py import MPI
import precice
rank, size = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
me = precice.Participant("Left", os.environ["SCALEBRIDGE_CONFIG"], rank, size)
ids = me.set_mesh_vertices("Left-Mesh", np.array([[float(rank), 0.0]]))
me.initialize()
while me.is_coupling_ongoing():
    me.requires_writing_checkpoint()
    if rank == 1:
        sys.exit(0)
    me.write_data("Left-Mesh", "Alpha", ids, np.ones(1))
    me.advance(me.get_max_time_step_size())
    me.requires_reading_checkpoint()
"""


@pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="mpi4py is not installed")
@pytest.mark.skipif(ENGINE == "precice", reason="what the embedded engine does about it")
def test_a_rank_that_leaves_the_others_waiting(folder):
    (folder / "pair" / "ranked.py").write_text(RANKED)
    done, _ = run(folder, "--set", "Left.command=python ranked.py", "--set", "Left.ranks=2")
    assert done.returncode == 3
    first = done.stderr.splitlines()[0]
    assert first.startswith("scalebridge: Left failed first")
    assert first.endswith(": rank 1: rank 1 of participant Left ends before the coupling is over")


def test_a_program_that_cannot_be_started(folder):
    solver = folder / "pair" / "solver"
    solver.write_text("#!/no/such/interpreter\n")
    solver.chmod(0o755)
    done, _ = run(folder, "--set", "Right.command=./solver")
    assert done.returncode == 3
    assert done.stderr.startswith(f"scalebridge: Right could not be started: {solver}: No such file")


def participant(folder, who):
    """Return the process of a participant that was started."""
    return json.loads((folder / "runs" / "pair" / "status.json").read_text())["participants"][who]["pid"]


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
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # the background of a script ignores it
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")
@pytest.mark.skipif(ENGINE == "precice", reason="libprecice meets through sockets of the network")
def test_nothing_listens_and_nobody_else_may_look(folder):
    with started(folder) as process:
        inodes = {os.stat(f"/proc/{p}/fd/{d}").st_ino for p in family(process.pid) for d in descriptors(p)}
        assert listening() & inodes == set()
        assert inodes  # pipes and sockets were seen
    run = folder / "runs" / "pair"
    assert run.stat().st_mode & 0o777 == 0o700
    assert not list(run.rglob("*.scalebridge"))


def descriptors(process):
    with suppress(OSError):
        yield from (d for d in os.listdir(f"/proc/{process}/fd") if os.path.exists(f"/proc/{process}/fd/{d}"))


def family(process):
    """Yield a process and all that descend from it."""
    yield process
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def listening():
    """Return the inodes of the sockets that listen on a network of this machine."""
    found = set()
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        rows = [line.split() for line in Path("/proc/net", kind).read_text().splitlines()[1:]]
        found |= {int(row[9]) for row in rows if row[3] in ("0A", "07")}  # listening; a bound socket of UDP
    return found


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
