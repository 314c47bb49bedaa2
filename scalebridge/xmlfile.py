"""Read XML that comes from strangers: no document type, no entities, bounded size, a line number for every element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from scalebridge.findings import ConfigurationError, Finding

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64


@dataclass(frozen=True)
class Element:
    """One XML element: its tag as written (`data:scalar`), its attributes, its children and its line."""

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)

    def all(self, *tags: str) -> Iterator[Element]:
        """Yield the direct children whose tag is one of `tags`."""
        return (child for child in self.children if child.tag in tags)


class _Refused(Exception):
    pass


def read(path: str | Path) -> Element:
    """Read the XML file `path` and return its root element.

    Raises
    ------
    ConfigurationError
        If the file is missing, too large, too deep, not well-formed, or has a document type declaration.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise _unreadable(str(path), None, f"cannot be read: {error.strerror}") from None
    if size > MAX_BYTES:
        message = f"has {size} bytes; a configuration has at most {MAX_BYTES}"
        raise _unreadable(str(path), None, message)
    return parse(text, str(path))


def parse(text: bytes, file: str) -> Element:
    """Parse XML text; `file` is the name that errors speak of. Raises ConfigurationError."""
    parser = expat.ParserCreate()
    roots: list[Element] = []
    open_elements: list[Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_elements) >= MAX_DEPTH:
            raise _Refused(f"is nested deeper than {MAX_DEPTH} elements")
        element = Element(tag, attributes, parser.CurrentLineNumber)
        (open_elements[-1].children if open_elements else roots).append(element)
        open_elements.append(element)

    def end(tag: str) -> None:
        open_elements.pop()

    def refuse(*args: object) -> None:
        raise _Refused("has a document type declaration (<!DOCTYPE ...>), which is not read: remove it")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except _Refused as error:
        raise _unreadable(file, parser.CurrentLineNumber, str(error)) from None
    except expat.ExpatError as error:
        message = f"is not well-formed XML: {expat.ErrorString(error.code)} at column {error.offset + 1}"
        raise _unreadable(file, error.lineno, message) from None
    except (ValueError, LookupError) as error:  # an unknown or unusable character encoding
        raise _unreadable(file, None, f"is not readable as text: {error}") from None
    return roots[0]


def _unreadable(file: str, line: int | None, message: str) -> ConfigurationError:
    return ConfigurationError([Finding(file, line, "", message, rule="xml")])
