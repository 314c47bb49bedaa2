"""The strategies by name, and how a stack of them is built.

Each is looked up when it is wanted, so that one does not bring along what another needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapters.wiring import CouplingError
from scalebridge import settings as typed
from scalebridge.findings import ConfigurationError, Finding, nearest, one_of
from scalebridge.settings import Schema
from scalebridge.strategies import CONCURRENT

if TYPE_CHECKING:
    from adapters.keeping import Keepable
    from adapters.micro import MicroModel
    from adapters.strategies.protocol import Context, Layer, Strategy

STRATEGIES: dict[str, str] = {  # name: "module:class"
    "adaptive": "adapters.strategies.adaptive:Adaptive",
    "auto": "adapters.strategies.auto:Auto",
    "clustered": "adapters.strategies.clustered:Clustered",
    "distributed": "adapters.strategies.distributed:Distributed",
    "surrogate": "adapters.strategies.surrogate:Surrogate",
    "tabulated": "adapters.strategies.tabulated:Tabulated",
}


class UnknownStrategyError(CouplingError):
    """There is no strategy of that name."""


def find(name: str) -> type[Strategy]:
    """Import the module of a strategy and return its class. Raises UnknownStrategyError."""
    if name not in STRATEGIES:
        near = nearest(name, STRATEGIES)
        hint = f". Did you mean '{near}'?" if near else ""
        raise UnknownStrategyError(f"no strategy '{name}'; expected {one_of([CONCURRENT, *STRATEGIES])}{hint}")
    module, _, cls = STRATEGIES[name].partition(":")
    found: type[Strategy] = getattr(importlib.import_module(module), cls)
    return found


def schemas() -> dict[str, Schema]:
    """Return the settings of each strategy by its name, as JSON."""
    return {CONCURRENT: {}, **{name: typed.schema(find(name).Settings) for name in STRATEGIES}}


def build(given: Sequence[Layer], model: MicroModel, context: Context) -> MicroModel:
    """Return a stack of strategies around `model`; the model itself where none is given.

    Parameters
    ----------
    given : names with their settings as plain values in the declared units, outermost first.

    Raises
    ------
    ConfigurationError, UnknownStrategyError
        If a name or a setting is not right; the hub has looked at those of a case already.
    """
    for depth, layer in reversed(list(enumerate(given))):
        ((name, settings),) = layer.items()
        if name != CONCURRENT:
            model = layer_of(name, settings, model, _within(context, given[:depth], name))
    return model


def mistakes(given: Sequence[Layer], model: MicroModel, context: Context) -> list[tuple[int, Finding]]:
    """Return what is wrong with a stack of strategies around `model`, each with the number of the strategy.

    Around a strategy that cannot be built the others are looked at as if it were not there.
    """
    found = list[tuple[int, Finding]]()
    for depth, layer in reversed(list(enumerate(given))):
        ((name, settings),) = layer.items()
        if name == CONCURRENT:
            continue
        try:
            model = layer_of(name, settings, model, _within(context, given[:depth], name))
        except ConfigurationError as error:
            found += [(depth, finding) for finding in error.findings]
        except CouplingError as error:
            found.append((depth, Finding(name, None, "", str(error).removeprefix(f"{name}: "))))
    return sorted(found, key=lambda one: one[0])


def layer_of(name: str, settings: Any, model: MicroModel, context: Context) -> Strategy:
    """Return one strategy around `model`."""
    kind = find(name)
    return kind(model, typed.build(kind.Settings, settings, plain=True), context)


def _within(context: Context, around: Sequence[Layer], name: str) -> Context:
    """Return the context of one layer: what it wants remembered has a name of its own."""
    depth = len(around)

    def remember(key: str, thing: Keepable) -> None:
        context.remember(f"strategy {depth} {name}: {key}", thing)

    outer = [find(other) for layer in around for other in layer if other != CONCURRENT]
    together = context.together and all(getattr(kind, "asks_together", False) for kind in outer)
    return replace(context, outermost=depth == 0, together=together, remember=remember)
