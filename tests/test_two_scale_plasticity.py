"""A beam whose stress comes from elastoplastic cells at every quadrature point: both scales, and the energy of both."""

from __future__ import annotations

import csv
from itertools import pairwise

import pytest
from coupled import participant, run
from test_solid import NEWTON, configuration, convergence, macro

from adapters import ensemble
from participants.macro import solid
from participants.micro.elastoplastic import Composite, Elastoplastic
from scalebridge.checks import load

UP = {
    "Stress": ("stress", "Pa"),
    "Tangent": ("tangent", "Pa"),
    "Stored-Energy": ("stored-energy", "J/m^3"),
    "Dissipation": ("dissipation", "J/m^3"),
}
SCALING = "\n".join(
    [
        '<scaling precice-config="precice-config.xml">',
        '<downscale data="Strain" unit="1" to="strain" map="uniform" />',
        *(f'<upscale data="{d}" unit="{unit}" from="{f}" map="volume-average" />' for d, (f, unit) in UP.items()),
        "</scaling>",
    ]
)


@participant(Composite, reads=solid.WRITES, writes={name: solid.READS[name] for name in UP})
def micro(case):
    ensemble.run(case, ensemble.scaled(case, Elastoplastic(case.settings, case.seed)))


def test_a_beam_of_cells_is_bent_and_released(tmp_path):
    """Newton's method on the macro scale converges quadratically with the tangent of the cells; both scales close their
    books on energy in every window; what is left in the cells at the end was locked in or dissipated."""
    body = {"body": "beam", "length": 0.2, "height": 0.1, "elements": (2, 1), "times": (0.0, 0.5, 1.0)}
    cells = {"cells": 8, "isotropic_hardening": (5e9, 0.0), "tangent_tolerance": 1e-9}
    xml = configuration(2, 4, NEWTON)
    bent = body | {"displacement": (0.0, 2e-3, 1e-3)}
    run(tmp_path, xml, {"Macro": (macro, bent), "Micro": (micro, cells)}, scaling=SCALING, limit=300.0)
    for name in ("Macro", "Micro"):
        found = load(tmp_path / name / "checks.json")
        assert [str(check) for check in found if not check.passed] == []
    assert {"Hill-Mandel, relative to the work"} <= {check.name for check in load(tmp_path / "Micro" / "checks.json")}
    with (tmp_path / "Macro" / "series.csv").open() as file:
        last = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)][-1]
    assert last["dissipated"] > 0
    assert last["stored"] > 0
    assert last["work"] == pytest.approx(last["stored"] + last["dissipated"], rel=0.15)  # trapezoidal rule, 4 windows
    for changes in convergence(tmp_path):
        for before, after in pairwise(changes[1:]):  # the first iteration starts from where the window before ended
            assert before > 1e-5 or after < max(1e3 * before**2, 1e-12)
