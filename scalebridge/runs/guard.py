"""Outlives the hub by a moment: ends every process of a run when the hub is gone, however it went.

The hub starts `python -I -S guard.py TOKEN FOLDER` with a pipe as its standard input and keeps the other end. When the
pipe closes without the word "done", the hub was killed; whatever carries the token of the run in its environment is
killed then, also grandchildren that left their process group. The shared memory that they leave is removed, and so are
the notes by which participants find each other, in FOLDER, that of the run. Only for Linux, where /proc tells; stands
alone on purpose, so that it starts in a hundredth of a second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

VARIABLE = "SCALEBRIDGE_RUN_TOKEN"
_ROUNDS = 20
_SHARED = "/dev/shm"  # noqa: S108
_MPI = ("mpich_shm_", "ucx_shm_", "vader_segment.", "sm_segment.")  # of MPICH and of Open MPI


def marked(token: str) -> list[int]:
    """Return the processes that carry the token of a run; only those younger than this one are looked at."""
    needle = f"{VARIABLE}={token}".encode()
    mine = _started("self") if os.path.isdir("/proc/self") else None
    found = []
    for entry in os.listdir("/proc") if mine is not None else []:
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if _started(entry) >= (mine or 0):
                    with open(f"/proc/{entry}/environ", "rb") as file:
                        if needle in file.read().split(b"\0"):
                            found.append(int(entry))
    return found


def _started(process: str) -> int:
    """Return when a process was started, in clock ticks since the machine was."""
    with open(f"/proc/{process}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def kill_marked(token: str) -> None:
    """Kill the processes of a run until none is left; those that fork meanwhile are found in the next round."""
    for _ in range(_ROUNDS):
        processes = marked(token)
        for process in processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not processes:
            return
        time.sleep(0.05)


def forget_shared_memory(since: float) -> None:
    """Remove the files of shared memory that killed ranks have left: made since then [s since 1970], used by nobody."""
    left = {path for path in shared_files() if _made(path) >= since}
    if left:
        left -= in_use()
    for path in left:
        with contextlib.suppress(OSError):
            os.unlink(path)


def forget_notes(folder: str) -> None:
    """Remove what participants that were killed while they connected have left in the folder of a run."""
    notes = os.path.join(folder, "precice-run")
    if folder and os.path.isdir(notes) and not os.path.islink(notes):
        for name in os.listdir(notes):
            if name.endswith(".scalebridge") or name.startswith(".note-"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(notes, name))
        with contextlib.suppress(OSError):
            os.rmdir(notes)


def shared_files() -> list[str]:
    """Return the files of shared memory that MPI has made for this user."""
    try:
        with os.scandir(_SHARED) as entries:
            return [e.path for e in entries if e.name.startswith(_MPI) and e.stat().st_uid == os.geteuid()]
    except OSError:
        return []


def _made(path: str) -> float:
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0.0


def in_use() -> set[str]:
    """Return the files of shared memory that a process has open or mapped; it has one of both from the first moment."""
    used = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                for descriptor in os.listdir(f"/proc/{entry}/fd"):
                    with contextlib.suppress(OSError):
                        used.add(os.readlink(f"/proc/{entry}/fd/{descriptor}"))
                with open(f"/proc/{entry}/maps", "rb") as file:
                    lines = file.read().decode("utf-8", "replace").splitlines()
                used |= {line[line.index(_SHARED) :] for line in lines if _SHARED in line}
    return used


def main() -> None:
    """Wait for the hub to say that it is done, or to be gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    begun = time.time()
    if "done" not in sys.stdin.read():
        kill_marked(sys.argv[1])
        forget_shared_memory(begun)
        forget_notes(sys.argv[2])


if __name__ == "__main__":
    main()
