"""Fields: unit and shape of what is exchanged."""

import pytest

from scalebridge.fields import Field


def test_json_round_trip():
    field = Field("W/(m*K)", rank=2, symmetric=False, per="grid", help="conductivity")
    assert Field.from_json(field.to_json()) == field


def test_data_names_of_scalars_and_vectors_are_their_own():
    assert Field("K").data_names("Temperature", 3) == ("Temperature",)
    assert Field("W/m^2", rank=1).data_names("Heat-Flux", 2) == ("Heat-Flux",)


def test_data_names_of_tensors_run_row_by_row():
    symmetric = Field("1", rank=2)
    assert symmetric.data_names("K", 2) == ("K-00", "K-01", "K-11")
    assert symmetric.data_names("K", 3) == ("K-00", "K-01", "K-02", "K-11", "K-12", "K-22")
    assert Field("1", rank=2, symmetric=False).data_names("K", 2) == ("K-00", "K-01", "K-10", "K-11")


def test_data_names_of_a_stiffness_run_row_by_row_over_pairs():
    stiffness = Field("Pa", rank=4)
    names = ("C-0000", "C-0001", "C-0011", "C-0101", "C-0111", "C-1111")
    assert stiffness.data_names("C", 2) == names
    assert len(stiffness.data_names("C", 3)) == 21
    plain = tuple(name.replace("-", "") for name in names)
    assert stiffness.data_names("C", 2, plain) == plain
    assert len(Field("Pa", rank=4, symmetric=False).data_names("C", 2)) == 16
    assert len(stiffness.data_names("C", 2, Field("Pa", rank=4, symmetric=False).data_names("C", 2))) == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"unit": " "}, "a field needs a unit"),
        ({"unit": "K", "rank": 3}, "rank of a field is 0, 1, 2 or 4, not 3"),
        ({"unit": "K", "per": "cell"}, "per is one of grid, point, spikes, window, not 'cell'"),
        ({"unit": "Hz", "rank": 1, "per": "window"}, "a field per 'window' is a scalar, not of rank 1"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        Field(**arguments)
