"""The settings of the strategy `clustered`, and what they say of the fields of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.strategies.clusters import tolerances
from adapters.strategies.clusters.tolerances import Tolerance
from adapters.strategies.derivatives import Derivative, DerivativeError, parse
from scalebridge.fields import Field
from scalebridge.findings import Findings
from scalebridge.settings import setting


@dataclass(frozen=True)
class ClusterSettings:
    """Who is like whom, and what follows from it."""

    rule: str = setting(
        "absolute",
        "absolute: a point is like its representative within the tolerance; relative: within refining_constant times "
        "the largest distance of all, as in the Micro Manager",
        choices=("absolute", "relative"),
    )
    data: tuple[str, ...] = setting((), "controls and observables by which points are compared; none for all")
    tolerance: tuple[str, ...] = setting(
        (),
        "of the rule absolute: one for all data or one for each, such as 0.1 K or 1 % of range; none for the latter",
    )
    history_param: float = setting("0.1 1/s", "rate at which differences are forgotten", minimum=0)
    coarsening_constant: float = setting(
        0.2, "share of the distance allowed within which a representative stops being one", above=0, maximum=1
    )
    refining_constant: float = setting(
        0.05, "of the rule relative: distance allowed, as a share of the largest", above=0, maximum=1
    )
    memory: int = setting(8, "steps of the past that are compared one by one", minimum=1)
    history: str = setting(
        "take-over",
        "what a point goes on from that stops following: its representative's state, its own with its path replayed, "
        "or its own, for which every follower is solved once for each window that is complete",
        choices=("take-over", "replay", "each-window"),
    )
    slopes: tuple[str, ...] = setting(
        (), "observables that are derivatives of others, by which copies are corrected: 'NAME = NAME / CONTROL'"
    )
    correct: str = setting(
        "linear", "whether copies are corrected to first order in the controls", choices=("none", "linear")
    )
    audit: float = setting(0.02, "share of followers that is solved as well, for the error", minimum=0, maximum=1)
    when_it_pays: bool = setting(True, "whether to solve all points where clustering takes longer than it spares")


def read(
    settings: ClusterSettings, controls: Mapping[str, Field], observables: Mapping[str, Field]
) -> tuple[dict[str, Tolerance], list[Derivative]]:
    """Return the tolerance of each datum that is compared, and the derivatives that are declared.

    Derivatives are those of what is shown, and not compared unless they are named.

    Raises
    ------
    ConfigurationError
        With everything that is wrong with them.
    """
    findings, declared = Findings("strategy clustered"), []
    for text in settings.slopes:
        try:
            declared.append(parse(text, controls, observables))
        except DerivativeError as error:
            findings.add(None, "slopes", str(error))
    if settings.slopes and settings.correct == "none":
        findings.add(None, "slopes", "copies are corrected by them, which correct: none forbids")
    names = {one.name for one in declared}
    for one in declared:
        if one.of in names:
            findings.add(None, "slopes", f"{one.of} is one, so it has none itself")
    fields = {**controls, **observables}
    compared = {name: field for name, field in fields.items() if settings.data or name not in names}
    given = settings.tolerance or (tolerances.DEFAULT,)
    return tolerances.read(settings.data, given, compared, findings), declared
