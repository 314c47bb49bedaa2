"""Interface quasi-Newton methods with inverse Jacobians; IQN-ILS.

The coupling is a fixed point x = H(x) with residual r = H(x) - x. Differences of residuals (columns of V) and of H(x)
(columns of W) give the step  H(x) + W c  with  c = argmin |V c + r|.
Degroote, Bathe, Vierendeels, "Performance of a new partitioned procedure versus a monolithic procedure in
fluid-structure interaction", Comput. Struct. 87 (2009) 793-801.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from scalebridge.embedded.acceleration import AccelerationError, Floats, Iterate, Key
from scalebridge.embedded.acceleration.bounds import keep_within_bounds
from scalebridge.embedded.acceleration.columns import ColumnStack
from scalebridge.embedded.acceleration.constant import relax
from scalebridge.embedded.acceleration.least_squares import LeastSquares, create_least_squares
from scalebridge.embedded.acceleration.preconditioner import create_preconditioner
from scalebridge.embedded.acceleration.settings import AccelerationConfig
from scalebridge.embedded.acceleration.unknowns import Unknowns

_log = logging.getLogger(__name__)


class QuasiNewton:
    """What all interface quasi-Newton methods share: the history of differences and when it is kept or dropped.

    A method adds `_step`, and what it has to do when columns come and go and when a window is complete.
    """

    def __init__(self, config: AccelerationConfig) -> None:
        self._config = config
        self._primary = [(entry.mesh, entry.data) for entry in config.data]
        self._reused = config.time_windows_reused_or_default
        self._preconditioner = create_preconditioner(config)
        self._first_iteration = True
        self._first_window = True
        self._counts = [0]  # columns of each time window, newest first
        self._deleted = self._dropped = 0
        self._unknowns: Unknowns
        self._values: Floats  # H(x) of all data
        self._residuals: list[Floats]  # H(x) - x of each primary data
        self._old_values: Floats
        self._old_residuals: list[Floats]
        self._v: LeastSquares
        self._w: ColumnStack

    # What a method adds

    def _start(self) -> None:
        """Forget everything; the unknowns may have changed."""

    def _column_added(self) -> None:
        """Take note of the column that has just been put in front of V and W."""

    def _column_removed(self, index: int) -> None:
        """Take note of a column that has just been removed from V and W."""

    def _columns_cleared(self) -> None:
        """Take note that all columns were exchanged."""

    def _step(self, coefficients: Floats) -> Floats:
        """Return the step to add to H(x), given the coefficients c (columns,)."""
        raise AssertionError("each method defines its step")

    def _window_converged(self) -> None:
        """Learn from a complete window, before old columns are dropped."""

    # What a scheme calls

    def accelerate(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Relax in the very first iteration; otherwise take a quasi-Newton step."""
        self._observe(iterates, start)
        if self._relaxes():
            self._remember()
            relax(self._config.relaxation_or_default, iterates, start)
            self._first_iteration = False
            return
        self._preconditioner.update(False, self._primary_values(), self._residuals)
        _, filtered = self._filter()
        if self._first_iteration:  # the counts of the last window have been logged
            self._deleted, self._dropped = filtered, 0
        step = self._step(self._v.solve(self._residuals, self._preconditioner.weights))
        better = self._values + step
        if not np.isfinite(better).all():
            raise AccelerationError(
                "the quasi-Newton step is not a number: the coupling iteration diverged, or a participant writes the "
                "same data in succeeding iterations or does not restore its checkpoint; or try a larger filter limit"
            )
        keep_within_bounds(better, step, iterates, self._unknowns.slices, self._config.on_bound_violation)
        if self._first_iteration and self._reused == 0 and not self._config.enforce_initial_relaxation:
            self._clear([0])  # the columns of the last window only replaced a relaxation
        self._unknowns.replace(iterates, better, start)
        self._first_iteration = False

    def window_complete(self, iterates: Mapping[Key, Iterate], start: float, end: float) -> None:
        """Add the last differences and drop those of windows that are too old."""
        self._observe(iterates, start)
        if self._counts and self._counts[0] == 0:
            self._counts.pop(0)
        self._window_converged()
        self._first_window = self._first_window and self._first_iteration
        self._preconditioner.update(True, self._primary_values(), self._residuals)
        if self._reused == 0:
            if self._config.enforce_initial_relaxation:
                self._clear([])
        elif len(self._counts) > self._reused:
            old = self._counts.pop()
            self._dropped += old
            for _ in range(old):
                self._v.pop_back()
                self._w.remove(-1)
                self._column_removed(-1)
        self._counts.insert(0, 0)
        self._first_iteration = True

    def log_entries(self) -> dict[str, int]:
        """Return the columns in use, those that the filter deleted, and those that became too old."""
        return {"QNColumns": sum(self._counts), "DeletedQNColumns": self._deleted, "DroppedQNColumns": self._dropped}

    # The history

    def _relaxes(self) -> bool:
        return self._first_iteration and (self._first_window or self._config.enforce_initial_relaxation)

    def _observe(self, iterates: Mapping[Key, Iterate], start: float) -> None:
        """Gather values and residuals, and put their differences to the last iteration in front of V and W."""
        if self._first_iteration and self._first_window:
            self._unknowns = Unknowns(iterates, self._primary, self._config.reduced_time_grid, start)
            self._clear(self._counts)
            self._start()
        if self._first_iteration:
            self._unknowns.move(iterates)
        self._values = self._unknowns.new(iterates, start)
        self._residuals = self._unknowns.residuals(iterates, self._values, start)
        if all(np.linalg.norm(part) <= 1e-14 for part in self._residuals):
            _log.warning(
                "the coupling residual is zero: did the participants write new data, and read the received data?"
            )
        if self._relaxes():
            return
        if not self._first_iteration:
            self._add_column()
        self._remember()

    def _add_column(self) -> None:
        full = self._v.columns == self._config.max_used_iterations_or_default or self._v.columns > self._v.rows
        parts = [new - old for new, old in zip(self._residuals, self._old_residuals, strict=True)]
        self._v.push_front(parts, self._preconditioner.weights)
        self._w.push_front(self._values - self._old_values)
        self._counts[0] += 1
        self._column_added()
        if full:
            self._v.pop_back()
            self._removed(-1)
            self._dropped += 1

    def _remember(self) -> None:
        self._old_values = self._values
        self._old_residuals = self._residuals

    def _filter(self) -> tuple[int, int]:
        """Remove the columns that cannot be factorised or that the filter leaves out; return their numbers."""
        preconditioner = self._preconditioner
        unfit, filtered = self._v.filter(preconditioner.weights, preconditioner.inverse, preconditioner.changed)
        preconditioner.changed = False
        for index in unfit + filtered:
            self._removed(index)
        self._deleted += len(unfit) + len(filtered)
        return len(unfit), len(filtered)

    def _removed(self, index: int) -> None:
        """Follow V, from which a column was removed."""
        self._w.remove(index)
        self._column_removed(index)
        ends = np.cumsum(self._counts)
        window = int(np.searchsorted(ends, index % ends[-1], side="right"))
        self._counts[window] -= 1
        if self._counts[window] == 0:
            del self._counts[window]
        if not self._counts:
            self._counts = [0]

    def _clear(self, counts: list[int]) -> None:
        """Start with an empty V and W."""
        lengths = [part.stop - part.start for part in self._unknowns.primary]
        self._v = create_least_squares(lengths, self._config.filter)
        self._w = ColumnStack(self._unknowns.size)
        self._counts = counts
        self._columns_cleared()

    def _primary_values(self) -> list[Floats]:
        return [self._values[part] for part in self._unknowns.primary]


class InverseLeastSquares(QuasiNewton):
    """IQN-ILS: the Jacobian of least change is not kept; columns of past windows are reused instead."""

    def _step(self, coefficients: Floats) -> Floats:
        return self._w.combine(coefficients)
