"""Cases that were not made for scalebridge: files of preCICE's adapters are compared with the preCICE configuration."""

# ruff: noqa: E501 -- a mistake per line reads best as a table

import json
from pathlib import Path

import pytest

from scalebridge.cases.foreign.look import look
from scalebridge.findings import ConfigurationError

CASE = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <data:scalar name="Temperature" />
  <data:vector name="Heat-Flux" />
  <mesh name="Fluid-Mesh" dimensions="2"><use-data name="Temperature" /><use-data name="Heat-Flux" /></mesh>
  <mesh name="Solid-Mesh" dimensions="2"><use-data name="Temperature" /><use-data name="Heat-Flux" /></mesh>
  <participant name="Fluid">
    <provide-mesh name="Fluid-Mesh" />
    <receive-mesh name="Solid-Mesh" from="Solid" api-access="true" />
    <write-data name="Temperature" mesh="Fluid-Mesh" />
    <read-data name="Heat-Flux" mesh="Fluid-Mesh" />
    <mapping:nearest-neighbor direction="write" from="Fluid-Mesh" to="Solid-Mesh" constraint="consistent" />
    <mapping:nearest-neighbor direction="read" from="Solid-Mesh" to="Fluid-Mesh" constraint="consistent" />
  </participant>
  <participant name="Solid">
    <provide-mesh name="Solid-Mesh" />
    <write-data name="Heat-Flux" mesh="Solid-Mesh" />
    <read-data name="Temperature" mesh="Solid-Mesh" />
  </participant>
  <m2n:sockets acceptor="Fluid" connector="Solid" exchange-directory=".." />
  <coupling-scheme:serial-explicit>
    <participants first="Fluid" second="Solid" />
    <max-time value="1" />
    <time-window-size value="0.1" />
    <exchange data="Temperature" mesh="Solid-Mesh" from="Fluid" to="Solid" />
    <exchange data="Heat-Flux" mesh="Solid-Mesh" from="Solid" to="Fluid" initialize="true" />
  </coupling-scheme:serial-explicit>
</precice-configuration>
"""

FENICS = {
    "participant_name": "Solid",
    "config_file_name": "../precice-config.xml",
    "interface": {
        "coupling_mesh_name": "Solid-Mesh",
        "write_data_name": "Heat-Flux",
        "read_data_name": "Temperature",
        "interpolation_type": "rbf",
    },
}
SCHEMA = {
    "participant_name": "Solid",
    "precice_config_file_path": "../precice-config.xml",
    "interfaces": [
        {
            "mesh_name": "Solid-Mesh",
            "patches": ["wall"],
            "location": "nodes",
            "write_data": [{"name": "Heat-Flux", "solver_name": "q"}],
            "read_data": [{"name": "Temperature"}],
            "is_received": False,
        }
    ],
    "solver": {"tolerance": 1e-6},
}
FENICSX = {
    "participant_name": "Solid",
    "config_file_name": "../precice-config.xml",
    "interfaces": {"Solid-Mesh": {"write_data_names": ["Heat-Flux"], "read_data_names": ["Temperature"]}},
}
MICRO_MANAGER = {
    "micro_file_name": "micro",
    "coupling_params": {
        "participant_name": "Solid",
        "precice_config_file_name": "../precice-config.xml",
        "macro_mesh_name": "Macro-Mesh",
        "read_data_names": {"Temperature": "scalar"},
        "write_data_names": ["Heat-Flux"],
    },
    "simulation_params": {"micro_dt": 0.1, "macro_domain_bounds": [0, 1, 0, 1]},
}
FMI = {
    "coupling_params": {
        "participant_name": "Solid",
        "config_file_name": "../precice-config.xml",
        "mesh_name": "Solid-Mesh",
        "write_data": {"name": "Heat-Flux", "type": "vector"},
        "read_data": {"name": "Temperature", "type": "scalar"},
    }
}
CALCULIX = """
participants:
    Solid:
        interfaces:
        - nodes-mesh: Solid-Mesh
          patch: surface
          read-data: [Temperature]
          write-data: [Heat-Flux]
precice-config-file: ../precice-config.xml
"""
OPENFOAM = """
FoamFile { version 2.0; format ascii; class dictionary; object preciceDict; }  // a comment
preciceConfig "../precice-config.xml";
participant Solid;
modules (CHT);
/* another
   comment */
interfaces
{
  Interface1
  {
    mesh      Solid-Mesh;
    patches   (interface);
    readData  ( Temperature );
    writeData ( { name Heat-Flux; operation gradient; } );
  };
};
CHT { rho [1 -3 0 0 0 0 0] 1; }
"""
FILES = {
    "precice-adapter-config.json": FENICS,
    "solid-adapter-config.json": SCHEMA,
    "precice-adapter-config-fsi.json": FENICSX,
    "precice-settings.json": FMI,
    "config.yml": CALCULIX,
    "preciceDict": OPENFOAM,
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "precice-config.xml").write_text(CASE)
    (tmp_path / "solid").mkdir()
    return tmp_path


def findings(folder, name, content, case=None, engine="precice"):
    """Return what is found with one file beside the configuration, hints about the rest aside."""
    (folder / "solid" / name).write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    if case is not None:
        (folder / "precice-config.xml").write_text(case)
    seen = look(folder / "precice-config.xml", engine)
    return [f for f in seen.findings if f.severity != "hint"]


def change(content, old, new):
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    assert old in text, (old, text)
    return text.replace(old, new)


@pytest.mark.parametrize("name", FILES)
def test_files_in_order(folder, name):
    assert [str(f) for f in findings(folder, name, FILES[name])] == []
    seen = look(folder / "precice-config.xml", "precice")
    assert [(name, Path(file).name) for name, _, file in seen.adapters] == [("Solid", name)]


@pytest.mark.parametrize("name", FILES)
def test_names_that_are_misspelt(folder, name):
    """Whatever the format: the line, the key and the nearest name are told."""
    for old, new, nearest in (
        ("Solid-Mesh", "Solid-Msh", "Solid-Mesh"),
        ("Temperature", "Temprature", "Temperature"),
        ("Heat-Flux", "HeatFlux", "Heat-Flux"),
    ):
        text = change(FILES[name], old, new)
        (found, *_) = findings(folder, name, text)
        assert found.nearest == nearest
        assert found.severity == "error"
        assert new in text.splitlines()[found.line - 1]
    text = change(
        FILES[name], "Solid:" if name == "config.yml" else "Solid", "Slid:" if name == "config.yml" else "Slid"
    )
    text = text.replace("Slid-Mesh", "Solid-Mesh").replace("Slid-Msh", "Solid-Mesh")
    (found,) = findings(folder, name, text)
    assert "precice-config.xml has no participant 'Slid'" in str(found)
    assert found.nearest == "Solid"


@pytest.mark.parametrize("name", FILES)
def test_paths_that_lead_nowhere(folder, name):
    (found,) = findings(folder, name, change(FILES[name], "../precice-config.xml", "../precice-confg.xml"))
    assert "there is no file '../precice-confg.xml'; expected '../precice-config.xml'" in str(found)
    assert found.nearest == "precice-config.xml"
    (folder / "other.xml").write_text(CASE)
    (found,) = findings(folder, name, change(FILES[name], "../precice-config.xml", "../other.xml"))
    assert (found.severity, found.rule) == ("warning", "adapter-path")
    assert "'../other.xml' is another configuration than precice-config.xml, which is checked here" in str(found)


MISTAKES = [
    (FENICS, '"coupling_mesh_name"', '"coupling_mesh"', "interface.coupling_mesh_name: is missing"),
    (FENICS, '"interpolation_type"', '"interpolation_tpye"', "warning: interface.interpolation_tpye: no such key: it would be ignored; expected one of"),
    (FENICS, '"participant_name": "Solid"', '"participant_nam": "Solid"', "participant_name: is missing"),
    (FENICS, '"interface"', '"interfac"', "interfaces: is missing"),
    (FENICS, '"Heat-Flux"', "7", "interface.write_data_name: is not a text"),
    (FENICS, '"Heat-Flux"', '"Temperature"', "Solid does not write 'Temperature' on Solid-Mesh in precice-config.xml. It reads it there: one of the two is wrong"),
    (FENICS, '"Solid-Mesh"', '"Fluid-Mesh"', "Solid neither provides nor receives mesh 'Fluid-Mesh' in precice-config.xml"),
    (SCHEMA, '"is_received": false', '"is_received": true', "Solid provides mesh 'Solid-Mesh', but here it is received"),
    (SCHEMA, '"is_received": false', '"is_received": "no"', "interfaces[0].is_received: is not true or false"),
    (SCHEMA, '"solver_name"', '"solver-name"', "no such key: it would be ignored; expected one of flip-normal, name, operation, solver_name, type. Did you mean 'solver_name'?"),
    (SCHEMA, '"precice_config_file_path"', '"precice_config"', "precice_config_file_path: is missing; expected the path of the preCICE XML"),
    (SCHEMA, '"solver": {', '"fast": true, "solver": {', "warning: fast: no such key"),
    (SCHEMA, '[\n    {\n     "name": "Temperature"', '[\n    {"name": "Temperature"},\n    {\n     "name": "Temperature"', "'Temperature' stands here twice, first in line"),
    (SCHEMA, '"mesh_name"', '"mesh"', "interfaces[0].mesh_name: is missing"),
    (FENICSX, '{\n  "Solid-Mesh": {', '{"Solid-Mesh": 3, "Solid-Mesh2": {', "no mesh 'Solid-Mesh2'"),
    (FENICSX, '"interfaces": {', '"interfaces": 3, "other": {', "interfaces: is not a list"),
    (FMI, '"vector"', '"scalar"', "'Heat-Flux' is a <data:vector> in precice-config.xml, but a scalar here; expected vector"),
    (FMI, '"vector"', '"vetcor"', "is no kind of data; expected one of scalar, vector. Did you mean 'vector'?"),
    (FMI, '"mesh_name"', '"mesh_nam"', "coupling_params.mesh_name: is missing"),
    (FMI, '"participant_name"', '"participant"', "coupling_params.participant_name: is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "old", "new", "message"), MISTAKES, ids=[m[3][:50] for m in MISTAKES])
def test_json_files(folder, content, old, new, message):
    found = [str(f) for f in findings(folder, "precice-adapter-config.json", change(content, old, new))]
    assert any(message in text for text in found), found


def test_data_that_a_file_leaves_out(folder):
    (found,) = findings(folder, "precice-adapter-config.json", change(FENICS, '"write_data_name": "Heat-Flux",', ""))
    assert found.severity == "warning"
    assert "'Heat-Flux' on Solid-Mesh is missing, which Solid writes in line 17 of precice-config.xml: zeros" in str(
        found
    )
    text = change(FENICS, '"read_data_name": "Temperature",', "")
    (found,) = findings(folder, "precice-adapter-config.json", text)
    assert "which Solid reads in line 18 of precice-config.xml: what is sent to it is lost" in str(found)


MACRO = CASE.replace("Fluid-Mesh", "Macro-Mesh").replace(
    '<provide-mesh name="Solid-Mesh" />',
    '<provide-mesh name="Solid-Mesh" /><receive-mesh name="Macro-Mesh" from="Fluid" api-access="true" />',
)


def test_the_micro_manager(folder):
    """It works on a received mesh, calls itself Micro-Manager, and ignores what it does not know."""
    name = "micro-manager-config.json"
    found = [str(f) for f in findings(folder, name, MICRO_MANAGER, case=MACRO)]
    assert any(
        "Solid does not read 'Temperature' on Macro-Mesh in precice-config.xml. There it reads it on" in f
        for f in found
    )
    case = MACRO.replace('name="Heat-Flux" mesh="Solid-Mesh"', 'name="Heat-Flux" mesh="Macro-Mesh"')
    case = case.replace(
        '<read-data name="Temperature" mesh="Solid-Mesh" />', '<read-data name="Temperature" mesh="Macro-Mesh" />'
    )
    (folder / "precice-config.xml").write_text(case)
    assert not [f for f in findings(folder, name, MICRO_MANAGER, case=case) if f.file.endswith(name)]
    closed = case.replace('name="Macro-Mesh" from="Fluid" api-access="true"', 'name="Macro-Mesh" from="Fluid"')
    closed = closed.replace('<write-data name="Heat-Flux" mesh="Macro-Mesh" />', "").replace(
        '<read-data name="Temperature" mesh="Macro-Mesh" />', ""
    )
    found = [str(f) for f in findings(folder, name, MICRO_MANAGER, case=closed)]
    assert any(
        "works on the points of mesh 'Macro-Mesh', which is received without api-access. Add api-access" in f
        for f in found
    ), found
    text = change(MICRO_MANAGER, '"participant_name": "Solid",', "")
    assert any("has no participant 'Micro-Manager'" in str(f) for f in findings(folder, name, text, case=case))
    text = change(MICRO_MANAGER, '"macro_domain_bounds"', '"domain_bounds"')
    assert any(
        "simulation_params.domain_bounds: no such key: it would be ignored" in str(f)
        for f in findings(folder, name, text)
    )
    found = findings(folder, name, {"coupling_params": 3, "micro_file_name": "micro"})
    assert any("coupling_params: is not an object" in str(f) for f in found)


def test_a_mesh_of_its_own_that_is_received(folder):
    case = CASE.replace(
        '<provide-mesh name="Solid-Mesh" />',
        '<provide-mesh name="Solid-Mesh" /><receive-mesh name="Fluid-Mesh" from="Fluid" />',
    )
    text = change(SCHEMA, "Solid-Mesh", "Fluid-Mesh")
    found = [str(f) for f in findings(folder, "precice-adapter-config.json", text, case=case)]
    assert any("Solid receives mesh 'Fluid-Mesh', but here it is one of its own" in f for f in found), found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("nodes-mesh:", "mesch:", "participants.Solid.interfaces[0]: has no mesh; expected nodes-mesh: NAME"),
        ("nodes-mesh:", "mesch:", "warning: participants.Solid.interfaces[0].mesch: no such key"),
        ("read-data: [Temperature]", "read-data: {a: 1}", "interfaces[0].read-data: is not a list of names"),
        ("interfaces:", "interface:", "participants.Solid.interfaces: is missing or no list"),
    ],
)
def test_calculix(folder, old, new, message):
    found = [str(f) for f in findings(folder, "config.yml", change(CALCULIX, old, new))]
    assert any(message in text for text in found), found


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mesh      Solid-Mesh;", "", "interfaces.Interface1.mesh: is missing; expected mesh NAME;"),
        ("participant Solid;", "participant Solid Fluid;", "participant: is not one word; expected participant NAME;"),
        ("interfaces\n", "interface\n", "interfaces: is missing or empty"),
        ("modules (CHT);", "modules (CHT;", "preciceDict:5: ';' inside of a list"),
        ("modules (CHT);", "modules (CHT", "preciceDict:17: ';' inside of a list"),
        ('preciceConfig "../', 'preciceConfig "../\n', "is not readable at"),
        ("CHT {", "CHT } {", "'}' closes nothing"),
        ("rho [1 -3 0 0 0 0 0] 1; }", "rho 1;", "what begins here is never closed with '}'"),
        ("rho [1 -3 0 0 0 0 0] 1; }", "rho (1 2", "what begins here is never closed with ')'"),
        ("CHT {", "CHT " + "{" * 40, "is nested deeper than 32 levels"),
    ],
)
def test_openfoam(folder, old, new, message):
    found = [str(f) for f in findings(folder, "preciceDict", change(OPENFOAM, old, new))]
    assert any(message in text for text in found), found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON: Expecting property name enclosed in double quotes at column 2"),
        ('{"a": NaN}', "is not JSON that can be read: NaN is no number of JSON"),
        ("[" * 100000, "is not JSON that can be read: maximum recursion depth exceeded"),
        ("1" * 5000, "is not JSON that can be read: Exceeds the limit"),
        ("[" * 20 + "]" * 20, "is nested deeper than 16 levels"),
        ('{"a": 1, "a": 2}', "the key 'a' stands here twice"),
        ('{"a": "' + "x" * 300000 + '"}', "has 300009 bytes; a configuration has at most 262144"),
    ],
)
def test_json_that_is_none(folder, text, message):
    (found,) = findings(folder, "precice-adapter-config.json", text)
    assert message in str(found)
    assert findings(folder, "precice-adapter-config.json", "{}") == []


def test_json_with_tabs_a_mark_and_escapes(folder):
    text = "\ufeff" + json.dumps(FENICS, indent="\t").replace("/", "\\/")
    assert findings(folder, "precice-adapter-config.json", text) == []


def test_text_in_another_encoding(folder):
    (folder / "solid" / "precice-settings.json").write_bytes(b'{"a": "\xff"}')
    (found,) = [f for f in look(folder / "precice-config.xml", "precice").findings if f.severity == "error"]
    assert "is not UTF-8 text, at byte 7" in str(found)


def test_a_large_dictionary_is_not_read(folder):
    (found,) = findings(folder, "preciceDict", " " * 300000)
    assert "has 300000 bytes; a dictionary has at most 262144" in str(found)


def test_participants_without_a_file(folder):
    seen = look(folder / "precice-config.xml", "precice")
    assert [f.severity for f in seen.findings] == ["hint", "hint"]
    told = "no adapter file that can be read names it, so what its program reads and writes is not checked"
    assert all(told in str(f) for f in seen.findings)


def test_other_files_may_be_anything(folder):
    for name in ("package.json", "config.yml", "tasks.json"):
        (folder / "solid" / name).write_text("{[\t")
    (folder / "solid" / "list.json").write_text("[1, 2]")
    (folder / ".hidden.json").write_text(json.dumps(change(FENICS, "Solid", "Nobody")))
    (folder / "link").symlink_to(folder)
    assert [f.severity for f in look(folder / "precice-config.xml", "precice").findings] == ["hint", "hint"]


def test_what_the_embedded_engine_lacks_is_a_warning(folder):
    case = CASE.replace("nearest-neighbor direction", "rbf-global-iterative direction", 1).replace(
        'from="Fluid-Mesh" to="Solid-Mesh" constraint="consistent" />',
        'from="Fluid-Mesh" to="Solid-Mesh" constraint="consistent"><basis-function:volume-splines /></mapping:rbf-global-iterative>',
    )
    assert findings(folder, "precice-adapter-config.json", FENICS, case=case, engine="precice") == []
    (found,) = findings(folder, "precice-adapter-config.json", FENICS, engine="embedded")
    assert (found.severity, found.rule) == ("warning", "embedded-engine")
    assert "the mapping rbf-global-iterative is not supported by the embedded engine" in str(found)


def test_the_configuration_itself_is_linted(folder):
    case = CASE.replace('<read-data name="Temperature" mesh="Solid-Mesh" />', "")
    found = findings(folder, "precice-adapter-config.json", FENICS, case=case)
    assert "exchanged-data-are-read" in {f.rule for f in found}
    assert "adapter-data" in {f.rule for f in found}


def test_a_configuration_of_version_2(folder):
    case = CASE.replace("<precice-configuration>", '<precice-configuration><solver-interface dimensions="2">')
    case = case.replace("</precice-configuration>", "</solver-interface></precice-configuration>")
    found = findings(folder, "precice-adapter-config.json", FENICS, case=case)
    assert any(
        "unknown tag in <precice-configuration>, of preCICE 2. Put what is inside straight" in str(f) for f in found
    )


def test_a_file_that_cannot_be_read(folder):
    from scalebridge.cases.foreign import jsonfile, openfoam

    for read in (jsonfile.read, openfoam.read):
        with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
            read(folder / "nothing")
