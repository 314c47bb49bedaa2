"""Tensors under one name, scalars on the wire."""

import numpy as np
import pytest

from adapters import tensors
from scalebridge.fields import Field

SCALAR, VECTOR, TENSOR = Field("1"), Field("m", rank=1), Field("W/(m*K)", rank=2)
FULL = Field("Pa", rank=2, symmetric=False)
STIFFNESS, ANY = Field("Pa", rank=4), Field("Pa", rank=4, symmetric=False)


def test_names_follow_the_upper_triangle_row_by_row():
    assert TENSOR.data_names("K", 1) == ("K-00",)
    assert TENSOR.data_names("K", 2) == ("K-00", "K-01", "K-11")
    assert TENSOR.data_names("K", 3) == ("K-00", "K-01", "K-02", "K-11", "K-12", "K-22")
    assert FULL.data_names("P", 2) == ("P-00", "P-01", "P-10", "P-11")
    assert SCALAR.data_names("T", 3) == VECTOR.data_names("T", 3) == ("T",)


def test_each_component_goes_under_its_own_name():
    values = np.arange(2 * 9.0).reshape(2, 3, 3)
    packed = tensors.pack("P", FULL, values)
    assert {name: list(part) for name, part in packed.items()} == {
        f"P-{i}{j}": [values[0, i, j], values[1, i, j]] for i in range(3) for j in range(3)
    }


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("field", [SCALAR, VECTOR, TENSOR, FULL, STIFFNESS, ANY])
def test_unpack_undoes_pack(field, dimension):
    values = np.random.default_rng(1).normal(size=(5, *tensors.shape(field, dimension)))
    if field is TENSOR:
        values = values + values.transpose(0, 2, 1)
    if field is STIFFNESS:
        values = values + values.transpose(0, 2, 1, 3, 4)
        values = values + values.transpose(0, 1, 2, 4, 3)
        values = values + values.transpose(0, 3, 4, 1, 2)
    packed = tensors.pack("K", field, values)
    assert tuple(packed) == field.data_names("K", dimension)
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
    with pytest.raises(
        ValueError, match=r"C has rank 4: expected an array of shape \(n, d, d, d, d\), got \(4, 2, 2\)"
    ):
        tensors.pack("C", STIFFNESS, np.ones((4, 2, 2)))
    with pytest.raises(ValueError, match=r"K has rank 2.*got \(4, 2, 3\)"):
        tensors.pack("K", TENSOR, np.ones((4, 2, 3)))


def test_a_lost_triangle_is_refused():
    values = np.tile(np.eye(2), (3, 1, 1))
    values[1, 0, 1] = 0.5
    with pytest.raises(ValueError, match=r"K is declared symmetric, but its components at row 1 differ by 0\.5"):
        tensors.pack("K", TENSOR, values)


def test_a_stiffness_without_a_potential_is_refused():
    values = np.zeros((2, 2, 2, 2, 2))
    values[1, 0, 0, 1, 1] = 1
    with pytest.raises(ValueError, match=r"C is declared symmetric, but its components at row 1 differ by 1"):
        tensors.pack("C", STIFFNESS, values)


def test_a_component_of_a_stiffness_is_known_as_part_of_it():
    assert tensors.whole("Tangent-0011") == {"Tangent-0011", "Tangent"}
    names = STIFFNESS.data_names("Tangent", 3)
    assert tensors.components_of("Tangent", [*names, "Tangent-22222", "Tangents"]) == set(names)
    assert tensors.dimension_of("Tangent", names, 2) == 3
    assert tensors.dimension_of("Tangent", STIFFNESS.data_names("Tangent", 2), 3) == 2


def test_missing_and_uneven_components_are_refused():
    with pytest.raises(ValueError, match=r"K of rank 2 in 2-D needs K-01, K-11"):
        tensors.unpack("K", TENSOR, {"K-00": np.ones(2)}, 2)
    with pytest.raises(ValueError, match=r"the components of K differ in length: .*'K-11': 3"):
        tensors.unpack("K", TENSOR, {"K-00": np.ones(2), "K-01": np.ones(2), "K-11": np.ones(3)}, 2)


def test_components_may_go_by_other_names_or_in_other_numbers():
    """As in K00, K01, K10, K11 of the two-scale tutorial of preCICE."""
    values = np.array([[[2.0, 1.0], [1.0, 3.0]]])
    for present in (["K00", "K01", "K11"], ["K00", "K01", "K10", "K11"], ["K-00", "K-01", "K-10", "K-11"]):
        carriers = TENSOR.carriers("K", 2, present)
        assert list(carriers) == present
        packed = tensors.pack("K", TENSOR, values, carriers)
        assert list(packed) == present
        np.testing.assert_array_equal(tensors.unpack("K", TENSOR, packed, 2, carriers), values)


def test_a_diagonal_may_travel_alone_if_there_is_nothing_beside_it():
    carriers = TENSOR.carriers("K", 2, ["K00", "K11", "Porosity"])
    values = np.array([[[2.0, 0.0], [0.0, 3.0]], [[2.0, 0.1], [0.1, 3.0]]])
    packed = tensors.pack("K", TENSOR, values[:1], carriers)
    np.testing.assert_array_equal(tensors.unpack("K", TENSOR, packed, 2, carriers), values[:1])
    with pytest.raises(ValueError, match=r"of K only the diagonal travels, but at row 1 it has more: .*; add its"):
        tensors.pack("K", TENSOR, values, carriers)


def test_which_whole_data_are_part_of():
    assert tensors.whole("K00") == {"K00", "K"}
    assert tensors.whole("Conductivity-12") == {"Conductivity-12", "Conductivity"}
    assert tensors.whole("Heat-Flux") == {"Heat-Flux"}
    assert tensors.whole("Station-99") == {"Station-99"}
    assert tensors.dimension_of("K", ["K00", "K22", "Kx"], 1) == 3
    assert tensors.dimension_of("K", ["Porosity"], 1) == 1
