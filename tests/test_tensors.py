"""Tensors under one name, scalars on the wire."""

import numpy as np
import pytest

from adapters import tensors
from scalebridge.fields import Field

SCALAR, VECTOR, TENSOR = Field("1"), Field("m", rank=1), Field("W/(m*K)", rank=2)
FULL = Field("Pa", rank=2, symmetric=False)


def test_names_follow_the_upper_triangle_row_by_row():
    assert tensors.names("K", TENSOR, 1) == ("K-00",)
    assert tensors.names("K", TENSOR, 2) == ("K-00", "K-01", "K-11")
    assert tensors.names("K", TENSOR, 3) == ("K-00", "K-01", "K-02", "K-11", "K-12", "K-22")
    assert tensors.names("P", FULL, 2) == ("P-00", "P-01", "P-10", "P-11")
    assert tensors.names("T", SCALAR, 3) == tensors.names("T", VECTOR, 3) == ("T",)


def test_each_component_goes_under_its_own_name():
    values = np.arange(2 * 9.0).reshape(2, 3, 3)
    packed = tensors.pack("P", FULL, values)
    assert {name: list(part) for name, part in packed.items()} == {
        f"P-{i}{j}": [values[0, i, j], values[1, i, j]] for i in range(3) for j in range(3)
    }


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("field", [SCALAR, VECTOR, TENSOR, FULL])
def test_unpack_undoes_pack(field, dimension):
    values = np.random.default_rng(1).normal(size=(5, *tensors.shape(field, dimension)))
    if field is TENSOR:
        values = values + values.transpose(0, 2, 1)
    packed = tensors.pack("K", field, values)
    assert tuple(packed) == tensors.names("K", field, dimension)
    packed["Other"] = np.zeros(3)
    np.testing.assert_array_equal(tensors.unpack("K", field, packed, dimension), values)


def test_no_points_at_all():
    packed = tensors.pack("K", TENSOR, np.empty((0, 2, 2)))
    assert tensors.unpack("K", TENSOR, packed, 2).shape == (0, 2, 2)


def test_packing_copies():
    values = np.tile(np.eye(2), (3, 1, 1))
    tensors.pack("K", TENSOR, values)["K-00"][0] = 7
    assert values[0, 0, 0] == 1


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"K has rank 2: expected an array of shape \(n, d, d\), got \(4, 2\)"):
        tensors.pack("K", TENSOR, np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"T has rank 0: expected an array of shape \(n,\), got \(4, 1\)"):
        tensors.pack("T", SCALAR, np.ones((4, 1)))
    with pytest.raises(ValueError, match=r"K has rank 2.*got \(4, 2, 3\)"):
        tensors.pack("K", TENSOR, np.ones((4, 2, 3)))


def test_a_lost_triangle_is_refused():
    values = np.tile(np.eye(2), (3, 1, 1))
    values[1, 0, 1] = 0.5
    with pytest.raises(ValueError, match=r"K is declared symmetric, but its components at row 1 differ by 0\.5"):
        tensors.pack("K", TENSOR, values)


def test_missing_and_uneven_components_are_refused():
    with pytest.raises(ValueError, match=r"K of rank 2 in 2-D needs K-01, K-11"):
        tensors.unpack("K", TENSOR, {"K-00": np.ones(2)}, 2)
    with pytest.raises(ValueError, match=r"the components of K differ in length: .*'K-11': 3"):
        tensors.unpack("K", TENSOR, {"K-00": np.ones(2), "K-01": np.ones(2), "K-11": np.ones(3)}, 2)
