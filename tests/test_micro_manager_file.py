"""The JSON file of the preCICE Micro Manager 0.12: what is taken, ignored and refused, all at once."""

from __future__ import annotations

import json

import pytest

from scalebridge.cases.foreign import micro_manager
from scalebridge.findings import ConfigurationError

PLACE = "micro_manager.simulation_params."
FILE = {
    "participant_name": "Micro-Manager",
    "precice_config_file_path": "../precice-config.xml",
    "interfaces": [
        {
            "mesh_name": "Macro-Mesh",
            "read_data": [{"name": "Concentration"}],
            "write_data": [{"name": "K00"}, {"name": "Porosity"}],
            "is_received": True,
        }
    ],
    "micro_manager": {
        "micro_file_names": ["./python-code/micro.py"],
        "output_directory": "output",
        "simulation_params": {
            "micro_dt": 0.01,
            "micro_output_n": 3,
            "macro_domain_bounds": [0.0, 1.0, 0.0, 0.5],
            "load_balancing": False,
            "model_switching": False,
            "interpolate_crash": False,
            "decomposition": [1, 1],
        },
        "tasking": {},
    },
}


def changed(folder, changes):
    """Write the file with values at paths such as ``interfaces.0.mesh_name`` replaced, or removed where None."""
    content = json.loads(json.dumps(FILE))
    for path, value in changes.items():
        *groups, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        group = content
        for part in groups:
            group = group[part]
        if value is None:
            del group[last]
        else:
            group[last] = value
    (folder / "micro.json").write_text(json.dumps(content, indent=1))
    return folder / "micro.json"


def refused(folder, changes):
    with pytest.raises(ConfigurationError) as error:
        micro_manager.load(changed(folder, changes))
    return [str(finding) for finding in error.value.findings]


def test_what_is_taken(tmp_path):
    file = micro_manager.load(changed(tmp_path, {}))
    assert (file.participant, file.mesh, file.module) == ("Micro-Manager", "Macro-Mesh", "python-code.micro")
    assert (file.reads, file.writes) == (("Concentration",), ("K00", "Porosity"))
    assert file.precice_config == tmp_path / "../precice-config.xml"
    assert (file.micro_dt, file.bounds, file.output_every) == (0.01, (0.0, 1.0, 0.0, 0.5), 3)
    assert (file.output_directory, file.adaptive, file.warnings) == ("output", False, ())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (PLACE + "decomposition", [2, 1], "decomposition: is ignored: each rank gets an equal number"),
        (PLACE + "decomposition_type", "nonuniform", "decomposition_type: is ignored: each rank"),
        (PLACE + "minimum_access_region_size", [0.1, 0.1], "minimum_access_region_size: is ignored"),
        (PLACE + "adaptivity", True, "adaptivity: is ignored: every micro simulation is solved"),
        (PLACE + "adaptivity_settings", {"lazy_initialization": True}, "lazy_initialization: is ignored: every micro"),
        (PLACE + "load_balancing", True, "load_balancing: is ignored: each rank"),
        ("micro_manager.tasking", {"num_workers": 1}, "tasking: is ignored: micro simulations are solved in the ranks"),
        ("micro_manager.memory_usage_output_type", "all", "memory_usage_output_type: is ignored: scalebridge writes"),
        ("micro_manager.memory_usage_output_n", 2, "memory_usage_output_n: is ignored: scalebridge writes its own"),
        ("micro_manager.micro_stateless_flags", [True], "micro_stateless_flags: is ignored: there is one object"),
        ("micro_manager.micro_file_names", ["one", "two"], "micro_file_names[1]: is ignored: the first model"),
        ("micro_manager.snapshot_params", {"initialize_once": True}, "snapshot_params: is ignored: scalebridge"),
        ("micro_manager.coupling_params", {}, "coupling_params: is ignored: scalebridge does not compute snapshots"),
        ("interfaces.0.read_data", [{"name": "A", "solver_name": "a"}], "solver_name: is ignored: the Micro"),
        ("interfaces.0.location_type", "nodes", "location_type: is ignored: the Micro Manager does not use it either"),
    ],
)  # fmt: skip
def test_what_is_ignored_by_name(tmp_path, path, value, message):
    file = micro_manager.load(changed(tmp_path, {path: value}))
    (warning,) = file.warnings
    assert message in str(warning)
    assert warning.severity == "warning"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (PLACE + "model_switching", True, "true is not supported: scalebridge runs one model at all"),
        (PLACE + "interpolate_crash", True, "on-failure: [neighbours]"),
        ("micro_manager.tasking", {"num_workers": 2}, "2 is not supported: scalebridge runs a micro simulation in one"),
        ("interfaces.0.is_received", False, "is not supported: micro simulations stand at the points of a mesh"),
        ("interfaces", [], "interfaces: has 0 entries; expected one"),
        ("interfaces.0.read_data", [{"name": "A"}, {"name": "A"}], "read_data[1].name: 'A' stands here twice"),
        ("interfaces.0.read_data", ["A"], "interfaces[0].read_data[0]: 'A' is not an object"),
        ("interfaces.0", {"mesh_name": "Macro-Mesh"}, "neither reads nor writes data; expected read_data or"),
        ("micro_manager.micro_file_names", [], "micro_file_names: names no file; expected a list"),
        ("micro_manager.micro_file_names", ["../a b"], "'../a b' is no Python module; expected a module, or the path"),
        ("micro_manager.micro_file_names", "micro", "'micro' is not a list; expected a list of texts"),
        (PLACE + "micro_dt", 0.0, "micro_dt: is not above 0"),
        (PLACE + "micro_dt", "0.1", "micro_dt: '0.1' is not a number"),
        (PLACE + "micro_output_n", 0, "micro_output_n: is not 1 or more"),
        (PLACE + "micro_output_n", 1.5, "micro_output_n: 1.5 is not a whole number"),
        (PLACE + "macro_domain_bounds", [0, 1, 1, 0], "[0, 1, 1, 0] are no bounds; expected [x_min, x_max,"),
        (PLACE + "macro_domain_bounds", [0, 1, 1], "[0, 1, 1] are no bounds"),
        (PLACE + "macro_domain_bounds", [0, "1", 0, 1], "macro_domain_bounds[1]: '1' is not a number"),
        (PLACE + "adaptivity", "True", "adaptivity: 'True' is not true or false"),
        (PLACE + "adaptivity_settings", {"type": "globl"}, "'globl' is not a choice; expected one of global, local"),
        (PLACE + "micro_dtt", 1.0, "no such key: the Micro Manager would ignore it; expected one of"),
        ("micro_manager", None, "micro_manager: is missing; expected an object"),
        ("micro_manager.simulation_params", [], "simulation_params: [] is not an object"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, path, value, message):
    found = refused(tmp_path, {path: value})
    assert any(message in text for text in found), found


def test_everything_at_once_with_the_nearest_names(tmp_path):
    found = refused(
        tmp_path,
        {
            "participant_name": None,
            "micro_manager.micro_file_name": "x",
            PLACE + "micro_dt": None,
            PLACE + "micro_Dt": 1.0,
        },
    )
    assert len(found) == 4
    text = "\n".join(found)
    assert "participant_name: is missing; expected a text" in text
    assert "Did you mean 'micro_file_names'?" in text
    assert "Did you mean 'micro_dt'?" in text
    assert f"{PLACE}micro_dt: is missing; expected a number" in text


def test_files_that_are_none(tmp_path):
    file = tmp_path / "micro.json"
    file.write_text('{"micro_file_name": "micro", "coupling_params": {}}')
    with pytest.raises(ConfigurationError, match=r"before 0\.12\. Translate it: scalebridge migrate micro\.json"):
        micro_manager.load(file)
    file.write_text("[]")
    with pytest.raises(ConfigurationError, match="is not an object; expected an object with participant_name"):
        micro_manager.load(file)
    file.write_text("{")
    with pytest.raises(ConfigurationError, match="is not JSON"):
        micro_manager.load(file)
