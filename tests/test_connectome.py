"""Connectomes, from files of The Virtual Brain and from files that are wrong in every way that strangers think of."""

import importlib.util
import sys
import zipfile

import numpy as np
import pytest

from participants.neural import connectome
from participants.neural.connectome import load, pair
from scalebridge.findings import ConfigurationError

FILES = {
    "weights.txt": "0 1.5\n2 0.5\n",
    "tract_lengths.txt": "0, 30.2\n\n30.2, 0\n",
    "centres.txt": "left -10 0 5\nright 10.5 1e-1 5 None\n",
}


def folder(path, **changes):
    """Return the name of a folder with FILES, some changed, or left out where None."""
    names = {name.replace("_txt", ".txt"): text for name, text in changes.items()}
    path.mkdir(exist_ok=True)
    for name, text in {**FILES, **names}.items():
        if text is not None:
            (path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def mistakes(name):
    """Return what is found wrong with a connectome, without its name."""
    with pytest.raises(ConfigurationError) as error:
        load(name)
    return [line.removeprefix(f"{name}: ").removeprefix(name) for line in str(error.value).splitlines()]


def test_a_folder(tmp_path):
    found = load(folder(tmp_path / "brain"))
    assert found.labels == ("left", "right")
    assert found.weights.tolist() == [[0, 1.5], [2, 0.5]]  # from right to left 1.5
    assert found.lengths.tolist() == [[0, 30.2], [30.2, 0]]
    assert found.centres.tolist() == [[-10, 0, 5], [10.5, 0.1, 5]]
    assert found.without_self().weights.tolist() == [[0, 1.5], [2, 0]]


@pytest.mark.parametrize("inside", ["", "some/folder/"])
def test_a_zip(tmp_path, inside):
    path = tmp_path / "brain.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in FILES.items():
            archive.writestr(inside + name, text)
    assert load(str(path)).weights.tolist() == [[0, 1.5], [2, 0.5]]


def test_the_76_regions_of_the_virtual_brain():
    """Facts of the file: 76 labelled regions in two halves, whose weights are 0 to 3; nothing of TVB is imported."""
    known = set(sys.modules)
    found = load("tvb:connectivity_76")
    assert not any(name.startswith("tvb") for name in set(sys.modules) - known)
    assert found.weights.shape == found.lengths.shape == (76, 76)
    assert found.labels[:2] == ("rA1", "rA2")
    assert [label[0] for label in found.labels] == ["r"] * 38 + ["l"] * 38
    assert (found.weights.min(), found.weights.max(), np.count_nonzero(found.weights)) == (0, 3, 1560)
    assert found.lengths.max() == pytest.approx(153.4857, abs=1e-4)
    np.testing.assert_array_equal(found.lengths, found.lengths.T)
    assert found.centres[0] == pytest.approx([-9.885591, -47.084818, -3.139360])
    assert load("tvb:connectivity_192").labels[0] == "lAD"  # whose files are in a folder inside


def test_delays_are_rounded_to_steps():
    """As in TVB: 30.2 mm at 3 mm/ms are 10.07 ms, which are 101 steps of 0.1 ms."""
    assert pair(1.0, 30.2).delays(3.0, 0.1).tolist() == [[0, 101], [101, 0]]
    assert pair(1.0, 0.14).delays(3.0, 0.1).tolist() == [[0, 0], [0, 0]]


def test_regions_by_label_and_number(tmp_path):
    brain = load(folder(tmp_path / "brain"))
    assert brain.regions(["right", "0"], "columns").tolist() == [1, 0]
    with pytest.raises(ConfigurationError) as error:
        brain.regions(["rihgt", "2", "1", "right", "-1"], "columns")
    assert str(error.value).splitlines() == [
        "columns: no region 'rihgt'; expected a label such as left, or a number from 0 to 1. Did you mean 'right'?",
        "columns: no region '2'; expected a label such as left, or a number from 0 to 1",
        "columns: the region 'right' is there twice",
        "columns: no region '-1'; expected a label such as left, or a number from 0 to 1",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("brain.zip", "is not an absolute path; expected the path of a folder or zip, or such as tvb:connectivity_76"),
        ("/no/such/brain", "is not there; expected the path of a folder or zip, or such as tvb:connectivity_76"),
        ("tvb:conectivity_76", "the package tvb_data has no such connectome; expected one of connectivity_192, "),
        ("tvb:../connectivity_76", "the package tvb_data has no such connectome"),
    ],
)
def test_names_that_lead_nowhere(name, message):
    assert mistakes(name)[0].startswith(message)


def test_tvb_data_is_not_installed(monkeypatch):
    monkeypatch.setattr(connectome, "find_spec", lambda name: None)
    assert mistakes("tvb:connectivity_76") == [
        "the package tvb_data is not installed. Install tvb-data, or give a folder or zip"
    ]
    assert importlib.util.find_spec("tvb_data") is not None


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"weights_txt": None}, [": weights.txt: is not there; found centres.txt, tract_lengths.txt"]),
        ({"weights_txt": b"\xff\xfe0"}, [": weights.txt: is no text in UTF-8"]),
        ({"weights_txt": ""}, [": weights.txt: is empty; expected n lines of n numbers"]),
        (
            {"weights_txt": "0 x\n0 0", "tract_lengths_txt": "0 1\n2 nan", "centres_txt": "a 1 2 inf\na 1 2 3\nb 1"},
            [
                ":1: weights.txt: 'x' is not a finite number",
                ":2: tract_lengths.txt: 'nan' is not a finite number",
                ":1: centres.txt: 'inf' is not a finite number",
                ":2: centres.txt: the label a is there twice",
                ":3: centres.txt: has 2 words; expected a label and three coordinates",
            ],
        ),
        (
            {"weights_txt": "0 1 2\n3 4\n"},
            [":1: weights.txt: has 3 numbers; expected as many as there are lines, 2"],
        ),
        (
            {"weights_txt": "0 1 2\n3 4 5\n6 7 8\n"},
            [
                "the files are of different numbers of regions: "
                "weights.txt has 3, tract_lengths.txt has 2, centres.txt has 2"
            ],
        ),
        (
            {"tract_lengths_txt": "0 -3\n3 0"},
            [": tract_lengths.txt: the length from right to left is -3 mm; expected at least 0 mm"],
        ),
    ],
)
def test_what_is_wrong_with_files(tmp_path, changes, found):
    wanted = [line.removeprefix(": ") for line in found]
    assert mistakes(folder(tmp_path / "brain", **changes)) == wanted


def test_what_is_no_zip(tmp_path):
    path = tmp_path / "brain.zip"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    assert mistakes(str(path)) == ["cannot be read as a zip: File is not a zip file"]


def test_a_zip_that_is_damaged(tmp_path):
    path = tmp_path / "brain.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    path.write_bytes(path.read_bytes().replace(b"0 1.5", b"0 9.5", 1))
    assert mistakes(str(path)) == ["weights.txt: cannot be read: Bad CRC-32 for file 'weights.txt'"]


def test_a_zip_that_unpacks_to_too_much(tmp_path, monkeypatch):
    """Whatever it says of its size: no more is unpacked than may be."""
    monkeypatch.setattr(connectome, "LARGEST", 2**20)
    path = tmp_path / "brain.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.txt", "0 " * 2**20)
        archive.writestr("tract_lengths.txt", FILES["tract_lengths.txt"])
        archive.writestr("centres.txt", FILES["centres.txt"])
    assert mistakes(str(path)) == ["weights.txt: is larger than 1 MiB, which no connectome is"]
