"""The books of an adaptive run: what is known of each row, what a time window has shown, what the next one does.

Everything here is about all rows of all ranks. Rows are *chosen* for the full model by the estimate of their error;
others are *audited*, drawn by lot. The *rest* has the answers of the cheap model. Audited rows that are not chosen are
a random sample of rows that are not chosen, and so they tell of the rest.

Columns (n, ...): weight; stated, before (o): what the cheap model said of its error in the last window, and in the one
before that; error (o) of the cheap model where it is known because the row was solved; solved, chosen, audited; since:
for how many windows it has been chosen; size (o): the largest value so far; feature (f): where the row is; scores
(h, o); known-error (o), known-place (f) and known-age of the last time when it was solved; pending: steps to make up
for; draw in [0, 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.strategies import estimator, greedy, lots
from adapters.strategies.estimator import NONE, UNKNOWN

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Columns = Mapping[str, Array]

WINDOWS = 8  # for which scores are kept, and errors that tell of others
FLOOR = 0.01  # of the tolerance: an error that does not matter


@dataclass(frozen=True)
class Rules:
    """How rows are chosen.

    Attributes
    ----------
    tolerance : of the weighted sum of relative errors.
    level : share of the errors that are to be below their estimates.
    stay : windows for which a chosen row is solved in full at least.
    release : share of what makes a row chosen, below which it is let go.
    audit : share of the rows that are drawn by lot.
    warm_up : first windows, in which all rows are chosen.
    memory : steps that are made up for at most.
    learned : whether the cheap model says nothing of its error, so that what is known of others is used.
    """

    tolerance: float
    level: float
    stay: int
    release: float
    audit: float
    warm_up: int
    memory: int
    learned: bool


@dataclass(frozen=True)
class Window:
    """What a window has shown, absolutely, for o observables.

    Attributes
    ----------
    scale : (o,) the largest values of the run so far, to which errors are relative.
    bound : (o,) weighted sum of the estimated errors of the rest.
    sampled : (n, o) what each audited row stands for in the error of the rest; zero for the others.
    audited : (n,) which rows are that sample.
    unknown : (n,) rows of the rest of whose error nothing was known.
    squares : (o,) weighted sum of squares of the estimated errors of the rest.
    """

    scale: Array
    bound: Array
    sampled: Array
    audited: Mask
    unknown: Mask
    squares: Array

    @property
    def relative(self) -> float:
        """The bound, relative to the scale; of several observables the largest."""
        return float((self.bound / self.scale).max())


@dataclass(frozen=True)
class Decision:
    """What the next window does: rows that are chosen and audited, and what is foretold of the errors of all."""

    chosen: Mask
    audited: Mask
    since: NDArray[np.int64]
    stated: Array
    factor: Array


def scale(columns: Columns) -> Array:
    """Return the largest values (o,) of the run so far, 1 where all were zero."""
    largest = columns["size"].max(axis=0, initial=0)
    return np.asarray(np.where(largest > 0, largest, 1.0))


def close(columns: Columns, factor: Array, rules: Rules) -> Window:
    """Return what a window has shown; `factor` (o,) is what was known of the cheap model when it began."""
    largest = scale(columns)
    weights = _weights(columns)
    chosen, audited = columns["chosen"] > 0, columns["audited"] > 0
    known = (columns["stated"] < UNKNOWN).all(axis=1)
    rest, sample = ~chosen & ~audited & known, audited & ~chosen & known
    estimates = factor * np.maximum(columns["stated"], FLOOR * rules.tolerance * largest)
    left, drawn = weights[rest].sum(), weights[sample].sum()
    stands_for = np.where(sample, weights, 0.0) * (left / drawn if drawn > 0 else 0.0)
    return Window(
        scale=largest,
        bound=weights[rest] @ estimates[rest],
        sampled=np.where(sample[:, None], stands_for[:, None] * columns["error"], 0.0),
        audited=sample if left > 0 else np.zeros_like(sample),
        unknown=~chosen & ~audited & ~known,
        squares=weights[rest] @ estimates[rest] ** 2,
    )


def scored(columns: Columns, rules: Rules) -> Array:
    """Return the scores (n, h, o) with those of the last window."""
    found = estimator.scores(columns["error"], columns["stated"], FLOOR * rules.tolerance * scale(columns))
    newest = np.where(columns["solved"][:, None] > 0, found, NONE)
    return np.concatenate([newest[:, None], columns["scores"][:, :-1]], axis=1)


def decide(columns: Columns, rules: Rules, window: int) -> Decision:
    """Return what is done in the next window, number `window` from 1; the scores are up to date."""
    largest = scale(columns)
    stated = _foretold(columns, rules)
    factor = np.array([estimator.factor(kept, rules.level) for kept in np.moveaxis(columns["scores"], 2, 0)])
    if rules.learned and not (columns["scores"] >= 0).any():
        factor = _first_factor(columns, stated, rules)
    audited = lots.sample(columns["draw"], rules.audit)
    if window <= rules.warm_up:
        n = len(audited)
        return Decision(np.ones(n, bool), audited, np.full(n, rules.stay), stated, factor)
    trend = stated if rules.learned else np.maximum(stated, 2 * stated - columns["before"])
    relative = factor * np.maximum(trend, FLOOR * rules.tolerance * largest) / largest
    gains = _weights(columns) * np.where((stated < UNKNOWN).all(axis=1), relative.max(axis=1), np.inf)
    costs = 1 + columns["pending"] / rules.stay
    margin = greedy.marginal(gains, costs, rules.tolerance)
    worth = gains / costs >= rules.release * margin
    kept = (columns["chosen"] > 0) & ((columns["since"] < rules.stay) | worth)
    forced = kept | (columns["pending"] >= rules.memory)
    chosen = greedy.choose(gains, costs, rules.tolerance, forced)
    since = np.where(chosen, columns["since"].astype(np.int64) + 1, 0)
    return Decision(chosen, audited, since, stated, factor)


def _weights(columns: Columns) -> Array:
    return np.asarray(columns["weight"] / columns["weight"].sum())


def _foretold(columns: Columns, rules: Rules) -> Array:
    """Return what is foretold of the errors (n, o): what the cheap model says, or else what is known of rows nearby."""
    if not rules.learned:
        return columns["stated"]
    known = np.flatnonzero((columns["known-age"] >= 0) & (columns["known-age"] < WINDOWS))
    place, error = (columns[f"known-{what}"][known] for what in ("place", "error"))
    return estimator.neighbours(columns["feature"], known, place, error)


def _first_factor(columns: Columns, stated: Array, rules: Rules) -> Array:
    """Return the factors (o,) where nothing was ever foretold: how well rows nearby would have told the errors."""
    found = estimator.scores(columns["error"], stated, FLOOR * rules.tolerance * scale(columns))
    newest = np.where(columns["solved"][:, None] > 0, found, NONE)
    return np.array([estimator.factor(kept[:, None], rules.level) for kept in newest.T])
