"""XML from strangers: what is read, and what is refused with which words."""

import pytest

from scalebridge import xmlfile
from scalebridge.findings import ConfigurationError, nearest


def message(text: bytes) -> str:
    with pytest.raises(ConfigurationError) as error:
        xmlfile.parse(text, "config.xml")
    return str(error.value)


def test_tags_attributes_and_lines():
    root = xmlfile.parse(b'<a>\n  <data:scalar name="T"/>\n  <b/>\n</a>', "config.xml")
    assert [(c.tag, c.attributes, c.line) for c in root.children] == [("data:scalar", {"name": "T"}, 2), ("b", {}, 3)]
    assert [c.line for c in root.all("b")] == [3]


def test_entity_expansion_is_refused():
    bomb = b'<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<x>&b;</x>'
    assert message(bomb) == (
        "config.xml:2: has a document type declaration (<!DOCTYPE ...>), which is not read: remove it"
    )


def test_unclosed_tag():
    assert message(b"<a>\n<b></a>") == "config.xml:2: is not well-formed XML: mismatched tag at column 6"


def test_nothing_inside():
    assert "no element found" in message(b"")


def test_too_deep():
    assert message(b"<a>" * 100) == "config.xml:1: is nested deeper than 64 elements"


def test_unknown_encoding():
    assert "config.xml" in message(b'<?xml version="1.0" encoding="klingon"?><a/>')


def test_missing_and_large_file(tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match=r"none\.xml: cannot be read: No such file or directory"):
        xmlfile.read(tmp_path / "none.xml")
    monkeypatch.setattr(xmlfile, "MAX_BYTES", 10)
    (tmp_path / "large.xml").write_text("<a>" + " " * 20 + "</a>")
    with pytest.raises(ConfigurationError, match="has 27 bytes; a configuration has at most 10"):
        xmlfile.read(tmp_path / "large.xml")


def test_nearest_name():
    assert nearest("temprature", ["Temperature", "Pressure"]) == "Temperature"
    assert nearest("zzz", ["Temperature"]) is None
