"""Who takes part in a run right now: every process that carries its token, of which participant, of which MPI rank.

Only Linux tells, by /proc; elsewhere there is nobody to be seen.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scalebridge.runs import guard

PARTICIPANT = "SCALEBRIDGE_PARTICIPANT"
# What tells a process its rank: Hydra and gforker, PMIx, Open MPI, SLURM.
_RANK = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
# Numbers of the calls in which Linux lets a process wait for a socket, or for one of many.
_WAITING = {
    "x86_64": frozenset({7, 23, 42, 43, 44, 45, 46, 47, 232, 270, 271, 281, 288, 299, 441}),
    "aarch64": frozenset({22, 72, 73, 202, 203, 206, 207, 211, 212, 242, 243, 441}),
}
_READING = {"x86_64": 0, "aarch64": 63}


@dataclass(frozen=True)
class Member:
    """One process of a run.

    Attributes
    ----------
    participant : whose process it is; "" where it does not say.
    rank : its MPI rank, None where it is none.
    state : the letter of /proc: R runs, S sleeps, D waits for a device, T was stopped, t is being traced, Z has ended.
    seconds : processor time, its own and that of ended children [s].
    switches : how often it has gone to sleep, or had to let others have the processor.
    """

    process: int
    participant: str
    rank: int | None
    state: str
    seconds: float
    switches: int = 0

    @property
    def stopped(self) -> bool:
        """Whether a signal, or a debugger, keeps it from running."""
        return self.state in "Tt"


def members(token: str) -> list[Member]:
    """Return the processes of a run, in the order of their numbers."""
    found = []
    for process in sorted(guard.marked(token)):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            seconds = sum(int(f) for f in fields[11:15]) / os.sysconf("SC_CLK_TCK")
            participant, rank = _names(process)
            found.append(Member(process, participant, rank, fields[0], seconds, _switches(process)))
    return found


def ranks(found: Iterable[Member]) -> dict[int, tuple[str, int]]:
    """Return process -> (participant, rank) of those that are ranks."""
    return {m.process: (m.participant, m.rank) for m in found if m.rank is not None}


def waits_for_a_socket(process: int) -> bool | None:
    """Return whether a process sleeps until something comes from another one; None where the system does not tell."""
    calls = _WAITING.get(platform.machine())
    try:
        call, *arguments = Path(f"/proc/{process}/syscall").read_text().split()
        if calls is None or not call.isdigit():  # "running"
            return None if calls is None else False
        if int(call) == _READING[platform.machine()]:
            return os.readlink(f"/proc/{process}/fd/{int(arguments[0], 16)}").startswith("socket:")
        return int(call) in calls
    except (OSError, ValueError, IndexError):
        return None


def _switches(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "voluntary_ctxt_switches:" in line)


def _names(process: int) -> tuple[str, int | None]:
    """Return the participant and the rank that stand in the environment of a process."""
    entries = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    environment = dict(e.decode("utf-8", "replace").partition("=")[::2] for e in entries)
    rank = next((environment[name] for name in _RANK if environment.get(name, "").isdigit()), None)
    return environment.get(PARTICIPANT, ""), None if rank is None else int(rank)
