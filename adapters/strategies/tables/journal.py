"""What a micro model has answered so far, in the order in which it was asked, in a file.

Whoever asks the same questions in the same order again gets the same answers, bit for bit, from the file as far as it
goes and from the model beyond: so sampling that was interrupted goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.strategies.tables.nodes import Floats
from scalebridge import treefile
from scalebridge.treefile import TreeFileError

EVERY = 1.0  # s between two times of writing: so much is lost at most, and one batch
KIND = "part of a table"


class JournalError(Exception):
    """The file cannot be used."""


class Journal:
    """Answers.

    Parameters
    ----------
    path : None keeps nothing.
    plan : what the questions and answers follow from, as plain values; a file of another plan is refused.
    columns : of the points and of the answers.

    Attributes
    ----------
    solves, seconds : what the answers took, with those of the file.
    found : how many answers were in the file.
    """

    def __init__(self, path: Path | None, plan: Mapping[str, Any], columns: tuple[int, int]) -> None:
        self.path, self.plan = path, plan
        self.points, self.values = (np.zeros((0, count)) for count in columns)
        self.solves, self.seconds = 0, 0.0
        if path is not None and path.exists():
            self._load(path)
        self.found = len(self.points)
        self._next, self._begun = 0, time.perf_counter()
        self._saved = self._begun

    def known(self, points: Floats) -> Floats | None:
        """Return the answers (n, k) to the next question (n, d); None where there are none yet."""
        end = self._next + len(points)
        if end > len(self.points):
            return None
        if not np.array_equal(self.points[self._next : end], points):
            raise JournalError(f"{self.path}: other questions were asked there; remove it, and all is solved anew")
        self._next = end
        return self.values[end - len(points) : end]

    def keep(self, points: Floats, values: Floats, solves: int) -> None:
        """Take down an answer."""
        done = len(self.points) if self._next == len(self.points) else self._next
        self.points = np.concatenate([self.points[:done], points])
        self.values = np.concatenate([self.values[:done], values])
        self._next = len(self.points)
        self.solves += solves
        if time.perf_counter() - self._saved > EVERY:
            self.save()

    def save(self) -> None:
        """Write the file. Raises TreeFileError."""
        now = time.perf_counter()
        self.seconds += now - self._begun
        self._begun = self._saved = now
        if self.path is not None and len(self.points):
            kept = {"points": self.points, "values": self.values, "solves": self.solves, "seconds": self.seconds}
            treefile.save(self.path, {"kind": KIND, "plan": dict(self.plan), **kept})

    def remove(self) -> None:
        """Remove the file: the table is there."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _load(self, path: Path) -> None:
        try:
            tree = treefile.load(path)
        except TreeFileError as error:
            raise JournalError(f"{error}; remove it, and all is solved anew") from None
        if not isinstance(tree, dict) or tree.get("kind") != KIND:
            raise JournalError(f"{path}: is no part of a table; give another file with --out")
        if changed := [name for name in self.plan if tree["plan"].get(name) != self.plan[name]]:
            told = "; ".join(f"{name} was {tree['plan'].get(name)}, is {self.plan[name]}" for name in changed)
            raise JournalError(f"{path}: is part of another table: {told}; remove it, or give another file with --out")
        self.points, self.values = tree["points"], tree["values"]
        self.solves, self.seconds = tree["solves"], tree["seconds"]
