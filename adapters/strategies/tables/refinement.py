"""Refines a sparse grid where surpluses say so, until the error is below a tolerance: as estimated, and as measured.

The measure is taken at points of which the grid knows nothing. If it says that surpluses have missed something, more is
refined. The points of the last measure, which the result tells, have decided nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.tables import frontier, nodes
from adapters.strategies.tables.frontier import Frontier
from adapters.strategies.tables.nodes import Floats
from adapters.strategies.tables.sparse import SparseGrid

PROBES = 4096  # points at which the estimated error is looked at, which needs no solves
MISLED = 2.0  # an error that is so many times what was foretold says that surpluses have overlooked something
FLAT = 1e-3  # an observable that varies less than this share of its size counts as if it varied so much

type Ask = Callable[[Floats, str], Floats]  # points (n, d) in the cube, and what they are for -> values (n, k)


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a table.

    Attributes
    ----------
    tolerance : largest error of an observable, relative to its scale.
    most : most nodes.
    held_out : points of each measure.
    seed : of these.
    groups : (k,) number of the observable of each column, ascending from 0.
    free : (d,) dimensions in which the table extends.
    count : (o,) observables whose errors count; of the others they are told.
    deepest : finest level.
    """

    tolerance: float
    most: int
    held_out: int
    seed: int
    groups: NDArray[np.int64]
    free: NDArray[np.bool_]
    count: NDArray[np.bool_]
    deepest: int = 16

    def worst(self, errors: Floats) -> Floats:
        """Return the largest of errors (m, o) that counts, for each of the m."""
        return np.asarray(errors[:, self.count].max(axis=1, initial=0))


@dataclass(frozen=True)
class Refined:
    """A table on the unit cube, and its errors relative to the scales of the observables.

    Attributes
    ----------
    scales : (o,) of the observables: the largest range of a component.
    estimated : (o,) largest estimated error at a few thousand points.
    measured, root_mean_square : (o,) errors at points of which the table knows nothing.
    calibration : (o,) factor by which errors have been found larger than estimated, at least 1.
    met : whether the tolerance is met.
    """

    grid: SparseGrid
    values: Floats
    frontier: Frontier
    scales: Floats
    estimated: Floats
    measured: Floats
    root_mean_square: Floats
    calibration: Floats
    met: bool


@dataclass
class Refinement:
    """The work in progress; a function of what `ask` answers, and of nothing else."""

    ask: Ask
    wanted: Wanted
    grid: SparseGrid
    values: Floats
    depth: int
    share: float = 1.0  # of the tolerance, above which a foretold surplus is a reason to refine
    measures: int = 0
    cautious: bool = False  # see frontier.of
    scales: Floats = field(default_factory=lambda: np.ones(1))
    frontier: Frontier = field(init=False)

    def add(self, new: nodes.Nodes, what: str) -> None:
        """Solve nodes and take them into the grid."""
        known = len(self.grid.nodes)
        values = self.ask(nodes.unit(new), f"{what}, nodes {known + 1} to {known + len(new)}")
        self.grid = self.grid.extended(new, values)
        self.values = np.concatenate([self.values, values])
        self.look()

    def look(self) -> None:
        """Foretell what may come next."""
        self.scales = scales(self.values, self.wanted.groups)
        surplus = frontier.relative(self.grid.surplus, self.wanted.groups, self.scales)
        self.frontier = frontier.of(self.grid, surplus, self.wanted.free, self.wanted.deepest, self.cautious)

    def refine(self) -> bool:
        """Add nodes until all that are foretold are small enough; return whether there was room for them."""
        while True:
            error = self.wanted.worst(self.frontier.errors)
            chosen = np.flatnonzero(error > self.share * self.wanted.tolerance)
            if not chosen.size:
                return True
            room = self.wanted.most - len(self.grid.nodes)
            if room <= 0:
                return False
            if chosen.size > room:
                chosen = np.sort(chosen[np.argsort(-error[chosen], kind="stable")[:room]])
            self.add(self.frontier.nodes[chosen], "refining")

    def deepen(self) -> bool:
        """Add all nodes of the next regular grid; return whether there was room for them."""
        while self.wanted.free.any() and self.depth < self.wanted.deepest - 1:
            self.depth += 1
            new = self.regular()
            new = new[nodes.Index(self.grid.nodes).find(new) < 0]
            if len(self.grid.nodes) + len(new) > self.wanted.most:
                return False
            if len(new):
                self.add(new, "refining everywhere")
                return True
        return False

    def regular(self) -> nodes.Nodes:
        """Return the regular grid of the present depth, which does not extend in dimensions that are not free."""
        free = self.wanted.free
        own = nodes.regular(int(free.sum()), self.depth) if free.any() else np.zeros((1, 0), dtype=np.int32)
        result = np.full((len(own), len(free)), nodes.HALF, dtype=np.int32)
        result[:, free] = own
        return result

    def estimated(self) -> Floats:
        """Return the largest estimated error of each observable."""
        points = np.random.default_rng([self.wanted.seed, 0]).random((PROBES, len(self.wanted.free)))
        return self.frontier.estimate(self.held(points)).max(axis=0)

    def measure(self, what: str) -> tuple[Floats, Floats]:
        """Return errors (m, o) at fresh points, and what was estimated there."""
        self.measures += 1
        draw = np.random.default_rng([self.wanted.seed, self.measures])
        points = self.held(draw.random((self.wanted.held_out, len(self.wanted.free))))
        difference = self.ask(points, f"{what} at {len(points)} points") - self.grid(points)
        error = frontier.relative(difference, self.wanted.groups, self.scales)
        return error, self.frontier.estimate(points)

    def held(self, points: Floats) -> Floats:
        """Return points that are in the middle of the dimensions in which the table does not extend."""
        return np.where(self.wanted.free, points, 0.5)


def scales(values: Floats, groups: NDArray[np.int64]) -> Floats:
    """Return the scale (o,) of each observable: the largest range of one of its columns (n, k)."""
    begins = np.flatnonzero(np.diff(groups, prepend=-1))
    spread = np.maximum.reduceat(np.ptp(values, axis=0), begins)
    size = np.maximum.reduceat(np.abs(values).max(axis=0), begins)
    found = np.maximum(spread, FLAT * size)
    return np.where(found > 0, found, 1.0)


def run(ask: Ask, wanted: Wanted) -> Refined:
    """Return a table of what `ask` answers, as good as is wanted, or as there was room for."""
    dimensions, columns = len(wanted.free), len(wanted.groups)
    grid = SparseGrid.empty(dimensions, columns)
    work = Refinement(ask, wanted, grid, np.zeros((0, columns)), depth=4 if wanted.free.sum() <= 2 else 3)
    while len(work.regular()) > wanted.most and work.depth > 0:
        work.depth -= 1
    work.add(work.regular(), "beginning")
    met = _work(work)
    error, foretold = work.measure("measuring the error")
    while met and wanted.worst(error).max() > wanted.tolerance:  # what had gone well by chance
        met = _look_again(work, error, foretold) and _work(work)
        error, foretold = work.measure("measuring the error")
    most, expected = error.max(axis=0), foretold.max(axis=0)
    excess = np.divide(most, expected, out=np.ones_like(most), where=expected > 0)
    return Refined(
        work.grid,
        work.values,
        work.frontier,
        work.scales,
        work.estimated(),
        most,
        np.sqrt((error**2).mean(axis=0)),
        np.maximum(excess, 1.0),
        met,
    )


def _work(work: Refinement) -> bool:
    """Refine until estimate and measure are below the tolerance; return whether they are."""
    while work.refine():
        if work.estimated()[work.wanted.count].max() > work.wanted.tolerance:
            work.share /= 2
            continue
        error, foretold = work.measure("looking for errors")
        if work.wanted.worst(error).max() <= work.wanted.tolerance:
            return True
        if not _look_again(work, error, foretold):
            return False
    return False


def _look_again(work: Refinement, error: Floats, foretold: Floats) -> bool:
    """Find something to refine after all, where an error is too large; return whether there was room for it."""
    misled = error.max(axis=0) > MISLED * foretold.max(axis=0)
    if not work.cautious and misled[work.wanted.count].any():
        work.cautious, work.share = True, 1.0
        work.look()
        return True
    work.share /= 2
    left = work.wanted.worst(work.frontier.errors)
    return bool((left > work.share * work.wanted.tolerance).any()) or work.deepen()
