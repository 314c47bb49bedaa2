"""What the benchmarks of cell problems and of solids measure, and what they leave out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import cells, solids


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


@pytest.mark.parametrize("grid", [(12, 12), (6, 6, 6)])
@pytest.mark.parametrize("plastic", [False, True])
def test_our_cells_are_as_balanced_as_they_are_asked_to_be(monkeypatch, grid, plastic):
    monkeypatch.setattr(solids, "BATCH", 300)
    found, tolerance = solids.best(solids.ours, grid, plastic)
    assert 1e-13 < found.unbalanced <= solids.UNBALANCED
    assert tolerance in solids.TOLERANCES
    assert found.seconds > 0
    assert (found.stress[0, 0] > 200e6) == plastic  # after a strain of 1e-3, and of 2e-3


def test_what_is_unbalanced_is_told_of_any_stress():
    """sigma_xx that varies along x is out of balance altogether, and along y not at all."""
    x, y = np.meshgrid(*[2 * np.pi * np.arange(8) / 8] * 2, indexing="ij")
    along, across = np.zeros((2, 2, 2, 8, 8))
    along[0, 0], across[0, 0] = np.cos(x), np.cos(y)
    assert solids.unbalanced(along) == pytest.approx(1)
    assert solids.unbalanced(across) == pytest.approx(0, abs=1e-12)


def test_what_is_never_balanced_well_enough_is_an_error():
    def bad(tolerance):
        return solids.Solved(1.0, 1e-3, np.zeros((2, 2)))

    with pytest.raises(RuntimeError, match=r"0\.001 of the stress is unbalanced"):
        solids.best(bad)


@pytest.mark.parametrize("plastic", [False, True])
def test_muspectre_solves_the_same_cell(monkeypatch, plastic):
    """Its law of large strain differs by about the strain; beyond that by a grid that is finer by one."""
    pytest.importorskip("muSpectre")
    monkeypatch.setattr(solids, "BATCH", 300)
    other, _ = solids.best(solids.theirs, (16, 16), plastic)
    own = solids.ours((17, 17), plastic, 1e-8)
    assert other.unbalanced <= solids.UNBALANCED
    allowed = (5e-3 if plastic else 1e-6) * own.stress.max()
    assert other.stress[:2, :2] == pytest.approx(own.stress, rel=0, abs=allowed)


def test_without_muspectre_the_table_has_our_own_numbers(monkeypatch):
    monkeypatch.setattr(solids, "GRIDS", ((8, 8),))
    monkeypatch.setattr(solids, "BATCH", 64)
    monkeypatch.setattr(solids.importlib.util, "find_spec", lambda name: None)
    told = solids.report()
    assert "muSpectre is not here" in told
    assert told.count("| - | - |") == 2
