"""Signals that ask for an end, whenever they come: one line, the exit status that says so, never a traceback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scalebridge.interruption import Interrupted, interruptible, shielded

ROOT = Path(__file__).resolve().parents[1]
HUB = Path(__file__).parent / "hub"


@pytest.fixture
def case(tmp_path):
    shutil.copytree(HUB, tmp_path / "pair")
    return tmp_path


def like_a_shell():
    """Heed Ctrl-C, which what a script starts in the background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder, *arguments, before=like_a_shell):
    return subprocess.Popen(
        [sys.executable, "-m", "scalebridge", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


def installed(process):
    """Wait until the program has taken over SIGINT, which it does first of all."""
    deadline = time.monotonic() + 20
    status = Path(f"/proc/{process.pid}/status")
    while time.monotonic() < deadline:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) & (1 << (signal.SIGTERM - 1)):  # Python itself catches SIGINT alone
            return
        time.sleep(0.002)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which signals are caught")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6])
def test_a_signal_in_the_first_second(case, number, after):
    lasting = "--set", "Left.command=python partner.py none 0 0.5"
    process = start(case, "run", "pair", "--engine", "embedded", *lasting)
    installed(process)
    time.sleep(after)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert err == f"scalebridge: stopped by signal {number.value} ({number.name})\n"
    assert "Traceback" not in out


def test_a_signal_while_participants_describe_themselves(case):
    (case / "pair" / "slow.py").write_text("import time\ntime.sleep(60)\n")
    process = start(case, "check", "pair", "--variant", "ours", "--engine", "embedded", "--set", "Left.run=slow")
    deadline = time.monotonic() + 20
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (asked := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=5)
    assert process.returncode == 130
    assert err == "scalebridge: stopped by signal 2 (SIGINT)\n"
    assert not any(Path("/proc", child).exists() for child in asked)


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(case):
    def like_nohup():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = start(case, "run", "pair", "--engine", "embedded", before=like_nohup)
    installed(process)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def interrupted_while_shielded(done):
    with interruptible(), shielded():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)  # one is enough
        done.append("to the end")


@pytest.mark.usefixtures("handlers")
def test_a_shielded_passage_is_not_interrupted():
    done = []
    with pytest.raises(Interrupted) as caught:
        interrupted_while_shielded(done)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # nothing disturbs the end
    assert done == ["to the end"]
    assert caught.value.status == 143
    assert str(caught.value) == "stopped by signal 15 (SIGTERM)"


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(ValueError, match="no"), interruptible():
        raise ValueError("no")
    assert signal.getsignal(signal.SIGINT) is before
