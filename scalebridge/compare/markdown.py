"""Tables that are as readable in a terminal as in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table; columns of numbers are flush right, under their names."""
    cells = [[_escaped(cell) for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(head))]
    right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "| " + " | ".join(_padded(c, w, r) for c, w, r in zip(row, widths, right, strict=True)) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|"
    return [lines[0], rule, *lines[1:]]


def number(value: float | None, digits: int = 6) -> str:
    """Return a number for a table; empty where there is none."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.{digits}g}"


def size(count: float | None) -> str:
    """Return a number of bytes in megabytes."""
    return "" if count is None else f"{count / 1e6:.0f}"


def _padded(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")


def _is_number(cell: str) -> bool:
    try:
        float(cell or 0)
    except ValueError:
        return False
    return True
