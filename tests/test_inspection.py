"""A case is looked over before it runs: every file against every other, and against what the participants say."""

import json
import re
import shutil
from pathlib import Path

import pytest

from scalebridge.cases import reader as cases
from scalebridge.cases.inspection import inspect
from scalebridge.findings import ConfigurationError

HUB = Path(__file__).parent / "hub"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(HUB, tmp_path / "pair")
    return tmp_path / "pair"


def look(folder, *overrides, variant="ours", engine="embedded"):
    case, found = cases.read(folder, variant, overrides)
    return inspect(case, engine, found)


def findings(folder, *overrides, **more):
    with pytest.raises(ConfigurationError) as caught:
        look(folder, *overrides, **more)
    return [str(f).replace(f"{folder}/", "") for f in caught.value.findings]


def tell(monkeypatch, **changes):
    monkeypatch.setenv("TELLER", json.dumps(changes))


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_case_in_order(folder):
    found = look(folder)
    assert found.settings == {"Left": {"length": 0.2, "limit": 1.0}}
    assert found.descriptions["Left"].title == "Teller"
    assert found.engine.name == "embedded"


def test_all_mistakes_of_all_files_at_once(folder):
    change(folder / "case.yaml", "title:", "titel:")
    change(folder / "coupling.xml", "<max-time ", "<max-tim ")
    found = findings(folder, "Left.settings.lenght=1 m")
    assert {text.partition(":")[0] for text in found} == {"case.yaml", "--set", "coupling.xml"}
    assert any("titel: no such key" in text and "Did you mean 'title'" in text for text in found)
    assert any("max-tim" in text and "Did you mean 'max-time'" in text for text in found)
    assert any("settings.lenght: no such setting" in text and "Did you mean 'length'" in text for text in found)


def test_names_of_participants(folder):
    change(folder / "case.yaml", "  Right:", "  Rigth:")
    first, second = findings(folder)
    assert first.startswith("case.yaml:6: participants.Rigth: coupling.xml has no participant 'Rigth'; expected one of")
    assert first.endswith("Did you mean 'Right'?")
    assert second.startswith("case.yaml:4: participants: coupling.xml has a participant 'Right' that is missing here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Left.run=tellr", "participants.Left.run: there is no module 'tellr'; .*Did you mean 'teller'"),
        ("Left.run=json.tool", "'json.tool' fails to describe itself"),
        (
            "Left.run=this",
            "'this' does not answer --describe as a participant .*expected a module whose main part calls",
        ),
        ("Left.strategy=tabulated", "participants.Left.strategy: a solver has no strategy"),
    ],
)
def test_modules(folder, text, message):
    assert any(re.search(message, found) for found in findings(folder, text)), findings(folder, text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reads": {}}, 'coupling.xml:12: <read-data name="Beta">: teller does not read it'),
        ({"reads": {"Beta": {"unit": "K"}, "Gamma": {"unit": "K"}}}, "'Gamma', which teller reads, is not among its"),
        ({"writes": {"Alhpa": {"unit": "K"}}}, "'Alhpa', which teller writes, is not among its .*Did you mean 'Alpha'"),
        (
            {"writes": {"Alpha": {"unit": "K", "rank": 1}}},
            "coupling.xml:3: .* 'Alpha' is a scalar, but in teller it carries a vector; expected <data:vector>",
        ),
        ({"writes": {"Alpha": {"unit": "K", "rank": 2}}}, "'Alpha-00', which teller writes, is not among"),
        (
            {"writes": {"Alpha": {"unit": "Kelwin"}}},
            "describes itself with a unit that is none: 'Kelwin' is not a known",
        ),
        (
            {"writes": {"Alpha": {"unit": "K", "rank": 7}}},
            "does not answer --describe as a participant .*rank of a field",
        ),
        ({"kind": "person"}, "does not answer --describe as a participant .*KeyError"),
        ({"kind": "micro", "controls": {}, "observables": {}}, "teller does not read it"),
    ],
)
def test_fields(folder, monkeypatch, changes, message):
    tell(monkeypatch, **changes)
    found = findings(folder)
    assert any(re.search(message, text) for text in found), found


def test_what_is_optional_may_be_left_out(folder, monkeypatch):
    reads = {"Beta": {"unit": "K"}, "Gamma": {"unit": "K", "rank": 2, "optional": True}}
    tell(monkeypatch, reads=reads)
    assert look(folder).findings == ()
    change(folder / "coupling.xml", "Beta", "Gamma-01")
    found = findings(folder)
    assert any("'Gamma-11', which teller reads, is not among" in text for text in found), found


def test_strategies_of_micro_models(folder, monkeypatch):
    tell(monkeypatch, kind="micro", controls={"Alpha": {"unit": "K"}}, observables={"Beta": {"unit": "K"}})
    micro = "Right.command=null", "Right.run=teller"
    change(folder / "coupling.xml", 'from="Left" to="Right" />', 'from="Left" to="Right" initialize="true" />')
    found = look(folder, *micro, "Right.strategy=concurrent", variant="")
    assert found.descriptions["Right"].kind == "micro"
    assert found.findings == ()
    (found,) = findings(folder, *micro, "Right.strategy=concurent", variant="")
    assert found.endswith("no strategy 'concurent'; expected concurrent. Did you mean 'concurrent'?")


def test_units_of_two_solvers(folder, monkeypatch):
    shutil.copy(folder / "teller.py", folder / "other.py")
    change(folder / "other.py", '"reads": {"Beta": {"unit": "K"}}', '"reads": {"Alpha": {"unit": "degC"}}')
    change(folder / "other.py", '"writes": {"Alpha": {"unit": "K"}}', '"writes": {"Beta": {"unit": "K"}}')
    (found,) = findings(folder, "Right.command=null", "Right.run=other")
    assert "<data name=\"Alpha\">: Left writes it in 'K' and Right reads it in 'degC'; expected one unit" in found


def test_what_the_embedded_engine_refuses(folder):
    change(
        folder / "coupling.xml",
        "<precice-configuration>",
        '<precice-configuration experimental="true" allow-remeshing="true">',
    )
    assert any("allow-remeshing is not supported by the embedded engine" in text for text in findings(folder))


def test_scaling_files_are_checked_too(folder):
    (folder / "pair.scaling.xml").write_text('<scaling precice-config="coupling.xml">\n<downscal />\n</scaling>\n')
    found = findings(folder, "scaling=pair.scaling.xml")
    assert any(text.startswith("pair.scaling.xml:2: ") and "downscal" in text for text in found), found


def test_participants_that_cannot_meet(folder):
    (found,) = findings(folder, "Right.directory=.")
    assert "run in folders from which the exchange-directory '..' is not the same place" in found
    look(folder, "Right.directory=.", "Left.directory=.", variant="")


def test_ranks_need_a_launcher(folder):
    (found,) = findings(folder, "Right.ranks=2", "Right.launcher=no-such-launcher -n {ranks}")
    assert "Right.launcher: 2 ranks need a launcher, and there is no program no-such-launcher; expected an MPI" in found


def test_warnings_do_not_stop_a_run(folder):
    change(folder / "coupling.xml", '    <min-iterations value="2" />\n', "")
    (found,) = look(folder).findings
    assert (found.severity, found.rule, found.line) == ("warning", "first-iterations-are-repeated", 20)
    assert str(found).endswith('Add <min-iterations value="2" />')


def test_the_data_flow_is_followed(folder):
    change(folder / "coupling.xml", '<exchange data="Beta" mesh="Left-Mesh" from="Right" to="Left" />', "")
    found = findings(folder)
    assert any("Left reads it and Right writes it, but it is not exchanged" in text for text in found), found


def uniterated(folder):
    file = folder / "coupling.xml"
    text = file.read_text().replace("serial-implicit", "serial-explicit")
    text = re.sub(
        r"<acceleration.*</acceleration:aitken>|<m[a-z]*-iterations.*?/>|<relative-conv.*?/>", "", text, flags=re.DOTALL
    )
    file.write_text(text)


def test_a_window_longer_than_what_a_participant_declares(folder, monkeypatch):
    uniterated(folder)
    tell(monkeypatch, delay=0.1)
    look(folder)
    tell(monkeypatch, delay=0.05)
    (found,) = findings(folder)
    assert "the window of 0.1 s is longer than the shortest delay of Left, 0.05 s; expected at most 0.05" in found


def test_a_delay_that_is_a_setting(folder, monkeypatch):
    lag = {"type": "float", "unit": "s", "default": 0.2}
    uniterated(folder)
    tell(monkeypatch, settings={"length": {"type": "float", "unit": "m", "default": 1.0}, "lag": lag}, delay="lag")
    look(folder)
    (found,) = findings(folder, "Left.settings.lag=20 ms")
    assert "the window of 0.1 s is longer than the shortest delay of Left, 0.02 s" in found


def test_a_delay_in_another_unit_of_time(folder, monkeypatch):
    uniterated(folder)
    tell(monkeypatch, settings={"lag": {"type": "float", "unit": "ms", "default": 20.0}}, delay="lag")
    (found,) = findings(folder, "Left.settings=null")
    assert "longer than the shortest delay of Left, 0.02 s" in found


def test_a_delay_that_follows_from_several_settings_is_asked_for(folder, monkeypatch):
    uniterated(folder)
    tell(monkeypatch, delay={"ask": True})
    look(folder, "Left.settings.length=0.1 m")
    (found,) = findings(folder, "Left.settings.length=50 mm")
    assert "the window of 0.1 s is longer than the shortest delay of Left, 0.05 s; expected at most 0.05" in found
    (found,) = findings(folder, "Left.settings.length=2 m")
    assert "participants.Left.settings: no delay; for such a length" in found
    monkeypatch.setenv("TOLD", "0")
    (found,) = findings(folder)
    assert "longer than the shortest delay of Left, 0 s" in found
    assert "Use an implicit scheme, which iterates" in found
    monkeypatch.setenv("TOLD", "-1")
    (found,) = findings(folder)
    assert "'teller' answered --delay with -1, not a time in s" in found


def test_files_beside_the_case_are_found_and_part_of_it(folder, monkeypatch):
    text = {"type": "str", "file": True, "default": "pair"}
    tell(monkeypatch, settings={"table": text, "other": {"type": "str", "default": ""}})
    (folder / "brain.zip").write_text("")
    found = look(folder, "Left.settings=null", "Left.settings.table=brain.zip", "Left.settings.other=brain.zip")
    assert found.settings["Left"] == {"table": str(folder / "brain.zip"), "other": "brain.zip"}
    assert found.files["Left"] == [folder / "brain.zip"]
    assert look(folder, "Left.settings=null").settings["Left"]["table"] == "pair"  # the participant knows what it is


def test_windows_are_compared_with_how_fast_things_happen(folder, monkeypatch):
    times = {name: {"type": "float", "unit": "ms", "default": value} for name, value in (("tau", 500), ("off", 0))}
    tell(monkeypatch, settings=times, **{"time-scales": ["tau", "off"]})
    (found,) = look(folder, "Left.settings=null").separations
    assert str(found) == "time window 100 ms = 0.2 of the shortest time scale (tau of Left, 500 ms)"
    assert type(found).from_json(json.loads(json.dumps(found.to_json()))) == found
    tell(monkeypatch, settings=times, sampling="tau", **{"time-scales": ["off", "tau"]})
    (found,) = look(folder, "Left.settings=null", "Left.settings.tau=20 ms").separations
    assert str(found).startswith("time window 100 ms = 5, signals every 20 ms = 1 of the shortest time scale")
    tell(monkeypatch, settings=times, **{"time-scales": ["off"]})
    assert look(folder, "Left.settings=null").separations == ()
    tell(monkeypatch, **{"time-scales": ["length"]})
    assert "ValueError: time scale 'length' is not the name of a setting that is a time" in findings(folder)[0]


@pytest.mark.parametrize("delay", ["length", "nothing", 0, -1, True, [1]])
def test_delays_that_are_none(folder, monkeypatch, delay):
    tell(monkeypatch, delay=delay)
    (found,) = findings(folder)
    assert "'teller' does not answer --describe as a participant (ValueError: delay" in found


SCALING = """<scaling precice-config="coupling.xml">
  <downscale data="Alpha" unit="K" to="alpha" map="unifrom" />
</scaling>
"""


def test_scaling_files_are_checked_where_a_participant_stays_silent(folder):
    """Every file tells its mistakes, whatever the others have wrong; nothing is told as a consequence."""
    (folder / "pair.scaling.xml").write_text(SCALING)
    found = findings(folder, "scaling=pair.scaling.xml", "Left.run=tellr")
    assert len(found) == 2
    assert "there is no module 'tellr'" in found[0]
    assert "'unifrom' is no map; expected one of filtered-spikes, " in found[1]
    assert "Did you mean 'uniform'?" in found[1]


def test_scaling_files_are_checked_where_the_configuration_is_broken(folder):
    (folder / "pair.scaling.xml").write_text(SCALING)
    change(folder / "coupling.xml", 'size value="0.1"', 'size value="tenth"')
    change(folder / "coupling.xml", '<data:scalar name="Alpha" />', '<data:skalar name="Alpha" />')
    found = findings(folder, "scaling=pair.scaling.xml")
    assert any("unifrom" in text for text in found)
    assert any('value="tenth" is not valid' in text for text in found)
    assert not any("-1" in text for text in found)


def test_a_broken_configuration_is_compared_as_far_as_it_was_read(folder, monkeypatch):
    tell(monkeypatch, writes={"Alhpa": {"unit": "K"}})
    change(folder / "case.yaml", "  Right:", "  Rigth:")
    change(folder / "coupling.xml", "<max-iterations value", "<max-iteration value")
    found = findings(folder)
    assert any("max-iteration>: unknown tag" in text for text in found)
    assert any("has no participant 'Rigth'" in text for text in found)
    assert any("'Alhpa', which teller writes, is not among its" in text for text in found)
    change(folder / "coupling.xml", '<participant name="Left">', '<particpant name="Left">')
    change(
        folder / "coupling.xml",
        '</participant>\n  <participant name="Right"',
        '</particpant>\n  <participant name="Right"',
    )
    assert not any("has no participant 'Left'" in text for text in findings(folder))
