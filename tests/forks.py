"""Start processes as forks of one that has imported what most of them need, which takes each a second otherwise.

What is forked goes on as the main program of the process, and ends as any other does. Nothing that is imported before
may start threads or MPI.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL
from typing import Any


class Process:
    """As much of subprocess.Popen as the tests need."""

    def __init__(self, server: Server, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._server.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float = 60.0) -> int:
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.005)
        return status

    def kill(self) -> None:
        if self.poll() is None:  # nobody else has its number before the server has been asked again
            os.kill(self.pid, SIGKILL)


class Server:
    """A process that runs `program`, which calls `serve`, and is there until the tests end."""

    def __init__(self, program: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(program)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self.close)

    def start(self, words: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]) -> Process:
        """Start a process in `folder` that goes on from `serve` with `words`; it writes to `log`."""
        request = {"words": list(words), "folder": str(folder), "log": str(log), "environment": dict(environment)}
        return Process(self, self.ask(request))

    def ask(self, request: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def serve(modules: Sequence[str]) -> list[str]:
    """Import those of `modules` that there are, and fork as asked for; return the words in each process that is."""
    for name in modules:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    assert threading.active_count() == 1
    for line in sys.stdin:
        request = json.loads(line)
        if "ended" in request:
            pid, status = os.waitpid(request["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif (answer := os.fork()) == 0:
            return _begin(**request)
        print(json.dumps(answer), flush=True)
    raise SystemExit(0)


def _begin(words: list[str], folder: str, log: str, environment: dict[str, str]) -> list[str]:
    """Make this process what it is if it is started by itself."""
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for old, new in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(old, new)
    os.close(nothing)
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[1:] = words
    return words
