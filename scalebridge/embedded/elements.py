"""What a table of tags and attributes looks like, and the reader that checks XML against it (the table: `schema`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from scalebridge.findings import Findings
from scalebridge.xmlfile import Element

REQUIRED = object()
_UNREAD = object()


@dataclass(frozen=True)
class Attribute:
    """One attribute: its type as a word, its default (or REQUIRED), its choices if it has any."""

    name: str
    type: str = "text"
    default: Any = REQUIRED
    choices: tuple[Any, ...] = ()

    @property
    def fallback(self) -> Any:
        """What to go on with where the value could not be read, so that all mistakes are found in one go."""
        if self.default is not REQUIRED:
            return self.default
        return self.choices[0] if self.choices else _FALLBACKS[self.type]


@dataclass(frozen=True)
class Tag:
    """One tag; `occurs` is 1 (exactly one), ? (at most one), * (any number) or + (at least one)."""

    name: str
    occurs: str = "*"
    attributes: tuple[Attribute, ...] = ()
    children: tuple[Tag, ...] = ()
    hints: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Node:
    """An element that fits the table: typed values for every attribute, which of them were written, its children.

    `unread` are the attributes that hold a plausible value because what was written could not be read: nothing is to
    be concluded from it. `misspelt` are the tags that unknown ones inside were most likely meant to be.
    """

    tag: str
    line: int
    values: dict[str, Any]
    given: frozenset[str]
    unread: frozenset[str]
    children: list[Node] = field(default_factory=list)
    misspelt: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """The part of the tag after the colon: `serial-explicit` of `coupling-scheme:serial-explicit`."""
        return self.tag.rpartition(":")[2]

    def __getitem__(self, attribute: str) -> Any:
        return self.values[attribute]

    def get(self, attribute: str, default: Any = None) -> Any:
        return self.values.get(attribute, default)

    def all(self, *prefixes: str) -> Iterator[Node]:
        """Yield the direct children whose tag is one of `prefixes`, or begins with one that ends in a colon."""
        for child in self.children:
            if any(child.tag == p or (p.endswith(":") and child.tag.startswith(p)) for p in prefixes):
                yield child

    def one(self, *prefixes: str) -> Node | None:
        return next(self.all(*prefixes), None)


# --- reading values ----------------------------------------------------------------------------------------------


def _number(text: str) -> float:
    """Read a float as preCICE does: `0.5`, `1e-3`, and fractions such as `1/3`."""
    top, slash, bottom = text.partition("/")
    return _plain(top) / _plain(bottom) if slash else _plain(text)


def _plain(text: str) -> float:
    if "_" in text:
        raise ValueError(text)
    return float(text)


def _integer(text: str) -> int:
    if "_" in text:
        raise ValueError(text)
    return int(text)


def _truth(text: str) -> bool:
    known = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}
    return known[text.strip().lower()]


def _vector(text: str) -> tuple[float, ...]:
    """Read a vector as preCICE does, which takes no fractions here."""
    return tuple(_plain(part) for part in text.split(";"))


_READERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "number": _number,
    "integer": _integer,
    "truth": _truth,
    "vector": _vector,
}
_FALLBACKS = {"text": "", "number": 1.0, "integer": 1, "truth": False, "vector": ()}
_EXPECTED = {
    "number": "a number, such as 0.5 or 1e-3",
    "integer": "an integer",
    "truth": "true or false",
    "vector": "numbers with semicolons between them, such as 0.0;1.5",
}


def _check_names(element: Element, tag: Tag, findings: Findings) -> set[str]:
    """Note attributes that the tag does not have; return which ones they were most likely meant to be."""
    before, place = len(findings.found), f"<{element.tag}>"
    known = {a.name for a in tag.attributes}
    hints = dict(tag.hints)
    for name in element.attributes:
        if name in hints:
            findings.add(element.line, place, f"attribute {name}: {hints[name]}")
        elif name not in known and not name.startswith("xmlns"):
            text = f"unknown attribute {name}"
            if known:
                findings.add(element.line, place, text, got=name, candidates=known)
            else:
                findings.add(element.line, place, text, expected="no attributes")
    return {f.nearest for f in findings.found[before:] if f.nearest}


def _read_attribute(element: Element, attribute: Attribute, misspelt: set[str], findings: Findings) -> Any:
    """Return the value of an attribute, or _UNREAD where it has none, after saying why if that is not yet said."""
    place = f"<{element.tag}>"
    text = element.attributes.get(attribute.name)
    if text is None:
        if attribute.default is not REQUIRED:
            return attribute.default
        if attribute.name not in misspelt:
            findings.add(element.line, place, f"attribute {attribute.name} is missing")
        return _UNREAD
    message = f'{attribute.name}="{text}" is not valid'
    try:
        value = _READERS[attribute.type](text)
    except (ValueError, KeyError, ZeroDivisionError, OverflowError):
        # A number that cannot be read leaves names and data flow as they are.
        rule = "value" if attribute.type in ("number", "integer", "vector") and not attribute.choices else ""
        findings.add(element.line, place, message, expected=_EXPECTED[attribute.type], rule=rule)
        return _UNREAD
    if attribute.choices and value not in attribute.choices:
        findings.add(element.line, place, message, got=text, candidates=[str(c) for c in attribute.choices])
        return _UNREAD
    if attribute.type == "text" and attribute.default is REQUIRED and not value:
        findings.add(element.line, place, f"attribute {attribute.name} is empty", expected="a name")
    if attribute.type == "number" and math.isnan(value):
        findings.add(element.line, place, message, expected=_EXPECTED["number"], rule="value")
        return _UNREAD
    return value


def read(element: Element, tag: Tag, findings: Findings) -> Node:
    """Check `element` against `tag` and return it with typed values; mistakes go to `findings`.

    A value that could not be read is replaced by a plausible one, so that reading goes on.
    """
    misspelt = _check_names(element, tag, findings)
    values = {a.name: _read_attribute(element, a, misspelt, findings) for a in tag.attributes}
    unread = frozenset(name for name, value in values.items() if value is _UNREAD)
    values |= {a.name: a.fallback for a in tag.attributes if a.name in unread}
    node = Node(element.tag, element.line, values, frozenset(element.attributes), unread)
    tags = {child.name: child for child in tag.children}
    seen: Counter[str] = Counter()
    for child in element.children:
        if child.tag not in tags:
            _unknown_tag(child, element.tag, tags, findings)
            node.misspelt.add(findings.found[-1].nearest or "")
            continue
        seen[child.tag] += 1
        if seen[child.tag] == 2 and tags[child.tag].occurs in "1?":
            findings.add(child.line, f"<{child.tag}>", f"may occur only once in <{element.tag}>")
        node.children.append(read(child, tags[child.tag], findings))
    for child_tag in tag.children:
        if child_tag.occurs in "1+" and not seen[child_tag.name] and child_tag.name not in node.misspelt:
            findings.add(element.line, f"<{element.tag}>", f"has no <{child_tag.name}>, which is required")
    return node


OF_VERSION_2 = {
    "solver-interface": "Put what is inside straight into <precice-configuration>, and dimensions into each <mesh>",
    "use-mesh": 'Write <provide-mesh name="..." /> or <receive-mesh name="..." from="..." />',
    "extrapolation-order": "Remove it",
    "export:vtk-xml": "Write <export:vtu />",
}


def _unknown_tag(child: Element, parent: str, tags: dict[str, Tag], findings: Findings) -> None:
    prefix = child.tag.rpartition(":")[0]
    family = [name for name in tags if prefix and name.startswith(prefix + ":")]
    candidates = family or list(tags)
    message = f"unknown tag in <{parent}>"
    if child.tag in OF_VERSION_2:
        findings.add(child.line, f"<{child.tag}>", f"{message}, of preCICE 2", fix=OF_VERSION_2[child.tag])
    elif candidates:
        findings.add(child.line, f"<{child.tag}>", message, got=child.tag, candidates=candidates)
    else:
        findings.add(child.line, f"<{child.tag}>", message, expected="no tags inside it")
