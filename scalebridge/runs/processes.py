"""Processes of a run: started in groups of their own, noticed when they end, stopped for certain.

Every process gets a session of its own, so that a stop reaches its children too, and so that Ctrl-C in the terminal
reaches the hub alone. On Linux the kernel kills it when the hub dies, and a guard (scalebridge.runs.guard) what it has
started in turn.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from scalebridge.interruption import shielded
from scalebridge.runs import guard

TERMINATE_SECONDS = 1.5  # between asking a process to end and killing it
_KILL_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_LINUX = sys.platform == "linux"


@dataclass
class Process:
    """One process that was started.

    Attributes
    ----------
    log : file with its standard output and error.
    begun, ended : time.monotonic() at the start and at the end, None while it runs.
    status : exit status; -N if signal N killed it; None while it runs.
    stopped : whether the hub ended it.
    cpu : seconds of processor time, of it and the children it waited for; known when it has ended.
    memory : largest resident memory in bytes; known when it has ended.
    """

    name: str
    log: Path
    popen: subprocess.Popen[bytes]
    begun: float
    ended: float | None = None
    status: int | None = None
    stopped: bool = False
    cpu: float = 0.0
    memory: int = 0

    @property
    def running(self) -> bool:
        """Whether it has not been seen to end."""
        return self.status is None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.popen.pid


class Processes:
    """All processes of one run, in the order in which they were started; `ended` has them in the order of their end.

    Use it as a context: whatever way that is left, no process survives it.

    Parameters
    ----------
    folder : the folder of the run, where there is one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.token = secrets.token_hex(16)
        self.begun = time.time()
        self.all: list[Process] = []
        self.ended: list[Process] = []
        self._descriptors: dict[int, Process] = {}
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if _LINUX:
            command = [sys.executable, "-I", "-S", guard.__file__, self.token, str(self.folder or "")]
            with shielded():
                self._guard = subprocess.Popen(
                    command,
                    env={k: v for k, v in os.environ.items() if k != guard.VARIABLE},  # not of a hub that started this
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with shielded():
            self.stop()
            if self._guard is not None:
                self._guard.communicate(b"done\n")
                self._guard = None

    def start(
        self, name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path
    ) -> Process:
        """Start a process. Raises OSError where the program cannot be started."""
        with shielded(), log.open("wb") as output:
            popen = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**environment, guard.VARIABLE: self.token},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),  # safe: the hub has one thread
            )
            process = Process(name, log, popen, time.monotonic())
            self.all.append(process)
            with contextlib.suppress(AttributeError, OSError):  # not on every system
                self._descriptors[os.pidfd_open(popen.pid)] = process
        return process

    @property
    def running(self) -> list[Process]:
        """The processes that have not been seen to end."""
        return [p for p in self.all if p.running]

    def wait(self, seconds: float) -> list[Process]:
        """Wait until a process ends, `seconds` at most; return those that have ended, first the first."""
        if self._descriptors:
            poll = select.poll()
            for descriptor in self._descriptors:
                poll.register(descriptor, select.POLLIN)
            ready = [self._descriptors[descriptor] for descriptor, _ in poll.poll(1000 * seconds)]
        else:
            ready = self._poll(seconds)
        for process in ready:
            self._reap(process)
        return ready

    def stop(self, grace: float = TERMINATE_SECONDS) -> None:
        """End everything: ask (SIGTERM), wait `grace` seconds, kill, and kill what else carries the run's token."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.running and time.monotonic() < deadline:
            self.wait(min(0.1, grace))
        self._signal(signal.SIGKILL)
        deadline = time.monotonic() + _KILL_SECONDS
        while self.running and time.monotonic() < deadline:
            self.wait(0.1)
        if _LINUX and self.all:
            guard.kill_marked(self.token)
            guard.forget_shared_memory(self.begun)
        guard.forget_notes(str(self.folder or ""))

    def _signal(self, number: signal.Signals) -> None:
        for process in self.running:
            process.stopped = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.popen.pid, number)

    def _poll(self, seconds: float) -> list[Process]:
        """Find ended processes where the system has no descriptors to wait on."""
        deadline = time.monotonic() + seconds
        while True:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            ready = [p for p in self.running if os.waitid(os.P_PID, p.popen.pid, flags) is not None]
            if ready or time.monotonic() >= deadline:
                return ready
            time.sleep(min(0.02, seconds))

    def _reap(self, process: Process) -> None:
        """Take the exit status; first end what the process left in its group, whose number is its own until then."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.popen.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.popen.pid, 0)
        process.status = process.popen.returncode = os.waitstatus_to_exitcode(status)
        process.ended = time.monotonic()
        process.cpu = usage.ru_utime + usage.ru_stime
        process.memory = usage.ru_maxrss * (1024 if _LINUX else 1)
        self.ended.append(process)
        for descriptor in [d for d, p in self._descriptors.items() if p is process]:
            del self._descriptors[descriptor]
            os.close(descriptor)


def _die_with(parent: int) -> Callable[[], None] | None:
    """Return what a child does first, so that the kernel kills it when the hub dies."""
    if not _LINUX:
        return None
    library = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare
