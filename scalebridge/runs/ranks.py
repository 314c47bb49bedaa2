"""Which of the MPI ranks of a participant ended first, from what its launcher says about it.

Our own (scalebridge.runs.direct) knows. MPICH's mpiexec names a process, and the hub has noted which rank that was
while it lived; Open MPI's and SLURM's name the rank; MPI_Abort names the rank that called it.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class RankEnd:
    """The end of a rank; `how` is "" where it called MPI_Abort, having said itself why."""

    rank: int
    how: str = ""

    @property
    def told(self) -> bool:
        """Whether `how` says all: such an end has no last words."""
        return self.how.startswith(("killed", "exit status 0"))


_DIRECT = re.compile(r"^scalebridge: rank (\d+) (?:was (killed .*)|ended with (.*)|called MPI_Abort)$", re.M)
_HYDRA = re.compile(r"=\s+PID (\d+) RUNNING AT .*?=\s+EXIT CODE: (\d+)(?:.*?EXIT STRING: .*?\(signal (\d+)\))?", re.S)
_ABORT = re.compile(r"Abort\(-?\d+\) on node \d+ \(rank (\d+) in|MPI_ABORT was invoked on rank (\d+) in")
_OPEN_MPI = re.compile(r"process rank (\d+) with PID \d+ on node \S+ exited on signal (\d+)")
_OPEN_MPI_STATUS = re.compile(r"Process name: \[.*,\s*(\d+)\]\s+Exit code:\s+(\d+)")
_SLURM = re.compile(r"srun: error: \S+: tasks? (\d+)[^:\s]*: (.+)")


def first(text: str, ranks: Mapping[int, int]) -> RankEnd | None:
    """Return which rank ended first, or None where nobody says so.

    Parameters
    ----------
    text : what the participant and its launcher have printed.
    ranks : number of a process -> its rank, as far as they have been seen.
    """
    return next(_told(text, ranks), None)


def _told(text: str, ranks: Mapping[int, int]) -> Iterator[RankEnd]:
    if match := _DIRECT.search(text):
        yield RankEnd(int(match[1]), match[2] or match[3] or "")
    if match := _ABORT.search(text):
        yield RankEnd(int(match[1] or match[2]))
    if (match := _HYDRA.search(text)) and int(match[1]) in ranks:
        yield RankEnd(ranks[int(match[1])], killed(int(match[3])) if match[3] else f"exit status {match[2]}")
    if match := _OPEN_MPI.search(text):
        yield RankEnd(int(match[1]), killed(int(match[2])))
    if match := _OPEN_MPI_STATUS.search(text):
        yield RankEnd(int(match[1]), f"exit status {match[2]}")
    if match := _SLURM.search(text):
        yield RankEnd(int(match[1]), match[2].strip().replace("Exited with exit code", "exit status"))


def killed(number: int) -> str:
    """Return in words that a signal ended a process."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "unknown"
    return f"killed by signal {number} ({name})"
