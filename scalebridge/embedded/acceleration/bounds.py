"""What to do when a quasi-Newton step carries data beyond its bounds."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from scalebridge.embedded.acceleration import Floats, Iterate, Key

_log = logging.getLogger(__name__)


def keep_within_bounds(
    vector: Floats, step: Floats, iterates: Mapping[Key, Iterate], slices: Mapping[Key, slice], policy: str
) -> None:
    """Change the vector, which the step has just been added to, in place.

    Parameters
    ----------
    policy : "ignore" (do nothing), "clamp" (cut each value at its bound), "discard" (take the step back) or "scale"
        (shorten the step until all values are within their bounds).
    """
    if policy == "ignore":
        return
    excess = {key: _excess(vector[slices[key]], iterates[key]) for key in slices if _has_bounds(iterates[key])}
    violated = [key for key, beyond in excess.items() if np.any(beyond)]
    for mesh, data in violated:
        _log.warning("data %s on mesh %s left its bounds in a quasi-Newton step; policy: %s", data, mesh, policy)
    if not violated:
        return
    if policy == "clamp":
        for key in violated:
            vector[slices[key]] -= excess[key]
    elif policy == "discard":
        vector -= step
    else:
        vector -= step * max(_shortening(excess[key], step[slices[key]]) for key in violated)


def _has_bounds(iterate: Iterate) -> bool:
    return any(bound is not None for bound in (*iterate.lower, *iterate.upper))


def _excess(values: Floats, iterate: Iterate) -> Floats:
    """Return how far each value lies above its upper (positive) or below its lower bound (negative), else 0."""
    components = len(iterate.lower)
    by_component = values.reshape(-1, components)
    low = np.array([-np.inf if bound is None else bound for bound in iterate.lower])
    high = np.array([np.inf if bound is None else bound for bound in iterate.upper])
    return np.asarray(by_component - np.clip(by_component, low, high)).ravel()


def _shortening(excess: Floats, step: Floats) -> float:
    """Return the part of the step to take back so that no value is beyond its bound, between 0 and 1."""
    moved = step != 0.0
    return float(np.max(np.abs(excess[moved]) / np.abs(step[moved]), initial=0.0))
