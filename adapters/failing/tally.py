"""How often micro simulations failed, and what helped: counted once for each of them and each time window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adapters.ranks import Rows
from scalebridge.fallbacks import Account, Use

FAILED = "failed"


class Tally:
    """Counts for the rows of this rank; the totals are those of all ranks.

    Parameters
    ----------
    names : of the policies.
    """

    def __init__(self, names: Sequence[str], ranks: Rows) -> None:
        self.names = (FAILED, *names)
        self.ranks = ranks
        self.uses = {name: Use(0, 0, 0, 0) for name in self.names}
        self._ever = {name: np.zeros(ranks.count, dtype=bool) for name in self.names}
        self._window: dict[str, set[int]] = {}
        self._iteration: dict[str, set[int]] = {}
        self._position = (0, 0)

    def save(self) -> dict[str, Any]:
        """Return what has been counted in all windows that are closed."""
        return {"uses": dict(self.uses), "ever": {name: rows.copy() for name, rows in self._ever.items()}}

    def restore(self, value: dict[str, Any]) -> None:
        """Go on from what was counted before."""
        self.uses, self._ever = dict(value["uses"]), dict(value["ever"])

    def begin(self, window: int, iteration: int) -> None:
        """Say where the run stands; what happened in an earlier iteration of the window is not final."""
        if self._position != (window, iteration):
            self._position = window, iteration
            self._iteration = {}

    def note(self, name: str, rows: Iterable[int]) -> None:
        """Note that something happened to rows of this rank. All ranks note something, be it for no row."""
        rows = set(rows)
        self._window.setdefault(name, set()).update(rows)
        self._iteration.setdefault(name, set()).update(rows)

    def in_iteration(self, names: Iterable[str]) -> set[int]:
        """Return the rows to which any of these happened in this iteration."""
        return set().union(*(self._iteration.get(name, set()) for name in names))

    def complete(self) -> bool:
        """Close a window; return whether there was anything to count. Collective."""
        for name, rows in self._window.items():
            self._ever[name][list(rows)] = True
            times, final, ever = (
                int(self.ranks.counts(int(n)).sum())
                for n in (len(rows), len(self._iteration.get(name, ())), self._ever[name].sum())
            )
            use = self.uses[name]
            self.uses[name] = Use(ever, use.windows + bool(times), use.times + times, use.final + final)
        anything = bool(self._window)
        self._window, self._iteration = {}, {}
        return anything

    def account(self, capsules: Sequence[str], consent: str) -> Account:
        """Return what has been counted in all windows that are closed."""
        used = {name: use for name, use in self.uses.items() if name != FAILED and use.times}
        return Account(self.ranks.total, self.uses[FAILED], used, tuple(capsules), consent)
