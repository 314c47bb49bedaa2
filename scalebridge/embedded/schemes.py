"""Coupling schemes: who sends what to whom, and when.

One class per scheme, each with three short methods that say in which order messages go: at the start, and in the two
halves of an advance that reaches the end of a window. `Scheme` has what they share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scalebridge.embedded.config import Key, SchemeConfig
from scalebridge.embedded.coupling_data import CouplingData
from scalebridge.embedded.log import Log
from scalebridge.embedded.meshes import Datum
from scalebridge.embedded.scheme import Scheme, SchemeError


class SerialScheme(Scheme):
    """One participant after the other (conventional serial staggered; block Gauss-Seidel where implicit)."""

    _sent_before = False  # what is to be sent first: the partner has it from an earlier process

    @property
    def partner(self) -> str:
        return self.partners[0]

    def _sets_window(self) -> bool:
        return self.config.time_window_size is None

    def _learn(self, partner: str, converged: bool, window: float) -> None:
        super()._learn(partner, converged, window)
        if not self.first and self._sets_window() and window > 0.0:
            repeated = self.implicit and self.initialized and not self.converged
            if repeated and window != self.window_size:
                raise SchemeError(
                    f"participant {self.partner} repeated time window {self.windows - 1} with the size {window} "
                    f"instead of {self.window_size}; it may change only with a new window"
                )
            self.next_window_size = window

    def _exchange_initial_data(self) -> None:
        receives = any(d.initialize for d in self._flat(self.receives))
        sends = any(d.initialize for d in self._flat(self.sends))
        if self.first:
            if receives:
                self._receive(self.partner)
            if sends:
                self._send(self.partner)
            return
        if sends:
            self._send(self.partner)
        if receives:
            self._receive(self.partner)
        self._receive(self.partner, always=self._sets_window(), next_window=True)
        self.window_size = self.next_window_size

    def _exchange_first(self) -> None:
        if self.first:
            window = 0.0
            if self._sets_window():
                self.window_size, self.next_window_size = self.clock.window_progress, None
                window = self.window_size
            if self._sent_before:
                self._sent_before = False
            else:
                self._send(self.partner, always=self._sets_window(), window=window)
        else:
            if self.implicit:
                self._implicit_step()
            self._send(self.partner, always=self.implicit)

    def _exchange_second(self) -> None:
        if self.first:
            self._receive(self.partner, always=self.implicit)
        if self.converged or not self.implicit:
            self._move_to_next_window()
        if self.implicit:
            self._store_iteration()
        repeating = self.implicit and not self.converged
        if not self.first and (self.ongoing() or repeating):
            self._receive(self.partner, always=self._sets_window(), next_window=not repeating)

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on; the second one has ended a window only when it had the first data of the next, and remembers them."""
        super().recall(memory)
        self._sent_before = self.first

    def _accelerated(self) -> dict[Key, CouplingData]:
        return {key: d for key, d in self.all.items() if d.sends}


class ParallelScheme(Scheme):
    """Both participants at once (conventional parallel staggered; block Jacobi where implicit)."""

    @property
    def partner(self) -> str:
        return self.partners[0]

    def _exchange_initial_data(self) -> None:
        receives = any(d.initialize for d in self._flat(self.receives))
        sends = any(d.initialize for d in self._flat(self.sends))
        if sends and self.first:
            self._send(self.partner)
        if receives:
            self._receive(self.partner)
        if sends and not self.first:
            self._send(self.partner)

    def _exchange_first(self) -> None:
        if self.first:
            self._send(self.partner)
        else:
            self._receive(self.partner)

    def _exchange_second(self) -> None:
        if self.first:
            self._receive(self.partner, always=self.implicit)
        else:
            if self.implicit:
                self._implicit_step()
            self._send(self.partner, always=self.implicit)
        if self.converged or not self.implicit:
            self._move_to_next_window()
        if self.implicit:
            self._store_iteration()


class MultiScheme(Scheme):
    """Several participants at once, one of which controls the iteration (block Jacobi)."""

    def _exchange_initial_data(self) -> None:
        if self.first:
            self._send_all(initial=True)
            self._receive_all(initial=True)
        else:
            self._receive_all(initial=True)
            self._send_all(initial=True)

    def _send_all(self, *, initial: bool = False) -> None:
        for partner in sorted(self.channels):
            data = self.sends.get(partner, [])
            if not initial or any(d.initialize for d in data):
                self._send(partner, always=not initial and not self.first)

    def _receive_all(self, *, initial: bool = False) -> None:
        for partner in sorted(self.channels):
            data = self.receives.get(partner, [])
            if not initial or any(d.initialize for d in data):
                self._receive(partner, always=not initial and partner == self.config.controller)

    def _exchange_first(self) -> None:
        if self.first:
            self._send_all()
        else:
            self._receive_all()

    def _exchange_second(self) -> None:
        if self.first:
            self._receive_all()
        else:
            self._implicit_step()
            self._send_all()
        if self.converged:
            self._move_to_next_window()
        self._store_iteration()


def create(config: SchemeConfig, me: str, data: Mapping[Key, Datum], log: Log) -> Scheme:
    """Build the scheme that a configuration describes, as participant `me` takes part in it."""
    kinds: dict[str, Callable[..., Scheme]] = {
        "serial": SerialScheme,
        "parallel": ParallelScheme,
        "multi": MultiScheme,
    }
    return kinds[config.kind.partition("-")[0]](config, me, data, log)
