"""From representatives to those that follow them: state and observables, from this rank or from another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adapters.micro import State, take
from adapters.ranks import Rows
from adapters.strategies.clusters import exchange, tangent
from adapters.strategies.clusters.known import Known
from adapters.strategies.clusters.plan import Plan, everywhere
from adapters.strategies.clusters.similarity import NONE
from adapters.strategies.replay import placed

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Solved:
    """What was solved of a batch: rows (k,), their state if there are any, and observables (k, q) side by side."""

    rows: Ids
    state: State | None
    seen: Array

    def places(self, n: int) -> Ids:
        """Return where each of the n rows of the batch is among these, NONE where it is not."""
        result = np.full(n, NONE)
        result[self.rows] = np.arange(len(self.rows))
        return result


def within_reach(plan: Plan) -> Plan:
    """Return the plan of a batch on its own: who follows a row that is not in it represents itself."""
    lost = _places(plan.row, plan.leader) == NONE
    return replace(plan, leader=np.where(lost, plan.row, plan.leader), audited=plan.audited & ~lost)


def observables(
    plan: Plan,
    solved: Solved,
    controls: Array,
    origin: Array,
    ranks: Rows | None,
    *,
    predict: bool,
    known: Known,
    held: Callable[[Ids, Array, Array], tuple[Array, Array]] | None = None,
) -> tuple[Array, Array]:
    """Return the observables (n, q) of a batch as they are copied, and as they are expected to first order.

    Parameters
    ----------
    controls : (n, c) of the batch, side by side, or what they have moved.
    origin : (n, q) observables before: what is copied is how they have changed since.
    ranks : on whose ranks the representatives are, if not all of them in this batch; collective then.
    predict : whether there is an expectation; else it is what is copied.
    known : slopes.
    held : gives for rows (r,) of representatives, controls (r, c) and changes (r, q) those whose slopes are used.
    """
    leads = plan.leads[solved.rows]
    rows = solved.rows[leads]
    copies = np.empty((len(controls), solved.seen.shape[1]))
    copies[rows] = solved.seen[leads]
    before = origin[rows]
    following = np.flatnonzero(~plan.leads)
    if ranks is None and not following.size:
        return copies, copies
    table = [plan.row[rows], controls[rows], before, copies[rows] - before, plan.support[rows]]
    row, *others = (everywhere(ranks, values) for values in table)  # in ascending order of the ranks
    order = np.argsort(row, kind="stable")
    row, driven, before, change, support = (values[order] for values in (row, *others))
    base = _places(row, plan.leader[following])
    copies[following] = origin[following] + change[base]
    if not predict or not plan.support.shape[1]:
        return copies, copies
    moved = controls[following] - driven[base]
    slopes = (driven, change) if held is None else held(row.astype(np.int64), driven, change)
    shown = tangent.Shown(driven, before, change, _places(row, support), slopes)
    expected = copies.copy()
    expected[following] = origin[following] + tangent.estimate(shown, moved, base, origin[following], known)
    return copies, expected


def states(inner: State, plan: Plan, solved: Solved, ranks: Rows | None) -> State:
    """Return the state of all rows of a batch: that of its representative for each; collective over `ranks`.

    `inner` is the state before the step. The order of the rows of a rank is that of their numbers where there are any.
    """
    at = np.where(plan.leads, np.arange(len(plan.row)), _places(plan.row, plan.leader))
    source = np.where(at == NONE, NONE, solved.places(len(plan.row))[at])
    if solved.state is None:
        local = inner
    elif len(solved.rows) == len(plan.row) and (source == np.arange(len(plan.row))).all():
        local = solved.state
    else:
        local = take(solved.state, np.maximum(source, 0))
    if ranks is None:
        return local
    far = np.flatnonzero(at == NONE)
    wanted, which = np.unique(plan.leader[far], return_inverse=True)
    found = exchange.fetch(ranks, local, wanted)
    return placed(local, far, take(found, which)) if far.size else local


def _places(rows: Array | Ids, wanted: Array | Ids) -> Ids:
    """Return where each of the `wanted` is among the rows (n,), NONE where it is not."""
    if not len(rows):
        return np.full(wanted.shape, NONE)
    order = np.argsort(rows, kind="stable")
    at = order[np.minimum(np.searchsorted(rows, wanted, sorter=order), len(rows) - 1)]
    return np.where(rows[at] == wanted, at, NONE)
