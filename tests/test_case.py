"""case.yaml: what is in it, variants, changes by the command line, and every mistake at once."""

import re
import shutil
from pathlib import Path

import pytest

from scalebridge.cases import reader as cases
from scalebridge.findings import ConfigurationError

HUB = Path(__file__).parent / "hub"

GOOD = """\
case: melt
title: Melting
coupling: coupling.xml
seed: 7
participants:
  Left:
    run: teller
    settings: {length: 0.2 m}
  Right:
    command: ./solver --mesh 'a b'
    directory: .
    ranks: 2
    environment: {LEVEL: 2}
report: [report.py]
quantities: [Left.total]
variants:
  longer: {Left.settings.length: 1 m, Left.strategy: {adaptive: {tolerance: 1e-3}}}
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("coupling.xml", "report.py"):
        shutil.copy(HUB / name, tmp_path)
    return tmp_path


def load(folder, text, **arguments):
    (folder / "case.yaml").write_text(text)
    return cases.load(folder, **arguments)


def mistakes(folder, text, **arguments):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, **arguments)
    return [str(f).replace(f"{folder}/", "") for f in caught.value.findings]


def test_everything(folder):
    case = load(folder, GOOD)
    left, right = case.participants
    assert (case.name, case.title, case.seed, case.label) == ("melt", "Melting", 7, "melt")
    assert case.coupling == folder / "coupling.xml"
    assert case.report == (folder / "report.py",)
    assert case.quantities == ("Left.total",)
    assert (left.module, left.settings, left.strategy) == ("teller", {"length": "0.2 m"}, ())
    assert (left.lines["run"], left.lines["settings.length"]) == (7, 8)
    assert right.command == ("./solver", "--mesh", "a b")
    assert (right.directory, right.ranks, right.environment) == (folder, 2, {"LEVEL": "2"})


def test_variant_and_command_line(folder):
    case = load(folder, GOOD, variant="longer", overrides=["Right.ranks=3", "Left.settings.cells=64", "scaling=null"])
    left, right = case.participants
    assert case.label == "melt-longer"
    assert left.settings == {"length": "1 m", "cells": 64}
    assert left.strategy == ({"adaptive": {"tolerance": 1e-3}},)
    assert right.ranks == 3


def test_null_takes_a_key_away(folder):
    case = load(folder, GOOD, overrides=["Right.command=null", "Right.directory=~", "Right.run=teller"])
    assert case.participants[1].module == "teller"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("coupling:", "copling:", "case.yaml:3: copling: no such key; .*Did you mean 'coupling'"),
        (
            "coupling.xml",
            "couplin.xml",
            "case.yaml:3: coupling: there is no file 'couplin.xml'.*Did you mean 'coupling.xml'",
        ),
        ("coupling.xml", "[1]", r"coupling: \[1\] is not a path"),
        ("case: melt", "case: a/b", "case.yaml:1: case: 'a/b' is no name for a case; expected letters, digits"),
        ("case: melt\n", "", "case: is missing; expected the name of the case"),
        ("title: Melting", "title: 3", "title: 3 is not a text"),
        ("seed: 7", "seed: -1", "seed: -1 is not allowed; expected a whole number from 0"),
        ("seed: 7", "seed: true", "seed: True is not allowed"),
        ("run: teller", "rum: teller", "case.yaml:6: participants.Left: has neither run nor command"),
        ("run: teller", "run: teller\n    command: x", "has both run and command"),
        ("run: teller", "run: tell er", "participants.Left.run: 'tell er' is not the name of a module"),
        ("settings:", "setings:", "case.yaml:8: participants.Left.setings: no such key; .*Did you mean 'settings'"),
        ("settings: {length: 0.2 m}", "settings: 3", "participants.Left.settings: 3 is not a mapping"),
        (
            "settings: {length: 0.2 m}",
            "strategy: [3]",
            r"participants.Left.strategy\[0\]: 3 is no strategy; expected NAME, ",
        ),
        ("settings: {length: 0.2 m}", "directory: .", "participants.Left.directory: no such key"),
        ("./solver --mesh 'a b'", "./solver 'a", "participants.Right.command: .* cannot be split into words"),
        ("./solver --mesh 'a b'", "[]", r"participants.Right.command: \[\] is no command"),
        ("./solver --mesh 'a b'", "[a, {b: c}]", "is no command"),
        ("directory: .", "directory: nowhere", "there is no folder 'nowhere'"),
        ("ranks: 2", "ranks: 0", "participants.Right.ranks: 0 is not allowed; expected a whole number from 1"),
        ("LEVEL: 2", "A-B: 2", "environment.A-B: is no name of an environment variable"),
        ("LEVEL: 2", "LEVEL: [2]", r"environment.LEVEL: \[2\] is not a text or a number"),
        ("  Right:", "  checks:", "participants.checks: is no name for a participant"),
        ("[report.py]", "report.py", "report: 'report.py' is not a list"),
        ("[report.py]", "[reprt.py]", r"report\[0\]: there is no file 'reprt.py'.*Did you mean 'report.py'"),
        ("[Left.total]", "Left.total", r"quantities: 'Left.total' is not a list; expected \[Macro.COLUMN, ...\], col"),
        ("[Left.total]", "[total]", r"quantities\[0\]: 'total' is not PARTICIPANT.COLUMN; expected"),
        ("[Left.total]", "[3]", r"quantities\[0\]: 3 is not PARTICIPANT.COLUMN"),
        ("[Left.total]", "[Lef.total]", r"quantities\[0\]: no such participant; expected one of Left, Right. Did you"),
        ("{Left.settings.length: 1 m, Left.strategy: {adaptive: {tolerance: 1e-3}}}", "3", "variants.longer: is not a"),
        ("  longer:", "  a b:", "variants.a b: is no name for a variant"),
    ],
)
def test_mistakes(folder, old, new, message):
    assert old in GOOD
    found = mistakes(folder, GOOD.replace(old, new))
    assert any(re.search(message, text) for text in found), found


def test_files_that_are_no_cases(folder):
    assert mistakes(folder, "- a") == [
        "case.yaml:1: is not a mapping; expected the keys case, coupling and participants"
    ]
    assert len(mistakes(folder, "{}")) == 3
    assert "variants: is not a mapping" in mistakes(folder, GOOD.partition("variants")[0] + "variants: 3")[0]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "Left.settings",
            "--set: Left.settings: is not of the form PATH=VALUE; expected as in Micro.settings.cells=64",
        ),
        (
            "Lift.run=x",
            "--set: Lift.run: 'Lift' is neither a participant nor a key that can be changed; .*Did you mean 'Left'",
        ),
        ("Left=x", "--set: Left: is a whole participant; expected as in Left.run"),
        ("Left.run.x=1", "--set: Left.run.x: leads into a value that is no mapping"),
        ("Left.settings.a={", "--set: Left.settings.a: the value is not readable as YAML"),
        ("Left.ranks=many", "--set: participants.Left.ranks: 'many' is not allowed"),
    ],
)
def test_mistakes_of_the_command_line(folder, override, message):
    (found,) = mistakes(folder, GOOD, overrides=[override])
    assert re.match(message, found), found


def test_unknown_variant(folder):
    (found,) = mistakes(folder, GOOD, variant="loonger")
    assert found == "case.yaml:16: variants: no variant 'loonger'; expected longer. Did you mean 'longer'?"
    (found,) = mistakes(folder, GOOD.partition("variants")[0], variant="longer")
    assert found == "case.yaml: variants: no variant 'longer'; expected none"


def test_all_mistakes_come_at_once(folder):
    found = mistakes(folder, GOOD.replace("title", "titel").replace("ranks: 2", "ranks: x"), overrides=["nonsense"])
    assert len(found) == 3
