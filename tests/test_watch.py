"""scalebridge watch: a run seen from another terminal, by its folder alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scalebridge.commands import watch
from scalebridge.runs.attached import Attached, locate
from scalebridge.runs.place import RunFolderError
from scalebridge.runs.status import Recorder, Seen

HUB = Path(__file__).parent / "hub"
ROOT = Path(__file__).resolve().parents[1]
ENGINE = os.environ.get("ENGINE", "embedded")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(HUB, tmp_path / "pair")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments):
    return [sys.executable, "-m", "scalebridge", *arguments]


def begin(folder, *arguments):
    """Start something in the background."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command(*arguments), cwd=folder, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True)


def begin_run(folder, misdeed="none", window=0, pause=0.2):
    """Start a run of the pair, and return when its participants are coupled."""
    text = f"Left.command=python partner.py {misdeed} {window} {pause}"
    run = begin(folder, "run", "pair", "--plain", "--engine", ENGINE, "--set", text)
    log = folder / "runs" / "pair" / "Right" / "output.log"
    deadline = time.monotonic() + 30
    while not (log.exists() and "Time window completed" in log.read_text()):
        assert time.monotonic() < deadline
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    return run


def watch_it(folder, *arguments):
    return subprocess.run(
        command("watch", "--plain", *arguments),
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_two_watch_one_run_to_its_end_and_one_goes_away(folder):
    run = begin_run(folder)
    before = {p: p.stat().st_mtime_ns for p in (folder / "runs/pair").iterdir() if p.suffix == ".xml"}
    leaves, stays = begin(folder, "watch", "--plain"), begin(folder, "watch", "--plain", "runs/pair")
    assert "watching case pair" in leaves.stdout.readline()
    leaves.send_signal(signal.SIGINT)
    leaves.communicate(timeout=10)
    assert leaves.returncode == 130
    out, err = stays.communicate(timeout=60)
    assert (stays.returncode, err) == (0, "")
    assert run.wait(timeout=30) == 0
    run.communicate()
    assert "Left   t 2/2 s  window 20/20" in out
    assert "Beta" in out
    assert "MB" in out.splitlines()[1]  # memory of a run that another process started
    assert out.splitlines()[-1] == "the run has ended with exit status 0"
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_run_that_fails_says_so_to_those_who_watch(folder):
    run = begin_run(folder, "raise", 15, 0.1)
    done = watch_it(folder)
    _, err = run.communicate()
    assert run.returncode == 3
    assert done.returncode == 3
    assert done.stderr == err
    assert done.stderr.splitlines()[0].startswith("scalebridge: Left failed first")
    again = watch_it(folder, "pair")  # it is over now
    assert (again.returncode, again.stderr) == (3, err)
    assert "failed" in again.stdout


def test_a_hub_that_is_killed(folder):
    run = begin_run(folder)
    watching = begin(folder, "watch", "--plain")
    assert "watching case pair" in watching.stdout.readline()
    run.kill()
    run.communicate()
    _, err = watching.communicate(timeout=30)
    assert watching.returncode == 7
    assert err == "scalebridge: the hub is gone and has written no summary: it was killed\n"


def test_a_run_that_never_started(folder):
    run = folder / "runs" / "pair"
    run.mkdir(parents=True)
    (run / "case.json").write_text('{"participants": []}')
    os.utime(run / "case.json", (0, 0))
    done = watch_it(folder)
    assert done.returncode == 7
    assert done.stderr == "scalebridge: no participant was ever started, and no summary was written\n"


def test_the_newest_run_is_found_and_a_typing_mistake_explained(folder):
    with pytest.raises(RunFolderError, match=r"there is no run under .*runs: give the folder of one"):
        locate(None)
    for i, name in enumerate(("old", "new")):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "case.json").write_text("{}")
        os.utime(folder / "runs" / name / "case.json", (i, i))
    assert locate(None) == folder / "runs" / "new"
    assert locate("old") == folder / "runs" / "old"
    assert locate("runs/old") == folder / "runs" / "old"
    with pytest.raises(RunFolderError, match=r"ned is not the folder of a run, nor .* Did you mean 'new'"):
        locate("ned")
    with pytest.raises(RunFolderError, match="is not the record of a case"):
        Attached(locate("old"))


def test_names_that_are_no_names_are_left_out(folder):
    (folder / "case.json").write_text(json.dumps({"participants": [{"name": "../../etc"}, {"name": "Left"}, 7, {}]}))
    assert [p.name for p in Attached(folder).participants] == ["Left"]


def test_an_end_that_the_hub_did_not_live_to_tell(folder):
    shutil.copy(HUB / "coupling.xml", folder)
    (folder / "case.json").write_text(
        '{"coupling": "coupling.xml", "participants": [{"name": "Left"}, {"name": "Right"}]}'
    )
    Recorder(folder).update([Seen(n, folder, 2**22 + 1, time.monotonic()) for n in ("Left", "Right")], {})
    told = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps(told | {"hub": told["hub"] | {"started": 1}}))
    assert [s.state for s in Attached(folder).standings()] == ["stopped", "stopped"]
    (folder / "summary.json").write_text('{"status": 130, "participants": {"Left": {"status": -15}, "Right": 3}}')
    assert [s.state for s in Attached(folder).standings()] == ["stopped", "stopped"]


def test_a_run_that_goes_on_after_an_earlier_end(folder):
    shutil.copy(HUB / "coupling.xml", folder)
    (folder / "case.json").write_text('{"coupling": "/else/where/coupling.xml", "participants": [{"name": "Left"}]}')
    (folder / "summary.json").write_text('{"status": 130, "wall": 4.5}')
    os.utime(folder / "summary.json", (1, 1))
    run = Attached(folder)
    assert run.summary() == {"status": 130, "wall": 4.5}
    assert run.seconds == 4.5
    now = time.monotonic()
    Recorder(folder).update([Seen("Left", folder, os.getpid(), now)], {})
    assert run.summary() is None
    assert run.standings()[0].state == "running"
    Recorder(folder).update([Seen("Left", folder, 1, now, now, 0)], {})
    assert run.standings()[0].state == "done"


def test_a_summary_that_is_none_is_told(capsys):
    assert watch._tell({"status": 3, "ended": "bad \x1b[31mred"}) == 3
    _, err = capsys.readouterr()
    assert (
        err
        == "scalebridge: summary.json is not what a run writes: KeyError('participants')\nscalebridge: bad �[31mred\n"
    )
    assert watch._tell({"status": "well"}) == 1
