"""Fields as the columns of a matrix."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.strategies.columns import Columns
from scalebridge.fields import Field


def test_tensors_are_flattened_by_their_independent_components():
    fields = {
        "T": Field("K"),
        "q": Field("W/m^2", rank=1),
        "E": Field("1", rank=2),
        "F": Field("1", rank=2, symmetric=False),
        "C": Field("Pa", rank=4),
    }
    columns = Columns(fields, dict.fromkeys(fields, 2))
    assert columns.names[:6] == ("T", "q-0", "q-1", "E-00", "E-01", "E-11")
    assert columns.names[columns.of("F")] == ("F-00", "F-01", "F-10", "F-11")
    assert columns.names[columns.of("C")] == ("C-0000", "C-0001", "C-0011", "C-0101", "C-0111", "C-1111")
    assert columns.groups.tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4]
    assert [one.unit for one in columns.components[:4]] == ["K", "W/m^2", "W/m^2", "1"]
    matrix = np.random.default_rng(0).random((7, len(columns.names)))
    fields_of = columns.unflatten(matrix)
    assert {name: value.shape[1:] for name, value in fields_of.items()} == {
        "T": (),
        "q": (2,),
        "E": (2, 2),
        "F": (2, 2),
        "C": (2, 2, 2, 2),
    }
    np.testing.assert_array_equal(columns.flatten(fields_of), matrix)
    np.testing.assert_array_equal(fields_of["E"][:, 1, 0], matrix[:, columns.names.index("E-01")])
    assert Columns.from_json(columns.to_json()) == columns
    with pytest.raises(ValueError, match=r"q has shape \(3,\) at each point; expected \(2,\)"):
        columns.flatten({**fields_of, "q": np.zeros((7, 3))})
