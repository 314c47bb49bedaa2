"""How long things take: `python -m benchmarks` (or `make bench`) prints the tables of the engine's README."""
