"""One journey of rows to other ranks and home again.

What may fail on one rank alone, such as a solve or want of memory, comes before the ranks agree to talk: then all of
them do, or none.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from adapters.micro import State, concatenate, take
from adapters.ranks import Rows
from adapters.strategies.spreading import costs
from adapters.strategies.spreading.layout import Bytes, Layout, swap
from adapters.strategies.spreading.placing import Placing, loads

type Array = NDArray[np.float64]
type Ids = NDArray[np.int64]

FAILED, EMPTY = -1.0, 0.0  # instead of the mark of a layout


@dataclass(frozen=True)
class Outcome:
    """What came of the batch of a rank.

    Attributes
    ----------
    mark : of the layout of the result, by which ranks see whether theirs are alike; FAILED or EMPTY.
    result : the states and observables of the batch, if there are any.
    guests : those of the guests as bytes, in order.
    """

    mark: float
    seconds: float
    result: State | None = None
    layout: Layout | None = None
    guests: Bytes | None = None

    @classmethod
    def of(cls, result: State, journey: Journey, seconds: float) -> Outcome:
        """Return that of a batch that went well. Raises ValueError where it has another number of rows."""
        layout = Layout.of(result, journey.size)
        guests = layout.pack(result, np.arange(len(journey.kept), journey.size))
        return cls(1.0 + zlib.crc32(str(layout).encode()), seconds, result, layout, guests)

    @classmethod
    def failed(cls, seconds: float) -> Outcome:
        """Return that of a batch that could not be solved."""
        return cls(FAILED, seconds)

    @classmethod
    def nothing(cls) -> Outcome:
        """Return that of no rows."""
        return cls(EMPTY, 0.0)


class Journey:
    """Rows on their way.

    Attributes
    ----------
    kept, away : rows of this rank that stay, and those that leave, by the ranks to which they go.
    seconds : (ranks,) that their batches took, when all are home again.
    at_home : (ranks,) what they would have taken if no row had moved, by what rows were expected to cost.
    shares : (n,) of the rows of this rank in these seconds.
    again : batches that failed.
    moving, bytes : [s] spent in moving, and what was moved, by this rank.
    """

    def __init__(self, ranks: Rows, placing: Placing, rows: State, layout: Layout) -> None:
        self.ranks, self.placing = ranks, placing
        me, size = ranks.rank, placing.ranks
        self.to = placing.where[placing.home == me]
        self.kept, leaving = np.flatnonzero(self.to == me), np.flatnonzero(self.to != me)
        self.away = leaving[np.argsort(self.to[leaving], kind="stable")]
        self.guests = placing.home[(placing.where == me) & (placing.home != me)]  # where they are at home
        self.sent, self.got = (np.bincount(of, minlength=size) for of in (self.to[self.away], self.guests))
        self.size = len(self.kept) + len(self.guests)
        self.seconds, self.at_home = np.zeros(size), np.zeros(size)
        self.shares = np.zeros(len(self.to))
        self.again, self.moving, self.bytes = 0, 0.0, 0
        self._layout, self._packed = layout, layout.pack(rows, self.away)
        self._came = np.empty((len(self.guests), layout.width), dtype=np.uint8)
        self._rows, self._own = rows, take(rows, self.kept)

    @classmethod
    def begin(cls, ranks: Rows, placing: Placing, rows: State, layout: Layout) -> Journey | None:
        """Send rows to where they are solved; None where not all ranks are there any more. Collective.

        `rows` are the states and controls of all rows of this rank.
        """
        journey = cls(ranks, placing, rows, layout)
        if ranks.together("moving") is None:
            return None
        journey._swap(journey._packed, journey.sent, journey._came, journey.got)
        return journey

    def batch(self) -> State:
        """Return the states and controls of the rows that this rank solves: its own first."""
        if not len(self.guests):
            return self._own
        return concatenate([self._own, self._layout.unpack(self._came, self._rows)])

    def end(self, outcome: Outcome) -> tuple[list[Ids], list[State]] | None:
        """Bring states and observables home; None where not all ranks are there any more. Collective.

        Returns
        -------
        Rows of this rank that were solved, and what came of them, in parts; failed batches are missing.
        """
        heard = self.ranks.together("solved", outcome.mark, outcome.seconds)
        if heard is None:
            return None
        marks, self.seconds = heard.T
        fits = (marks == outcome.mark) & (outcome.mark > 0)
        self.again = int((marks == FAILED).sum()) + len(set(marks[marks > 0].tolist()) - {marks.max()})
        self._share()
        sent, got = np.where(fits, self.got, 0), np.where(fits, self.sent, 0)
        result, layout, guests = outcome.result, outcome.layout, outcome.guests
        packed = np.zeros((0, 1), dtype=np.uint8) if guests is None else guests[fits[self.guests]]
        came = np.empty((int(got.sum()), packed.shape[1]), dtype=np.uint8)
        self._swap(packed, sent, came, got)
        if result is None or layout is None:
            return [], []
        rows = [self.kept, self.away[fits[self.to[self.away]]]]
        return rows, [take(result, slice(len(self.kept))), layout.unpack(came, result)]

    def _share(self) -> None:
        """Share the seconds of all batches among their rows."""
        expected, where, home = self.placing.costs, self.placing.where, self.placing.home
        shares = np.zeros(len(where))
        for rank, seconds in enumerate(self.seconds.tolist()):
            there = where == rank
            shares[there] = costs.shared(expected[there], seconds)
        self.at_home = loads(shares, home, self.placing.ranks)
        self.shares = shares[home == self.ranks.rank]

    def _swap(self, packed: Bytes, sent: Ids, came: Bytes, got: Ids) -> None:
        begun = perf_counter()
        swap(self.ranks.comm, packed, sent, came, got)
        self.moving += perf_counter() - begun
        self.bytes += packed.nbytes + came.nbytes
