"""For tests of the embedded engine: programs that couple with each other, run quickly (tests/reference/server.py).

With the environment variable ENGINE=precice they run on the libprecice that is installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REFERENCE = HERE / "reference"
REAL = os.environ.get("ENGINE") == "precice"


def engine_environment() -> dict[str, str]:
    """Return the environment in which `import precice` is the engine under test."""
    path = [] if REAL else [str(HERE.parent / "scalebridge" / "embedded" / "module"), str(HERE.parent)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*path, str(REFERENCE)]), "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit status, after how many seconds, and all that it printed."""

    status: int | str
    seconds: float
    output: str


class Server:
    """Runs jobs, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, folder: Path, programs: Mapping[str, Sequence[object]], limit: float = 60.0) -> dict[str, Ended]:
        """Run programs in `folder` until all have ended, and tell of each in the order given."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        commands = {name: [str(part) for part in program] for name, program in programs.items()}
        job = {"folder": str(folder), "programs": commands, "limit": limit}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return {name: Ended(*answer[name], (folder / f"{name}.out").read_text()) for name in programs}


@contextmanager
def running() -> Iterator[Server]:
    """Start a server and stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, str(REFERENCE / "server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=engine_environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Server(process)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
