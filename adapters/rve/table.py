"""What has been found, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.rve.answer import Answer, alone, lacks, percent
from adapters.rve.statistics import CONFIDENCE, Key, Property, student, typical
from scalebridge.compare import markdown

FILE_NAME = "rve.json"
TABLE = "rve.md"
_FORMAT = 1
_HEAD = ("size", "edge [m]", "grid", "n", "mean", "±", "scatter", "error of the mean", "bias", "grid error")


@dataclass(frozen=True)
class Study:
    """All that was asked and found.

    Attributes
    ----------
    case, participant, model : names, for people.
    conditions : under what the volumes were looked at, in words.
    tolerance : relative.
    edge : of the volume of size 1 [m]; `grids` are the cells of all (size, resolution).
    """

    case: str
    participant: str
    model: str
    conditions: tuple[str, ...]
    tolerance: float
    edge: float
    grids: Mapping[Key, tuple[int, ...]]
    properties: tuple[Property, ...]
    answer: Answer

    def write(self, folder: Path) -> str:
        """Write rve.md and rve.json; return the text of the first."""
        text = self.markdown()
        (folder / TABLE).write_text(text, encoding="utf-8")
        (folder / FILE_NAME).write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")
        return text

    def markdown(self) -> str:
        """Return a table for each property, and the answer before them."""
        lines = [f"# Volumes of {self.participant} in {self.case}", "", self.answer.sentence]
        lines += [alone(one, self.tolerance, self.edge) for one in self.properties]
        lines += ["", f"{self.model}; {'; '.join(self.conditions)}."]
        for one in self.properties:
            tensor = one.anisotropy(next(iter(one.samples))) is not None
            head = (*_HEAD, *(("anisotropy",) if tensor else ()), "n needed", "enough")
            unit = "" if one.unit == "1" else f" [{one.unit}]"
            what = ", a tensor of which the mean of the diagonal is shown" if tensor else ""
            rows = [self._row(one, key) for key in self.grids]
            lines += ["", f"**{one.name}**{unit}{what}", "", *markdown.table(head, rows)]
        lines += [
            "",
            f"± and error of the mean: {percent(CONFIDENCE)} of the time. Scatter: standard deviation of one volume.",
        ]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object, the values of all realisations too."""
        return {
            "format": _FORMAT,
            "case": self.case,
            "participant": self.participant,
            "model": self.model,
            "conditions": list(self.conditions),
            "tolerance": self.tolerance,
            "enough": None
            if self.answer.enough is None
            else dict(zip(("size", "resolution"), self.answer.enough, strict=True)),
            "answer": self.answer.sentence,
            "properties": {one.name: self._property(one) for one in self.properties},
        }

    def _property(self, one: Property) -> dict[str, Any]:
        law = one.law
        return {
            "unit": one.unit,
            "scatter falls as": None
            if law is None
            else {"exponent": law.exponent, "error": law.error, "expected": law.expected},
            "size for one volume": one.single(self.tolerance),
            "volumes": [
                {
                    "size": key[0],
                    "resolution": key[1],
                    "edge": key[0] * self.edge,
                    "cells": list(self.grids[key]),
                    "mean": one.mean(key).tolist(),
                    "standard deviation": one.deviation(key),
                    "scatter": one.scatter(key),
                    "error of the mean": one.error(key),
                    "bias": one.bias(key),
                    "grid error": one.grid_error(key),
                    "anisotropy": one.anisotropy(key),
                    "realisations needed": one.needed(key, self.tolerance),
                    "lacks": lacks(one, key, self.tolerance),
                    "values": one.samples[key].tolist(),
                }
                for key in self.grids
            ],
        }

    def _row(self, one: Property, key: Key) -> list[str]:
        n, grid, anisotropy = one.count(key), one.grid_error(key), one.anisotropy(key)
        mean, needed = typical(one.mean(key)), one.needed(key, self.tolerance)
        return [
            str(key[0]),
            f"{key[0] * self.edge:g}",
            " x ".join(map(str, self.grids[key])),
            str(n),
            f"{mean:.5g}",
            f"{half_width(one, key):.2g}",
            percent(one.scatter(key)),
            percent(one.error(key)),
            percent(one.bias(key)),
            "" if grid is None else percent(grid),
            *([] if anisotropy is None else [percent(anisotropy)]),
            "" if needed is None else f"{needed}",
            "no" if lacks(one, key, self.tolerance) else "yes",
        ]


def half_width(one: Property, key: Key) -> float:
    """Return half the width of the confidence interval of the mean of the number that is shown for a value."""
    values = [typical(value) for value in one.samples[key]]
    n = len(values)
    middle = sum(values) / n
    return float(student(n) * (sum((v - middle) ** 2 for v in values) / (n - 1) / n) ** 0.5)
