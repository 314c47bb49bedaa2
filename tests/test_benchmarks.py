"""What the benchmark of cell problems measures, and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import cells


def test_batches_that_would_take_too_long_or_too_much_memory_are_left_out(monkeypatch):
    monkeypatch.setattr(cells, "CELLS", (10, 100))
    monkeypatch.setattr(cells, "MOST_CELLS", 2_000_000)
    asked = []

    def work(grid, volumes, threads):
        asked.append((grid, volumes, threads))
        return 0.02 * volumes / threads, 0.01 * volumes / threads

    rows = cells.rates(work)
    assert rows[0] == ["10 x 10", "1", "50", "100", "100", "200"]
    assert rows[3] == ["10 x 10", "1,000", "50", "100", "100", "200"]  # 30 s foretold, not more than the limit
    assert [row[:2] for row in rows[4:]] == [["100 x 100", "1"], ["100 x 100", "10"], ["100 x 100", "100"]]
    assert max(asked) == (100, 100, 2)
    assert asked.count((10, 1, 1)) == 3  # short ones are measured three times


@pytest.mark.parametrize("name", cells.MAPS)
def test_maps_and_steps_are_measured(name):
    assert min(cells.upscaling(name, 12, 3, 2)) > 0
    assert min(cells.stepping(16, 3, 1)) > 0


def test_the_volumes_are_fluid_around_discs():
    phase = cells.fluid(64, 20)
    area = 1 - phase.mean(axis=(1, 2))
    assert (area > np.pi * 0.2**2).all()
    assert (area < np.pi * 0.42**2).all()
    assert (cells.fluid(64, 20, 0.01).mean(axis=(1, 2)) > phase.mean(axis=(1, 2))).all()
