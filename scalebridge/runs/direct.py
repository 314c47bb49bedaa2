"""Starts the MPI ranks of one participant on this machine, without mpiexec, and knows which of them failed, and how.

    python -I -S direct.py RANKS COMMAND ...

What MPICH's ranks need to find each other is little: they leave words under keys, read those of the others, and meet at
barriers, all through one socket each that they inherit (the first version of its process management interface, PMI).
So nothing listens on a network, no proxy stands between the ranks and their output, and nobody else is needed to say
who ended first. When one rank fails, that is told in one line and the others are ended. Stands alone on purpose, so
that it starts in a hundredth of a second. For MPICH and what comes from it, on Linux.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

TOLD = "scalebridge: rank {} {}"  # read by scalebridge.runs.ranks
_GRACE = 1.0  # seconds between asking the other ranks to end and killing them
_LATE = 1.0  # seconds after which a rank that ended well, but without MPI_Finalize, has left the others alone
_PR_SET_PDEATHSIG = 1


class Rank:
    """One rank: its process, and its end of the interface."""

    def __init__(self, number: int, size: int, command: Sequence[str]) -> None:
        self.number = number
        self.mine, theirs = socket.socketpair()
        environment = dict(
            os.environ,
            PMI_FD=str(theirs.fileno()),
            PMI_RANK=str(number),
            PMI_SIZE=str(size),
            MPI_LOCALRANKID=str(number),
            MPI_LOCALNRANKS=str(size),
        )
        with theirs:
            self.process = subprocess.Popen(
                list(command),
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                preexec_fn=_die_with(os.getpid()),  # safe: this process has one thread
            )
        self.rest = b""
        self.initialised = self.finalised = False

    def answer(self, **words: object) -> None:
        """Send one line of the interface."""
        line = " ".join(f"{key}={value}" for key, value in words.items())
        try:
            self.mine.sendall(f"{line}\n".encode())
        except OSError:
            return  # it has ended, which its process tells


class Job:
    """All ranks of one participant."""

    def __init__(self, size: int, command: Sequence[str]) -> None:
        self.name = f"kvs_{os.getpid()}_{secrets.token_hex(8)}"
        self.words = {"PMI_process_mapping": f"(vector,(0,1,{size}))"}
        self.waiting: set[int] = set()
        self.aborted: int | None = None
        self.ranks = [Rank(number, size, command) for number in range(size)]
        self.selector = selectors.DefaultSelector()
        for rank in self.ranks:
            self.selector.register(rank.mine, selectors.EVENT_READ, (self._hear, rank))
            self.selector.register(os.pidfd_open(rank.process.pid), selectors.EVENT_READ, (self._ended, rank))
        self.failed: int | None = None
        self.left: Rank | None = None
        self.since = 0.0

    def run(self) -> int:
        """Return the exit status when all ranks have ended."""
        while any(rank.process.returncode is None for rank in self.ranks):
            for key, _ in self.selector.select(0.1):
                action: Callable[[int, Rank], None]
                action, rank = key.data
                action(key.fd, rank)
            if self.left is not None and self.failed is None and time.monotonic() - self.since > _LATE:
                self._fail(self.left, "ended with exit status 0 and without MPI_Finalize", 1)
            if self.failed is not None:
                self._stop()
        return self.failed or 0

    # ---- the ends of processes

    def _ended(self, descriptor: int, rank: Rank) -> None:
        self.selector.unregister(descriptor)
        os.close(descriptor)
        self._hear(rank.mine.fileno(), rank)  # its last words came first
        status = rank.process.wait()
        if self.failed is not None:
            return
        if status < 0:
            name = signal.Signals(-status).name if -status in signal.Signals else "unknown"
            self._fail(rank, f"was killed by signal {-status} ({name})", 128 - status)
        elif status > 0:
            self._fail(rank, f"ended with exit status {status}", status)
        elif rank.initialised and not rank.finalised and self.left is None:
            self.left, self.since = rank, time.monotonic()

    def _fail(self, rank: Rank, how: str, status: int) -> None:
        self.failed = status
        print(TOLD.format(rank.number, how), file=sys.stderr, flush=True)

    def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for rank in self.ranks:
                if rank.process.poll() is None:
                    rank.process.send_signal(number)
            deadline = time.monotonic() + _GRACE
            while any(rank.process.poll() is None for rank in self.ranks) and time.monotonic() < deadline:
                time.sleep(0.01)

    # ---- what the ranks say

    def _hear(self, descriptor: int, rank: Rank) -> None:
        try:
            data = rank.mine.recv(65536, socket.MSG_DONTWAIT)
        except OSError:
            return
        if not data:
            if descriptor in self.selector.get_map():
                self.selector.unregister(descriptor)
            return
        *lines, rank.rest = (rank.rest + data).split(b"\n")
        for line in lines:
            words = dict(word.partition("=")[::2] for word in line.decode("utf-8", "replace").split())
            self._obey(rank, words.get("cmd", words.get("mcmd", "")), words)

    def _obey(self, rank: Rank, command: str, words: dict[str, str]) -> None:
        match command:
            case "init":
                rank.initialised = True
                rank.answer(cmd="response_to_init", pmi_version=1, pmi_subversion=1, rc=0)
            case "get_maxes":
                rank.answer(cmd="maxes", rc=0, kvsname_max=256, keylen_max=64, vallen_max=1024)
            case "get_appnum":
                rank.answer(cmd="appnum", rc=0, appnum=0)
            case "get_universe_size":
                rank.answer(cmd="universe_size", rc=0, size=-1)
            case "get_my_kvsname":
                rank.answer(cmd="my_kvsname", rc=0, kvsname=self.name)
            case "put":
                self.words[words.get("key", "")] = words.get("value", "")
                rank.answer(cmd="put_result", rc=0, msg="success")
            case "get":
                value = self.words.get(words.get("key", ""))
                found = {"rc": 0, "msg": "success"} if value is not None else {"rc": -1, "msg": "key_not_found"}
                rank.answer(cmd="get_result", **found, value="unknown" if value is None else value)
            case "barrier_in":
                self._meet(rank)
            case "finalize":
                rank.finalised = True
                rank.answer(cmd="finalize_ack", rc=0)
            case "abort":
                if self.failed is None:
                    self._fail(rank, "called MPI_Abort", int(words.get("exitcode", "1")) % 256 or 1)
            case _:  # spawning processes and publishing names, which this does not do
                rank.answer(cmd=f"{command}_result", rc=-1, msg="not_supported")

    def _meet(self, rank: Rank) -> None:
        self.waiting.add(rank.number)
        if len(self.waiting) == len(self.ranks):
            self.waiting.clear()
            for each in self.ranks:
                each.answer(cmd="barrier_out", rc=0)


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a rank does first, so that the kernel kills it when this process dies."""
    library = ctypes.CDLL(None)

    def prepare() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return prepare


def main() -> int:
    """Run the ranks; return the exit status."""
    job = Job(int(sys.argv[1]), sys.argv[2:])

    def stop(number: int, frame: FrameType | None) -> None:
        job.failed = job.failed or 128 + number

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return job.run()


if __name__ == "__main__":
    sys.exit(main())
