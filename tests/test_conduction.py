"""The conduction solver of the two-scale case, against a series solution and against the balance of heat."""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np
import pytest
from coupled import ROOT, participant, run

from adapters import ensemble
from participants.macro import conduction
from scalebridge.checks import load
from scalebridge.fields import Field
from scalebridge.settings import setting

XML = (ROOT / "precice-config" / "two-scale-heat-conduction.xml").read_text()
C_S, C_G, PHI = 1.5, 0.5, 0.4
CAPACITY = PHI * C_S + (1 - PHI) * C_G


@dataclass(frozen=True)
class Medium:
    k: float = setting(1.0)
    slope: float = setting(0.0, "by how much K falls with the concentration")


class Known:
    """A medium whose K and porosity are known: diag(k, 3 k), less where the concentration is high."""

    Settings = Medium
    controls = {"Concentration": Field("1")}  # noqa: RUF012
    observables = {"Porosity": Field("1"), "K": Field("m^2/s", rank=2)}  # noqa: RUF012

    def __init__(self, settings):
        self.settings = settings

    def start(self, points, controls):
        return {"seen": np.array(controls["Concentration"])}

    def solve(self, state, controls, dt):
        c = np.array(controls["Concentration"])
        k = self.settings.k * (1 - self.settings.slope * c)
        return {"seen": c}, {"Porosity": np.full(len(c), PHI), "K": k[:, None, None] * np.diag([1.0, 3.0])}


@participant(conduction.Settings, reads=conduction.READS, writes=conduction.WRITES)
def macro(case):
    conduction.main(case)


@participant(Medium, reads=Known.controls, writes=Known.observables)
def micro(case):
    ensemble.run(case, Known(case.settings))


def solve(folder, block, medium, windows, time=0.25):
    xml = XML.replace('<max-time value="0.25"', f'<max-time value="{time}"')
    xml = xml.replace('<time-window-size value="0.01"', f'<time-window-size value="{time / windows!r}"')
    folder.mkdir(exist_ok=True)
    run(folder, xml, {"Macro": (macro, block), "Micro": (micro, medium)})
    for name in ("Macro", "Micro"):
        assert [str(check) for check in load(folder / name / "checks.json") if not check.passed] == []
    with (folder / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return rows, np.load(max((folder / "Micro" / "snapshots").glob("*.npz")), allow_pickle=False)


def series(x, time, k, length):
    """Return u of a slab that is 0 on x = 0 and insulated on x = L, from u = 1 (Carslaw & Jaeger 1959, section 3.4)."""
    n = np.arange(200)[:, None] + 0.5
    return (2 / (n * np.pi) * np.sin(n * np.pi * x / length) * np.exp(-k * time * (n * np.pi / length) ** 2)).sum(
        axis=0
    )


def test_a_slab_cools_as_the_series_says(tmp_path):
    """First order in time, second in space; K along x is what counts, and the capacity is that of the mixture."""
    k, errors = 0.7, []
    for windows, elements in ((8, 8), (32, 16)):  # both errors fall by 4
        block = {"elements_x": elements, "elements_y": 1, "initial": 1.0, "sink": "left"}
        block |= {"pore_capacity": C_S, "grain_capacity": C_G}
        _, last = solve(tmp_path / str(windows), block, {"k": k}, windows)
        x = last["points"][:, 0]
        errors.append(np.abs(last["Concentration"] - series(x, 0.25, k / CAPACITY, 1.0)).max())
    assert errors[1] < 0.01
    assert 3.0 < errors[0] / errors[1] < 5.0


def test_heat_leaves_through_the_sink_alone(tmp_path):
    """What the slab has lost is what has passed the sink, also where K depends on u."""
    block = {"elements_x": 8, "elements_y": 4, "initial": 1.0, "sink": "corner"}
    rows, last = solve(tmp_path, block, {"slope": 0.5}, 4)
    assert rows[-1]["heat_inflow"] < 0
    lost = 0.5 * (1.0 - last["Concentration"].mean())  # all Gauss points of equal cells weigh the same; C is 1
    assert -rows[-1]["heat_inflow"] == pytest.approx(lost, rel=1e-6)
