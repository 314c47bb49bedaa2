"""A body that relaxes towards its neighbours.   dx/dt = -k x + c (sum of what is read) + sin(t)

x [1] one value a point, k, c [1/s]. Backward Euler. And it does harm to itself, when and as it is told.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.case import Case
from adapters.coupling import Coupling
from adapters.ranks import world
from scalebridge.settings import setting

POINTS = 12
FAULTS = ("none", "raise", "nan", "exit-0", "exit-1", "sys-exit", "segv", "sleep", "spin", "leave")


@dataclass(frozen=True)
class Settings:
    """What a body is, and what happens to it."""

    k: float = setting("1 1/s", "relaxation", above=0)
    c: float = setting("0.3 1/s", "coupling with each neighbour", minimum=0)
    pause: float = setting("10 ms", "how long a step takes, at the least", minimum=0)
    fault: str = setting("none", "what goes wrong", choices=FAULTS)
    window: int = setting(1, "in which time window", minimum=1)
    rank: int = setting(0, "on which rank", minimum=0)
    mark: str = setting("", "file that is written at that moment; where it is there, nothing goes wrong any more")


def run(case: Case[Settings], mine: str) -> None:
    """Couple until the end, or until the fault."""
    s, comm = case.settings, world()
    rank, size = (0, 1) if comm is None else (comm.rank, comm.size)
    rows = np.arange(POINTS) * size // POINTS == rank
    points = np.stack([np.linspace(0.0, 1.0, POINTS), np.zeros(POINTS)], axis=1)[rows]
    with Coupling(case, comm) as coupling:
        mesh = coupling.provide(f"{case.name}-Mesh", points)
        x = 1.0 + points[:, 0]
        theirs = [mesh.read(name) for name in case.reads]
        mesh.write(mine, x)
        for step in coupling.steps(keep=(x,)):
            time.sleep(s.pause * 1e-3)
            if step.window == s.window and rank == s.rank and s.fault != "none" and not Path(s.mark).exists():
                Path(s.mark).write_text(str(time.time()))
                misbehave(s.fault, x)
                if s.fault == "leave":
                    return
            x[:] = (x + step.dt * (s.c * sum(t.values for t in theirs) + np.sin(step.end))) / (1.0 + step.dt * s.k)
            if rank == 0:
                coupling.record(x=float(x[0]), last=float(x[-1]))


def misbehave(fault: str, x: np.ndarray[Any, Any]) -> None:
    """Do what is asked for; some of it comes back."""
    match fault:
        case "raise":
            raise ValueError("the brine boiled")
        case "nan":
            x[0] = np.nan
        case "exit-0":
            os._exit(0)
        case "exit-1":
            os._exit(1)
        case "sys-exit":
            sys.exit(0)
        case "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "sleep":
            time.sleep(1000)
        case "spin":
            while True:
                pass
