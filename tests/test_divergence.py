"""Windows that did not converge, as preCICE logs them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from scalebridge.runs import divergence, history

ITERATIONS = "  TimeWindow  TotalIterations  Iterations  Convergence\n"
CONVERGENCE = "  TimeWindow  Iteration  ResRel(M:Alpha)  ResAbs(M:Beta)\n"


@dataclass
class Process:
    name: str


@dataclass
class Measure:
    kind: str
    data: str
    limit: float
    suffices: bool = False
    mesh: str = "M"


@dataclass
class Scheme:
    measures: list[Measure]


class Schemes:
    """A configuration of nothing but the measures of B."""

    def __init__(self, measures):
        self.measures = measures

    def schemes_of(self, name):
        return [Scheme(self.measures if name == "B" else [])]


class Monitor:
    def __init__(self, folder, name, limits):
        self.process, self.folder, self.limits = Process(name), Path(folder), limits

    def iterations(self):
        return history.iterations(self.folder / f"precice-{self.process.name}-iterations.log")


RELATIVE, ABSOLUTE = Measure("relative", "Alpha", 1e-3), Measure("absolute", "Beta", 1e-2)


@pytest.fixture
def look(tmp_path):
    def first(rows, residuals=None, measures=(RELATIVE, ABSOLUTE)):
        for name in "AB":
            (tmp_path / f"precice-{name}-iterations.log").write_text(ITERATIONS + rows)
        if residuals is not None:
            (tmp_path / "precice-B-convergence.log").write_text(CONVERGENCE + residuals)
        limits = {"Alpha": 1e-3, "Beta": 1e-2}
        return divergence.first([Monitor(tmp_path, name, limits) for name in "AB"], Schemes(measures))

    return first


def test_all_converged(look):
    assert look("1 3 3 1\n2 5 2 1\n", "1 3 1e-4 1e-4\n2 2 1e-4 1e-4\n") is None
    assert look("") is None


def test_the_first_that_did_not(look):
    told = look("1 3 3 1\n2 8 5 0\n3 13 5 0\n", "1 3 1e-4 1e-4\n2 4 1e-1 1\n2 5 2e-3 1e-4\n3 5 1 1\n")
    assert told == (
        "time window 2 did not converge in 5 iterations (--strict-convergence): "
        "Alpha 2.0e-03 (limit 0.001), as B measured"
    )


def test_all_that_were_above_are_named(look):
    told = look("1 5 5 0\n", "1 5 nan 0.5\n")
    assert told.endswith(": Alpha nan (limit 0.001), Beta 5.0e-01 (limit 0.01), as B measured")


def test_converged_in_the_last_iteration_allowed(look):
    """preCICE logs 0 for a window that took all iterations, whatever its residuals."""
    assert look("1 5 5 0\n", "1 5 1e-4 1e-4\n") is None


def test_one_measure_that_suffices(look):
    enough = Measure("absolute", "Beta", 1e-2, suffices=True)
    assert look("1 5 5 0\n", "1 5 1 1e-4\n", (RELATIVE, enough)) is None
    assert look("1 5 5 0\n", "1 5 1e-4 1\n", (RELATIVE, enough)) is not None


def test_without_residuals_the_iterations_count(look):
    assert look("1 5 5 0\n") == "time window 1 did not converge in 5 iterations (--strict-convergence)"
    unlogged = Measure("absolute-or-relative", "Beta", 1e-2)  # preCICE logs 0 of it
    assert look("1 5 5 0\n", "1 5 1e-4 0\n", (RELATIVE, unlogged)) is not None
