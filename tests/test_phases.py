"""Images of composites: how much of each phase there is and where, from formulas and from pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adapters.micro import MicroError
from participants.micro import phases
from participants.micro.phases import Phases
from participants.micro.pictures import load

POINTS = np.random.default_rng(0).random((3, 2))


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        (Phases(cells=64), 0.01),
        (Phases(cells=64, inclusions=9), 0.02),
        (Phases(cells=48, dimensions=3), 0.01),
        (Phases(cells=60, arrangement="hexagonal", inclusions=2), 0.01),
        (Phases(cells=120, arrangement="hexagonal", inclusions=8), 0.01),
        (Phases(cells=40, arrangement="laminate"), 1e-12),
        (Phases(cells=40, arrangement="laminate", inclusions=4, dimensions=3), 1e-12),
        (Phases(cells=64, arrangement="random", inclusions=5), 0.02),
    ],
)
def test_there_is_as_much_of_phase_one_as_was_asked_for(settings, tolerance):
    image = phases.images(settings, POINTS[:, :1].repeat(settings.dimensions, axis=1), 0)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image.reshape(3, -1).mean(axis=1), 0.3, atol=tolerance)


def test_only_random_places_differ_from_point_to_point_and_by_seed():
    random = Phases(cells=16, arrangement="random", inclusions=3)
    image = phases.images(random, POINTS, 1)
    assert (image[0] != image[1]).any()
    np.testing.assert_array_equal(image, phases.images(random, POINTS, 1))
    assert (image != phases.images(random, POINTS, 2)).any()
    array = phases.images(Phases(cells=16), POINTS, 1)
    np.testing.assert_array_equal(array[0], array[1])


def test_fibres_of_a_hexagonal_array_have_six_neighbours_at_one_distance():
    """26 by 45 is the ratio sqrt(3) to 0.07 %; a turn by 180 degrees about either fibre leaves the cell as it is."""
    image = phases.images(Phases(cells=26, arrangement="hexagonal", inclusions=2), POINTS[:1], 0)[0]
    assert image.shape == (26, 45)
    np.testing.assert_array_equal(image, image[::-1, ::-1])
    x, y = (np.array([0.25, 0.75]) * n for n in image.shape)
    assert np.hypot(x[1] - x[0], y[1] - y[0]) == pytest.approx(26, rel=1e-3)


def test_layers_are_across_x():
    image = phases.images(Phases(cells=10, arrangement="laminate", fraction=0.2, inclusions=2), POINTS[:1], 0)[0]
    np.testing.assert_array_equal(image[:, 0], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    assert (image == image[:, :1]).all()


def test_a_picture_has_a_phase_for_each_of_its_values(tmp_path):
    path = tmp_path / "phases.npy"
    np.save(path, np.array([[-1.0, 7.0, 7.0], [3.0, 3.0, -1.0]]))
    settings = Phases(arrangement="picture", picture=str(path), refinement=2)
    image = phases.images(settings, POINTS[:1], 0)[0]
    np.testing.assert_array_equal(image, np.kron([[0, 2, 2], [1, 1, 0]], np.ones((2, 2))))
    np.testing.assert_array_equal(phases.images(settings.refined(3), POINTS[:1], 0)[0], image.repeat(3, 0).repeat(3, 1))


def test_a_png_is_read_with_x_to_the_right_and_y_upwards(tmp_path):
    from matplotlib import image

    path = tmp_path / "phases.png"
    shown = np.array([[0, 0, 255], [51, 0, 0]], dtype=np.uint8)  # the first row of a picture is on top
    image.imsave(path, np.stack([shown] * 3, axis=-1))
    np.testing.assert_array_equal(load(path), [[51, 0], [0, 0], [0, 255]])


def test_moduli_are_those_of_young_and_poisson():
    image = np.array([[0, 1]], dtype=np.uint8)
    settings = Phases(youngs_modulus=(9.0, 0.0), poissons_ratio=(0.125, 0.3), yield_stress=(2.0, 3.0))
    table = phases.table(settings, image)
    assert table["K"].tolist() == [4.0, 0.0]
    assert table["G"].tolist() == [4.0, 0.0]
    assert table["Y"].tolist() == [2.0, np.inf]  # a void does not yield
    assert phases.table(replace(settings, yield_stress=(0.0, 0.0)), image)["Y"].tolist() == [np.inf, np.inf]


def test_what_makes_no_composite_is_refused(tmp_path):
    image = np.array([[0, 1, 2]], dtype=np.uint8)
    expected = "there are 3 phases, but youngs_modulus has 2, poissons_ratio has 2"
    with pytest.raises(MicroError, match=expected):
        phases.table(Phases(), image)
    with pytest.raises(MicroError, match="there are 3 phases, but poissons_ratio has 2"):
        phases.table(Phases(youngs_modulus=(1.0, 1.0, 1.0)), image % 2)
    with pytest.raises(MicroError, match="nothing but void"):
        phases.table(Phases(youngs_modulus=(0.0, 1.0)), 0 * image)
    for wrong in (Phases(arrangement="hexagonal"), Phases(arrangement="hexagonal", inclusions=2, dimensions=3)):
        with pytest.raises(MicroError, match=r"a hexagonal array has two dimensions and 2, 8, 18, 32, \.\.\. fibres"):
            phases.images(wrong, POINTS, 0)
    np.save(tmp_path / "flat.npy", np.zeros((2, 2)))
    np.save(tmp_path / "many.npy", np.arange(300).reshape(15, 20))
    flat = Phases(arrangement="picture", picture=str(tmp_path / "flat.npy"), dimensions=3)
    with pytest.raises(MicroError, match=r"flat.npy has 2 dimensions, the cell 3"):
        phases.images(flat, POINTS, 0)
    with pytest.raises(MicroError, match="300 different values; expected at most 255"):
        phases.images(replace(flat, dimensions=2, picture=str(tmp_path / "many.npy")), POINTS, 0)


def test_what_is_no_picture_is_refused(tmp_path):
    with pytest.raises(MicroError, match=r"cell.tif is no picture; expected a file that ends on .npy or .png"):
        load(tmp_path / "cell.tif")
    with pytest.raises(MicroError, match=r"cell.npy cannot be read: .*No such file"):
        load(tmp_path / "cell.npy")
    (tmp_path / "cell.png").write_bytes(b"no picture")
    with pytest.raises(MicroError, match=r"cell.png cannot be read"):
        load(tmp_path / "cell.png")
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(MicroError, match=r"object.npy cannot be read: .*allow_pickle=False"):
        load(tmp_path / "object.npy")
    np.save(tmp_path / "nan.npy", np.array([[np.nan]]))
    with pytest.raises(MicroError, match=r"nan.npy has no numbers, or not only finite ones"):
        load(tmp_path / "nan.npy")
