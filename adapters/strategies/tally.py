"""What an adaptive run costs, and what it would have cost to solve every row in full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adapters.strategies.protocol import Context, Report

COUNTS = ("asked", "solves", "replays")
SECONDS = ("cheap", "full", "replay")


class Tally:
    """Counts of pairs of a row and a step, in all iterations, and seconds."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.counts = dict.fromkeys(COUNTS, 0)
        self.seconds = dict.fromkeys(SECONDS, 0.0)

    @contextmanager
    def timing(self, what: str) -> Iterator[None]:
        """Count the seconds that something takes."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] += time.perf_counter() - begun

    def solves(self, asked: int, full: int) -> None:
        """Count rows that were asked for, which the cheap model has answered, and those that were solved in full."""
        self.counts["asked"] += asked
        self.counts["solves"] += full

    def replays(self, steps: int) -> None:
        """Count steps that were made up for."""
        self.counts["replays"] += steps

    def report(self) -> Report:
        """Return the counts, the seconds of all ranks, and how much longer the full model would have taken alone."""
        counts = {name: int(self.context.total(number)) for name, number in self.counts.items()}
        seconds = {name: self.context.total(number) for name, number in self.seconds.items()}
        made = counts["solves"] + counts["replays"]
        found: Report = {
            "cheap evaluations": counts["asked"],
            "full solves": counts["solves"],
            "full solves to make up for history": counts["replays"],
            "seconds in the cheap model [s]": seconds["cheap"],
            "seconds in the full model [s]": seconds["full"],
            "seconds to make up for history [s]": seconds["replay"],
        }
        if made and (spent := sum(seconds.values())) > 0:
            alone = counts["asked"] * (seconds["full"] + seconds["replay"]) / made
            found |= {"seconds if all were solved in full, estimated [s]": alone, "speed-up, estimated": alone / spent}
        return found

    def save(self) -> dict[str, Any]:
        """Return the counts, for a checkpoint."""
        return {"counts": dict(self.counts), "seconds": dict(self.seconds)}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on counting."""
        self.counts, self.seconds = dict(value["counts"]), dict(value["seconds"])
