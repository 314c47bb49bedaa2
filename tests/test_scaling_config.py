"""CASE.scaling.xml: what is read, every mistake in its words, the published schema, the check against a whole case."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xmlschema

from adapters.scaling import config, maps, schema
from adapters.scaling.check import check
from scalebridge.embedded import config as precice
from scalebridge.fields import Field
from scalebridge.findings import ConfigurationError, Finding

XSD = Path(__file__).parent.parent / "precice-config" / "scaling.xsd"

GOOD = """<?xml version="1.0" encoding="UTF-8"?>
<scaling precice-config="case.xml">
  <downscale data="Temperature" unit="degC" to="temperature" map="uniform" />
  <upscale data="Fraction" unit="percent" from="indicator" map="volume-average" />
  <upscale data="Conductivity" unit="W/(m*K)" from="conductivity" map="effective-tensor" tolerance="1e-6" />
  <upscale data="Flux" unit="W/m**2" from="flux" map="volume-average" />
</scaling>
"""
CASE = """<?xml version="1.0" encoding="UTF-8"?>
<precice-configuration>
  <data:scalar name="Temperature" />
  <data:scalar name="Fraction" />
  <data:scalar name="Conductivity-00" />
  <data:scalar name="Conductivity-01" />
  <data:scalar name="Conductivity-11" />
  <data:vector name="Flux" />
  <mesh name="Macro-Mesh" dimensions="2">
    <use-data name="Temperature" />
    <use-data name="Fraction" />
    <use-data name="Conductivity-00" />
    <use-data name="Conductivity-01" />
    <use-data name="Conductivity-11" />
    <use-data name="Flux" />
  </mesh>
  <participant name="Macro">
    <provide-mesh name="Macro-Mesh" />
    <write-data name="Temperature" mesh="Macro-Mesh" />
    <read-data name="Fraction" mesh="Macro-Mesh" />
    <read-data name="Conductivity-00" mesh="Macro-Mesh" />
    <read-data name="Conductivity-01" mesh="Macro-Mesh" />
    <read-data name="Conductivity-11" mesh="Macro-Mesh" />
    <read-data name="Flux" mesh="Macro-Mesh" />
  </participant>
  <participant name="Micro">
    <receive-mesh name="Macro-Mesh" from="Macro" api-access="true" />
    <read-data name="Temperature" mesh="Macro-Mesh" />
    <write-data name="Fraction" mesh="Macro-Mesh" />
    <write-data name="Conductivity-00" mesh="Macro-Mesh" />
    <write-data name="Conductivity-01" mesh="Macro-Mesh" />
    <write-data name="Conductivity-11" mesh="Macro-Mesh" />
    <write-data name="Flux" mesh="Macro-Mesh" />
  </participant>
  <m2n:sockets acceptor="Macro" connector="Micro" exchange-directory=".." />
  <coupling-scheme:serial-explicit>
    <participants first="Macro" second="Micro" />
    <max-time value="1" />
    <time-window-size value="1" />
    <exchange data="Temperature" mesh="Macro-Mesh" from="Macro" to="Micro" />
    <exchange data="Fraction" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Conductivity-00" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Conductivity-01" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Conductivity-11" mesh="Macro-Mesh" from="Micro" to="Macro" />
    <exchange data="Flux" mesh="Macro-Mesh" from="Micro" to="Macro" />
  </coupling-scheme:serial-explicit>
</precice-configuration>
"""
CONTROLS = {"temperature": Field("K")}
OBSERVABLES = {
    "indicator": Field("1", per="grid"),
    "conductivity": Field("W/(m*K)", per="grid"),
    "flux": Field("W/m**2", rank=1, per="grid"),
}


def describe(controls=CONTROLS, observables=OBSERVABLES, reads=None, writes=None):
    """What Macro and Micro would answer to --describe."""
    reads = {"Conductivity": Field("W/(m*K)", rank=2)} if reads is None else reads
    writes = {"Temperature": Field("K")} if writes is None else writes
    fields = {"controls": controls, "observables": observables, "reads": reads, "writes": writes}
    told = {key: {name: field.to_json() for name, field in group.items()} for key, group in fields.items()}
    return {
        "Micro": {"kind": "micro", "controls": told["controls"], "observables": told["observables"]},
        "Macro": {"kind": "solver", "reads": told["reads"], "writes": told["writes"]},
    }


def load(tmp_path, text):
    file = tmp_path / "case.scaling.xml"
    file.write_text(text)
    return config.load(file)


def refused(tmp_path, text):
    """The findings in a file alone, without its folder."""
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)
    return str(error.value).replace(f"{tmp_path}/", "").splitlines()


def checked(tmp_path, text=GOOD, case=CASE, descriptions=None):
    """The findings against a whole case."""
    (tmp_path / "case.scaling.xml").write_text(text)
    (tmp_path / "case.xml").write_text(case)
    found = check(tmp_path / "case.scaling.xml", precice.load(tmp_path / "case.xml"), descriptions or describe())
    return [str(finding).replace(f"{tmp_path}/", "") for finding in found]


def swap(text, *pairs):
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


# The file alone -------------------------------------------------------------------------------------------------------


def test_what_is_read(tmp_path):
    scaling = load(tmp_path, GOOD)
    assert scaling.precice_config == "case.xml"
    (entry,) = scaling.down
    assert (entry.data, entry.unit, entry.field, entry.map.name, entry.line) == (
        "Temperature",
        "degC",
        "temperature",
        "uniform",
        3,
    )
    assert [e.map for e in scaling.up[:2]] == [maps.VolumeAverage(), maps.EffectiveTensor(tolerance=1e-6)]
    part = scaling.of({"Temperature"}, {"Flux", "Conductivity"})
    assert [e.data for e in (*part.down, *part.up)] == ["Temperature", "Conductivity", "Flux"]


def test_all_mistakes_at_once_with_their_lines(tmp_path):
    text = swap(
        GOOD,
        ('unit="degC"', 'unit="degX"'),
        ('map="volume-average" />\n  <upscale data="C', 'map="volume-avarage" />\n  <upscale data="C'),
        ('tolerance="1e-6"', 'tolerence="1e-6" iterations="many"'),
        ('<upscale data="Flux"', '<upscal data="Flux"'),
    )
    lines = refused(tmp_path, text)
    assert lines[0].startswith("case.scaling.xml:3: <downscale data=\"Temperature\">.unit: 'degX' is not a known unit")
    assert lines[1:] == [
        "case.scaling.xml:4: <upscale data=\"Fraction\">.map: 'volume-avarage' is no map; expected one of "
        "effective-tensor, hashin-shtrikman, permeability, population-rate, reuss, voigt, volume-average. Did you mean "
        "'volume-average'?",
        'case.scaling.xml:5: <upscale data="Conductivity">.tolerence: no such attribute; expected one of data, faces, '
        "from, iterations, map, threads, tolerance, unit. Did you mean 'tolerance'?",
        "case.scaling.xml:5: <upscale data=\"Conductivity\">.iterations: 'many' is not a whole number; expected "
        "a whole number at least 1",
        "case.scaling.xml:6: <upscal>: no such element; expected one of downscale, upscale. Did you mean 'upscale'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('precice-config="case.xml"', "", "2: <scaling>.precice-config: is missing"),
        ('precice-config="case.xml"', 'precice-config=" "', "2: <scaling>.precice-config: is empty"),
        ("<scaling ", '<scaling tolerance="1" ', "2: <scaling>.tolerance: no such attribute; expected precice-config"),
        ('data="Fraction"', "", "4: <upscale>.data: is missing"),
        ('to="temperature"', "", '3: <downscale data="Temperature">.to: is missing'),
        ('to="temperature"', 'from="temperature"', '3: <downscale data="Temperature">.from: no such attribute'),
        ('unit="percent"', 'unit=""', '4: <upscale data="Fraction">.unit: is empty'),
        ('map="uniform"', "", '3: <downscale data="Temperature">.map: is missing'),
        ('map="uniform"', 'map="voigt"', "'voigt' is a map for <upscale>; expected one of filtered-spikes, "),
        (
            'tolerance="1e-6"',
            'tolerance="-1"',
            ".tolerance: '-1' is out of bounds; expected a number at least 1e-14 and",
        ),
        ('tolerance="1e-6"', 'tolerance="1e-6 m"', "'m' ([length]) cannot be converted to '1' (a pure number)"),
        ('tolerance="1e-6"', 'threads="1.5"', "'1.5' is not a whole number; expected a whole number at least 1"),
        ('tolerance="1e-6"', 'bound="upper"', ".bound: no such attribute"),
        ('map="effective-tensor" tolerance="1e-6"', 'map="hashin-shtrikman" bound="uper"', "Did you mean 'upper'?"),
        ('data="Flux"', 'data="Fraction"', '6: <upscale data="Fraction">: the same data is on line 4 already'),
        ('map="uniform" />', 'map="uniform"><a /></downscale>', "has an element <a> inside; expected none"),
        ("scaling", "scalings", "<scalings>: is not the outermost element of a scaling file; expected <scaling>"),
        ("</scaling>", "", "is not well-formed XML"),
        ("<scaling", "<!DOCTYPE a><scaling", "has a document type declaration"),
    ],
)
def test_every_mistake_in_its_words(tmp_path, old, new, told):
    lines = refused(tmp_path, swap(GOOD, (old, new)))
    assert any(told in line for line in lines), lines


def test_a_file_without_elements(tmp_path):
    (line,) = refused(tmp_path, '<scaling precice-config="case.xml" />')
    assert line.endswith("<scaling>: has no elements; expected <downscale ... /> and <upscale ... />")


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.xml: cannot be read: No such file"):
        config.load(tmp_path / "none.xml")


# The schema -----------------------------------------------------------------------------------------------------------


def test_the_published_schema_is_that_of_the_maps():
    assert XSD.read_text() == schema.text()


@pytest.fixture(scope="module")
def published():
    return xmlschema.XMLSchema(XSD)


def test_schema_and_parser_accept_the_same_files(tmp_path, published):
    texts = [
        GOOD,
        swap(GOOD, ('tolerance="1e-6"', "")),
        swap(GOOD, ('tolerance="1e-6"', 'tolerance="0.01" iterations="50" threads="2"')),
        swap(GOOD, ('map="effective-tensor" tolerance="1e-6"', 'map="hashin-shtrikman" bound="upper"')),
        swap(GOOD, ('map="effective-tensor" tolerance="1e-6"', 'map="voigt"')),
        swap(GOOD, ('map="effective-tensor" tolerance="1e-6"', 'map="reuss"')),
    ]
    for text in texts:
        load(tmp_path, text)
        published.validate(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<scaling ", '<scaling name="a" '),
        ('precice-config="case.xml"', ""),
        ('precice-config="case.xml"', 'precice-config=""'),
        ('data="Flux"', ""),
        ('data="Flux"', 'data=" "'),
        ('unit="percent"', ""),
        ('to="temperature"', ""),
        ('to="temperature"', 'from="temperature"'),
        ('map="uniform"', ""),
        ('map="uniform"', 'map="voigt"'),
        ('map="uniform"', 'map="uniform" tolerance="1e-6"'),
        ('map="effective-tensor"', 'map="efective-tensor"'),
        ('tolerance="1e-6"', 'tolerence="1e-6"'),
        ('tolerance="1e-6"', 'tolerance="0"'),
        ('tolerance="1e-6"', 'tolerance="NaN"'),
        ('tolerance="1e-6"', 'tolerance="INF"'),
        ('tolerance="1e-6"', 'tolerance="1e-6 m"'),
        ('tolerance="1e-6"', 'iterations="0"'),
        ('tolerance="1e-6"', 'iterations="2.5"'),
        ('map="effective-tensor" tolerance="1e-6"', 'map="hashin-shtrikman" bound="middle"'),
        ('<upscale data="Flux"', '<up data="Flux"'),
        ('map="uniform" />', 'map="uniform"><a /></downscale>'),
        ("scaling", "scalings"),
    ],
)
def test_schema_and_parser_refuse_the_same_files(tmp_path, published, old, new):
    text = swap(GOOD, (old, new))
    assert refused(tmp_path, text)
    assert not published.is_valid(text)


def test_the_schema_knows_every_map(published):
    for tag, known in (("downscale", maps.DOWNSCALE), ("upscale", maps.UPSCALE)):
        assert published.types[tag].attributes["map"].type.enumeration == list(known)


# Against the case -----------------------------------------------------------------------------------------------------


def test_a_case_without_mistakes(tmp_path):
    assert checked(tmp_path) == []


def test_names_that_are_not_there(tmp_path):
    text = swap(
        GOOD,
        ('data="Temperature"', 'data="Temprature"'),
        ('from="indicator"', 'from="indicater"'),
        ('precice-config="case.xml"', 'precice-config="cases.xml"'),
    )
    assert checked(tmp_path, text) == [
        "case.scaling.xml: <scaling>.precice-config: 'cases.xml' is not the configuration of this case; expected "
        "'case.xml'",
        "case.scaling.xml:3: <downscale data=\"Temprature\">.data: case.xml has no data 'Temprature'; expected one of "
        "Conductivity, Flux, Fraction, Temperature. Did you mean 'Temperature'?",
        "case.scaling.xml:4: <upscale data=\"Fraction\">.from: Micro has no observable 'indicater'; expected one of "
        "conductivity, flux, indicator. Did you mean 'indicator'?",
    ]


def test_data_that_nobody_serves(tmp_path):
    text = swap(GOOD, ('  <upscale data="Fraction" unit="percent" from="indicator" map="volume-average" />\n', ""))
    text = swap(text, ('  <downscale data="Temperature" unit="degC" to="temperature" map="uniform" />\n', ""))
    assert checked(tmp_path, text) == [
        "case.scaling.xml: <scaling>: control 'temperature' of Micro gets no value; expected "
        '<downscale data="..." to="temperature" ... />',
        'case.xml:28: <read-data name="Temperature">: Micro reads it, but no <downscale> of case.scaling.xml serves '
        'it. Add <downscale data="Temperature" ... /> to case.scaling.xml',
        'case.xml:29: <write-data name="Fraction">: Micro writes it, but no <upscale> of case.scaling.xml serves '
        'it. Add <upscale data="Fraction" ... /> to case.scaling.xml',
    ]


def test_a_control_that_may_get_no_value(tmp_path):
    more = {**CONTROLS, "stimulus": Field("K", optional=True)}
    assert checked(tmp_path, descriptions=describe(controls=more)) == []
    more["stimulus"] = Field("K")
    assert "control 'stimulus' of Micro gets no value" in checked(tmp_path, descriptions=describe(controls=more))[0]


def test_signals_and_values_at_points_are_not_the_same(tmp_path):
    told = describe(controls={"temperature": Field("K", per="window")})
    assert checked(tmp_path, descriptions=told) == [
        "case.scaling.xml:3: <downscale data=\"Temperature\">: Macro writes 'Temperature' as a scalar per point [K], "
        "'uniform' has it as a signal over the time window [K]"
    ]
    told = describe(controls={"temperature": Field("K", per="spikes")})
    (found, *_) = checked(tmp_path, descriptions=told)
    assert (
        "'uniform' does not fit 'temperature' of Micro, spikes [K]; expected a field with values, not spikes" in found
    )


def test_data_of_the_other_direction(tmp_path):
    line = '  <downscale data="Fraction" unit="1" to="temperature" map="uniform" />\n</scaling>'
    (found,) = checked(tmp_path, swap(GOOD, ("</scaling>", line)))
    assert found == (
        "case.scaling.xml:7: <downscale data=\"Fraction\">.data: no micro participant reads 'Fraction' in case.xml; "
        "expected <upscale>, because Micro writes it"
    )


def test_data_of_other_participants_only(tmp_path):
    case = swap(CASE, ('    <write-data name="Flux" mesh="Macro-Mesh" />\n', ""))
    case = swap(case, ('    <read-data name="Flux" mesh="Macro-Mesh" />\n', ""))
    case = swap(case, ('    <exchange data="Flux" mesh="Macro-Mesh" from="Micro" to="Macro" />\n', ""))
    found = checked(tmp_path, case=case)
    assert found == ["case.scaling.xml:6: <upscale data=\"Flux\">.data: no micro participant writes 'Flux' in case.xml"]


def test_two_values_for_one_control(tmp_path):
    case = swap(
        CASE,
        ('<data:scalar name="Temperature" />', '<data:scalar name="Temperature" />\n<data:scalar name="Other" />'),
        ('<use-data name="Temperature" />', '<use-data name="Temperature" /><use-data name="Other" />'),
    )
    for tag in ('<write-data name="T" mesh="Macro-Mesh" />', '<read-data name="T" mesh="Macro-Mesh" />'):
        old = tag.replace('"T"', '"Temperature"')
        case = swap(case, (old, old + tag.replace('"T"', '"Other"')))
    exchange = '<exchange data="Temperature" mesh="Macro-Mesh" from="Macro" to="Micro" />'
    case = swap(case, (exchange, exchange + exchange.replace("Temperature", "Other")))
    line = '  <downscale data="Other" unit="K" to="temperature" map="uniform" />\n</scaling>'
    (found,) = checked(tmp_path, swap(GOOD, ("</scaling>", line)), case)
    assert found.endswith("7: <downscale>.to: control 'temperature' of Micro gets its value on line 3 already")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'unit="degC"',
            'unit="bar"',
            "<downscale data=\"Temperature\">.unit: does not fit 'temperature' of Micro: 'bar'",
        ),
        ('unit="percent"', 'unit="K"', "<upscale data=\"Fraction\">.unit: does not fit 'indicator' of Micro: 'K'"),
        (
            'from="conductivity" map="effective-tensor" tolerance="1e-6"',
            'from="flux" map="effective-tensor"',
            "<upscale data=\"Conductivity\">.map: 'effective-tensor' does not fit 'flux' of Micro, a vector per grid "
            "cell [W/m**2]; expected a scalar coefficient per grid cell (or per point)",
        ),
        (
            'map="effective-tensor" tolerance="1e-6"',
            'map="volume-average"',
            '<upscale data="Conductivity">: a scalar per point [W/(m*K)] needs data that Micro does not write in '
            'case.xml: Conductivity; expected <write-data name="Conductivity" mesh="Macro-Mesh" />',
        ),
        (
            'from="flux"',
            'from="indicator"',
            '<upscale data="Flux">: Flux is a <data:vector> in case.xml, but a scalar per point [1] for '
            "'volume-average'; expected <data:scalar name=\"Flux\" />",
        ),
        (
            'from="indicator"',
            'from="flux"',
            '<upscale data="Fraction">: Fraction is a <data:scalar> in case.xml, but a vector per point [W/m**2] for',
        ),
    ],
)
def test_maps_and_units_that_do_not_fit(tmp_path, old, new, told):
    found = checked(tmp_path, swap(GOOD, (old, new)))
    assert any(told in line for line in found), found


def test_components_that_are_missing(tmp_path):
    case = "\n".join(line for line in CASE.splitlines() if "Conductivity-11" not in line)
    (found,) = checked(tmp_path, case=case)
    assert found == (
        'case.scaling.xml:5: <upscale data="Conductivity">: a symmetric tensor per point [W/(m*K)] needs data that '
        "Micro does not write in case.xml: Conductivity-11; "
        'expected <write-data name="Conductivity-11" mesh="Macro-Mesh" />'
    )


def test_components_that_are_too_many(tmp_path):
    lines = []
    for line in CASE.splitlines():
        lines += [line] + ([line.replace("-01", "01")] if "Conductivity-01" in line else [])
    (found,) = checked(tmp_path, case="\n".join(lines))
    assert found == (
        "case.xml:35: <write-data name=\"Conductivity01\">: Micro: 'effective-tensor' on line 5 of case.scaling.xml "
        "does not serve it; expected only Conductivity-00, Conductivity-01, Conductivity-11"
    )


def test_what_the_solver_has_in_another_shape_or_unit(tmp_path):
    reads = {"Conductivity": Field("W/(m*K)"), "Fraction": Field("kg")}
    found = checked(tmp_path, descriptions=describe(reads=reads, writes={"Temperature": Field("Pa")}))
    assert len(found) == 3
    assert found[0].startswith(
        'case.scaling.xml:3: <downscale data="Temperature">.unit: does not fit what Macro writes'
    )
    assert found[1].startswith('case.scaling.xml:4: <upscale data="Fraction">.unit: does not fit what Macro reads')
    assert found[2] == (
        "case.scaling.xml:5: <upscale data=\"Conductivity\">: Macro reads 'Conductivity' as a scalar per point "
        "[W/(m*K)], 'effective-tensor' has it as a symmetric tensor per point [W/(m*K)]"
    )


def test_an_element_that_cannot_be_read_is_not_one_that_is_missing(tmp_path):
    (found,) = checked(tmp_path, swap(GOOD, ('map="uniform"', 'map="unifrom"')))
    assert found.endswith("poisson-spikes, synaptic-current, uniform. Did you mean 'uniform'?")


def test_not_xml(tmp_path):
    (found,) = checked(tmp_path, "<scaling>")
    assert "is not well-formed XML" in found


def test_a_three_dimensional_volume_on_a_plane_mesh(tmp_path):
    """The dimension of a tensor is that of the micro volume, found by the components that there are."""
    lines = []
    for line in CASE.splitlines():
        more = [line.replace("-01", f"-{c}") for c in ("02", "12", "22")] if "Conductivity-01" in line else []
        lines += [line, *more]
    assert checked(tmp_path, case="\n".join(lines)) == []


# As a command ---------------------------------------------------------------------------------------------------------


def ask(tmp_path, text=GOOD, case=CASE, descriptions=None, unknown=()):
    """Ask the command; return its exit status and its findings."""
    (tmp_path / "case.scaling.xml").write_text(text)
    if case is not None:
        (tmp_path / "case.xml").write_text(case)
    question = {
        "scaling": str(tmp_path / "case.scaling.xml"),
        "precice": str(tmp_path / "case.xml") if case is not None else None,
        "descriptions": describe() if descriptions is None else descriptions,
        "unknown": list(unknown),
    }
    command = [sys.executable, "-m", "adapters.scaling.check"]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, [Finding(**finding) for finding in json.loads(done.stdout)]


def test_the_command_prints_findings_as_json(tmp_path):
    status, (finding,) = ask(tmp_path, swap(GOOD, ('from="indicator"', 'from="indicater"')))
    assert status == 1
    assert (finding.line, finding.nearest) == (4, "indicator")
    assert (finding.severity, finding.rule) == ("error", "scaling")


def test_the_command_on_good_files(tmp_path):
    assert ask(tmp_path) == (0, [])


def test_the_command_on_a_bad_precice_configuration(tmp_path):
    status, (finding,) = ask(tmp_path, case="<precice-configuration/>x")
    assert status == 1
    assert finding.file.endswith("case.xml")


def test_without_a_configuration_the_file_alone_is_checked(tmp_path):
    """What it has wrong in itself is told; that a field or data are missing cannot be known."""
    text = swap(GOOD, ('map="uniform"', 'map="unifrom"'), ('data="Fraction"', 'data="Fractoin"'))
    status, (finding,) = ask(tmp_path, text, case=None)
    assert (status, finding.nearest) == (1, "uniform")


def test_nothing_is_missed_that_an_unknown_participant_may_give(tmp_path):
    told = {name: description for name, description in describe().items() if description["kind"] != "micro"}
    assert ask(tmp_path, descriptions=told, unknown=["Micro"]) == (0, [])
    text = swap(GOOD, ('data="Fraction"', 'data="Fractoin"'))
    status, found = ask(tmp_path, text, descriptions=told, unknown=["Micro"])
    assert status == 1
    assert [f.nearest for f in found] == ["Fraction"]
    assert len(ask(tmp_path, descriptions=told)[1]) > 1


# The files of this repository -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(XSD.parent.glob("*.scaling.xml")), ids=lambda p: p.name)
def test_scaling_files_of_the_tutorials(file, published):
    scaling = config.load(file)
    published.validate(file)
    assert (file.parent / scaling.precice_config).is_file()
    assert np.all([entry.map.preserves for entry in (*scaling.down, *scaling.up)])
