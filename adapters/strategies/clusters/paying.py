"""Whether a strategy pays: what it costs, against what the solves would have cost that it spares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.protocol import Context, Report

PATIENCE = 3  # windows in a row in which it does not pay until it is switched off
PAUSE = 16  # windows after which it is tried whether it would pay again
GAIN = 2.0  # so many times what it costs has to be spared by then


@dataclass
class Costs:
    """What was measured since the last decision: rows that were solved and spared, and the seconds of both kinds."""

    solved: int = 0
    spared: int = 0
    audited: int = 0
    solving: float = 0.0
    auditing: float = 0.0
    beside: float = 0.0
    catching: float = 0.0

    @property
    def all(self) -> float:
        """What clustering takes [s]."""
        return self.auditing + self.beside + self.catching

    def __add__(self, other: Costs) -> Costs:
        return Costs(**{name: value + asdict(other)[name] for name, value in asdict(self).items()})


@dataclass
class Ledger:
    """Costs of all ranks, and whether the strategy is on.

    Attributes
    ----------
    last, whole : the costs since the last decision, of this rank, and those before it in the run, of all ranks.
    """

    context: Context
    last: Costs = field(default_factory=Costs)
    whole: Costs = field(default_factory=Costs)
    on: bool = True
    losses: int = 0
    off_for: int = 0
    windows_off: int = 0

    @contextmanager
    def counted(self, what: str) -> Iterator[None]:
        """Count the seconds within as `solving`, `auditing`, `beside` or `catching` up."""
        begun = perf_counter()
        try:
            yield
        finally:
            setattr(self.last, what, getattr(self.last, what) + perf_counter() - begun)

    def solved(self, leads: NDArray[np.bool_], audited: NDArray[np.bool_], seconds: float) -> None:
        """Count a step of rows (n,) in which those that lead were solved for themselves, and some for the audit."""
        solved, audits = int(leads.sum()), int((audited & ~leads).sum())
        share = audits / max(solved + audits, 1)
        self.last += Costs(solved, len(leads) - solved, audits, (1 - share) * seconds, share * seconds)

    def told(self) -> Report:
        """Return what is told of it at the end of a run; collective."""
        self.close()
        whole, spared = self.whole, self.spared(self.whole)
        return {
            "spared [s]": spared,
            "clustering and copying [s]": whole.beside,
            "audits [s]": whole.auditing,
            "making up for steps that were copied [s]": whole.catching,
            "does it pay": f"{'yes' if spared > whole.all else 'no'}, {spared:.3g} s spared for {whole.all:.3g} s",
            "windows in which it was off": self.windows_off,
        }

    def close(self) -> Costs:
        """Return the costs of all ranks since the last time, and add them to the whole; collective."""
        total = Costs(
            *(int(self.context.total(value)) for value in (self.last.solved, self.last.spared, self.last.audited)),
            *(self.context.total(getattr(self.last, name)) for name in ("solving", "auditing", "beside", "catching")),
        )
        self.last, self.whole = Costs(), self.whole + total
        return total

    def spared(self, costs: Costs) -> float:
        """Return the seconds that the rows which were not solved would have taken, as dear as the others were."""
        return costs.spared * self.whole.solving / max(self.whole.solved, 1)

    def decide(self, costs: Costs) -> None:
        """Switch off what did not pay several windows in a row."""
        loss = costs.all > self.spared(costs)
        self.losses = self.losses + 1 if loss and costs.solved else 0
        if self.losses >= PATIENCE:
            self.on, self.losses, self.off_for = False, 0, 0

    @property
    def trying(self) -> bool:
        """Whether it is time to look if it would pay again."""
        return not self.on and self.off_for >= PAUSE

    def waited(self) -> None:
        """Note a window in which it was off."""
        self.off_for += 1
        self.windows_off += 1

    def tried(self, spared: int, seconds: float) -> None:
        """Switch on again if `spared` rows were worth far more than the `seconds` that finding them took."""
        worth = self.spared(Costs(spared=spared))
        self.on, self.off_for = worth > GAIN * seconds, 0

    def save(self) -> dict[str, Any]:
        """Return the value, for a checkpoint."""
        kept = {name: getattr(self, name) for name in ("on", "losses", "off_for", "windows_off")}
        return {"last": asdict(self.last), "whole": asdict(self.whole), **kept}

    def restore(self, value: dict[str, Any]) -> None:
        """Take back a value that `save` returned."""
        self.last, self.whole = Costs(**value["last"]), Costs(**value["whole"])
        for name in ("on", "losses", "off_for", "windows_off"):
            setattr(self, name, value[name])
