"""How long time windows may be for a brain of which parts are simulated elsewhere."""

from __future__ import annotations

from adapters.coupling import Coupling
from adapters.wiring import CouplingError


def samples(coupling: Coupling, dt: float) -> int:
    """Return how many steps of dt [ms] make a window. Raises CouplingError where they do not."""
    if coupling.window_size is None:
        return 1  # no window has the same length as the next: providing signals says so
    window = 1000 * coupling.window_size
    number = round(window / dt)
    if abs(number * dt - window) > 1e-9 * window:
        raise CouplingError(f"a window of {window:g} ms is not a multiple of dt, {dt:g} ms")
    return number


def sent_ahead(coupling: Coupling, delay: float | None) -> bool:
    """Say whether what is sent after a window is used in the next one, where nothing is iterated.

    Then it has to be known already: raises CouplingError for windows longer than the shortest delay across the
    coupling [s].
    """
    wiring, window = coupling.wiring, coupling.window_size or 0.0
    if not wiring.explicit:
        return False
    if delay is not None and window > delay * (1 + 1e-9):
        raise CouplingError(
            f"{wiring.file}: a window of {1000 * window:g} ms is longer than {1000 * delay:g} ms, the shortest delay "
            "across the coupling (or half of the shortest between two columns): what arrives in it would not be known "
            "yet. Make it shorter, or iterate with an implicit scheme"
        )
    schemes = wiring.config.schemes_of(wiring.name)
    return not any(scheme.serial and scheme.participants[0] == wiring.name for scheme in schemes)
