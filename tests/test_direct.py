"""MPI ranks started without mpiexec: the interface that they speak, and who is told to have failed."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scalebridge.runs import direct

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for Linux alone")
mpi = pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="mpi4py is not installed")

# What MPICH's own client says, word by word, without MPI.
CLIENT = """
import os, socket, sys, time
rank, size = int(os.environ["PMI_RANK"]), int(os.environ["PMI_SIZE"])
talk = socket.socket(fileno=int(os.environ["PMI_FD"])).makefile("rw")
def say(line):
    talk.write(line + "\\n")
    talk.flush()
    return dict(word.partition("=")[::2] for word in talk.readline().split())
print(say("cmd=init pmi_version=1 pmi_subversion=1")["cmd"])
assert int(say("cmd=get_maxes")["vallen_max"]) >= 1024
name = say("cmd=get_my_kvsname")["kvsname"]
print(say(f"cmd=get kvsname={name} key=PMI_process_mapping")["value"])
say(f"cmd=put kvsname={name} key=from-{rank} value=hello-{rank}")
time.sleep(0.2 * rank)
print(say("cmd=barrier_in")["cmd"])
print([say(f"cmd=get kvsname={name} key=from-{i}")["value"] for i in range(size)], say("cmd=get key=none")["rc"])
print(say("mcmd=spawn nprocs=1")["msg"])
if len(sys.argv) > 1:
    if rank == 1:
        exec(sys.argv[1])
    time.sleep(60)
print(say("cmd=finalize")["cmd"])
"""


def start(ranks, *command):
    words = [sys.executable, "-I", "-S", direct.__file__, str(ranks), *command]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}  # whole lines
    environment["UCX_TLS"] = "self,sm"
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(ranks, *command):
    """Return exit status, what was printed, and the seconds it took."""
    begun = time.monotonic()
    process = start(ranks, *command)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err, time.monotonic() - begun


def test_the_interface():
    status, out, err, _ = run(3, sys.executable, "-c", CLIENT)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines.count("response_to_init") == lines.count("barrier_out") == lines.count("finalize_ack") == 3
    assert lines.count("(vector,(0,1,3))") == 3
    assert lines.count("['hello-0', 'hello-1', 'hello-2'] -1") == 3
    assert lines.count("not_supported") == 3


@pytest.mark.parametrize(
    ("misdeed", "status", "told"),
    [
        ("os.kill(os.getpid(), 9)", 137, "was killed by signal 9 (SIGKILL)"),
        ("os.kill(os.getpid(), 40)", 168, "was killed by signal 40 (unknown)"),
        ("os._exit(3)", 3, "ended with exit status 3"),
        ("os._exit(0)", 1, "ended with exit status 0 and without MPI_Finalize"),
        ("talk.write('cmd=abort exitcode=7\\n'); talk.flush(); time.sleep(60)", 7, "called MPI_Abort"),
    ],
)
def test_the_rank_that_failed_is_told_and_the_others_are_ended(misdeed, status, told):
    found, _, err, seconds = run(3, sys.executable, "-c", CLIENT, misdeed)
    assert found == status
    assert err == f"scalebridge: rank 1 {told}\n"
    assert seconds < 10


def test_programs_without_mpi_just_run():
    status, out, err, _ = run(2, sys.executable, "-c", "import os; print(os.environ['PMI_RANK'])")
    assert (status, sorted(out.split()), err) == (0, ["0", "1"], "")


def test_a_signal_ends_all_ranks():
    process = start(2, sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    ranks = [int(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (143, "")
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)


def test_ranks_die_with_the_launcher():
    process = start(2, sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    ranks = [int(process.stdout.readline()) for _ in range(2)]
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{rank}").exists() for rank in ranks):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@mpi
def test_ranks_of_mpi_meet():
    code = "from mpi4py import MPI; c = MPI.COMM_WORLD; print(c.allreduce(c.rank + 1), c.size)"
    status, out, err, _ = run(3, sys.executable, "-c", code)
    assert (status, out) == (0, "6 3\n" * 3), err


@mpi
def test_an_abort_of_mpi():
    code = "from mpi4py import MPI; MPI.COMM_WORLD.rank or MPI.COMM_WORLD.Abort(5); MPI.COMM_WORLD.Barrier()"
    status, _, err, _ = run(2, sys.executable, "-c", code)
    assert status == 5
    assert re.search(r"^scalebridge: rank 0 called MPI_Abort$", err, re.M)
