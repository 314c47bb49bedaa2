"""The command that trains a law, and the bar that shows how far it is."""

import dataclasses
import io
import signal

import pytest
from coupled import ROOT
from test_surrogate import settings

from adapters.strategies.learned import __main__ as program
from adapters.strategies.meter import Meter
from participants.micro.material import Material
from scalebridge import cli
from scalebridge.handout import Handout
from scalebridge.interruption import Interrupted

CASE = ["phase-change", "--variant", "lever-rule"]
BOX = "Temperature=-14 degC..6 degC"
SMALL = {"paths": 14, "steps": 4, "members": 1, "iterations": 20, "ramps": 4}


def test_a_law_is_trained_by_a_command(tmp_path, capfd):
    file = tmp_path / "lever.npz"
    small = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    assert cli.main(["train", *CASE, "--box", BOX, *small, "--out", str(file)]) == 0
    out = capfd.readouterr().out
    assert "LeverRule of participants.micro.lever_rule; seed 0" in out
    assert "form: monotone; ensemble of 1" in out
    assert "warning: 2 paths to calibrate with; an estimate with 95 % needs 19" in out
    assert f"output: {file}" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lever.npz", "lever.samples.npz"]


def test_what_is_wrong_with_the_command_is_told_before_anything_starts(tmp_path, capfd):
    assert cli.main(["train", *CASE, "--paths", "3", "--out", str(tmp_path / "law.npz")]) == 2
    assert "surrogate.paths: 3 is out of bounds; expected a whole number at least 7" in capfd.readouterr().err
    assert cli.main(["train", *CASE, "--participant", "Macro"]) == 2
    assert "--participant: 'Macro' is no micro participant" in capfd.readouterr().err
    assert cli.main(["train", *CASE, "--out", str(tmp_path / "no" / "law.npz")]) == 2
    assert f"--out: there is no folder {tmp_path / 'no'}" in capfd.readouterr().err


def trained(tmp_path, *more, **given):
    """Run the program that the command starts; return its status."""
    (chosen,) = settings("law.npz")
    handout = Handout(
        case="phase-change",
        participant="Micro",
        module="participants.micro.lever_rule",
        precice_config=str(ROOT / "precice-config/phase-change.xml"),
        scaling=str(ROOT / "precice-config/phase-change.scaling.xml"),
        settings=dataclasses.asdict(Material(salinity=0.035)),
        strategy=[{"surrogate": {**chosen["surrogate"], **SMALL, **given}}],
        run=str(tmp_path),
        output=str(tmp_path),
        progress=str(tmp_path / "progress.jsonl"),
    )
    handout.save(tmp_path / "handout.json")
    file = tmp_path / "law.npz"
    told = ["--handout", str(tmp_path / "handout.json"), "--model", "LeverRule", "--out", str(file), *more]
    return program.main(told)


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({}, ["--box: 'Temperature' has no range; expected Temperature=LOW..HIGH, in a unit like 'K'"]),
        (
            {"box": ["Temp=3 K"], "bounds": ["Conductivity=0..1"]},
            ["--box: 'Temp' is no control", "--bounds: 'Conductivity' is no scalar observable; expected one of"],
        ),
        ({"box": [BOX], "form": "internal"}, ["form 'internal' does not fit these fields; expected monotone"]),
        (
            {"box": [BOX], "bounds": ["Liquid-Fraction=1", "Liquid-Fraction=0 K..1", "Liquid-Fraction=1..0"]},
            [
                "--bounds: 'Liquid-Fraction=1' has no range; expected NAME=LOW..HIGH",
                "--bounds: Liquid-Fraction: 'K' ([temperature]) cannot be converted to '1'",
                "--bounds: Liquid-Fraction: '1..0' is no range; expected LOW..HIGH, the lower end first",
            ],
        ),
    ],
)
def test_what_cannot_be_trained(tmp_path, capsys, given, messages):
    assert trained(tmp_path, **given) == 2
    told = capsys.readouterr().err
    for message in messages:
        assert message in told
    assert not (tmp_path / "law.npz").exists()


def test_runs_without_snapshots(tmp_path, capsys):
    assert trained(tmp_path, "--recorded", str(tmp_path / "nothing")) == 3
    assert "has no snapshots of Micro" in capsys.readouterr().err


@pytest.mark.usefixtures("handlers")
def test_training_that_is_interrupted_says_that_it_can_go_on(tmp_path, capsys, monkeypatch):
    def interrupted(*given):
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(program, "train", interrupted)
    assert trained(tmp_path, box=[BOX]) == 130
    assert "what is done is kept, go on with the same command" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_meter_draws_a_bar_in_a_terminal_and_lines_elsewhere():
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        with Meter(stream) as meter:
            meter.show("solving", 0, 4)
            meter.show("solving", 4, 4)
            meter.show("fitting", 1, 1)
    assert "\r\x1b[Ksolving  " + 30 * "█" + " 100 %" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 2
    assert file.getvalue().splitlines()[-2:] == ["solving: 100 %", "fitting: 100 %"]
