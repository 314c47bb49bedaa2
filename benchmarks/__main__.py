"""python -m benchmarks [exchange|mappings|quasi-newton|cells|neural|solids ...]

Prints the tables of the engine's README, side by side with libprecice where it is installed (the environment variable
PRECICE_PYTHON names an interpreter that has pyprecice, where this one does not), and those of the README beside this.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile

from benchmarks import cells, exchange, mappings, neural, quasi_newton, solids
from benchmarks.pairs import engines

PARTS = ("exchange", "mappings", "quasi-newton", "cells", "neural", "solids")


def main(parts: list[str]) -> int:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; expected one of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    found = engines()
    print(f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}\n", flush=True)
    for part in parts or PARTS:
        if part == "exchange":
            print(exchange.report(found), flush=True)
        elif part == "mappings":
            with tempfile.TemporaryDirectory() as folder:
                print(mappings.report(found, folder), flush=True)
        elif part in ("cells", "neural", "solids"):
            print({"cells": cells, "neural": neural, "solids": solids}[part].report(), flush=True)
        else:
            print(quasi_newton.report(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
