"""HTML and SVG from Python: every text is escaped unless it is `Markup`, so nothing from a run can be read as a tag."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable
from typing import Any

VOID = ("br", "hr", "img", "input", "link", "meta", "wbr")
type Child = str | float | Iterable[Child] | None


class Markup(str):
    """A text that is HTML already; only this module makes it."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """Return an element.

    Parameters
    ----------
    children : texts, which are escaped, Markup, numbers, and sequences of these; None is nothing.
    attributes : `class_` for class, and `_` for `-` in names. None and False leave the attribute out, True leaves it
        without a value.
    """
    text = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{text}>")
    return Markup(f"<{name}{text}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Return the children one after the other."""
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(html.escape(_printable(child)))
        elif isinstance(child, int | float):
            parts.append(number(child))
        else:
            parts.append(join(*child))
    return Markup("".join(parts))


def data(value: Any) -> Markup:
    """Return a block of JSON that a script on the page can read, and that no text in it can end."""
    text = json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(f'<script type="application/json">{text}</script>')


def raw(text: str) -> Markup:
    """Return what this project has written itself (its style sheet, its script) as it is."""
    return Markup(text)


def number(value: float) -> str:
    """Return a number for an attribute or a text, short: two decimals are enough for a place in a drawing."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1e6 else f"{value:.6g}"


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f' {name}=""'
    text = number(value) if isinstance(value, int | float) else html.escape(_printable(value))
    return f' {name}="{text}"'


def _printable(text: str) -> str:
    """Return a text without the signs that HTML forbids: a null, an escape of a terminal, half of a pair."""
    return "".join(c if c >= " " or c in "\n\t" else "�" for c in text.encode("utf-8", "replace").decode())


def _finite(value: Any) -> Any:
    """Return the value with None for NaN and infinities, which JSON lacks, and short numbers."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
