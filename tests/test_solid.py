"""The solid, coupled to material points, against exact solutions of elasticity and plasticity."""

from __future__ import annotations

import csv
from itertools import pairwise

import numpy as np
import pytest
from coupled import participant, run
from material_points import MaterialPoints, Metal, radial_return

from adapters import ensemble
from participants.macro import solid
from scalebridge.checks import load

YOUNG, POISSON, YIELD = 70e9, 0.3, 100e6
XML = """<?xml version="1.0" encoding="UTF-8" ?>
<precice-configuration>
  <log><sink type="stream" output="stdout" filter="%Severity% > warning" enabled="true" /></log>
  <profiling mode="off" />
  {data}
  <mesh name="Macro-Mesh" dimensions="{d}">
    {used}
  </mesh>
  <participant name="Macro">
    <provide-mesh name="Macro-Mesh" />
    {macro}
  </participant>
  <participant name="Micro">
    <receive-mesh name="Macro-Mesh" from="Macro" api-access="true" />
    {micro}
  </participant>
  <m2n:sockets acceptor="Macro" connector="Micro" exchange-directory=".." />
  <coupling-scheme:serial-implicit>
    <participants first="Macro" second="Micro" />
    <max-time-windows value="{windows}" />
    <time-window-size value="{window!r}" />
    <min-iterations value="2" />
    <max-iterations value="{most}" />
    {exchanged}
    {measured}
    {acceleration}
  </coupling-scheme:serial-implicit>
</precice-configuration>
"""
NEWTON = ("Stress", "Tangent", "Stored-Energy", "Dissipation")
ELASTIC = ("Stress", "Mean-Strain", "Stored-Energy", "Dissipation")


def configuration(d, windows, up, acceleration="", most=30, limit=1e-10):
    """Return a configuration for a body of d dimensions and a run of 1 s in which Micro sends the fields `up`."""
    fields = {"Macro": solid.WRITES, "Micro": {name: solid.READS[name] for name in up}}
    sent = {who: [n for name, f in some.items() for n in f.data_names(name, d)] for who, some in fields.items()}
    access = '<{}-data name="{}" mesh="Macro-Mesh" />'
    exchange = '<exchange data="{}" mesh="Macro-Mesh" from="{}" to="{}" initialize="{}" />'
    measure = '<absolute-convergence-measure data="{}" mesh="Macro-Mesh" limit="{}" strict="true" />'
    both = sent["Macro"] + sent["Micro"]
    lines = {
        "data": [f'<data:scalar name="{n}" />' for n in both],
        "used": [f'<use-data name="{n}" />' for n in both],
        "macro": [access.format("write", n) for n in sent["Macro"]] + [access.format("read", n) for n in sent["Micro"]],
        "micro": [access.format("write", n) for n in sent["Micro"]] + [access.format("read", n) for n in sent["Macro"]],
        "exchanged": [exchange.format(n, "Macro", "Micro", "true") for n in sent["Macro"]]
        + [exchange.format(n, "Micro", "Macro", "false") for n in sent["Micro"]],
        "measured": [measure.format(n, limit) for n in sent["Macro"]],
    }
    texts = {key: "\n    ".join(value) for key, value in lines.items()}
    return XML.format(d=d, windows=windows, window=1 / windows, most=most, acceleration=acceleration, **texts)


@participant(solid.Settings, reads=solid.READS, writes=solid.WRITES)
def macro(case):
    solid.main(case)


@participant(Metal, reads=MaterialPoints.controls, writes=MaterialPoints.observables)
def micro(case):
    _, writes = ensemble.coupled(case)
    ensemble.run(case, MaterialPoints(case.settings, writes))


def solve(folder, body, metal, windows=1, d=2, ranks=1, accepted=(), **more):
    """Return the rows of series.csv and the last snapshot of the micro side."""
    up = ELASTIC if body.get("tangent") == "elastic" else NEWTON
    xml = configuration(d, windows, up, **more)
    if ranks > 1:
        xml = xml.replace("</participant>", '<intra-comm:sockets exchange-directory="." /></participant>', 1)
    folder.mkdir(exist_ok=True)
    run(folder, xml, {"Macro": (macro, body), "Micro": (micro, metal)}, ranks={"Macro": ranks}, limit=300.0)
    for name in ("Macro", "Micro"):
        failed = [str(c) for c in load(folder / name / "checks.json") if not c.passed and c.name not in accepted]
        assert failed == []
    with (folder / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return rows, np.load(max((folder / "Micro" / "snapshots").glob("*.npz")), allow_pickle=False)
