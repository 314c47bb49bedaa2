"""The one time loop of every participant: it hands out steps, and what stands between them is physics.

    with Coupling(case) as coupling:
        mesh = coupling.provide("Macro-Mesh", points)
        liquid = mesh.read("Liquid-Fraction")
        mesh.write("Temperature", temperature)          # an array that is changed in place, or a function
        for step in coupling.steps(keep=(temperature,)):
            temperature[:] = ...                        # from step.t to step.end with liquid.old and liquid.values

Before a step everything is read, after it everything is written and preCICE advances. A window that is repeated begins
again from what it began with: the functional state in `step.state`, and what was named by `keep`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from adapters import engine, signals
from adapters.case import Case
from adapters.keeping import Keepable, keeper
from adapters.mesh import CouplingMesh
from adapters.ranks import Shared
from adapters.record import Clock, Series
from adapters.restart import Restart
from adapters.step import Position, Step
from adapters.wiring import CouplingError, Wiring
from scalebridge import checks
from scalebridge.checks import Check
from scalebridge.progress import FREQUENT

EVERYWHERE = 1e300  # half the edge length of an access region that leaves nothing out [m]


class Coupling:
    """One participant of a coupled run, from its meshes to its last window.

    Parameters
    ----------
    case : what the participant was started with.
    comm : communicator of the MPI ranks of this participant; None for one process.
    shared : only rank 0 talks to preCICE, and the rows of meshes that are received are divided among the ranks.
        Otherwise every rank is a rank of the preCICE participant, with its own points.
    max_dt : largest step [s]; a window is divided into equal steps that are not larger. May be changed on the way.
    """

    def __init__(self, case: Case[Any], comm: Any = None, *, shared: bool = False, max_dt: float = math.inf) -> None:
        self.case = case
        self.max_dt = max_dt
        self.rank: int = 0 if comm is None else comm.rank
        self.ranks: int = 1 if comm is None else comm.size
        self.wiring = Wiring(case.config, case.name, case.reads, case.writes, case.scaling)
        self.end, self.windows, self.window_size = self.wiring.horizon()
        self._restart = Restart(case, self.rank, self.ranks)
        known = self._restart.memory
        self.participant = engine.connect(case, comm, shared and self.ranks > 1, known and known["coupling"])
        self.meshes: dict[str, CouplingMesh] = {}
        self.checks: dict[str, Check] = {}
        self._clock = Clock(self.participant)
        self._series = Series(case.output / "series.csv")
        self._on_window: list[Callable[[float], None]] = []
        self._files = ExitStack()
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._series.close()
        self._files.close()
        if error is not None:
            return  # finalize() would wait for partners; when this process ends they notice
        self.participant.finalize()
        if self.rank == 0:
            checks.save(self.case.output / "checks.json", list(self.checks.values()))

    # ---- before the loop

    def provide(self, name: str, points: ArrayLike, edges: ArrayLike = (), triangles: ArrayLike = ()) -> CouplingMesh:
        """Tell preCICE the vertices of a mesh of this participant.

        Parameters
        ----------
        points : (n, d) coordinates [m]; with d less than the dimensions of the coupling mesh the rest is zero.
        edges, triangles : (m, 2), (m, 3) indices of points, given on to mappings that need them.
        """
        dimensions = self._dimensions(name)
        given = np.asarray(points, dtype=np.float64)
        if given.ndim != 2 or given.shape[1] > dimensions:
            raise CouplingError(
                f"{name} has {dimensions} dimensions in {self.wiring.file}: "
                f"expected points of shape (n, {dimensions}) or with fewer columns, got {given.shape}"
            )
        padded = np.zeros((len(given), dimensions))
        padded[:, : given.shape[1]] = given
        ids = np.asarray(self.participant.set_mesh_vertices(name, padded))
        if self.participant.requires_mesh_connectivity_for(name):
            if np.size(edges):
                self.participant.set_mesh_edges(name, ids[np.asarray(edges)])
            if np.size(triangles) and dimensions == 3:
                self.participant.set_mesh_triangles(name, ids[np.asarray(triangles)])
            elif np.size(triangles):  # pyprecice 3.4.0 refuses to take those of a plane all at once
                for corners in ids[np.asarray(triangles)]:
                    self.participant.set_mesh_triangle(name, *corners)
        self.meshes[name] = CouplingMesh(self.participant, self.wiring, name, padded, ids)
        return self.meshes[name]

    def provide_signals(self, name: str, places: ArrayLike, samples: int) -> CouplingMesh:
        """Tell preCICE the vertices of a mesh of signals, whose fields have values (n, samples), see `signals`.

        Parameters
        ----------
        places : (n, d) where the signals are, in fewer dimensions than the mesh has.
        samples : number of equal parts of a time window at whose ends the signals are sampled.
        """
        dimensions, window = self._dimensions(name), self._require_equal_windows(name)
        vertices = signals.vertices(places, samples, window, dimensions)
        ids = np.asarray(self.participant.set_mesh_vertices(name, vertices))
        self.meshes[name] = CouplingMesh(self.participant, self.wiring, name, vertices, ids, signals=True)
        return self.meshes[name]

    def _dimensions(self, name: str) -> int:
        """Return the number of dimensions of a mesh that this participant provides."""
        self.wiring.require_provided(name)
        return int(self.participant.get_mesh_dimensions(name))

    def _require_equal_windows(self, name: str) -> float:
        """Return the length of the time windows [s]; raise CouplingError where it is not the same for all."""
        size, windows = self.window_size, self.end / (self.window_size or 1.0)
        if size is None or (math.isfinite(windows) and abs(windows - round(windows)) > 1e-6):
            found = "the first participant sets it" if size is None else f"{self.end:g} s are {windows:g} windows"
            raise CouplingError(f"{self.wiring.file}: the signals on {name} need windows of one length, but {found}")
        if self.max_dt < size * (1 - 1e-9):
            raise CouplingError(
                f"{self.case.name}: the signals on {name} are those of a whole window of {size:g} s, which cannot be "
                f"divided into steps of at most {self.max_dt:g} s"
            )
        return size

    def receive_signals(self, name: str) -> CouplingMesh:
        """Work on a mesh of signals that another participant provides; its places are known after `start`."""
        self._require_equal_windows(name)
        if isinstance(self.participant, Shared):
            self.participant.signals.add(name)
        return self.receive(name, signals=True)

    def receive(
        self, name: str, region: Sequence[tuple[float, float]] | None = None, *, signals: bool = False
    ) -> CouplingMesh:
        """Work on the points of a mesh that another participant provides; they are known after `start`.

        Parameters
        ----------
        region : (least, largest) coordinate in each dimension [m]; None for the whole mesh.
        signals : the mesh is one of signals, see `receive_signals`.
        """
        self.wiring.require_access(name)
        dimensions = self.participant.get_mesh_dimensions(name)
        box = [(-EVERYWHERE, EVERYWHERE)] * dimensions if region is None else region
        self.participant.set_mesh_access_region(name, [float(x) for ends in box for x in ends])
        nowhere = np.zeros((0, dimensions)), np.zeros(0, dtype=np.int32)
        self.meshes[name] = CouplingMesh(self.participant, self.wiring, name, *nowhere, direct=True, signals=signals)
        return self.meshes[name]

    def start(self) -> None:
        """Send initial data where the configuration asks for them, and connect. `steps` does it if nobody has."""
        if self._begun:
            return
        self._begun = True
        self.wiring.require_written((mesh.name, data) for mesh in self.meshes.values() for data in mesh.written())
        with self._clock.couple():
            if self.participant.requires_initial_data():
                for mesh in self.meshes.values():
                    mesh.send(0.0, initial=True)
            self._tell("wait", Position(window=0, iteration=0))
            with self._clock.block():
                self.participant.initialize()
            for mesh in self.meshes.values():
                mesh.connected()
        position = Position()
        if self._restart.memory is not None:
            position = self._go_on(self._restart.memory)
        self._tell("start", position)

    # ---- the loop

    def steps(self, state: Any = None, *, keep: Sequence[Any] = ()) -> Iterator[Step]:
        """Yield the steps of the run until the coupling ends.

        Who writes on a mesh that it receives gets a first step of length zero, see `_introduce`.

        Parameters
        ----------
        state : a value that is never changed in place; `step.state` hands it on from step to step.
        keep : what is changed in place: arrays, DOLFINx functions, or objects with `save()` and `restore(value)`.
        """
        self.start()
        kept = [keeper(thing) for thing in keep]
        position = Position()
        if self._restart.on:
            self._state(state, kept)  # tells before the first step what cannot be saved
        if self._restart.memory is not None:
            position, state = self._restored(self._restart.memory, state, kept)
        elif self.wiring.introduction is not None:
            yield from self._introduce(position, state, kept)
            position = Position(iteration=2)
        begin = position, state, [k.save() for k in kept]
        while self.participant.is_coupling_ongoing():
            if self.participant.requires_writing_checkpoint():
                begin = position, state, [k.save() for k in kept]
            step = self._read(position, state)
            self._tell("step", position)
            with self._clock.solve():
                yield step
            self._write(step)
            state = step.state
            if self.participant.requires_reading_checkpoint():
                position, state, values = begin
                position = Position(position.t, position.window, step.iteration + 1, first=False)
                for keep_one, value in zip(kept, values, strict=True):
                    keep_one.restore(value)
            elif self.participant.is_time_window_complete():
                position = Position(self._window_end(step), step.window + 1)
                self._complete(step, position.t)
                if self._restart.due(step.window) and self.participant.is_coupling_ongoing():
                    self._save(step.window, position.t, self._state(state, kept))
            else:
                position = Position(step.end, step.window, step.iteration, step.substep + 1, step.first)
        self._tell("end", Position(position.t, position.window - 1))

    def _introduce(self, position: Position, state: Any, kept: Sequence[Keepable]) -> Iterator[Step]:
        """Spend the first iteration of the first window on the values at the start.

        preCICE has no initial data on a mesh that their writer receives. So the writer answers the initial values of
        its partner with a step of length zero, the partner makes no step, and then the window begins in earnest.
        """
        values = [k.save() for k in kept]
        self.participant.requires_writing_checkpoint()
        step = self._read(position, state, introduction=True)
        window = self.participant.get_max_time_step_size()
        if self.wiring.introduction == "gives":
            with self._clock.solve():
                yield step
        self._write(step, window)
        if not self.participant.requires_reading_checkpoint():
            raise CouplingError(
                f"{self.wiring.file}: the first iteration of the first window carries the initial values of what is "
                'written on a received mesh, and must not be its last: add <min-iterations value="2" /> to the '
                "coupling scheme"
            )
        for keep_one, value in zip(kept, values, strict=True):
            keep_one.restore(value)

    def _read(self, position: Position, state: Any, *, introduction: bool = False) -> Step:
        """Read everything for the next step, which has no length in the introduction."""
        with self._clock.couple():
            remaining = self.participant.get_max_time_step_size()
            step = Step(position, 0.0 if introduction else self._length(remaining), state)
            for mesh in self.meshes.values():
                mesh.refresh(step, remaining)
        return step

    def _write(self, step: Step, advance: float | None = None) -> None:
        """Write what holds at the end of the step and advance by its length, or by `advance` [s]."""
        with self._clock.couple():
            for mesh in self.meshes.values():
                mesh.send(step.end)
            self._tell("wait", step)
            with self._clock.block():
                self.participant.advance(step.dt if advance is None else advance)

    def _length(self, remaining: float) -> float:
        """Return the length of the next step [s]: the largest fraction of the rest that is not above `max_dt`."""
        if remaining > EVERYWHERE:  # this participant sets the length of the windows, and the run has no end
            if math.isinf(self.max_dt):
                raise CouplingError(
                    f"{self.wiring.file} leaves the length of the time windows to {self.case.name}, and the end of the "
                    "run open: give max_dt"
                )
            return self.max_dt
        if self.max_dt <= 0:
            raise CouplingError(f"{self.case.name}: max_dt is {self.max_dt:g} s; expected more than 0")
        return float(remaining / max(math.ceil(remaining / self.max_dt - 1e-9), 1))

    def _window_end(self, step: Step) -> float:
        """Return the time at the end of the window [s], free of the round-off of many small steps."""
        if self.window_size is None:
            return step.end
        return min(step.window * self.window_size, self.end)

    def _complete(self, step: Step, time: float) -> None:
        """Do what belongs to the end of a window, which was reached with `step`."""
        with self._clock.couple():
            for mesh in self.meshes.values():
                mesh.complete(time)
        for callback in self._on_window:
            callback(time)
        if self.rank == 0:
            self._series.complete(time)
        self._tell("window", Position(time, step.window, step.iteration))

    # ---- checkpoints of the run, and going on from one

    @property
    def resumed(self) -> bool:
        """Whether the run goes on from a checkpoint: the state that is given to `steps` is not the first one."""
        return self._restart.memory is not None

    @property
    def checkpointed(self) -> bool:
        """Whether checkpoints are written, or the run goes on from one."""
        return self._restart.on or self.resumed

    def remember(self, name: str, thing: Keepable) -> None:
        """Make `thing`, which has `save()` and `restore(value)`, part of the checkpoints of the run.

        Where the run goes on from one, it is restored at once. What is given to `steps` needs no mention here, and what
        follows from it neither; only what adds up over the windows beside it.
        """
        self._restart.add(name, thing)

    def _state(self, state: Any, kept: Sequence[Keepable]) -> dict[str, Any]:
        tree = self._restart.tree
        return {"state": tree(state, "state"), "kept": [tree(k.save(), f"keep[{i}]") for i, k in enumerate(kept)]}

    def _save(self, window: int, time: float, state: dict[str, Any]) -> None:
        """Write this process's part of the checkpoint of the window that ended at `time` [s]."""
        save = getattr(self.participant, "save_state", None)  # libprecice has none
        body = {
            **state,
            "coupling": save() if save is not None else None,
            "meshes": {name: mesh.save() for name, mesh in self.meshes.items()},
            "checks": [check.to_json() for check in self.checks.values()],
            "series": self._series.save(),
        }
        self._restart.save(window, time, body)

    def _go_on(self, memory: dict[str, Any]) -> Position:
        """Bring back all but the state; return where the run goes on."""
        for name, mesh in self.meshes.items():
            mesh.restore(memory["meshes"][name])
        self.check(*(Check.from_json(check) for check in memory["checks"]))
        self._series.restore(memory["series"])
        return Position(self._restart.time, self._restart.window + 1)

    def _restored(self, memory: dict[str, Any], state: Any, kept: Sequence[Keepable]) -> tuple[Position, Any]:
        """Bring back the state, and what is changed in place; return where the run goes on, and the state."""
        if len(kept) != len(memory["kept"]):
            raise CouplingError(
                f"{self.case.name} kept {len(memory['kept'])} things when it was saved, now {len(kept)}"
            )
        for i, (one, value) in enumerate(zip(kept, memory["kept"], strict=True)):
            one.restore(self._restart.restored(value, one.save(), f"keep[{i}]"))
        position = Position(self._restart.time, self._restart.window + 1)
        return position, self._restart.restored(memory["state"], state, "state")

    # ---- what a run leaves behind

    def on_window(self, callback: Callable[[float], None]) -> None:
        """Call ``callback(t)`` [s] at the end of every completed window, before its row of series.csv is written."""
        self._on_window.append(callback)

    def keep_open[F: AbstractContextManager[Any]](self, file: F) -> F:
        """Keep a file open until the run ends, well or not."""
        self._files.enter_context(file)
        return file

    def record(self, **values: float) -> None:
        """Put values into the row of series.csv of the window in progress; its last iteration counts."""
        self._series.pending.update(values)

    def check(self, *found: Check) -> None:
        """Add to the checks that are saved at the end of the run; a later one of the same name replaces an earlier."""
        self.checks.update({check.name: check for check in found})

    def _tell(self, event: str, position: Position | Step) -> None:
        if event in FREQUENT and self.case.progress.brief(event, position.t, position.window, position.iteration):
            return
        numbers = {
            "time": position.t,
            "end": self.end if math.isfinite(self.end) else None,
            "window": position.window,
            "windows": self.windows,
            "iteration": position.iteration,
            **self._clock.seconds(),
        }
        if self.rank == 0:
            self.case.progress.write(event, **numbers)
        else:
            self.case.progress.note(**numbers)
