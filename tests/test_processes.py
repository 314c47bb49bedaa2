"""What is left of a process when it has ended."""

import os
import signal
import sys
from pathlib import Path

import pytest

from scalebridge.runs.processes import Processes

LIKE_MPICH = """
import os, signal
open(f"/dev/shm/mpich_shm_{os.getpid():x}_0", "w").close()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no shared memory in files here")
def test_shared_memory_of_a_killed_process_is_removed(tmp_path):
    with Processes(tmp_path) as processes:
        command = [sys.executable, "-c", LIKE_MPICH]
        process = processes.start(
            "Macro", command, folder=tmp_path, environment=os.environ, log=tmp_path / "output.log"
        )
        while process.running:
            processes.wait(0.1)
    assert process.status == -signal.SIGKILL
    assert list(Path("/dev/shm").glob(f"mpich_shm_{process.popen.pid:x}_*")) == []
