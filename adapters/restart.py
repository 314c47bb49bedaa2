"""The part of one process in the checkpoints of a run: what it saves at the end of windows, and where it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters import trees
from adapters.case import Case
from adapters.keeping import Keepable
from adapters.wiring import CouplingError
from scalebridge import checkpoints
from scalebridge.checkpoints import CheckpointError, Plan
from scalebridge.treefile import TreeFileError


class Restart:
    """Saves what a process needs to go on, and hands out what an earlier one saved.

    Attributes
    ----------
    memory : what the earlier process saved; None where the run begins at its start.
    window, time : the window after which the run goes on, and when it ended [s].
    """

    def __init__(self, case: Case[Any], rank: int, ranks: int) -> None:
        self.name, self.rank = case.name, rank
        self.folder = Path(case.handout.checkpoints)
        self.plan: Plan | None = None
        self.memory: dict[str, Any] | None = None
        self.window, self.time = 0, 0.0
        self._things: dict[str, Keepable] = {}
        if not case.handout.checkpoints:
            return
        try:
            self.plan = Plan.load(self.folder)
            if self.plan.ranks.get(case.name) != ranks:
                raise CheckpointError(f"{case.name} runs on {ranks} ranks, not {self.plan.ranks.get(case.name)}")
            if self.plan.resume:
                self.window = self.plan.resume
                self.time, self.memory = checkpoints.read(self.folder, self.plan, case.name, rank)
        except CheckpointError as error:
            raise CouplingError(str(error)) from None
        if self.memory is not None and self.memory["coupling"] is None:
            raise CouplingError(f"{self.name} was saved with libprecice, which cannot go on from a checkpoint")

    @property
    def on(self) -> bool:
        """Whether checkpoints are written."""
        return self.plan is not None and self.plan.every > 0

    def due(self, window: int) -> bool:
        """Whether the end of this window is saved."""
        return self.plan is not None and self.plan.every > 0 and window % self.plan.every == 0

    def add(self, name: str, thing: Keepable) -> None:
        """Save `thing` with every checkpoint, and give it back now what an earlier process saved of it."""
        if name in self._things:
            raise CouplingError(f"'{name}' is part of the checkpoints already: give each of its kind a name of its own")
        self._things[name] = thing
        if self.on:
            self.tree(thing.save(), name)  # tells at once what cannot be saved
        if self.memory is not None:
            if name not in self.memory["things"]:
                raise CouplingError(f"the checkpoint of {self.name} has no '{name}'")
            thing.restore(self.restored(self.memory["things"][name], thing.save(), name))

    def tree(self, value: Any, place: str) -> Any:
        """Return a value as a tree that a file can hold. Raises CouplingError with its place."""
        try:
            return trees.tree(value, place)
        except trees.NotATree as error:
            raise CouplingError(f"{self.name} cannot be saved for a restart: {error}") from None

    def restored(self, tree: Any, like: Any, place: str) -> Any:
        """Return the value that `tree` was made of; `like` is one of the same kind."""
        try:
            return trees.value(tree, like, place)
        except trees.NotATree as error:
            raise CouplingError(f"{self.name} cannot go on from its checkpoint: {error}") from None

    def save(self, window: int, time: float, body: dict[str, Any]) -> None:
        """Write the part of this process in the checkpoint of a window that ended at `time` [s]."""
        assert self.plan is not None
        things = {name: self.tree(thing.save(), name) for name, thing in self._things.items()}
        try:
            checkpoints.write(
                self.folder,
                self.plan,
                self.name,
                self.rank,
                window=window,
                time=time,
                body={**body, "things": things},
            )
        except (CheckpointError, TreeFileError) as error:
            raise CouplingError(str(error)) from None
