"""The keys of the Micro Manager's JSON file, as of its version 0.12, and what scalebridge makes of each.

The Micro Manager passes over keys that it does not know, and over values that it does not take, without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

USED, IGNORED, REFUSED = "used", "ignored", "refused"
TEXT, NUMBER, COUNT, FLAG, OBJECT, LIST = "a text", "a number", "a whole number", "true or false", "an object", "a list"


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes
    ----------
    kind : what its value is.
    items : of a list what its items are; any if empty.
    use : whether scalebridge uses it, ignores it with a warning, or refuses it.
    why : what to know where it is not used.
    fix : what to do about it where it is refused.
    harmless : values that ask for nothing, and need no word.
    required : whether the Micro Manager needs it.
    choices : texts that are allowed.
    inside : of an object, or of the objects in a list, what keys it has; any if None.
    """

    kind: str
    items: str = ""
    use: str = USED
    why: str = ""
    fix: str = ""
    harmless: tuple[Any, ...] = ()
    required: bool = False
    choices: tuple[str, ...] = ()
    inside: Mapping[str, Key] | None = None


def _ignored(kind: str, why: str, *harmless: Any, items: str = "", inside: Mapping[str, Key] | None = None) -> Key:
    return Key(kind, items, IGNORED, why, harmless=harmless, inside=inside)


NOT_READ = "the Micro Manager does not use it either"
ALL_SOLVED = "every micro simulation is solved in every step, which costs time and changes nothing else"
ROWS = "each rank gets an equal number of micro simulations, however many ranks there are"
OWN_FILES = "scalebridge writes its own record of a run"
SNAPSHOTS = "scalebridge does not compute snapshots for a database"

DATA = {
    "name": Key(TEXT, required=True),
    "solver_name": _ignored(TEXT, NOT_READ),
    "operation": _ignored(TEXT, NOT_READ),
    "flip-normal": _ignored(FLAG, NOT_READ, False),
}
INTERFACE = {
    "mesh_name": Key(TEXT, required=True),
    "read_data": Key(LIST, OBJECT, inside=DATA),
    "write_data": Key(LIST, OBJECT, inside=DATA),
    "is_received": Key(
        FLAG,
        use=REFUSED,
        why="micro simulations stand at the points of a mesh that is received",
        fix="Make it true",
        harmless=(True,),
    ),
    "location_names": _ignored(LIST, NOT_READ, items=TEXT),
    "location_type": _ignored(TEXT, NOT_READ),
}
ADAPTIVITY = {
    "type": Key(TEXT, choices=("local", "global")),
    "data": Key(LIST, TEXT),
    "history_param": Key(NUMBER),
    "coarsening_constant": Key(NUMBER),
    "refining_constant": Key(NUMBER),
    "similarity_measure": Key(TEXT, choices=("L1", "L2", "L1rel", "L2rel")),
    "every_implicit_iteration": Key(FLAG),
    "adaptivity_every_n_time_windows": Key(COUNT),
    "lazy_initialization": _ignored(FLAG, "every micro simulation is initialised at the start", False),
    "mappings": Key(LIST, OBJECT),
    "output_type": Key(TEXT, choices=("all", "local", "global")),
    "output_n": Key(COUNT),
}
LOAD_BALANCING = {
    "every_n_time_windows": Key(COUNT),
    "type": Key(TEXT, choices=("time", "active")),
    "threshold": Key(NUMBER),
    "balance_inactive_sims": Key(FLAG),
    "partitioning": Key(TEXT, choices=("lpt",)),
}
SIMULATION = {
    "micro_dt": Key(NUMBER, required=True),
    "micro_output_n": Key(COUNT),
    "macro_domain_bounds": Key(LIST, NUMBER, required=True),
    "decomposition": _ignored(LIST, ROWS, [1], [1, 1], [1, 1, 1], items=COUNT),
    "decomposition_type": _ignored(TEXT, ROWS, "uniform"),
    "minimum_access_region_size": _ignored(LIST, ROWS, [], items=NUMBER),
    "adaptivity": _ignored(FLAG, ALL_SOLVED, False),
    "adaptivity_settings": Key(OBJECT, inside=ADAPTIVITY),
    "load_balancing": _ignored(FLAG, ROWS, False),
    "load_balancing_settings": Key(OBJECT, inside=LOAD_BALANCING),
    "model_switching": Key(
        FLAG,
        use=REFUSED,
        why="scalebridge runs one model at all points",
        fix="Make it false, and keep one of micro_file_names",
        harmless=(False,),
    ),
    "model_switching_settings": Key(OBJECT, inside={"switching_function": Key(TEXT)}),
    "interpolate_crash": Key(
        FLAG,
        use=REFUSED,
        why="what stands in for micro simulations that fail is said in the case",
        fix="Make it false, and write 'on-failure: [neighbours]' for this participant in case.yaml",
        harmless=(False,),
    ),
    "interpolate_crash_params": Key(OBJECT, inside={"interp_id": Key(TEXT), "threshold": Key(NUMBER)}),
    "interpolation_configs": Key(LIST, OBJECT),
}
TASKING = {
    "backend": Key(TEXT, choices=("mpi", "socket")),
    "is_slurm": Key(FLAG),
    "num_workers": Key(
        COUNT,
        use=REFUSED,
        why="scalebridge runs a micro simulation in one process",
        fix="Make it 1, and give the participant more ranks",
        harmless=(1,),
    ),
    "mpi_impl": Key(TEXT, choices=("open", "mpi")),
    "hostfile": Key(TEXT),
}
MICRO_MANAGER = {
    "micro_file_names": Key(LIST, TEXT, required=True),
    "micro_stateless_flags": _ignored(LIST, "there is one object for each micro simulation", [False], items=FLAG),
    "output_directory": Key(TEXT),
    "memory_usage_output_type": _ignored(TEXT, OWN_FILES, ""),
    "memory_usage_output_n": _ignored(COUNT, OWN_FILES),
    "simulation_params": Key(OBJECT, required=True, inside=SIMULATION),
    "tasking": _ignored(OBJECT, "micro simulations are solved in the ranks of the participant", {}, inside=TASKING),
    "coupling_params": _ignored(
        OBJECT,
        SNAPSHOTS,
        inside={
            "parameter_file_name": Key(TEXT),
            "read_data_names": Key(LIST, TEXT),
            "write_data_names": Key(LIST, TEXT),
        },
    ),
    "snapshot_params": _ignored(
        OBJECT,
        SNAPSHOTS,
        inside={
            "output_file_name": Key(TEXT),
            "post_processing_file_name": Key(TEXT),
            "initialize_once": Key(FLAG),
        },
    ),
}
FILE = {
    "participant_name": Key(TEXT, required=True),
    "precice_config_file_path": Key(TEXT, required=True),
    "interfaces": Key(LIST, OBJECT, required=True, inside=INTERFACE),
    "micro_manager": Key(OBJECT, required=True, inside=MICRO_MANAGER),
}
OLD = ("micro_file_name", "coupling_params", "simulation_params", "diagnostics")  # at the top of a file before 0.12
