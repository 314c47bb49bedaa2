"""The public interface, as pyprecice 3.4 has it: the same calls, arguments, results and order of calls.

These files check what is asked for and when; what happens is in `engine`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scalebridge import __version__
from scalebridge.embedded import arguments, config
from scalebridge.embedded.arguments import MisuseError
from scalebridge.embedded.connectivity_calls import ConnectivityCalls
from scalebridge.embedded.data_calls import DataCalls
from scalebridge.embedded.engine import Engine
from scalebridge.embedded.log import Log
from scalebridge.embedded.mesh_calls import MeshCalls
from scalebridge.embedded.ranks import RankedEngine
from scalebridge.embedded.requirements import meshes_with_connectivity
from scalebridge.embedded.scheme import INITIAL_DATA, READ_CHECKPOINT, WRITE_CHECKPOINT
from scalebridge.embedded.tolerance import equal
from scalebridge.findings import ConfigurationError, nearest, one_of


class InvalidConfigurationError(ConfigurationError, MisuseError):
    """A configuration with mistakes, or with something that the embedded engine does not support."""


def get_version_information() -> bytes:
    """Return versions as text: the interface's, and the engine's."""
    return f"3.4.1;scalebridge embedded engine {__version__};".encode()


class Participant(MeshCalls, ConnectivityCalls, DataCalls):
    """One program in a coupled simulation.

    Parameters
    ----------
    solver_name : the participant's name in the configuration.
    configuration_file_name : the XML file.
    solver_process_index, solver_process_size : rank and number of ranks.
    communicator : an mpi4py communicator, where the program runs on several ranks of something else than COMM_WORLD.
    state : what `save_state` returned in an earlier process, from which to go on. preCICE has no such thing.
    """

    def __init__(
        self,
        solver_name: str | bytes,
        configuration_file_name: str | bytes,
        solver_process_index: int,
        solver_process_size: int,
        communicator: Any = None,
        *,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._state = "failed"
        self._name = arguments.name(solver_name, "the participant's name")
        file = arguments.name(configuration_file_name, "the configuration's file name")
        rank, size = solver_process_index, solver_process_size
        if size < 1 or not 0 <= rank < size:
            raise MisuseError(f"rank {rank} of {size} is not possible: ranks count from 0 to their number less one")
        configuration = _checked(file, self._name)
        memory, sizes = _recalled(state) if state and rank == 0 else (None, None)
        log = Log(self._name, configuration.sinks if rank == 0 else (), sizes)
        if rank == 0:
            print(
                f"scalebridge embedded engine {__version__} (preCICE 3.4 interface) participant {self._name}, "
                f"configuration {file}",
                flush=True,
            )
        self._log = log
        self._configuration = configuration
        if size == 1:
            self._engine = Engine(configuration, self._name, log, memory)
        else:
            self._engine = RankedEngine(configuration, self._name, log, rank, size, communicator, memory)
        self._connected_meshes = meshes_with_connectivity(configuration)
        self._regions = {}
        self._sections: list[str] = []
        self._state = "constructed"

    def __del__(self) -> None:
        if getattr(self, "_state", "failed") in ("constructed", "initialized"):
            self._state = "finalized"
            self._engine.close()

    @property
    def seconds_waited(self) -> float:
        """Wall seconds that this participant has spent waiting for others."""
        return self._engine.seconds_waited

    # --- steering ------------------------------------------------------------------------------------------------

    def initialize(self) -> None:
        """Meet the partners, exchange meshes and initial data."""
        self._need("initialize()", "constructed")
        self._no_open_sections("initialize()")
        if self._engine.missing(INITIAL_DATA):
            instead = "Call requires_initial_data() before, and write_data() where it says so"
            raise self._misuse("initialize()", "needs initial data", instead)
        self._need_regions()
        self._state = "failed"
        for mesh in self._engine.meshes.values():
            mesh.locked = True
        self._engine.initialize()
        self._state = "initialized"

    def advance(self, computed_timestep_length: float) -> None:
        """Tell that the program has made a step; exchange and map data when a time window ends."""
        self._need("advance()", "initialized")
        self._no_open_sections("advance()")
        dt = float(computed_timestep_length)
        if not self._engine.ongoing:
            instead = "Call it only while is_coupling_ongoing() is true"
            raise self._misuse("advance()", "is not possible any more: the coupling has ended", instead)
        if not math.isfinite(dt) or dt < 0.0 or equal(dt, 0.0):
            raise self._misuse("advance()", f"was called with the step {dt}", "A step has to be larger than 0")
        self._engine.advance(dt)

    def finalize(self) -> None:
        """End the coupling and close all connections."""
        self._need("finalize()", "constructed", "initialized")
        running = self._state == "initialized"
        self._state = "finalized"
        self._sections.clear()
        if running:
            self._engine.finalize()
        else:
            self._engine.close()

    # --- state ---------------------------------------------------------------------------------------------------

    def is_coupling_ongoing(self) -> bool:
        """Say whether there is still time to simulate."""
        self._need("is_coupling_ongoing()", "initialized")
        return self._engine.ongoing

    def is_time_window_complete(self) -> bool:
        """Say whether the last advance completed a time window."""
        self._need("is_time_window_complete()", "initialized")
        return self._engine.complete

    def get_max_time_step_size(self) -> float:
        """Return the largest step that may be made now."""
        self._need("get_max_time_step_size()", "initialized")
        return self._engine.max_step

    def requires_initial_data(self) -> bool:
        """Say whether data have to be written before initialize()."""
        self._need("requires_initial_data()", "constructed")
        return self._engine.requires(INITIAL_DATA)

    def requires_writing_checkpoint(self) -> bool:
        """Say whether the program has to keep its state now."""
        self._need("requires_writing_checkpoint()", "initialized")
        return self._engine.requires(WRITE_CHECKPOINT)

    def requires_reading_checkpoint(self) -> bool:
        """Say whether the program has to go back to the state that it kept."""
        self._need("requires_reading_checkpoint()", "initialized")
        return self._engine.requires(READ_CHECKPOINT)

    # --- going on in another process, an extension -----------------------------------------------------------------

    def save_state(self) -> dict[str, Any]:
        """Return all that the coupling needs to go on from here in another process; every rank has its own part.

        To be called by all participants at the end of the same time window, as long as the coupling is ongoing. The
        result is made of mappings, lists, tuples, arrays, numbers and text (`scalebridge.treefile` saves it).
        """
        from scalebridge.embedded import memory  # brings all accelerations

        call = "save_state()"
        self._need(call, "initialized")
        if not self._engine.resting():
            instead = "Call it when a time window has ended in all coupling schemes, and before the coupling ends"
            raise self._misuse(call, "is not possible now", instead)
        if any(context.pending for context in self._engine.writes.values()):
            raise self._misuse(call, "was called after write_data()", "Call it right after advance()")
        return {"engine": memory.remember(self._engine.memory()), "log": self._log.sizes()}

    # --- profiling -----------------------------------------------------------------------------------------------

    def start_profiling_section(self, event_name: str | bytes) -> None:
        """Note the start of a section of the program; the embedded engine keeps no profile."""
        section = arguments.name(event_name, "event_name")
        if "/" in section:
            raise MisuseError(f'start_profiling_section("{section}"): the name may not contain "/"')
        self._sections.append(section)

    def stop_last_profiling_section(self) -> None:
        """Note the end of the section that was started last."""
        if not self._sections:
            raise self._misuse("stop_last_profiling_section()", "has no open section", "Start one before")
        self._sections.pop()

    def _no_open_sections(self, call: str) -> None:
        if self._sections:
            open_ones = ", ".join(self._sections)
            instead = "Call stop_last_profiling_section() before"
            raise self._misuse(call, f"was called inside profiling sections ({open_ones})", instead)


def _recalled(state: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Return what the engine remembered, and the sizes of the files of the log."""
    from scalebridge.embedded import memory

    return memory.recall(state["engine"]), state["log"]


def _checked(file: str, me: str) -> config.Configuration:
    """Load the configuration and make sure that it can be run here, by this participant."""
    try:
        configuration = config.load(file)
        refused = config.refusals(configuration, me)
        if refused:
            raise ConfigurationError(refused)
    except ConfigurationError as error:
        raise InvalidConfigurationError(error.findings) from None
    names = [p.name for p in configuration.participants]
    if me not in names:
        hint = nearest(me, names)
        text = f'{file} has no participant "{me}"; expected {one_of(names)}'
        raise MisuseError(text + (f". Did you mean '{hint}'?" if hint else ""))
    return configuration
