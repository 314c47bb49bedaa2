"""The place of a run: two runs never share it, a lock dies with its process, and no symbolic link is followed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scalebridge.runs import place
from scalebridge.runs.place import RunFolderError

ROOT = Path(__file__).resolve().parents[1]
HOLD = """
import sys, time
from pathlib import Path
from scalebridge.runs import place
place.take(Path(sys.argv[1]))
print("taken", flush=True)
time.sleep(100)
"""
RACE = """
import sys, time
from pathlib import Path
from scalebridge.runs import place
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
try:
    descriptor, earlier = place.take(Path(sys.argv[1]))
except place.RunFolderError as error:
    print("refused", error, flush=True)
else:
    Path(sys.argv[1], "who").open("x").write(sys.argv[3])
    print("taken", flush=True)
sys.stdin.read()
"""


def take(path):
    descriptor, earlier = place.take(path)
    os.close(descriptor)
    (path / place.CASE_FILE).write_text("{}")
    return earlier


def python(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_it_is_private_and_earlier_runs_are_moved_aside(tmp_path):
    run = tmp_path / "runs" / "pair"
    assert take(run) is None
    assert run.stat().st_mode & 0o777 == 0o700
    (run / "mine").write_text("1")
    assert take(run) == tmp_path / "runs" / "pair.1"
    assert take(run) == tmp_path / "runs" / "pair.2"
    assert sorted(p.name for p in run.parent.iterdir()) == ["pair", "pair.1", "pair.2"]
    assert (tmp_path / "runs/pair.1/mine").read_text() == "1"


def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "pair").mkdir(mode=0o755)
    assert take(tmp_path / "pair") is None
    assert (tmp_path / "pair").stat().st_mode & 0o777 == 0o700


def test_a_lock_that_was_left_by_a_killed_process_does_not_hold(tmp_path):
    run = tmp_path / "pair"
    holder = python(HOLD, run)
    assert holder.stdout.readline() == "taken\n"
    with pytest.raises(RunFolderError, match=r"a run is going on in .*pair; wait, or choose another folder"):
        place.take(run)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert (run / place.LOCK_FILE).exists()
    assert take(run) == tmp_path / "pair.1"  # also though it was killed before it could say what it ran
    assert not list(tmp_path.glob(".pair*"))


def test_of_many_that_start_at_the_same_moment_one_gets_it(tmp_path):
    run = tmp_path / "pair"
    take(run)
    at = time.time() + 1.0
    racers = [python(RACE, run, at, i) for i in range(6)]
    answers = [process.stdout.readline().split()[0] for process in racers]
    for process in racers:
        process.communicate(timeout=30)
    assert sorted(answers) == ["refused"] * 5 + ["taken"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pair", "pair.1"]


def test_what_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis").write_text("years of work")
    (tmp_path / "file").write_text("")
    for name in ("data", "file"):
        with pytest.raises(RunFolderError, match=f"{name} is there and is not the folder of a run"):
            place.take(tmp_path / name)
    with pytest.raises(RunFolderError, match=r"the run folder .*file/run cannot be made: Not a directory"):
        place.take(tmp_path / "file" / "run")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "file"]


def test_a_planted_symbolic_link_is_refused(tmp_path):
    victim = tmp_path / "victim"
    take(victim)
    before = sorted(victim.iterdir())
    (tmp_path / "pair").symlink_to(victim)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("pair", "dangling"):
        with pytest.raises(RunFolderError, match=f"{name} is a symbolic link; choose another folder with --out"):
            place.take(tmp_path / name)
    assert sorted(victim.iterdir()) == before
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    run = tmp_path / "pair"
    take(run)
    (run / place.LOCK_FILE).unlink()
    (run / place.LOCK_FILE).symlink_to(tmp_path / "made-by-trick")
    with pytest.raises(RunFolderError, match=r"the lock .*pair/.lock is a symbolic link; choose another folder"):
        place.take(run)
    assert not (tmp_path / "made-by-trick").exists()


def test_links_inside_a_run_are_moved_and_not_followed(tmp_path):
    run, precious = tmp_path / "pair", tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    take(run)
    (run / "Left").symlink_to(precious)
    (tmp_path / "pair.1").symlink_to(precious)  # in the way of the move
    assert take(run) == tmp_path / "pair.2"
    assert [p.name for p in precious.iterdir()] == ["file"]
    assert not (run / "Left").exists()
