"""Trees in files: exact, atomic, private, and never anything but data."""

from __future__ import annotations

import json
import os
import stat
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalebridge import treefile
from scalebridge.treefile import TreeFileError

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(lambda values: np.array(values), st.lists(st.floats(), max_size=4))
    | st.floats().map(np.float64)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal bit for bit, types included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray | np.generic):
        flat = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and a.shape == b.shape and flat[0].tobytes() == flat[1].tobytes()
    return bool(a == b or (a != a and b != b)) and str(a) == str(b)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_a_tree_comes_back_bit_for_bit(tmp_path: Path, tree: Any) -> None:
    treefile.save(tmp_path / "tree.npz", tree)
    assert same(treefile.load(tmp_path / "tree.npz"), tree)


@pytest.mark.parametrize("kind", ["?", "<i2", ">f8", "<f4", "<c16", "<U5", "S3", "<M8[s]"])
def test_types_and_order_in_memory_are_kept(tmp_path: Path, kind: str) -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(kind))
    treefile.save(tmp_path / "tree.npz", {"a": array})
    back = treefile.load(tmp_path / "tree.npz")["a"]
    assert same(back, array)
    assert back.flags.f_contiguous


def test_random_generators_go_on_where_they_were(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    generator.random(3)
    treefile.save(tmp_path / "tree.npz", generator.bit_generator.state)
    expected = generator.random(4)
    generator.bit_generator.state = treefile.load(tmp_path / "tree.npz")
    assert (generator.random(4) == expected).all()


def test_arrays_have_names_that_tell_their_place(tmp_path: Path) -> None:
    treefile.save(
        tmp_path / "t.npz", {"state": {"../T [K]": np.ones(2), "..": np.zeros(1)}, "tree": np.ones(1), "": np.ones(1)}
    )
    with np.load(tmp_path / "t.npz", allow_pickle=False) as members:
        assert set(members.files) == {"tree", "state/T_K", "state", "tree-2", "value"}


def test_only_its_owner_can_read_it_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for _ in range(2):
        treefile.save(tmp_path / "tree.npz", [1])
    assert stat.S_IMODE((tmp_path / "tree.npz").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["tree.npz"]


def test_the_old_file_stays_where_the_new_one_cannot_be_written(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "tree.npz"
    treefile.save(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TreeFileError, match=r"tree.npz: cannot be written: No space left on device"):
        treefile.save(path, "new")
    assert treefile.load(path) == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["tree.npz"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": [1, object()]}, r"/a/1: a object cannot be saved; expected mappings"),
        (object(), r"the tree: a object cannot be saved"),
        ({"a": np.array([None])}, r"/a: an array of object cannot be saved"),
        ({"a": {b"k": 1}}, r"/a: a bytes cannot be a key; expected text"),
    ],
)
def test_what_no_file_can_hold_is_refused_with_its_place(tmp_path: Path, tree: Any, message: str) -> None:
    with pytest.raises(TreeFileError, match=message):
        treefile.save(tmp_path / "tree.npz", tree)
    assert not list(tmp_path.iterdir())


def header(path: Path, text: bytes, **compression: Any) -> None:
    with zipfile.ZipFile(path, "w", **compression) as archive, archive.open("tree.npy", "w") as stream:
        np.lib.format.write_array(stream, np.frombuffer(text, dtype=np.uint8))


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree.npz"
    with pytest.raises(TreeFileError, match=r"cannot be read: No such file"):
        treefile.load(path)
    with pytest.raises(TreeFileError, match=r"is a directory|is no file|Is a directory"):
        treefile.load(tmp_path)
    path.write_text("hello")
    with pytest.raises(TreeFileError, match=r"is damaged or no file of scalebridge's: File is not a zip file"):
        treefile.load(path)
    np.savez(path, a=np.ones(2))
    with pytest.raises(TreeFileError, match=r"was not written by scalebridge$"):
        treefile.load(path)
    header(path, b'{"format": "another"}')
    with pytest.raises(TreeFileError, match=r"was not written by scalebridge$"):
        treefile.load(path)
    header(path, b"{}" * 1000, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(TreeFileError, match=r"was not written by scalebridge: it is compressed"):
        treefile.load(path)
    header(path, json.dumps({"format": treefile.FORMAT, "version": 2, "tree": 0}).encode())
    with pytest.raises(TreeFileError, match=r"is of version 2; this scalebridge reads version 1"):
        treefile.load(path)
    header(path, json.dumps({"format": treefile.FORMAT, "version": 1, "tree": {"eval": "1"}}).encode())
    with pytest.raises(TreeFileError, match=r"no such kind of value: eval"):
        treefile.load(path)
    header(path, json.dumps({"format": treefile.FORMAT, "version": 1, "tree": None}).encode()[:-1] + b"[" * 100000)
    with pytest.raises(TreeFileError, match=r"is damaged"):
        treefile.load(path)


def test_a_tree_is_read_without_its_arrays_but_not_without_looking_at_them(tmp_path: Path) -> None:
    path = tmp_path / "tree.npz"
    treefile.save(path, {"a": np.full(3, 7.0), "b": [np.float64(1), b"x", 2]})
    assert treefile.load(path, arrays=False) == {"a": None, "b": [None, None, 2]}
    path.write_bytes(path.read_bytes().replace(np.float64(7.0).tobytes(), np.float64(8.0).tobytes()))
    with pytest.raises(TreeFileError, match=r"a\.npy does not fit its checksum"):
        treefile.load(path, arrays=False)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "tree.npz"
    text = json.dumps({"format": treefile.FORMAT, "version": 1, "tree": {"array": "a"}}).encode()
    np.savez(path, tree=np.frombuffer(text, dtype=np.uint8), a=np.array([print]))
    with pytest.raises(TreeFileError, match=r"allow_pickle=False"):
        treefile.load(path)


def test_every_damaged_byte_and_every_cut_is_noticed_or_harmless(tmp_path: Path) -> None:
    path, tree = tmp_path / "tree.npz", {"a": np.arange(5.0), "b": [1, "x", (2.5, None)]}
    treefile.save(path, tree)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    for place in random.permutation(len(whole))[:250]:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(random.integers(8))
        path.write_bytes(whole[:place])
        with pytest.raises(TreeFileError):
            treefile.load(path)
        path.write_bytes(bytes(changed))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert same(treefile.load(path), tree)  # a byte that no one reads, such as a time stamp
        except TreeFileError:
            continue
