"""The folder of capsules of a run: which micro simulations that failed are kept, and a handful is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from adapters.failing.attempt import Failure
from adapters.failing.capsule import Capsule, Place, Program
from adapters.failing.policies import Problem
from adapters.micro import Array, take
from adapters.ranks import Rows
from adapters.strategies.stack import Stack
from scalebridge.runs import machine
from scalebridge.treefile import TreeFileError

MOST = 5
FOLDER = "capsules"
type Explain = Callable[[int], Failure]


@dataclass
class Capsules:
    """Writes the capsules of one participant.

    Attributes
    ----------
    output : folder of the participant.
    program : what its micro simulations are.
    written : (name, row) of the files in it that this rank has written.
    total : how many rows of all ranks have one.
    """

    output: Path
    program: Program
    written: list[tuple[str, int]] = field(default_factory=list)
    total: int = 0

    @cached_property
    def _versions(self) -> dict[str, str]:
        return machine.versions()

    def keep(self, rows: Sequence[int], explain: Explain, problem: Problem, place: Place) -> list[str]:
        """Keep rows that something stands in for: the first of those that have none yet, up to MOST in a run.

        Collective.

        Returns
        -------
        Their paths, or why they could not be written.
        """
        have = {row for _, row in self.written}
        new = [row for row in rows if row + problem.ranks.first not in have]
        counts = problem.ranks.counts(len(new))
        room = MOST - self.total - int(counts[: problem.ranks.rank].sum())
        self.total = min(MOST, self.total + int(counts.sum()))
        return [self.save([row], explain(row), problem, place) for row in new[: max(room, 0)]]

    def keep_last(
        self, rows: Sequence[int], explain: Explain, problem: Problem, place: Place
    ) -> dict[int, tuple[Failure, str]]:
        """Keep the first rows of those because of which the run stops, at most MOST. Collective.

        Returns
        -------
        row -> why it fails, and the path of its capsule, or why that could not be written.
        """
        room = MOST - int(problem.ranks.counts(len(rows))[: problem.ranks.rank].sum())
        why = {row: explain(row) for row in rows[: max(room, 0)]}
        return {row: (failure, self.save([row], failure, problem, place)) for row, failure in why.items()}

    def save(self, rows: Sequence[int], failure: Failure, problem: Problem, place: Place) -> str:
        """Keep rows in one capsule; return its path, or in parentheses why it could not be written."""
        chosen = np.array(rows, dtype=np.int64)
        name = f"{FOLDER}/{place.label}-row-{problem.ranks.first + rows[0]}.npz"
        capsule = Capsule(
            **self._what(chosen, problem, place),
            total=problem.ranks.total,
            failure=failure,
            versions=self._versions,
            machine=str(machine.describe()["system"]),
        )
        try:
            (self.output / FOLDER).mkdir(mode=0o700, exist_ok=True)
            capsule.save(self.output / name)
        except (OSError, TreeFileError) as error:
            return f"(no capsule could be written: {error})"
        self.written.append((name, int(capsule.rows[0])))
        return str(self.output / name)

    def _what(self, chosen: Array, problem: Problem, place: Place) -> dict[str, Any]:
        """Return what is to be solved again: the rows, or the question to the model that a strategy asked for them."""
        points, controls, state = problem.points[chosen], problem.driven(chosen), take(problem.state, chosen)
        rows, program = chosen + problem.ranks.first, self.program
        if isinstance(stack := problem.model, Stack):
            question = stack.question(state, points, controls, problem.dt, place.phase)
            if question is None:
                program = replace(program, strategy=stack.given, folder=str(stack.context.folder.resolve()))
            else:
                place = replace(place, phase=question.phase, dt=question.dt)
                controls, state = question.controls, question.state
                if question.count != len(rows):  # such as each of the steps by which a strategy looks ahead
                    rows, points = np.repeat(rows[:1], question.count), np.repeat(points[:1], question.count, axis=0)
        return {
            "program": program,
            "place": place,
            "rows": rows,
            "points": points,
            "controls": controls,
            "state": state,
        }

    def remedy(self, path: str, them: str = "it alone") -> str:
        """Return what to do about a micro simulation of which `save` has said `path`."""
        return path if path.startswith("(") else f"Solve {them} with: {self.program.replay(path)}"

    def names(self, ranks: Rows) -> list[str]:
        """Return the names of the files of all ranks in `output`, on rank 0; collective."""
        mine = "".join(f"{name}\n" for name, _ in self.written)
        return ranks.gather(np.frombuffer(mine.encode(), dtype=np.uint8)).tobytes().decode().splitlines()
