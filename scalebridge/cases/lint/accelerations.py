"""Rules about accelerations: what preCICE warns of when it runs, told before."""

from __future__ import annotations

from collections.abc import Iterator

from scalebridge.cases.lint.view import View
from scalebridge.embedded.acceleration.settings import AccelerationConfig
from scalebridge.embedded.config import SchemeConfig
from scalebridge.findings import Finding

QUASI_NEWTON = ("IQN-ILS", "IQN-IMVJ")


def _accelerated(view: View) -> Iterator[tuple[SchemeConfig, AccelerationConfig, str]]:
    for scheme in view.configuration.schemes:
        if scheme.acceleration is not None:
            yield scheme, scheme.acceleration, f"<acceleration:{scheme.acceleration.kind}>"


def aitken_is_serial(view: View) -> Iterator[Finding]:
    """Aitken's relaxation is for serial schemes: it performs badly where both participants compute at once."""
    for scheme, acceleration, key in _accelerated(view):
        if acceleration.kind == "aitken" and not scheme.serial:
            message = f"Aitken's relaxation performs badly in a {scheme.kind} scheme"
            fix = "Use <acceleration:IQN-ILS>, or a serial-implicit scheme"
            yield view.warning(scheme.acceleration_line, key, message, fix=fix)


def both_directions_are_accelerated(view: View) -> Iterator[Finding]:
    """In a parallel scheme quasi-Newton sees data of both directions, in a multi scheme of at least three exchanges."""
    for scheme, acceleration, key in _accelerated(view):
        if acceleration.kind not in QUASI_NEWTON or scheme.serial:
            continue
        keys = {(d.mesh, d.data) for d in acceleration.data}
        senders = {e.sender for e in scheme.exchanges if e.key in keys}
        if scheme.kind == "multi" and len(keys) < 3:
            message = f"{len(keys)} data are few for quasi-Newton in a multi scheme"
            yield view.warning(scheme.acceleration_line, key, message, expected="at least 3")
        elif scheme.kind != "multi" and len(senders) == 1 and len({e.sender for e in scheme.exchanges}) > 1:
            message = f"only data that {senders.pop()} sends are accelerated, though both participants compute at once"
            other = next(e for e in scheme.exchanges if e.key not in keys)
            fix = f'Add <data name="{other.data}" mesh="{other.mesh}" />'
            yield view.hint(scheme.acceleration_line, key, message, fix=fix)


def columns_can_be_filled(view: View) -> Iterator[Finding]:
    """Quasi-Newton can collect the columns that it may keep."""
    for scheme, acceleration, key in _accelerated(view):
        kept, most = acceleration.max_used_iterations, scheme.max_iterations
        reused = acceleration.time_windows_reused
        if acceleration.kind in QUASI_NEWTON and reused == 0 and kept and most and kept > most:
            message = f"max-used-iterations is {kept}, but without reused windows there are at most {most}"
            yield view.warning(
                scheme.acceleration_line, key, message, fix=f'Write <max-used-iterations value="{most}" />'
            )


def gradients_are_not_accelerated(view: View) -> Iterator[Finding]:
    """Mappings that need gradients do not go with quasi-Newton."""
    for scheme, acceleration, key in _accelerated(view):
        members = [p for p in view.participants() if p.name in scheme.participants]
        if acceleration.kind in QUASI_NEWTON and any(m.config.needs_gradients for p in members for m in p.mappings):
            message = "gradients are not accelerated with the data, which a nearest-neighbor-gradient mapping needs"
            fix = "Use another mapping, or <acceleration:aitken>"
            yield view.warning(scheme.acceleration_line, key, message, fix=fix)


RULES = (aitken_is_serial, both_directions_are_accelerated, columns_can_be_filled, gradients_are_not_accelerated)
