"""Rules about participants of ours: what their time loop needs, which a run would refuse only when it has begun."""

from __future__ import annotations

from collections.abc import Iterator

from scalebridge.cases.lint.view import View
from scalebridge.findings import Finding


def first_iterations_are_repeated(view: View) -> Iterator[Finding]:
    """Who writes on a received mesh spends the first iteration on values at the start, so there must be a second."""
    for scheme in view.configuration.schemes:
        late = [e for e in scheme.exchanges if view.is_late(e)]
        ours = [n for n in scheme.participants if n in view.kinds and any(n in (e.sender, e.receiver) for e in late)]
        if not scheme.implicit or scheme.min_iterations >= 2 or not ours:
            continue
        sender = late[0].sender
        message = (
            f"{sender} writes on {late[0].mesh}, which it receives, so the first iteration of the run carries its "
            "values at the start and must not be the last one"
        )
        fix = 'Add <min-iterations value="2" />'
        tell = view.error if any(e.sender in view.kinds for e in late) else view.warning
        yield tell(scheme.line, f"<coupling-scheme:{scheme.kind}>", message, fix=fix)


def micro_simulations_have_a_start(view: View) -> Iterator[Finding]:
    """What drives micro simulations is sent for the start, or they would start from zeros."""
    for _, exchange in view.exchanges():
        if view.kinds.get(exchange.receiver) != "micro" or exchange.initialize:
            continue
        receiver = view.configuration.participant(exchange.receiver)
        if any(r.data == exchange.data for r in receiver.reads):
            message = f"the micro simulations of {receiver.name} start from it, and without initial values from zeros"
            key = f'<exchange data="{exchange.data}" mesh="{exchange.mesh}">'
            fix = 'Add initialize="true"'
            if view.is_late(exchange):
                fix = f"Let {exchange.sender} write it on a mesh of its own, where it can be initialised"
            yield view.error(exchange.line, key, message, fix=fix)


def micro_simulations_stand_behind_one_mesh(view: View) -> Iterator[Finding]:
    """A micro participant receives exactly one mesh with api-access: one simulation for each of its points."""
    for participant in view.participants():
        if view.kinds.get(participant.name) != "micro":
            continue
        meshes = [r.name for r in participant.receives if r.api_access]
        if len(meshes) != 1:
            found = " and ".join(meshes) or "no mesh"
            message = f"runs one micro simulation for each point of a mesh, but receives {found} with api-access"
            fix = "Leave one" if meshes else 'Add <receive-mesh name="..." from="..." api-access="true" />'
            yield view.error(participant.line, f'<participant name="{participant.name}">', message, fix=fix)


def windows_are_not_longer_than_delays(view: View) -> Iterator[Finding]:
    """What a participant sends acts after its delay: an explicit window that is longer would miss it."""
    for scheme in view.configuration.schemes:
        for name in scheme.participants:
            delay, size = view.delays.get(name), scheme.time_window_size
            if delay is None or scheme.implicit:  # in iterations, what is sent acts in the window itself
                continue
            key = "<time-window-size>"
            if size is None:
                message = (
                    f"the first participant sets the window, which must not exceed the delay {delay:g} s of {name}"
                )
                yield view.hint(scheme.line, key, message, fix='Use method="fixed" so that it can be checked')
            elif size > delay * (1 + 1e-12):
                message = f"the window of {size:g} s is longer than the shortest delay of {name}, {delay:g} s"
                fix = "" if delay else "Use an implicit scheme, which iterates"
                yield view.error(scheme.line, key, message, expected=f"at most {delay:g}" if delay else "", fix=fix)


def simulators_can_repeat_windows(view: View) -> Iterator[Finding]:
    """An implicit scheme repeats windows, which not every simulator can."""
    for scheme in view.configuration.schemes:
        for name in scheme.participants:
            if scheme.implicit and name in view.forward:
                message = f"{name} cannot go back to the start of a window, so none can be iterated"
                key = f"<coupling-scheme:{scheme.kind}>"
                yield view.error(scheme.line, key, message, fix="Use an explicit scheme, or another participant")


def exchange_is_faster_than_what_happens(view: View) -> Iterator[Finding]:
    """Between two exchanged values nothing is known, so they follow each other faster than what happens."""
    for separation in view.separations:
        if separation.ratio > 1 + 1e-9:
            fix = "Make the windows, or the time between samples, shorter"
            yield view.warning(None, "<time-window-size>", f"what happens is not resolved: {separation}", fix=fix)


RULES = (
    first_iterations_are_repeated,
    micro_simulations_have_a_start,
    micro_simulations_stand_behind_one_mesh,
    windows_are_not_longer_than_delays,
    simulators_can_repeat_windows,
    exchange_is_faster_than_what_happens,
)
