"""YAML from strangers."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.cases import yamlfile
from scalebridge.findings import ConfigurationError


def test_values_and_lines():
    root = yamlfile.parse("a: 1\nb:\n  c: 0.1 m\n  d: [1e-3, no, 010, .5, '1', true, ~, 'true']\n", "case.yaml")
    assert root.plain() == {"a": 1, "b": {"c": "0.1 m", "d": [1e-3, "no", 10, 0.5, "1", True, None, "true"]}}
    assert root.keys == {"a": 1, "b": 2}
    assert root.mapping["b"].keys == {"c": 3, "d": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x", r"case.yaml:1: anchors and aliases \(&x, \*x\) are not read"),
        ("a: [b]\nb: *x", "case.yaml:2: anchors and aliases"),
        ("a: !!python/object/apply:os.system [x]", "case.yaml:1: tags .*os.system.* are not read"),
        ("a: 1\nb: 2\na: 3", "case.yaml:3: the key 'a' stands here twice, first in line 1"),
        ("1: 2", "a key is a text, not 1"),
        ("? [a]\n: 1", "a key is a text"),
        ("[" * 20, "is nested deeper than 16 levels"),
        ("a: 1\n---\nb: 2", "case.yaml:3: a second document begins here"),
        ("a: 1e999", "1e999 is too large a number"),
        ("{a: b", "is not readable as YAML: expected ',' or '}'"),
        ("a: \x00", "is not readable as YAML: unacceptable character"),
        (b"a: \xff", "is not UTF-8 text, at byte 3"),
    ],
)
def test_refusals(text, message):
    with pytest.raises(ConfigurationError, match=message):
        yamlfile.parse(text, "case.yaml")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        yamlfile.read(tmp_path / "case.yaml")
    (tmp_path / "case.yaml").write_text("a" * (yamlfile.MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="a case has at most 262144"):
        yamlfile.read(tmp_path / "case.yaml")


@given(st.text(alphabet="ab:-[]{}&*!?|>'\"#%@` \n\t1.,~", max_size=60))
def test_any_text_is_either_read_or_refused_with_a_finding(text):
    with contextlib.suppress(ConfigurationError):
        yamlfile.parse(text, "case.yaml")
