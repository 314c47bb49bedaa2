"""python -m torture [--runs N] [--mutations N] [--seed N] [--table FILE]

Breaks N runs, one after the other, and N configurations, and prints a table of what became of them. The exit status is
1 where a promise was not kept, and what it was stands below the table.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from torture.faults import plans
from torture.table import table
from torture.trial import ROOT, Result, Trial


def main(arguments: list[str]) -> int:
    """Break runs and configurations; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m torture", description="Break runs and configurations on purpose.")
    parser.add_argument("--runs", type=int, default=100, help="how many runs (default: %(default)s)")
    parser.add_argument("--mutations", type=int, default=10000, help="how many configurations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all random numbers (default: %(default)s)")
    parser.add_argument("--engine", choices=("embedded", "precice"), default="embedded", help="of the runs")
    parser.add_argument("--table", type=Path, help="file for the table of the runs, as Markdown")
    given = parser.parse_args(arguments)
    results = _runs(given.runs, given.seed, given.engine)
    text = table(results, f"{os.cpu_count()} processors, Python {platform.python_version()}, seed {given.seed}")
    print(text, flush=True)
    broken = [result for result in results if result.problems]
    for result in broken:
        print(f"\n{result.plan}: {'; '.join(result.problems)}\n{result.message}")
    command = [sys.executable, "-m", "tests.mutations", str(given.mutations), str(given.seed)]
    mutated = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    print(mutated.stdout)
    if given.table is not None:
        told = mutated.stdout.strip().replace("\n", "; ")
        given.table.write_text(f"# The last result\n\n{text}\n{told}.\n", encoding="utf-8")
    return 1 if broken or mutated.returncode else 0


def _runs(count: int, seed: int, engine: str) -> list[Result]:
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        trial = Trial(Path(folder), engine)
        begun = time.monotonic()
        for number, plan in enumerate(plans(count, seed)):
            results.append(trial(plan, number))
            problems = "; ".join(results[-1].problems) or "as promised"
            print(f"{time.monotonic() - begun:6.0f} s  {number + 1:3}  {plan}: {problems}", flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
