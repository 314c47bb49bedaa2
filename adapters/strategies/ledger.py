"""The books of an adaptive run: what is known of each row, what a time window has shown, what the next one does.

Everything here is about all rows of all ranks. Rows are *chosen* for the full model by the estimate of their error;
others are *audited*, drawn by lot, more often where errors are expected. The *rest* has the answers of the cheap model.
Whether a row is drawn has nothing to do with whether it is chosen, so audited rows that are not chosen are a random
sample of rows that are not, and tell of the rest: one that is drawn with probability p stands for (1 - p) / p others.

Columns (n, ...): weight; stated (o): what the cheap model said of its error in the last window; foretold (o): what it
says of that in the next one, if controls go on as they do; error (o) of the cheap model where it is known because the
row was solved; solved, chosen, audited; since: for how many windows it has been chosen; size (o): the largest value so
far; feature (f): where the row is; seen, said (h, o): errors of the sample and what was said of them, in the last
windows, each times what it stands for; included: probability of having been drawn so far; known-error (o), known-place
(f) and known-age of the last time when it was solved; pending: steps to make up for; draw in [0, 1).
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
MARGIN = 0.8  # of the tolerance is given away: loads go on while a window lasts
BEGUN = 0.1  # of what is usual: less has only begun
NOTHING = 1e-150  # of what is relative to it all errors are large
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
    fresh : whether each window has a sample of its own; else drawn rows stay in it, because rows with a memory would
        have to make up for all that they missed.
    usual : (o,) how large the observables are as a rule; 0 if unknown.
    """

    tolerance: float
    level: float
    stay: int
    release: float
    audit: float
    warm_up: int
    memory: int
    learned: bool
    fresh: bool
    usual: tuple[float, ...] = ()


@dataclass(frozen=True)
class Window:
    """What a window has shown, absolutely, for o observables.

    Attributes
    ----------
    bound : (o,) weighted sum of the estimated errors of the rest.
    sampled, said : (n, o) errors of the sample and what was said of them, both times what each row of it stands for;
        zero for the others.
    audited : (n,) which rows are that sample.
    unknown : (n,) rows of the rest of whose error nothing was known.
    squares : (o,) weighted sum of squares of the estimated errors of the rest.
    """

    bound: Array
    sampled: Array
    said: Array
    audited: Mask
    unknown: Mask
    squares: Array


@dataclass(frozen=True)
class Decision:
    """What the next window does: rows that are chosen and audited, and what is foretold of the errors of all."""

    chosen: Mask
    audited: Mask
    included: Array
    since: NDArray[np.int64]
    stated: Array
    factor: Array


def scale(columns: Columns) -> Array:
    """Return the largest values (o,) of the run so far, 1 where all were zero."""
    largest = columns["size"].max(axis=0, initial=0)
    return np.asarray(np.where(largest > 0, largest, 1.0))


def aim(columns: Columns, rules: Rules) -> Array:
    """Return to what errors (o,) are relative as long as the run goes on.

    What has just begun to grow, such as dissipation, is small at first, and will be as large as is usual.
    """
    usual = BEGUN * np.array(rules.usual or [0.0] * columns["size"].shape[1])
    return np.asarray(np.maximum(columns["size"].max(axis=0, initial=0), np.where(usual > 0, usual, NOTHING)))


def close(columns: Columns, factor: Array, rules: Rules) -> Window:
    """Return what a window has shown; `factor` (o,) is what was known of the cheap model when it began."""
    largest = aim(columns, rules)
    weights = _weights(columns)
    chosen, audited = columns["chosen"] > 0, columns["audited"] > 0
    known = (columns["stated"] < UNKNOWN).all(axis=1)
    rest = ~chosen & ~audited & known
    stands_for = _stands_for(columns, audited & ~chosen & known)[:, None]
    estimates = factor * np.maximum(columns["stated"], FLOOR * rules.tolerance * largest)
    return Window(
        bound=weights[rest] @ estimates[rest],
        sampled=stands_for * columns["error"],
        said=stands_for * estimates,
        audited=(stands_for[:, 0] > 0) & rest.any(),
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
    counts = _stands_for(columns, audited & (columns["chosen"] == 0))
    if window <= rules.warm_up:
        counts = np.where((columns["solved"] > 0) & known, _weights(columns), 0.0)
    elif not counts.any():
        counts = _stands_for(columns, audited)
    if not counts.any():
        return columns["seen"], columns["said"]
    sample, counts = (counts > 0)[:, None], counts[:, None]
    said = counts * np.maximum(columns["stated"], FLOOR * rules.tolerance * aim(columns, rules))
    newest = {"seen": np.where(sample, counts * columns["error"], NONE), "said": np.where(sample, said, 0.0)}
    seen, told = (np.concatenate([new[:, None], columns[name][:, :-1]], axis=1) for name, new in newest.items())
    return seen, told


def decide(columns: Columns, rules: Rules, window: int) -> Decision:
    """Return what is done in the next window, number `window` from 1; what was seen and said is up to date."""
    largest = aim(columns, rules)
    stated = _foretold(columns, rules)
    seen, said = columns["seen"], columns["said"]
    if rules.learned and not (seen >= 0).any():
        seen, said = _looking_back(columns, stated, rules)
    o = range(seen.shape[2])
    factor = np.array([estimator.factor(seen[:, :, i], said[:, :, i], rules.level) for i in o])
    if window <= rules.warm_up:
        everyone = np.ones(len(stated), dtype=bool)
        return Decision(everyone, ~everyone, columns["included"], np.full(len(stated), rules.stay), stated, factor)
    ahead = stated if rules.learned else columns["foretold"]
    expected = factor * np.maximum(ahead, FLOOR * rules.tolerance * largest)
    before, drawn = columns["chosen"] > 0, (columns["audited"] > 0) & (columns["chosen"] == 0)
    seen_now = np.where(before[:, None], columns["error"], 0.0)  # no estimate hides what is known, but by lot
    relative = np.maximum(expected, seen_now) / largest
    gains = _weights(columns) * np.where((ahead < UNKNOWN).all(axis=1), relative.max(axis=1), np.inf)
    costs = 1 + np.where(drawn, columns["pending"].max(), columns["pending"]) / rules.stay  # as if not drawn
    budget = MARGIN * rules.tolerance
    wanted = greedy.choose(gains, costs, rules.release * budget)  # if it were less: so nothing goes to and fro
    kept = before & ((columns["since"] < rules.stay) | wanted)
    forced = kept | (columns["pending"] >= rules.memory)
    chosen = greedy.choose(gains, costs, budget, forced)
    since = np.where(chosen, columns["since"].astype(np.int64) + 1, 0)
    included = lots.inclusion(np.where(chosen, 0.0, gains), rules.audit)
    if not rules.fresh:
        included = np.maximum(included, columns["included"])
    return Decision(chosen, columns["draw"] < included, included, since, stated, factor)


def _stands_for(columns: Columns, sample: Mask) -> Array:
    """Return what rows that are not solved weigh (n,) for which a row of the sample stands; zero for the others."""
    p = np.where(sample, columns["included"], 1.0)
    return np.asarray(_weights(columns) * (1 - p) / p)


def _weights(columns: Columns) -> Array:
    return np.asarray(columns["weight"] / columns["weight"].sum())


def _foretold(columns: Columns, rules: Rules) -> Array:
    """Return what is foretold of the errors (n, o): what the cheap model says, or else what is known of rows nearby."""
    if not rules.learned:
        return columns["stated"]
    known = np.flatnonzero((columns["known-age"] >= 0) & (columns["known-age"] < WINDOWS))
    place, error = (columns[f"known-{what}"][known] for what in ("place", "error"))
    return estimator.neighbours(columns["feature"], known, place, error)


def _looking_back(columns: Columns, stated: Array, rules: Rules) -> tuple[Array, Array]:
    """Return the errors of the last window and what rows nearby would have said of them, where nothing was foretold."""
    solved = (columns["solved"] > 0)[:, None] & (stated < UNKNOWN)
    said = np.maximum(stated, FLOOR * rules.tolerance * aim(columns, rules))
    counts = _weights(columns)[:, None]
    return np.where(solved, counts * columns["error"], NONE)[:, None], np.where(solved, counts * said, 0.0)[:, None]
