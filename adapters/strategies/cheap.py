"""The cheap model of an adaptive run: another strategy around the same model, or another micro model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from adapters.micro import Array, MicroModel, State, Values
from adapters.strategies import registry
from adapters.strategies.protocol import Context
from adapters.strategies.refusal import refusal, within
from adapters.wiring import CouplingError
from scalebridge.findings import ConfigurationError
from scalebridge.strategies import CONCURRENT, OTHER_MODEL


@runtime_checkable
class Doubting(Protocol):
    """A model that says how wrong it may be."""

    def uncertainty(self, state: State, controls: Values, dt: float = 0.0) -> dict[str, Array]:
        """Return the estimated errors (n, ...) of the observables at the end of the step from `state` to `controls`.

        With dt = 0 of the step that has led to `state`. Infinite where nothing is known of them.
        """
        ...


def build(given: Mapping[str, Mapping[str, Any]] | str, model: MicroModel, context: Context) -> MicroModel:
    """Return the cheap model that stands in for `model`.

    Parameters
    ----------
    given : the name of a strategy, or name and settings; ``model`` for another micro model.

    Raises
    ------
    SettingError, UnknownStrategyError
        If there is none, or it does not fit.
    """
    name, settings = (given, {}) if isinstance(given, str) else next(iter(given.items()))
    own = replace(context, remember=lambda key, thing: context.remember(f"cheap {name}: {key}", thing))
    if name == CONCURRENT:
        raise refusal("adaptive", "cheap", "the model itself is not cheap; name another strategy, or a model")
    try:
        if name == OTHER_MODEL:
            return _other(settings, model, context)
        return registry.layer_of(name, settings, model, own)
    except ConfigurationError as error:
        raise within(error, "adaptive", f"cheap.{name}") from error


def _other(settings: Mapping[str, Any], model: MicroModel, context: Context) -> MicroModel:
    from adapters.failing import policies  # a description does without

    told = "adaptive: cheap"
    try:
        return policies.other(settings, model, context.seed, context.scaled, told)
    except CouplingError as error:
        raise refusal("adaptive", "", str(error).removeprefix(f"{told}: ")) from error
    except ConfigurationError as error:  # its maps: they are those of the case
        raise refusal("adaptive", "", f"'{settings['run']}' cannot stand in for the model: {error}") from error


def stated(
    cheap: MicroModel, state: State, controls: Values, names: tuple[str, ...], dt: float = 0.0
) -> NDArray[np.float64] | None:
    """Return what a model says of its errors (n, o), of tensors the norm; None if it says nothing."""
    if not isinstance(cheap, Doubting):
        return None
    told = cheap.uncertainty(state, controls, dt)
    return np.stack([norm(told[name]) for name in names], axis=1)


def sizes(cheap: MicroModel, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return how large observables (o,) usually are, if the cheap model knows it; else 0."""
    known: Mapping[str, float] = getattr(cheap, "sizes", {})
    return np.array([known.get(name, 0.0) for name in names])


def norm(values: Any) -> NDArray[np.float64]:
    """Return the Euclidean norm (n,) of values (n, ...)."""
    array = np.asarray(values, dtype=np.float64)
    return cast(
        "NDArray[np.float64]", np.sqrt((array.reshape(len(array), math.prod(array.shape[1:])) ** 2).sum(axis=1))
    )
