"""Outlives the hub by a moment: ends every process of a run when the hub is gone, however it went.

The hub starts `python -I -S guard.py TOKEN` with a pipe as its standard input and keeps the other end. When the pipe
closes without the word "done", the hub was killed; whatever carries the token of the run in its environment is killed
then, also grandchildren that left their process group. Only for Linux, where /proc tells; stands alone on purpose, so
that it starts in a hundredth of a second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

VARIABLE = "SCALEBRIDGE_RUN_TOKEN"
_ROUNDS = 20


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


def main() -> None:
    """Wait for the hub to say that it is done, or to be gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "done" not in sys.stdin.read():
        kill_marked(sys.argv[1])


if __name__ == "__main__":
    main()
