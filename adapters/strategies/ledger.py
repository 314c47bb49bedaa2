"""The books of an adaptive run: what is known of each row, what a time window has shown, what the next one does.

Everything here is about all rows of all ranks. Rows are *chosen* for the full model by the estimate of their error;
others are *audited*, drawn by lot. The *rest* has the answers of the cheap model. Audited rows that are not chosen are
a random sample of rows that are not chosen, and so they tell of the rest.

Columns (n, ...): weight; stated, before (o): what the cheap model said of its error in the last window, and in the one
before that; error (o) of the cheap model where it is known because the row was solved; solved, chosen, audited; since:
for how many windows it has been chosen; size (o): the largest value so far; feature (f): where the row is; seen,
said (h, o): errors of the sample and what was said of them, in the last windows; known-error (o), known-place (f) and
known-age of the last time when it was solved; pending: steps to make up for; draw in [0, 1).
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

WINDOWS = 8  # for which errors are kept that tell of others
GROWTH = 4.0  # of an error in a window, as far as it is foreseen
MARGIN = 0.8  # of the tolerance is given away: loads go on while a window lasts
FLOOR = 0.01  # of the tolerance: an error that does not matter


@dataclass(frozen=True)
class Rules:
    """How rows are chosen.

    Attributes
    ----------
    tolerance : of the weighted sum of relative errors.
    level : share of the errors that are to be below their estimates.
    stay : windows for which a chosen row is solved in full at least.
    release : share of the tolerance for which a row must not be needed, before it is let go.
    audit : share of the rows that are drawn by lot.
    warm_up : first windows, in which all rows are chosen.
    memory : steps that are made up for at most.
    learned : whether the cheap model says nothing of its error, so that what is known of others is used.
    usual : (o,) how large the observables are as a rule, for as long as all of them have been zero; 0 if unknown.
    """

    tolerance: float
    level: float
    stay: int
    release: float
    audit: float
    warm_up: int
    memory: int
    learned: bool
    usual: tuple[float, ...] = ()


@dataclass(frozen=True)
class Window:
    """What a window has shown, absolutely, for o observables.

    Attributes
    ----------
    scale : (o,) the largest values of the run so far, to which errors are relative.
    bound : (o,) weighted sum of the estimated errors of the rest.
    sampled, said : (n, o) weighted errors of the sample and what was said of them, both times what the rest weighs
        over what the sample weighs; zero for the others.
    audited : (n,) which rows are that sample.
    unknown : (n,) rows of the rest of whose error nothing was known.
    squares : (o,) weighted sum of squares of the estimated errors of the rest.
    """

    scale: Array
    bound: Array
    sampled: Array
    said: Array
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


def scale(columns: Columns, rules: Rules) -> Array:
    """Return the largest values (o,) of the run so far; where all were zero what is usual, or 1."""
    largest = columns["size"].max(axis=0, initial=0)
    usual = np.array(rules.usual or np.zeros(len(largest)))
    return np.asarray(np.where(largest > 0, largest, np.where(usual > 0, usual, 1.0)))


def close(columns: Columns, factor: Array, rules: Rules) -> Window:
    """Return what a window has shown; `factor` (o,) is what was known of the cheap model when it began."""
    largest = scale(columns, rules)
    weights = _weights(columns)
    chosen, audited = columns["chosen"] > 0, columns["audited"] > 0
    known = (columns["stated"] < UNKNOWN).all(axis=1)
    rest, sample = ~chosen & ~audited & known, audited & ~chosen & known
    estimates = factor * np.maximum(columns["stated"], FLOOR * rules.tolerance * largest)
    left, drawn = weights[rest].sum(), weights[sample].sum()
    stands_for = (np.where(sample, weights, 0.0) * (left / drawn if drawn > 0 else 0.0))[:, None]
    return Window(
        scale=largest,
        bound=weights[rest] @ estimates[rest],
        sampled=stands_for * np.where(sample[:, None], columns["error"], 0.0),
        said=stands_for * estimates,
        audited=sample if left > 0 else np.zeros_like(sample),
        unknown=~chosen & ~audited & ~known,
        squares=weights[rest] @ estimates[rest] ** 2,
    )


def sampled(columns: Columns, rules: Rules, window: int) -> tuple[Array, Array]:
    """Return the errors, and what was said of them, (n, h, o) each, with those of window `window`, which has ended.

    Rows that were chosen are no sample of those that were not, unless all were. Where every audited row was chosen they
    still are one of all rows. A window without a sample leaves what was known before.
    """
    known = (columns["stated"] < UNKNOWN).all(axis=1)
    audited = (columns["audited"] > 0) & known
    rest = audited & (columns["chosen"] == 0)
    sample = (columns["solved"] > 0) & known if window <= rules.warm_up else rest if rest.any() else audited
    if not sample.any():
        return columns["seen"], columns["said"]
    said = np.maximum(columns["stated"], FLOOR * rules.tolerance * scale(columns, rules))
    newest = {"seen": np.where(sample[:, None], columns["error"], NONE), "said": np.where(sample[:, None], said, 0.0)}
    seen, told = (np.concatenate([new[:, None], columns[name][:, :-1]], axis=1) for name, new in newest.items())
    return seen, told


def decide(columns: Columns, rules: Rules, window: int) -> Decision:
    """Return what is done in the next window, number `window` from 1; what was seen and said is up to date."""
    largest = scale(columns, rules)
    stated = _foretold(columns, rules)
    seen, said = columns["seen"], columns["said"]
    if rules.learned and not (seen >= 0).any():
        seen, said = _looking_back(columns, stated, rules)
    o = range(seen.shape[2])
    factor = np.array([estimator.factor(seen[:, :, i], said[:, :, i], rules.level) for i in o])
    audited = lots.sample(columns["draw"], rules.audit)
    if window <= rules.warm_up:
        n = len(audited)
        return Decision(np.ones(n, bool), audited, np.full(n, rules.stay), stated, factor)
    trend = stated if rules.learned else _trend(stated, columns["before"])
    expected = factor * np.maximum(trend, FLOOR * rules.tolerance * largest)
    seen_now = np.where(columns["solved"][:, None] > 0, columns["error"], 0.0)  # no estimate hides what is known
    relative = np.maximum(expected, seen_now) / largest
    gains = _weights(columns) * np.where((stated < UNKNOWN).all(axis=1), relative.max(axis=1), np.inf)
    costs = 1 + columns["pending"] / rules.stay
    budget = MARGIN * rules.tolerance
    wanted = greedy.choose(gains, costs, rules.release * budget)  # if it were less: so nothing goes to and fro
    kept = (columns["chosen"] > 0) & ((columns["since"] < rules.stay) | wanted)
    forced = kept | (columns["pending"] >= rules.memory)
    chosen = greedy.choose(gains, costs, budget, forced)
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


def _trend(stated: Array, before: Array) -> Array:
    """Return what errors (n, o) will be if they go on growing as they did, by a difference or by a factor."""
    factor = np.minimum(stated / np.where(before > 0, before, 1.0), GROWTH)
    by_factor = stated * np.where(before > 0, factor, GROWTH)
    return np.where(stated > before, np.maximum(2 * stated - before, by_factor), stated)


def _looking_back(columns: Columns, stated: Array, rules: Rules) -> tuple[Array, Array]:
    """Return the errors of the last window and what rows nearby would have said of them, where nothing was foretold."""
    solved = (columns["solved"] > 0)[:, None] & (stated < UNKNOWN)
    said = np.maximum(stated, FLOOR * rules.tolerance * scale(columns, rules))
    return np.where(solved, columns["error"], NONE)[:, None], np.where(solved, said, 0.0)[:, None]
