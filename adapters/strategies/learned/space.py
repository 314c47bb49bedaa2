"""The controls of a model as one vector, and the box of it that a law is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.strategies.learned import notation
from scalebridge.fields import Field
from scalebridge.findings import Findings
from scalebridge.units import UnitError, convert

Array = NDArray[np.float64]

RANGE = ".."


@dataclass(frozen=True)
class Space:
    """Where controls live.

    Attributes
    ----------
    fields : the controls that drive, in order; rank 0, 1 or 2.
    dimensions : of vectors and tensors.
    """

    fields: Mapping[str, Field]
    dimensions: int

    def vector(self, controls: Mapping[str, Any]) -> Array:
        """Return controls (..., *shape) as vectors (..., s)."""
        parts = [notation.vector(np.asarray(controls[name]), field.rank) for name, field in self.fields.items()]
        return np.concatenate(parts, axis=-1)

    def controls(self, vectors: Array) -> dict[str, Array]:
        """Return what vectors (..., s) stand for."""
        found, begin = {}, 0
        for name, field in self.fields.items():
            end = begin + notation.size(field.rank, self.dimensions)
            found[name] = np.ascontiguousarray(notation.value(vectors[..., begin:end], field.rank, self.dimensions))
            begin = end
        return found

    def box(self, texts: Sequence[str], findings: Findings) -> Array:
        """Return the box (2, s) that texts such as "Strain=0.01" and "Temperature=-20 degC..2 degC" name.

        A single number is the half of a range about zero. Of a vector or tensor there may be one range for all
        components, or with commas one for each, in the order in which they travel: 00, 01, 11.
        """
        given: dict[str, str] = {}
        for text in texts:
            name, equals, value = text.partition("=")
            if not equals:
                findings.add(None, "--box", f"'{text}' has no range", expected="NAME=LOW..HIGH")
            elif name not in self.fields:
                findings.add(None, "--box", f"'{name}' is no control", got=name, candidates=self.fields)
            else:
                given[name] = value
        parts = []
        for name, field in self.fields.items():
            if name not in given and not any(f.startswith(f"{name}=") for f in texts):
                expected = f"--box {name}=LOW..HIGH, in a unit like '{field.unit}', or --recorded RUN"
                findings.add(None, "--box", f"'{name}' needs a range", expected=expected)
            elif name in given:
                parts.append(self._range(name, field, given[name], findings))
        return np.concatenate(parts, axis=1) if len(parts) == len(self.fields) else np.zeros((2, 0))

    def _range(self, name: str, field: Field, text: str, findings: Findings) -> Array:
        """Return the range (2, s) of one control."""
        s, texts = notation.size(field.rank, self.dimensions), text.split(",")
        if len(texts) not in (1, s):
            findings.add(None, "--box", f"{name} has {len(texts)} ranges", expected=f"1 or {s}")
            return np.zeros((2, s))
        ends = []
        for part in texts:
            low, two, high = part.partition(RANGE)
            try:
                pair = (convert(low.strip(), field.unit), convert(high.strip(), field.unit)) if two else None
                half = 0.0 if two else convert(part.strip(), field.unit)
            except UnitError as error:
                findings.add(None, "--box", f"{name}: {error}")
                return np.zeros((2, s))
            ends.append(pair or (-half, half))
        low_high = np.array(ends * (s if len(ends) == 1 else 1)).T
        if (low_high[1] <= low_high[0]).any():
            findings.add(None, "--box", f"{name}: the range {text} is empty", expected="LOW..HIGH with LOW below HIGH")
        if field.rank < 2:
            return low_high
        upper = np.triu_indices(self.dimensions)
        tensors = np.zeros((2, self.dimensions, self.dimensions))
        tensors[:, upper[0], upper[1]] = low_high
        tensors[:, upper[1], upper[0]] = low_high
        return notation.vector(tensors, 2)
