"""Runs two programs that couple with each other, on the embedded engine or on libprecice, and collects results."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "PRECICE_PYTHON"  # environment variable: the interpreter that has the bindings of libprecice
LIMIT = 900  # seconds


class PairError(Exception):
    """A program failed or took too long."""


def engines() -> list[str]:
    """Return the engines that can be measured here."""
    real = PYTHON in os.environ or importlib.util.find_spec("precice") is not None
    return ["embedded", "precice"] if real else ["embedded"]


def run(engine: str, config: str, program: str, *arguments: object) -> dict[str, Any]:
    """Run `program NAME ARGUMENTS` for the participants One and Two; return what each wrote to NAME.json."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    python = sys.executable
    if engine == "embedded":
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "scalebridge" / "embedded" / "module"), str(ROOT)])
    else:
        python = os.environ.get(PYTHON, sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "case.xml").write_text(config)
        with open(os.path.join(folder, "output"), "w") as output:
            processes = [
                subprocess.Popen(
                    [python, "-c", program, name, *map(str, arguments)],
                    cwd=folder,
                    env=environment,
                    stdout=output,
                    stderr=output,
                )
                for name in ("One", "Two")
            ]
            well = _wait(processes)
        if not well:
            raise PairError(Path(folder, "output").read_text()[-2000:])
        return {name: json.loads(Path(folder, f"{name}.json").read_text()) for name in ("One", "Two")}


def _wait(processes: list[subprocess.Popen[bytes]]) -> bool:
    """Return whether all end well; where one fails or it takes too long, the others are killed: they would wait."""
    deadline = time.monotonic() + LIMIT
    while any(p.poll() is None for p in processes):
        if any(p.poll() for p in processes) or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
    return not any(p.returncode for p in processes)


def table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"**{title}**", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])


def seconds(value: float | None) -> str:
    """Return a time with three digits and a unit that fits, or a dash."""
    if value is None:
        return "-"
    for factor, unit in ((1e6, "µs"), (1e3, "ms"), (1.0, "s")):
        if value * factor < 1000 or unit == "s":
            return f"{value * factor:.3g} {unit}"
    raise AssertionError
