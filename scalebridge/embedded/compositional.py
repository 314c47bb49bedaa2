"""Several coupling schemes of one participant: any number of explicit ones and at most one implicit one.

While the implicit scheme iterates, the explicit ones are on hold at the end of the window; when it has converged they
catch up, so that explicit partners see converged data only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalebridge.embedded.config import Key
from scalebridge.embedded.scheme import Scheme


class Composition:
    """All schemes of one participant; with one scheme it only passes everything on."""

    def __init__(self, schemes: Sequence[Scheme]) -> None:
        self.explicit = [s for s in schemes if not s.implicit]
        self.implicit = next((s for s in schemes if s.implicit), None)
        self.schemes = [*self.explicit, *([self.implicit] if self.implicit else [])]
        self._on_hold = False

    @property
    def leader(self) -> Scheme:
        """The scheme that is behind while iterating; else all are in step."""
        return self.implicit or self.explicit[0]

    @property
    def active(self) -> list[Scheme]:
        """The schemes that take part in the next step."""
        return [self.implicit] if self._on_hold and self.implicit else self.schemes

    # --- time ----------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        return self.leader.time

    @property
    def window_start(self) -> float:
        return min([s.window_start for s in self.schemes])

    @property
    def windows(self) -> int:
        return min(s.windows for s in self.schemes)

    @property
    def iterations(self) -> int:
        return self.leader.iterations

    def ongoing(self) -> bool:
        return self.leader.ongoing()

    def complete(self) -> bool:
        return True in [s.complete for s in self.active]

    def max_step(self) -> float:
        return min([s.max_step() for s in self.active])

    def add_time(self, dt: float) -> bool:
        """Progress in time and say whether this reaches the end of a window of some scheme."""
        if self.implicit is None:
            return self._add_to_explicit(dt)
        iteration_ends = self.implicit.add_time(dt)
        if self._on_hold:
            return iteration_ends
        others_end = self._add_to_explicit(dt)
        if iteration_ends and self.explicit:
            self._on_hold = True
        return iteration_ends or others_end

    def _add_to_explicit(self, dt: float) -> bool:
        ends = [s.add_time(dt) for s in self.explicit]
        return any(ends)

    # --- the life of the schemes ---------------------------------------------------------------------------------

    def initialize(self) -> None:
        for scheme in self.schemes:
            scheme.initialize()

    def advance(self) -> None:
        """Exchange what is due after a step."""
        if self.implicit is None or not self._on_hold:
            for scheme in ([self.implicit] if self.implicit else []) + self.explicit:
                scheme.first_exchange()
            for scheme in ([self.implicit] if self.implicit else []) + self.explicit:
                scheme.second_exchange()
            return
        self.implicit.first_exchange()
        self.implicit.second_exchange()
        if self.implicit.time < self.explicit[0].time:
            return  # the window is repeated
        for scheme in self.explicit:
            scheme.first_exchange()
        for scheme in self.explicit:
            scheme.second_exchange()
        self._on_hold = False

    # --- what the program has to ask for -------------------------------------------------------------------------

    def requires(self, action: str) -> bool:
        """Say whether the program has to do something, and note that it has asked."""
        asked = [s for s in self.active if action in s.required]
        for scheme in asked:
            scheme.fulfilled.add(action)
        return bool(asked)

    def missing(self, action: str) -> bool:
        """Say whether the program has to do something and has not asked."""
        return any(action in s.required - s.fulfilled for s in self.active)

    # --- data ----------------------------------------------------------------------------------------------------

    def requires_substeps(self) -> bool:
        """Say whether data of steps inside a window are sent to anybody."""
        return any(d.sends and d.substeps for s in self.schemes for d in s.all.values())

    def received_again(self) -> dict[Key, bool]:
        """Return the data that every iteration brings anew, and whether the sample at the window start stays.

        It stays for the second participant of a serial scheme, which receives only what is new in a window.
        """
        if self.implicit is None:
            return {}
        keep = self.implicit.config.serial and not self.implicit.first
        return {key: keep for key, d in self.implicit.all.items() if not d.sends}

    # --- going on in another process -----------------------------------------------------------------------------

    def all_complete(self) -> bool:
        """Say whether a window has just ended in every scheme."""
        return not self._on_hold and all(s.complete and s.at_window_end for s in self.schemes)

    def memory(self) -> dict[str, Any]:
        """Return what has to be known to go on from the end of a window that is complete in all schemes."""
        return {"schemes": [s.memory() for s in self.schemes]}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned, instead of `initialize`."""
        for scheme, known in zip(self.schemes, memory["schemes"], strict=True):
            scheme.recall(known)

    def state(self) -> str:
        return "; ".join(s.state() for s in self.schemes)

    def close(self) -> None:
        for scheme in self.schemes:
            scheme.close()
