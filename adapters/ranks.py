"""MPI ranks of one participant: which rows belong to whom, and how they share what only rank 0 talks to.

A mesh that is received cannot be divided among ranks before its points are known. So rank 0 receives all of it, and
every rank gets its share of the rows.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.signals import samples_of

type Ids = NDArray[np.int32]
type Array = NDArray[np.float64]

LEFT, DONE = 0.0, 1.0  # what a rank says whose call has failed, or has ended
SAID = 8  # numbers that a rank can say at a time


def share(n: int, rank: int, size: int) -> slice:
    """Return the rows of `n` that belong to `rank` of `size`: contiguous, as equal in number as can be."""
    return slice(n * rank // size, n * (rank + 1) // size)


class Rows:
    """The rows of one rank, which are contiguous and in the order of the ranks.

    Attributes
    ----------
    first, count, total : the first row of this rank, the number of its rows, and of the rows of all ranks.
    assembled : whether all ranks are in the same call now, each with all of its rows, so that they may talk. They begin
        that with `together`.
    """

    def __init__(self, count: int, comm: Any = None) -> None:
        self.assembled = False
        self.comm = comm
        self.rank: int = 0 if comm is None else comm.rank
        counts = self.counts(count)
        self.first = int(counts[: self.rank].sum())
        self.count = count
        self.total = int(counts.sum())

    def assembling[**P, R](self, call: Callable[P, R]) -> Callable[P, R]:
        """Return `call`, in which the ranks are assembled the first time that it is called; all of them do that.

        Where rows fail, a rank calls again with some of its rows, and the others do not. A rank that fails, or has
        ended, tells the others, who then are on their own.
        """
        first = True

        def once(*args: P.args, **kwargs: P.kwargs) -> R:
            nonlocal first
            self.assembled, first = first, False
            try:
                result = call(*args, **kwargs)
            except Exception:
                self._leave(LEFT)
                raise
            else:
                self._leave(DONE)
                return result
            finally:
                self.assembled = False

        return once

    def together(self, about: str, *said: float) -> Array | None:
        """Return the numbers that all ranks say (ranks, k), if all of them talk about the same now; collective.

        Else None: one of them has failed, or has ended, or is elsewhere; from then on they are not assembled any more.
        Who has heard from all of them may call what is collective, so what can fail on one rank alone comes before.
        """
        if not self.assembled:
            return None
        topic = 2.0 + zlib.crc32(about.encode())
        heard = self._heard(topic, *said)
        if (heard[:, 0] == topic).all():
            return heard[:, 1 : 1 + len(said)]
        self.assembled = False
        return None

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Do what other ranks may not be doing at the same time: within this they are not assembled."""
        assembled, self.assembled = self.assembled, False
        try:
            yield
        finally:
            self.assembled = assembled

    def _leave(self, how: float) -> None:
        """Answer those who wait for this rank."""
        if self.assembled:
            self._heard(how)

    def _heard(self, *said: float) -> Array:
        """Return what each rank says (ranks, SAID); collective."""
        mine = np.zeros(SAID)
        mine[: len(said)] = said
        if self.comm is None:
            return mine[None]
        heard = np.empty((self.comm.size, SAID))
        self.comm.Allgather(mine, heard)
        return heard

    def gather(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the rows (n, ...) of all ranks on rank 0, and on the others what they gave; collective."""
        if self.comm is None:
            return values
        mine = np.ascontiguousarray(values)
        counts = self.counts(mine.nbytes)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        everything = np.empty(counts.sum() if self.rank == 0 else 0, dtype=np.uint8)
        self.comm.Gatherv(mine.reshape(-1).view(np.uint8), [everything, (counts, starts)])
        return everything.view(mine.dtype).reshape(-1, *mine.shape[1:]) if self.rank == 0 else values

    def everywhere(self, values: Array) -> Array:
        """Return the rows (n, ...) of all ranks on every rank; a rank that has none need not know their shape."""
        if self.comm is None:
            return values
        mine = np.ascontiguousarray(values, dtype=np.float64)
        shape = self.largest(np.array(mine.shape[1:] if len(mine) else [0] * (mine.ndim - 1), dtype=np.int64))
        counts = self.counts(mine.size)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        everything = np.empty(counts.sum())
        self.comm.Allgatherv(mine.reshape(-1), [everything, (counts, starts)])
        return everything.reshape(-1, *shape)

    def largest(self, mine: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each number the largest that any rank has; collective."""
        result = mine.copy()
        if self.comm is not None:
            from mpi4py import MPI

            self.comm.Allreduce(mine, result, op=MPI.MAX)
        return result

    def counts(self, mine: int) -> NDArray[np.int64]:
        """Return what every rank counts (ranks,); collective."""
        counts = np.array([mine])
        if self.comm is not None:
            counts = np.empty(self.comm.size, dtype=np.int64)
            self.comm.Allgather(np.array([mine]), counts)
        return counts


def world() -> Any:
    """Return the communicator of all ranks if this process was started as one of several, else None."""
    if not any(name in os.environ for name in ("PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE")):
        return None
    from mpi4py import MPI

    forget_shared_memory(MPI.COMM_WORLD)
    return MPI.COMM_WORLD if MPI.COMM_WORLD.size > 1 else None


def forget_shared_memory(comm: Any) -> None:
    """Take the names off the shared memory that MPICH has made, so that none stays behind if a rank is killed.

    Every rank has mapped it when MPI has started, and needs no name for it from then on. Only Linux has such files.
    Collective over `comm`, all ranks of the process.
    """
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        return
    comm.Barrier()
    for line in maps.read_text().splitlines():
        _, found, name = line.partition("/dev/shm/mpich_shm_")  # noqa: S108
        if found and not name.endswith("(deleted)"):
            Path(found + name).unlink(missing_ok=True)


class Shared:
    """Those methods of `precice.Participant` that a rank needs where only rank 0 talks to preCICE.

    All are collective, and everybody gets the answer that rank 0 got.

    Parameters
    ----------
    participant : a `precice.Participant` on rank 0 of `comm`, None on the others.
    """

    def __init__(self, participant: Any, comm: Any) -> None:
        from mpi4py import MPI  # only a run on several ranks needs it

        self.participant = participant
        self.comm = comm
        self.double = MPI.DOUBLE
        self.counts: dict[str, NDArray[np.intp]] = {}  # rows of each rank, by mesh
        self.ids: dict[str, Ids] = {}  # all vertices of a mesh, on rank 0
        self.signals: set[str] = set()  # meshes whose vertices belong together by place

    def _ask(self, method: str, *arguments: Any) -> float:
        answer = np.zeros(1)
        if self.comm.rank == 0:
            answer[0] = getattr(self.participant, method)(*arguments) or 0.0
        self.comm.Bcast(answer)
        return float(answer[0])

    def initialize(self) -> None:
        self._ask("initialize")

    def advance(self, dt: float) -> None:
        self._ask("advance", dt)

    def finalize(self) -> None:
        self._ask("finalize")

    def save_state(self) -> dict[str, Any] | None:
        """Return what rank 0 needs to go on in another process, nothing on the others; None if preCICE cannot say."""
        if self.comm.rank > 0:
            return {}
        save = getattr(self.participant, "save_state", None)
        return save() if save is not None else None

    def requires_initial_data(self) -> bool:
        return bool(self._ask("requires_initial_data"))

    def requires_writing_checkpoint(self) -> bool:
        return bool(self._ask("requires_writing_checkpoint"))

    def requires_reading_checkpoint(self) -> bool:
        return bool(self._ask("requires_reading_checkpoint"))

    def is_coupling_ongoing(self) -> bool:
        return bool(self._ask("is_coupling_ongoing"))

    def is_time_window_complete(self) -> bool:
        return bool(self._ask("is_time_window_complete"))

    def get_max_time_step_size(self) -> float:
        return self._ask("get_max_time_step_size")

    def get_mesh_dimensions(self, mesh: str) -> int:
        return int(self._ask("get_mesh_dimensions", mesh))

    def get_data_dimensions(self, mesh: str, data: str) -> int:
        return int(self._ask("get_data_dimensions", mesh, data))

    def set_mesh_access_region(self, mesh: str, region: Sequence[float]) -> None:
        self._ask("set_mesh_access_region", mesh, region)

    def get_mesh_vertex_ids_and_coordinates(self, mesh: str) -> tuple[Ids, Array]:
        """Return the ids (n,) and coordinates (n, dim) of the rows of this rank; ids count the rows of all ranks."""
        n = int(self._ask("get_mesh_vertex_size", mesh))
        points = np.zeros((n, self.get_mesh_dimensions(mesh)))
        if self.comm.rank == 0:
            ids, coordinates = self.participant.get_mesh_vertex_ids_and_coordinates(mesh)
            self.ids[mesh] = np.asarray(ids, dtype=np.int32)
            points[:] = coordinates
        self.comm.Bcast(points)
        k = samples_of(points, mesh) if mesh in self.signals else 1
        shares = [share(n // k, rank, self.comm.size) for rank in range(self.comm.size)]
        rows = [range(n)[mine.start * k : mine.stop * k] for mine in shares]
        self.counts[mesh] = np.array([len(r) for r in rows])
        mine = rows[self.comm.rank]
        return np.arange(mine.start, mine.stop, dtype=np.int32), points[mine.start : mine.stop]

    def read_data(self, mesh: str, data: str, ids: Ids, relative_time: float) -> Array:
        """Return the values (n,) or (n, d) of the rows of this rank."""
        components = self.get_data_dimensions(mesh, data)
        mine = np.empty((len(ids), components))
        everything = None
        if self.comm.rank == 0:
            everything = self.participant.read_data(mesh, data, self.ids[mesh], relative_time)
        self.comm.Scatterv(self._layout(everything, mesh, components), mine)
        return mine[:, 0] if components == 1 else mine

    def write_data(self, mesh: str, data: str, ids: Ids, values: Array) -> None:
        """Write the values (n,) or (n, d) of the rows of this rank."""
        components = self.get_data_dimensions(mesh, data)
        n = int(self.counts[mesh].sum())
        everything = np.empty((n, components) if components > 1 else n) if self.comm.rank == 0 else None
        self.comm.Gatherv(np.ascontiguousarray(values, dtype=np.float64), self._layout(everything, mesh, components))
        if self.comm.rank == 0:
            self.participant.write_data(mesh, data, self.ids[mesh], everything)

    def _layout(self, everything: Array | None, mesh: str, components: int) -> Any:
        """Describe to MPI how the rows lie in the array that rank 0 has."""
        if everything is None:
            return None
        counts = self.counts[mesh] * components
        displacements = np.concatenate([[0], np.cumsum(counts)[:-1]])
        return [np.ascontiguousarray(everything), counts, displacements, self.double]
