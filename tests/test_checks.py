"""Checks of a run: numbers against references."""

import json
import math

import pytest

from scalebridge import checks
from scalebridge.checks import Check, absolute, at_most, between, relative


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (absolute("a", 1.05, 1.0, 0.1, source=""), True),
        (absolute("a", 1.2, 1.0, 0.1, source=""), False),
        (relative("a", -104.0, -100.0, 0.05, source=""), True),
        (relative("a", -106.0, -100.0, 0.05, source=""), False),
        (at_most("a", 1.0, 1.0, source=""), True),
        (at_most("a", 1.0 + 1e-9, 1.0, source=""), False),
        (at_most("a", 1.0 + 1e-9, 1.0, source="", tolerance=1e-8), True),
        (between("a", 2.0, 1.0, 2.0, source=""), True),
        (between("a", 0.999, 1.0, 2.0, source=""), False),
        (absolute("a", math.nan, 1.0, math.inf, source=""), False),
        (at_most("a", -math.inf, 1.0, source=""), False),
        (relative("a", 1.0, math.nan, 1.0, source=""), False),
    ],
)
def test_passed(check, passed, tmp_path):
    assert check.passed is passed
    checks.save(tmp_path / "sub" / "checks.json", [check])
    (loaded,) = checks.load(tmp_path / "sub" / "checks.json")
    assert repr(loaded) == repr(check)  # NaN is not equal to itself


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", 1.0, 1.0, 0.1, "exact", ""), "a check is one of absolute, relative, at-most, between, not 'exact'"),
        (("a", 1.0, 1.0, 0.1, "between", ""), "reference of a check of kind 'between' cannot be 1.0"),
        (("a", 1.0, 1.0, -0.1, "absolute", ""), "tolerance of a check is at least 0, not -0.1"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        Check(*arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "checks.json: Expecting"),
        ("{}", "not a JSON list of objects"),
        ("[{}]", "not a check: KeyError"),
        (json.dumps([{**absolute("a", 2, 1, 0.1, source="s").to_json(), "passed": True}]), "its numbers say False"),
    ],
)
def test_files_that_are_none(text, message, tmp_path):
    (tmp_path / "checks.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        checks.load(tmp_path / "checks.json")


def test_text():
    assert (
        str(relative("front", 1.02, 1.0, 0.05, source="", unit="m"))
        == "passed  front: 1.02 m, should be 1 m within 5 %"
    )
    assert str(at_most("balance", 1.0, 1e-10, source="")) == "FAILED  balance: 1, should be at most 1e-10"
    assert str(between("K", 1.0, 0.5, 2.0, source="")).endswith("should be between 0.5 and 2")
    assert str(between("K", 2.1, 0.5, 2.0, source="", tolerance=0.2)).endswith("and 2, give or take 0.2")
    assert str(at_most("K", 1e-9, 0.0, source="", tolerance=1e-8)).endswith("should be at most 0, give or take 1e-08")
