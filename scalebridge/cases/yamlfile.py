"""Read YAML that comes from strangers: plain data only, bounded, with the line of every key.

Works on the parser's events, not on the objects that a YAML loader would make of them, so nothing is constructed and
nothing can expand. Anchors, aliases, tags, several documents, duplicate keys and keys that are no text are refused.
Plain scalars follow YAML 1.2: `no` and `on` are text, `010` is ten, `1e-3` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scalebridge.findings import ConfigurationError, Finding

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Node:
    """One value with the line where it begins: a text, number, bool or None; a list of nodes; or a mapping of nodes.

    `keys` gives the line of each key of a mapping; it is empty otherwise.
    """

    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    line: int
    keys: dict[str, int]

    @property
    def mapping(self) -> dict[str, Node] | None:
        """The entries if this is a mapping, else None."""
        return self.value if isinstance(self.value, dict) else None

    @property
    def items(self) -> list[Node] | None:
        """The items if this is a list, else None."""
        return self.value if isinstance(self.value, list) else None

    def plain(self) -> Any:
        """Return the value as plain Python data, without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value


class _Refused(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read(path: str | Path) -> Node:
    """Read the YAML file `path`. Raises ConfigurationError."""
    path = Path(path)
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise ConfigurationError([_unreadable(str(path), None, f"cannot be read: {error.strerror}")]) from None
    if size > MAX_BYTES:
        message = f"has {size} bytes; a case has at most {MAX_BYTES}"
        raise ConfigurationError([_unreadable(str(path), None, message)])
    return parse(text, str(path))


def parse(text: bytes | str, file: str) -> Node:
    """Parse YAML text; `file` is the name that errors speak of. Raises ConfigurationError."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return _document(yaml.parse(decoded, Loader=yaml.SafeLoader))
    except UnicodeDecodeError as error:
        finding = _unreadable(file, None, f"is not UTF-8 text, at byte {error.start}")
    except _Refused as error:
        finding = _unreadable(file, error.line, str(error))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        context = f" ({error.context})" if error.context else ""
        finding = _unreadable(file, line, f"is not readable as YAML: {error.problem}{context}")
    except yaml.YAMLError as error:  # a character that YAML does not allow
        first = str(error).splitlines()[0]
        finding = _unreadable(file, None, f"is not readable as YAML: {first}")
    raise ConfigurationError([finding])


def _document(events: Iterator[yaml.Event]) -> Node:
    root: Node | None = None
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            if root is not None:
                raise _Refused(_line(event), "a second document begins here; a file has one")
            root = _node(events, event, 0)
    return root or Node(None, 1, {})


def _node(events: Iterator[yaml.Event], event: yaml.Event, depth: int) -> Node:
    line = _line(event)
    anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
    if anchor is not None:
        raise _Refused(line, f"anchors and aliases (&{anchor}, *{anchor}) are not read: write it out")
    if tag is not None:
        raise _Refused(line, f"tags ({tag}) are not read: write plain data")
    if isinstance(event, yaml.ScalarEvent):
        return Node(_scalar(event, line), line, {})
    if depth >= MAX_DEPTH:
        raise _Refused(line, f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Node] = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            items.append(_node(events, item, depth + 1))
        return Node(items, line, {})
    return _mapping(events, line, depth)


def _mapping(events: Iterator[yaml.Event], line: int, depth: int) -> Node:
    entries: dict[str, Node] = {}
    keys: dict[str, int] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(events, event, depth + 1)
        if not isinstance(key.value, str):
            raise _Refused(key.line, f"a key is a text, not {key.plain()!r}; put it in quotes if it is meant")
        if key.value in entries:
            raise _Refused(key.line, f"the key '{key.value}' stands here twice, first in line {keys[key.value]}")
        keys[key.value] = key.line
        entries[key.value] = _node(events, next(events), depth + 1)
    return Node(entries, line, keys)


def _scalar(event: yaml.ScalarEvent, line: int) -> str | int | float | bool | None:
    text: str = event.value
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _Refused(line, "has half of a character (an escape between \\ud800 and \\udfff)")
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise _Refused(line, f"{text[:40]} is too large a number")
        return number
    return text


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _unreadable(file: str, line: int | None, message: str) -> Finding:
    return Finding(file, line, "", message, rule="yaml")
