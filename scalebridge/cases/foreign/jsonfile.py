"""Reads JSON with the line of every key, through the same bounded reader as YAML: JSON is a part of that."""

from __future__ import annotations

import json
from pathlib import Path

from scalebridge.cases import yamlfile
from scalebridge.cases.yamlfile import Node
from scalebridge.findings import ConfigurationError, Finding


def read(path: Path) -> Node:
    """Read a JSON file. Raises ConfigurationError."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= yamlfile.MAX_BYTES else b""
    except OSError as error:
        raise _unreadable(path, None, f"cannot be read: {error.strerror}") from None
    if size > yamlfile.MAX_BYTES:
        raise _unreadable(path, None, f"has {size} bytes; a configuration has at most {yamlfile.MAX_BYTES}")
    return parse(data, str(path))


def parse(data: bytes, file: str) -> Node:
    """Parse JSON text; `file` is the name that errors speak of. Raises ConfigurationError."""
    try:
        text = data.decode("utf-8-sig")
        json.loads(text, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise _unreadable(file, None, f"is not UTF-8 text, at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _unreadable(file, error.lineno, f"is not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # NaN, numbers of thousands of digits, thousands of brackets
        raise _unreadable(file, None, f"is not JSON that can be read: {error}") from None
    return yamlfile.parse(text.replace("\t", " ").replace("\\/", "/"), file)


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is no number of JSON")


def _unreadable(file: str | Path, line: int | None, message: str) -> ConfigurationError:
    return ConfigurationError([Finding(str(file), line, "", message, rule="json")])
