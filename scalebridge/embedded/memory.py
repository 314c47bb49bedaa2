"""What the engine remembers from one time window to the next, as a tree of plain values and arrays, and back.

An object becomes the name of its class and its attributes. Only the classes that are listed here are made again, and
none of their code runs, so that a file with such a tree is data and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalebridge.embedded.acceleration import (
    aitken,
    columns,
    constant,
    multi_vector,
    preconditioner,
    qr,
    quasi_newton,
    settings,
    stepwise,
    truncated_svd,
    unknowns,
)
from scalebridge.embedded.clock import Clock, Sum
from scalebridge.embedded.config import MeasureConfig
from scalebridge.embedded.convergence import Measure
from scalebridge.embedded.waveform import Waveform

CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Clock,
        Sum,
        Measure,
        MeasureConfig,
        Waveform,
        aitken.Aitken,
        columns.ColumnSpace,
        columns.ColumnStack,
        columns.CompactLeastSquares,
        constant.ConstantRelaxation,
        multi_vector.FactoredJacobian,
        multi_vector.LeastSquaresRestart,
        multi_vector.MultiVectorJacobian,
        multi_vector.SingularValueRestart,
        multi_vector.SlidingRestart,
        multi_vector.SummedJacobian,
        preconditioner.Preconditioner,
        preconditioner.ResidualPreconditioner,
        preconditioner.ResidualSumPreconditioner,
        preconditioner.ValuePreconditioner,
        qr.Factors,
        quasi_newton.InverseLeastSquares,
        settings.AccelerationConfig,
        settings.DataConfig,
        settings.FilterConfig,
        settings.PreconditionerConfig,
        settings.RestartConfig,
        stepwise.StepwiseLeastSquares,
        stepwise.UpdatedQR,
        truncated_svd.TruncatedSVD,
        unknowns.Unknowns,
    )
}


class MemoryTreeError(RuntimeError):
    """Something that the engine cannot remember, or that is no memory of it."""


def remember(thing: Any) -> Any:
    """Return a value of the engine as a tree."""
    kind = type(thing)
    if thing is None or kind in (bool, int, float, str) or isinstance(thing, np.ndarray | np.generic):
        return thing
    if kind in (list, tuple):
        return kind(remember(item) for item in thing)
    if kind is dict:
        return {"mapping": {key: remember(value) for key, value in thing.items()}}
    if kind is slice:
        return {"slice": (thing.start, thing.stop)}
    if CLASSES.get(kind.__name__) is kind:
        return {"class": kind.__name__, **{name: remember(value) for name, value in _attributes(thing).items()}}
    raise MemoryTreeError(f"the engine's memory cannot hold a {kind.__module__}.{kind.__qualname__}")


def recall(tree: Any) -> Any:
    """Return what a tree of `remember` was."""
    if isinstance(tree, list | tuple):
        return type(tree)(recall(item) for item in tree)
    if not isinstance(tree, Mapping):
        return tree
    if "mapping" in tree:
        return {key: recall(value) for key, value in tree["mapping"].items()}
    if "slice" in tree:
        return slice(*tree["slice"])
    kind = CLASSES.get(tree.get("class", ""))
    if kind is None:
        raise MemoryTreeError(f"the engine's memory has no {tree.get('class', 'value of this kind')!r}")
    thing = object.__new__(kind)
    for name, value in tree.items():
        if name != "class":
            object.__setattr__(thing, name, recall(value))  # also of those that are frozen
    return thing


def _attributes(thing: Any) -> dict[str, Any]:
    slots = getattr(type(thing), "__slots__", None)
    return vars(thing) if slots is None else {name: getattr(thing, name) for name in slots}
