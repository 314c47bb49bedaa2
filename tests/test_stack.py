"""Strategies are built before a run: what only the model and its fields can tell is found before anything starts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from coupled import ENGINE, ROOT
from test_coupling import xml
from test_onfailure import CORD
from test_strategies_case import SPARED, command
from test_tabulate import made, solid

from adapters.failing import policies
from adapters.strategies.check import check
from scalebridge import engines, treefile
from scalebridge.cases import reader, stack
from scalebridge.cases.inspection import environment, inspect
from scalebridge.cases.stack import BuildError, StackCheck
from scalebridge.compare import inspections
from scalebridge.findings import ConfigurationError, Findings

CASE = """\
case: brittle
coupling: coupling.xml
participants:
  Macro: {run: cord}
  Micro:
    run: spared
    settings: SETTINGS
    strategy:
      STRATEGY
"""
KEY = "case.yaml:9: participants.Micro.strategy"
OTHER = '''"""Another."""

from adapters.participant import micro_participant
from fragile import Fragile
from scalebridge.fields import Field


class Other(Fragile):
    """In kPa."""

    observables = {"Stress": Field("kPa")}


if __name__ == "__main__":
    micro_participant(Other)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("stack") / "brittle"
    place.mkdir()
    for name in ("fragile.py", "sparing.py"):
        shutil.copy(ROOT / "tests" / name, place)
    (place / "cord.py").write_text(CORD)
    (place / "spared.py").write_text(SPARED)
    (place / "other.py").write_text(OTHER)
    (place / "coupling.xml").write_text(xml())
    (place / "nothing.npz").write_text("x")
    (place / "weights.txt").write_text("0 1\n")
    made(solid(), "Strain=-1..1").save(place / "solid.npz")
    tree = treefile.load(place / "solid.npz")
    treefile.save(place / "old.npz", tree | {"version": 0})
    treefile.save(place / "old-law.npz", {"kind": "scalebridge trained law", "version": 0})
    return place


@pytest.fixture(scope="module")
def look(folder):
    write(folder, "concurrent")
    return inspections.Inspections(folder / "case.yaml", "embedded")


def write(folder, strategy, settings="{}"):
    text = CASE.replace("STRATEGY", strategy).replace("SETTINGS", settings)
    (folder / "case.yaml").write_text(text if strategy != "concurrent" else text.replace("\n      concurrent", " ~"))


def mistakes(look, folder, strategy, settings="{}"):
    write(folder, strategy, settings)
    with pytest.raises(ConfigurationError) as caught:
        look("", ())
    return [str(f).replace(f"{folder}/", "") for f in caught.value.findings]


@pytest.mark.parametrize(
    ("strategy", "messages"),
    [
        ("{tabulated: {file: nothing.npz}}", [".tabulated.file: nothing.npz: "]),
        ("{surrogate: {file: nothing.npz}}", [".surrogate.file: nothing.npz: "]),
        ("{surrogate: {file: solid.npz}}", [".surrogate.file: solid.npz: is no trained law. Train it again with: "]),
        (
            "{tabulated: {file: old.npz}}",
            [".tabulated.file: old.npz: is a table of version 0; this scalebridge reads "],
        ),
        (
            "{tabulated: {file: solid.npz}}",
            [
                ".tabulated.file: solid.npz does not fit the case: it is of solids_at_points:RelaxingSolid, the case "
                "has spared:Spared; "
            ],
        ),
        (
            "{adaptive: {observables: [Stres, X], drive: Strian, response: X, cheap: {tabulated: {file: old.npz}}}}",
            [
                ".adaptive.observables: there is no observable 'Stres'; expected Stress. Did you mean 'Stress'?",
                ".adaptive.observables: there is no observable 'X'; expected Stress",
                ".adaptive.drive: there is no control 'Strian'; expected Strain. Did you mean 'Strain'?",
                ".adaptive.cheap.tabulated.file: old.npz: is a table of version 0; ",
            ],
        ),
        (
            "{adaptive: {weights: weights.txt, response: Stress, cheap: {model: {run: other}}}}",
            [
                ".adaptive.response: a bound on the error of what drives needs both, drive and response",
                ".adaptive.weights: weights.txt has 2 columns; expected 2 coordinates and a weight",
                ".adaptive.cheap.model: the observables of 'other' are Stress, which does not fit those that ",
            ],
        ),
        (
            "{adaptive: {warm_up: 0, cheap: {model: {run: spared}}}}",
            [".adaptive.warm_up: 0 is too few with a cheap model that says nothing of its error: that has to be seen"],
        ),
        (
            "{clustered: {data: [Strian], slopes: [Stress = Stress]}}",
            [
                ".clustered.slopes: 'Stress = Stress' declares no slope; expected 'NAME = NAME / CONTROL'",
                ".clustered.data: no control or observable 'Strian'; expected one of Strain, Stress. Did you mean",
            ],
        ),
        (
            "{clustered: {data: [Strain, Stress], tolerance: [1 K, -2 kPa]}}",
            [
                ".clustered.tolerance: of Strain: 'K' ([temperature]) cannot be converted to '1' (a pure number); ",
                ".clustered.tolerance: of Stress: '-2 kPa' is less than nothing; expected such as '0.1 K' or ",
            ],
        ),
        ("auto", [".auto.box: which controls will the micro simulations meet? Say box: "]),
        ("{auto: {box: [Strain=1 K]}}", [".auto.box: Strain: 'K' ([temperature]) cannot be converted to '1' "]),
        ("{auto: {box: [Strian=1]}}", [".auto.box: 'Strian' is no control; ", ".auto.box: 'Strain' has no range; "]),
        ("{auto: {recorded: nowhere}}", [".auto.recorded: nowhere: has no snapshots of Strain: it is no run, or one "]),
        (
            "[{distributed: {}}, {sparing: {}}]",
            [".distributed: it moves rows of the micro model itself, so sparing cannot be within it: "],
        ),
    ],
)
def test_what_is_found_before_a_run(look, folder, strategy, messages):
    found = mistakes(look, folder, strategy)
    assert [text[: len(KEY + start)] for text, start in zip(found, messages, strict=True)] == [
        KEY + m for m in messages
    ]


def test_every_strategy_of_a_stack_is_built_and_every_setting_has_its_line(look, folder):
    first, second = (
        "- clustered:\n          data: [A]",
        "- adaptive:\n          cheap:\n            {tabulated: {file: old.npz}}",
    )
    strategy = f"{first}\n      {second}"
    found = mistakes(look, folder, strategy)
    places = ["case.yaml:10: participants.Micro.strategy.clustered.data"]
    places.append("case.yaml:12: participants.Micro.strategy.adaptive.cheap.tabulated.file")
    assert [": ".join(text.split(": ")[:2]) for text in found] == places


def test_a_mistake_on_the_command_line_is_told_there(look, folder):
    write(folder, "concurrent")
    with pytest.raises(ConfigurationError, match=r"^--set: participants\.Micro\.strategy\.clustered\.data: no control"):
        look("", ("Micro.strategy={clustered: {data: [A]}}",))


def test_a_model_that_cannot_be_built(look, folder):
    text = SPARED.replace(
        '    """The same."""',
        '    """The same."""\n\n    def __init__(self, settings, seed):\n'
        '        print("begun")\n        super().__init__(settings, seed)\n'
        '        if settings.rate > 5:\n            raise ValueError("too fast")\n',
    )
    (folder / "spared.py").write_text(text)
    try:
        (found,) = mistakes(look, folder, "clustered", "{rate: 7 1/s}")
        write(folder, "clustered", "{rate: 3 1/s}")
        assert look("", ()).findings == ()  # what it prints is no part of the answer
    finally:
        (folder / "spared.py").write_text(SPARED)
    assert found == "case.yaml:7: participants.Micro.settings: spared cannot be built with them: ValueError: too fast"


def test_where_something_else_is_wrong_nothing_is_told_as_its_consequence(look, folder):
    (found,) = mistakes(look, folder, "clustered: {data: [A]}", "{rate: 3 m}")
    assert found.startswith("case.yaml:7: participants.Micro.settings.rate: ")
    (folder / "coupling.xml").write_text(xml().replace("time-window-size value", "time-window-size valu"))
    try:
        found = mistakes(look, folder, "clustered: {data: [A]}")
    finally:
        (folder / "coupling.xml").write_text(xml())
    assert all(text.startswith("coupling.xml:") for text in found)


# The process ----------------------------------------------------------------------------------------------------------


class Unasked:
    """Who may not be asked."""

    def __init__(self, *asked):
        raise AssertionError(asked)


def test_nothing_is_built_without_a_strategy_or_before_its_files_are_there(folder):
    write(folder, "concurrent")
    case, found = reader.read(folder)
    assert inspect(case, "embedded", found, build=Unasked).strategies["Micro"] == []
    write(folder, "clustered: {data: [A]}")
    case, found = reader.read(folder)
    assert inspect(case, "embedded", found, build=None).findings == ()  # of a run that goes on
    write(folder, "{tabulated: {file: nowhere.npz}}")
    case, found = reader.read(folder)
    assert inspect(case, "embedded", found, build=Unasked, missing=True).strategies["Micro"]


def test_variations_with_the_same_strategy_build_it_once(folder, monkeypatch):
    built = []

    class Counted(StackCheck):
        def __call__(self, handout, model):
            built.append(handout.strategy)
            return super().__call__(handout, model)

    monkeypatch.setattr(inspections, "StackCheck", Counted)
    write(folder, "clustered")
    many = inspections.Inspections(folder / "case.yaml", "embedded")
    many("", ())
    many("", ("Macro.environment={A: 1}",))
    assert len(built) == 1
    many("", ("Micro.settings.rate=3 1/s",))
    assert len(built) == 2


def given(folder, strategy):
    write(folder, strategy)
    case, _ = reader.read(folder)
    return case, next(p for p in case.participants if p.name == "Micro")


@pytest.fixture
def ready(folder):
    case, participant = given(folder, "sparing")
    one = StackCheck(participant.module, environment(case, engines.embedded()), folder)
    yield case, participant, one
    one.cancel()


def noted(participant, one, *asked):
    findings = Findings("case.yaml")
    try:
        one(*asked)
    except (BuildError, TimeoutError) as error:
        stack.note_failure(participant, error, findings)
    return [str(f) for f in findings.found]


def test_a_strategy_that_breaks_down_is_told(ready, folder):
    case, participant, one = ready
    asked = stack.handout(case, "Micro", {}, folder, [{"sparing": {"file": "nowhere"}}])
    (told,) = noted(participant, one, asked, "Spared")
    assert told.startswith("case.yaml:8: participants.Micro.strategy: cannot be built: FileNotFoundError: ")


def test_a_model_that_takes_long_is_let_be(ready, folder, monkeypatch):
    case, participant, one = ready
    monkeypatch.setattr(stack, "SECONDS", 0.01)
    (told,) = noted(participant, one, stack.handout(case, "Micro", {}, folder), "Spared")
    place = "case.yaml:8: hint: participants.Micro.strategy: "
    assert told == f"{place}spared takes more than 0.01 s to be built, so nothing is known of its strategy"


def test_a_model_that_is_none(folder):
    case, _ = given(folder, "sparing")
    asked = replace(stack.handout(case, "Micro", {}, Path()), module="fragile")
    ((number, found),) = check(asked, "Nothing")
    assert (number, found.message) == (None, "ModelError: 'fragile' has no class 'Nothing'")


def test_a_cheap_model_that_the_maps_do_not_fit(monkeypatch):
    from adapters.strategies import cheap
    from adapters.strategies.protocol import Context
    from scalebridge.findings import Finding

    def none(*asked):
        raise ConfigurationError([Finding("maps.xml", 3, "<scaling>", "control 'A' gets no value")])

    monkeypatch.setattr(policies, "other", none)
    with pytest.raises(ConfigurationError) as caught:
        cheap.build({"model": {"run": "other", "model": "Other", "settings": {}}}, None, Context())
    assert str(caught.value) == (
        "adaptive: cheap.model: 'other' cannot stand in for the model: maps.xml:3: <scaling>: control 'A' gets no value"
    )


# Whole runs -----------------------------------------------------------------------------------------------------------


def test_a_strategy_at_fault_leaves_an_old_run_where_it_was(folder):
    write(folder, "{clustered: {data: [A]}}")
    old = folder.parent / "runs/brittle"
    old.mkdir(parents=True)
    (old / "case.json").write_text("{}")
    (old / "kept.txt").write_text("x")
    done = command(folder, "run", "brittle", "--engine", ENGINE)
    assert done.returncode == 2
    assert "case.yaml:9: participants.Micro.strategy.clustered.data: no control or observable 'A'; " in done.stderr
    assert [path.name for path in old.parent.iterdir()] == ["brittle"]
    assert (old / "kept.txt").is_file()
    assert command(folder, "check", "brittle").returncode == 2
