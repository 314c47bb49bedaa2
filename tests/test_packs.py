"""Packs of grains: apart from each other, across the boundary too, and the same for the same point and seed."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.micro import MicroError
from participants.micro import packs


@pytest.mark.parametrize("dimensions", [2, 3])
def test_grains_do_not_touch_across_the_boundary_either(dimensions):
    centres = packs.places([0.1] * dimensions, dimensions, 12, 0.1, 3)
    assert centres.shape == (12, dimensions)
    apart = (centres[:, None] - centres[None] + 0.5) % 1 - 0.5
    distances = np.linalg.norm(apart, axis=2)[np.triu_indices(12, 1)]
    assert distances.min() >= 0.2


def test_places_depend_on_the_point_and_the_seed_alone():
    points = np.array([[0.1, 0.2], [0.3, 0.2]])
    both = packs.distance(points, 16, 2, 4, 0.1, 0)
    np.testing.assert_array_equal(both[1:], packs.distance(points[1:], 16, 2, 4, 0.1, 0))
    assert not np.array_equal(both[0], both[1])
    assert not np.array_equal(both, packs.distance(points, 16, 2, 4, 0.1, 1))


def test_one_grain_sits_in_the_middle():
    distance = packs.distance(np.zeros((2, 2)), 4, 2, 1, 0.25, 0)
    assert distance.shape == (2, 4, 4)
    assert distance[0, 1, 1] == pytest.approx(np.hypot(0.125, 0.125) - 0.25)
    assert distance[1, 0, 0] == pytest.approx(np.hypot(0.375, 0.375) - 0.25)


def test_the_fraction_of_the_pack_is_that_of_its_grains():
    """Twenty discs of radius 0.08: the error of counting cells is of the order of their perimeter in cells."""
    distance = packs.distance(np.array([[0.5, 0.5]]), 400, 2, 20, 0.08, 1)
    assert (distance < 0).mean() == pytest.approx(20 * np.pi * 0.08**2, rel=2e-3)


def test_too_many_grains_are_refused():
    with pytest.raises(packs.NoRoom, match=r"only 1 of 3 grains of radius 0.4 fit into the cell at random places"):
        packs.places([0.0, 0.0], 2, 3, 0.4, 0)


def test_an_array_is_the_cell_of_one_grain_again_and_again():
    one, nine = (
        packs.distance(np.zeros((1, 2)), 8, 2, 1, 0.3, 0),
        packs.distance(np.zeros((1, 2)), 24, 2, 9, 0.1, 0, "array"),
    )
    np.testing.assert_allclose(3 * nine, np.tile(one, (1, 3, 3)), atol=1e-14)


def test_a_number_that_makes_no_array_is_refused():
    with pytest.raises(MicroError, match="10 grains are no array of 2 dimensions; expected such as 9 or 16"):
        packs.array(2, 10)
