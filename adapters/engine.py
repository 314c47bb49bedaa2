"""preCICE's participant of whichever engine `import precice` finds."""

from __future__ import annotations

import sys
from typing import Any

from adapters.case import Case
from adapters.ranks import Shared, forget_shared_memory
from adapters.wiring import CouplingError


def connect(case: Case[Any], comm: Any, shared: bool, state: Any) -> Any:
    """Return the participant of a case; with `state`, one that goes on where it was saved.

    Parameters
    ----------
    comm : communicator of the MPI ranks; None for one process.
    shared : only rank 0 talks to preCICE, for all of them.
    """
    try:
        import precice
    except ModuleNotFoundError:
        raise CouplingError(
            "there is no module named 'precice': start this through 'scalebridge run' or "
            "'scalebridge exec -- COMMAND', which bring a coupling engine"
        ) from None
    mpi = sys.modules.get("mpi4py.MPI")  # the real preCICE brings it
    if mpi is not None:
        forget_shared_memory(mpi.COMM_WORLD)
    rank, size = (0, 1) if comm is None else (comm.rank, comm.size)
    more = {} if state is None else {"state": state}
    if not shared:
        return precice.Participant(case.name, str(case.config), rank, size, **more)
    return Shared(precice.Participant(case.name, str(case.config), 0, 1, **more) if rank == 0 else None, comm)
