"""The table of tags of the embedded engine against what preCICE 3.4.1 says about its own configuration.

tests/reference/tags.json holds what `precice-config-doc md` of preCICE 3.4.1 prints: a line for each tag with its path,
how often each tag may occur in it, and the type, the default and the choices of each attribute.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from engine_server import REFERENCE

from scalebridge.embedded.elements import REQUIRED, Attribute, Tag
from scalebridge.embedded.schema import CONFIGURATION

TYPES = {"text": "string", "truth": "boolean", "number": "float", "integer": "integer", "vector": "vector"}
OCCURRENCE = {"1": "1", "?": "0..1", "*": "0..*", "+": "1..*"}
ROWS = json.loads((REFERENCE / "tags.json").read_text())


def tags(tag: Tag, path: str = "") -> Iterator[tuple[str, Tag]]:
    """Yield all tags inside `tag` with their paths, itself included."""
    yield path, tag
    for child in tag.children:
        yield from tags(child, f"{path}/{child.name}".lstrip("/"))


KNOWN = dict(tags(CONFIGURATION))


def described(attribute: Attribute) -> list[Any]:
    """Return type, default and choices in the form of the recorded ones."""
    choices = sorted(str(c) for c in attribute.choices)
    return [TYPES[attribute.type], comparable(attribute.default), choices]


def comparable(default: Any) -> object:
    """Return a default so that 1, 1.0 and "1" are equal, also true and "true", and a missing number and "nan"."""
    if default is REQUIRED:
        return None
    if isinstance(default, bool):
        return str(default).lower()
    try:
        number = float("nan" if default is None else default)
    except ValueError:
        return default
    return "nan" if math.isnan(number) else number


def test_no_tag_is_missing_and_none_is_invented() -> None:
    assert KNOWN.keys() == {path for path, _, _ in ROWS}


@pytest.mark.parametrize(("path", "children", "attributes"), ROWS, ids=[row[0] or "outermost" for row in ROWS])
def test_tag_is_as_in_precice(path: str, children: dict[str, str], attributes: dict[str, list[Any]]) -> None:
    tag = KNOWN[path]
    assert {c.name: OCCURRENCE[c.occurs] for c in tag.children} == children
    expected = {
        name: [kind, None if default is None else comparable(default), sorted(choices)]
        for name, (kind, default, choices) in attributes.items()
    }
    assert {a.name: described(a) for a in tag.attributes} == expected
