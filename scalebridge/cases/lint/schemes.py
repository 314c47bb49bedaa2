"""Rules about coupling schemes: when they end, how they converge, in which order they run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeGuard

from scalebridge.cases.lint.view import View
from scalebridge.embedded.config import SchemeConfig
from scalebridge.embedded.reader import MANY as UNREAD
from scalebridge.findings import Finding

MANY = 1e12  # windows, beyond which numbers cannot tell whether the last one is shorter
FINEST = 1e-13  # relative limits below are within ten times preCICE's resolution of numbers


def implicit_schemes_have_a_measure(view: View) -> Iterator[Finding]:
    """An implicit scheme has a convergence measure: without one every window takes all its iterations."""
    for scheme in view.configuration.schemes:
        if scheme.implicit and not scheme.measures and scheme.max_iterations not in (None, UNREAD):
            message = f"no convergence measure: every window takes {scheme.max_iterations} iterations, converged or not"
            data = next((e for e in scheme.exchanges if scheme.controller in (e.sender, e.receiver)), None)
            where = f' data="{data.data}" mesh="{data.mesh}"' if data else ""
            fix = f'Add <relative-convergence-measure{where} limit="1e-4" />'
            yield view.warning(scheme.line, _key(scheme), message, fix=fix)


def implicit_schemes_have_a_limit(view: View) -> Iterator[Finding]:
    """An implicit scheme has a largest number of iterations, and it is more than one."""
    for scheme in view.configuration.schemes:
        if scheme.implicit and scheme.measures and scheme.max_iterations is None:
            message = "no <max-iterations>: a window that does not converge is repeated for ever"
            yield view.warning(scheme.line, _key(scheme), message, fix='Add <max-iterations value="50" />')
        if scheme.implicit and scheme.max_iterations == 1:
            message = "max-iterations is 1: nothing is ever iterated"
            fix = f"Use <coupling-scheme:{scheme.kind.replace('implicit', 'explicit')}>, or allow more iterations"
            fix = "Allow more iterations" if scheme.kind == "multi" else fix
            yield view.warning(scheme.line, _key(scheme), message, fix=fix)


def windows_fit_the_end(view: View) -> Iterator[Finding]:
    """The time windows are not longer than the run, and end with it."""
    for scheme in view.configuration.schemes:
        end, size = scheme.max_time, scheme.time_window_size
        if not (_is_length(end) and _is_length(size) and end / size < MANY):
            continue
        if size > end * (1 + 1e-12):
            message = f"the time window of {size:g} is longer than the whole run of {end:g}"
            yield view.warning(
                scheme.line, _key(scheme), message, fix="Make time-window-size smaller or max-time larger"
            )
        elif abs(end / size - round(end / size)) > 1e-9 * end / size:
            message = f"max-time {end:g} is not a multiple of time-window-size {size:g}: the last window is shorter"
            yield view.hint(scheme.line, _key(scheme), message, fix="Change one of them if that is not meant")


def schemes_end_once(view: View) -> Iterator[Finding]:
    """One of max-time and max-time-windows says when a run ends; where both do, the earlier one counts."""
    for scheme in view.configuration.schemes:
        end, windows, size = scheme.max_time, scheme.max_time_windows, scheme.time_window_size
        if windows in (None, UNREAD) or not (_is_length(end) and _is_length(size)):
            continue
        first = "max-time" if end < windows * size * (1 - 1e-12) else "max-time-windows"
        if abs(end - windows * size) > 1e-9 * end:
            message = (
                f"max-time {end:g} and max-time-windows {windows} ({windows * size:g}) differ: {first} comes first"
            )
            yield view.hint(scheme.line, _key(scheme), message, fix="Remove the one that is not meant")


def data_have_a_value_at_the_start(view: View) -> Iterator[Finding]:
    """Who computes first has been given values: without initialize="true" data are zero until the partner computes."""
    for scheme, exchange in view.exchanges():
        waits = scheme.serial and exchange.receiver != scheme.participants[0]
        receiver = view.configuration.participant(exchange.receiver)
        read = any(view.brings(receiver, r, exchange) for r in receiver.reads)
        if exchange.initialize or waits or not read or view.is_late(exchange) or receiver.name in view.kinds:
            continue
        message = f"{receiver.name} computes its first window with zeros for it"
        fix = f'Add initialize="true" and let {exchange.sender} write initial values, if zero is not one'
        key = f'<exchange data="{exchange.data}" mesh="{exchange.mesh}">'
        yield view.hint(exchange.line, key, message, fix=fix)


def substeps_are_of_use(view: View) -> Iterator[Finding]:
    """Sub-steps are exchanged where somebody can use them, which in an explicit scheme only the second one can."""
    for scheme, exchange in view.exchanges():
        used = scheme.serial and exchange.sender == scheme.participants[0]
        if exchange.substeps and not scheme.implicit and not used:
            message = "the sub-steps that are exchanged here are never used"
            key = f'<exchange data="{exchange.data}" mesh="{exchange.mesh}">'
            yield view.hint(exchange.line, key, message, fix='Write substeps="false"')


def explicit_windows_hold_implicit_ones(view: View) -> Iterator[Finding]:
    """Of a participant in an implicit and an explicit scheme, windows of the latter are multiples of the former."""
    for participant in view.participants():
        schemes = view.configuration.schemes_of(participant.name)
        for inner in (s for s in schemes if s.implicit):
            for outer in (s for s in schemes if not s.implicit):
                small, large = inner.time_window_size, outer.time_window_size
                if not (_is_length(small) and _is_length(large) and large / small < MANY):
                    continue
                ratio = large / small
                if ratio < 1 - 1e-9 or abs(ratio - round(ratio)) > 1e-9 * ratio:
                    message = f"the window of {large:g} is not a multiple of {small:g}, that of {participant.name}'s "
                    message += "implicit scheme"
                    yield view.warning(outer.line, _key(outer), message, expected=f"a multiple of {small:g}")


def connections_are_used(view: View) -> Iterator[Finding]:
    """Participants that are connected are coupled by a scheme."""
    for connection in view.configuration.connections:
        if not view.schemes_of(connection.acceptor, connection.connector):
            message = f"{connection.acceptor} and {connection.connector} are connected, but no coupling scheme has both"
            fix = "Remove the connection, or add a coupling scheme"
            yield view.warning(connection.line, f"<m2n:{connection.kind}>", message, fix=fix)


def everybody_is_coupled(view: View) -> Iterator[Finding]:
    """All participants belong to one simulation: no group runs on its own beside the others."""
    groups: list[set[str]] = []
    for scheme in view.configuration.schemes:
        joined = set(scheme.participants).union(*(g for g in groups if g & set(scheme.participants)))
        groups = [*(g for g in groups if not g & joined), joined]
    if len(groups) > 1:
        told = "; ".join(" and ".join(sorted(g)) for g in groups)
        message = f"{len(groups)} simulations that have nothing to do with each other: {told}"
        yield view.hint(None, "<precice-configuration>", message, fix="Couple them, or give each a file of its own")


def _is_length(time: float | None) -> TypeGuard[float]:
    """Say whether a time is one that can be divided by; what else is wrong with it is told elsewhere."""
    return time is not None and 0 < time < math.inf


def _key(scheme: SchemeConfig) -> str:
    return f"<coupling-scheme:{scheme.kind}>"


def relative_limits_can_be_reached(view: View) -> Iterator[Finding]:
    """A relative limit is above the resolution of numbers."""
    for scheme in view.configuration.schemes:
        for measure in scheme.measures:
            limit = {"absolute": math.inf, "absolute-or-relative": measure.relative_limit}.get(
                measure.kind, measure.limit
            )
            if limit <= FINEST:
                message = f"the relative limit {limit:g} is at the resolution of numbers, and may never be reached"
                fix = "Make it larger, such as 1e-8"
                yield view.warning(measure.line, f"<{measure.kind}-convergence-measure>", message, fix=fix)


RULES = (
    implicit_schemes_have_a_measure,
    implicit_schemes_have_a_limit,
    windows_fit_the_end,
    schemes_end_once,
    data_have_a_value_at_the_start,
    substeps_are_of_use,
    explicit_windows_hold_implicit_ones,
    connections_are_used,
    everybody_is_coupled,
    relative_limits_can_be_reached,
)
