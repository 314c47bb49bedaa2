"""Weights that balance the primary data of a coupling against each other.

Uekermann, Partitioned fluid-structure interaction on massively parallel systems, PhD thesis, TU Munich (2016), 4.1;
Marks, Luke, "Robust mixing for ab initio quantum mechanical calculations", Phys. Rev. B 78 (2008) 075114.
Each data has one weight; what is updated when follows preCICE 3.4.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from scalebridge.embedded.acceleration import Floats
from scalebridge.embedded.acceleration.settings import AccelerationConfig
from scalebridge.embedded.acceleration.stepwise import norm, squared_norm

ZERO = 1e-14  # what counts as zero
THRESHOLD = 10.0  # residual sums that change by less keep their weights

_log = logging.getLogger(__name__)


class Preconditioner:
    """Constant weights 1 / scaling; the base of the others.

    Attributes
    ----------
    weights, inverse : (number of primary data,).
    changed : whether the weights were set anew; whoever factorises with them resets it.
    """

    def __init__(self, names: Sequence[str], scaling: Sequence[float] | Floats, freeze_after: int = -1) -> None:
        self.inverse = np.array(scaling, dtype=float)
        self.weights = 1.0 / self.inverse
        self.changed = False
        self._names = names
        self._freeze_after = freeze_after
        self._windows = 0
        self._frozen = False

    def update(self, complete: bool, values: Sequence[Floats], residuals: Sequence[Floats]) -> None:
        """Adapt the weights to the values and residuals of each data, after an iteration or a complete window."""
        if self._frozen:
            return
        if complete:
            self._windows += 1
            self._frozen = 0 < self._freeze_after <= self._windows
        self._update(complete, values, residuals)

    def _update(self, complete: bool, values: Sequence[Floats], residuals: Sequence[Floats]) -> None:
        pass

    def _set_inverse(self, norms: Floats) -> None:
        """Set weights to 1 / norms, and say which ones cannot be."""
        usable = norms > ZERO
        self.weights[usable] = 1.0 / norms[usable]
        self.inverse[usable] = norms[usable]
        self.changed = True
        for i in np.flatnonzero(~usable):
            _log.warning("data %s became zero in the preconditioner; its weight stays as it was", self._names[int(i)])


class ValuePreconditioner(Preconditioner):
    """Weights by the norm of the values of the last window (of the iteration, in the first window)."""

    _started = False

    def _update(self, complete: bool, values: Sequence[Floats], residuals: Sequence[Floats]) -> None:
        if complete or not self._started:
            self._set_inverse(_norms(values))
            self._started = True


class ResidualPreconditioner(Preconditioner):
    """Weights by the norm of the residual of the iteration."""

    def _update(self, complete: bool, values: Sequence[Floats], residuals: Sequence[Floats]) -> None:
        if not complete:
            self._set_inverse(_norms(residuals))


class ResidualSumPreconditioner(Preconditioner):
    """Weights by the sum over the window's iterations of each data's share in the residual."""

    def __init__(self, names: Sequence[str], freeze_after: int, on_threshold: bool) -> None:
        super().__init__(names, np.ones(len(names)), freeze_after)
        self._on_threshold = on_threshold
        self._first_window = True
        self._sum = np.zeros(len(names))
        self._used = np.zeros(len(names))

    def _update(self, complete: bool, values: Sequence[Floats], residuals: Sequence[Floats]) -> None:
        if complete:
            self._first_window = False
            self._sum[:] = 0.0
            return
        norms = _norms(residuals)
        total = float(np.sqrt(sum(squared_norm(part) for part in residuals)))
        if total > ZERO:
            self._sum += norms / total
        if self._first_window or not self._on_threshold or self._changed():
            self._set_inverse(self._sum)
            self._used = self._sum.copy()

    def _changed(self) -> bool:
        nonzero = self._sum > ZERO
        ratio = self._used[nonzero] / self._sum[nonzero]
        return bool(np.any((ratio > THRESHOLD) | (ratio < 1.0 / THRESHOLD)))


def create_preconditioner(config: AccelerationConfig) -> Preconditioner:
    """Build the preconditioner of an acceleration."""
    names = [entry.data for entry in config.data]
    ones = np.ones(len(names))
    freeze_after = config.preconditioner.freeze_after
    match config.preconditioner.kind:
        case "constant":
            return Preconditioner(names, [entry.scaling for entry in config.data])
        case "value":
            return ValuePreconditioner(names, ones, freeze_after)
        case "residual":
            return ResidualPreconditioner(names, ones, freeze_after)
    return ResidualSumPreconditioner(names, freeze_after, config.preconditioner.update_on_threshold)


def _norms(parts: Sequence[Floats]) -> Floats:
    return np.array([norm(part) for part in parts])
