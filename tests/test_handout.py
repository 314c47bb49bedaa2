"""Handouts: what the hub gives to a participant."""

import json

import pytest

from scalebridge.findings import ConfigurationError
from scalebridge.handout import Handout

GIVEN = dict.fromkeys(("case", "participant", "module", "precice_config", "run", "output", "progress"), "x")


def test_round_trip(tmp_path):
    handout = Handout(**GIVEN, settings={"length": 0.1}, seed=3)
    handout.save(tmp_path / "handout.json")
    assert Handout.load(tmp_path / "handout.json") == handout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        (json.dumps({**GIVEN, "sed": 1}), "sed: no such key in a handout; .*Did you mean 'seed'"),
        (json.dumps({**GIVEN, "run": 3}), "run: is missing or no text"),
    ],
)
def test_refusals(text, message, tmp_path):
    if text is not None:
        (tmp_path / "handout.json").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        Handout.load(tmp_path / "handout.json")
