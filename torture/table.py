"""The result of the torture as a table."""

from __future__ import annotations

from collections.abc import Sequence

from torture.faults import KINDS
from torture.trial import Result

_HEAD = ("what happened", "runs", "kept all promises", "named the culprit", "and its rank", "longest end", "resumed")


def table(results: Sequence[Result], machine: str) -> str:
    """Return the table as Markdown, a row for each kind of fault; `machine` says where the runs were made."""
    rows = [_row(kind.name, [r for r in results if r.plan.kind is kind]) for kind in KINDS]
    rows = [row for row in rows if row[1] != "0"]
    rows.append(_row("all", results))
    lines = [_line(_HEAD), _line(["---", *["---:"] * (len(_HEAD) - 1)]), *(_line(row) for row in rows)]
    late = sum(1 for r in results if r.seconds is None and not r.problems)
    notes = [f"({machine})", *([f"{late} runs were over before their fault came."] if late else [])]
    return "\n".join([*lines, "", " ".join(notes), ""])


def _row(name: str, results: Sequence[Result]) -> list[str]:
    hit = [r for r in results if r.seconds is not None]
    named = [r for r in hit if r.plan.kind.target != "hub"]
    ranks = [r for r in hit if r.rank_told is not None]
    resumed = [r for r in hit if r.resumed not in ("", "no checkpoint yet")]
    return [
        name,
        str(len(hit)),
        _share(hit, sum(not r.problems for r in hit)),
        _share(named, sum(not any("named" in p for p in r.problems) for r in named)),
        _share(ranks, sum(bool(r.rank_told) for r in ranks)),
        f"{max((r.seconds or 0.0 for r in hit), default=0.0):.1f} s",
        _share(resumed, sum(r.resumed == "same" for r in resumed)),
    ]


def _share(of: Sequence[Result], count: int) -> str:
    return f"{count} of {len(of)}" if of else ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
