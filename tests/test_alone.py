"""How programs end that look at a micro model alone, and what they find of it in a handout."""

from __future__ import annotations

import signal

import pytest
from coupled import ROOT

from adapters import alone
from adapters.alone import Alone
from adapters.failing.models import ModelError
from adapters.scaling.model import ScaledModel
from adapters.wiring import CouplingError
from scalebridge.findings import ConfigurationError, Findings
from scalebridge.handout import Handout
from scalebridge.interruption import Interrupted


class Failure(CouplingError):
    pass


class Refusal(Exception):
    pass


def wrong():
    findings = Findings("--box")
    findings.add(None, "", "is no box")
    findings.add(None, "", "is too small")
    return ConfigurationError(findings.found)


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (Failure("it breaks"), 3, "scalebridge: it breaks\n"),
        (CouplingError("nothing is coupled"), 2, "scalebridge: nothing is coupled\n"),
        (ModelError("there is no model"), 2, "scalebridge: there is no model\n"),
        (Refusal("not so"), 2, "scalebridge: not so\n"),
        (wrong(), 2, "scalebridge: --box: is no box\nscalebridge: --box: is too small\n"),
        (
            Interrupted(signal.SIGTERM),
            143,
            "scalebridge: stopped by signal 15 (SIGTERM); what is done is kept, go on with the same command\n",
        ),
    ],
)
@pytest.mark.usefixtures("handlers")
def test_what_goes_wrong_is_told_and_has_a_status(capsys, raised, status, told):
    def work():
        raise raised

    assert alone.run(work, failure=Failure, refusals=(Refusal,), kept=alone.GOES_ON) == status
    assert capsys.readouterr().err == told


@pytest.mark.usefixtures("handlers")
def test_a_program_that_is_done_says_how_it_went(capsys):
    assert alone.run(lambda: 1, failure=Failure) == 1
    assert capsys.readouterr().err == ""
    with pytest.raises(Refusal):  # a mistake of the program's own is no one else's
        alone.run(lambda: (_ for _ in ()).throw(Refusal()), failure=Failure)


def test_every_program_needs_a_handout_and_a_model(capsys):
    with pytest.raises(SystemExit):
        alone.parser("adapters.rve", "What it is for.").parse_args([])
    assert "python -m adapters.rve: error: the following arguments are required: --handout, --model" in (
        capsys.readouterr().err
    )


def test_the_model_of_a_handout_has_its_maps():
    handout = Handout(
        case="phase-change",
        participant="Micro",
        module="participants.micro.lever_rule",
        precice_config=str(ROOT / "precice-config/phase-change.xml"),
        scaling=str(ROOT / "precice-config/phase-change.scaling.xml"),
        settings={"salinity": 0.035},
        run="",
        output="",
        progress="",
        seed=3,
    )
    found = Alone.of(handout, "LeverRule")
    assert found.name == "LeverRule of participants.micro.lever_rule"
    assert isinstance(found.model, ScaledModel)
    assert list(found.model.controls) == ["Temperature"]
    assert {"Temperature", "Liquid-Fraction", "Conductivity-00"} <= found.data
    assert (found.dimensions, found.window) == (2, found.wiring.horizon()[2])
    with pytest.raises(ModelError, match="has no class 'LeverRole'"):
        Alone.of(handout, "LeverRole")
