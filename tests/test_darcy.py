"""The Darcy solver with what it carries, against columns and fronts with exact solutions, and its balances."""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np
import pytest
from coupled import ROOT, participant, run
from scipy.special import erfc

from adapters import ensemble
from participants.macro import darcy
from scalebridge.checks import load
from scalebridge.settings import setting

XML = (ROOT / "precice-config" / "porous-flow.xml").read_text()
MU, DROP, LENGTH, HEIGHT = 1e-3, 0.5, 0.1, 0.02
PHI, K, D = 0.4, 1e-9, 4e-8
BLOCK = {"length": LENGTH, "height": HEIGHT, "viscosity": MU, "pressure_drop": DROP, "solid": 6.8, "elements_y": 1}
BLOCK |= {"grain_permeability": 1e-30, "grain_diffusivity": 1e-30}


@dataclass(frozen=True)
class Medium:
    porosity: float = setting(PHI)
    closing: float = setting("0 1/s", "by how much the porosity falls in time")
    uptake: float = setting("0 1/s", "by how much it falls more for each unit of concentration")
    contrast: float = setting(0.0, "how the permeability changes along x, as a power of ten")
    diffusivity: float = setting("0 m^2/s")
    angle: float = setting(0.0, "direction of the larger permeability, ten times the other [rad]")
    closed: float = setting("-1 m", "the pores left of this x are closed")


class Known:
    """A medium whose porosity, permeability and diffusivity are known."""

    Settings = Medium
    controls = darcy.WRITES
    observables = darcy.READS

    def __init__(self, settings):
        self.settings = settings

    def start(self, points, controls):
        return {"points": points, "porosity": np.full(len(points), self.settings.porosity)}

    def solve(self, state, controls, dt):
        s, x = self.settings, state["points"][:, 0]
        phi = state["porosity"] - dt * (s.closing + s.uptake * np.array(controls["Concentration"]))
        turn = np.array([[np.cos(s.angle), -np.sin(s.angle)], [np.sin(s.angle), np.cos(s.angle)]])
        k = permeability(x, s.contrast) * (x > s.closed)
        tensors = k[:, None, None] * (turn @ np.diag([1.0, 0.1]) @ turn.T)
        diffusivity = np.broadcast_to(s.diffusivity * np.eye(2), (len(x), 2, 2)) * (x > s.closed)[:, None, None]
        return {**state, "porosity": phi}, {"Porosity": phi, "Permeability": tensors, "Diffusivity": diffusivity}


def permeability(x, contrast):
    return K * 10 ** (contrast * np.sin(40 * x))


@participant(darcy.Settings, reads=darcy.READS, writes=darcy.WRITES)
def macro(case):
    darcy.main(case)


@participant(Medium, reads=Known.controls, writes=Known.observables)
def micro(case):
    ensemble.run(case, Known(case.settings))


def solve(folder, block, medium, windows, time, ranks=1):
    """Return the rows of the series, and points, c and phi at the end."""
    xml = XML.replace(XML[XML.index("<max-time ") : XML.index("<min-iter")], horizon(windows, time))
    if ranks > 1:
        xml = xml.replace("</participant>", '<intra-comm:sockets exchange-directory="." /></participant>', 1)
    folder.mkdir(exist_ok=True)
    run(folder, xml, {"Macro": (macro, BLOCK | block), "Micro": (micro, medium)}, ranks={"Macro": ranks})
    for name in ("Macro", "Micro"):
        assert [str(check) for check in load(folder / name / "checks.json") if not check.passed] == []
    with (folder / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return rows, np.load(max((folder / "Micro" / "snapshots").glob("*.npz")), allow_pickle=False)


def horizon(windows, time):
    return f'<max-time value="{time!r}" />\n    <time-window-size value="{time / windows!r}" />\n    '


def resistances(elements, contrast):
    """Return mu dx_i / K_i of the elements of a column."""
    dx = LENGTH / elements
    return MU * dx / permeability(dx * (np.arange(elements) + 0.5), contrast)


def test_a_column_is_a_series_of_resistances(tmp_path):
    """q = drop / sum(mu dx_i / K_i), exactly."""
    rows, _ = solve(tmp_path, {"elements_x": 12}, {"contrast": 1.5}, 2, 10.0)
    q = DROP / resistances(12, 1.5).sum()
    assert rows[-1]["fluid_left"] == pytest.approx(q * HEIGHT * 5.0, rel=1e-12)
    assert rows[-1]["fluid_right"] == pytest.approx(-q * HEIGHT * 5.0, rel=1e-12)


def test_pores_that_close_push_the_solution_out_on_both_sides(tmp_path):
    """dq/dx = r; so drop = sum(mu dx_i / K_i q_i) with the mean q_i = q_0 + r x_i, exactly."""
    r, n = 2e-5, 12
    rows, last = solve(tmp_path, {"elements_x": n}, {"contrast": 1.5, "closing": r}, 4, 10.0)
    x = LENGTH / n * (np.arange(n) + 0.5)
    R = resistances(n, 1.5)
    q_0 = (DROP - R @ (r * x)) / R.sum()
    assert last["Porosity"] == pytest.approx(PHI - 10.0 * r)
    assert rows[-1]["fluid_left"] == pytest.approx(q_0 * HEIGHT * 2.5, rel=1e-10)
    assert rows[-1]["fluid_right"] == pytest.approx(-(q_0 + r * LENGTH) * HEIGHT * 2.5, rel=1e-10)


def test_an_oblique_tensor_counts_as_its_inverse_says(tmp_path):
    """In a thin column q_y = 0, so dp/dx = -mu (K^-1)_xx q_x: an oblique tensor counts as 1 / (K^-1)_xx."""
    angle = 0.6
    rows, _ = solve(tmp_path, {"elements_x": 6}, {"angle": angle}, 1, 10.0)
    q = DROP / (MU * LENGTH / K) / (np.cos(angle) ** 2 + 10 * np.sin(angle) ** 2)
    assert rows[-1]["fluid_left"] == pytest.approx(q * HEIGHT * 10.0, rel=1e-12)


def ogata_banks(x, t, v, d):
    """Return c/c_in of a front that enters a half-space at x = 0 (Ogata & Banks, USGS Prof. Paper 411-A, 1961)."""
    s = 2 * np.sqrt(d * t)
    return 0.5 * (erfc((x - v * t) / s) + np.exp(v * x / d) * erfc((x + v * t) / s))


def test_a_front_enters_as_ogata_and_banks_say(tmp_path):
    """Upwind and backward Euler: of first order in elements and windows together."""
    time, v, errors = 2000.0, DROP * K / (MU * LENGTH) / PHI, []
    block = {"initial": 0.0, "inlet": 1.0}
    for n in (20, 40):
        _, last = solve(tmp_path / str(n), block | {"elements_x": n}, {"diffusivity": D}, n, time)
        exact = ogata_banks(last["points"][:, 0], time, v, D / PHI)
        errors.append(np.abs(last["Concentration"] - exact).max())
    assert errors[1] < 0.05
    assert 1.6 < errors[0] / errors[1] < 2.4


def test_grains_that_grow_take_what_they_hold(tmp_path):
    """In water at rest phi dc = c_s dphi; what is pushed out has the concentration that is there."""
    block = {"elements_x": 3, "elements_y": 2, "pressure_drop": 0.0, "initial": 5.0, "inlet": 0.0}
    rows, last = solve(tmp_path, block, {"closing": 1e-3}, 8, 100.0)
    phi = PHI - 1e-3 * np.linspace(0, 100, 9)
    c = 5.0 + 6.8 * (np.diff(phi) / phi[:-1]).sum()
    assert rows[-1]["solute_content"] == pytest.approx((phi[-1] * c + (1 - phi[-1]) * 6.8) * LENGTH * HEIGHT, rel=1e-9)
    assert last["Concentration"] == pytest.approx(c, rel=1e-3)
    assert c == pytest.approx(5.0 + 6.8 * np.log(phi[-1] / PHI), rel=0.02)
    assert rows[-1]["fluid_inflow"] == pytest.approx(-1e-3 * 100 * LENGTH * HEIGHT)


def test_books_close_however_far_the_iterations_go(tmp_path):
    """Oblique permeability in two dimensions, and an uptake that depends on the concentration that it changes."""
    block = {"elements_x": 8, "elements_y": 4, "inlet": 2.0, "inlet_share": 0.5}
    medium = {"contrast": 1.0, "angle": 0.5, "diffusivity": 1e-9, "uptake": 2e-5}
    rows, last = solve(tmp_path, block, medium, 5, 2000.0)
    held = last["Porosity"] * last["Concentration"] + (1 - last["Porosity"]) * 6.8
    assert rows[-1]["solute_content"] == pytest.approx(held.mean() * LENGTH * HEIGHT, rel=1e-4)
    start = (PHI * 1.0 + (1 - PHI) * 6.8) * LENGTH * HEIGHT
    assert rows[-1]["solute_inflow"] == pytest.approx(rows[-1]["solute_content"] - start, rel=1e-8)
    assert last["Porosity"].max() - last["Porosity"].min() > 1e-3
    first = last["points"][:, 0] < LENGTH / 8
    lower = last["points"][:, 1] < HEIGHT / 4
    assert last["Concentration"][first & lower] > last["Concentration"][first & ~lower].min() + 0.3


def test_closed_pores_stop_the_flow_and_not_the_solver(tmp_path):
    block = {"elements_x": 10, "elements_y": 2, "inlet": 2.0, "grain_permeability": 1e-18, "grain_diffusivity": 1e-14}
    rows, last = solve(tmp_path, block, {"closed": 0.03, "diffusivity": 1e-9}, 3, 3000.0)
    q = DROP / (MU * (0.03 / 1e-18 + 0.07 / K))
    assert rows[-1]["fluid_left"] == pytest.approx(q * HEIGHT * 1000.0, rel=1e-6)
    assert last["Concentration"] == pytest.approx(1.0, abs=1e-3)


def test_ranks_share_the_elements(tmp_path):
    block, medium = {"elements_x": 8, "elements_y": 4, "inlet": 2.0}, {"contrast": 1.0, "uptake": 2e-5}
    ends = []
    for ranks in (1, 2):
        rows, last = solve(tmp_path / str(ranks), block, medium, 2, 1000.0, ranks)
        order = np.lexsort(last["points"].round(9).T)
        ends.append([rows[-1]["solute_inflow"], *last["Concentration"][order]])
    assert ends[1] == pytest.approx(ends[0], rel=1e-8)
