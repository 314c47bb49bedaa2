"""The heat solver, coupled to ice and brine in equilibrium, against exact solutions of melting and freezing.

The exact solutions stand in tutorials/phase-change/exact.py and are themselves tested in test_exact.py.
"""

import csv
import math
import re
import sys
from itertools import pairwise

import numpy as np
import pytest
from coupled import ROOT, participant, run

from adapters import ensemble
from adapters.step import Position, Step
from participants.macro import heat
from participants.micro.lever_rule import LeverRule
from participants.micro.material import CONTROLS, OBSERVABLES, Material
from scalebridge.checks import load

sys.path.insert(0, str(ROOT / "tutorials" / "phase-change"))
import exact

XML = (ROOT / "precice-config" / "phase-change.xml").read_text()
SCALING = (ROOT / "precice-config" / "phase-change.scaling.xml").read_text()
RHO, C, L, MELTING = 1000.0, 2100.0, 333600.0, 273.15
ICE, BRINE = 2.22, 0.556


@participant(heat.Settings, reads=heat.READS, writes=heat.WRITES)
def macro(case):
    heat.main(case)


@participant(Material, reads=CONTROLS, writes=OBSERVABLES)
def micro(case):
    ensemble.run(case, ensemble.scaled(case, LeverRule(case.settings, case.seed)))


def solve(folder, block, material, *, time=3600.0, windows=60, ranks=1):
    """Run to `time` [s]; return the rows of series.csv and the last snapshot of the micro side."""
    xml = re.sub(r'<max-time value="[^"]*"', f'<max-time value="{time!r}"', XML)
    xml = re.sub(r'<time-window-size value="[^"]*"', f'<time-window-size value="{time / windows!r}"', xml)
    folder.mkdir(exist_ok=True)
    if ranks > 1:
        xml = xml.replace(
            '<provide-mesh name="Macro-Mesh" />', '<provide-mesh name="Macro-Mesh" /><intra-comm:sockets />'
        )
    mains = {"Macro": (macro, block), "Micro": (micro, material)}
    run(folder, xml, mains, scaling=SCALING, ranks={"Macro": ranks}, limit=120.0)
    with (folder / "Macro" / "series.csv").open() as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    for name in ("Macro", "Micro"):
        assert [str(check) for check in load(folder / name / "checks.json") if not check.passed] == []
    return rows, np.load(max((folder / "Micro" / "snapshots").glob("*.npz")), allow_pickle=False)


def orders(errors):
    """Return the observed orders of convergence between runs that each refine by 2."""
    return [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]


def test_wall_flux_of_a_mushy_zone(tmp_path):
    """4.550e4 W s^0.5 / m^2: k 2, rho c 4e6, rho L 3.336e8, wall -10 degC, body and end of melting -1.9 degC."""
    block = {"length": 0.3, "elements": 120, "density": 1000.0, "heat_capacity": 4000.0, "latent_heat": L}
    block |= {"initial_temperature": MELTING - 1.9 + 1e-3, "wall_temperature": MELTING - 10.0}
    material = {"salinity": 1.9 / 54.11, "brine": "straight", "ice_conductivity": 2.0, "brine_conductivity": 2.0}
    for windows in (15, 60):
        rows, _ = solve(tmp_path / str(windows), block, material, windows=windows)
        heat_taken = -rows[-1]["energy_inflow"]
        # first order in time, 1 / (8 n) without latent heat, and the mesh
        assert heat_taken == pytest.approx(2 * 4.550e4 * math.sqrt(3600), rel=1 / (4 * windows) + 4e-3)


def test_heat_without_melting(tmp_path):
    """Without latent heat the block takes up 2 (T_wall - T_0) sqrt(k rho c t / pi): Carslaw & Jaeger 1959, section 2.5.

    n steps of backward Euler make of it sqrt(dt) times the coefficient of z^(n-1) in (1 - z)^(-3/2), which is too
    little by 1 / (8 n).
    """
    block = {"length": 0.2, "elements": 100, "latent_heat": 0.0}
    block |= {"initial_temperature": MELTING - 15.0, "wall_temperature": MELTING - 5.0}
    material = {"ice_conductivity": 2.0, "brine_conductivity": 2.0}
    rows, _ = solve(tmp_path, block, material, windows=60)
    exactly = 2 * 10 * math.sqrt(2.0 * RHO * C * 3600 / math.pi)
    assert rows[-1]["energy_inflow"] / exactly == pytest.approx(1 - 1 / (8 * 60), abs=5e-4)


def test_nothing_happens_at_one_temperature(tmp_path):
    """The balance of nothing is closed, though all of it is round-off."""
    block = {"elements": 10, "initial_temperature": 263.15, "wall_temperature": 263.15}
    rows, _ = solve(tmp_path, block, {}, time=300.0, windows=5)
    assert abs(rows[-1]["energy_inflow"]) < 1e-3  # of 5.5e7 J/m^2


def similarity(salinity, wall, initial):
    """Return the exact volume of ice per area [m] after an hour, and the heat [J/m^2] that has come in."""
    lever = LeverRule(Material(salinity=salinity, brine="straight"), 0)
    end = lever.phase_diagram.melting_point(salinity)
    zone = exact.mushy_zone(
        wall, initial, end, lever.liquid_fraction, lambda phi: phi * BRINE + (1 - phi) * ICE, RHO * C, RHO * L, 1e-9
    )
    x = np.linspace(0, LENGTH, 20001)
    ice = 1 - lever.liquid_fraction(zone.temperature((x[1:] + x[:-1]) / 2, 3600.0))[0]
    return ice.mean() * LENGTH, zone.heat * math.sqrt(3600)


LENGTH, WALL = 0.08, MELTING - 10
FRONTS = {
    "Stefan": (0.0, lambda: exact.stefan(C * 10 / L)),
    "Neumann": (
        5.0,
        lambda: exact.neumann(WALL, MELTING, MELTING + 5, exact.Phase(ICE, C, RHO), exact.Phase(BRINE, C, RHO), L),
    ),
}


def freeze(folder, name, salinity, refine):
    """Return by how much the ice and the heat are off the exact ones, and the ice off the front of pure water."""
    above, front_of = FRONTS[name]
    front = 2 * front_of() * math.sqrt(ICE / (RHO * C) * 3600)
    initial = MELTING - 54.11 * salinity + above + 1e-3
    block = {"length": LENGTH, "elements": 100 * refine, "initial_temperature": initial, "wall_temperature": WALL}
    material = {"salinity": salinity, "brine": "straight", "geometry": "layers-x"}
    rows, snapshot = solve(folder, block, material, windows=50 * refine)
    ice, heat_in = similarity(salinity, WALL, initial)
    found = LENGTH * (1 - snapshot["Liquid-Fraction"]).mean()
    return np.array([found / ice, rows[-1]["energy_inflow"] / heat_in, found / front]) - 1


@pytest.mark.parametrize("name", FRONTS)
def test_brine_freezes_as_the_similarity_solution_says(tmp_path, name):
    """Of first order in elements and windows together, so twice the fine run less the coarse one is the limit."""
    coarse, fine = (freeze(tmp_path / str(refine), name, 0.01, refine) for refine in (1, 2))
    assert orders(np.abs([coarse[0], fine[0]])) == pytest.approx([1.0], abs=0.2)
    assert orders(np.abs([coarse[1], fine[1]])) == pytest.approx([1.0], abs=0.2)
    assert np.abs(2 * fine - coarse)[:2].max() < 0.005
    assert fine[2] < -0.1  # a brine of 10 g/kg has 14 % less ice than fresh water has behind its front


@pytest.mark.parametrize("name", ["Stefan", pytest.param("Neumann", marks=pytest.mark.long)])
def test_front_of_freezing_as_the_salt_goes_to_zero(tmp_path, name):
    """Water freezes from the wall: the solver tends to the exact brine, and that to the front of pure water."""
    nearly_fresh = np.abs(freeze(tmp_path, name, 0.001, 4))
    assert nearly_fresh[0] < 0.01
    assert nearly_fresh[2] < 0.03  # a brine of 1 g/kg has 2 % less ice


def test_two_dimensions_give_what_one_gives(tmp_path):
    """Heat that flows along x alone does not know of y: the same temperatures, and the heat of the same area."""
    material = {"salinity": 0.035}
    block = {"length": 0.02, "elements": 10, "initial_temperature": 258.15, "wall_temperature": 275.15}
    line, along = solve(tmp_path / "line", block, material, time=600.0, windows=5)
    plane, across = solve(tmp_path / "plane", {**block, "width": 0.01}, material, time=600.0, windows=5)
    # triangles have their quadrature points elsewhere, so the two differ by the error of the mesh
    assert plane[-1]["energy_inflow"] / 0.01 == pytest.approx(line[-1]["energy_inflow"], rel=0.02)
    ends = [s["Temperature"][s["points"][:, 0] > 0.0175].mean() for s in (along, across)]
    assert ends[0] == pytest.approx(ends[1], abs=0.05)


def test_ranks_do_not_change_the_result(tmp_path):
    """Two ranks of the heat solver exchange what one does, to round-off of the iteration."""
    block = {"length": 0.02, "elements": 20, "initial_temperature": 258.15, "wall_temperature": 275.15}
    one, _ = solve(tmp_path / "one", block, {}, time=300.0, windows=5)
    two, _ = solve(tmp_path / "two", block, {}, time=300.0, windows=5, ranks=2)
    assert two[-1]["energy_inflow"] == pytest.approx(one[-1]["energy_inflow"], rel=1e-9)


def test_steepened_slope():
    """The secant stands in for the tangent across the kink of complete melting, and not on a smooth branch."""
    slope, liquid, T = np.array([0.1, 0.1, 0.1]), np.array([0.2, 0.2, 0.5]), np.array([-10.0, -10.0, -5.0])
    secant = heat.Secant(slope, liquid, T)
    secant.steepen(Step(Position(window=1), 1.0))
    assert slope.tolist() == [0.1, 0.1, 0.1]
    slope[:], liquid[:], T[:] = [0.0, 0.3, 0.1], [1.0, 0.4, 0.50000005], [-2.0, -9.0, -4.9999995]
    secant.steepen(Step(Position(window=1, iteration=2), 1.0))
    assert slope == pytest.approx([0.8 / 8, 0.3, 0.1])
    slope[:] = 0.0
    secant.steepen(Step(Position(window=2), 1.0))
    assert slope.tolist() == [0.0, 0.0, 0.0]
