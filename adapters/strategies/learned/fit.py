"""Fits the members of an ensemble to paths: L-BFGS with gradients in closed form, the same from the same seed.

Each member begins elsewhere and sees another 4/5 of the paths, so where they have learned the same they agree, and
where they have guessed they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from adapters import seeds
from adapters.strategies.learned.bundle import Bundle

Array = NDArray[np.float64]
type Parameters = dict[str, Array]
type Told = Callable[[int], None]

SHARE = 0.8
BEGINNINGS = 3  # of each member, from the best of which it goes on: some lead into a corner


class Form(Protocol):
    """A law that can be fitted."""

    def shapes(self) -> dict[str, tuple[int, ...]]: ...
    def initial(self, random: np.random.Generator, bundles: Sequence[Bundle]) -> Parameters: ...
    def loss(self, raw: Mapping[str, Array], bundles: Sequence[Bundle]) -> tuple[float, Parameters]: ...


def member(form: Form, bundles: Sequence[Bundle], number: int, seed: int, iterations: int, told: Told) -> Parameters:
    """Return the raw parameters (1, ...) of one member.

    Parameters
    ----------
    told : called with the number of iterations that are done.
    """
    random = np.random.default_rng([seeds.named(seed, "member"), number])
    seen = [_some(bundle, random) for bundle in bundles]
    shapes = {name: (1, *shape) for name, shape in form.shapes().items()}

    def function(flat: Array) -> tuple[float, Array]:
        value, gradient = form.loss(unflat(flat, shapes), seen)
        return value, np.concatenate([gradient[name].ravel() for name in shapes])

    done = 0

    def count(intermediate: Any) -> None:
        nonlocal done
        done += 1
        told(min(done, iterations))

    def improve(flat: Array, most: int) -> tuple[float, Array]:
        found: Any = minimize(  # type: ignore[call-overload]  # the stubs have no such gradient
            function,
            flat,
            jac=True,
            method="L-BFGS-B",
            callback=count,
            options={"maxiter": most, "maxfun": 4 * most, "maxcor": 30, "ftol": 1e-14, "gtol": 1e-10},
        )
        return float(found.fun), found.x

    trial = max(iterations // 10, 1)
    begun = []
    for _ in range(BEGINNINGS):
        start = form.initial(random, seen)
        begun.append(improve(np.concatenate([start[name].ravel() for name in shapes]), trial))
    _, best = min(begun, key=lambda pair: pair[0])
    return unflat(improve(best, max(iterations - BEGINNINGS * trial, 1))[1], shapes)


def unflat(flat: Array, shapes: Mapping[str, tuple[int, ...]]) -> Parameters:
    """Return arrays of these shapes from all their entries in a row."""
    found, begin = {}, 0
    for name, shape in shapes.items():
        end = begin + int(np.prod(shape))
        found[name] = flat[begin:end].reshape(shape)
        begin = end
    return found


def joined(members: Sequence[Mapping[str, Array]]) -> Parameters:
    """Return the parameters (m, ...) of an ensemble."""
    return {name: np.concatenate([one[name] for one in members]) for name in members[0]}


def _some(bundle: Bundle, random: np.random.Generator) -> Bundle:
    n = len(bundle.x)
    return bundle.take(np.sort(random.permutation(n)[: max(1, round(SHARE * n))]))
