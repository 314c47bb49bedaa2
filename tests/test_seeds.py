"""Random numbers by seed and place: the same whoever else is there, others for every place, seed, use and draw."""

import numpy as np

from adapters import seeds

POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1e-6, 0.0]])


def test_a_place_has_numbers_of_its_own():
    drawn = [seeds.generator(point, 3).random() for point in POINTS]
    assert len(set(drawn)) == 4
    assert seeds.generator(POINTS[1] + 1e-12, 3).random() == drawn[1]  # round-off of another rank
    assert seeds.generator(POINTS[1], 4).random() != drawn[1]


def test_keys_do_not_depend_on_the_batch():
    keys = seeds.keys(POINTS, 3)
    assert keys.dtype == np.uint64
    assert len(np.unique(keys, axis=0)) == 4
    np.testing.assert_array_equal(seeds.keys(POINTS[[2, 0]], 3), keys[[2, 0]])
    assert seeds.keys(POINTS[:0], 3).shape == (0, 2)
    assert not (seeds.keys(POINTS, 4) == keys).any()


def test_two_uses_at_one_place_draw_different_numbers():
    first, second = (seeds.keys(POINTS, seeds.named(3, name)) for name in ("Excitation", "Inhibition"))
    assert not (first == second).any()
    assert seeds.named(3, "Excitation") == seeds.named(3, "Excitation") != seeds.named(4, "Excitation")


def test_any_draw_can_be_repeated():
    key = seeds.keys(POINTS, 3)[1]
    first, second = (seeds.counted(key, count).random(1000) for count in (0, 1))
    assert not np.isin(first, second).any()
    np.testing.assert_array_equal(seeds.counted(key, 0).random(1000), first)
