"""The `preciceDict` of the OpenFOAM adapter: a dictionary of OpenFOAM, of which a small part is enough here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scalebridge.cases.foreign.adapter import Adapter, Interface, Name
from scalebridge.findings import ConfigurationError, Finding, Findings

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
_TOKEN = re.compile(
    r'\s+|//[^\n]*|/\*.*?\*/|#[^\n]*|"(?P<quoted>[^"\n]*)"|(?P<mark>[{}()\[\];])|(?P<word>[^\s{}()\[\];"]+)', re.S
)


@dataclass
class _Block:
    """What stands between braces: entries (key, line, words as (text, line), blocks inside parentheses or braces)."""

    line: int
    entries: list[tuple[str, int, list[tuple[str, int]], list[_Block]]] = field(default_factory=list)

    def words(self, key: str) -> list[tuple[str, int]]:
        return next((words for name, _, words, _ in self.entries if name == key), [])

    def blocks(self, key: str) -> list[_Block]:
        return next((blocks for name, _, _, blocks in self.entries if name == key), [])


def read(path: Path) -> Adapter:
    """Read a preciceDict. Raises ConfigurationError where it is not readable."""
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise _unreadable(path, None, f"cannot be read: {error.strerror}") from None
    if size > MAX_BYTES:
        raise _unreadable(path, None, f"has {size} bytes; a dictionary has at most {MAX_BYTES}")
    return parse(text, str(path))


def parse(data: bytes, file: str) -> Adapter:
    """Parse the text of a preciceDict. Raises ConfigurationError."""
    tokens = list(_tokens(data.decode("utf-8", "replace"), file))
    root, rest = _block(tokens, 0, file, 0, "")
    if rest < len(tokens):
        raise _unreadable(file, tokens[rest][1], f"'{tokens[rest][0]}' closes nothing")
    findings = Findings(file, "adapter-file")
    config, participant = (_one(root, key, findings) for key in ("preciceConfig", "participant"))
    interfaces = [
        made
        for block in root.blocks("interfaces")
        for name, _, _, inner in block.entries
        for one in inner[:1]
        if (made := _interface(one, f"interfaces.{name}", findings))
    ]
    if not interfaces:
        findings.add(root.line, "interfaces", "is missing or empty")
    return Adapter(file, "the OpenFOAM adapter", participant, config, tuple(interfaces), findings)


def _interface(block: _Block, place: str, findings: Findings) -> Interface | None:
    mesh = _one(block, "mesh", findings, place)
    if mesh is None:
        return None
    reads, writes = (tuple(_names(block, key, place)) for key in ("readData", "writeData"))
    return Interface(mesh, reads, writes, False)


def _names(block: _Block, key: str, place: str) -> Iterator[Name]:
    for text, line in block.words(key):
        yield Name(text, line, f"{place}.{key}")
    for inner in block.blocks(key):  # ({name Temperature; ...} ...), as newer adapters have it
        for text, line in inner.words("name")[:1]:
            yield Name(text, line, f"{place}.{key}")


def _one(block: _Block, key: str, findings: Findings, place: str = "") -> Name | None:
    words, where = block.words(key), f"{place}.{key}" if place else key
    if len(words) != 1:
        findings.add(block.line, where, "is missing" if not words else "is not one word", expected=f"{key} NAME;")
        return None
    return Name(words[0][0], words[0][1], where)


def _tokens(text: str, file: str) -> Iterator[tuple[str, int, bool]]:
    """Yield (text, line, whether it is a mark such as a brace)."""
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unreadable(file, line, f"is not readable at {text[position : position + 20]!r}")
        if match["mark"]:
            yield match["mark"], line, True
        elif match["word"] or match["quoted"] is not None:
            yield match["word"] or match["quoted"], line, False
        line += match.group().count("\n")
        position = match.end()


def _block(tokens: list[tuple[str, int, bool]], start: int, file: str, depth: int, closing: str) -> tuple[_Block, int]:
    """Return the entries up to the mark `closing`, and where to go on."""
    if depth > MAX_DEPTH:
        raise _unreadable(file, tokens[start - 1][1], f"is nested deeper than {MAX_DEPTH} levels")
    block = _Block(tokens[start - 1][1] if start else 1)
    words: list[tuple[str, int]] = []
    inner: list[_Block] = []

    def finish() -> None:
        if words:
            block.entries.append((words[0][0], words[0][1], words[1:], list(inner)))
        words.clear()
        inner.clear()

    while start < len(tokens):
        text, line, is_mark = tokens[start]
        start += 1
        if not is_mark:
            words.append((text, line))
        elif text == ";":
            finish()
        elif text == "{":
            made, start = _block(tokens, start, file, depth + 1, "}")
            inner.append(made)
            finish()
        elif text in "([":
            listed, blocks, start = _list(tokens, start, file, depth + 1, ")" if text == "(" else "]")
            words += listed
            inner += blocks
        elif text == closing:
            finish()
            return block, start
        else:
            return block, start - 1
    if closing:
        raise _unreadable(file, block.line, f"what begins here is never closed with '{closing}'")
    finish()
    return block, start


def _list(
    tokens: list[tuple[str, int, bool]], start: int, file: str, depth: int, closing: str
) -> tuple[list[tuple[str, int]], list[_Block], int]:
    """Return the words and blocks of a list, and where to go on."""
    first = tokens[start - 1][1]
    words: list[tuple[str, int]] = []
    blocks: list[_Block] = []
    while start < len(tokens):
        text, line, is_mark = tokens[start]
        start += 1
        if not is_mark:
            words.append((text, line))
        elif text == "{":
            made, start = _block(tokens, start, file, depth + 1, "}")
            blocks.append(made)
        elif text == "(" and depth <= MAX_DEPTH:
            more, inner, start = _list(tokens, start, file, depth + 1, ")")
            words += more
            blocks += inner
        elif text == closing:
            return words, blocks, start
        else:
            raise _unreadable(file, line, f"'{text}' inside of a list")
    raise _unreadable(file, first, f"what begins here is never closed with '{closing}'")


def _unreadable(file: str | Path, line: int | None, message: str) -> ConfigurationError:
    return ConfigurationError([Finding(str(file), line, "", message, rule="dictionary")])
