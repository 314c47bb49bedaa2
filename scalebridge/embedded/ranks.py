"""A participant on several MPI ranks.

Rank 0 holds the engine; the others hand in what they write and get what they read, so that results do not depend on
the number of ranks. A provided mesh is the meshes of all ranks, one after the other; a received mesh is known to every
rank as a whole, and what several ranks write to it adds up.
"""

from __future__ import annotations

import atexit
import json
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalebridge.embedded.arguments import EVERYTHING, MisuseError
from scalebridge.embedded.config import Configuration
from scalebridge.embedded.contexts import ReadContext, WriteContext
from scalebridge.embedded.engine import Engine
from scalebridge.embedded.fields import Fields
from scalebridge.embedded.log import Log
from scalebridge.embedded.meshes import CORNERS
from scalebridge.embedded.scheme import INITIAL_DATA, READ_CHECKPOINT, WRITE_CHECKPOINT
from scalebridge.embedded.tolerance import equal
from scalebridge.embedded.waveform import Floats

_LAST_WORDS = 0.5  # seconds for mpiexec to pass on the traceback, before it ends all ranks
_ACTIONS = (INITIAL_DATA, WRITE_CHECKPOINT, READ_CHECKPOINT)


class RankedEngine(Fields):
    """What `Engine` is to a program in one process, to each rank of a program on several."""

    def __init__(
        self,
        configuration: Configuration,
        me: str,
        log: Log,
        rank: int,
        size: int,
        communicator: Any = None,
        memory: Mapping[str, Any] | None = None,
    ) -> None:
        from mpi4py import MPI

        super().__init__(configuration, me)
        self._comm = MPI.COMM_WORLD if communicator is None else communicator
        if (rank, size) != (self._comm.Get_rank(), self._comm.Get_size()):
            raise MisuseError(
                f"participant {me} was constructed as rank {rank} of {size}, but its communicator says rank "
                f"{self._comm.Get_rank()} of {self._comm.Get_size()}"
            )
        self._rank = rank
        self._counts: dict[str, list[int]] = {}
        self._required: set[str] = set()
        self._asked: set[str] = set()
        self._whole: Engine | None = None
        self._closed = False
        _abort_on_error(self._comm)
        atexit.register(self._leave)
        self._on_root(lambda: self._start(log, memory))

    def _start(self, log: Log, memory: Mapping[str, Any] | None) -> None:
        self._whole = Engine(self.configuration, self.me.name, log, memory)

    # --- what the program may ask --------------------------------------------------------------------------------

    def _take_note(self, state: dict[str, Any]) -> None:
        """Keep where the coupling stands, on this rank as on rank 0."""
        self.time = float(state["time"])
        self.ongoing = bool(state["ongoing"])
        self.complete = bool(state["complete"])
        self.max_step = float(state["max_step"])
        self.seconds_waited = float(state["waited"])
        self._required = set(state["required"])
        self._asked.clear()

    def requires(self, action: str) -> bool:
        self._asked.add(action)
        if self._whole is not None:
            self._whole.requires(action)
        return action in self._required

    def missing(self, action: str) -> bool:
        return action in self._required and action not in self._asked

    # --- the course of events ------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Put the ranks' meshes and initial data together, initialise, hand out what is to be read."""
        for name in self.me.provides:
            self._gather_mesh(name)
        self._gather_written()
        self._on_root(lambda: self._engine.initialize())
        for received in self.me.receives:
            vertices = self._engine.meshes[received.name].vertices if self._whole is not None else None
            self.meshes[received.name].add_vertices(self._everywhere(vertices))
        self._hand_out()

    def advance(self, dt: float) -> None:
        """Put together what the ranks have written, advance, hand out what is to be read."""
        steps = self._comm_array(np.array([dt]), [1] * self._comm.Get_size())
        self._gather_written()
        self._on_root(lambda: self._advance(dt, steps))
        self._hand_out()

    def _advance(self, dt: float, steps: Floats | None) -> None:
        assert steps is not None
        other = next((i for i, step in enumerate(steps) if not equal(float(step), dt)), None)
        if other is not None:
            raise MisuseError(f"advance() was called with {dt} on rank 0 but with {steps[other]} on rank {other}")
        self._engine.advance(dt)

    def memory(self) -> dict[str, Any]:
        """Return what rank 0 has to know to go on from here; the other ranks need nothing."""
        return {} if self._whole is None else self._whole.memory()

    def resting(self) -> bool:
        """Say on rank 0 whether a window has just ended in every coupling scheme."""
        return self._whole is None or self._whole.resting()

    def finalize(self) -> None:
        self._closed = True
        self._on_root(lambda: self._engine.finalize())

    def _leave(self) -> None:
        """End all ranks where this one ends in the middle of the coupling, as by sys.exit: they would wait for it."""
        if self.ongoing and not self._closed:
            print(f"rank {self._rank} of participant {self.me.name} ends before the coupling is over", file=sys.stderr)
            sys.stderr.flush()
            time.sleep(_LAST_WORDS)
            self._comm.Abort(1)

    def close(self) -> None:
        self._closed = True
        if self._whole is not None:
            self._whole.close()

    @property
    def _engine(self) -> Engine:
        assert self._whole is not None
        return self._whole

    def _on_root(self, do: Callable[[], None]) -> None:
        """Let rank 0 do something and tell all ranks how things stand; an error is raised on every rank."""
        state: dict[str, Any] = {}
        error: Exception | None = None
        if self._rank == 0:
            try:
                do()
            except Exception as caught:  # raised again below, on all ranks
                error = caught
                state = {"error": str(caught)}
            else:
                state = self._how_things_stand()
        text = self._everywhere_bytes(json.dumps(state).encode())
        if error is not None:
            raise error
        state = json.loads(text)
        if "error" in state:
            raise MisuseError(f"rank 0 of participant {self.me.name}: {state['error']}")
        self._take_note(state)

    def _how_things_stand(self) -> dict[str, Any]:
        whole = self._engine
        return {
            "time": whole.time,
            "ongoing": whole.ongoing,
            "complete": whole.complete,
            "max_step": whole.max_step,
            "required": [a for a in _ACTIONS if whole.missing(a)],
            "waited": whole.seconds_waited,
        }

    # --- moving data between ranks -------------------------------------------------------------------------------

    def _everywhere_bytes(self, text: bytes) -> bytes:
        """Return rank 0's bytes on all ranks."""
        size = np.array([len(text)], dtype=np.int64)
        request = self._comm.Ibcast(size, root=0)
        pause = 0.0
        while not request.Test():  # rank 0 may be waiting for a partner, who needs the processor
            time.sleep(pause)
            pause = min(2.0 * pause + 1e-5, 1e-3)
        buffer = np.frombuffer(text, np.uint8).copy() if self._rank == 0 else np.empty(int(size[0]), np.uint8)
        self._comm.Bcast(buffer, root=0)
        return buffer.tobytes()

    def _everywhere(self, array: Floats | None) -> Floats:
        """Return rank 0's array on all ranks."""
        shape = [] if array is None else list(array.shape)
        shape = json.loads(self._everywhere_bytes(json.dumps(shape).encode()))
        buffer = np.ascontiguousarray(array) if array is not None else np.empty(shape)
        self._comm.Bcast(buffer, root=0)
        return buffer

    def _comm_array(self, mine: NDArray[Any], counts: list[int]) -> NDArray[Any] | None:
        """Return the rows of all ranks, one rank after the other, on rank 0."""
        mine = np.ascontiguousarray(mine)
        width = int(np.prod(mine.shape[1:], dtype=int))
        whole = np.empty((sum(counts), *mine.shape[1:]), mine.dtype) if self._rank == 0 else None
        self._comm.Gatherv(mine, None if whole is None else [whole, [c * width for c in counts]], root=0)
        return whole

    def _gather_mesh(self, name: str) -> None:
        mesh = self.meshes[name]
        counts = self._sizes(mesh.size)
        self._counts[name] = counts
        first = sum(counts[: self._rank])
        vertices = self._comm_array(mesh.vertices, counts)
        if vertices is not None:
            self._engine.meshes[name].add_vertices(vertices)
        for kind in CORNERS:
            mine = mesh.cells(kind)
            cells = self._comm_array(mine + first, self._sizes(len(mine)))
            if cells is not None and len(cells):
                self._engine.meshes[name].add_cells(kind, cells)

    def _sizes(self, mine: int) -> list[int]:
        """Return a number of each rank on all ranks."""
        sizes = np.empty(self._comm.Get_size(), dtype=np.int64)
        self._comm.Allgather(np.array([mine], dtype=np.int64), sizes)
        return [int(s) for s in sizes]

    def _gather_written(self) -> None:
        for key, context in self.writes.items():
            if context.datum.mesh.size == 0 and key[0] not in self._counts:
                continue  # a received mesh that has not come yet
            values, slopes = context.take()
            whole = self._put_together(key[0], values)
            whole_slopes = None if slopes is None else self._put_together(key[0], slopes)
            if whole is not None:
                self._hand_in(self._engine.writes[key], whole, whole_slopes)

    def _put_together(self, mesh: str, mine: Floats) -> Floats | None:
        if mesh in self._counts:
            return self._comm_array(mine, self._counts[mesh])
        total = np.empty_like(mine) if self._rank == 0 else None
        self._comm.Reduce(np.ascontiguousarray(mine), total, root=0)
        return total

    def _hand_in(self, context: WriteContext, values: Floats, slopes: Floats | None) -> None:
        context.write(EVERYTHING, values)
        if slopes is not None:
            context.write_slopes(EVERYTHING, slopes)

    def _hand_out(self) -> None:
        for key, context in self.reads.items():
            wave = self._engine.reads[key].datum.waveform if self._whole is not None else None
            times = self._everywhere(None if wave is None else wave.times)
            self._take_over(key[0], context, times, [] if wave is None else wave.samples)
            context.forget_coefficients()

    def _take_over(self, mesh: str, context: ReadContext, times: Floats, samples: list[Floats]) -> None:
        mine: list[Floats] = []
        for i in range(len(times)):
            whole = np.ascontiguousarray(samples[i]) if samples else None
            if mesh not in self._counts:
                mine.append(self._everywhere(whole))
                continue
            part = np.empty(context.datum.shape)
            counts = [c * context.datum.components for c in self._counts[mesh]]
            self._comm.Scatterv(None if whole is None else [whole, counts], part, root=0)
            mine.append(part)
        wave = context.datum.waveform
        wave.clear()
        for t, sample in zip(times, mine, strict=True):
            wave.put(float(t), sample)


def _abort_on_error(communicator: Any) -> None:
    """Make an error that nobody catches on one rank end all ranks, instead of letting the others wait for ever."""
    before = sys.excepthook

    def abort(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        sys.stderr.flush()
        time.sleep(_LAST_WORDS)
        communicator.Abort(1)

    sys.excepthook = abort
