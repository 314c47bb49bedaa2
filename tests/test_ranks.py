"""Which rank ended first, from what launchers say: recorded words of each."""

import pytest

from scalebridge.runs.ranks import RankEnd, first

HYDRA = """
===================================================================================
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 6833 RUNNING AT vm
=   EXIT CODE: {}
=   CLEANING UP REMAINING PROCESSES
=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES
===================================================================================
"""
SIGNAL = "YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)\n"
MPICH_ABORT = "Abort(7) on node 1 (rank 1 in comm 0): application called MPI_Abort(MPI_COMM_WORLD, 7) - process 1\n"
OPEN_MPI_SIGNAL = "mpirun noticed that process rank 2 with PID 0 on node vm exited on signal 11 (Segmentation fault).\n"
OPEN_MPI_STATUS = """mpirun detected that one or more processes exited with non-zero status, thus causing
the job to be terminated. The first process to do so was:

  Process name: [[34843,1],1]
  Exit code:    3
"""
OPEN_MPI_ABORT = "MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD\nwith errorcode 5.\n"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("scalebridge: rank 2 was killed by signal 11 (SIGSEGV)\n", RankEnd(2, "killed by signal 11 (SIGSEGV)")),
        ("ValueError: x\nscalebridge: rank 1 ended with exit status 3\n", RankEnd(1, "exit status 3")),
        ("scalebridge: rank 1 called MPI_Abort\n", RankEnd(1)),
        (HYDRA.format(9) + SIGNAL, RankEnd(1, "killed by signal 9 (SIGKILL)")),
        (HYDRA.format(3), RankEnd(1, "exit status 3")),
        (MPICH_ABORT + HYDRA.format(7), RankEnd(1)),
        (OPEN_MPI_SIGNAL, RankEnd(2, "killed by signal 11 (SIGSEGV)")),
        (OPEN_MPI_STATUS, RankEnd(1, "exit status 3")),
        (OPEN_MPI_ABORT, RankEnd(1)),
        ("srun: error: node1: task 1: Killed\nsrun: error: node1: task 0: Terminated\n", RankEnd(1, "Killed")),
        ("srun: error: n2: tasks 3-5: Exited with exit code 2\n", RankEnd(3, "exit status 2")),
        ("all is well: rank 1 was killed by nobody\n", None),
    ],
)
def test_who_ended_first(text, end):
    assert first(text, {6833: 1}) == end


def test_a_process_that_was_never_seen():
    assert first(HYDRA.format(9) + SIGNAL, {17: 0}) is None
