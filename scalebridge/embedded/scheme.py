"""What all coupling schemes share: time, windows, iterations, convergence, and what the program has to ask for.

In which order messages go is in `schemes`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from scalebridge.embedded import acceleration as accelerations
from scalebridge.embedded.clock import Clock
from scalebridge.embedded.config import Key, SchemeConfig
from scalebridge.embedded.convergence import Measure
from scalebridge.embedded.coupling_data import CouplingData, decode_data, decode_head, encode
from scalebridge.embedded.log import Log
from scalebridge.embedded.meshes import Datum
from scalebridge.embedded.tables import Table
from scalebridge.embedded.tolerance import at_least
from scalebridge.embedded.transport import Channel

INITIAL_DATA = "initial data"
WRITE_CHECKPOINT = "writing a checkpoint"
READ_CHECKPOINT = "reading a checkpoint"


# What changes from window to window and is a plain value.
_POSITION = (
    "window_size",
    "next_window_size",
    "windows",
    "iterations",
    "total_iterations",
    "converged",
    "complete",
    "initialized",
    "at_window_end",
)


class SchemeError(RuntimeError):
    """The coupling cannot go on."""


class Scheme(ABC):
    """What all coupling schemes of two or more participants have in common.

    Attributes
    ----------
    first : whether this participant does its step before its partner sees data (it never accelerates).
    window_size : of the current window, None where this participant sets it by its own step.
    at_window_end : whether the last step of the program reached the end of the window.
    windows : number of the current time window, from 1.
    iterations : number of the current iteration, from 1.
    required, fulfilled : what the program has to ask for before it may advance, and what it has asked for.
    """

    def __init__(self, config: SchemeConfig, me: str, data: Mapping[Key, Datum], log: Log) -> None:
        self.config = config
        self.me = me
        self.log = log
        self.first = me != config.controller
        self.implicit = config.implicit
        self.partners = tuple(p for p in config.participants if p != me)
        self.clock = Clock(config.max_time)
        self.window_size = self.next_window_size = config.time_window_size
        self.windows = 1
        self.iterations = self.total_iterations = 1
        self.converged = False
        self.complete = False
        self.initialized = False
        self.at_window_end = False
        self._advancing = False
        self.required: set[str] = set()
        self.fulfilled: set[str] = set()
        self.channels: dict[str, Channel] = {}
        self.sends: dict[str, list[CouplingData]] = {}
        self.receives: dict[str, list[CouplingData]] = {}
        self.all: dict[Key, CouplingData] = {}
        self._collect(data)
        if any(d.initialize for d in self._flat(self.sends)):
            self.required.add(INITIAL_DATA)
        mine = config.measures if not self.first else ()
        self.measures = [Measure(m) for m in mine]
        self.acceleration: accelerations.Acceleration | None = None
        if config.acceleration is not None and not self.first:
            self.acceleration = accelerations.create(config.acceleration)
        self._iterations_log: Table | None = None
        self._convergence_log: Table | None = None

    def _collect(self, data: Mapping[Key, Datum]) -> None:
        """Sort the exchanges by partner, in the order of the data in the file."""
        order = {key: i for i, key in enumerate(data)}
        for exchange in sorted(self.config.exchanges, key=lambda e: order.get(e.key, -1)):
            if self.me not in (exchange.sender, exchange.receiver):
                continue
            sending = exchange.sender == self.me
            partner = exchange.receiver if sending else exchange.sender
            datum = data[exchange.key]
            known = self.all.setdefault(
                exchange.key, CouplingData(datum, sending, exchange.initialize, exchange.substeps)
            )
            (self.sends if sending else self.receives).setdefault(partner, []).append(known)
        self.all = {key: self.all[key] for key in data if key in self.all}

    @staticmethod
    def _flat(by_partner: Mapping[str, Sequence[CouplingData]]) -> list[CouplingData]:
        return [d for group in by_partner.values() for d in group]

    # --- time ----------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        return self.clock.time

    @property
    def window_start(self) -> float:
        return self.clock.window_start

    def ongoing(self) -> bool:
        """Say whether there is time left."""
        limit = self.config.max_time_windows
        return (limit is None or limit >= self.windows) and not self.clock.at_end()

    def max_step(self) -> float:
        """Return the largest step allowed now."""
        if not self.ongoing():
            return 0.0
        return self.clock.until_end() if self.window_size is None else self.clock.until_window_end(self.window_size)

    def add_time(self, dt: float) -> bool:
        """Progress in time by a step of the program and say whether this reaches the end of the window."""
        if self.window_size is None and dt >= 1.7976931348623157e308:
            raise SchemeError(
                "advance() was called with the largest number there is. This participant sets the time window size, "
                "so pass the step that it has made, for example min(dt, get_max_time_step_size())"
            )
        largest = self.max_step()
        if not at_least(largest, dt):
            raise SchemeError(
                f"advance({dt}) goes beyond the end of the time window: the largest step allowed now is "
                f"{largest}. Use dt = min(dt, get_max_time_step_size())"
            )
        self.clock.progress_by(dt)
        self.at_window_end = self.window_size is None or self.clock.at_window_end(self.window_size)
        return self.at_window_end

    def _window_end(self) -> float:
        """Return the time at the end of the current window."""
        if self.window_size is None:
            return self.clock.ahead(self.clock.until_end())
        return self.clock.time + self.clock.until_window_end(self.window_size)

    # --- messages ------------------------------------------------------------------------------------------------

    def _send(self, partner: str, *, always: bool = False, window: float = 0.0) -> None:
        """Send this participant's data to a partner; with `always` also if there is none, for what comes with it."""
        data = self.sends.get(partner, [])
        if data or always:
            head, arrays = encode(data, self.converged, window)
            self.channels[partner].send(head, arrays)

    def _receive(self, partner: str, *, always: bool = False, next_window: bool = False) -> None:
        """Receive a partner's data; what has no times of its own belongs to now, or to the end of the next window."""
        data = self.receives.get(partner, [])
        if not data and not always:
            return
        head, floats = self.channels[partner].receive(lambda: self._doing(next_window))
        converged, window = decode_head(head)
        self._learn(partner, converged, window)
        time = self.clock.ahead(self.next_window_size or 0.0) if next_window else self.clock.time
        decode_data(head, floats, data, time)

    def _learn(self, partner: str, converged: bool, window: float) -> None:
        """Take over what came with a partner's data."""
        if self.implicit and self.first and partner == self.config.controller and self.initialized:
            self.converged = converged

    def _doing(self, next_window: bool) -> str:
        """Say for what this participant waits, should its partner end meanwhile."""
        window = self.windows - (1 if self._advancing and not next_window else 0)
        if not self.implicit:
            return f"waiting for its data in time window {window}"
        return f"waiting for its data in time window {window}, iteration {1 if next_window else self.iterations}"

    # --- the life of a scheme ------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Begin at time 0, with the initial data that are to be exchanged."""
        for d in self._flat(self.receives):
            d.initialize_with_zero(self.time)
        for d in self._flat(self.sends):
            if not d.waveform.stamps:
                mesh, name = d.key
                raise SchemeError(
                    f'data "{name}" on mesh "{mesh}" has no values to send: participant {self.me} needs '
                    f'<write-data name="{name}" mesh="{mesh}" /> or a mapping of "{name}" to mesh "{mesh}"'
                )
        if self.implicit:
            self._store_iteration()
            self.required.add(WRITE_CHECKPOINT)
            self._open_logs()
        self._exchange_initial_data()
        self.initialized = True

    def first_exchange(self) -> None:
        """Do the first half of an advance."""
        self.check_required()
        self.complete = False
        if self.at_window_end:
            self.windows += 1  # taken back if the window is to be repeated
            self._advancing = True
            self._exchange_first()

    def second_exchange(self) -> None:
        """Do the second half of an advance."""
        if not self.at_window_end:
            return
        self._exchange_second()
        self._advancing = False
        self.complete = True
        if self.implicit:
            self._end_iteration()
        if self.complete:
            self.log.info("Time window completed")
            size = self.window_size if self.window_size is not None else self.clock.window_progress
            self.clock.complete_window(size)
        else:
            self.clock.reset_progress()
        self.window_size = self.next_window_size

    def _end_iteration(self) -> None:
        if self.converged:
            self._log_iterations()
            if self.ongoing():
                self.required.add(WRITE_CHECKPOINT)
        else:
            self.required.add(READ_CHECKPOINT)
            self.windows -= 1
            self.complete = False
        self.total_iterations += 1
        self.iterations = 1 if self.converged else self.iterations + 1

    def check_required(self) -> None:
        """Raise if the program has not asked for something it has to do."""
        if not self.required:
            return
        calls = {READ_CHECKPOINT: "requires_reading_checkpoint", WRITE_CHECKPOINT: "requires_writing_checkpoint"}
        for action in self.required - self.fulfilled:
            raise SchemeError(f"advance() was called, but {action} is required: call {calls[action]}() before")
        self.required.clear()
        self.fulfilled.clear()

    def _move_to_next_window(self) -> None:
        for d in self.all.values():
            d.move_to_next_window()

    def _store_iteration(self) -> None:
        for d in self.all.values():
            d.store_iteration()

    @abstractmethod
    def _exchange_initial_data(self) -> None:
        """Send and receive, in the order of the scheme, in `initialize`."""

    @abstractmethod
    def _exchange_first(self) -> None:
        """Do the first half of the exchange of `advance`."""

    @abstractmethod
    def _exchange_second(self) -> None:
        """Do the second half, after which everybody can compute."""

    # --- implicit coupling ---------------------------------------------------------------------------------------

    def _accelerated(self) -> dict[Key, CouplingData]:
        """Return the data that the acceleration works on."""
        return self.all

    def _implicit_step(self) -> None:
        """Measure convergence; accelerate if there is none."""
        self.converged = self._measure_convergence() or self.iterations == self.config.max_iterations
        if self.acceleration is not None:
            iterates = {
                key: accelerations.Iterate(d.previous, d.waveform, d.datum.lower, d.datum.upper)
                for key, d in self._accelerated().items()
            }
            act = self.acceleration.window_complete if self.converged else self.acceleration.accelerate
            act(iterates, self.window_start, self._window_end())
        if self.converged:
            for measure in self.measures:
                measure.new_window()

    def _measure_convergence(self) -> bool:
        row: list[float] = [self.windows - 1, self.iterations]
        met: list[bool] = []
        for measure in self.measures:
            d = self.all[measure.config.key]
            done = measure.measure(d.previous.last, d.waveform.last)
            if not done and measure.config.strict and self.iterations == self.config.max_iterations:
                raise SchemeError(
                    f'the strict convergence measure of data "{measure.config.data}" has not converged within '
                    f"{self.iterations} iterations in time window {self.windows - 1}"
                )
            met.append(done)
            row.append(measure.logged)
            if self.log.shows_info:
                self.log.info(f"{measure.column}: {measure.change:.2e}, {'converged' if done else 'not converged'}")
        if self._convergence_log is not None:
            self._convergence_log.write(row)
        if not met or self.iterations < self.config.min_iterations:
            return False
        pairs = list(zip(self.measures, met, strict=True))
        enough = any(m.config.suffices and done for m, done in pairs)
        missing = any(m.config.strict and not done for m, done in pairs)
        return all(met) or (enough and not missing)

    def _open_logs(self, sizes: tuple[int | None, int | None] = (None, None)) -> None:
        """Open the logs, or go on with those of an earlier process, of these sizes."""
        self._iterations_log = Table(f"precice-{self.me}-iterations.log", sizes[0])
        names = ["TimeWindow", "TotalIterations", "Iterations", "Convergence"]
        if not self.first:
            self._convergence_log = Table(f"precice-{self.me}-convergence.log", sizes[1])
            self._convergence_log.header(["TimeWindow", "Iteration", *(m.column for m in self.measures)])
            if self.acceleration is not None:
                names.extend(self.acceleration.log_entries())
        self._iterations_log.header(names)

    def _log_iterations(self) -> None:
        assert self._iterations_log is not None
        limit = self.config.max_iterations
        enough = self.iterations >= self.config.min_iterations and (limit is None or self.iterations < limit)
        row: list[float] = [self.windows - 1, self.total_iterations, self.iterations, int(enough)]
        if self.acceleration is not None:
            row.extend(self.acceleration.log_entries().values())
        self._iterations_log.write(row)

    def close(self) -> None:
        for log in (self._iterations_log, self._convergence_log):
            if log is not None:
                log.close()

    # --- going on in another process -----------------------------------------------------------------------------

    def memory(self) -> dict[str, Any]:
        """Return what has to be known to go on from the end of a complete window."""
        logs = (self._iterations_log, self._convergence_log)
        return {
            "position": {name: getattr(self, name) for name in _POSITION},
            "clock": self.clock,
            "required": sorted(self.required),
            "fulfilled": sorted(self.fulfilled),
            "previous": {key: d.previous for key, d in self.all.items()},
            "measures": self.measures,
            "acceleration": self.acceleration,
            "logs": tuple(None if log is None else log.size for log in logs),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned, instead of `initialize`."""
        for name in _POSITION:
            setattr(self, name, memory["position"][name])
        self.clock, self.measures, self.acceleration = (memory[k] for k in ("clock", "measures", "acceleration"))
        self.required, self.fulfilled = set(memory["required"]), set(memory["fulfilled"])
        for key, previous in memory["previous"].items():
            self.all[key].previous = previous
        if self.implicit:
            self._open_logs(memory["logs"])

    def state(self) -> str:
        """Return where the coupling stands, for the log."""
        if not self.ongoing():
            return f"Reached end at: final time-window: {self.windows - 1}, final time: {self.time:g}"
        parts = [f"time-window {self.windows}", f"t {self.time:g}"]
        if self.implicit:
            parts.insert(0, f"it {self.iterations}")
        if self.window_size is not None:
            parts.append(f"Dt {self.window_size:g}, max-dt {self.max_step():g}")
        return ", ".join(parts)
