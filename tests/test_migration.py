"""Files of the preCICE Micro Manager 0.4, 0.7 and 0.10 as version 0.12 reads them; every change is told.

The keys of each version are those that its own `config.py` reads.
"""

from __future__ import annotations

import json

import pytest

from scalebridge.cases.foreign import micro_manager, migration
from scalebridge.cli import main
from scalebridge.findings import ConfigurationError

ADAPTIVITY = {
    "type": "local",
    "data": ["temperature", "porosity"],
    "history_param": 0.5,
    "coarsening_constant": 0.3,
    "refining_constant": 0.4,
}
OLD = {
    "0.4": {
        "micro_file_name": "python-dummy/micro_dummy",
        "coupling_params": {
            "config_file_name": "./precice-config.xml",
            "macro_mesh_name": "macro-mesh",
            "read_data_names": {"Temperature": "scalar", "Heat-Flux": "vector"},
            "write_data_names": {"Porosity": "scalar"},
        },
        "simulation_params": {
            "macro_domain_bounds": [0.0, 1.0, 0.0, 1.0],
            "adaptivity": {**ADAPTIVITY, "every_implicit_iteration": "False"},
        },
        "diagnostics": {
            "data_from_micro_sims": {"Grain-Size": "scalar"},
            "micro_output_n": 5,
            "output_micro_sim_solve_time": "True",
        },
    },
    "0.7": {
        "micro_file_name": "micro",
        "output_directory": "output",
        "memory_usage_output_type": "all",
        "memory_usage_output_n": 2,
        "coupling_params": {
            "precice_config_file_name": "precice-config.xml",
            "macro_mesh_name": "Macro-Mesh",
            "read_data_names": ["Temperature"],
            "write_data_names": ["Porosity"],
        },
        "simulation_params": {
            "micro_dt": 1.0,
            "macro_domain_bounds": [0.0, 1.0, 0.0, 1.0],
            "decomposition": [1, 2],
            "adaptivity": True,
            "adaptivity_settings": {**ADAPTIVITY, "lazy_initialization": True, "similarity_measure": "L2"},
            "interpolate_crash": True,
        },
        "diagnostics": {"data_from_micro_sims": ["Porosity"], "micro_output_n": 10},
    },
    "0.10": {
        "micro_file_name": "micro",
        "micro_stateless": True,
        "coupling_params": {
            "participant_name": "Grains",
            "precice_config_file_name": "precice-config.xml",
            "macro_mesh_name": "Macro-Mesh",
            "read_data_names": ["Temperature"],
            "write_data_names": ["Porosity"],
        },
        "simulation_params": {
            "micro_dt": 1.0,
            "macro_domain_bounds": [0.0, 1.0, 0.0, 1.0],
            "decomposition_type": "nonuniform",
            "minimum_access_region_size": [0.1, 0.1],
            "load_balancing": True,
            "load_balancing_settings": {"every_n_time_windows": 5, "type": "time", "partitioning": "lpt"},
            "model_adaptivity": True,
            "model_adaptivity_settings": {
                "micro_file_names": ["fine", "coarse"],
                "micro_stateless": [False, True],
                "switching_function": "switch",
            },
        },
        "tasking": {"backend": "socket", "num_workers": 1},
    },
}


def migrated(folder, version, change=lambda old: None):
    old = json.loads(json.dumps(OLD[version]))
    change(old)
    (folder / "old.json").write_text(json.dumps(old))
    done = migration.migrate(folder / "old.json")
    return done.result, "\n".join(done.notes)


def test_version_0_4(tmp_path):
    """Kinds of data, adaptivity without a switch, texts for truth values, data of diagnostics."""
    new, notes = migrated(tmp_path, "0.4")
    assert new["interfaces"][0] == {
        "mesh_name": "macro-mesh",
        "read_data": [{"name": "Temperature"}, {"name": "Heat-Flux"}],
        "write_data": [{"name": "Porosity"}, {"name": "Grain-Size"}],
        "is_received": True,
    }
    assert new["participant_name"] == "Micro-Manager"
    assert new["precice_config_file_path"] == "./precice-config.xml"
    simulation = new["micro_manager"]["simulation_params"]
    assert simulation["adaptivity"] is True
    assert simulation["adaptivity_settings"] == {
        **ADAPTIVITY,
        "every_implicit_iteration": False,
        "similarity_measure": "L1",
    }
    assert simulation["micro_output_n"] == 5
    assert new["micro_manager"]["micro_file_names"] == ["python-dummy/micro_dummy"]
    for note in (
        "micro_file_name: is micro_manager.micro_file_names, a list",
        "coupling_params.config_file_name: is precice_config_file_path",
        "coupling_params.macro_mesh_name: is interfaces[0].mesh_name",
        "coupling_params.read_data_names: its words 'scalar' and 'vector' are dropped",
        "participant_name: is written now; it was Micro-Manager without",
        "simulation_params.adaptivity: is adaptivity_settings, and adaptivity says true",
        "every_implicit_iteration: the text 'False' is false",
        "similarity_measure: is written now; it was L1 without, and would be L2rel",
        "active_steps: the data that the Micro Manager writes by itself is called Active-Steps: rename it",
        "diagnostics.data_from_micro_sims: is interfaces[0].write_data",
        "diagnostics.micro_output_n: is micro_manager.simulation_params.micro_output_n",
        "output_micro_sim_solve_time: there is no such output in 0.12",
        "micro_manager.simulation_params.micro_dt: is needed in 0.12, and is not in the file: add it",
        "macro-mesh: 0.12 does not take this name: rename it here, in the preCICE configuration and in the class, for "
        "example Macro-Mesh",
    ):
        assert note in notes, note


def test_version_0_7(tmp_path):
    """Lists of names; the rest moves. What comes out is read."""
    new, notes = migrated(tmp_path, "0.7")
    manager = new["micro_manager"]
    assert (manager["output_directory"], manager["memory_usage_output_type"]) == ("output", "all")
    assert manager["simulation_params"]["adaptivity_settings"]["similarity_measure"] == "L2"
    assert "similarity_measure" not in notes
    assert new["interfaces"][0]["write_data"] == [{"name": "Porosity"}]
    assert "diagnostics.data_from_micro_sims: a list had no effect" in notes
    assert "interpolate_crash: has no effect in 0.12 without interpolate_crash_params" in notes
    assert "memory_usage_output_n: is micro_manager.memory_usage_output_n" in notes
    manager["simulation_params"]["interpolate_crash"] = False
    (tmp_path / "new.json").write_text(json.dumps(new))
    file = micro_manager.load(tmp_path / "new.json")
    assert (file.reads, file.writes, file.adaptive, file.output_every) == (("Temperature",), ("Porosity",), True, 10)


def test_version_0_10(tmp_path):
    """Other models, load balancing, a name that had no effect."""
    new, notes = migrated(tmp_path, "0.10")
    manager = new["micro_manager"]
    assert new["participant_name"] == "Grains"
    assert manager["micro_file_names"] == ["fine", "coarse"]
    assert manager["micro_stateless_flags"] == [False, True]
    assert manager["simulation_params"]["model_switching"] is True
    assert manager["simulation_params"]["model_switching_settings"] == {"switching_function": "switch"}
    assert manager["simulation_params"]["load_balancing_settings"]["every_n_time_windows"] == 5
    assert manager["tasking"] == {"backend": "socket", "num_workers": 1}
    for note in (
        "coupling_params.participant_name: 'Grains' had no effect, the name was Micro-Manager; now it is as written",
        "model_adaptivity: is model_switching",
        "takes the place of ['micro'] in micro_manager.micro_file_names",
        "micro_stateless: is micro_manager.micro_stateless_flags, a list",
        "rank_of_sim: the data that the Micro Manager writes by itself is called Rank-Of-Sim",
        "model_resolution: the data that the Micro Manager writes by itself is called Model-Resolution",
        "tasking: is micro_manager.tasking",
    ):
        assert note in notes, note


def test_nothing_is_guessed_or_dropped_silently(tmp_path):
    def change(old):
        old["simulation_params"]["micro_Dt"] = 1.0
        old["simulation_params"]["adaptivity"] = "False"
        old["simulation_params"]["adaptivity_settings"]["histori_param"] = 1.0
        old["simulation_params"]["load_balancing_settings"] = {"tresholds": 1}
        old["coupling_params"]["config_file_name"] = "other.xml"
        old["coupling_params"]["read_data_names"] = 3
        old["coupling_params"]["parameter_file_name"] = "parameters.hdf5"
        old["snapshot_params"] = {"initialize_once": True}
        old["diagnostic"] = {}

    new, notes = migrated(tmp_path, "0.7", change)
    for note in (
        "simulation_params.micro_Dt: no version knows this key; it is dropped. Did you mean 'micro_dt'?",
        "adaptivity: the text 'False' is false; being a text, it was taken for true",
        "adaptivity_settings.histori_param: no version knows this key; it is dropped. Did you mean 'history_param'?",
        "load_balancing_settings.tresholds: no version knows this key; it is dropped. Did you mean 'threshold'?",
        "precice_config_file_name: stands beside config_file_name, which is taken; it is dropped",
        "read_data_names: 3 is neither a list nor an object of names; it is dropped",
        "parameter_file_name: is micro_manager.coupling_params.parameter_file_name",
        "snapshot_params: is micro_manager.snapshot_params",
        "diagnostic: no version knows this key; it is dropped. Did you mean 'diagnostics'?",
    ):
        assert note in notes, note
    assert new["precice_config_file_path"] == "other.xml"
    _, notes = migrated(tmp_path, "0.7", lambda old: old["simulation_params"].update(adaptivity_settings=3))
    assert "adaptivity_settings: 3 is not an object; it is dropped" in notes


def test_the_command(tmp_path, capsys):
    file = tmp_path / "old.json"
    file.write_text(json.dumps(OLD["0.7"]))
    assert main(["migrate", str(file)]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["interfaces"][0]["mesh_name"] == "Macro-Mesh"
    assert f"scalebridge: {file}: micro_file_name: is micro_manager.micro_file_names" in printed.err
    target = tmp_path / "new.json"
    assert main(["migrate", str(file), "--output", str(target)]) == 0
    assert target.read_text() == printed.out
    assert capsys.readouterr().out == ""
    assert main(["migrate", str(file), "--output", str(target)]) == 2
    assert "new.json: is there already: give --output another name" in capsys.readouterr().err
    assert main(["migrate", str(file), "--output", str(tmp_path / "no/where.json")]) == 2
    assert "where.json: cannot be written: No such file or directory" in capsys.readouterr().err
    assert main(["migrate", str(target)]) == 2
    assert "new.json: is a file for version 0.12 already: there is nothing to translate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"coupling_params": {"mesh_name": "Solid-Mesh"}}, "is no file of the Micro Manager"),  # of the FMI runner
        ({"interfaces": []}, "is no file of the Micro Manager; expected micro_file_name and coupling_params"),
        ([], "is no file of the Micro Manager"),
        ({"micro_file_name": "micro", "simulation_params": 3}, "simulation_params: is not an object"),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    (tmp_path / "old.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError) as error:
        migration.migrate(tmp_path / "old.json")
    assert message in str(error.value)
