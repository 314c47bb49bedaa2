"""The points of a sweep: `--set PATH=VALUE,VALUE,...` for every axis, and all combinations of their values.

Values are YAML, as in `scalebridge run --set`. Commas outside of quotes and brackets stand between them; a list in
brackets is a list of values too, so a value that is itself a list stands in brackets of its own: `[[8, 16], [16, 32]]`.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from scalebridge.cases import yamlfile
from scalebridge.findings import ConfigurationError, Finding

MOST_POINTS = 10_000
_MOST_NAME = 80
_STRANGE = re.compile(r"[^A-Za-z0-9.+-]+")
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)")
_CLOSING = {"[": "]", "{": "}"}


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes, as text, in the order in which they were given."""

    path: str
    texts: tuple[str, ...]

    @property
    def varies(self) -> bool:
        """Whether there is more than one value."""
        return len(self.texts) > 1

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values as numbers of one unit, None where they are none."""
        found = [_QUANTITY.fullmatch(_plain(text)) for text in self.texts]
        if not all(found) or len({match[2] for match in found if match}) != 1:
            return None
        return tuple(float(match[1]) for match in found if match)


@dataclass(frozen=True)
class Point:
    """One combination: its name, which is that of its folder; its value on every axis; what `--set` is given."""

    name: str
    texts: tuple[str, ...]
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """All combinations of the values of some axes, those of the last axis running fastest."""

    axes: tuple[Axis, ...]

    @property
    def varying(self) -> tuple[Axis, ...]:
        """The axes with more than one value."""
        return tuple(axis for axis in self.axes if axis.varies)

    @property
    def labels(self) -> tuple[str, ...]:
        """Short names of the varying axes: the last part of the path, or all of it where that is not one axis only."""
        last = [axis.path.rpartition(".")[2] for axis in self.varying]
        return tuple(
            name if last.count(name) == 1 else axis.path for name, axis in zip(last, self.varying, strict=True)
        )

    def points(self) -> list[Point]:
        """Return the points; their names do not depend on which other points there are."""
        slugs = [_slugs(axis) for axis in self.varying]
        result = []
        for texts in itertools.product(*(axis.texts for axis in self.axes)):
            given = dict(zip((axis.path for axis in self.axes), texts, strict=True))
            shown = tuple(given[axis.path] for axis in self.varying)
            parts = [f"{_STRANGE.sub('-', n)}={s[t]}" for n, s, t in zip(self.labels, slugs, shown, strict=True)]
            name = "_".join(parts) or "point"
            if len(name) > _MOST_NAME:
                name = f"{name[: _MOST_NAME - 7]}~{_hash(name)}"
            result.append(Point(name, tuple(_plain(t) for t in shown), tuple(f"{p}={t}" for p, t in given.items())))
        return result


def parse(arguments: Sequence[str]) -> Grid:
    """Return the grid that `--set` arguments ask for. Raises ConfigurationError with everything that is wrong."""
    axes: dict[str, Axis] = {}
    findings = []
    for argument in arguments:
        path, equals, text = (part.strip() for part in argument.partition("="))
        if not equals or not path:
            findings.append(
                _wrong(argument, "is not of the form PATH=VALUE,...", "as in Macro.settings.elements=10,20,40")
            )
            continue
        try:
            texts = _values(text)
        except ValueError as error:
            findings.append(_wrong(path, str(error), "as in Macro.settings.elements=10,20,40"))
            continue
        if twice := next((t for t in texts if texts.count(t) > 1), None):
            findings.append(_wrong(path, f"the value {twice} stands there twice"))
        if path in axes:
            findings.append(_wrong(path, "is set twice", "all its values in one --set, with commas between"))
        axes[path] = Axis(path, tuple(texts))
    count = 1
    for axis in axes.values():
        count *= len(axis.texts)
    if count > MOST_POINTS:
        findings.append(_wrong(" ".join(axes), f"these are {count} points", f"at most {MOST_POINTS}"))
    if findings:
        raise ConfigurationError(findings)
    return Grid(tuple(axes.values()))


def _values(text: str) -> list[str]:
    """Return the values of an axis, each as YAML text. Raises ValueError."""
    parts = _split(text)
    if len(parts) == 1 and text.startswith("["):
        parts = _split(text[1:-1])
    if not all(parts):
        raise ValueError(f"a value is missing in '{text}'" if text else "has no value")
    for part in parts:
        try:
            yamlfile.parse(part, "--set")
        except ConfigurationError as error:
            raise ValueError(f"the value {part} {error.findings[0].message}") from None
    return parts


def _split(text: str) -> list[str]:
    """Split at the commas that are in no quotes and no brackets. Raises ValueError where these do not close."""
    parts, begin, quote = [], 0, ""
    open_brackets: list[str] = []
    for i, character in enumerate(text):
        if quote:
            quote = "" if character == quote and not (quote == '"' and text[i - 1] == "\\") else quote
        elif character in "'\"" and not text[begin:i].strip(" [{"):
            quote = character  # as in YAML, a quote inside of a word is part of it
        elif character in _CLOSING:
            open_brackets.append(_CLOSING[character])
        elif open_brackets and character == open_brackets[-1]:
            open_brackets.pop()
        elif character in "]}":
            raise ValueError(f"'{character}' closes nothing in '{text}'")
        elif character == "," and not open_brackets:
            parts.append(text[begin:i].strip())
            begin = i + 1
    if quote or open_brackets:
        raise ValueError(f"{quote or open_brackets[-1]} is missing in '{text}'")
    return [*parts, text[begin:].strip()]


def _slugs(axis: Axis) -> dict[str, str]:
    """Return text -> a part of a file name for the values of an axis, all of them different."""
    plain = {text: _STRANGE.sub("-", _plain(text)).strip("-") or "x" for text in axis.texts}
    names = list(plain.values())
    return {text: slug if names.count(slug) == 1 else f"{slug}~{_hash(text)}" for text, slug in plain.items()}


def _plain(text: str) -> str:
    """Return a text without its quotes."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _wrong(key: str, message: str, expected: str = "") -> Finding:
    return Finding("--set", None, key, message, expected)
