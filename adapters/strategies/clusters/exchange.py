"""Rows of a state that other ranks have: each rank asks for those that it wants, and nothing else travels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.micro import State, apply
from adapters.ranks import Rows


def fetch(ranks: Rows, state: State, wanted: NDArray[np.int64]) -> State:
    """Return the state of rows of whatever rank; collective.

    Parameters
    ----------
    state : of the rows of this rank, (n, ...); alike on all ranks.
    wanted : (m,) rows, counted over all ranks, in any order.
    """
    if ranks.comm is None:
        return apply(lambda array: np.asarray(array)[wanted], state)
    starts = np.concatenate([[0], np.cumsum(ranks.counts(ranks.count))])
    order = np.argsort(wanted, kind="stable")
    back = np.argsort(order, kind="stable")
    asking = np.diff(np.searchsorted(wanted[order], starts))  # of each rank
    asked = _to_all(ranks.comm, asking, np.ones_like(asking), np.ones_like(asking))
    rows = _to_all(ranks.comm, wanted[order], asking, asked) - starts[ranks.rank]
    return apply(lambda array: _to_all(ranks.comm, np.asarray(array)[rows], asked, asking)[back], state)


def _to_all(comm: Any, values: NDArray[Any], sent: NDArray[np.int64], got: NDArray[np.int64]) -> NDArray[Any]:
    """Send each rank so many rows (n, ...) as `sent` (ranks,) says, in order; return those that came, `got` of each."""
    values = np.ascontiguousarray(values)
    size = values.itemsize * int(np.prod(values.shape[1:], dtype=np.int64))
    result = np.empty(int(got.sum()) * size, dtype=np.uint8)

    def layout(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return counts * size, np.concatenate([[0], np.cumsum(counts * size)[:-1]])

    comm.Alltoallv([values.reshape(-1).view(np.uint8), layout(sent)], [result, layout(got)])
    return result.view(values.dtype).reshape(int(got.sum()), *values.shape[1:])
