"""Paths that strangers have written never surprise: what cannot be a file is none."""

import pytest

from scalebridge.cases import paths


@pytest.mark.parametrize("name", ["x" * 400, "a\0b", "loop", "loop/inside", "file/inside", "", "nothing"])
def test_what_is_no_file(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    assert not paths.is_file(tmp_path / name)
    assert paths.is_folder(tmp_path / name) is (name == "")
    if name:
        assert paths.files_in(tmp_path / name) == []


def test_files_in_a_folder(tmp_path):
    for name in ("b.py", "a.py", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.py").mkdir()
    assert paths.files_in(tmp_path) == ["a.py", "b.py", "c.txt"]
    assert paths.files_in(tmp_path, ".py") == ["a.py", "b.py"]
    assert paths.is_file(tmp_path / "a.py")


def test_links_are_followed_as_far_as_they_lead(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "loop").symlink_to("loop")
    assert paths.resolved(tmp_path / "link") == paths.resolved(tmp_path / "file")
    assert paths.resolved(tmp_path / "loop").name == "loop"
