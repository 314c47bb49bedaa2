"""Files of tables and laws: whether they are what they are taken for, and of the model and the fields of a case."""

from __future__ import annotations

import dataclasses

import pytest
from known_laws import Bars, TwoBars

from adapters.strategies import provenance
from adapters.strategies.provenance import FileError, misfits
from scalebridge import treefile
from scalebridge.fields import Field


def cake(path):
    return provenance.load(path, "cake", ("kind", "of cake"), 1, lambda tree: tree["layers"])


def test_a_file_is_what_it_is_taken_for(tmp_path):
    treefile.save(tmp_path / "c.npz", {"kind": "of cake", "version": 1, "layers": 3})
    assert cake(tmp_path / "c.npz") == 3


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"kind": "of bread"}, r"c\.npz: is no cake$"),
        ([1, 2], r"c\.npz: is no cake$"),
        ({"kind": "of cake", "version": 7}, r"c\.npz: is a cake of version 7; this scalebridge reads 1$"),
        ({"kind": "of cake", "version": 1}, r"c\.npz: is a damaged cake: KeyError: 'layers'$"),
    ],
)
def test_a_file_that_is_something_else(tmp_path, tree, message):
    treefile.save(tmp_path / "c.npz", tree)
    with pytest.raises(FileError, match=message):
        cake(tmp_path / "c.npz")


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(FileError, match=r"c\.npz: cannot be read: No such file or directory"):
        cake(tmp_path / "c.npz")
    (tmp_path / "c.npz").write_bytes(b"PK nothing")
    with pytest.raises(FileError, match="is damaged or no file of scalebridge's"):
        cake(tmp_path / "c.npz")


def test_fields_that_are_others_are_told_with_both():
    own = {"T": Field("K"), "q": Field("W", rank=1), "E": Field("1", rank=2), "r": Field("Hz", help="how often")}
    case = {"T": Field("degC"), "E": Field("1", rank=2, symmetric=False), "p": Field("Pa"), "r": Field("Hz")}
    assert misfits("control", own, own) == []
    assert misfits("control", own, case) == [
        "control E is a symmetric tensor [1] in the file, a tensor [1] in the case",
        "control T is a scalar [K] in the file, a scalar [degC] in the case",
        "control p of the case is none of the file, which has T, q, E, r",
        "control q of the file is none of the case, which has T, E, p, r",
    ]
    assert misfits("observable", {"r": Field("Hz")}, {"r": Field("Hz", per="window")}) == [
        "observable r is a scalar [Hz] in the file, a scalar [Hz] per window in the case"
    ]


def test_what_does_not_matter_for_the_result_is_not_compared():
    @dataclasses.dataclass(frozen=True)
    class Given:
        cells: int = 8
        threads: int = 1

    def of(given):
        model = Bars(TwoBars())
        model.settings = given
        return provenance.of(model)

    assert provenance.differences(of(Given()), of(Given(threads=4))) == []
    assert provenance.differences(of(Given()), of(Given(cells=9))) == ["cells was 8, the case has 9"]
    assert provenance.differences({**of(Given()), "hash": "0"}, of(Given())) == ["its hash does not fit what it says"]
