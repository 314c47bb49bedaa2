"""What a participant is started with: the hub's handout, with settings and fields as objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scalebridge.fields import Field
from scalebridge.handout import Handout
from scalebridge.progress import ProgressWriter


@dataclass(frozen=True)
class Case[S]:
    """What a participant is started with.

    Attributes
    ----------
    handout : what the hub said.
    settings : the settings, typed and in the units that were declared.
    reads, writes : the fields by name of the data, tensors as a whole.
    progress : where the participant says how far it is.
    """

    handout: Handout
    settings: S
    reads: Mapping[str, Field]
    writes: Mapping[str, Field]
    progress: ProgressWriter

    @property
    def name(self) -> str:
        """Name of the participant in the coupled case."""
        return self.handout.participant

    @property
    def config(self) -> Path:
        """The preCICE configuration."""
        return Path(self.handout.precice_config)

    @property
    def scaling(self) -> Path | None:
        """The scaling file of the case, if it has one."""
        return Path(self.handout.scaling) if self.handout.scaling else None

    @property
    def folder(self) -> Path:
        """Folder of the case; the working folder where nobody has said it."""
        return Path(self.handout.folder)

    @property
    def output(self) -> Path:
        """Folder of this participant's output."""
        return Path(self.handout.output)

    @property
    def run(self) -> Path:
        """Folder of the whole run."""
        return Path(self.handout.run)

    @property
    def seed(self) -> int:
        """Seed of all random numbers."""
        return self.handout.seed

    def for_fields(self, reads: Mapping[str, Field], writes: Mapping[str, Field]) -> Case[S]:
        """Return the same case for other fields."""
        return replace(self, reads=reads, writes=writes)
