"""What the processes of a run take of the machine: resident memory and processor time, from /proc.

A participant may be many processes: mpiexec, its proxies, the ranks, what these start. All that descend from the
process which the hub started belong to it, and all in its session. Ranks on other machines are not seen.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Usage:
    """What one participant takes now.

    Attributes
    ----------
    memory : resident memory [bytes], the sum over its processes; pages that they share count in each.
    cpu : processor time since its start [s].
    load : processors in use, as the mean since the look before; None at the first look.
    """

    memory: int
    cpu: float
    load: float | None = None


class Meter:
    """Looks at participants, at most once a second however often it is asked."""

    def __init__(self) -> None:
        self._looked = 0.0
        self._latest: dict[str, Usage] = {}

    def read(self, roots: Mapping[str, int]) -> dict[str, Usage]:
        """Return the usage of each participant that runs; `roots` has the number of its first process."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS and roots.keys() <= self._latest.keys():
            return self._latest
        found = of(roots)
        passed = now - self._looked
        for name, usage in found.items():
            before = self._latest.get(name)
            if before is not None and passed > 0.0:
                load = max(usage.cpu - before.cpu, 0.0) / passed
                found[name] = Usage(usage.memory, usage.cpu, load)
        self._looked, self._latest = now, found
        return found


def of(roots: Mapping[str, int]) -> dict[str, Usage]:
    """Return what the processes below each root take, all of them seen in one pass; nothing where there is no /proc."""
    if not roots or not _PROC.joinpath("self").exists():
        return {}
    table = _table()
    owners = {process: name for name, process in roots.items()}
    memory = dict.fromkeys(roots, 0)
    cpu = dict.fromkeys(roots, 0.0)
    seen = set()
    for process, entry in table.items():
        name = _owner(process, table, owners)
        if name is not None:
            seen.add(name)
            memory[name] += entry.memory
            cpu[name] += entry.cpu
    return {name: Usage(memory[name], cpu[name]) for name in roots if name in seen}


@dataclass(frozen=True)
class _Entry:
    parent: int
    session: int
    cpu: float
    memory: int


def _table() -> dict[int, _Entry]:
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    table = {}
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
                with open(f"/proc/{entry}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                cpu = sum(int(f) for f in fields[11:15]) / ticks  # user and system time, own and of ended children
                table[int(entry)] = _Entry(int(fields[1]), int(fields[3]), cpu, int(fields[21]) * page)
    return table


def _owner(process: int, table: Mapping[int, _Entry], owners: Mapping[int, str]) -> str | None:
    """Return which participant a process belongs to: by its ancestors, or by its session."""
    session = table[process].session
    for _ in range(len(table)):
        if process in owners:
            return owners[process]
        if process not in table:
            break
        process = table[process].parent
    return owners.get(session)


def bytes_text(count: float) -> str:
    """Return "830 MB" or "1.2 GB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= 0.9995 * size:
            value = count / size
            return f"{value:.1f} {unit}" if value < 10 and unit == "GB" else f"{value:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"
